"""Opens raw files, compressed or not, and turns whatever a library raises about one into one clear error."""

import bz2
import gzip
import lzma
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sigcube.errors import DataError, Fault, SigcubeError, error_from

__all__ = ["decompressed", "guarded", "opened", "unreadable"]

_OPENERS: dict[bytes, Any] = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\x00": lzma.open}


def opened(path: Path) -> Any:
    """Open a file for reading bytes; one compressed by gzip, bzip2 or xz is decompressed as it is read."""
    opener = _opener(path)
    return opener(path, "rb") if opener else path.open("rb")


@contextmanager
def decompressed(path: Path) -> Iterator[Path]:
    """Give a file that can be mapped into memory: the file itself, or a temporary copy if it is compressed."""
    if _opener(path) is None:
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="sigcube-") as folder:
        copy = Path(folder) / path.stem
        with guarded(path), opened(path) as packed, copy.open("wb") as plain:
            shutil.copyfileobj(packed, plain, 1 << 22)
        yield copy


def _opener(path: Path) -> Any:
    with path.open("rb") as file:
        start = file.read(8)
    return next((opener for magic, opener in _OPENERS.items() if start.startswith(magic)), None)


@contextmanager
def guarded(path: Path) -> Iterator[None]:
    """Turn whatever a library raises about a file into a `DataError`."""
    try:
        yield
    except SigcubeError:
        raise
    except Exception as error:
        said = " ".join(str(error).split()) or "nothing more"
        unopened = isinstance(error, OSError) and error.errno is not None
        what = "the file cannot be opened" if unopened else "the file is truncated or damaged"
        raise unreadable(path, [Fault(what, found=f"{type(error).__name__}: {said[:300]}")]) from error


def unreadable(path: Path, faults: Sequence[Fault], *, more: int = 0) -> DataError:
    """Return the error of a table that cannot be read; ``more`` faults are counted only."""
    return error_from(DataError, faults, what="the table cannot be read", where=str(path), more=more)
