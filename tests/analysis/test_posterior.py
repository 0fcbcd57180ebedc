"""Posteriors on a grid: against closed forms, brute force, and however the result is held and cut."""

from math import exp, log, pi, sqrt
from typing import Any

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.integrate import simpson

import sigcube
from sigcube.analysis import marginalise, posterior
from sigcube.analysis.prior_weights import quadrature
from sigcube.analysis.priors import read_prior
from sigcube.errors import SpecError
from tests.results import kept_result

GALAXIES = 6


def gaussian_result(*, x: Any = None, y: Any = None, width: float = 0.4, roles: str = "physical") -> xr.Dataset:
    """Six galaxies, each with a Gaussian likelihood in x and y, and a label that takes one from ln L."""
    x = np.linspace(-4.0, 4.0, 81) if x is None else np.asarray(x, dtype=float)
    y = np.linspace(0.2, 3.0, 57) if y is None else np.asarray(y, dtype=float)
    rng = np.random.default_rng(3)
    at = rng.normal(0.3, width, GALAXIES)
    of_x = -0.5 * ((x - at[:, np.newaxis]) / width) ** 2
    of_y = -0.5 * ((y - 1.4) / 0.5) ** 2 / GALAXIES
    of_label = np.array([0.0, -1.0]) / GALAXIES
    values = of_x[:, :, None, None] + of_y[None, None, :, None] + of_label
    coords = {
        "galaxy": np.array([f"G{i}" for i in range(GALAXIES)], dtype=object),
        "x": ("x", x, {"units": "kpc", "role": roles}),
        "y": ("y", y, {"units": ""}),
        "window": ("window", np.array(["geometric", "none"], dtype=object)),
    }
    attrs = {"units": "", "best": "largest"}
    return xr.Dataset({"loglike": (("galaxy", "x", "y", "window"), values, attrs)}, coords, {"synthetic": 1})


def brute(result: xr.Dataset, **densities: Any) -> Any:
    """The sum of L × prior over the grid, by the trapezoidal rule of SciPy on the whole array."""
    total = result.loglike.sum("galaxy")
    weight = np.exp(total - total.max())
    for axis, density in densities.items():
        weight = weight * xr.DataArray(density(result[axis].values), dims=axis)
    for axis in densities:
        weight = weight.integrate(axis)
    return weight, float(total.max())


def test_a_gaussian_has_its_closed_form() -> None:
    result = gaussian_result()
    found = posterior(result, prior={"x": sigcube.normal(0.0, 0.7), "window": {"geometric": 0.5, "none": 0.5}})
    at = np.random.default_rng(3).normal(0.3, 0.4, GALAXIES)
    # The product of a normal prior and six normal likelihoods.
    precision = 1 / 0.7**2 + GALAXIES / 0.4**2
    mean, sd = (at.sum() / 0.4**2) / precision, 1 / sqrt(precision)
    of = found.sel(axis="x")
    assert of["mean"].item() == pytest.approx(mean, abs=1e-10)
    assert of["median"].item() == pytest.approx(mean, abs=1e-6)
    assert of["sd"].item() == pytest.approx(sd, rel=1e-8)
    for level, z in ((0.68, stats.norm.ppf(0.84)), (0.95, stats.norm.ppf(0.975))):
        assert of["low"].sel(level=level).item() == pytest.approx(mean - z * sd, abs=1e-5)
        assert of["high"].sel(level=level).item() == pytest.approx(mean + z * sd, abs=1e-5)
        assert of["region_low"].sel(level=level).item() == pytest.approx(mean - z * sd, abs=3e-3)
        assert of["region_high"].sel(level=level).item() == pytest.approx(mean + z * sd, abs=3e-3)
    log_x = -0.5 * (at**2).sum() / 0.4**2 + 0.5 * precision * mean**2 - log(0.7 * sqrt(2 * pi)) + log(sd * sqrt(2 * pi))
    # The likelihood of y over its range, which cuts it.
    inside = stats.norm(1.4, 0.5).cdf(3.0) - stats.norm(1.4, 0.5).cdf(0.2)
    log_y = log(inside * 0.5 * sqrt(2 * pi) / 2.8)
    log_z = log_x + log_y + log(0.5 * (1 + exp(-1)))
    assert found["log_evidence"].item() == pytest.approx(log_z, abs=1e-6)
    assert found["p_window"].values == pytest.approx([1 / (1 + exp(-1)), exp(-1) / (1 + exp(-1))], abs=1e-12)
    assert found["p_x"].integrate("x").item() == pytest.approx(1.0, abs=1e-9)
    assert found["at_bound"].sel(axis="x").item() == 0
    assert found["log_evidence_error"].item() < 1e-3
    assert found.attrs["cautions"] == "the posterior of y has not gone at its lower end"
    assert found["prior"].values.tolist() == ["normal(0.0, 0.7)", "uniform(0.2, 3.0)", "weights 0.5, 0.5"]


@st.composite
def grids(draw: st.DrawFn) -> xr.Dataset:
    """A few galaxies on a grid of uneven values, some points without a likelihood."""
    shape = tuple(draw(st.lists(st.integers(2, 5), min_size=1, max_size=3)))
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    values = rng.normal(0.0, draw(st.sampled_from([1.0, 30.0, 2000.0])), (3, *shape))
    if draw(st.booleans()):
        values[0].flat[0] = np.nan
    dims = ("u", "v", "w")[: len(shape)]
    coords = {dim: np.cumsum(rng.uniform(0.1, 1.0, n)) for dim, n in zip(dims, shape, strict=True)}
    return xr.Dataset({"loglike": (("galaxy", *dims), values)}, {"galaxy": ["a", "b", "c"], **coords})


@pytest.mark.slow
@given(result=grids())
def test_sums_are_those_of_brute_force(result: xr.Dataset) -> None:
    found = posterior(result, pairs=True)
    total = result.loglike.sum("galaxy", skipna=False)
    weight = np.exp((total - total.max()).fillna(-np.inf))
    dims = list(map(str, total.dims))
    for dim in dims:
        rule = quadrature(result[dim].values, in_logs=False)
        weight = weight * xr.DataArray(rule / rule.sum(), dims=dim)
    z = float(weight.sum())
    assert found["log_evidence"].item() == pytest.approx(log(z) + float(total.max()), rel=1e-12, abs=1e-9)
    for dim in dims:
        rule = xr.DataArray(quadrature(result[dim].values, in_logs=False), dims=dim)
        share = weight.sum([d for d in dims if d != dim]) / z
        xr.testing.assert_allclose(found[f"p_{dim}"].drop_vars(dim), (share / rule).drop_vars(dim), rtol=1e-9)
        between, density = found[f"between_{dim}"].values, found[f"density_{dim}"].values
        mean = simpson(density * between, x=between) / simpson(density, x=between)
        assert found["mean"].sel(axis=dim).item() == pytest.approx(mean, rel=1e-9)
        assert found["resolved"].sel(axis=dim).item() == bool((share**2).sum() <= 0.5)
    assert found["n_invalid"].item() == int(total.isnull().sum())
    if len(dims) > 1:
        joint = found[f"p_{dims[0]}_{dims[1]}"]
        rule = xr.DataArray(quadrature(result[dims[1]].values, in_logs=False), dims=dims[1])
        xr.testing.assert_allclose((joint * rule).sum(dims[1]), found[f"p_{dims[0]}"], rtol=1e-9)


def test_it_is_the_same_however_the_result_is_held_and_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    result = gaussian_result(x=np.linspace(-2, 2, 21), y=np.geomspace(0.3, 3.0, 12))
    prior = {"y": sigcube.lognormal(1.0, 0.3)}
    whole = posterior(result, prior=prior, pairs=[("x", "y")])
    lazy = result.chunk({"galaxy": 2, "x": 5, "y": 4})
    monkeypatch.setattr("sigcube.analysis.likelihoods._PART", 200)
    for other in (result, lazy):
        xr.testing.assert_allclose(posterior(other, prior=prior, pairs=[("x", "y")]), whole, rtol=1e-9)
    nuisance = {"y": sigcube.lognormal(1.0, 0.3)}
    monkeypatch.setattr("sigcube.analysis.nuisances._PART", 200)
    xr.testing.assert_allclose(marginalise(lazy, nuisance), marginalise(result, nuisance), rtol=1e-12)


def test_values_in_a_constant_ratio_are_integrated_as_logarithms() -> None:
    y = np.geomspace(0.2, 5.0, 41)
    values = -0.5 * (np.log10(y / 1.1) / 0.08) ** 2
    result = xr.Dataset({"loglike": (("galaxy", "y"), values[np.newaxis])}, {"galaxy": ["a"], "y": y})
    found = posterior(result, prior={"y": sigcube.lognormal(0.9, 0.1)})
    # Both normal in log y: the evidence is that of two normals.
    wide = sqrt(0.08**2 + 0.1**2)
    gap = np.log10(1.1 / 0.9)
    log_z = stats.norm(0, wide).logpdf(gap) + log(0.08 * sqrt(2 * pi))
    assert found["log_evidence"].item() == pytest.approx(log_z, abs=1e-6)
    middle = (np.log10(1.1) / 0.08**2 + np.log10(0.9) / 0.1**2) / (1 / 0.08**2 + 1 / 0.1**2)
    assert found["median"].item() == pytest.approx(10**middle, rel=1e-5)


@pytest.mark.parametrize(
    ("low", "high"),
    [(-1.0, 3.0), (-0.53, 3.02), (-4.0, 0.3), (-9.0, 0.37), (-0.19, 0.81), (-3.97, 3.99), (0.21, 9.0), (-0.9999, 1.6)],
)
@pytest.mark.parametrize("in_logs", [False, True])
def test_a_prior_may_end_at_values_between_them_and_beyond_the_grid(low: float, high: float, in_logs: bool) -> None:
    u = np.linspace(-4.0, 4.0, 81)
    x, prior = (np.exp(u), sigcube.log_uniform(exp(low), exp(high))) if in_logs else (u, sigcube.uniform(low, high))
    values = -0.5 * ((u - 0.3) / 0.4) ** 2
    result = xr.Dataset({"loglike": (("galaxy", "x"), values[np.newaxis])}, {"galaxy": ["a"], "x": x})
    # At and beyond the ends of the grid the prior is cut.
    low, high = max(low, -4.0), min(high, 4.0)
    known = stats.norm(0.3, 0.4)
    truth = log((known.cdf(high) - known.cdf(low)) * 0.4 * sqrt(2 * pi) / (high - low))
    found = posterior(result, prior={"x": prior})
    off = abs(found["log_evidence"].item() - truth)
    assert off < 1e-3
    assert off <= found["log_evidence_error"].item() + 1e-9
    middle = known.ppf(0.5 * (known.cdf(low) + known.cdf(high)))
    assert found["median"].item() == pytest.approx(exp(middle) if in_logs else middle, abs=1e-3)
    if not in_logs:
        assert found["mean"].item() == pytest.approx(
            stats.truncnorm((low - 0.3) / 0.4, (high - 0.3) / 0.4, 0.3, 0.4).mean(), abs=1e-3
        )
    # A nuisance of each galaxy is integrated by the same rule.
    own = marginalise(result.expand_dims(y=[1.0, 2.0], axis=1), {"x": prior})
    assert own.loglike.values == pytest.approx(truth, abs=1e-3)
    assert float(own.marginalised_error[0]) >= off - 1e-9


def test_the_error_of_the_evidence_tells_of_a_steep_end() -> None:
    x = np.linspace(-4.0, 4.0, 21)
    values = -0.5 * ((x - 0.3) / 0.4) ** 2
    result = xr.Dataset({"loglike": (("galaxy", "x"), values[np.newaxis])}, {"galaxy": ["a"], "x": x})
    known = stats.norm(0.3, 0.4)
    for low in np.linspace(-0.79, 0.5, 40):
        found = posterior(result, prior={"x": sigcube.uniform(low, 4.0)})
        truth = log(known.sf(low) * 0.4 * sqrt(2 * pi) / (4.0 - low))
        if found["resolved"].item():
            assert abs(found["log_evidence"].item() - truth) <= found["log_evidence_error"].item()


def test_each_galaxy_alone_and_all_of_them() -> None:
    result = gaussian_result(x=np.linspace(-3, 3, 31), y=np.linspace(0.5, 2.5, 9))
    alone = posterior(result, per="galaxy")
    for name in result.galaxy.values:
        one = posterior(result.sel(galaxy=[name]))
        for variable in ("mean", "sd", "median", "low", "high", "log_evidence", "best_x", "best_loglike"):
            assert alone[variable].sel(galaxy=name).values == pytest.approx(one[variable].values, nan_ok=True, rel=1e-9)


def test_the_whole_sample_does_not_answer_for_a_part_of_it() -> None:
    result = gaussian_result().assign_attrs(n_systems=GALAXIES)
    result["loglike_sum"], result["loglike_mean"] = result.loglike.sum("galaxy"), result.loglike.mean("galaxy")
    for one in (result.sel(galaxy="G2"), result.isel(galaxy=2, drop=True)):
        with pytest.raises(SpecError, match=r"lost its dimension 'galaxy'(.|\n)*\.sel\(galaxy="):
            posterior(one)
    part = result.sel(galaxy=["G2"])
    assert posterior(part).attrs["n_systems"] == 1
    with pytest.raises(SpecError, match="are of all systems of its sweep"):
        posterior(part, by="loglike_sum")


def test_what_xarray_s_where_leaves_is_integrated_and_what_it_takes_out_is_missing() -> None:
    result = gaussian_result()
    result["status"] = result.loglike.isel(galaxy=0, drop=True).astype(np.uint8) * 0 + np.uint8(1)
    above = posterior(result.sel(x=slice(0.0, None)))
    xr.testing.assert_allclose(posterior(result.where(result.x >= -1e-9, drop=True)), above)
    with pytest.raises(SpecError, match=r"the result is not whole(.|\n)*todo"):
        posterior(result.where(result.x > 0))
    with pytest.raises(SpecError, match="spread over systems"):
        posterior(result.where(result.galaxy != "G1"))


def test_the_sum_over_systems_is_as_good_where_no_system_was_kept() -> None:
    result = gaussian_result(x=np.linspace(-3, 3, 31), y=np.linspace(0.5, 2.5, 9))
    total = result.loglike.sum("galaxy").assign_attrs(best="largest")
    summed = xr.Dataset({"loglike_sum": total, "loglike_mean": total / GALAXIES})
    whole = posterior(result)
    found = posterior(summed)
    assert found["log_evidence"].item() == pytest.approx(whole["log_evidence"].item(), abs=1e-9)
    with pytest.raises(SpecError, match=r"does not hold the 'loglike' of each galaxy(.|\n)*keep"):
        posterior(summed, per="galaxy")


def test_nuisances_of_each_galaxy_are_integrated_before_galaxies_are_multiplied() -> None:
    result = gaussian_result(x=np.linspace(-2, 2, 9), y=np.linspace(0.4, 2.4, 21))
    prior = {"y": sigcube.normal(1.2, 0.3)}
    found = marginalise(result, prior)
    rule = quadrature(result.y.values, in_logs=False) * np.exp(sigcube.normal(1.2, 0.3).log_density(result.y.values))
    rule = xr.DataArray(rule / rule.sum(), dims="y")
    expected = np.log((np.exp(result.loglike) * rule).sum("y"))
    xr.testing.assert_allclose(found.loglike, expected.transpose(*found.loglike.dims), rtol=1e-12)
    assert found.loglike.dims == ("galaxy", "x", "window")
    assert found.attrs["marginalised"] == "y ~ normal(1.2, 0.3), for each galaxy"
    assert float(found.marginalised_error.max()) < 1e-3
    post = posterior(found)
    assert post.attrs["marginalised"] == found.attrs["marginalised"]
    # One value of y for all is another model, with another evidence.
    assert post["log_evidence"].item() != pytest.approx(posterior(result, prior=prior)["log_evidence"].item(), abs=0.01)


@pytest.mark.parametrize(
    ("x", "prior", "caution"),
    [
        (np.linspace(-4, 0.3, 44), None, "the posterior of x has not gone at its upper end"),
        (np.linspace(0.3, 4, 38), None, "the posterior of x has not gone at its lower end"),
        (np.linspace(-4, 4, 9), None, "fewer than two values of x carry the posterior"),
        (np.linspace(-0.5, 1.5, 41), sigcube.normal(0.0, 1.0), "37.5% of the prior of x lies outside the grid"),
    ],
    ids=["upper", "lower", "coarse", "cut"],
)
def test_a_reader_is_told_what_the_grid_does_to_the_answer(x: Any, prior: Any, caution: str) -> None:
    found = posterior(gaussian_result(x=x, y=[0.4, 1.4, 2.4]), prior={} if prior is None else {"x": prior})
    assert caution in found.attrs["cautions"]


def test_points_without_a_likelihood_have_no_weight_and_are_counted() -> None:
    result = gaussian_result()
    result.loglike[0, 40] = np.nan
    found = posterior(result)
    assert found["n_invalid"].item() == 57 * 2
    assert found["p_x"][40] == 0.0
    assert "114 grid points have no finite likelihood" in found.attrs["cautions"]


def test_a_galaxy_without_a_likelihood_is_not_called_unresolved() -> None:
    result = gaussian_result(y=[0.4, 1.4, 2.4])
    result.loglike[2] = -np.inf
    found = posterior(result, per="galaxy")
    assert found["resolved"].sel(axis="x").values.tolist() == [True, True, False, True, True, True]
    assert np.isnan(found["mean"].sel(axis="x")[2])
    assert "values of x carry" not in found.attrs["cautions"]
    result.loglike[2] = 0.0
    result.loglike[2, 0, 0, 0] = np.nan
    assert "up to 1 grid point has no finite" in posterior(result, per="galaxy").attrs["cautions"]


def test_two_peaks_have_a_region_of_two_pieces() -> None:
    x = np.linspace(-4, 4, 161)
    values = np.logaddexp(-0.5 * ((x + 2) / 0.3) ** 2, -0.5 * ((x - 2) / 0.3) ** 2)
    result = xr.Dataset({"loglike": (("galaxy", "x"), values[np.newaxis])}, {"galaxy": ["a"], "x": x})
    found = posterior(result).sel(axis="x", level=0.68)
    assert found["region_pieces"].item() == 2
    assert found["median"].item() == pytest.approx(0.0, abs=0.05)


def test_numbers_that_are_the_only_ones_possible_take_weights() -> None:
    result = gaussian_result(x=np.linspace(-3, 3, 31), y=[0.5, 1.0, 2.0])
    found = posterior(result, prior={"y": [0.5, 0.25, 0.25]})
    likelihood = np.exp(-0.5 * ((np.array([0.5, 1.0, 2.0]) - 1.4) / 0.5) ** 2) * [0.5, 0.25, 0.25]
    assert found["p_y"].values == pytest.approx(likelihood / likelihood.sum(), rel=1e-12)
    assert found["median"].sel(axis="y").item() in (0.5, 1.0, 2.0)


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ({"prior": {"z": sigcube.normal(0, 1)}}, "there is no axis 'z'"),
        ({"prior": {"x": sigcube.normal(50, 1)}}, "of the prior of x, too little lies within the grid"),
        ({"prior": {"x": sigcube.normal(0.05, 0.02)}}, "the values of x are too coarse for its prior"),
        ({"prior": {"x": sigcube.uniform(-0.04, 0.07)}}, "of the prior of x, too little"),
        ({"prior": {"x": sigcube.uniform(-0.04, 0.17)}}, "the values of x are too coarse for its prior"),
        ({"prior": {"window": sigcube.normal(0, 1)}}, "labels take weights, not a density"),
        ({"prior": {"window": {"geometrc": 1.0}}}, "window has no label 'geometrc'"),
        ({"prior": {"window": [0.5, 0.2]}}, "weights do not add up"),
        ({"prior": {"x": 3.0}}, "this is no prior"),
        ({"prior": {"x": {"a": 1.0}}}, "x has no label 'a'"),
        ({"prior": "x"}, "these are no priors"),
        ({"prior": {"x": "gauss:0,1"}}, "there is no prior 'gauss'"),
        ({"by": "rms"}, "the result has no metric 'rms'"),
        ({"per": "cluster"}, "there is no dimension 'cluster'"),
        ({"pairs": [("x", "x")]}, "a pair is two axes"),
    ],
)
def test_what_cannot_be_is_refused(how: dict[str, Any], says: str) -> None:
    with pytest.raises(SpecError, match=says):
        posterior(gaussian_result(), **how)


def test_a_nuisance_needs_a_prior_that_is_said() -> None:
    result = gaussian_result(roles="nuisance")
    with pytest.raises(SpecError, match=r"x is a nuisance, and has no prior(.|\n)*sigcube.uniform\(-4, 4\)"):
        posterior(result)
    assert posterior(result, prior={"x": sigcube.uniform(-4, 4)})["prior"][0].item() == "uniform(-4.0, 4.0)"


def test_axes_that_vary_together_need_a_prior_that_is_said() -> None:
    result = gaussian_result().assign_coords(z=("x", np.exp(np.linspace(-4.0, 4.0, 81))), held=("x", np.ones(81)))
    with pytest.raises(SpecError, match=r"x and z vary together(.|\n)*sigcube.uniform\(-4, 4\)"):
        posterior(result)
    # One that does not change beside it is no choice.
    alone = posterior(result.drop_vars("z"))
    assert alone["log_evidence"].item() == pytest.approx(posterior(gaussian_result())["log_evidence"].item())
    said = posterior(result, prior={"x": sigcube.uniform(-4, 4)})
    assert said["log_evidence"].item() == pytest.approx(alone["log_evidence"].item())


@pytest.mark.parametrize("wrong", [("a", 1), (None, 1), (1, [2])])
def test_a_prior_of_no_numbers_is_refused(wrong: Any) -> None:
    with pytest.raises(SpecError, match=r"of a prior is a number\n  where: prior"):
        sigcube.normal(*wrong)


def test_what_is_no_likelihood_is_refused() -> None:
    result = gaussian_result()
    result.loglike.attrs["best"] = "smallest"
    with pytest.raises(SpecError, match="is no logarithm of a likelihood"):
        posterior(result)
    with pytest.raises(SpecError, match="no grid point has a finite likelihood"):
        posterior(gaussian_result() * np.nan)


PRIORS = [
    (sigcube.uniform(0.5, 2.0), stats.uniform(0.5, 1.5)),
    (sigcube.log_uniform(0.5, 2.0), stats.loguniform(0.5, 2.0)),
    (sigcube.normal(1.0, 0.4), stats.norm(1.0, 0.4)),
    (sigcube.lognormal(0.9, 0.2), stats.lognorm(0.2 * log(10), scale=0.9)),
]


@pytest.mark.parametrize(("prior", "known"), PRIORS, ids=[str(prior) for prior, _ in PRIORS])
def test_a_prior_is_the_density_that_it_says(prior: Any, known: Any) -> None:
    x = np.array([0.1, 0.51, 0.9, 1.3, 1.99, 4.0])
    assert prior.log_density(x) == pytest.approx(known.logpdf(x))
    assert prior.mass(0.8, 1.7) == pytest.approx(known.cdf(1.7) - known.cdf(0.8))
    assert prior.mass(3.0, 4.0) == pytest.approx(known.sf(3.0) - known.sf(4.0), rel=1e-9)
    assert read_prior(str(prior)) == prior


@pytest.mark.parametrize(
    "wrong",
    [lambda: sigcube.uniform(2, 1), lambda: sigcube.log_uniform(0, 1), lambda: sigcube.normal(0, 0),
     lambda: sigcube.lognormal(-1, 0.1), lambda: sigcube.normal(0, float("nan"))],
)  # fmt: skip
def test_a_prior_that_is_none_is_refused(wrong: Any) -> None:
    with pytest.raises(SpecError, match="this is no prior"):
        wrong()


@pytest.mark.parametrize("n", [2, 3, 5, 6, 9])
def test_a_rule_of_quadrature_integrates_what_it_should(n: int) -> None:
    x = np.linspace(0.5, 2.0, n)
    rule = quadrature(x, in_logs=False)
    assert rule.sum() == pytest.approx(1.5)
    assert rule @ x == pytest.approx((4 - 0.25) / 2)
    if n >= 6:
        assert rule @ x**3 == pytest.approx((16 - 0.5**4) / 4, rel=1e-12)
    in_logs = np.geomspace(0.5, 2.0, n)
    assert quadrature(in_logs, in_logs=True) @ (1 / in_logs) == pytest.approx(log(4.0))


@pytest.mark.parametrize(("low", "high"), [(-0.19, 0.81), (0.21, 4.0), (-0.9999, 1.6)])
def test_a_rule_that_ends_between_values_keeps_its_order(low: float, high: float) -> None:
    known, off = stats.norm(0.3, 0.4), []
    for n in (81, 321):
        x = np.linspace(-4.0, 4.0, n)
        inside = x[(x >= low) & (x <= high)]
        rule = quadrature(inside, in_logs=False, ends=(low, high))
        assert (rule > 0.0).all()
        off.append(abs(rule @ known.pdf(inside) - (known.cdf(high) - known.cdf(low))))
    assert off[1] < off[0] / 4**4


def test_a_ridge_between_the_values_is_told_of() -> None:
    x = np.linspace(-2, 2, 21)
    # Wide along each axis, and narrow across: a tenth of a step.
    of = -0.5 * ((x[:, None] + x) / 0.02) ** 2 - 0.5 * ((x[:, None] - x) / 1.5) ** 2
    result = xr.Dataset({"loglike": (("galaxy", "x", "y"), of[np.newaxis])}, {"galaxy": ["a"], "x": x, "y": x})
    found = posterior(result)
    assert (found["nodes"] > 5).all()
    assert (found["nodes_held"] < 1.1).all()
    assert found["log_evidence_error"].item() > 0.5
    assert found.attrs["cautions"].count("a ridge that falls between the values") == 2


def test_a_peak_that_every_second_value_misses_is_told_of_in_words() -> None:
    x = np.arange(8.0)
    of = -2000.0 * (x - 3.0) ** 2
    found = posterior(xr.Dataset({"loglike": (("galaxy", "x"), of[np.newaxis])}, {"galaxy": ["a"], "x": x}))
    assert found["log_evidence_error"].item() == np.inf
    assert "the grid is too coarse for ln Z: every second value misses the likelihood" in found.attrs["cautions"]


def test_the_rounding_of_what_was_kept_is_said() -> None:
    result = gaussian_result(x=np.linspace(-2, 2, 21), y=np.linspace(0.4, 2.4, 21))
    result["loglike"] = result.loglike - 1000.0
    kept = result.assign(loglike=result.loglike.astype(np.float32))
    rounding = posterior(kept).attrs["rounding"]
    # A unit in the last place of 1000 is 6.1e-5; six of them, each uniform within one.
    assert rounding == pytest.approx(2.0**-14 * np.sqrt(6 / 12))
    assert abs(posterior(kept)["log_evidence"] - posterior(result)["log_evidence"]).item() < 3 * rounding
    marginal = marginalise(kept, {"y": sigcube.uniform(0.4, 2.4)})
    assert posterior(marginal).attrs["rounding"] == pytest.approx(rounding)
    assert posterior(result).attrs["rounding"] < 1e-12


def test_in_place_of_a_likelihood_no_rms_is_offered() -> None:
    with pytest.raises(SpecError, match="sweep again with 'loglike'") as refused:
        posterior(kept_result())
    assert "ask for" not in str(refused.value)
