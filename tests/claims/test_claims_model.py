"""Rows as their files say them: what is wrong is told with file, row and key."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from sigcube import claims
from sigcube.claims import Claim, load_claims, read_claims
from sigcube.claims.ledger_text import place_of
from sigcube.claims.row_files import shipped_conventions
from sigcube.claims.rows import Convention
from sigcube.errors import SpecError
from sigcube.shipped import shipped_folder

ROW = """
paper = "cmsi"

[[claim]]
id = "a.b"
where = "Test results"
statement = "a number"
published = "17.75"

[[claim.reading]]
quote = "Test results: twice"
quantity = "expression"
formula = "2 * x"
let = { x = 8.875 }
"""


def one(text: str = ROW) -> Claim:
    (claim,) = read_claims(text, "rows.toml")
    return claim


def test_a_row_has_what_its_file_says_and_defaults_for_the_rest() -> None:
    claim = one()
    assert (claim.id, claim.paper, claim.unit, claim.note) == ("a.b", "cmsi", "", "")
    (reading,) = claim.reading
    assert (reading.name, reading.stated, reading.scale, reading.quantity) == ("as stated", True, 1.0, "expression")


def test_a_reading_is_the_texts_if_it_quotes_it_and_against_it_if_it_says_so() -> None:
    more = [
        'quantity = "expression"\nformula = "1"',
        'quote = "Test results: words"\nname = "both"\nquantity = "expression"\nformula = "2"',
        'against = "Test results: others"\nquantity = "expression"\nformula = "2"',
        'convention = ["one_solar_mass"]\nquantity = "expression"\nformula = "2"',
        'convention = ["one_solar_mass", "root_3"]\nquantity = "expression"\nformula = "2"',
    ]
    claim = one(ROW + "".join(f"\n[[claim.reading]]\n{each}\n" for each in more))
    assert [(r.name, r.stance) for r in claim.reading] == [
        ("as stated", "stated"),
        ("reading 2", "silent"),
        ("both", "stated"),
        ("reading 4", "against"),
        ("one solar mass", "silent"),
        ("one solar mass; A = √3", "against"),
    ]


def test_what_the_text_states_follows_no_convention_and_a_convention_must_be_known() -> None:
    both = ROW.replace("quote", 'convention = "root_3"\nquote')
    with pytest.raises(SpecError, match="neither a convention nor"):
        one(both)
    with pytest.raises(SpecError, match=r"(?s)there is no convention 'root_4'.*did you mean 'root_3'"):
        one(ROW.replace('quote = "Test results: twice"', 'convention = "root_4"'))


def test_a_convention_says_what_it_is_and_which_scripts_have_it() -> None:
    text = ROW.replace(
        'quote = "Test results: twice"', 'convention = ["missing_factor", "dynamical_mass", "one_solar_mass"]'
    )
    (reading,) = one(text).reading
    known = shipped_conventions()
    # Each script once, in the order of the conventions; one without a source or a note adds nothing.
    assert reading.sources == (*known["missing_factor"].sources, *known["dynamical_mass"].sources)
    assert reading.note == f"{known['missing_factor'].note} {known['dynamical_mass'].note}"
    assert Convention(name="a", source="example.org/owner/name/file.py").sources == ("example.org/owner/name/file.py",)
    assert one().reading[0].sources == Convention(name="a").sources == ()


@pytest.mark.parametrize(
    "source", ["the authors' scripts", "file.py", "https://example.org/file.py", "", ["a.org/b", ""]]
)
def test_a_source_is_an_address_and_nothing_else(source: str | list[str]) -> None:
    with pytest.raises(ValidationError, match="source"):
        Convention(name="a", source=source)


REPEAT = """
[[claim]]
id = "a.again"
where = "Test results"
statement = "the same, with fewer digits"
published = "17.8"
repeats = "a.b"
"""


def test_a_number_that_is_printed_again_has_the_same_readings() -> None:
    first, again = read_claims(ROW + REPEAT, "rows.toml")
    assert (again.reading, again.number, first.number) == (first.reading, "a.b", "a.b")


def test_a_number_that_is_printed_again_has_the_same_note_unless_it_has_one() -> None:
    noted = ROW.replace('published = "17.75"', 'published = "17.75"\nnote = "told"')
    assert [claim.note for claim in read_claims(noted + REPEAT, "rows.toml")] == ["told", "told"]
    own = REPEAT.replace("repeats", 'note = "its own"\nrepeats')
    assert [claim.note for claim in read_claims(noted + own, "rows.toml")] == ["told", "its own"]


def test_a_note_on_another_paper_names_it(shipped_claims: tuple[Claim, ...]) -> None:
    notes = {claim.id: claim.note for claim in shipped_claims}
    of_main = notes["sparc.mean_rms.mond"]
    assert notes["si.sparc.mean_rms.mond"] == f"As told of sparc.mean_rms.mond, main: {of_main}"


def test_a_convention_may_go_against_several_words() -> None:
    assert Convention(name="a").contradicted == ()
    assert Convention(name="a", against="§1: words").contradicted == ("§1: words",)
    assert Convention(name="a", against=["§1: words", "§2: others"]).contradicted == ("§1: words", "§2: others")
    for empty in ("", [""]):
        with pytest.raises(ValidationError):
            Convention(name="a", against=empty)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('repeats = "a.b"', 'repeats = "a.bb"', r"it repeats 'a.bb'.*did you mean 'a.b'"),
        ('repeats = "a.b"', 'repeats = "a.again"', "it repeats 'a.again', which stands for no number"),
        ('repeats = "a.b"', 'repeats = "a.b"\nquantity = "expression"', "none of its own"),
        ('published = "17.8"', 'published = "many"', "not a number as papers print them"),
    ],
)
def test_a_repeat_of_nothing_or_with_readings_of_its_own_is_told(old: str, new: str, words: str) -> None:
    with pytest.raises(SpecError, match=rf"(?s){words}"):
        read_claims(ROW + REPEAT.replace(old, new), "rows.toml")


WRONG = [
    ('id = "a.b"', 'id = "a b"', r"id", "an id has parts and dots"),
    ('id = "a.b"', 'id = "ab"', r"id", "of one part alone"),
    ('paper = "cmsi"', 'paper = "cms"', r"did you mean 'cmsi'", "no such paper"),
    ('paper = "cmsi"', 'papers = "cmsi"', r"unknown key 'papers', did you mean 'paper'", "a key of the file"),
    (
        'where = "Test results"',
        'wher = "Test results"',
        r"(?s)unknown key 'wher'.*did you mean 'where'",
        "a key of the row",
    ),
    ('statement = "a number"', "", r"key 'statement' is missing", "a key that must be"),
    ('published = "17.75"', 'published = "many"', r"not a number as papers print them", "no number"),
    ('published = "17.75"', "published = 17.75", r"published", "a number has lost its digits"),
    ('quantity = "expression"', 'quantity = "expresion"', r"did you mean 'expression'", "no such quantity"),
    (
        'formula = "2 * x"',
        'formla = "2 * x"',
        r"(?s)unknown key 'formla'.*did you mean 'formula'",
        "a key of the quantity",
    ),
    ('formula = "2 * x"', "", r"key 'formula' is missing", "a key that the quantity needs"),
    ("let = { x = 8.875 }", 'let = { x = { quantity = "sweep" } }', r"key '\w+' is missing", "a reading inside"),
    ('quantity = "expression"', 'quantity = "printed"', r"unknown key 'formula'", "keys of another quantity"),
    ('quantity = "expression"', 'name = 3\nquantity = "expression"', r"name", "a name of the wrong type"),
    ('quantity = "expression"', 'scale = nan\nquantity = "expression"', r"scale", "a scale that is no number"),
]


@pytest.mark.parametrize(("old", "new", "words", "reason"), WRONG, ids=[w[3] for w in WRONG])
def test_what_is_wrong_is_told_with_its_place(old: str, new: str, words: str, reason: str) -> None:
    assert old in ROW, reason
    with pytest.raises(SpecError, match=words) as caught:
        read_claims(ROW.replace(old, new, 1), "rows.toml")
    assert "rows.toml" in str(caught.value)
    assert new.startswith("papers") or "row 1" in str(caught.value)


def test_all_faults_of_all_rows_are_told_at_once() -> None:
    second = ROW.partition("[[claim]]")[2].replace("a.b", "a.c").replace("17.75", "many")
    with pytest.raises(SpecError, match="2 faults") as caught:
        read_claims(ROW.replace("formula", "formla") + f"\n[[claim]]{second}", "rows.toml")
    assert "row 1 (a.b)" in str(caught.value)
    assert "row 2 (a.c)" in str(caught.value)


def test_an_assumption_needs_no_number_and_stands_alone() -> None:
    text = ROW.replace("17.75", "c_GW = c").partition("quantity")[0] + 'quantity = "assumption"\nbecause = "put in"\n'
    assert one(text).published == "c_GW = c"
    with pytest.raises(SpecError, match="only kind of reading"):
        one(f'{text}\n[[claim.reading]]\nquantity = "expression"\nformula = "1"\n')


def test_readings_of_one_row_have_names_of_their_own() -> None:
    more = '\n[[claim.reading]]\nname = "as stated"\nquantity = "expression"\nformula = "1"\n'
    with pytest.raises(SpecError, match="names of their own"):
        one(ROW + more)


def test_an_id_is_there_once_over_all_files(tmp_path: Path) -> None:
    paths = [tmp_path / "one.toml", tmp_path / "two.toml"]
    for path in paths:
        path.write_text(ROW, encoding="utf-8")
    with pytest.raises(SpecError, match=r"a\.b: the id is there twice|the id is there twice"):
        load_claims(paths)


def test_a_file_that_cannot_be_read_or_is_no_toml_is_told(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="cannot be read"):
        load_claims([tmp_path / "absent.toml"])
    with pytest.raises(SpecError, match="not TOML"):
        read_claims("[[claim", "rows.toml")


@pytest.mark.parametrize("rows", ["claim = 3", "[claim]\nid = 'a.b'", 'claim = ["a.b"]'])
def test_rows_that_are_no_tables_are_told(rows: str) -> None:
    with pytest.raises(SpecError, match=r"headed \[\[claim\]\]"):
        read_claims(rows, "rows.toml")


def test_a_file_without_rows_is_no_ledger(tmp_path: Path) -> None:
    (tmp_path / "rows.toml").write_text('paper = "cmsi"\n', encoding="utf-8")
    with pytest.raises(SpecError, match=r"there is no \[\[claim\]\]"):
        load_claims([tmp_path / "rows.toml"])


def test_a_single_fault_names_its_file_once() -> None:
    with pytest.raises(SpecError) as caught:
        read_claims(ROW.replace("formula", "formla"), "rows.toml")
    assert str(caught.value).count("rows.toml") == 1


# The conventions of all rows are in a file of their own.
ROWS = sorted(path for path in shipped_folder("sweeps").glob("claims/*.toml") if path.stem != "conventions")


@pytest.mark.slow
@pytest.mark.parametrize("path", ROWS, ids=lambda path: path.stem)
def test_every_shipped_file_parses(path: Path) -> None:
    assert load_claims([path])


def test_all_shipped_rows_are_one_ledger_whose_links_lead_somewhere(shipped_claims: tuple[Claim, ...]) -> None:
    assert len({claim.id for claim in shipped_claims}) == len(shipped_claims) >= 150


HEAD = """
paper = "cmsi"

[defaults.sweep]
dataset = "sparc"
kernel = "sigma"
settings = { window = "none" }
"""
SWEPT = """
[[claim]]
id = "a.b"
where = "Test results"
statement = "a number"
published = "17.75"
unit = "km/s"
quote = "Test results: its words"
quantity = "sweep"
settings = { A = 1.0 }
take = "rms_mean"
scale = 2.0
"""


def keys(claim: Claim) -> list[dict[str, object]]:
    return [reading.keys.model_dump(exclude_defaults=True) for reading in claim.reading]


def test_a_claim_with_a_quantity_is_its_own_first_reading_and_a_file_has_defaults() -> None:
    claim = one(HEAD + SWEPT)
    (reading,) = claim.reading
    assert (reading.name, reading.stated, reading.scale, claim.unit) == ("as stated", True, 2.0, "km/s")
    settings = {"window": "none", "A": 1.0}
    assert keys(claim) == [{"dataset": "sparc", "kernel": "sigma", "take": "rms_mean", "settings": settings}]


def test_a_further_reading_says_what_differs_from_the_first() -> None:
    more = """
[[claim.reading]]
name = "another amplitude"
settings = { A = 2.0 }

[[claim.reading]]
name = "another amplitude and scale length"
settings = { scale_length = "disk_peak" }
kernel = "mond"
"""
    claim = one(f'{HEAD}{SWEPT}name = "the text"\n{more}')
    assert claim.reading[0].name == "the text"
    # Whose reading it is, is not handed down.
    assert [each.stated for each in claim.reading] == [True, False, False]
    assert [each.scale for each in claim.reading] == [2.0, 2.0, 2.0]
    first, second, third = keys(claim)
    assert second == {**first, "settings": {"window": "none", "A": 2.0}}
    # The third starts from the first, not from the second.
    assert third == {**first, "kernel": "mond", "settings": {"window": "none", "A": 1.0, "scale_length": "disk_peak"}}


def test_a_reading_with_a_quantity_stands_by_itself() -> None:
    claim = one(f'{HEAD}{SWEPT}\n[[claim.reading]]\nquantity = "sweep"\ntake = "bias_mean"\n')
    settings = {"window": "none"}
    assert keys(claim)[1] == {"dataset": "sparc", "kernel": "sigma", "take": "bias_mean", "settings": settings}
    assert claim.reading[1].scale == 1.0


def test_defaults_reach_the_readings_within_a_formula() -> None:
    row = ROW.partition("[[claim]]")[2].replace("8.875", '{ quantity = "sweep", take = "rms_mean" }')
    (only,) = keys(one(f"{HEAD}\n[[claim]]{row}"))
    assert only["let"] == {
        "x": {
            "quantity": "sweep",
            "take": "rms_mean",
            "dataset": "sparc",
            "kernel": "sigma",
            "settings": {"window": "none"},
        }
    }


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (HEAD.replace("kernel", "kernl") + SWEPT, r"(?s)unknown key 'kernl'.*did you mean 'kernel'"),
        (HEAD.replace("sweep", "swep") + SWEPT, r"no quantity 'swep'"),
        ("defaults = 3" + HEAD.partition("[defaults")[0] + SWEPT, r"headed \[defaults.QUANTITY\]"),
        (HEAD + SWEPT.replace("take", "tak"), r"(?s)unknown key 'tak'.*did you mean 'take'"),
        (HEAD + SWEPT.replace("quantity", "quantty"), r"(?s)unknown key 'quantty'.*did you mean 'quantity'"),
        (f"{HEAD}{SWEPT}\n[[claim.reading]]\ntak = 3\n", r"(?s)unknown key 'tak'.*did you mean 'take'"),
        (f"{HEAD}{SWEPT}\n[claim.reading]\ntake = 'A'\n", r"\[\[claim.reading\]\]"),
    ],
)
def test_what_is_wrong_with_inherited_keys_is_told(text: str, words: str) -> None:
    with pytest.raises(SpecError, match=words) as caught:
        read_claims(text, "rows.toml")
    assert "rows.toml" in str(caught.value)


def test_a_file_introduces_its_paper(tmp_path: Path) -> None:
    new = ROW.replace('"cmsi"', '{ name = "new", title = "A new paper" }', 1)
    (tmp_path / "new.toml").write_text(new.replace("a.b", "a.c"), encoding="utf-8")
    (tmp_path / "known.toml").write_text(ROW, encoding="utf-8")
    known, claim = load_claims([tmp_path / "new.toml", tmp_path / "known.toml"])
    assert (claim.paper, claim.source.title, place_of(claim)) == ("new", "A new paper", "A new paper Test results")
    assert (known.paper, place_of(known)) == ("cmsi", "CMSI Test results")
    with pytest.raises(SpecError, match=r"(?s)unknown key 'titel'.*did you mean 'title'"):
        one(new.replace("title", "titel"))


def test_the_papers_that_come_with_sigcube_have_titles() -> None:
    names = ["sigma_gravity", "supplementary_information", "cmsi", "mass_coherence", "microphysics"]
    assert list(claims.PAPERS) == names
    assert claims.PAPERS["supplementary_information"] == "Σ-Gravity: supplementary information"
