"""Every registered kernel under every reading: limits, bounds, one value however computed, derivatives, refusals."""

import re
import sys
from collections.abc import Callable, Mapping
from itertools import product
from typing import Any

import astropy.units as u
import numpy as np
import pytest
import xarray as xr
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import sigcube
from sigcube.constants import CODATA, CONSTANTS, PAPER
from sigcube.cube import pack, select
from sigcube.engine import evaluate_sums
from sigcube.errors import DataError, SpecError
from sigcube.kernels import KERNELS, find
from sigcube.model.frames import variables_of
from sigcube.model.graph import Graph, Level, Node, Variables
from sigcube.model.kernel import Kernel
from sigcube.model.model import Model
from sigcube.model.record import Parameter, Reduction
from sigcube.plan.bind import plan_cube
from sigcube.plan.spec import make_spec
from tests.kernels.dual import FUNCTIONS, Dual
from tests.kernels.oracles import ORACLES
from tests.kernels.oracles.common import SCALE_LENGTHS, predicted, v_bar_sq
from tests.kernels.oracles.sigma import local_window
from tests.kernels.readings import (
    ALL,
    FRAME,
    SINGLE,
    Reading,
    by_python,
    by_ufunc,
    packed_survey,
    read,
    small_survey,
    system,
)


def every_reading(test: Callable[..., None]) -> Callable[..., None]:
    """Run a test with every reading: all terms of all kernels are compiled."""
    return pytest.mark.slow(pytest.mark.parametrize("reading", ALL, ids=str)(test))


def single_choices(test: Callable[..., None]) -> Callable[..., None]:
    """Run a test with the readings of which one choice is off its default."""
    return pytest.mark.slow(pytest.mark.parametrize("reading", SINGLE, ids=str)(test))


every_kernel = pytest.mark.parametrize("kernel", KERNELS.values(), ids=lambda kernel: kernel.name)


def node_of(graph: Graph, name: str) -> Node:
    return next(node for node in graph.nodes if node.name == name)


def parameter(reading: Reading, name: str) -> Parameter:
    return reading.model.parameters[name]


def expected(reading: Reading, values: Mapping[str, Any]) -> tuple[Any, Any, Any]:
    """Boost and prediction after the oracle, and what rounding may do to the boost."""
    labels = reading.model.labels
    constants = vars(CONSTANTS[labels["constants"]])
    given = {**constants, **{p.name: None for p in reading.kernel.parameters}, **values, "gas": labels["gas"]}
    oracle = ORACLES[reading.kernel.name]
    boost = oracle.boost(given, labels)
    return boost, predicted(given, boost), oracle.rounding(given, labels, boost)


def galaxy(**columns: Any) -> dict[str, Any]:
    """A system with all that any reading asks for; points that are not named have a disc of 100 km/s only."""
    r = np.atleast_1d(np.asarray(columns.get("r", 5.0), dtype=float))
    zero = np.zeros_like(r)
    points = {"r": r, "v_gas": zero, "v_disk": zero + 100.0, "v_bul": zero, "sb_disk": zero + 50.0, "sb_bul": zero}
    observed = {"v_obs": zero + 110.0, "e_v_obs": zero + 1.0}
    lengths = {name: 3.0 for name in SCALE_LENGTHS.values()}
    fastest = {"v_gas_max": 20.0, "v_disk_max": 100.0, "v_bul_max": 10.0, "v_flat": 110.0}
    masses = {"luminosity": 1e10, "m_hi": 1e9, "f_bulge": 0.1, "g_environment": 0.0}
    return {**points, **observed, **lengths, **fastest, **masses, **columns, "r": r}


def evaluate(reading: Reading, **values: Any) -> dict[str, Any]:
    return by_ufunc(reading.graph, {**galaxy(), **reading.constants, **reading.defaults, **values})


# Limits


def strong_field(reading: Reading) -> Any:
    """Σ − 1 as a function of acceleration alone: the same radius, faster and faster."""
    speeds = np.array([1e2, 1e4, 1e7, 1e10])
    columns = galaxy(r=np.full(4, 5.0), v_disk=speeds)
    return np.broadcast_to(evaluate(reading, **columns)["boost"], 4) - 1.0


@every_reading
def test_strong_fields_are_newtonian_where_a_kernel_has_that_limit(reading: Reading) -> None:
    excess = strong_field(reading)
    least = ORACLES[reading.kernel.name].strong_field
    if least is not None:
        assert np.min(excess) > least
    else:
        assert np.all(np.diff(excess) <= 0)
        assert abs(excess[-1]) < 1e-12


def solar_bounds(reading: Reading) -> tuple[float, float]:
    """Between what Σ − 1 is at 1 AU from the Sun; by default, far below all that could be seen."""
    bounds = ORACLES[reading.kernel.name].solar_system
    return next((bounds[label] for label in (*reading.labels.values(), None) if label in bounds), (0.0, 1e-11))


@every_reading
def test_solar_system_is_newtonian(reading: Reading) -> None:
    v = np.sqrt(PAPER.G * PAPER.Msun / PAPER.AU) / 1e3
    assert v == pytest.approx(29.8, abs=0.05)
    found = evaluate(reading, **galaxy(r=PAPER.AU / PAPER.kpc, v_disk=np.array([v])), upsilon_disk=1.0)["boost"]
    least, most = solar_bounds(reading)
    assert least <= float(np.max(found)) - 1.0 < most


@pytest.mark.slow
def test_h_at_saturn_is_the_printed_number() -> None:
    # SI §4a, test 5: h = 1.77e-9 at 9.5 AU ... of which 1.77e-9 is (g†/g)^(1/2) g†/(g†+g) with g of the Sun there.
    graph = read(find("sigma"), {}).graph
    h = node_of(graph, "h")
    g = PAPER.G * PAPER.Msun / (9.5 * PAPER.AU) ** 2
    assert h.function(g, PAPER.g_dagger) == pytest.approx(1.77e-9, rel=5e-3)


# Bounds

_CORNERS = list(product((0.01, 200.0), (-100.0, 400.0), (1.0, 400.0), (0.0, 400.0)))


def points(seed: int) -> np.ndarray:
    """Radius, V_gas, V_disk and V_bul of 40 realistic points and of the corners of what is realistic."""
    rng = np.random.default_rng(seed)
    r, disk = 10 ** rng.uniform(-2, np.log10(200), 40), 10 ** rng.uniform(0, np.log10(400), 40)
    inside = np.stack([r, rng.uniform(-100, 400, 40), disk, rng.uniform(0, 400, 40)], axis=1)
    corners = np.array(_CORNERS)
    # No two points of a system lie at one radius.
    corners[:, 0] += np.linspace(0.0, 0.009, len(corners)) - np.where(corners[:, 0] > 1.0, 0.009, 0.0)
    rows = np.concatenate([inside, corners])
    return rows[np.argsort(rows[:, 0])]


@st.composite
def drawn(draw: st.DrawFn, reading: Reading) -> dict[str, Any]:
    """Parameters anywhere within their bounds, and the points at which matter pulls inwards."""
    bounds = {name: parameter(reading, name).bounds for name in reading.graph.parameters}
    values = {name: draw(st.floats(*ends, allow_subnormal=False)) for name, ends in bounds.items()}
    columns = dict(zip(("r", "v_gas", "v_disk", "v_bul"), points(draw(st.integers(0, 999))).T, strict=True))
    inwards = v_bar_sq({**values, **columns}) > 1e-6
    kept = {name: column[inwards] for name, column in {**columns, **others(columns)}.items()}
    length, share = draw(st.floats(0.05, 50.0)), draw(st.floats(0.0, 1.0))
    lengths = {name: length * factor for name, factor in zip(SCALE_LENGTHS.values(), (1, 2, 0.5, 4), strict=True)}
    fastest = {"v_gas_max": 400.0, "v_disk_max": 400.0, "v_bul_max": 400.0, "v_flat": draw(st.floats(10.0, 350.0))}
    masses = {"luminosity": draw(st.floats(1e6, 1e12)), "m_hi": draw(st.floats(1e6, 1e11)), "f_bulge": share}
    masses |= {"g_environment": draw(st.floats(0.0, 1e-9, allow_subnormal=False))}
    return {**kept, **lengths, **fastest, **masses, **reading.constants, **values}


def others(columns: Mapping[str, Any]) -> dict[str, Any]:
    """What is observed at the points, in no order, and their surface brightness."""
    n = columns["r"].size
    return {
        "v_obs": 5.0 + 395.0 * np.modf(0.618 * np.arange(n))[0],
        "sb_disk": 10 ** np.linspace(4, -3, n),
        "sb_bul": 10 ** np.linspace(5, -9, n),
    }


@every_reading
@settings(max_examples=20)
@given(data=st.data())
def test_finite_and_at_least_what_the_record_states(reading: Reading, data: st.DataObject) -> None:
    values = data.draw(drawn(reading))
    found = by_ufunc(reading.graph, values)
    for target in ("boost", "predicted"):
        assert np.all(np.isfinite(found[target])), target
    assert np.all(found["boost"] >= reading.kernel.smallest_boost)


# One value however it is computed


@every_reading
@settings(max_examples=10)
@given(data=st.data())
def test_ufunc_is_the_papers_formula(reading: Reading, data: st.DataObject) -> None:
    values = data.draw(drawn(reading))
    found = by_ufunc(reading.graph, values)
    boost, predicted, rounding = expected(reading, values)
    settled = np.isfinite(boost)
    assume(np.any(settled))
    differ = abs(found["boost"] - boost)[settled]
    assert np.all(differ <= (1e-12 * boost + rounding)[settled])
    differ = abs(found["predicted"] / predicted - 1.0)[settled]
    assert np.all(differ <= (1e-12 + rounding / boost)[settled])


@every_reading
def test_plain_python_is_the_ufunc(reading: Reading) -> None:
    for i in range(packed_survey().n_systems):
        values = {**system(packed_survey(), reading.graph, i), **reading.constants, **reading.defaults}
        compiled, plain = by_ufunc(reading.graph, values), by_python(reading.graph, values)
        np.testing.assert_array_equal(plain["predicted"].astype(float), compiled["predicted"])


@every_reading
def test_a_cube_gets_the_same_bits_as_its_systems(reading: Reading) -> None:
    cube = select(small_survey(), sample="unflagged")
    boost, predicted = (f(cube, **reading.chosen) for f in (reading.kernel.boost, reading.kernel.predict))
    packed = packed_survey()
    for i, name in enumerate(packed.systems):
        values = {**system(packed, reading.graph, i), **reading.constants, **reading.defaults}
        single = by_ufunc(reading.graph, values)
        kept = cube.r.sel(galaxy=name).notnull().values
        np.testing.assert_array_equal(predicted.sel(galaxy=name).values[kept], single["predicted"])
        np.testing.assert_array_equal(boost.sel(galaxy=name).values[kept], single["boost"] + 0.0 * values["r"])
        assert np.isnan(predicted.sel(galaxy=name).values[~kept]).all()


@single_choices
def test_a_chunked_cube_stays_lazy_and_gets_the_same_bits(reading: Reading) -> None:
    cube = select(small_survey(), sample="unflagged")
    lazy = reading.kernel.predict(cube.chunk(galaxy=2, radius=4), **reading.chosen)
    assert lazy.chunks is not None
    xr.testing.assert_identical(lazy.compute(), reading.kernel.predict(cube, **reading.chosen))


@single_choices
def test_the_engine_gets_the_same_bits(reading: Reading) -> None:
    """Residuals add up over the points of a system, one after another."""
    cube = small_survey()
    # Along one dimension: nested loops, which the tests of the engine have, take twice as long to compile.
    swept = {"upsilon_disk": np.array([0.4, 0.9])} | {name: _around(reading, name) for name in _own(reading)[:1]}
    plan_reading, packed = _planned(reading, cube, swept)
    sums = evaluate_sums(plan_reading, packed, swept)["residual"]
    dims = {name: xr.DataArray(values, dims="case") for name, values in swept.items()}
    predicted = reading.kernel.predict(select(cube, sample="unflagged"), **reading.chosen, **dims)
    residual = predicted - select(cube, sample="unflagged").v_obs
    residual = residual.transpose("galaxy", *plan_reading.dims, "radius").sel(galaxy=list(packed.systems)).values
    for i in range(packed.n_systems):
        kept = select(cube, sample="unflagged").r.sel(galaxy=packed.systems[i]).notnull().values
        one_after_another = np.cumsum(residual[i][..., kept], axis=-1)[..., -1]
        np.testing.assert_array_equal(sums[i], one_after_another)


def _own(reading: Reading) -> list[str]:
    """The kernel's own parameters in use, the most particular to the reading first."""
    shared = {p.name for p in FRAME.parameters} | set(read(reading.kernel, {}).graph.parameters)
    return sorted((n for n in reading.graph.parameters if n != "upsilon_disk"), key=lambda name: name in shared)


def _around(reading: Reading, name: str) -> np.ndarray:
    low, high = parameter(reading, name).bounds
    middle = interior(reading, name)
    return np.clip(middle * np.array([0.5, 1.0]), low, high)


def _planned(reading: Reading, cube: xr.Dataset, swept: Mapping[str, np.ndarray]) -> Any:
    spec = make_spec(
        kernel=reading.kernel,
        kind="galaxy",
        axes={name: ("case", values.tolist()) for name, values in swept.items()},
        fixed=reading.labels,
        metrics=["bias"],
    )
    plan, packed = plan_cube(spec, cube, sample="unflagged")
    return plan.sections[0].model, packed


# The local window

_speeds = st.floats(0.1, 1e3)


@settings(max_examples=7 * settings.default.max_examples)
@given(v=_speeds, strength=st.floats(0.0, 50.0), sigma_v=st.one_of(st.just(0.0), st.floats(0.01, 1e3)))
def test_local_window_is_the_iterated_fixed_point(v: float, strength: float, sigma_v: float) -> None:
    local = node_of(read(find("sigma"), {"window": "local"}).graph, "W")
    found = local.function(v * v, strength, 1.0, sigma_v)
    iterated = local_window(v * v, strength, sigma_v)
    assume(np.isfinite(iterated))
    assert found == pytest.approx(float(iterated), rel=1e-12)


@settings(max_examples=7 * settings.default.max_examples)
@given(v=_speeds, strength=st.floats(0.0, 1e4), sigma_v=st.floats(0.0, 1e3))
def test_local_window_solves_its_equation(v: float, strength: float, sigma_v: float) -> None:
    """Also where the iteration takes for ever."""
    local = node_of(read(find("sigma"), {"window": "local"}).graph, "W")
    w = local.function(v * v, strength, 1.0, sigma_v)
    v_sq = v * v * (1.0 + strength * w)
    assert w == pytest.approx(v_sq / (v_sq + sigma_v * sigma_v), rel=1e-12)


@pytest.mark.slow
def test_without_dispersion_the_local_window_is_open() -> None:
    reading = read(find("sigma"), {"window": "local"})
    without = read(find("sigma"), {"window": "none"})
    assert evaluate(reading, sigma_v=0.0)["boost"] == evaluate(without)["boost"]


# Derivatives

#: Values off the defaults, which for some parameters are a bound: by unit, else a plain fraction.
_INTERIOR = {"m/s2": 5e-11, "km/s": 15.0, "1/s": 1e-16}


def interior(reading: Reading, name: str) -> float:
    default = reading.defaults[name]
    # No two parameters move together: of some, only the ratio counts.
    factor = 0.9 + 0.003 * reading.graph.parameters.index(name)
    return factor * default if default else _INTERIOR.get(parameter(reading, name).unit, 0.3)


@single_choices
def test_derivative_is_that_of_finite_differences(reading: Reading, monkeypatch: pytest.MonkeyPatch) -> None:
    packed = packed_survey()
    i = int(np.argmax(packed.per_system["f_bulge"]))
    inside = {name: interior(reading, name) for name in reading.graph.parameters}
    values = {**system(packed, reading.graph, i), **reading.constants, **inside}
    differences = {name: _difference(reading, values, name) for name in inside}
    _use_duals(reading, monkeypatch)
    for name, slope in differences.items():
        found = by_python(reading.graph, {**values, name: Dual(values[name], 1.0)})["predicted"]
        slopes = np.array([number.slope if isinstance(number, Dual) else 0.0 for number in found])
        scale = by_scale(found) / values[name]
        np.testing.assert_allclose(slopes, slope, rtol=1e-6, atol=1e-9 * scale, err_msg=name)


def by_scale(found: Any) -> float:
    return max(number.value if isinstance(number, Dual) else number for number in found)


def _difference(reading: Reading, values: Mapping[str, Any], name: str) -> Any:
    step = 1e-5 * values[name]
    ahead, behind = (by_ufunc(reading.graph, {**values, name: values[name] + s})["predicted"] for s in (step, -step))
    return (ahead - behind) / (2.0 * step)


def _use_duals(reading: Reading, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the kernel's modules call functions that know derivatives."""
    for module in {sys.modules[node.function.__module__] for node in reading.graph.nodes}:
        for name, function in FUNCTIONS.items():
            if hasattr(module, name) or name == "float":
                monkeypatch.setattr(module, name, function, raising=False)


@pytest.mark.slow
def test_every_parameter_in_use_changes_something() -> None:
    """A parameter that a graph lists but no formula feels would be swept in vain; off its defaults, each is felt."""
    packed = packed_survey()
    # The one with a bulge feels most; in a fast one, what saturates no longer feels its scale.
    order = np.argsort(-packed.per_system["f_bulge"])
    for reading in SINGLE:
        inside = {name: interior(reading, name) for name in reading.graph.parameters}
        systems = [{**system(packed, reading.graph, i), **reading.constants, **inside} for i in order]
        for name in inside:
            assert any(np.any(_difference(reading, values, name) != 0.0) for values in systems), f"{reading}: {name}"


# What the records declare


@every_kernel
def test_parameters_declare_unit_bounds_and_source(kernel: Kernel) -> None:
    for p in Model(kernel, FRAME).parameters.values():
        u.Unit(p.unit)
        low, high = p.bounds
        assert low < high
        for constants in CONSTANTS.values():
            assert low <= p.value(constants) <= high
        assert re.search(SOURCE, p.source), p.name
        assert p.symbol
        assert p.description
        assert p.status in ("derived", "calibrated", "fitted", "fixed")


@every_kernel
def test_names_are_unambiguous(kernel: Kernel) -> None:
    parameters = [p.name for p in (*kernel.parameters, *FRAME.parameters)]
    choices = [*Model(kernel, FRAME).choices]
    assert len({*parameters, *choices}) == len(parameters) + len(choices)
    variables = variables_of(small_survey())
    assert not set(parameters) & (variables.points | variables.systems)
    assert KERNELS[kernel.name] is kernel


#: What counts as a source: a section of a paper, a publication, a standard, or the definition of Σ itself.
SOURCE = r"main §\d|SI §\d|doi:|(?:19|20)\d\d|Σ = 1|mass coherence|microphysics"


def defined(kernel: Kernel) -> dict[str, tuple[Any, str]]:
    """Every term of a kernel and its frame, and the source that stands beside it."""
    found = {name: (term, "") for name, term in {**FRAME.terms, **kernel.terms}.items()}
    for choice in kernel.choices:
        for label, option in choice.options.items():
            found.update(
                {f"{choice.name}={label}: {name}": (term, option.source) for name, term in option.defines.items()}
            )
    return found


@every_kernel
def test_every_term_says_what_it_is_and_where_it_is_from(kernel: Kernel) -> None:
    for name, (term, source) in defined(kernel).items():
        if isinstance(term, str):
            continue
        function = term.function if isinstance(term, Reduction) else term
        assert function.__doc__, name
        assert re.search(SOURCE, f"{function.__doc__} {source}"), f"{name} cites no source"


@every_kernel
def test_every_option_has_source_and_description(kernel: Kernel) -> None:
    for choice in Model(kernel, FRAME).choices.values():
        assert choice.default in choice.options
        assert choice.description
        for label, option in choice.options.items():
            assert option.source, label
            assert option.description, label


@every_kernel
def test_every_parameter_is_used_by_some_reading(kernel: Kernel) -> None:
    used = {name for reading in ALL if reading.kernel is kernel for name in reading.graph.parameters}
    assert {p.name for p in kernel.parameters} <= used


def test_every_kernel_has_an_oracle() -> None:
    assert set(ORACLES) == set(KERNELS)


# The registry


def test_every_kernel_of_a_module_is_registered_under_a_name_of_its_own() -> None:
    modules = [module for name, module in sys.modules.items() if name.startswith("sigcube.kernels.")]
    kernels = [value for module in modules for value in vars(module).values() if isinstance(value, Kernel)]
    assert {id(kernel) for kernel in kernels} == {id(kernel) for kernel in KERNELS.values()}
    assert len(KERNELS) >= 14


def test_the_package_is_its_registry() -> None:

    assert sigcube.kernels["sigma"] is KERNELS["sigma"]
    assert list(sigcube.kernels) == list(KERNELS)
    assert len(sigcube.kernels) == len(KERNELS)
    assert find(KERNELS["mond"]) is KERNELS["mond"]
    assert repr(sigcube.kernels["newton"]) == "<Kernel newton: Newtonian gravity (no parameters)>"
    assert "window" in repr(sigcube.kernels["sigma"])


# Refusals

REFUSED = [
    # a name that is nearly right is named
    ("sigma", {"windw": "none"}, "sigma has no parameter or choice 'windw'\n  do: did you mean 'window'?"),
    # so is a label
    (
        "sigma",
        {"window": "geometrc"},
        "sigma has no window 'geometrc'\n  where: window\n  found: 'geometrc'\n  do: did you mean 'geometric'?",
    ),
    # a label that is no text
    ("sigma", {"window": 3}, "sigma has no window '3'"),
    # a parameter of another kernel
    ("newton", {"a0": 1e-10}, "newton has no parameter or choice 'a0'"),
    # below and above the bounds
    ("sigma", {"A": -0.1}, "A is out of bounds\n  found: -0.1\n  expected: 0 to 100"),
    ("mond", {"a0": 1.0}, "a0 is out of bounds\n  found: 1\n  expected: 1e-13 to 1e-07 m/s2"),
    # of an array, the worst value is told
    ("sigma", {"A": xr.DataArray([1.0, 101.0], dims="A")}, "A is out of bounds\n  found: 101"),
    ("sigma", {"A": float("nan")}, "A is not a number\n  found: nan"),
    ("sigma", {"A": "much"}, "A must be a number\n  found: 'much'"),
    # text that looks like a number is text
    ("sigma", {"A": "1.2"}, "A must be a number\n  found: '1.2'"),
    # a bare array: nothing says along which dimension
    ("sigma", {"A": np.array([1.0, 2.0])}, "A has several values but no named dimension"),
    # a parameter that these labels leave without effect
    ("sigma", {"k": 0.5}, "sigma does not use 'k' here\n  found: window='geometric'"),
    ("sigma", {"window": "none", "xi_scale": 0.1}, "sigma does not use 'xi_scale' here\n  found: window='none'"),
    (
        "sigma",
        {"constants": "codta"},
        "sigma has no constants 'codta'\n  where: constants\n  found: 'codta'\n  do: did you mean 'codata'?",
    ),
]


@pytest.mark.parametrize(("kernel", "given", "message"), REFUSED, ids=[str(list(row[1])) for row in REFUSED])
def test_what_a_kernel_does_not_have_is_refused(kernel: str, given: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=re.escape(message)):
        KERNELS[kernel].boost(small_survey(), **given)


def test_an_unknown_kernel_is_refused() -> None:
    with pytest.raises(SpecError, match=r"there is no kernel 'sigm'\n  do: did you mean 'sigma'\? valid: "):
        find("sigm")


@pytest.mark.parametrize(
    ("kernel", "labels", "missing", "path"),
    [
        ("newton", {}, "v_gas", "predicted → v_bar_sq → v_gas"),
        ("sigma", {}, "scale_length_third_point", "scale_length → scale_length_third_point"),
        ("sigma", {"amplitude": "bulge_fraction"}, "f_bulge", "A → D → f_bulge"),
        ("sigma", {"window": "dynamical"}, "v_bul_max", "sigma_eff → v_bul_max"),
        ("sigma", {"window": "covariant"}, "sb_disk", "W → disorder_sq → density → sb_disk"),
        ("roughness", {}, "v_obs", "lower_velocity → v_c → v_obs"),
        ("roughness", {"flat_velocity": "catalogue"}, "v_flat", "dispersion → v_flat"),
        ("mass_coherence", {"mass": "baryonic"}, "m_hi", "mass_length → m_hi"),
    ],
)
def test_a_cube_that_lacks_an_input_names_it(kernel: str, labels: dict[str, str], missing: str, path: str) -> None:
    message = rf"{kernel} needs '{missing}', which the cube does not have\n  where: .*{path}\n"
    with pytest.raises(DataError, match=message):
        KERNELS[kernel].predict(small_survey().drop_vars(missing), **labels)


def test_a_dataset_of_no_kind_is_no_cube() -> None:
    with pytest.raises(DataError, match="this dataset is not a sigcube cube\n  where: attribute 'kind'\n  found: None"):
        KERNELS["newton"].boost(xr.Dataset())


def test_terms_in_a_circle_are_refused() -> None:
    circle = Kernel("circle", "", "", terms={"boost": lambda a: a, "a": lambda b: b, "b": lambda a: a})
    with pytest.raises(
        SpecError, match="the terms of circle depend on one another in a circle\n  found: boost → a → b → a"
    ):
        Model(circle, FRAME).graph(("boost",), variables=Variables(frozenset(), frozenset()))


# On cubes


@pytest.mark.parametrize(
    ("kernel", "given", "plain"),
    [
        ("sigma", {"xi": 500.0 * u.pc, "window": "free_scale"}, {"xi": 0.5}),
        (
            "sigma",
            {"xi": xr.DataArray([0.5], dims="case", attrs={"units": "kpc"}), "window": "free_scale"},
            {"xi": xr.DataArray([0.5], dims="case")},
        ),
        ("mond", {"a0": 1.2e-8 * u.cm / u.s**2}, {"a0": (1.2e-8 * u.cm / u.s**2).to_value("m/s2")}),
    ],
    ids=["quantity", "array with units", "a product of units"],
)
def test_a_value_with_a_unit_is_the_number_in_the_unit_of_the_parameter(
    kernel: str, given: dict[str, Any], plain: dict[str, Any]
) -> None:
    one = KERNELS[kernel]
    xr.testing.assert_identical(one.boost(small_survey(), **given), one.boost(small_survey(), **given | plain))


@pytest.mark.parametrize("units", ["pc", "s", "no unit at all"])
def test_an_array_that_says_another_unit_is_refused_as_arithmetic_keeps_it(units: str) -> None:
    xi = xr.DataArray([500.0], dims="case", attrs={"units": units})
    with pytest.raises(SpecError, match=rf"found: {units}\n  expected: kpc\n  do: convert it.*drop_attrs"):
        KERNELS["sigma"].boost(small_survey(), xi=xi, window="free_scale")
    KERNELS["sigma"].boost(small_survey(), xi=xi.drop_attrs(), window="free_scale")


def test_a_value_in_a_unit_of_another_kind_is_refused() -> None:
    with pytest.raises(SpecError, match="xi has a unit of another kind\n  where: xi\n  found: s\n  expected: kpc"):
        KERNELS["sigma"].boost(small_survey(), xi=500.0 * u.s, window="free_scale")


@pytest.mark.slow
def test_a_boost_is_labelled() -> None:
    boost = KERNELS["sigma"].boost(small_survey(), A=xr.DataArray([1.0, 2.0], dims="A", coords={"A": [1.0, 2.0]}))
    assert set(boost.dims) == {"A", "galaxy", "radius"}
    assert boost.name == "boost"
    assert "units" not in boost.attrs
    assert boost.sel(A=2.0, galaxy="SYN00002").sizes == {"radius": small_survey().sizes["radius"]}
    assert KERNELS["mond"].predict(small_survey()).attrs["units"] == "km/s"


@pytest.mark.slow
def test_parameters_broadcast_against_the_cube() -> None:
    values = xr.DataArray([0.2, 0.7], dims="case")
    both = KERNELS["sigma"].boost(small_survey(), upsilon_disk=values, window="dynamical")
    for i, value in enumerate([0.2, 0.7]):
        alone = KERNELS["sigma"].boost(small_survey(), upsilon_disk=value, window="dynamical")
        np.testing.assert_array_equal(both.isel(case=i).transpose(*alone.dims).values, alone.values)


@pytest.mark.slow
def test_codata_moves_g_dagger_with_its_constants() -> None:
    assert PAPER.g_dagger == pytest.approx(9.599e-11, rel=1e-4)
    at = {"constants": "codata"}
    one = KERNELS["sigma"].boost(small_survey(), **at)
    same = KERNELS["sigma"].boost(small_survey(), **at, g_dagger=CODATA.g_dagger)
    np.testing.assert_array_equal(one.values, same.values)
    assert np.nanmax(abs(one / KERNELS["sigma"].boost(small_survey()) - 1)) > 1e-4


@pytest.mark.slow
def test_a_reduction_sees_the_points_that_the_engine_sees() -> None:
    """A point at which gas pulls outwards has no V_bar. It is no padding: ξ next to it is undefined both ways."""
    cube = small_survey()
    reading = read(find("sigma"), {"window": "dynamical"})
    name = str(cube.galaxy.values[0])
    broken = cube.copy(deep=True)
    broken.v_gas.loc[{"galaxy": name}] = broken.v_gas.sel(galaxy=name).where(broken.radius != 2, -1e4)
    at = {"scale_length_third_point": ("galaxy", broken.r.isel(radius=2).values - 1e-3)}
    broken = broken.assign(at)
    packed = pack(broken, sample="all", variables=[*reading.graph.points, *reading.graph.systems])
    with np.errstate(invalid="ignore"):
        single = by_ufunc(reading.graph, {**system(packed, reading.graph, 0), **reading.constants, **reading.defaults})
    found = reading.kernel.boost(broken, window="dynamical").sel(galaxy=name)
    np.testing.assert_array_equal(found.values[: single["boost"].size], single["boost"])
    assert np.isnan(single["boost"]).all()


@pytest.mark.slow
def test_padding_and_undefined_points_are_nan_without_a_warning() -> None:
    cube = small_survey().copy(deep=True)
    cube.v_gas[0, 0] = -1e4
    for reading in SINGLE:
        predicted = reading.kernel.predict(cube, **reading.chosen)
        assert np.isnan(predicted.values[0, 0]) or reading.labels.get("gas") == "unsigned"
        assert np.isnan(predicted.values[cube.r.isnull().values]).all()


def test_every_level_is_met() -> None:
    """The readings exercise terms of the grid alone, of systems and of points, and a reduction."""
    nodes = [node for reading in ALL for node in reading.graph.nodes]
    assert {node.level for node in nodes} == set(Level)
    assert any(node.reduces for node in nodes)


def test_the_package_is_a_mapping_of_its_kernels() -> None:
    registry = sigcube.kernels
    assert dict(registry) == dict(registry.items()) == dict(KERNELS)
    assert list(registry) == list(registry.keys())
    assert list(registry.values()) == list(KERNELS.values())
    assert "sigma" in registry
    assert "sgma" not in registry
    assert registry.get("sgma") is None
    assert {registry} == {sys.modules["sigcube.kernels"]}
    with pytest.raises(SpecError, match="there is no kernel 'sgma'\n  do: did you mean 'sigma'"):
        registry["sgma"]
