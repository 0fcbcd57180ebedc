"""TOML files: read, checked against a pydantic model, and every fault reported in the same form."""

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from types import UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from sigcube.errors import Fault, SpecError, did_you_mean, error_from, shown
from sigcube.files import path_of
from sigcube.shipped import shipped, shipped_folder

__all__ = ["KeyFault", "check", "find_faults", "key_names", "parse_toml", "read_text", "read_toml"]

_Model = TypeVar("_Model", bound=BaseModel)

# Files that people write have kilobytes, and 10^5 numbers fit; more would take seconds to parse.
_MOST_BYTES = 2 * 2**20
# The time and memory of Python's parser grow with the square of the names in a dotted key: 10^5 take a minute.
_LONG_KEY = re.compile(r"""(?:(?:(?<![\w-])[\w-]++|"(?:[^"\\\n]|\\.)*+"|'[^'\n]*+')[ \t]*+\.[ \t]*+){64}""")
# What pydantic's types of faults begin with, such as ``list_type`` and ``int_parsing``.
_SORTS = {
    "bool": "true or false",
    "dict": "a table",
    "float": "a number",
    "int": "a whole number",
    "list": "a list",
    "model": "a table",
    "string": "a text",
    "tuple": "a list",
}
# The most faults to look at: each unknown key is compared with the valid ones.
_MOST_FAULTS = 1000


@dataclass(frozen=True)
class KeyFault:
    """What is wrong with one key.

    Attributes
    ----------
    key : str
        The key with those of the tables around it, joined by dots; empty for the file as a whole.
    problem : {"unknown", "missing", "value", "rule"}
        The model does not have the key, the file lacks it, its value has the wrong type or size, or a validator of
        the model refuses it.
    message : str
        What is wrong; of a value, what would have been right.
    found : str or None
        The value.
    hint : str or None
        What to do about it.
    """

    key: str
    problem: Literal["unknown", "missing", "value", "rule"]
    message: str
    found: str | None = None
    hint: str | None = None

    def as_fault(self, table: str = "") -> Fault:
        """Return it for a list of faults; `table` holds what was checked."""
        place = ".".join(filter(None, (table, self.key)))
        if self.problem == "value":
            return Fault("wrong value", place, self.found, self.message)
        return Fault(f"{self.message}, {self.hint}" if self.problem == "unknown" else self.message, place, self.found)

    def as_error(self, where: str | None) -> SpecError:
        """Return it as an error; `where` is the file."""
        what, expected = f"key {self.key!r}: {self.message}" if self.key else self.message, None
        if self.problem == "unknown":
            what = f"unknown key {self.key!r}"
        elif self.problem == "missing":
            what = f"key {self.key!r} is missing"
        elif self.problem == "value" and self.key:
            what, expected = f"key {self.key!r} is wrong", self.message
        return SpecError(what, where=where, found=self.found, expected=expected, hint=self.hint)


def read_toml(name_or_path: str | Path, *, folder: str, what: str) -> dict[str, Any]:
    """Read a TOML file, or one that comes with sigcube, by its name in `folder`; `what` names it in messages.

    Raises
    ------
    SpecError
        If it cannot be read, or is not TOML.
    """
    texts = {} if path_of(name_or_path, what=what).is_file() else shipped(folder)
    if (text := texts.get(str(name_or_path))) is None:
        hint = f"{did_you_mean(str(name_or_path), texts)}, all in {shipped_folder(folder)}; or give the path of a file"
        text = read_text(Path(name_or_path), what=what, hint=hint)
    return parse_toml(text, what=what, where=str(name_or_path))


def read_text(path: Path, *, what: str, hint: str | None = None) -> str:
    """Read the text of a TOML file, which is always UTF-8.

    Raises
    ------
    SpecError
        If it cannot be read, or is too long.
    """
    try:
        with path_of(path, what=what).open("rb") as file:
            data = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise SpecError(f"{what} cannot be read", where=str(path), found=error.strerror, hint=hint) from None
    if len(data) > _MOST_BYTES:
        raise SpecError(
            f"{what} is too long",
            where=str(path),
            found=f"more than {_MOST_BYTES} bytes",
            hint="name the TOML file; give many values of an axis by linspace or geomspace, or in Python",
        )
    try:
        # Some editors begin a file with a byte order mark.
        return data.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as error:
        raise SpecError(f"{what} is not TOML", where=str(path), found=str(error)) from None


def parse_toml(text: str, *, what: str, where: str) -> dict[str, Any]:
    """Parse TOML.

    Raises
    ------
    SpecError
        If it is not TOML, with the line and the column, or nested too deep.
    """
    try:
        if _LONG_KEY.search(text):
            raise RecursionError
        return tomllib.loads(text)
    except RecursionError:
        raise SpecError(f"{what} is nested too deep", where=where, expected="a few tables within one another") from None
    except ValueError as error:
        # From TOML itself, or from whole numbers with more digits than Python reads.
        raise SpecError(f"{what} is not TOML", where=where, found=str(error)) from None


def check(
    model: type[_Model],
    content: Any,
    *,
    where: str | None = None,
    what: str = "the keys are wrong",
    also: Iterable[str] = (),
) -> _Model:
    """Return the content of a file as a pydantic model.

    Parameters
    ----------
    model, content
        The model, and what was parsed.
    where : str, optional
        The file.
    what : str
        The headline of an error with several faults.
    also : iterable of str
        Valid keys besides those of the model, for the hint on an unknown one.

    Raises
    ------
    SpecError
        With every fault. Next to unknown keys, missing ones are not reported: a misspelt key is both.
    """
    checked, faults = find_faults(model, content, also=also)
    if checked is not None:
        return checked
    if any(fault.problem == "unknown" for fault in faults):
        faults = [fault for fault in faults if fault.problem != "missing"]
    if len(faults) == 1:
        raise faults[0].as_error(where)
    raise error_from(SpecError, [fault.as_fault() for fault in faults], what=what, where=where)


def find_faults(
    model: type[_Model], content: Any, *, also: Iterable[str] = ()
) -> tuple[_Model, list[KeyFault]] | tuple[None, list[KeyFault]]:
    """Return the content as a model, or None, and all its faults; the parameters are those of `check`."""
    try:
        checked = model.model_validate(content)
    except ValidationError as error:
        details = error.errors(include_url=False)[:_MOST_FAULTS]
        return None, _joined(_key_fault(detail, content, model, also) for detail in details)
    faults = [*_misread(content, checked)]
    return (None, faults) if faults else (checked, [])


def _misread(content: Any, checked: Any, key: str = "") -> Iterator[KeyFault]:
    """Find where pydantic took text or a boolean for a number, or a number for a boolean: ``fitted = true``."""
    if isinstance(checked, BaseModel):
        checked = dict(checked)
    if content is checked:
        return
    if isinstance(content, Mapping) and isinstance(checked, Mapping):
        pairs = [(str(name), value, checked[name]) for name, value in content.items() if name in checked]
    elif isinstance(content, list) and isinstance(checked, list | tuple):
        pairs = [(str(place), *each) for place, each in enumerate(zip(content, checked, strict=True))]
    else:
        found, wanted = _sort(content), _sort(checked)
        if found and wanted and found != wanted:
            yield KeyFault(key, "value", wanted, found=shown(content))
        return
    for name, given, taken in pairs:
        yield from _misread(given, taken, f"{key}.{name}" if key else name)


def _sort(value: Any) -> str:
    if isinstance(value, bool):
        return "true or false"
    return "a number" if isinstance(value, int | float) else "a text" if isinstance(value, str) else ""


def _joined(faults: Iterable[KeyFault]) -> list[KeyFault]:
    """Make one fault of those of a value that may be of several types, and is of none."""
    found: dict[tuple[str, object], KeyFault] = {}
    for number, fault in enumerate(faults):
        same = (fault.key, fault.problem if fault.problem == "value" else number)
        before = found.get(same)
        found[same] = fault if before is None else replace(before, message=f"{before.message} or {fault.message}")
    return list(found.values())


def _steps_in(content: Any, steps: Sequence[str | int]) -> Iterator[str | int]:
    """Yield the steps that lead to something in a file; pydantic names types of a union beside them."""
    for step in steps:
        with suppress(KeyError, IndexError, TypeError):
            content = content[step]
            yield step


def _key_fault(detail: Mapping[str, Any], content: Any, model: type[BaseModel], also: Iterable[str]) -> KeyFault:
    steps = detail["loc"] if detail["type"] == "missing" else (*_steps_in(content, detail["loc"]),)
    *tables, name = steps or ("",)
    key = ".".join(map(str, steps))
    if detail["type"] == "extra_forbidden":
        hint = did_you_mean(name, [*key_names(_table_model(model, tables)), *also])
        return KeyFault(key, "unknown", f"unknown key {name!r}", hint=hint)
    if detail["type"] == "missing":
        return KeyFault(key, "missing", f"key {name!r} is missing", hint="add it")
    if detail["type"] == "value_error":
        return KeyFault(key, "rule", str(detail["msg"]).removeprefix("Value error, "))
    return KeyFault(key, "value", _expected(detail), found=shown(detail["input"]))


def _expected(detail: Mapping[str, Any]) -> str:
    """Return what would have been right, in words for those who write TOML."""
    if detail["type"] == "list_type" and isinstance(detail["input"], str):
        return f"a list, such as {shown([detail['input']])}"
    if detail["type"] == "string_pattern_mismatch":
        return f"a text of the pattern {detail['ctx']['pattern']!r}"
    if detail["type"] == "too_short":
        return f"at least {detail['ctx']['min_length']}"
    sort, _, fault = detail["type"].partition("_")
    if sort in _SORTS and fault in ("type", "parsing", "from_float"):
        return _SORTS[sort]
    return str(detail["msg"]).removeprefix("Input should be ")


def key_names(model: type[BaseModel]) -> list[str]:
    """Return the keys that a file may have: the fields of a model that are not excluded."""
    return [name for name, field in model.model_fields.items() if not field.exclude]


def _table_model(root: type[BaseModel], tables: Sequence[str | int]) -> type[BaseModel]:
    """Return the model of a table inside another, such as ``["files", "curves"]`` in a recipe."""
    here: Any = root
    for step in tables:
        if isinstance(here, type) and issubclass(here, BaseModel):
            field = here.model_fields.get(str(step))
            here = field.annotation if field else None
        elif arguments := get_args(here):
            here = arguments[1 if get_origin(here) is dict else 0]
        if get_origin(here) in (Union, UnionType):
            # An optional table is a union with None.
            here = get_args(here)[0]
    return here if isinstance(here, type) and issubclass(here, BaseModel) else root
