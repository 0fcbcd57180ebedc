"""Plans: sections, tiles that cover the grid once, whole chunks, sizes, and what is refused before anything runs."""

import re
from dataclasses import replace
from itertools import pairwise
from math import ceil, prod
from typing import Any
from unittest import mock

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

import sigcube
from sigcube.errors import DataError, SpecError
from sigcube.kernels import KERNELS
from sigcube.model.graph import Variables
from sigcube.plan import layout
from sigcube.plan.checks import check_spec
from sigcube.plan.grid import linspace
from sigcube.plan.plan import Plan, make_plan
from sigcube.plan.sections import MOST_READINGS, make_sections, required_variables
from sigcube.plan.spec import make_spec
from sigcube.plan.values import MOST_BLOCKS
from sigcube.wording import listed
from tests.sweeping import planned

EVERYTHING = Variables(
    frozenset({"r", "v_obs", "e_v_obs", "v_gas", "v_disk", "v_bul"}),
    frozenset(
        {f"scale_length_{label}" for label in KERNELS["sigma"].choices[1].options}
        | {"f_bulge", "v_gas_max", "v_disk_max", "v_bul_max"}
    ),
)


def plan(*, n_systems: int = 3, n_points: int = 30, **spec: Any) -> Plan:
    """A plan without a cube."""
    made = make_spec(**{"kernel": "sigma", "kind": "galaxy", **spec})
    check_spec(made)
    return make_plan(
        made,
        make_sections(made, EVERYTHING),
        systems=[f"S{i}" for i in range(n_systems)],
        n_points=n_points,
    )


def required(**spec: Any) -> set[str]:
    made = plan(**spec)
    return set(required_variables(made.spec, made.sections))


# Sections

SECTIONS = [
    # no label: one
    ({"A": 2, "xi_scale": 3}, [("A", "xi_scale")], 6),
    # `none` has no ξ, and so no axis x
    ({"window": ["geometric", "none"], "xi_scale": 3, "A": 2}, [("xi_scale", "A"), ("A",)], 8),
    # ... and no scale length: its two places are one section
    ({"window": ["none", "geometric"], "scale_length": ["third_point", "disk_peak"], "A": 2}, [("A",)] * 3, 6),
    # constants reach everything
    ({"constants": ["paper", "codata"], "A": 2}, [("A",), ("A",)], 4),
    # σ_eff is felt by one window alone
    ({"window": ["local", "dynamical"], "sigma_eff": ["scaled", "unscaled"], "A": 2}, [("A",)] * 3, 6),
    # a label beside a number along one dimension settles both
    ({"window": ("case", ["none", "power"]), "k": ("case", [1.0, 2.0]), "A": 2}, [("A",), ("A",)], 4),
    # labels alone: a section is a point
    ({"window": ["none", "local"]}, [(), ()], 2),
    # baryons reach everything, too
    ({"upsilon_disk": 2, "window": ["none"]}, [("upsilon_disk",)], 2),
]


@pytest.mark.parametrize(("axes", "dims", "computed"), SECTIONS, ids=[str(i) for i in range(len(SECTIONS))])
def test_sections_compute_the_axes_they_use(axes: dict[str, Any], dims: list[tuple[str, ...]], computed: int) -> None:
    sized = {name: [0.1 * (i + 1) for i in range(v)] if isinstance(v, int) else v for name, v in axes.items()}
    made = plan(axes=sized)
    assert [tuple(d for d in made.dims if d in section.model.dims) for section in made.sections] == dims
    assert made.points_computed == computed
    assert made.evaluations == computed * 30


def test_the_reference_is_a_reading_of_its_own() -> None:
    made = plan(axes={"upsilon_disk": [0.3, 0.5], "A": [1.0, 2.0]}, reference={"kernel": "mond", "nu": "simple"})
    (section,) = made.sections
    assert section.reference is not None
    assert dict(section.reference.swept) == {"upsilon_disk": "upsilon_disk"}
    assert dict(section.reference.fixed)["a0"] == 1.2e-10
    assert section.reference.graph.targets == ("residual_sq",)


def test_inputs_are_the_variables_that_readings_name() -> None:
    assert required(axes={"window": ["none"], "A": [1.0]}) == {
        "v_gas",
        "v_disk",
        "v_bul",
        "r",
        "v_obs",
    }
    assert required(axes={"upsilon_disk": [1.0]}, kernel="newton", metrics=["chi2"]) == {
        "v_gas",
        "v_disk",
        "v_bul",
        "v_obs",
        "e_v_obs",
    }


# Tiles


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    """Grids with labels, with axes that some sections do not use, in any order, cut into tiles of any size."""
    labels = {"window": ["geometric", "none", "power"], "scale_length": ["third_point", "catalogue"]}
    axes: dict[str, Any] = {name: values for name, values in labels.items() if draw(st.booleans())}
    for name in ("xi_scale", "A", "g_ext"):
        axes[name] = [1e-12 * (i + 1) for i in range(draw(st.integers(1, 7)))]
    names = draw(st.permutations(list(axes)))
    sizes = {"_BLOCK_EVALUATIONS": draw(st.sampled_from([30, 300, 2**31])), "_SMALLEST_BLOCK_EVALUATIONS": 30}
    chunk = draw(st.sampled_from([12, 60, 2**20]))
    with mock.patch.multiple(layout, **sizes, _CHUNK_BYTES=chunk):
        return plan(axes={name: axes[name] for name in names}, keep=["galaxy"])


@pytest.mark.slow
@settings(max_examples=4 * settings.default.max_examples)
@given(made=plans())
def test_blocks_cover_the_grid_once_in_whole_chunks(made: Plan) -> None:
    written = np.zeros(made.spec.grid.shape, dtype=int)
    computed = 0
    for index, block in enumerate(made.blocks):
        assert block.index == index
        computed += block.size
        for region in block.regions:
            written[region] += 1
            for part, n, tile, used in zip(
                region, written.shape, made.layout.tile, made.used_dims(made.sections[block.section]), strict=True
            ):
                # From the start of a shard to the end of one, or of the grid.
                assert part.start % tile == 0
                assert part.stop % tile == 0 or part.stop == n
                assert used or part.stop - part.start in (1, n)
            for one, other in zip(block.shape, region, strict=True):
                assert one in (1, other.stop - other.start)
    assert np.all(written == 1)
    assert computed == made.points_computed


@given(made=plans(), data=st.data())
def test_the_sizes_of_all_blocks_are_those_of_each(made: Plan, data: st.DataObject) -> None:
    # The stages of a result that grew along one dimension, from any length.
    lengths = made.spec.grid.shape
    along = data.draw(st.integers(0, len(lengths) - 1))
    first = data.draw(st.integers(1, lengths[along]))
    cuts = sorted({0, first, lengths[along]})
    stages = tuple(
        tuple(slice(*cut) if i == along else slice(0, n) for i, n in enumerate(lengths)) for cut in pairwise(cuts)
    )
    grown = replace(made, stages=stages)
    assert grown.block_sizes == tuple(block.size for block in grown.blocks)
    assert grown.points_computed == sum(grown.block_sizes)
    assert grown.blocks.written.tolist() == [
        sum(prod(part.stop - part.start for part in region) for region in block.regions) for block in grown.blocks
    ]


@given(made=plans())
def test_chunks_are_tiles(made: Plan) -> None:
    for v in made.variables:
        assert v.chunks[-len(made.dims) :] == made.layout.tile
        assert v.n_chunks == prod(ceil(n / chunk) for n, chunk in zip(v.shape, v.chunks, strict=True))
        assert v.dims[-len(made.dims) :] == tuple(made.dims)
    assert made.bytes == sum(prod(v.shape) * np.dtype(v.dtype).itemsize for v in made.variables)
    assert made.files == sum(v.n_chunks for v in made.variables)


@given(made=plans())
def test_blocks_are_a_sequence(made: Plan) -> None:
    every = list(made.blocks)
    n = len(made.blocks)
    assert len(every) == n
    assert made.blocks[-1] == every[-1]
    assert list(made.blocks[: n // 2]) == every[: n // 2]
    assert list(made.blocks[::-1]) == every[::-1]
    assert [made.blocks[i] for i in range(n)] == every
    for beyond in (n, -n - 1):
        with pytest.raises(IndexError, match=str(beyond)):
            made.blocks[beyond]


def test_a_million_blocks_cost_nothing_to_hold() -> None:
    axes = {name: np.linspace(0.1, 1, 100).tolist() for name in ("A", "xi_scale", "coherence")}
    made = plan(axes=axes)
    made = replace(made, layout=replace(made.layout, tile=(1, 1, 1)))
    assert len(made.blocks) == 10**6
    assert made.blocks[123_456].tile == (slice(12, 13), slice(34, 35), slice(56, 57))


LAYOUTS = [
    # a small sweep is one block
    ({"A": 10, "xi_scale": 10}, 171, 3373, (10, 10)),
    # a million points of SPARC: by the size of what one block writes per variable, the outer axis split evenly
    ({"A": 1000, "xi_scale": 1000}, 171, 3373, None),
]


@pytest.mark.parametrize(("lengths", "n_systems", "n_points", "tile"), LAYOUTS)
def test_sizes_of_blocks(lengths: dict[str, int], n_systems: int, n_points: int, tile: tuple[int, ...] | None) -> None:
    axes = {name: np.linspace(0.1, 1, n).tolist() for name, n in lengths.items()}
    made = plan(axes=axes, n_systems=n_systems, n_points=n_points, keep=["galaxy"])
    assert tile is None or made.layout.tile == tile
    assert made.layout.tile[-1] == list(lengths.values())[-1]
    size = prod(made.layout.tile)
    assert size * n_systems * 4 <= layout._BLOCK_BYTES
    assert size * n_points <= max(layout._BLOCK_EVALUATIONS, n_points)


@pytest.mark.parametrize(
    ("axes", "compressed"),
    [
        ({"A": [1.0, 2.0], "xi_scale": [0.1, 0.2]}, False),  # each grid point has a value of its own
        ({"window": ["geometric", "power"], "k": [0.5, 1.0]}, True),  # that of geometric repeats along k
    ],
)
def test_what_repeats_is_compressed(axes: dict[str, list[Any]], compressed: bool) -> None:
    made = plan(axes=axes, keep=["galaxy"])
    assert {v.name: v.compressed for v in made.variables if v.name in ("rms", "rms_mean")} == {
        "rms": compressed,
        "rms_mean": True,
    }


# Variables


def test_variables_of_a_result() -> None:
    made = plan(
        axes={"A": [1.0, 2.0]}, metrics=["rms", "scatter_g"], reference="mond", keep=["galaxy"], dtype="float64"
    )
    assert {v.name: (v.dims, v.shape, v.dtype, v.attrs.get("units", "")) for v in made.variables} == {
        "rms": (("galaxy", "A"), (3, 2), "float64", "km/s"),
        "rms_mean": (("A",), (2,), "float64", "km/s"),
        "rms_median": (("A",), (2,), "float64", "km/s"),
        "scatter_g": (("A",), (2,), "float64", "dex"),
        "win_rate": (("A",), (2,), "float64", ""),
        "status": (("A",), (2,), "uint8", ""),
    }
    bare = plan(axes={"A": [1.0]}, metrics=["rms"])
    assert [v.name for v in bare.variables] == ["rms_mean", "rms_median", "status"]


# Refusals

REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"axes": {"AA": [1.0]}}, "sigma has no parameter or choice 'AA'\n  where: axes\n  do: did you mean 'A'?"),
    ({"fixed": {"windw": "none"}}, "sigma has no parameter or choice 'windw'\n  where: fixed"),
    ({"fixed": {"A": 1.0}}, "'A' is both an axis and held fixed\n  where: fixed"),
    ({"axes": {"A": ["x"]}}, "parameter 'A' takes numbers\n  where: axes.A\n  found: 'x'"),
    ({"axes": {"window": [1.0]}}, "choice 'window' takes labels\n  where: axes.window\n  found: 1.0"),
    (
        {"axes": {"window": ["nne"], "A": [1.0]}},
        "sigma has no window 'nne'\n  where: window\n  found: 'nne'\n  do: did you mean 'none'?",
    ),
    ({"fixed": {"window": "nne"}}, "sigma has no window 'nne'"),
    ({"axes": {"A": [1.0, 101.0]}}, "A is out of bounds\n  where: axes.A\n  found: 101\n  expected: 0 to 100"),
    ({"axes": {"A": [float("nan")]}}, "A is not a number\n  where: axes.A\n  found: nan"),
    ({"fixed": {"z": -1.0}}, "z is out of bounds\n  where: fixed.z\n  found: -1\n  expected: 0 to 2000"),
    ({"fixed": {"z": "0.5"}}, "z must be a number\n  where: fixed.z\n  found: '0.5'"),
    # no label uses them
    (
        {"axes": {"k": [1.0]}},
        "no reading of sigma in this sweep uses 'k'\n  where: axes.k\n  found: amplitude=constant",
    ),
    ({"axes": {"k": [1.0]}}, "\n  do: leave k out, or choose window = 'power' or window = 'dynamical_power', which"),
    (
        {"axes": {"A": [1.0]}, "fixed": {"amplitude": "path_length"}},
        "leave A out, or choose amplitude = 'constant', which uses it",
    ),
    ({"fixed": {"k": 1.0}}, "no reading of sigma in this sweep uses 'k'\n  where: fixed.k"),
    # the reference
    ({"reference": {"kernel": "mond", "a0": 5.0}}, "a0 is out of bounds\n  where: reference.a0\n  found: 5"),
    ({"reference": {"kernel": "mond", "a0": "low"}}, "a0 must be a number\n  where: reference.a0\n  found: 'low'"),
    ({"reference": {"kernel": "mond", "mu": 1}}, "mond has no parameter or choice 'mu'\n  where: reference"),
    ({"reference": {"kernel": "sigma", "k": 2.0}}, "the reference sigma does not use 'k'\n  where: reference.k"),
    ({"reference": {"kernel": "mond", "nu": "rr"}}, "mond has no nu 'rr'"),
    # dimensions that the result needs for itself
    ({"axes": {"A": ("galaxy", [1.0])}}, "a dimension of the grid cannot be called 'galaxy'\n  where: axes.A"),
    ({"axes": {"A": ("rms_mean", [1.0])}}, "a dimension of the grid cannot be called 'rms_mean'"),
    ({"axes": {"A": ("status", [1.0])}}, "a dimension of the grid cannot be called 'status'"),
    # the dimension and the coordinate of one name would be two things
    (
        {"axes": {"A": ("xi_scale", [1.0, 2.0]), "xi_scale": ("case", [0.1])}},
        "a dimension of the grid cannot be called 'xi_scale'\n  where: axes.A",
    ),
]


@pytest.mark.parametrize(("given", "message"), REFUSED, ids=[str(i) for i in range(len(REFUSED))])
def test_refused_before_anything_runs(given: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=re.escape(message)):
        plan(**{"axes": {"A": [1.0]}, **given})


def test_what_the_cube_lacks_is_named(mock_cube: xr.Dataset) -> None:
    message = "sigma needs 'f_bulge', which the cube does not have\n  where: .*A → D → f_bulge"
    with pytest.raises(DataError, match=message):
        planned(
            mock_cube.drop_vars("f_bulge"),
            kernel="sigma",
            axes={"A_0": [1.0]},
            fixed={"amplitude": "bulge_fraction"},
        )


def test_systems_with_no_more_points_than_fitted_parameters_are_named(mock_cube: xr.Dataset) -> None:
    points = mock_cube.n_points.to_series()
    fewest = points.min()
    short = points.index[points == fewest].tolist()
    with pytest.raises(SpecError) as raised:
        planned(mock_cube, sample="all", kernel="mond", axes={}, n_fitted=int(fewest))
    assert raised.value.found == f"{fewest}, and no more points in {listed(short)}"
    assert raised.value.expected == f"0 to {fewest - 1}"
    condition = f"galaxy not in {short[:5]}"
    assert raised.value.hint is not None
    assert f'where = "{condition}"' in raised.value.hint
    left = sigcube.Sweep(mock_cube, where=condition, kernel="mond", n_fitted=int(fewest))
    assert left.packed.systems == tuple(points.index[points > fewest])


def test_fewer_fitted_parameters_than_none_are_refused(mock_cube: xr.Dataset) -> None:
    with pytest.raises(
        SpecError, match="leave no degrees of freedom\n  where: n_fitted\n  found: -1\n  expected: 0 to"
    ):
        planned(mock_cube, kernel="mond", axes={}, n_fitted=-1)


# Bounds


def test_a_hundred_million_grid_points_of_171_galaxies_are_a_plan() -> None:
    axes = {"A": linspace(0, 3, 10**4), "xi_scale": linspace(0.01, 1, 10**4)}
    made = plan(n_systems=171, n_points=3373, axes=axes, keep=["galaxy"])
    assert made.spec.grid.size == 10**8
    assert len(made.blocks) < MOST_BLOCKS / 100
    # Each galaxy's RMS in four bytes, and half of what else there is in seventeen.
    assert made.least_bytes() == 10**8 * (171 * 4 + 17 / 2)


def test_too_many_readings_are_refused_before_one_is_made() -> None:
    with pytest.raises(SpecError, match=r"too many combinations of labels\n  where: axes\n  found: case 10,001"):
        plan(axes={"window": ("case", ["none"] * (MOST_READINGS + 1)), "A": [1.0, 2.0]})


ROOM = [
    # nothing repeats: what is kept counts in full, and what is compressed half
    ({"xi_scale": 3}, 6 * (3 * 4 + 17 / 2)),
    # `none` repeats along ξ, so that all is compressed; of its six points, two are computed
    ({"window": ["geometric", "none"], "xi_scale": 3}, (6 + 2) * (3 * 4 + 17) / 2),
    # two labels that make no difference: computed once, written twice, and not compressed
    ({"scale_length": ["third_point", "disk_peak"], "window": ["none"]}, 2 * 2 * 3 * 4 + 2 * 17 / 2),
]


@pytest.mark.parametrize(("axes", "expected"), ROOM)
def test_the_room_that_a_result_takes_at_the_least(axes: dict[str, Any], expected: float) -> None:
    given = {name: linspace(0.1, 1, n) if isinstance(n, int) else n for name, n in axes.items()}
    made = plan(axes={**given, "A": [1.0, 2.0]}, keep=["galaxy"])
    assert made.least_bytes() == expected
    assert made.least_bytes() <= made.bytes
    assert made.least_bytes(()) == 0
