"""The explorer without a browser: its view as an address, its values, its page as models, and what it writes."""

import json
import os
import queue
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from threading import Thread
from types import ModuleType, SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import xarray as xr
import zarr
from bokeh.models import CustomJSTickFormatter, DataTable, Div, NumberFormatter, ScientificFormatter, StringFormatter
from hypothesis import given
from hypothesis import strategies as st

import sigcube
from sigcube import analysis
from sigcube.cube import KINDS, save_cube, select
from sigcube.errors import SigcubeError, SpecError
from sigcube.explore.explorer import Explorer, answers
from sigcube.explore.explorer import data as data_module
from sigcube.explore.explorer import follow as follow_module
from sigcube.explore.explorer import page as page_module
from sigcube.explore.explorer.answers import Answers
from sigcube.explore.explorer.data import ExplorerData
from sigcube.explore.explorer.figures import rounded_span
from sigcube.explore.explorer.follow import follow
from sigcube.explore.explorer.live import LiveModels
from sigcube.explore.explorer.look import small_table
from sigcube.explore.explorer.page import ExplorerPage
from sigcube.explore.explorer.sentences import values_text
from sigcube.explore.explorer.state import ExplorerOffer, ExplorerState
from sigcube.explore.explorer.tabs import TABS, ExplorerTab, plain_row
from sigcube.explore.explorer.views import PlaceValues, place_values, sample_view
from sigcube.explore.page import CardTable, refuse_markup
from sigcube.plan.values import PointStatus
from sigcube.sweep import Sweep
from tests.explore.conftest import AXES
from tests.results import kept_result, small_result
from tests.synthetic_cubes import synthetic_cube

# Panel takes seconds to import, and a page of it about one to build.
pytestmark = pytest.mark.slow

PLACE = {"window": "power", "k": 1.0, "xi_scale": AXES["xi_scale"][2], "A": AXES["A"][3]}


@pytest.fixture(scope="module")
def explorer(explored: Path) -> Explorer:
    return Explorer(explored)


def texts(page: ExplorerPage) -> str:
    """All that the lines of a page say."""
    changing = {line.model.id: line.text for line in page._lines._lines}
    return "\n".join(changing.get(each.id, each.text) for each in page.root.select({"type": Div}))


# The view as an address.


@st.composite
def states(draw: st.DrawFn, offer: ExplorerOffer) -> ExplorerState:
    def place() -> Mapping[str, float | str]:
        found: dict[str, float | str] = {}
        for axis in offer.axes:
            if axis.use == "label":
                found[axis.name] = draw(st.sampled_from(axis.texts))
            else:
                found[axis.name] = draw(st.floats(float(axis.values[0]), float(axis.values[-1])))
        return found

    x, y = draw(st.permutations(offer.numeric))[:2]
    other = draw(st.none() | st.builds(place))
    return ExplorerState(
        metric=draw(st.sampled_from(offer.metrics)),
        x=x,
        y=y,
        place=place(),
        other=other,
        moving="a" if other is None else draw(st.sampled_from("ab")),
        nodes=draw(st.booleans()),
        systems=tuple(draw(st.lists(st.sampled_from(offer.systems), unique=True))),
        across=draw(st.sampled_from(offer.columns)),
        up=draw(st.sampled_from(offer.columns)),
        tab=draw(st.sampled_from(offer.tabs)),
        theme=draw(st.sampled_from(("light", "dark"))),
    )


@given(data=st.data())
def test_an_address_gives_the_view_back(data: st.DataObject, explorer: Explorer) -> None:
    state = data.draw(states(explorer.offer))
    assert ExplorerState.from_query(state.to_query(), explorer.offer, explorer.start) == state


def test_an_address_that_says_nothing_is_the_first_view(explorer: Explorer) -> None:
    assert ExplorerState.from_query("", explorer.offer, explorer.start) == explorer.start
    best = explorer.data.result.rms_mean.argmin(...)
    assert explorer.start.place["A"] == explorer.data.result.A.values[int(best["A"])]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("metric=rms_meen", "there is no metric 'rms_meen'"),
        ("x=q&y=A", "there is no x 'q'"),
        # One axis alone, though there are three.
        ("x=A", "a map has as many axes as the result has"),
        ("x=A&y=A", "a map needs two axes"),
        ("a.A=3", "this value is outside the grid"),
        ("a.A=nan", "this value is outside the grid"),
        ("a.A=one", "A takes numbers"),
        ("a.window=round", "there is no window 'round'"),
        ("a.q=1", "there is no axis 'q'"),
        ("b.A=9", "this value is outside the grid"),
        # There is no model B that could be moved.
        ("move=b", "there is no move 'b'"),
        ("system=M31", "there is no system 'M31'"),
        ("across=mass", "there is no across 'mass'"),
        ("tab=Nothing", "there is no tab 'Nothing'"),
        ("theme=blue", "there is no theme 'blue'"),
        ("colour=blue", "an address has no 'colour'"),
    ],
)
def test_an_address_that_cannot_be_is_refused(query: str, said: str, explorer: Explorer) -> None:
    with pytest.raises(SpecError, match=said):
        ExplorerState.from_query(query, explorer.offer, explorer.start)


def test_what_varies_together_is_taken_to_the_grid(survey: xr.Dataset) -> None:
    axes = {"A": ("case", [0.5, 1.0, 2.0]), "xi_scale": ("case", [0.1, 0.2, 0.4])}
    result = Sweep(survey, sample="unflagged", kernel="sigma", axes=axes).compute()
    explorer = Explorer(result, survey, query="a.A=1.2")
    assert explorer.state.place == {"A": 1.0}
    assert explorer.data.whole_place(explorer.state.place, explorer.offer) == {"A": 1.0, "xi_scale": 0.2}


@pytest.mark.parametrize("text", ["5", "-1", "0", "1e-3", "inf", "nan"])
def test_a_value_outside_the_grid_is_refused_also_where_others_are_taken_to_it(text: str, survey: xr.Dataset) -> None:
    # Without the cube no axis takes values between grid points, and along this one the nearest is found by logarithms.
    axes = {"a0": sigcube.geomspace(1e-11, 1e-9, 5)}
    result = Sweep(survey, sample="unflagged", kernel="mond", axes=axes).compute()
    assert Explorer(result, query="a.a0=1.1e-10").state.place["a0"] == result.a0.values[2]
    with pytest.raises(SpecError, match="this value is outside the grid") as caught:
        Explorer(result, query=f"a.a0={text}")
    assert caught.value.expected == "1e-11 to 1e-09"


# Values.


def test_at_grid_points_values_are_those_of_the_result(explorer: Explorer) -> None:
    data, result = explorer.data, explorer.data.result
    for k, xi, a in ((0, 0, 0), (1, 2, 3), (2, 5, 6)):
        for window in AXES["window"]:
            at = {"k": k, "xi_scale": xi, "A": a}
            stored = result.sel(window=window).isel(at).load()
            place = {"window": window, **{name: float(result[name].values[i]) for name, i in at.items()}}
            found = data.values_at(place, explorer.offer)
            for name in (*data.metrics, "rms", "status"):
                assert np.array_equal(found[name].values, stored[name].values), (name, place)


BETWEEN = {"window": "power", "k": 1.234, "xi_scale": 0.1717, "A": 0.9876}


def test_between_grid_points_values_are_those_of_a_sweep_of_that_point(explorer: Explorer, survey: xr.Dataset) -> None:
    axes = {"window": ["power"], **{name: [value] for name, value in BETWEEN.items() if name != "window"}}
    options = {"metrics": ["rms", "scatter_g"], "reference": "mond", "keep": ["galaxy"], "dtype": "float64"}
    alone = Sweep(survey, sample="unflagged", kernel="sigma", axes=axes, **options).compute().squeeze()
    found = explorer.data.values_at(BETWEEN, explorer.offer)
    for name in (*explorer.data.metrics, "rms"):
        assert np.array_equal(found[name].values, alone[name].values), name


@pytest.mark.parametrize("metric", ["rms_mean", "scatter_g", "win_rate"])
def test_a_map_is_read_at_grid_points_and_computed_between_them(
    metric: str, explorer: Explorer, survey: xr.Dataset
) -> None:
    offer, state = explorer.offer, explorer.start.changed(metric=metric, x="A", y="xi_scale", place=PLACE)
    read = explorer.data.map_values(state, offer)
    stored = explorer.data.result[metric].sel(window="power", k=1.0).transpose("xi_scale", "A")
    assert not read.between
    assert np.array_equal(read.values, stored.values)
    # The same values, computed: what differs is k alone.
    axes = {"xi_scale": AXES["xi_scale"], "A": AXES["A"]}
    fixed = {"window": "power", "k": 1.234}
    options = {"metrics": ["rms", "scatter_g"], "reference": "mond"}
    sweep = Sweep(survey, sample="unflagged", kernel="sigma", axes=axes, fixed=fixed, **options)
    between = explorer.data.map_values(state.at(k=1.234), offer)
    assert between.between
    assert np.array_equal(between.values, sweep.compute()[metric].values)


@pytest.mark.parametrize(
    ("metrics", "reference"),
    [(["loglike"], None), (["rms", "loglike"], "mond"), (["loglike"], "mond"), (["bias"], None)],
)
def test_every_summary_of_any_metric_is_computed_between_grid_points(
    metrics: list[str], reference: str | None, survey: xr.Dataset, tmp_path: Path
) -> None:
    axes = {"A": [0.8, 1.0, 1.2], "upsilon_disk": [0.4, 0.5], "upsilon_bulge": [0.6, 0.7]}
    options = {"metrics": metrics, "reference": reference, "sample": "unflagged", "keep": ["galaxy"]}
    sweep = Sweep(survey, kernel="sigma", axes=axes, **options)
    cube = save_cube(survey, tmp_path / "survey.zarr")
    stored = Sweep(cube, kernel="sigma", axes=axes, **options).run(tmp_path / "r.zarr", workers=0)
    shown = Explorer(tmp_path / "r.zarr", cube=cube)
    live = LiveModels.of(sweep)
    page = shown.page()
    for metric in shown.data.metrics:
        place = {"A": 1.2, "upsilon_disk": 0.4, "upsilon_bulge": 0.7}
        along = {name: np.array(axes[name]) for name in ("A", "upsilon_disk")}
        found = live.over(place, along, metric)[metric]
        wanted = stored[metric].sel(upsilon_bulge=0.7)
        assert np.array_equal(found.values, wanted.transpose(*found.dims).values), metric
        page.change(page.state.changed(metric=metric, x="A", y="upsilon_disk").at(**{**place, "upsilon_bulge": 0.65}))
        assert page.state.metric == metric


def test_curves_are_what_the_kernel_predicts(explorer: Explorer, survey: xr.Dataset) -> None:
    model = {name: value for name, value in BETWEEN.items()}
    wanted = sigcube.kernels["sigma"].predict(survey, **model)
    reference = sigcube.kernels["mond"].predict(survey)
    points = explorer.data.points_at(BETWEEN, explorer.offer)
    live = explorer.data.live
    assert live is not None
    own = [survey.galaxy.values.tolist().index(name) for name in live.packed.systems]
    kept = (survey.point_flag == 0).values[own]
    assert np.array_equal(points["predicted"], wanted.values[own][kept])
    assert np.array_equal(points["reference"], reference.values[own][kept])


def test_curves_under_a_condition_on_points_are_parts_of_whole_ones(survey: xr.Dataset, tmp_path: Path) -> None:
    axes = {"K_0": sigcube.linspace(0.5, 1.5, 3)}
    sweep = Sweep(survey, sample="unflagged", where="r < 6", kernel="roughness", axes=axes, keep=["galaxy"])
    sweep.run(tmp_path / "r.zarr", workers=0)
    shown = Explorer(tmp_path / "r.zarr", cube=survey)
    live = shown.data.live
    assert live is not None
    assert "e_v_obs" in live.packed.whole.points
    chosen = select(survey, sample="unflagged")
    wanted = (
        sigcube.kernels["roughness"].predict(chosen, K_0=0.8).where(chosen.r < 6).sel(galaxy=list(sweep.packed.systems))
    )
    found = shown.data.points_at({"K_0": 0.8}, shown.offer)["predicted"]
    np.testing.assert_allclose(found, wanted.values[wanted.notnull().values], rtol=1e-12)


def test_a_store_without_the_points_of_whole_systems_keeps_the_model_that_it_was_computed_with(
    survey: xr.Dataset, tmp_path: Path
) -> None:
    sweep = Sweep(survey, sample="unflagged", where="r < 6", kernel="roughness", axes={}, keep=["galaxy"])
    result = sweep.run(tmp_path / "r.zarr", workers=0)
    live = LiveModels.of(sweep)
    before = replace(live, packed=replace(live.packed, narrowed_from=None))
    shown = data_module._with_points(before, result, survey).packed
    assert "e_v_obs" in shown.points
    assert shown.narrowed_from is None


def test_accelerations_are_those_of_the_velocities(explorer: Explorer) -> None:
    view = sample_view(explorer.data, explorer.offer, PLACE)
    values = place_values(explorer.data, explorer.offer, PLACE)
    assert view is not None
    assert view.r is not None
    # g = v²/r, with the kpc of the papers to their digits.
    wanted = view.observed**2 / view.r * (1e6 / 3.086e19)
    assert view.accelerations(view.observed, values.points) == pytest.approx(wanted, rel=1e-3)


def test_another_cube_is_refused(explored: Path, mock_cube: xr.Dataset) -> None:
    with pytest.raises(SpecError, match="computed from another cube"):
        Explorer(explored, mock_cube)


@pytest.mark.parametrize("path", ["nothing.zarr", "."])
def test_what_is_no_result_is_refused(path: str, tmp_path: Path) -> None:
    with pytest.raises(SigcubeError):
        Explorer(tmp_path / path)


def test_a_result_of_whose_systems_some_were_selected_is_refused() -> None:
    with pytest.raises(SpecError, match="and not of those selected"):
        Explorer(kept_result().assign_attrs(n_systems=7).isel(galaxy=[2, 4]))


def test_a_result_without_its_models_is_shown_at_its_grid_points(tmp_path: Path) -> None:
    explorer = Explorer(small_result(), query="a.A=1.01&a.k=2.0&a.window=power")
    page = explorer.page()
    assert explorer.state.place["A"] == small_result().A.sel(A=1.01, method="nearest")
    assert "give the cube to see curves" in texts(page)
    stored = float(small_result().rms_mean.sel(explorer.state.place, method=None))
    assert f"{stored:.4g}" in texts(page)
    assert page._systems is None


@pytest.mark.parametrize(
    "spec",
    [
        '{"bogus": 1}',
        "[]",
        "x",
        "null",
        "7",
        '{"cube": "elsewhere.zarr"}',
        '{"sample": "all"}',
        '{"kernel": ["mond"], "metrics": 3, "reference": null}',
        '{"models": {"a": 1}, "metrics": [], "reference": null, "axes": []}',
        "[" * 100_000,
        5,
    ],
    ids=lambda spec: str(spec)[:12],
)
def test_a_spec_of_somebody_elses_making_leaves_the_values_of_the_grid(spec: Any, survey: xr.Dataset) -> None:
    result = Sweep(survey, sample="unflagged", kernel="mond", axes={"a0": [1e-10, 1.2e-10]}).compute()
    assert Explorer(result, survey).data.live is not None
    data = Explorer(result.assign_attrs(spec=spec), survey).data
    assert data.live is None
    assert data.note.startswith("values of the grid alone")


@pytest.fixture
def of_another_engine(explored: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of a store, as a version of sigcube sees it whose engine is another one."""
    shutil.copytree(explored, tmp_path / "cubes" / "results" / "explored.zarr")
    monkeypatch.setattr("sigcube.plan.identity._hash_engine", lambda: "0" * 16)
    return tmp_path / "cubes" / "results" / "explored.zarr"


def test_a_result_of_another_version_is_explored_if_its_values_come_out(
    of_another_engine: Path, explorer: Explorer
) -> None:
    data = Explorer(of_another_engine, explorer.data.cube).data
    assert data.note.endswith("computed again agree to the last bit")
    assert data.live is not None
    place = data.first_place()
    np.testing.assert_array_equal(
        data.values_at(place, explorer.offer)["rms"], explorer.data.values_at(place, explorer.offer)["rms"]
    )


@pytest.mark.parametrize(
    ("factor", "says"),
    [
        # Another order of the same sums.
        (1 + 2**-45, "agree to 3e-14"),
        (1 + 2**-29, "this one does not get its values"),
        # What was computed has no value now.
        (np.nan, "this one does not get its values"),
    ],
)
def test_how_far_another_version_is_decides(
    of_another_engine: Path, explorer: Explorer, factor: float, says: str
) -> None:
    stored = zarr.open_array(of_another_engine / "rms_median")
    stored[:] = stored[:] * factor
    data = Explorer(of_another_engine, explorer.data.cube).data
    assert data.note.endswith(says)
    assert (data.live is None) == ("not" in says)


def test_a_result_of_which_nothing_is_done_cannot_be_compared(
    half: Path, explorer: Explorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sigcube.plan.identity._hash_engine", lambda: "0" * 16)
    zarr.open_array(half / "status")[:] = PointStatus.TODO
    data = Explorer(half, explorer.data.cube).data
    assert data.note.endswith("no value yet at the grid points that would be compared")
    assert data.live is None


# The page as models.


def test_a_change_reaches_every_figure(explorer: Explorer) -> None:
    page = explorer.page()
    name = explorer.data.systems[4]
    page.change(page.state.changed(systems=(name,)).at(**BETWEEN))
    source = page.root.select_one({"name": "curves"})
    points = explorer.data.points_at(BETWEEN, explorer.offer)["predicted"]
    drawn = np.where(np.isfinite(source.data["won"]), source.data["won"], source.data["lost"])
    assert drawn[np.isfinite(drawn)] == pytest.approx(points, rel=1e-6)
    own = page._systems._one.source.data["a"]
    view = sample_view(explorer.data, explorer.offer, BETWEEN)
    assert own == pytest.approx(points[view.offsets[4] : view.offsets[5]], rel=1e-6)
    assert page.root.select_one({"name": "systems"}).selected.indices == [4]
    assert f"{name}: RMS A" in texts(page)
    assert "A is between grid points" in texts(page)
    assert page.controls.model.select({"type": DataTable}) is not None


@pytest.mark.parametrize(("size", "form"), [(1.0, NumberFormatter), (1e-12, ScientificFormatter)])
def test_the_list_of_systems_writes_numbers_of_any_size(size: float, form: type, explorer: Explorer) -> None:
    cards = explorer.page()._systems
    cards._listed.data["rms_a"] = size * cards._listed.data["rms_a"]
    table = cards.card_of_list(200).select_one({"type": DataTable})
    assert [type(column.formatter) for column in table.columns] == [StringFormatter, form, form]
    refuse_markup([table])


def test_picking_and_searching_systems_is_one_thing(explorer: Explorer) -> None:
    page = explorer.page()
    first, second = explorer.data.systems[:2]
    page.root.select_one({"name": "systems"}).selected.indices = [1]
    assert page.state.systems == (second,)
    page._systems._listed.selected.indices = [0, 1]
    # The one that was picked first stays the one that is shown by itself.
    assert page.state.systems == (second, first)
    page._systems._search("value", "", first.lower())
    assert page.state.systems == (first,)
    page._systems._search("value", "", "M31")
    assert "no galaxy is called so" in texts(page)


def test_what_cannot_be_is_said_and_changes_nothing(explorer: Explorer) -> None:
    page = explorer.page()
    page.change(page.state.changed(metric="nothing"))
    assert "there is no metric 'nothing'" in texts(page)
    page.change(page.state.at(A=1.0))
    assert "there is no metric" not in texts(page)


def test_axes_change_places_and_places_stay_within_the_grid(explorer: Explorer) -> None:
    page = explorer.page()
    page.change(page.state.changed(x="k", y="A"))
    assert page._map.plot.xaxis[0].axis_label.startswith("k")
    moved = page.controls.moved(page.state, A=99.0, k=-5.0)
    assert (moved.place["A"], moved.place["k"]) == (2.0, 0.5)
    on_grid = page.controls.moved(page.state.changed(nodes=True), A=1.01)
    assert on_grid.place["A"] == AXES["A"][3]


def test_two_places_are_beside_each_other(explorer: Explorer) -> None:
    other = {**PLACE, "A": 1.9}
    page = explorer.page(state=explorer.start.changed(other=other, moving="b", place=PLACE))
    columns = page._systems._one.source.data
    assert np.isfinite(columns["b"]).all()
    assert not np.array_equal(columns["a"], columns["b"])
    page.change(page.state.at(A=PLACE["A"]))
    assert np.array_equal(page._systems._one.source.data["a"], page._systems._one.source.data["b"])
    page.go_to_best()
    assert page.state.other == explorer.start.place


@pytest.mark.parametrize(
    ("axes", "figure"),
    [({"A": [0.5, 1.0, 2.0]}, "LineFigure"), ({"window": ["none", "geometric"]}, "NoneType"), ({}, "NoneType")],
)
def test_fewer_axes_make_a_line_or_a_table(axes: dict[str, Any], figure: str, survey: xr.Dataset) -> None:
    explorer = Explorer(Sweep(survey, sample="unflagged", kernel="sigma", axes=axes).compute(), survey)
    page = explorer.page()
    assert type(page._map).__name__ == figure
    if "window" in axes:
        assert "All places" in explorer.offer.tabs
        page.change(page.state.changed(tab="All places").at(window="geometric"))
        assert "window" in [column.title for table in page.root.select({"type": DataTable}) for column in table.columns]


def test_without_a_reference_systems_are_shown_by_what_tells_them_apart(survey: xr.Dataset) -> None:
    sweep = Sweep(survey, sample="unflagged", kernel="mond", axes={"a0": [1e-10, 1.2e-10, 1.4e-10]})
    explorer = Explorer(sweep.compute(), survey)
    assert explorer.start.up == "rms_a"
    shown = explorer.page().root.select_one({"name": "systems"}).data
    for name in ("across", "up"):
        assert np.isfinite(shown[name]).all()
        assert len(np.unique(shown[name])) > 1


def test_ticks_of_small_numbers_are_few_and_short(survey: xr.Dataset) -> None:
    sweep = Sweep(survey, sample="unflagged", kernel="mond", axes={"a0": [6e-11, 1.2e-10, 2.4e-10]})
    page = Explorer(sweep.compute(), survey).page()
    (legend,) = page._map.plot.above
    # Samples of their own: the source of B is empty until there is one.
    assert [item.label.value for item in legend.items] == ["A", "B"]
    assert all(len(each.data_source.data["x"]) for item in legend.items for each in item.renderers)
    assert isinstance(page._systems._one.residuals.yaxis[0].formatter, CustomJSTickFormatter)
    page.change(page.state.changed(tab="Profiles"))
    (profile,) = page._answers.figures
    for plot in (page._map.plot, profile):
        assert plot.xaxis[0].ticker.args["most"] <= 5
        assert isinstance(plot.yaxis[0].formatter, CustomJSTickFormatter)


def test_landmarks_have_titles_without_empty_units_and_no_axis_in_common() -> None:
    cube = synthetic_cube(KINDS["landmark"], systems=6)
    page = Explorer(Sweep(cube, kernel="mond", axes={"a0": [1e-10, 1.2e-10, 1.4e-10]}).compute(), cube).page()
    one = page._systems._one
    assert (one.plot.yaxis[0].axis_label, one.residuals.yaxis[0].axis_label) == ("value", "residual")
    # Of a single residual, the range would be as small as rounding.
    assert one.residuals.y_range.start <= 0.0 <= one.residuals.y_range.end
    assert "All 6 landmarks" not in texts(page)
    assert "System by system" in texts(page)


def test_units_stand_in_print_at_the_best_and_at_the_place(survey: xr.Dataset) -> None:
    sweep = Sweep(survey, sample="unflagged", kernel="mond", axes={"a0": [1e-10, 1.2e-10]}, metrics=["rms"])
    result = sweep.compute()
    result["rms_median"] = (result["rms_median"] * 1e12).assign_attrs(result["rms_median"].attrs | {"units": "solMass"})
    data = Explorer(result).data
    (tab,) = [tab for tab in TABS if tab.title == "Best"]
    _, axes, there = tab.content(Explorer(result).start, data)
    assert [row[0] for row in axes.rows] == ["a0 [m/s²]"]
    assert {row[0]: row[2] for row in there.rows}["rms_median"] == "M☉"
    values = PlaceValues({name: -4.2371e13 for name in data.metrics}, None, {}, True)
    alone, beside = values_text(data, values, None).splitlines(), values_text(data, values, values).splitlines()
    assert "rms_median [M☉] -4.237e+13" in alone
    assert "rms_median [M☉] -4.237e+13 -4.237e+13" in beside
    assert max(map(len, beside)) <= 40


def test_an_evidence_that_the_grid_does_not_resolve_has_no_error(explorer: Explorer) -> None:
    x = np.arange(8.0)
    of = -2000.0 * (x[np.newaxis] - 3.0) ** 2
    result = xr.Dataset({"loglike": (("galaxy", "x"), of)}, {"galaxy": ["a"], "x": x})
    (tab,) = [tab for tab in TABS if tab.title == "Posterior"]
    text, *_ = tab.content(explorer.start, cast("ExplorerData", SimpleNamespace(result=result)))
    assert "which the spacing of the grid does not resolve" in text
    assert "inf" not in text


def test_a_table_scrolls_where_it_would_cut_its_numbers() -> None:
    scrolls = small_table(CardTable(("axis", "best"), [("g_dagger [m/s²]", "1.2×10⁻¹⁰")]))
    (table,) = scrolls.children
    assert scrolls.styles["overflow-x"] == "auto"
    assert table.min_width >= 8 * len("g_dagger [m/s²]1.2×10⁻¹⁰")


def test_a_difference_of_ln_l_is_seen(explorer: Explorer) -> None:
    a, b = (PlaceValues(dict.fromkeys(explorer.data.metrics, value), None, {}, True) for value in (-95476.2, -95478.2))
    assert "-95476.2   -95478.2" in values_text(explorer.data, a, b)
    assert max(map(len, values_text(explorer.data, a, b).splitlines())) <= 40
    assert plain_row(-95476.2, 17.17248, 1.2e-10, 1234) == ("-95476.2", "17.17", "1.2×10⁻¹⁰", "1,234")


def test_what_is_not_computed_yet_is_said_and_filled_in(half: Path, explored_sweep: sigcube.Sweep) -> None:
    explorer = Explorer(half)
    place = {**PLACE, "window": "geometric"}
    page = explorer.page(state=explorer.start.changed(place={**place, "window": "power"}))
    assert "Not computed yet: 100% of what is shown" in texts(page)
    # A model is known there all the same.
    assert np.isfinite(page._systems._one.source.data["a"]).all()
    page.change(page.state.at(window="geometric"))
    assert "Not computed yet" not in texts(page)
    before = sorted((each.name, each.stat().st_mtime_ns) for each in half.rglob("*"))
    page.change(page.state.at(window="power", A=1.1))
    assert sorted((each.name, each.stat().st_mtime_ns) for each in half.rglob("*")) == before
    explored_sweep.run(half, workers=0)
    page.refresh()
    assert "Not computed yet" not in texts(page)


class Waiting:
    """What a page asks to be called later, until a test calls it."""

    def __init__(self) -> None:
        self.calls: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()

    def run(self) -> None:
        """Call the next one, once it is there."""
        self.calls.get(timeout=20)()


def test_drawing_takes_its_share_of_the_time_alone(
    half: Path, explored_sweep: sigcube.Sweep, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, waiting, looks = [100.0], Waiting(), []
    for module in (follow_module, page_module):
        monkeypatch.setattr(module, "monotonic", lambda: now[0])
    page = Explorer(half).page(later=waiting.calls.put)
    follow(page, lambda look, _: looks.append(look))
    (look,) = looks
    drawn, draw = [], page._draw

    def slow() -> None:
        drawn.append(now[0])
        now[0] += 3.0
        draw()

    monkeypatch.setattr(page, "_draw", slow)
    journal = half / "journal" / "blocks.jsonl"

    def grow_and_look() -> None:
        now[0] += 1.0
        stat = journal.stat()
        os.utime(journal, ns=(stat.st_atime_ns, stat.st_mtime_ns + 10**9))
        look()

    grow_and_look()
    # It is only ahead: looking again asks for no second drawing, nor does the time pass for it.
    now[0] += 100.0
    grow_and_look()
    waiting.run()
    assert (drawn, waiting.calls.empty()) == ([202.0], True)
    # A drawing of 3 s, of a look at 101, allows the next one at 116: long ago. That one, at 206, allows one at 221.
    grow_and_look()
    waiting.run()
    assert drawn == [202.0, 206.0]
    for _ in range(11):
        grow_and_look()
    assert (now[0], waiting.calls.empty()) == (220.0, True)
    grow_and_look()
    waiting.run()
    assert drawn == [202.0, 206.0, 221.0]


# Tabs, copies, files.


def test_answers_are_computed_one_at_a_time_and_the_newest_question_is_shown(
    explorer: Explorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answers, "_MANY", 0)
    begun, go, waiting = queue.SimpleQueue(), queue.SimpleQueue(), Waiting()
    place, change = [1.0], lambda state: None

    def content(state: ExplorerState, data: ExplorerData) -> list[str]:
        begun.put(state.place["A"])
        return [f"{state.place['A']}: {go.get(timeout=20)}"]

    tab = ExplorerTab("mine", content, of_place=True)
    state = explorer.start.changed(tab="mine")
    card = Answers(explorer.data, [tab], state=lambda: state.at(A=place[0]), change=change, later=waiting.calls.put)

    def shown() -> str:
        return "".join(each.text for each in card._body.children)

    card.show(anew=True)
    assert begun.get(timeout=20) == 1.0
    # The sweep goes on: the same question again, several times, then another one.
    for place[0], anew in ((1.0, True), (1.0, True), (1.1, False), (1.2, False), (1.2, True)):
        card.show(anew=anew)
    go.put("old")
    waiting.run()
    assert shown() == "The answer is being computed …"
    assert begun.get(timeout=20) == 1.2
    # A second answer to the question that is shown follows the first, which stays until then.
    card.show(anew=True)
    go.put("first")
    waiting.run()
    assert shown() == "1.2: first"
    assert begun.get(timeout=20) == 1.2
    card.show(anew=True)
    assert shown() == "1.2: first"
    go.put("second")
    waiting.run()
    assert shown() == "1.2: second"
    go.put("third")
    waiting.run()
    assert (shown(), begun.get(timeout=20), begun.empty()) == ("1.2: third", 1.2, True)


@pytest.mark.parametrize("many", [0, 10**9], ids=["beside", "at once"])
def test_a_tab_that_fails_says_so(
    many: int, explorer: Explorer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(answers, "_MANY", many)
    waiting = Waiting()

    def content(state: ExplorerState, data: ExplorerData) -> list[str]:
        raise ZeroDivisionError("of its own")

    page = Explorer(explorer.data.path, tabs=[ExplorerTab("mine", content)]).page(later=waiting.calls.put)
    if many == 0:
        waiting.run()
    said = "This question has no answer, for an error in its code: ZeroDivisionError: of its own"
    assert said in texts(page)
    assert "ZeroDivisionError" in caplog.text


def test_an_answer_for_a_page_that_was_closed_is_dropped(explorer: Explorer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "_MANY", 0)
    ended: list[Thread] = []
    start = Thread.start
    monkeypatch.setattr(Thread, "start", lambda thread: (ended.append(thread), start(thread)))

    def closed(then: Callable[[], None]) -> None:
        raise RuntimeError("the session is closed")

    # An exception that ends a thread is a warning, and so an error, of pytest.
    Explorer(explorer.data.path, tabs=[ExplorerTab("mine", lambda *_: ["yes"])]).page(later=closed)
    (thread,) = [each for each in ended if each.name == "sigcube-explorer-answer"]
    thread.join(timeout=20)
    assert not thread.is_alive()


def test_every_tab_has_an_answer(explorer: Explorer) -> None:
    applying = [tab for tab in TABS if tab.applies(explorer.data)]
    assert [tab.title for tab in applying] == [
        "Best",
        "Profiles",
        "Sensitivity",
        "Ablation",
        "Specification curve",
        "Robustness",
        "Hold-out",
        "Bootstrap",
        "Trade-off",
    ]
    for tab in applying:
        for metric in ("rms_mean", "win_rate", "scatter_g"):
            found = tab.content(explorer.start.changed(metric=metric), explorer.data)
            assert isinstance(found[0], str)
            assert len(found) > 1, tab.title
            assert all(len(row) == len(each.head) for each in found if isinstance(each, CardTable) for row in each.rows)


def test_tabs_say_what_the_questions_answer(explorer: Explorer) -> None:
    def table(title: str, place: int = 0) -> list[tuple[str, ...]]:
        (tab,) = [tab for tab in TABS if tab.title == title]
        found = tab.content(explorer.start.changed(metric="win_rate"), explorer.data)
        return list([each for each in found if isinstance(each, CardTable)][place].rows)

    result = explorer.data.result
    share = float(analysis.robustness(result.win_rate, threshold=0.5).share.sel(role="all"))
    assert table("Robustness")[-1][2] == f"{share:.1%}"
    held_out = analysis.holdout(result, by="win_rate", folds=10)
    assert len(table("Hold-out")) == held_out.sizes["fold"]
    drawn = analysis.bootstrap(result, "win_rate", n=1000)
    assert table("Bootstrap")[0][-1] == f"{float(drawn.share_best.max()):.1%}"
    assert {row[0] for row in table("Trade-off")} == {*explorer.data.metrics} - {"win_rate"}


def test_a_tab_of_ones_own_is_one_record(explored: Path) -> None:
    def content(state: ExplorerState, data: ExplorerData) -> list[Any]:
        return [f"A is {state.place['A']}", CardTable(("<b>",), [("<i>",)])]

    page = Explorer(explored, tabs=[ExplorerTab("mine", content)], query="a.A=1.25").page()
    assert "A is 1.25" in texts(page)
    (table,) = [each for each in page.root.select({"type": DataTable}) if len(each.columns) == 1]
    assert table.columns[0].title == "&lt;b&gt;"


def test_the_copied_spec_and_the_copied_script_give_the_model_that_is_shown(
    explorer: Explorer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = explorer.page(state=explorer.start.changed(place=BETWEEN))
    shown = page._place(BETWEEN).summaries
    spec = tmp_path / "copied.toml"
    spec.write_text(page._copies["spec"].text, encoding="utf-8")
    assert tomllib.loads(spec.read_text(encoding="utf-8"))["fixed"]["k"] == BETWEEN["k"]
    again = Sweep.from_toml(spec).compute()
    monkeypatch.setattr("builtins.print", lambda *_: None)
    ran: dict[str, Any] = {}
    exec(page._copies["Python"].text, ran)
    for name, value in shown.items():
        assert float(again[name]) == float(ran["sweep"].compute()[name]) == value


def test_a_label_that_does_not_use_an_axis_leaves_it_out_of_the_spec(explorer: Explorer) -> None:
    page = explorer.page(state=explorer.start.changed(place={**PLACE, "window": "geometric"}, x="k", y="A"))
    assert "k" not in tomllib.loads(page._copies["spec"].text)["fixed"]
    assert "With these labels k makes no difference" in texts(page)


def test_a_view_is_saved_as_one_file(explorer: Explorer, tmp_path: Path) -> None:
    html = explorer.save(tmp_path / "view.html", state=explorer.start.changed(place=BETWEEN)).read_text(
        encoding="utf-8"
    )
    assert "A view of the explorer at window = power, k = 1.234" in html
    assert "model A" in html
    assert "mond" in html
    assert "src=" not in html.split("</head>")[0]


def test_a_saved_view_opens_at_the_view(explorer: Explorer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written: dict[str, Any] = {}

    def write(path: Path, cards: list[Any], **words: Any) -> Path:
        written.update(words, cards=cards)
        return path

    monkeypatch.setattr(sys.modules["sigcube.explore.result_page"], "write_page", write)
    # Neither place is the best point, nor the galaxy the one in which the models differ most.
    data = explorer.data
    for place, other in ((PLACE, None), ({**PLACE, "window": "geometric", "k": 0.5}, BETWEEN)):
        state = explorer.start.changed(place=place, other=other, x="xi_scale", y="A")
        for system in (data.systems[2], data.systems[9]):
            explorer.save(tmp_path / "view.html", state=state.changed(systems=(system,)))
            cards = {card.title: card for card in written["cards"]}
            _, window, k = (control for _, control in cards["Map over xi_scale and A"].controls)
            assert ("geometric", "power")[window.active] == place["window"]
            assert AXES["k"][int(k.value)] == place["k"]
            galaxies = cards["One galaxy"].controls[0][1]
            assert galaxies.options[int(galaxies.value)][1] == system
            (plot,) = cards["Map over xi_scale and A"].figures
            drawn = {item.label.value: item.renderers[0].visible for item in plot.legend[0].items}
            assert drawn["A"]
            # B is under the other window, and so not on this map until that is chosen.
            assert ("B" in drawn) == (other is not None)
            assert ("model B at window = power, k = 1.234" in written["subtitle"]) == (other is not None)


def test_a_notebook_cell_shows_the_page(explorer: Explorer, monkeypatch: pytest.MonkeyPatch) -> None:
    # What panel asks of a notebook: to put something beside the cell.
    stand_in = ModuleType("IPython.display")
    monkeypatch.setattr(stand_in, "display", lambda *_, **__: None, raising=False)
    for name, module in (("IPython", ModuleType("IPython")), ("IPython.display", stand_in)):
        monkeypatch.setitem(sys.modules, name, module)
    sent = []
    monkeypatch.setattr("panel.io.push_notebook", sent.append)
    data, _ = explorer._repr_mimebundle_()
    assert "explored" in data["text/html"]
    page = explorer._page
    assert page is not None
    page.change(page.state.at(A=1.2345))
    assert explorer.state.place["A"] == 1.2345
    assert len(sent) == 1


def test_sigcube_alone_imports_neither_panel_nor_bokeh() -> None:
    code = "import sys, sigcube; print([n for n in ('panel', 'bokeh', 'hvplot') if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("values", "span"),
    [
        ([0.0, 96.0], (0.0, 100.0)),
        # A model that changes a little keeps the axis as it is.
        ([0.0, 97.0], (0.0, 100.0)),
        ([-163.0, 51.0], (-200.0, 100.0)),
        ([5.0, 5.0], (5.0, 5.0 + 1e-12)),
        ([np.nan], (0.0, 1.0)),
        # Accelerations [m/s²].
        ([1.1e-13, 4.9e-13], (1e-13, 5e-13)),
    ],
)
def test_axes_end_at_round_numbers(values: list[float], span: tuple[float, float]) -> None:
    low, high = rounded_span(np.array(values))
    assert (low, high) == pytest.approx(span, abs=0.0)
    assert high > low


def test_the_page_holds_small_numbers(explorer: Explorer) -> None:
    """What a change sends is made of 4-byte floats."""
    source = explorer.page().root.select_one({"name": "curves"})
    assert {str(values.dtype) for values in source.data.values()} == {"float32"}
    assert json.dumps(explorer.start.to_query())
