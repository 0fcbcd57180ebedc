"""Opens raw files, compressed or not, and turns whatever a library raises about one into one clear error."""

import bz2
import gzip
import io
import lzma
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sigcube.errors import DataError, Fault, SigcubeError, error_from

__all__ = ["MOST_WHOLE", "decompressed", "guarded", "opened", "read_whole", "unreadable"]

MOST_WHOLE = 2**28
"""Bytes of a file that is read as a whole, unpacked: its rows take ten times as much memory."""

# Tables of measurements unpack to some ten times their size. What unpacks to more than this fills a disk on purpose.
_MOST_RATIO = 200
_ALWAYS = 2**26

_UNREADABLE = "the table cannot be read"
_OPENERS: dict[bytes, Any] = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\x00": lzma.open}


def opened(path: Path, *, most: int | None = None) -> Any:
    """Open a file for reading bytes; one compressed by gzip, bzip2 or xz is decompressed as it is read.

    Reading more than `most` bytes, or more than a table of that size unpacks to, raises `DataError`.
    """
    if (opener := _opener(path)) is None:
        if most is not None and path.stat().st_size > most:
            raise _too_large(path, most)
        return path.open("rb")
    unpacked = max(_ALWAYS, _MOST_RATIO * path.stat().st_size)
    return io.BufferedReader(_Bounded(opener(path, "rb"), path, min(unpacked, most or unpacked)), 1 << 20)


def read_whole(path: Path) -> bytes:
    """Read a file, unpacked; one of more than `MOST_WHOLE` bytes raises `DataError`."""
    with guarded(path), opened(path, most=MOST_WHOLE) as file:
        content: bytes = file.read()
    return content


def _too_large(path: Path, most: int) -> DataError:
    what, hint = "the file is too large, or unpacks to too much", "a larger table can be read as CSV, FITS or Parquet"
    expected = f"at most {most} bytes"
    return error_from(DataError, [Fault(what, expected=expected)], what=_UNREADABLE, where=str(path), hint=hint)


class _Bounded(io.RawIOBase):
    """A stream that ends in an error if it goes on for too long."""

    def __init__(self, stream: Any, path: Path, most: int) -> None:
        self._stream, self._path, self._most = stream, path, most
        self._read = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._stream.read(len(buffer))
        buffer[: len(data)] = data
        self._read += len(data)
        if self._read > self._most:
            raise _too_large(self._path, self._most)
        return len(data)

    def close(self) -> None:
        self._stream.close()
        super().close()


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
    return error_from(DataError, faults, what=_UNREADABLE, where=str(path), more=more)
