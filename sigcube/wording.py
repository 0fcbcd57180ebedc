"""Numbers, times and errors as text for people: with units, in few digits."""

from collections.abc import Sequence
from textwrap import shorten
from typing import TYPE_CHECKING, Any

import numpy as np

from sigcube.errors import SigcubeError

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["amount", "count", "duration", "heading", "in_one_line", "listed", "number", "plural", "pretty_unit", "size"]


def count(value: float) -> str:
    """Format a count with three digits and a prefix.

    Examples
    --------
    >>> count(171), count(3373), count(1_640_000), count(5.53e9)
    ('171', '3,373', '1.64 M', '5.53 G')
    >>> count(999_999_999.9)
    '1 G'
    """
    rounded = float(f"{value:.3g}")
    for prefix, unit in (("T", 1e12), ("G", 1e9), ("M", 1e6)):
        if rounded >= unit:
            return f"{rounded / unit:g} {prefix}"
    return f"{value:,.0f}"


def size(n_bytes: float) -> str:
    """Format a number of bytes.

    Examples
    --------
    >>> size(950), size(2_200_000_000)
    ('950 B', '2.2 GB')
    """
    rounded = float(f"{n_bytes:.3g}")
    for unit, scale in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if rounded >= scale:
            return f"{rounded / scale:g} {unit}"
    return f"{n_bytes:.0f} B"


def duration(seconds: float) -> str:
    """Format a time span.

    Examples
    --------
    >>> duration(0.042), duration(4.24), duration(75), duration(9000)
    ('0.042 s', '4.2 s', '1 min 15 s', '2 h 30 min')
    """
    if seconds < 60:
        return f"{seconds:.2g} s" if seconds < 9.95 else f"{seconds:.0f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def number(value: Any) -> str:
    """Format a value of a parameter or a metric with four digits; labels stay as they are.

    Examples
    --------
    >>> number(1.17248), number(9.599e-11), number("geometric"), number(17.0)
    ('1.172', '9.599e-11', 'geometric', '17')
    """
    return f"{value:.4g}" if isinstance(value, float | int | np.number) else str(value)


def amount(value: Any) -> str:
    """Format what an answer found with four digits; from a thousand on with one decimal, as differences of ln L need.

    Examples
    --------
    >>> amount(17.17248), amount(-17317.894), amount(2639.0), amount(2.595e11), amount("any")
    ('17.17', '-17317.9', '2639', '2.595e+11', 'any')
    """
    if isinstance(value, float | np.floating) and 1e3 <= abs(float(value)) < 1e7:
        return f"{value:.1f}".removesuffix(".0")
    return number(value)


def in_one_line(error: SigcubeError) -> str:
    """Format an error as one line of bounded length: what is wrong, and where."""
    parts = (error.what, error.where and f"in {error.where}", error.found and f"found {error.found}")
    return shorten("; ".join(part for part in parts if part), width=240, placeholder=" …")


def listed(names: Sequence[str]) -> str:
    """Name the first five, and count the others.

    Examples
    --------
    >>> listed(["a", "b"]), listed("abcdefg")
    ('a, b', 'a, b, c, d, e and 2 more')
    """
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def plural(number: int, noun: str) -> str:
    """Format a number with its noun.

    Examples
    --------
    >>> plural(1, "galaxy"), plural(2, "galaxy"), plural(1200, "star")
    ('1 galaxy', '2 galaxies', '1,200 stars')
    """
    ending = noun if number == 1 else f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
    return f"{number:,} {ending}"


def pretty_unit(unit: str) -> str:
    """Write a unit as in print.

    Examples
    --------
    >>> pretty_unit("m/s2"), pretty_unit("solLum/pc2"), pretty_unit("")
    ('m/s²', 'L☉/pc²', '')
    """
    for plain, printed in (("solLum", "L☉"), ("solMass", "M☉"), ("Msun", "M☉"), ("2", "²"), ("3", "³")):
        unit = unit.replace(plain, printed)
    return unit


def heading(name: str, *sources: "xr.Dataset") -> str:
    """Return the name of a variable with the unit of the first dataset that says one.

    Examples
    --------
    >>> import xarray as xr
    >>> heading("r", xr.Dataset({"r": ((), 1.0, {"units": "kpc"})})), heading("rank")
    ('r [kpc]', 'rank')
    """
    units = (each[name].attrs.get("units") for each in sources if name in each)
    unit = next(filter(None, units), "")
    return f"{name} [{pretty_unit(unit)}]" if unit else name
