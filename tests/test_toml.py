"""TOML files, and how their faults are told."""

import re
from pathlib import Path
from typing import Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, model_validator

from sigcube.errors import SpecError
from sigcube.toml import check, find_faults, key_names, parse_toml, read_text, read_toml


class Wheel(BaseModel):
    model_config = ConfigDict(extra="forbid")

    radius: float = Field(gt=0.0)
    spokes: int = 32


class Cart(BaseModel):
    model_config = ConfigDict(extra="forbid")

    colour: Literal["red", "blue"]
    wheels: dict[str, Wheel]
    spare: list[Wheel] = []
    bell: Wheel | None = None
    name: str = ""
    load: float | str | None = None
    text: str = Field(default="", exclude=True)

    @model_validator(mode="after")
    def _has_wheels(self) -> "Cart":
        if not self.wheels:
            raise ValueError("a cart needs wheels")
        return self


GOOD = 'colour = "red"\n[wheels.left]\nradius = 0.3\n'


def refused(text: str) -> str:
    with pytest.raises(SpecError) as caught:
        check(Cart, parse_toml(text, what="the cart", where="cart.toml"), where="cart.toml", what="the cart is wrong")
    return str(caught.value)


def test_what_is_right_is_the_model() -> None:
    assert check(Cart, parse_toml(GOOD, what="the cart", where="cart.toml")).wheels["left"].radius == 0.3


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("colour = ", "the cart is not TOML\n  where: cart.toml\n  found: Invalid value (at end of document)"),
        ("[wheels.left]\nradius = 1\n", "key 'colour' is missing\n  where: cart.toml\n  do: add it"),
        (
            GOOD.replace("red", "green"),
            "key 'colour' is wrong\n  where: cart.toml\n  found: 'green'\n  expected: 'red' or 'blue'",
        ),
        (
            "colour = 'red'\nwheels = true\n",
            "key 'wheels' is wrong\n  where: cart.toml\n  found: True\n  expected: a table",
        ),
        ('colour = "red"\nwheels = {}\n', "a cart needs wheels\n  where: cart.toml"),
        (
            GOOD.replace("left]", "left]\nspoks = 3"),
            "unknown key 'wheels.left.spoks'\n  where: cart.toml\n  do: did you mean 'spokes'? valid: radius, spokes",
        ),
        (
            f"{GOOD}[[spare]]\nradius = 1\nrim = 2\n",
            "unknown key 'spare.0.rim'\n  where: cart.toml\n  do: valid: radius, spokes",
        ),
        (
            f"{GOOD}[bell]\nradius = 1\nrim = 2\n",
            "unknown key 'bell.rim'\n  where: cart.toml\n  do: valid: radius, spokes",
        ),
    ],
)
def test_one_fault_is_told_in_full(text: str, said: str) -> None:
    assert refused(text) == said


def test_a_misspelt_key_is_one_fault() -> None:
    said = refused(GOOD.replace("colour", "color"))
    assert said.startswith("unknown key 'color'\n  where: cart.toml\n  do: did you mean 'colour'?")


def test_all_faults_are_told_at_once() -> None:
    assert refused('colour = 1\n[wheels.left]\nradius = -1\nspokes = "x"\n') == (
        "the cart is wrong: 3 faults\n  where: cart.toml\n"
        "  found: colour: wrong value, found 1, expected 'red' or 'blue'\n"
        "         wheels.left.radius: wrong value, found -1, expected greater than 0\n"
        "         wheels.left.spokes: wrong value, found 'x', expected a whole number"
    )


@pytest.mark.parametrize(
    ("line", "found", "expected"),
    [
        ('spare = "left"', "'left'", "a list, such as ['left']"),
        ("spare = 3", "3", "a list"),
        ("bell = 3", "3", "a table"),
        ("name = 3", "3", "a text"),
        ("name = true", "True", "a text"),
        ("load = [3]", "[3]", "a number or a text"),
    ],
)
def test_what_is_expected_is_said_in_words_of_those_who_write(line: str, found: str, expected: str) -> None:
    key = line.split()[0]
    assert refused(f"{line}\n{GOOD}") == (
        f"key '{key}' is wrong\n  where: cart.toml\n  found: {found}\n  expected: {expected}"
    )


def test_keys_that_others_take_are_valid_too() -> None:
    with pytest.raises(SpecError, match="did you mean 'hub'"):
        check(Wheel, {"radius": 1.0, "hubb": 1}, also=["hub"])


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("radius = 0.3", "radius = true", "key 'wheels.left.radius' is wrong(.|\n)*found: True"),
        ("radius = 0.3", 'radius = "0.3"', "found: '0.3'\n  expected: a number"),
        ("radius = 0.3", "radius = 0.3\nspokes = true", "key 'wheels.left.spokes' is wrong"),
        ('colour = "red"', 'colour = "red"\nspare = [{radius = 1}, {radius = true}]', "key 'spare.1.radius' is wrong"),
    ],
)
def test_text_and_truth_are_no_numbers(old: str, new: str, said: str) -> None:
    assert re.search(said, refused(GOOD.replace(old, new)))


def test_a_whole_number_may_stand_for_any(tmp_path: Path) -> None:
    assert check(Wheel, parse_toml("radius = 1", what="it", where="")).radius == 1.0


def test_marks_of_an_encoding_and_old_line_ends_are_no_fault(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_bytes("\ufeffa = 1\r\nb = 2\rc = 3".encode())
    assert read_text(tmp_path / "a.toml", what="it") == "a = 1\nb = 2\nc = 3"


def test_dots_in_texts_join_no_names() -> None:
    sentence = "one. " * 50 + "0.1.2"
    text = f'a.b.c = "{sentence}" # {sentence}\nd = [0.1, 0.2]'
    assert parse_toml(text, what="it", where="")["a"]["b"]["c"] == sentence


def test_a_list_of_faults_names_the_table_that_was_checked() -> None:
    wheel, faults = find_faults(Wheel, {"spokes": "x"})
    assert wheel is None
    assert [fault.as_fault("wheels.left").where for fault in faults] == ["wheels.left.radius", "wheels.left.spokes"]


def test_what_is_left_out_of_dumps_is_no_key() -> None:
    assert key_names(Cart) == ["colour", "wheels", "spare", "bell", "name", "load"]


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"the cart cannot be read\n  where: .*\n  found: No such file.*\n  do: go"):
        read_text(tmp_path / "a.toml", what="the cart", hint="go")
    (tmp_path / "a.toml").write_bytes(b"\xff")
    with pytest.raises(SpecError, match=r"the cart is not TOML\n  where: .*a.toml\n  found: .*0xff"):
        read_text(tmp_path / "a.toml", what="the cart")


def test_a_file_goes_before_one_that_is_shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert "model" in read_toml("si15_per_galaxy", folder="sweeps", what="it")
    Path("si15_per_galaxy").write_text("mine = 1")
    assert read_toml("si15_per_galaxy", folder="sweeps", what="it") == {"mine": 1}
    with pytest.raises(SpecError, match=r"did you mean 'si15_per_galaxy'.*; or give the path of a file"):
        read_toml("si15_per_galxy", folder="sweeps", what="it")
