"""The exceptions of sigcube, grouped by what a caller would do about them, and the faults that they report.

::

    SigcubeError
    ├── DataError          a raw file or a cube is not what its recipe or schema says
    │   └── FetchError     a raw file cannot be had, or does not match its checksum
    │       └── RawFilesMissing  it is not in the folder, and has no address to download it from
    ├── SpecError          a recipe, sweep, axis, label or parameter is misspelt or out of range
    ├── StoreError         a result store cannot be written or read
    │   ├── StoreExists    something is there already
    │   ├── StoreInUse     another process is writing it
    │   └── StoreMismatch  it was written by another spec, cube or kernel
    └── ClusterError       the Dask cluster is not reachable or was lost
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import partial
from typing import Self, TypeVar

__all__ = [
    "ClusterError",
    "DataError",
    "Fault",
    "FetchError",
    "RawFilesMissing",
    "SigcubeError",
    "SpecError",
    "StoreError",
    "StoreExists",
    "StoreInUse",
    "StoreMismatch",
    "did_you_mean",
    "error_from",
    "shown",
]

_SHOWN = 20
# Characters of a value in a message, and of one part of a message: a list of a million values helps nobody.
_LONGEST_VALUE = 300
_LONGEST_PART = 8000
# Valid names that a misspelt one is compared with.
_COMPARED = 1000
# A list of more names than this is cut to those nearest.
_LISTED, _NEAREST = 50, 12


class SigcubeError(Exception):
    """Base of every error that sigcube raises on purpose.

    Parameters
    ----------
    what : str
        What is wrong, in one sentence.
    where : str, optional
        The file, table row, spec key or store.
    found, expected : str, optional
        The value, and what would have been right.
    hint : str, optional
        What to do about it.
    """

    def __init__(
        self,
        what: str,
        *,
        where: str | None = None,
        found: str | None = None,
        expected: str | None = None,
        hint: str | None = None,
    ) -> None:
        self.what = what = _printable(what)
        self.where, self.found, self.expected, self.hint = (
            None if part is None else _printable(part) for part in (where, found, expected, hint)
        )
        super().__init__(what)

    def __str__(self) -> str:
        parts = [
            ("where", self.where),
            ("found", self.found),
            ("expected", self.expected),
            ("do", self.hint),
        ]
        return "\n".join([self.what, *(f"  {label}: {text}" for label, text in parts if text is not None)])

    def at(self, where: str) -> Self:
        """Return the same error at another place."""
        return type(self)(self.what, where=where, found=self.found, expected=self.expected, hint=self.hint)

    def __reduce__(self) -> tuple[object, ...]:
        make = partial(type(self), where=self.where, found=self.found, expected=self.expected, hint=self.hint)
        return (make, (self.what,))


class DataError(SigcubeError, ValueError):
    """A raw file or a cube is not what its recipe or schema says."""


class FetchError(DataError):
    """A download failed, or what arrived does not match its checksum."""


class RawFilesMissing(FetchError):
    """A raw file is not in its folder, and has no address to download it from."""


class SpecError(SigcubeError, ValueError):
    """A recipe, sweep, axis, label or parameter is misspelt or out of range."""


class FormulaError(SpecError):
    """A formula in code of a user's cannot be compiled: where it stands is a line of a file, and no key of a spec."""


class StoreError(SigcubeError):
    """A result store cannot be written or read."""


class StoreExists(StoreError):
    """There is already something at the path of a new store."""


class StoreInUse(StoreError):
    """Another process holds the store's lock."""


class StoreMismatch(StoreError):
    """The store was written by another spec, cube or kernel."""


class ClusterError(SigcubeError):
    """The Dask cluster is not reachable, or was lost while in use."""


def shown(value: object) -> str:
    """Return a value as messages show it: its ``repr``, which may fail or be endless, in at most 300 characters.

    Examples
    --------
    >>> shown([1.0, "b"]), shown(10**10_000)
    ("[1.0, 'b']", 'int')
    """
    try:
        text = repr(value)
    except Exception:
        # Numbers with more digits than Python prints, tables within themselves, and objects of others.
        text = type(value).__name__
    return _cut(text, _LONGEST_VALUE)


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 2]} …"


def _printable(text: str) -> str:
    """Bound a text, and escape what a terminal would obey or cannot encode: names in files may be anything."""
    return "".join(
        each if each.isprintable() or each in "\n\xa0" else each.encode("unicode_escape").decode()
        for each in _cut(text, _LONGEST_PART)
    )


def did_you_mean(name: object, valid: Iterable[str]) -> str:
    """Return a hint on a misspelt name: the nearest valid one, and all of them, or of very many those that are nearest.

    Examples
    --------
    >>> did_you_mean("windw", ["window", "amplitude"])
    "did you mean 'window'? valid: amplitude, window"
    >>> did_you_mean("RMS", ["rms", "chi2"])
    "did you mean 'rms'? valid: chi2, rms"
    >>> did_you_mean("q", ["window", "amplitude"])
    'valid: amplitude, window'
    >>> did_you_mean("si_7", [f"si_{i}" for i in range(90)]).endswith("si_79, si_87, and 78 more")
    True
    """
    names = sorted(valid)
    # A hostile file may have a name of any length, and any number of columns.
    lower = {each.casefold(): each for each in reversed(names[:_COMPARED])}
    given = str(name)[:_LONGEST_VALUE]
    near = get_close_matches(given, names[:_COMPARED], n=1) or [
        lower[each] for each in get_close_matches(given.casefold(), lower, n=1)
    ]
    if len(names) > _LISTED:
        nearest = get_close_matches(given, names[:_COMPARED], n=_NEAREST, cutoff=0.0)
        listing = f"valid: {', '.join(sorted(nearest))}, and {len(names) - len(nearest)} more"
    else:
        listing = f"valid: {', '.join(names) or 'none'}"
    return f"did you mean {near[0]!r}? {listing}" if near else listing


@dataclass(frozen=True)
class Fault:
    """One thing wrong in a file, cube or spec: what and where, the value, and what would have been right."""

    what: str
    where: str = ""
    found: str | None = None
    expected: str | None = None

    def __str__(self) -> str:
        """Return it on one line."""
        text = f"{self.where}: {self.what}" if self.where else self.what
        for label, value in (("found", self.found), ("expected", self.expected)):
            text += f", {label} {_cut(value, _LONGEST_VALUE)}" if value is not None else ""
        return text


_Error = TypeVar("_Error", bound=SigcubeError)


def error_from(
    kind: type[_Error], faults: Sequence[Fault], *, what: str, where: str | None, hint: str | None = None, more: int = 0
) -> _Error:
    """Return one error for all faults of a file, cube or spec.

    Parameters
    ----------
    kind : type
        The exception.
    faults : sequence of Fault
        At least one; the first twenty are shown.
    what : str
        What is wrong or could not be done.
    where : str or None
        The file, cube or spec.
    hint : str, optional
        What to do about them.
    more : int
        Number of faults besides those given.

    Examples
    --------
    >>> faults = [Fault("not a number", "line 4, column Vobs", "'abc'"), Fault("out of range", "line 9", "-1")]
    >>> print(error_from(DataError, faults, what="the file cannot be read", where="NGC2403_rotmod.dat"))
    the file cannot be read: 2 faults
      where: NGC2403_rotmod.dat
      found: line 4, column Vobs: not a number, found 'abc'
             line 9: out of range, found -1
    """
    n = len(faults) + more
    if n == 1:
        (fault,) = faults
        place = ", ".join(filter(None, (where, fault.where))) or None
        found = fault.found and _cut(fault.found, _LONGEST_VALUE)
        return kind(f"{what}: {fault.what}", where=place, found=found, expected=fault.expected, hint=hint)
    lines = [str(fault) for fault in faults[:_SHOWN]]
    if n > len(lines):
        lines.append(f"and {n - len(lines)} more")
    return kind(f"{what}: {n} faults", where=where, found="\n         ".join(lines), hint=hint)
