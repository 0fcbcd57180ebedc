"""Terms at the points of a system: the bits of the kernels' ufuncs, and sums as the loop of a sweep adds them up."""

import numpy as np
import pytest
import xarray as xr

import sigcube
from sigcube.cube import select
from sigcube.engine import PointTerms, evaluate_sums
from sigcube.sweep import Sweep

CASES = [
    ("sigma", {"window": "free_scale"}, {"A": [0.5, 2.0], "xi": [0.2, 3.0]}),
    (
        "sigma",
        {"window": "dynamical"},
        {"A": [0.5, 2.0], "k_xi": [0.2, 0.4], "upsilon_disk": [0.4, 0.6]},
    ),  # a reduction
    ("nfw", {}, {"log_m200": [10.0, 12.0], "c": [3.0, 20.0]}),
    ("mond", {}, {"a0": [1e-10, 2e-10]}),
]


@pytest.mark.slow
@pytest.mark.parametrize(("kernel", "settings", "axes"), CASES)
def test_points_are_those_of_the_loop_and_of_the_ufuncs(
    mock_cube: xr.Dataset, kernel: str, settings: dict[str, str], axes: dict[str, list[float]]
) -> None:
    sweep = Sweep(mock_cube, sample="unflagged", kernel=kernel, fixed=settings, axes=axes, metrics=["chi2", "rms"])
    model = sweep.plan(probe=False).sections[0].model
    assert [name for name, _ in model.swept] == list(axes)
    terms = PointTerms(model, sweep.packed, ("pull", "residual", "predicted"))
    sums = evaluate_sums(model, sweep.packed, {name: np.array(values) for name, values in axes.items()})
    last = {name: values[-1] for name, values in axes.items()}
    chosen = select(mock_cube, sample="unflagged")
    predicted = sigcube.kernels[kernel].predict(chosen, **settings, **last)
    for i, system in enumerate(sweep.packed.systems[:7]):
        pull, residual, at_points = terms(np.array(list(last.values())), i)
        np.testing.assert_allclose((pull**2).sum(), sums["chi_sq"][(i, *[-1] * len(axes))], rtol=1e-13)
        np.testing.assert_allclose((residual**2).sum(), sums["residual_sq"][(i, *[-1] * len(axes))], rtol=1e-13)
        expected = predicted.sel(galaxy=system).values
        np.testing.assert_array_equal(at_points, expected[np.isfinite(chosen.v_obs.sel(galaxy=system).values)])


@pytest.mark.slow
def test_under_a_condition_terms_of_whole_systems_go_over_points_that_are_not_compared(mock_cube: xr.Dataset) -> None:
    terms = {"kernel": "mass_coherence", "fixed": {"velocity": "baryonic"}, "axes": {"K_max": [0.5, 1.0]}}
    sweep = Sweep(mock_cube, sample="unflagged", where="r > 4", metrics=["rms"], **terms)
    points = PointTerms(sweep.plan(probe=False).sections[0].model, sweep.packed, ("predicted",))
    chosen = select(mock_cube, sample="unflagged")
    predicted = sigcube.kernels["mass_coherence"].predict(chosen, velocity="baryonic", K_max=0.7)
    for i, system in enumerate(sweep.packed.systems):
        expected = predicted.sel(galaxy=system).where(chosen.r.sel(galaxy=system) > 4).dropna("radius")
        np.testing.assert_array_equal(points(np.array([0.7]), i)[0], expected)


def test_a_part_of_a_graph_holds_what_is_behind_its_targets(mock_cube: xr.Dataset) -> None:
    sweep = Sweep(mock_cube, kernel="sigma", axes={"A": [1.0, 2.0]}, metrics=["chi2", "rms", "scatter_g"])
    graph = sweep.plan(probe=False).sections[0].model.graph
    part = graph.only("residual")
    assert part.targets == ("residual",)
    names = [node.name for node in part.nodes]
    assert {"boost", "predicted", "residual"} <= set(names)
    assert not {"pull", "chi_sq", "log_ratio"} & set(names)
