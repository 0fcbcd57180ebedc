"""What readings quote stands in the papers, in the section that they name."""

import re
from pathlib import Path

import pytest

from sigcube.claims import Claim
from sigcube.claims.quantities.composed import PrintedKeys
from sigcube.claims.row_files import shipped_conventions
from tests.claims.quotes import says


@pytest.fixture(scope="module")
def papers(shared_data: Path) -> Path:
    """The folder of the papers' texts, beside that of the data."""
    folder = shared_data.parent / "papers"
    if not (folder / "sigma_gravity.md").is_file():
        pytest.skip(f"the texts of the papers are not in {folder}")
    return folder


def test_a_reading_is_the_texts_only_with_its_words(shipped_claims: tuple[Claim, ...]) -> None:
    numeric = [(claim, reading) for claim in shipped_claims for reading in claim.reading if reading.numeric]
    assert [claim.id for claim, reading in numeric if (reading.stance == "silent") != (not reading.quote)] == []


@pytest.mark.slow
def test_the_words_of_each_quote_stand_in_the_section_that_it_names(
    shipped_claims: tuple[Claim, ...], papers: Path
) -> None:
    quotes = {(claim.paper, each): claim.id for claim in shipped_claims if not claim.repeats for each in _quotes(claim)}
    assert len(quotes) > 100
    absent = {f"{name}: {quote}" for (paper, quote), name in quotes.items() if not says(papers, paper, quote)}
    assert absent == set()


def _quotes(claim: Claim) -> list[str]:
    # What several conventions go against is joined; those are held against the papers by themselves.
    return [reading.quote for reading in claim.reading if reading.quote and not reading.conventions]


def test_the_words_that_conventions_go_against_stand_in_the_papers(papers: Path) -> None:
    against = [words for each in shipped_conventions().values() for words in each.contradicted]
    assert [quote for quote in against if not says(papers, "", quote)] == []


# Other places that print no such digits: what stands there.
_NOT_AS_DIGITS = {
    "lensing.slip.bound": "1 ± 0.1",
    "wide_binaries.observed_excess": "35 % ± 10 %",
}


def test_the_number_of_another_place_is_printed_and_not_worked_out(
    shipped_claims: tuple[Claim, ...], papers: Path
) -> None:
    text = "\n".join(path.read_text(encoding="utf-8") for path in papers.glob("*.md"))
    printed = set(re.findall(r"\d+(?:\.\d+)?", text.replace(",", "")))
    absent = set()
    for claim in shipped_claims:
        others = [reading.keys.value for reading in claim.reading if isinstance(reading.keys, PrintedKeys)]
        numbers = [each for each in others if re.search(r"\d", each) and not re.search(r"[⁰¹²³⁴⁵⁶⁷⁸⁹]", each)]
        # A power of ten is written in many ways.
        if any(re.sub(r"e-?\d+$", "", each).strip("~<W= ") not in printed for each in numbers):
            absent.add(claim.id)
    assert absent == set(_NOT_AS_DIGITS)


def test_words_that_are_not_there_are_noticed(papers: Path) -> None:
    assert says(papers, "sigma_gravity", "§4.1: performs comparably to MOND on galaxies")
    assert not says(papers, "sigma_gravity", "§4.1: performs better than MOND on galaxies")
    assert not says(papers, "sigma_gravity", "§4.2: performs comparably to MOND on galaxies")


def test_each_convention_is_used_and_each_name_of_several_rows_is_a_convention(
    shipped_claims: tuple[Claim, ...],
) -> None:
    readings = [(claim.number, reading) for claim in shipped_claims for reading in claim.reading if not reading.stated]
    assert {each for _, reading in readings for each in reading.conventions} == set(shipped_conventions())
    by_name: dict[str, set[str]] = {}
    for number, reading in readings:
        if reading.numeric and not reading.conventions and reading.quantity != "unavailable":
            by_name.setdefault(reading.name, set()).add(number)
    assert {name: used for name, used in by_name.items() if len(used) > 1} == {}
