"""Files as readers open them: unpacked on the way, and with one clear error for whatever a library says of them."""

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

__all__ = ["guarded", "opened", "unpacked", "unreadable"]

_PACKED = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\x00": lzma.open}


def opened(path: Path) -> Any:
    """Open a file for reading bytes; one packed by gzip, bzip2 or xz is unpacked as it is read."""
    opener = _packing(path)
    return opener(path, "rb") if opener else path.open("rb")


@contextmanager
def unpacked(path: Path) -> Iterator[Path]:
    """Give a file that libraries can map into memory: itself, or for a packed one a copy in a folder of its own."""
    if _packing(path) is None:
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="sigcube-") as folder:
        copy = Path(folder) / path.stem
        with guarded(path), opened(path) as packed, copy.open("wb") as plain:
            shutil.copyfileobj(packed, plain, 1 << 22)
        yield copy


def _packing(path: Path) -> Any:
    with path.open("rb") as file:
        start = file.read(8)
    return next((opener for magic, opener in _PACKED.items() if start.startswith(magic)), None)


@contextmanager
def guarded(path: Path) -> Iterator[None]:
    """Tell whatever a library raises about a file as a fault of the file."""
    try:
        yield
    except SigcubeError:
        raise
    except Exception as error:
        said = " ".join(str(error).split()) or "nothing more"
        unopened = isinstance(error, OSError) and error.errno is not None
        what = "the file cannot be opened" if unopened else "the file is truncated or damaged"
        fault = Fault(what, found=f"{type(error).__name__}: {said[:300]}")
        raise unreadable(path, [fault]) from error


def unreadable(path: Path, faults: Sequence[Fault], *, more: int = 0) -> DataError:
    """Make the error of a table that cannot be read; ``more`` faults are counted, not told."""
    return error_from(DataError, faults, what="the table cannot be read", where=str(path), more=more)
