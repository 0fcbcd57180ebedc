"""The folder of a joint result: a Zarr group that names its datasets, and a result store for each.

The group repeats the metadata of the stores, so that plain `xarray.open_datatree` opens all of them. Each store's own
metadata is what counts, and what `open_joint` reads.
"""

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import xarray as xr

from sigcube.cube.storage import refuse_other_store, store_at
from sigcube.errors import StoreError, StoreInUse, StoreMismatch
from sigcube.files import make_folder, path_of, write_file, write_folder
from sigcube.store.faults import disk_fault
from sigcube.store.lock import Lock
from sigcube.store.result import open_result
from sigcube.store.template import journal_folder

__all__ = ["open_joint", "open_or_create_joint", "refresh_joint", "results_in"]

# Seconds to wait while another run writes the list, which takes some hundredths of a second.
_PATIENCE = 30.0


def open_or_create_joint(path: Path, *, names: Sequence[str], title: str | None) -> None:
    """Make the folder of a joint result, or add datasets to it.

    Raises
    ------
    StoreMismatch
        It has a dataset that is not wanted.
    SpecError
        The path holds something else.
    StoreError
        It is damaged; or the disk is full or gone.
    """
    try:
        if not path.exists():
            # Another run may make it at the same moment: then that one's names count.
            with suppress(FileExistsError), write_folder(path) as draft:
                make_folder(draft)
                write_file(draft / "zarr.json", _root(draft, names, title))
                return
    except OSError as error:
        raise disk_fault(error, path) from error
    there = _names(path)
    if lost := [name for name in there if name not in names]:
        raise StoreMismatch(
            f"the joint result holds a dataset that the sweep has not: {lost[0]}",
            where=str(path),
            found=", ".join(there),
            expected=", ".join(names),
            hint="write to another path, or name it in the sweep",
        )
    refresh_joint(path, names=names, title=title)


def refresh_joint(path: Path, *, names: Sequence[str], title: str | None) -> None:
    """Add datasets to the group's list, and update its copy of their stores' metadata.

    Raises
    ------
    StoreError
        It is damaged, the disk is full or gone, or another run holds it for too long.
    """
    try:
        if _is_fresh(path, names, title):
            return
        with _locked(path):
            if not _is_fresh(path, names, title):
                write_file(path / "zarr.json", _root(path, _all_names(path, names), title))
    except OSError as error:
        raise disk_fault(error, path) from error


def _is_fresh(path: Path, names: Sequence[str], title: str | None) -> bool:
    return (path / "zarr.json").read_bytes() == _root(path, _all_names(path, names), title)


def _all_names(path: Path, names: Sequence[str]) -> list[str]:
    """Return the datasets of the group, then the others: a parallel run may have added some."""
    return list(dict.fromkeys([*_names(path), *names]))


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold the lock of the group's list; each dataset's store has its own lock."""
    folder = journal_folder(path)
    make_folder(folder)
    until = time.monotonic() + _PATIENCE
    while True:
        try:
            lock = Lock(folder)
        except StoreInUse:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)
        else:
            break
    with lock:
        yield


def _root(path: Path, names: Sequence[str], title: str | None) -> bytes:
    """Return the metadata of the group, and of all that its stores hold."""
    attrs = {"kind": "joint", "datasets": list(names), **({"title": title} if title else {})}
    nodes: dict[str, Any] = {}
    for name in names:
        nodes |= _nodes(path, name)
    group = {"zarr_format": 3, "node_type": "group", "attributes": attrs}
    inline = {"kind": "inline", "must_understand": False, "metadata": nodes}
    return json.dumps({**group, "consolidated_metadata": inline}, indent=2).encode()


def _nodes(path: Path, name: str) -> dict[str, Any]:
    """Return the metadata of a dataset's store and its arrays; empty if it is missing or damaged.

    Readers of that store report the damage, and its repair must not fail here.
    """
    try:
        own = json.loads((path / name / "zarr.json").read_bytes())
        held = own.pop("consolidated_metadata")["metadata"]
        nodes = {name: own, **{f"{name}/{key}": each for key, each in held.items()}}
        if any(each["zarr_format"] != 3 or each["node_type"] not in ("group", "array") for each in nodes.values()):
            return {}
        # Deep nesting can be read but not written, least of all within more nesting.
        json.dumps([[[nodes]]], indent=2)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}
    return nodes


def _attrs(path: Path) -> dict[str, Any]:
    """Return the attributes of a joint result; its ``datasets`` are a list of names."""
    refuse_other_store(path, "joint")
    try:
        attrs: dict[str, Any] = json.loads((path / "zarr.json").read_bytes())["attributes"]
        names = attrs["datasets"]
        if not isinstance(names, list) or not all(isinstance(name, str) and name.isidentifier() for name in names):
            raise TypeError
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise StoreError(
            "the joint result is damaged", where=str(path / "zarr.json"), hint="restore it from a copy"
        ) from error
    return attrs


def _names(path: Path) -> list[str]:
    """Return the datasets that the folder of a joint result names."""
    names: list[str] = _attrs(path)["datasets"]
    return names


def results_in(path: str | Path) -> dict[str, Path]:
    """Return the results at a path: those of a joint result by dataset, else the path itself by an empty name.

    Whether they exist shows when they are opened.

    Raises
    ------
    StoreError
        The path holds a damaged joint result.
    """
    store = path_of(path, what="a result")
    return {name: store / name for name in _names(store)} if _looks_joint(store) else {"": store}


def _looks_joint(store: Path) -> bool:
    """Whether this is a joint result, or what is left of one: no other store contains results."""
    if there := store_at(store):
        return there == "joint"
    return (store / "zarr.json").is_file() and any(store_at(each) == "result" for each in store.iterdir())


def open_joint(path: str | Path) -> xr.DataTree:
    """Open a joint result, finished or still being written.

    Parameters
    ----------
    path : path
        The folder of the joint result.

    Returns
    -------
    DataTree
        A group for each dataset whose sweep has begun, as `sigcube.open_result` opens it: ``tree["sparc/rms_mean"]``.

    Raises
    ------
    SpecError
        There is something else at the path.
    StoreError
        There is nothing, or a part of it is damaged.
    """
    folder = path_of(path, what="a joint result")
    attrs = _attrs(folder)
    leaves = {name: open_result(folder / name) for name in attrs["datasets"] if (folder / name).exists()}
    return xr.DataTree.from_dict({"/": xr.Dataset(attrs=attrs), **leaves})
