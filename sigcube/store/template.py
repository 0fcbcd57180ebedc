"""The layout of a result store, and the template that a run starts from.

::

    result.zarr/
      zarr.json        attributes, and the metadata of all below, so that one read opens it
      <variable>/      result arrays, made empty by the driver and filled block by block by the workers
      journal/         inputs.npz, the packed points that the sweep saw; blocks.jsonl, the lock, and what an extension
                       adds, of which `sigcube.store.journal`, `lock` and `extension` tell
"""

import json
import os
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
import xxhash
import zarr
from zarr.codecs import BloscCodec

from sigcube.chunks import Region
from sigcube.cube import Packed, WholeSystems
from sigcube.cube.storage import consolidate, made_in_memory
from sigcube.errors import StoreError, StoreExists
from sigcube.files import make_folder, write_file, write_folder
from sigcube.plan.plan import Plan
from sigcube.plan.spec import spec_to_record
from sigcube.plan.values import ResultVariable
from sigcube.store.faults import disk_fault, refuse_unreadable
from sigcube.store.journal import read_header, write_header
from sigcube.store.journal_lines import Header

__all__ = [
    "STATUS",
    "StoreLayout",
    "build",
    "create",
    "damaged_files",
    "journal_folder",
    "read_attrs",
    "read_inputs",
    "read_layout",
    "read_properties",
    "restore_files",
    "stamp",
]

STATUS = "status"
"""Name of the array with the status of each grid point."""

_INPUTS = "inputs.npz"


@dataclass(frozen=True)
class StoreLayout:
    """The layout of a store, for those who write to it.

    Attributes
    ----------
    dims : tuple of str
        The grid's dimensions, in the order of a block's regions.
    arrays : Mapping
        The dimensions of each result array.
    stages : tuple of Region
        The stages of the plan, if the store was extended.
    spec : Mapping
        The record of the spec with its axes as stored, if the store was extended.
    """

    dims: tuple[str, ...]
    arrays: Mapping[str, tuple[str, ...]]
    stages: tuple[Region, ...] = ()
    spec: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def ends(self) -> dict[str, set[int]]:
        """The indices at which stages begin or end along each dimension."""
        regions = (dict(zip(self.dims, stage, strict=True)) for stage in self.stages)
        found: dict[str, set[int]] = {dim: set() for dim in self.dims}
        for dim, part in chain.from_iterable(region.items() for region in regions):
            found[dim] |= {part.start, part.stop}
        return found


def create(path: str | os.PathLike[str], *, plan: Plan, inputs: Packed) -> None:
    """Make an empty result store for a plan, with the points that the sweep sees; it appears whole or not at all.

    Raises
    ------
    StoreExists
        There is something at `path` already.
    StoreError
        The disk is full or gone.
    """
    target = Path(path)
    try:
        with write_folder(target) as draft:
            build(draft, plan, inputs)
    except FileExistsError as error:
        # The store, or a file among the folders above it.
        what, hint = "there is something at this path already", "choose another path, or remove it"
        raise StoreExists(what, where=str(error.filename or target), hint=hint) from error
    except OSError as error:
        raise disk_fault(error, target) from error


def journal_folder(path: str | os.PathLike[str]) -> Path:
    """Name the folder of the journal and the lock."""
    return Path(path) / "journal"


def stamp(path: str | os.PathLike[str]) -> tuple[int, int]:
    """Return what tells a store from a later one at the same path, for caches of open handles."""
    status = os.stat(Path(path) / "zarr.json")
    return status.st_ino, status.st_mtime_ns


def read_attrs(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read the attributes of a store."""
    return dict(zarr.open_group(str(path), mode="r").attrs)


def read_inputs(path: str | os.PathLike[str]) -> Packed:
    """Read the packed points that the sweep sees."""
    with _open_inputs(path) as held:
        columns: dict[str, dict[str, Any]] = {"points": {}, "per_system": {}, "whole": {}}
        for key in sorted(held):
            group, _, name = key.partition("/")
            if group in columns:
                columns[group][name] = held[key]
        systems = tuple(str(name) for name in held["systems"])
        whole = columns.pop("whole")
        narrowed = WholeSystems(held["whole_offsets"], whole) if "whole_offsets" in held else None
        return Packed(systems, held["offsets"], **columns, properties=_properties(held), narrowed_from=narrowed)


def read_properties(path: str | os.PathLike[str]) -> dict[str, xr.Variable]:
    """Read the properties of the systems whose values are kept."""
    with _open_inputs(path) as held:
        return _properties(held)


def _open_inputs(path: str | os.PathLike[str]) -> Any:
    return np.load(journal_folder(path) / _INPUTS, allow_pickle=False)


def _properties(held: Mapping[str, Any]) -> dict[str, xr.Variable]:
    about = json.loads(held["about"].item()) if "about" in held else {}
    return {name: xr.Variable(data=held[f"properties/{name}"], **each) for name, each in about.items()}


def read_layout(path: str | os.PathLike[str]) -> StoreLayout:
    """Read the layout of a store."""
    attrs: Mapping[str, Any] = zarr.open_group(str(path), path="journal", mode="r").attrs.asdict()
    return StoreLayout(
        dims=tuple(attrs["dims"]),
        arrays={name: tuple(dims) for name, dims in attrs["arrays"].items()},
        stages=tuple(tuple(slice(*ends) for ends in stage) for stage in attrs.get("stages", ())),
        spec=attrs.get("spec", {}),
    )


def damaged_files(path: str | os.PathLike[str], files: Mapping[str, str]) -> dict[str, str]:
    """Compare the files of a store's template with their digests; return what is wrong with each damaged one.

    Raises
    ------
    StoreError
        The system does not let one be read, which says nothing about what it holds.
    """
    found = {}
    for name, digest in files.items():
        try:
            if _digest(Path(path, name)) != digest:
                found[name] = "differs from what was written"
        except FileNotFoundError:
            found[name] = "is missing"
        except OSError as error:
            refuse_unreadable(error, Path(path, name))
            found[name] = f"cannot be read: {error}"
    return found


def place_of(path: str | os.PathLike[str], name: str) -> Path:
    """Return the path of a file of a store's template, for writing or removing it.

    Raises
    ------
    StoreError
        A folder on the way is a link out of the store, where files of others lie.
    """
    store = Path(path)
    place = store / name
    if not place.parent.resolve().is_relative_to(store.resolve()):
        raise StoreError(
            "a folder of the store leads out of it",
            where=str(place),
            found=f"a link to {place.parent.resolve()}",
            hint="do not use a store that somebody made so",
        )
    return place


def restore_files(path: str | os.PathLike[str], names: Iterable[str], *, plan: Plan, inputs: Packed) -> None:
    """Restore files of a store's template from the plan; the lock of the store must be held.

    Raises
    ------
    StoreError
        The plan no longer gives the same file, or the disk is full.
    """
    wanted = read_header(journal_folder(path)).files
    with tempfile.TemporaryDirectory(prefix="sigcube-") as scratch:
        draft = Path(scratch, "draft")
        build(draft, plan, inputs)
        for name in names:
            if _digest(draft / name) != wanted[name]:
                raise StoreError(
                    "a file of the store is missing, and cannot be made again as it was",
                    where=str(Path(path, name)),
                    hint="restore it from a copy, or move the store away and run the sweep again",
                )
            try:
                place = place_of(path, name)
                make_folder(place.parent)
                write_file(place, (draft / name).read_bytes())
            except OSError as error:
                raise disk_fault(error, Path(path)) from error


def build(draft: Path, plan: Plan, inputs: Packed) -> None:
    """Make an empty store in a place where nothing else looks yet."""
    template = xr.Dataset(coords=plan.coords, attrs=plan.attrs)
    # Labels become Zarr's own strings: NumPy's fixed-width text has no stable specification in Zarr v3.
    labels = {name: each.astype(object) for name, each in template.coords.items() if each.dtype.kind == "U"}
    layout: dict[str, Any] = {
        "dims": list(plan.dims),
        "arrays": {each.name: list(each.dims) for each in plan.variables},
    }
    if plan.asked is not plan.spec:
        layout["stages"] = [[[part.start, part.stop] for part in stage] for stage in plan.stages]
        layout["spec"] = spec_to_record(plan.spec)
    with made_in_memory(draft) as store:
        template.assign_coords(labels).to_zarr(store, mode="w-", consolidated=False, zarr_format=3)
        root = zarr.open_group(store, mode="r+", use_consolidated=False)
        for variable in plan.variables:
            _create_array(root, variable)
        root.create_group("journal", attributes=layout)
        consolidate(store)
    columns = {
        f"{group}/{key}": each for group in ("points", "per_system") for key, each in getattr(inputs, group).items()
    }
    if (whole := inputs.narrowed_from) is not None:
        columns |= {"whole_offsets": whole.offsets, **{f"whole/{key}": each for key, each in whole.points.items()}}
    kept = {dim for variable in plan.variables for dim in variable.dims}
    properties = {name: each for name, each in inputs.properties.items() if each.dims[0] in kept}
    about = {name: {"dims": each.dims, "attrs": each.attrs} for name, each in properties.items()}
    columns |= {f"properties/{name}": each.values for name, each in properties.items()}
    # One file: as Zarr arrays they would take half of a sweep's starting time.
    systems = np.array(inputs.systems, dtype=np.str_)
    np.savez(
        journal_folder(draft) / _INPUTS,
        systems=systems,
        offsets=inputs.offsets,
        about=np.array(json.dumps(about)),
        **columns,
    )
    header = Header(
        identity=plan.identity,
        block_points=plan.block_sizes,
        data_points=int(inputs.offsets[-1]),
        files={
            each.relative_to(draft).as_posix(): _digest(each) for each in sorted(draft.rglob("*")) if each.is_file()
        },
    )
    write_header(journal_folder(draft), header)


def _digest(file: Path) -> str:
    return xxhash.xxh3_128_hexdigest(file.read_bytes())


def _create_array(root: zarr.Group, variable: ResultVariable) -> None:
    dtype = np.dtype(variable.dtype)
    root.create_array(
        variable.name,
        shape=variable.shape,
        chunks=variable.chunks,
        # Keep all chunks in the array's folder: each new folder would have to be synced as well.
        chunk_key_encoding={"name": "default", "separator": "."},
        dtype=dtype,
        fill_value=np.nan if dtype.kind == "f" else 0,
        # lz4 costs least, at 2 GB/s per core: a higher level saves 4 % in size; zstd saves nothing at half the speed.
        # Smooth values shuffled in blocks of the cache's size are slightly smaller than in the library's own blocks,
        # and no slower.
        compressors=BloscCodec(cname="lz4", clevel=1, shuffle="shuffle", typesize=dtype.itemsize, blocksize=2**17)
        if variable.compressed
        else None,
        dimension_names=variable.dims,
        attributes=dict(variable.attrs),
    )
