"""Small tables in every format that readers know, written as other programs write them."""

import bz2
import gzip
import lzma
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from astropy.table import Table as AstropyTable

from sigcube.readers.formats import Column

__all__ = ["FORMATS", "columns", "packed", "write_csv", "write_table"]

FORMATS = ("csv", "tsv", "ecsv", "fits", "votable", "parquet")
_SUFFIX = {"votable": ".vot"}


def write_table(folder: Path, form: str, table: AstropyTable, *, name: str = "t") -> Path:
    """Write a table; a CSV or TSV file loses the units."""
    path = folder / f"{name}{_SUFFIX.get(form, '.' + form)}"
    astropy_form = {"csv": "ascii.csv", "tsv": "ascii.tab", "ecsv": "ascii.ecsv"}.get(form, form)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        table.write(path, format=astropy_form, overwrite=True)
    return path


def write_csv(folder: Path, text: str | bytes, *, name: str = "t.csv") -> Path:
    """Write a file exactly as given."""
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def packed(path: Path, suffix: str) -> Path:
    """Pack a file beside itself."""
    pack: dict[str, Callable[[bytes], bytes]] = {".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress}
    target = path.with_name(path.name + suffix)
    target.write_bytes(pack[suffix](path.read_bytes()))
    return target


def columns(*given: Sequence[Any] | str, **more: Mapping[str, Any]) -> tuple[Column, ...]:
    """Make columns from (label, variable, unit) or (label, variable), with further keys by variable."""
    made = []
    for label, variable, *unit in given:
        keys = {"label": label, "variable": variable, **({"unit": unit[0]} if unit else {})}
        made.append(Column.model_validate(keys | dict(more.get(variable, {}))))
    return tuple(made)
