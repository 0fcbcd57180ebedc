"""The exceptions of sigcube, grouped by what a caller would do about them.

::

    SigcubeError
    ├── DataError          a raw file or a cube is not what its recipe or schema says
    │   └── FetchError     a download failed or did not match its checksum
    ├── SpecError          a recipe, sweep, axis, label or parameter is misspelt or out of range
    ├── StoreError         a result store cannot be written or read
    │   ├── StoreInUse     another process is writing it
    │   └── StoreMismatch  it was written by another spec, cube or kernel
    └── ClusterError       the Dask cluster is not reachable or was lost
"""

from collections.abc import Iterable
from difflib import get_close_matches

__all__ = [
    "ClusterError",
    "DataError",
    "FetchError",
    "SigcubeError",
    "SpecError",
    "StoreError",
    "StoreInUse",
    "StoreMismatch",
    "did_you_mean",
]


class SigcubeError(Exception):
    """Base of every error that sigcube raises on purpose.

    Parameters
    ----------
    what : str
        One sentence that says what is wrong.
    where : str, optional
        File, table row, spec key or store it was found in.
    found, expected : str, optional
        The value met, and what would have been right.
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
        self.what = what
        self.where = where
        self.found = found
        self.expected = expected
        self.hint = hint
        super().__init__(what)

    def __str__(self) -> str:
        parts = [
            ("where", self.where),
            ("found", self.found),
            ("expected", self.expected),
            ("do", self.hint),
        ]
        return "\n".join([self.what, *(f"  {label}: {text}" for label, text in parts if text is not None)])

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (type(self), self.what, self.where, self.found, self.expected, self.hint))


class DataError(SigcubeError, ValueError):
    """A raw file or a cube is not what its recipe or schema says."""


class FetchError(DataError):
    """A download failed, or what arrived did not match its checksum."""


class SpecError(SigcubeError, ValueError):
    """A recipe, sweep, axis, label or parameter is misspelt or out of range."""


class StoreError(SigcubeError):
    """A result store cannot be written or read."""


class StoreInUse(StoreError):
    """Another process holds the store's lock."""


class StoreMismatch(StoreError):
    """The store was written by another spec, cube or kernel."""


class ClusterError(SigcubeError):
    """The Dask cluster is not reachable, or was lost while in use."""


def _rebuild(
    kind: type[SigcubeError],
    what: str,
    where: str | None,
    found: str | None,
    expected: str | None,
    hint: str | None,
) -> SigcubeError:
    return kind(what, where=where, found=found, expected=expected, hint=hint)


def did_you_mean(name: str, valid: Iterable[str]) -> str:
    """Name the nearest valid spelling, and list all of them.

    Examples
    --------
    >>> did_you_mean("windw", ["window", "amplitude"])
    "did you mean 'window'? valid: amplitude, window"
    >>> did_you_mean("q", ["window", "amplitude"])
    'valid: amplitude, window'
    """
    names = sorted(valid)
    near = get_close_matches(name, names, n=1)
    listing = f"valid: {', '.join(names) or 'none'}"
    return f"did you mean {near[0]!r}? {listing}" if near else listing
