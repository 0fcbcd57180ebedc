"""What a result says of itself: coordinates, identity, versions; and what changes the hash of a kernel."""

import inspect
import json
import linecache
from dataclasses import replace
from types import ModuleType
from typing import Any

import astropy.units as u
import numpy as np
import pytest
import xarray as xr

from sigcube.model.code_hash import source_hash
from sigcube.model.kernel import Kernel
from sigcube.model.metrics import Metric, itself, mean
from sigcube.model.record import Choice, Option, Parameter, Reduction
from sigcube.plan.identity import find_differences, in_present_words
from sigcube.plan.spec import spec_from_record
from sigcube.sweep import Sweep
from tests.plan.test_plan import plan

AXES = {
    "window": ["geometric", "none"],
    "xi_scale": [0.1, 0.2],
    "A": ("case", [1.0, 2.0]),
    "upsilon_disk": ("case", [0.5, 0.6]),
}


def test_coordinates_say_what_they_are() -> None:
    ds = xr.Dataset(coords=plan(axes=AXES, keep=["galaxy"]).coords)
    assert ds.sizes == {"window": 2, "xi_scale": 2, "case": 2, "galaxy": 3}
    assert set(ds.coords) == {*AXES, "galaxy"}
    for coord in ds.coords.values():
        u.Unit(coord.attrs.get("units", ""))
        assert coord.attrs["long_name"]
        assert coord.attrs["source"]
    assert ds.upsilon_disk.attrs["units"] == "Msun/solLum"
    # Plots of xarray and hvPlot show brackets round an empty unit.
    assert not {"units"} & {*ds.A.attrs, *ds.window.attrs, *ds.galaxy.attrs}
    assert ds.A.dims == ("case",)
    assert "galaxy" not in plan(axes=AXES).coords


def test_what_is_held_fixed_is_a_scalar_coordinate() -> None:
    ds = xr.Dataset(coords=plan(axes={"A": [1.0, 2.0]}, fixed={"window": "power", "k": 0.5, "upsilon_disk": 1}).coords)
    assert (ds.window.item(), ds.k.item(), ds.upsilon_disk.item()) == ("power", 0.5, 1.0)
    assert ds.upsilon_disk.attrs == {
        "units": "Msun/solLum",
        "long_name": "disc mass-to-light ratio, 3.6 µm",
        "symbol": "Υ_disk",
        "source": "SI §1",
    }
    assert ds.window.attrs["source"]
    assert ds.window.attrs["long_name"]


def test_an_axis_that_some_labels_do_not_use_says_so() -> None:
    coords = xr.Dataset(coords=plan(axes=AXES).coords)
    assert coords.xi_scale.attrs["comment"] == (
        "computed for window=geometric; elsewhere the model does not depend on it, and values repeat along it"
    )
    assert "comment" not in coords.A.attrs


SPELLED: list[tuple[dict[str, Any], str, str]] = [
    ({"window": ["geometric", "none"], "scale_length": ["third_point", "disk_peak"]}, "xi_scale", "window=geometric"),
    (
        {"window": ["geometric", "power", "none"], "scale_length": ["third_point", "disk_peak"]},
        "xi_scale",
        "window=geometric or window=power",
    ),
    # Without a window the model has no length: both labels of it are one model there.
    ({"scale_length": ["third_point", "disk_peak"], "window": ["none", "power"]}, "k", "window=power"),
]


@pytest.mark.parametrize(("labels", "axis", "where"), SPELLED, ids=[row[2] for row in SPELLED])
def test_labels_that_make_no_difference_to_an_axis_are_not_named(labels: dict[str, Any], axis: str, where: str) -> None:
    own = {axis: [0.5, 1.0]}
    coords = xr.Dataset(coords=plan(axes={**labels, **own, "A": [1.0, 2.0]}).coords)
    assert coords[axis].attrs["comment"].startswith(f"computed for {where}; elsewhere")


def test_attributes_hold_the_spec_and_the_versions() -> None:
    made = plan(axes=AXES, reference="mond")
    attrs = json.loads(json.dumps(made.attrs))
    assert spec_from_record(json.loads(attrs["spec"])) == made.spec
    assert json.loads(attrs["identity"]) == made.identity
    assert json.loads(attrs["versions"])["numpy"] == np.__version__
    assert attrs["kind"] == "result"


CHANGES: list[tuple[dict[str, Any], str]] = [
    # the last bit of one value
    ({"axes": {**AXES, "xi_scale": [0.1, np.nextafter(0.2, 1)]}}, "axis xi_scale"),
    ({"axes": {**AXES, "window": ["none", "geometric"]}}, "axis window"),
    ({"fixed": {"z": 0.1}}, "fixed"),
    ({"metrics": ["rms", "bias"]}, "metrics"),
    ({"reference": "mond"}, "reference"),
    ({"keep": ["galaxy"]}, "keep"),
    ({"dtype": "float64"}, "dtype"),
    ({"n_fitted": 1}, "n_fitted"),
]


@pytest.mark.parametrize(("change", "part"), CHANGES, ids=[row[1] for row in CHANGES])
def test_identity_tells_which_part_differs(change: dict[str, Any], part: str) -> None:
    one, other = plan(axes=AXES).identity, plan(**{"axes": AXES, **change}).identity
    assert one == plan(axes=AXES).identity
    # A change of one thing is not said to be one of others.
    assert find_differences(one, other) == [part]


def test_identity_tells_which_axis_of_labels_lies_along_which_dimension() -> None:
    labels = {"window": ["geometric", "none"], "scale_length": ["third_point", "disk_peak"]}
    one = plan(axes={"window": ("a", labels["window"]), "scale_length": ("b", labels["scale_length"])})
    other = plan(axes={"scale_length": ("a", labels["scale_length"]), "window": ("b", labels["window"])})
    assert one.dims == other.dims
    assert one.identity != other.identity


@pytest.mark.parametrize(
    ("stored", "wanted", "named"),
    [
        ({"a": "1"}, {"a": "1"}, []),
        ({"a": "1", "b": "1"}, {"a": "2", "b": "1"}, ["a"]),
        ({"a": "1"}, {"a": "1", "axis k": "x"}, ["axis k"]),
        # a metric that needs another variable
        ({"metrics": "1", "data r": "x"}, {"metrics": "2", "data r": "x", "data e": "y"}, ["metrics"]),
        # changed data beside it
        ({"metrics": "1", "data r": "x"}, {"metrics": "2", "data r": "z", "data e": "y"}, ["metrics", "data r"]),
        # nothing else says why
        ({"data r": "x"}, {"data r": "x", "data e": "y"}, ["data e"]),
    ],
)
def test_differences_are_named_by_their_cause(stored: dict[str, str], wanted: dict[str, str], named: list[str]) -> None:
    assert find_differences(stored, wanted) == named


def test_the_identity_of_an_earlier_version_is_read() -> None:
    former = dict(now := plan(axes=AXES, fixed={"z": 0.5}, n_fitted=1).identity)
    former |= {"parameters": former.pop("fixed"), "fitted": former.pop("n_fitted")}
    assert in_present_words(former) == now


def test_another_metric_is_no_other_data_and_no_other_kernel(mock_cube: xr.Dataset) -> None:
    sweeps = [Sweep(mock_cube, kernel="sigma", sample="unflagged", axes=AXES, metrics=[m]) for m in ("rms", "chi2_red")]
    one, other = (sweep.plan(probe=False).identity for sweep in sweeps)
    assert find_differences(one, other) == ["metrics"]


def test_the_engine_is_a_part_of_the_identity(monkeypatch: pytest.MonkeyPatch) -> None:
    one = plan(axes=AXES).identity
    monkeypatch.setattr("sigcube.plan.identity._hash_engine", lambda: "edited")
    assert find_differences(one, plan(axes=AXES).identity) == ["engine"]


OWN = Metric("own", "own", ("residual",), mean, "system", None)


@pytest.mark.parametrize(
    "change",
    [{"sums": ("residual_sq",)}, {"scope": "pooled"}, {"reduced": True}, {"finish": itself}],
    ids=lambda change: str(*change),
)
def test_identity_tells_a_users_own_metric_from_another_of_its_name(change: dict[str, Any]) -> None:
    # The registered ones have the functions of both, so that only their use differs.
    metrics = ["rms", "chi2", "chi2_red"]
    one = plan(axes=AXES, metrics=[*metrics, OWN]).identity
    other = plan(axes=AXES, metrics=[*metrics, replace(OWN, **change)]).identity
    assert {key for key in one if one[key] != other[key]} == {"metrics"}


def test_identity_holds_the_data_but_not_their_titles() -> None:
    made = plan(axes=AXES)
    assert replace(made, origin={"data": {"r": "sha256 1"}}).identity["data r"] == "sha256 1"
    assert replace(made, origin={"title": "new"}).identity == made.identity


def helper(x: float) -> float:
    return x + 1.0


def calls_helper(r: float) -> float:
    return helper(r)


def calls_nothing(r: float) -> float:
    return r + 1.0


def test_a_hash_is_of_the_source_and_of_what_it_calls() -> None:
    assert source_hash([calls_helper]) == source_hash([calls_helper, helper]) == source_hash([helper, calls_helper])
    assert source_hash([calls_helper]) != source_hash([calls_nothing])
    before = source_hash([calls_helper])
    original = globals()["helper"]
    globals()["helper"] = calls_nothing
    try:
        assert source_hash([calls_helper]) != before
    finally:
        globals()["helper"] = original


def tools(factor: float) -> ModuleType:
    made = ModuleType("tools")
    made.factor = factor  # type: ignore[attr-defined]
    return made


@pytest.mark.parametrize(
    ("text", "before", "after"),
    [
        ("factor * r", 2, 2.0),
        ("factor * r", 2.0, 20.0),
        ("factor * r", np.int64(2), np.int64(20)),
        ("factor * r", np.float32(2.0), np.float32(20.0)),
        ("factor['a'] * r", {"a": 2.0}, {"a": 20.0}),
        ("factor[0] * r", [2.0], [20.0]),
        ("factor.factor * r", tools(2.0), tools(20.0)),
        ("(lambda x: factor * x)(r)", 2.0, 20.0),
    ],
    ids=["type", "number", "NumPy's integer", "NumPy's float", "table", "list", "module", "within another function"],
)
def test_what_a_function_refers_to_is_a_part_of_its_hash(text: str, before: Any, after: Any) -> None:
    names: dict[str, Any] = {"__name__": "prompt", "factor": before}
    exec(f"def boost(r): return {text}", names)
    first = source_hash([names["boost"]])
    assert source_hash([names["boost"]]) == first
    names["factor"] = after
    assert source_hash([names["boost"]]) != first


def test_functions_of_one_name_and_different_text_count_both() -> None:
    one = lambda r: r  # noqa: E731
    other = lambda r: 2.0 * r  # noqa: E731
    assert source_hash([one]) != source_hash([other])
    assert source_hash([one, other]) != source_hash([one])


def test_functions_without_a_source_are_told_by_their_code() -> None:
    namespaces: list[dict[str, Any]] = [{"__name__": "prompt"} for _ in range(3)]
    for namespace, text in zip(namespaces, ("r + 1.0", "r + 2.0", "r + 1.0"), strict=True):
        exec(f"def boost(r): return {text}", namespace)
    one, other, same = (source_hash([namespace["boost"]]) for namespace in namespaces)
    assert one == same
    assert one != other


def test_functions_of_a_notebook_are_told_alike_where_their_text_is_known_and_where_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # A notebook's process knows the text of its cells, a worker only the code that it is sent.
    text, name = "def boost(r): return 2.0 * r\n", "/tmp/ipykernel_1/1.py"
    namespace: dict[str, Any] = {"__name__": "__main__"}
    exec(compile(text, name, "exec"), namespace)
    on_worker = source_hash([namespace["boost"]])
    monkeypatch.setitem(linecache.cache, name, (len(text), None, [text], name))
    assert inspect.getsource(namespace["boost"]) == text
    assert source_hash([namespace["boost"]]) == on_worker


def test_functions_without_a_source_are_told_by_what_they_name() -> None:
    one, other = ({"__name__": "prompt", "np": np} for _ in range(2))
    exec("def boost(r): return np.sqrt(r)", one)
    exec("def boost(r): return np.cbrt(r)", other)
    assert source_hash([one["boost"]]) != source_hash([other["boost"]])


@pytest.mark.parametrize("tables", [((1.0, 2.0), (1.0, 3.0)), (np.arange(2.0), np.arange(1.0, 3.0))])
def test_a_table_that_a_function_names_counts(tables: tuple[Any, Any]) -> None:
    def reading(table: Any) -> Any:
        return lambda r: table[0] + table[1] * r

    one, other = (source_hash([reading(table)]) for table in tables)
    assert one != other
    assert one == source_hash([reading(tables[0])])


def own(term: Any = calls_nothing, **record: Any) -> Kernel:
    return Kernel("own", "own", "this test", **{"terms": {"boost": term}, **record})


def shifted(r: float) -> float:
    return r + 2.0


def number(r: Any) -> float:
    """Of a number as of an array."""
    return 1.0 * np.size(r)


def scaled(factor: float) -> Any:
    return lambda r: factor * r


def parameter(default: float) -> Parameter:
    return Parameter("s", "s", default, "", (0.0, 9.0), "fixed", "this test", "a number")


def choice(defines: str, default: str = "one") -> Choice:
    return Choice("law", default, {"one": Option({"x": defines}, "", ""), "two": Option({"x": "r"}, "", "")}, "")


CHANGED: list[tuple[Kernel, Kernel, set[str]]] = [
    # another formula
    (own(shifted), own(calls_nothing), {"kernel source", "kernel record"}),
    # the same two formulas under each other's names
    (
        own(terms={"boost": calls_nothing, "a": shifted}),
        own(terms={"boost": shifted, "a": calls_nothing}),
        {"kernel record"},
    ),
    # a value that holds where none is given
    (own(parameters=(parameter(1.0),)), own(parameters=(parameter(2.0),)), {"kernel record"}),
    # what a label stands for, and which label holds where none is given
    (own(choices=(choice("r"),)), own(choices=(choice("v_gas"),)), {"kernel record"}),
    (own(choices=(choice("r"),)), own(choices=(choice("r", "two"),)), {"kernel record"}),
    # a number that a function closes over
    (own(scaled(1.0)), own(scaled(2.0)), {"kernel source", "kernel record"}),
    # a reduction is another thing than a term of points
    (own(number), own(Reduction(number)), {"kernel record"}),
    # nothing: nothing
    (own(), own(), set()),
]


@pytest.mark.parametrize(("one", "other", "parts"), CHANGED, ids=[str(i) for i in range(len(CHANGED))])
def test_a_changed_kernel_changes_the_identity(one: Kernel, other: Kernel, parts: set[str]) -> None:
    made = [plan(kernel=kernel, axes={"upsilon_disk": [0.5]}).identity for kernel in (one, other)]
    assert {key for key in made[0] if made[0][key] != made[1][key]} == parts
