"""Leaving systems out on a grid: exactly what a posterior without them predicts; and models compared by it."""

from typing import Any

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

import sigcube
from sigcube.analysis import compare, leave_one_out, marginalise, posterior
from sigcube.analysis.prior_weights import axis_priors
from sigcube.errors import SpecError
from sigcube.plan.values import PointStatus

NAMES = [f"G{i}" for i in range(7)]


def result_of(*, seed: int = 0, n: int = 21, shift: float = 0.0, scale: float = 1.0) -> xr.Dataset:
    """Seven galaxies with Gaussian likelihoods in x, about `shift`, and a y on which nothing depends."""
    rng = np.random.default_rng(seed)
    x, y = np.linspace(-3, 3, n), np.linspace(0.0, 1.0, 4)
    at = rng.normal(0.0, 0.5, len(NAMES))[:, np.newaxis]
    values = scale * (-0.5 * ((x - at - shift) / 0.5) ** 2 - 0.5 * shift**2)
    values = np.repeat(values[..., np.newaxis], 4, axis=2)
    coords = {"galaxy": np.array(NAMES, dtype=object), "x": x, "y": y}
    return xr.Dataset({"loglike": (("galaxy", "x", "y"), values)}, coords, {"synthetic": 1, "n_points": 50})


@pytest.mark.slow
@given(seed=st.integers(0, 1000), scale=st.sampled_from([0.01, 1.0, 50.0]))
def test_it_is_what_the_evidence_without_the_galaxy_says(seed: int, scale: float) -> None:
    result = result_of(seed=seed, n=7, scale=scale)
    prior = {"x": sigcube.normal(0.2, 1.5)}
    found = leave_one_out(result, prior=prior)
    whole = posterior(result, prior=prior)["log_evidence"].item()
    for name in NAMES:
        others = result.sel(galaxy=[other for other in NAMES if other != name])
        refitted = posterior(others, prior=prior)["log_evidence"].item()
        assert found["elpd"].sel(galaxy=name).item() == pytest.approx(whole - refitted, abs=1e-11 * (1 + abs(whole)))
    assert found["log_evidence"].item() == pytest.approx(whole, abs=1e-11 * (1 + abs(whole)))


def test_what_is_impossible_for_one_galaxy_is_held_against_it_alone() -> None:
    result = result_of()
    result["loglike"][0, 8:] = -np.inf
    found = leave_one_out(result)
    # By the densities themselves: weights of the rule, and no logarithm that could be lost.
    weights = axis_priors(result["loglike"], None)
    prior = np.outer(*(weights[dim].probability for dim in ("x", "y")))
    each = np.exp(result["loglike"].values)
    for i in range(len(NAMES)):
        others = np.prod(np.delete(each, i, axis=0), axis=0)
        expected = np.log((prior * others * each[i]).sum() / (prior * others).sum())
        assert found["elpd"].values[i] == pytest.approx(expected, rel=1e-10)
    assert found["n_invalid"].item() == 0
    classes = xr.DataArray(["a", "a", *"bcdef"], dims="galaxy", coords={"galaxy": NAMES})
    alone = leave_one_out(result, groups=classes)["elpd"].values[0]
    rest = np.prod(each[2:], axis=0)
    assert alone == pytest.approx(np.log((prior * rest * each[0] * each[1]).sum() / (prior * rest).sum()), rel=1e-10)


def test_points_without_a_likelihood_are_counted() -> None:
    result = result_of()
    result["loglike"][2, :3, 1] = np.nan
    assert leave_one_out(result)["n_invalid"].item() == 3


@pytest.mark.parametrize("state", ["todo", "failed", "killed"])
def test_a_result_in_part_is_refused(state: str) -> None:
    result = result_of()
    status = np.full((21, 4), int(PointStatus.DONE), dtype=np.uint8)
    status[3, 1:] = int(PointStatus[state.upper()])
    result["status"] = ("x", "y"), status
    for question in (leave_one_out, posterior):
        with pytest.raises(SpecError, match=rf"not whole.*\n  where: status\n  found: 3 grid points {state}"):
            question(result)
    assert np.isfinite(posterior(result.isel(x=slice(4, None)))["log_evidence"].item())


def test_its_parts_are_as_defined(monkeypatch: pytest.MonkeyPatch) -> None:
    result = result_of()
    found = leave_one_out(result)
    weight = np.exp(result.loglike.sum("galaxy"))
    post = weight * xr.DataArray(np.where(np.isin(np.arange(21), (0, 20)), 0.5, 1.0), dims="x")
    # At the ends nothing is left, so that any rule has the same weights where it counts; y does not matter.
    mean = (post.isel(y=0) * np.exp(result.loglike.isel(y=0))).sum("x") / post.isel(y=0).sum("x")
    assert found["lpd"].values == pytest.approx(np.log(mean).values, rel=1e-6)
    assert found["p_loo"].item() == pytest.approx(float((found["lpd"] - found["elpd"]).sum()))
    assert 0.2 < found["p_loo"].item() < 2.0
    assert found["se"].item() == pytest.approx(np.sqrt(7) * found["elpd"].values.std(ddof=1))
    monkeypatch.setattr("sigcube.analysis.likelihoods._PART", 60)
    xr.testing.assert_allclose(leave_one_out(result.chunk({"x": 4})), found, rtol=1e-10)


def test_a_class_is_left_out_as_a_whole() -> None:
    result = result_of()
    # The classes may come from a cube with more galaxies, in another order.
    names = [*reversed(NAMES), "G9"]
    classes = xr.DataArray(["Sb" if name < "G3" else "Im" for name in names], dims="galaxy", coords={"galaxy": names})
    found = leave_one_out(result, groups=classes)
    assert found["group"].values.tolist() == ["Sb", "Im"]
    assert found["n_systems"].values.tolist() == [3, 4]
    whole = posterior(result)["log_evidence"].item()
    without = posterior(result.isel(galaxy=slice(3, None)))["log_evidence"].item()
    assert found["elpd"].sel(group="Sb").item() == pytest.approx(whole - without, abs=1e-10)


def test_models_are_ranked_by_what_they_predict() -> None:
    models = {"far": result_of(shift=1.0), "near": result_of(), "held": result_of().isel(x=[10])}
    found = compare(models)
    assert found["model"].values[-1] == "far"
    assert found["rank"].values.tolist() == [1, 2, 3]
    first = str(found["model"].values[0])
    alone = {name: leave_one_out(result) for name, result in models.items()}
    for name, own in alone.items():
        row = found.sel(model=name)
        assert row["elpd_loo"].item() == pytest.approx(own["elpd_loo"].item())
        assert row["se"].item() == pytest.approx(own["se"].item())
        assert row["p_loo"].item() == pytest.approx(own["p_loo"].item(), abs=1e-9)
        less = alone[first]["elpd"].values - own["elpd"].values
        assert row["elpd_diff"].item() == pytest.approx(less.sum())
        assert row["dse"].item() == pytest.approx(np.sqrt(7) * less.std(ddof=1), abs=1e-12)
    assert dict(zip(found["model"].values, found["n_parameters"].values, strict=True)) == {
        "far": 1,
        "near": 1,
        "held": 0,
    }
    assert found["probability"].sum().item() == pytest.approx(1.0)
    ratio = found["probability"].sel(model="near") / found["probability"].sel(model="far")
    gap = found["log_evidence"].sel(model="near") - found["log_evidence"].sel(model="far")
    assert np.log(ratio).item() == pytest.approx(gap.item())


def test_galaxies_in_another_order_are_the_same_galaxies() -> None:
    one, other = result_of(), result_of(shift=0.5)
    xr.testing.assert_allclose(
        compare({"a": one, "b": other.isel(galaxy=slice(None, None, -1))}), compare({"a": one, "b": other})
    )


def test_a_nuisance_may_be_integrated_before() -> None:
    result = result_of()
    marginal = marginalise(result, {"y": sigcube.uniform(0.0, 1.0)})
    assert leave_one_out(marginal)["elpd"].values == pytest.approx(leave_one_out(result)["elpd"].values)


@pytest.mark.parametrize(
    ("other", "how", "says"),
    [
        (result_of().isel(galaxy=slice(0, 5)), {}, r"'a' has systems that 'b' does not have(.|\n)*found: G5, G6"),
        (result_of().assign_coords(galaxy=[*NAMES[:-1], "X"]), {}, r"'b' has systems that 'a' does not(.|\n)*found: X"),
        (result_of().assign_attrs(n_points=51), {}, r"not of the same data(.|\n)*where: n_points(.|\n)*50 and 51"),
        # No floor is a floor as well.
        (
            result_of().assign_attrs(error_floor=5.0),
            {},
            r"not of the same data(.|\n)*where: error_floor(.|\n)*none and 5",
        ),
        (result_of(), {"prior": {"z": sigcube.normal(0, 1)}}, "no result has an axis 'z'"),
    ],
)
def test_models_of_other_data_are_refused(other: xr.Dataset, how: dict[str, Any], says: str) -> None:
    with pytest.raises(SpecError, match=says):
        compare({"a": result_of(), "b": other}, **how)


def test_what_cannot_be_known_or_differs_is_said() -> None:
    bare = result_of()
    bare.attrs.pop("n_points")
    told = compare({"a": result_of(), "b": bare})["cautions"].values
    assert all("nothing says of which data b are" in text for text in told)
    other = result_of().assign_attrs(errors="distance of each system marginalised")
    told = compare({"a": result_of(), "b": other})["cautions"].values
    assert all("not the same: a: as quoted, b: distance of each system" in text for text in told)
    same = compare({"a": result_of(), "b": result_of()})["cautions"].values
    assert not any("not the same" in text or "nothing says" in text for text in same)


def test_what_cannot_be_left_out_is_refused() -> None:
    result = result_of()
    with pytest.raises(SpecError, match="models are compared with each other"):
        compare({"a": result})
    with pytest.raises(SpecError, match="there is nothing to leave out"):
        leave_one_out(result.isel(galaxy=[0]))
    few = xr.DataArray(["Sb"], dims="galaxy", coords={"galaxy": ["G0"]})
    with pytest.raises(SpecError, match="'G1' has no class"):
        leave_one_out(result, groups=few)
    with pytest.raises(SpecError, match="classes are given for each galaxy"):
        leave_one_out(result, groups=xr.DataArray([1.0], dims="radius"))
    with pytest.raises(SpecError, match=r"no grid point has a finite likelihood(.|\n)*status tells why"):
        leave_one_out(result * np.nan)
    result["loglike"][2] = np.nan
    with pytest.raises(SpecError, match=r"no grid point has a finite likelihood(.|\n)*G2 have none of their own"):
        leave_one_out(result)
