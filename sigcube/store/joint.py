"""The folder of a joint result: a Zarr group that names its datasets, and a result store for each.

The group repeats the metadata of the stores, so that plain `xarray.open_datatree` opens all of them. What they are is
said by their own: `open_joint` reads those.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import xarray as xr

from sigcube.cube.storage import refuse_other_store, store_at
from sigcube.errors import StoreError, StoreMismatch
from sigcube.files import make_folder, path_of, write_file, write_folder
from sigcube.store.faults import disk_fault
from sigcube.store.result import open_result

__all__ = ["open_joint", "open_or_create_joint", "refresh_joint", "results_in"]


def open_or_create_joint(path: Path, *, names: Sequence[str], title: str | None) -> None:
    """Make the folder of a joint result, or add datasets to those that it names.

    Raises
    ------
    StoreMismatch
        It names a dataset that is not wanted.
    SpecError
        There is something else at the path.
    StoreError
        The disk is full or gone.
    """
    try:
        if not path.exists():
            with write_folder(path) as draft:
                make_folder(draft)
                write_file(draft / "zarr.json", _root(draft, names, title))
            return
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
    except OSError as error:
        raise disk_fault(error, path) from error


def refresh_joint(path: Path, *, names: Sequence[str], title: str | None) -> None:
    """Repeat in the group what the stores of the datasets say of themselves by now.

    Raises
    ------
    StoreError
        The disk is full or gone.
    """
    try:
        content = _root(path, names, title)
        if (path / "zarr.json").read_bytes() != content:
            write_file(path / "zarr.json", content)
    except OSError as error:
        raise disk_fault(error, path) from error


def _root(path: Path, names: Sequence[str], title: str | None) -> bytes:
    """Return the metadata of the group, and of all that its stores hold."""
    attrs = {"kind": "joint", "datasets": list(names), **({"title": title} if title else {})}
    nodes: dict[str, Any] = {}
    for name in names:
        file = path / name / "zarr.json"
        if file.is_file():
            own = json.loads(file.read_bytes())
            held = own.pop("consolidated_metadata", {}).get("metadata", {})
            nodes |= {name: own, **{f"{name}/{key}": each for key, each in held.items()}}
    group = {"zarr_format": 3, "node_type": "group", "attributes": attrs}
    inline = {"kind": "inline", "must_understand": False, "metadata": nodes}
    return json.dumps({**group, "consolidated_metadata": inline}, indent=2).encode()


def _names(path: Path) -> list[str]:
    """Return the datasets that the folder of a joint result names."""
    refuse_other_store(path, "joint")
    try:
        names = json.loads((path / "zarr.json").read_bytes())["attributes"]["datasets"]
        if not all(isinstance(name, str) and name.isidentifier() for name in names):
            raise TypeError
        return list(names)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StoreError(
            "the joint result is damaged", where=str(path / "zarr.json"), hint="restore it from a copy"
        ) from error


def results_in(path: str | Path) -> dict[str, Path]:
    """Return the results at a path: of a joint one each dataset's by its name, else itself by an empty name.

    Whether they are there is for those who open them to see.
    """
    store = path_of(path, what="a result")
    return {name: store / name for name in _names(store)} if store_at(store) == "joint" else {"": store}


def open_joint(path: str | Path) -> xr.DataTree:
    """Open a joint result, finished or still being written.

    Parameters
    ----------
    path : path
        The folder of the joint result.

    Returns
    -------
    DataTree
        A group for each dataset that is begun, as `sigcube.open_result` opens it: ``tree["sparc/rms_mean"]``.

    Raises
    ------
    SpecError
        For a path at which there is no joint result.
    StoreError
        When a part of it is damaged.
    """
    folder = path_of(path, what="a joint result")
    leaves = {name: open_result(folder / name) for name in _names(folder) if (folder / name).exists()}
    attrs: dict[str, Any] = json.loads((folder / "zarr.json").read_bytes())["attributes"]
    return xr.DataTree.from_dict({"/": xr.Dataset(attrs=attrs), **leaves})
