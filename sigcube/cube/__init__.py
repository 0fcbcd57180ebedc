"""The labelled cubes that readers make and models read.

A cube is an `xarray.Dataset` stored as Zarr v3, which a plain ``xarray.open_zarr`` opens too. What a kind of cube holds
is declared once, in `KINDS`; validation and documentation derive from that.
"""

from sigcube.cube.inspection import Counts, Range, SampleCounts, Summary, count_cube, inspect_cube, summarise
from sigcube.cube.kinds import KINDS, kind_of
from sigcube.cube.schema import COUNT, Kind, Variable, fixed_width, flag_masks, unit_attrs
from sigcube.cube.selection import (
    Packed,
    Sample,
    Where,
    WholeSystems,
    describe_systems,
    pack,
    refuse_reshaped,
    sample_names,
    samples,
    select,
)
from sigcube.cube.storage import fingerprint, open_cube, save_cube
from sigcube.cube.validation import refuse_unusable, validate

__all__ = [
    "COUNT",
    "KINDS",
    "Counts",
    "Kind",
    "Packed",
    "Range",
    "Sample",
    "SampleCounts",
    "Summary",
    "Variable",
    "Where",
    "WholeSystems",
    "count_cube",
    "describe_systems",
    "fingerprint",
    "fixed_width",
    "flag_masks",
    "inspect_cube",
    "kind_of",
    "open_cube",
    "pack",
    "refuse_reshaped",
    "refuse_unusable",
    "sample_names",
    "samples",
    "save_cube",
    "select",
    "summarise",
    "unit_attrs",
    "validate",
]
