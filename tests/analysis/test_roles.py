"""What becomes of axes by their roles, and shares of distinct specifications, against brute force."""

import re
from itertools import product
from typing import Any

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from sigcube.analysis import ablation, robustness, sensitivity, specification_curve
from sigcube.analysis.roles import settle
from sigcube.errors import SpecError
from tests.results import kept_result

ROLES = {"window": "arbitrary", "law": "arbitrary", "k": "physical", "A": "nuisance"}


def with_roles(data: Any, **roles: str) -> Any:
    """Data whose axes have roles."""
    return data.assign_coords({name: data[name].assign_attrs(role=role) for name, role in roles.items()})


@st.composite
def arrays(draw: st.DrawFn) -> xr.DataArray:
    """A summary over two axes of labels and two of numbers, some models of which do not depend on some of them.

    Label `law` makes no difference under some windows, and k none under others; the coordinates say so, as a result's.
    """
    shape = windows, laws, n_k, n_a = tuple(draw(st.tuples(*[st.integers(1, 3)] * 4)))
    one_law = draw(st.lists(st.booleans(), min_size=windows, max_size=windows))
    no_k = draw(st.lists(st.booleans(), min_size=windows, max_size=windows))
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    values = rng.choice(np.array([0.2, 0.4, 0.6, 0.8, np.nan]), size=shape)
    values += 1e-3 * rng.permutation(values.size).reshape(shape)
    values[0, 0, 0, 0] = 0.5
    for w in range(windows):
        if one_law[w]:
            values[w] = values[w, :1]
        if no_k[w]:
            values[w] = values[w, :, :1]
    numbers = np.arange(windows * laws, dtype=np.int32).reshape(windows, laws)
    numbers[one_law] = numbers[one_law][:, :1]
    comment = {"comment": "computed for some windows"} if any(no_k) else {}
    coords = {
        "window": ("window", np.array([f"w{i}" for i in range(windows)], dtype=object)),
        "law": ("law", np.array([f"l{i}" for i in range(laws)], dtype=object)),
        "k": ("k", np.arange(n_k) + 0.5, comment),
        "A": ("A", np.arange(n_a) + 1.0),
        "section": (("window", "law"), numbers),
    }
    array = xr.DataArray(values, coords, ("window", "law", "k", "A"), "win_rate", {"best": "largest", "units": ""})
    return with_roles(array, **ROLES)


def models(array: xr.DataArray) -> dict[tuple[int, ...], list[tuple[int, ...]]]:
    """The points at which each distinct model with a finite value lies, by brute force."""
    found: dict[tuple[int, ...], list[tuple[int, ...]]] = {}
    for w, law, k, a in product(*map(range, array.shape)):
        values = array.values
        no_k = bool("comment" in array.k.attrs) and all(
            np.array_equal(values[w, law, i], values[w, law, 0], equal_nan=True) for i in range(array.sizes["k"])
        )
        if np.isfinite(values[w, law, k, a]):
            key = int(array.section.values[w, law]), 0 if no_k else k, a
            found.setdefault(key, []).append((w, law, k, a))
    return found


@pytest.mark.slow
@given(array=arrays(), chunked=st.booleans())
def test_each_model_counts_once_and_belongs_to_every_choice_that_leads_to_it(
    array: xr.DataArray, chunked: bool
) -> None:
    distinct, dims = models(array), list(map(str, array.dims))
    found = robustness(array.chunk(2) if chunked else array, threshold=0.5)
    held = {key: array.values[points[0]] > 0.5 for key, points in distinct.items()}
    assert float(found.share.sel(role="all")) == pytest.approx(np.mean(list(held.values())))
    assert float(found.weight.sel(role="all")) == len(distinct)
    for axis, dim in enumerate(dims):
        shares = found.option_share.values[found.option_axis.values == dim]
        for i, share in enumerate(shares):
            own = [held[key] for key, points in distinct.items() if any(point[axis] == i for point in points)]
            assert share == pytest.approx(np.mean(own)) if own else np.isnan(share)
    curve = specification_curve(array, threshold=0.5, over=dims)
    assert curve.sizes["specification"] == len(distinct)
    assert float(curve.share) == pytest.approx(float(found.share.sel(role="all")))
    np.testing.assert_array_equal(curve.moves, found.moves)


@pytest.mark.slow
@given(array=arrays(), seed=st.integers(0, 9))
def test_with_weights_each_point_has_the_product_of_its_own(array: xr.DataArray, seed: int) -> None:
    weights = {}
    whole = xr.DataArray(1.0)
    for dim in ("law", "k"):
        drawn = np.random.default_rng(seed).uniform(0.1, 1.0, array.sizes[dim])
        weights[dim] = drawn / drawn.sum()
    for dim in map(str, array.dims):
        own = weights.get(dim, np.full(array.sizes[dim], 1.0 / array.sizes[dim]))
        whole = whole * xr.DataArray(own, dims=dim)
    whole = whole.transpose(*array.dims) * np.isfinite(array)
    found = robustness(array, threshold=0.5, weights=weights)
    expected = float((whole * (array > 0.5)).sum() / whole.sum())
    assert float(found.share.sel(role="all")) == pytest.approx(expected)
    assert found.attrs["weights"] == "given along law, k, uniform otherwise"
    at = whole.isel(k=0)
    if float(at.sum()):
        own = float((at * (array.isel(k=0) > 0.5)).sum() / at.sum())
        assert found.option_share.values[found.option_axis.values == "k"][0] == pytest.approx(own)


@pytest.mark.slow
@given(array=arrays(), chunked=st.booleans())
def test_by_default_parameters_are_held_at_the_best_point_and_nuisances_profiled(
    array: xr.DataArray, chunked: bool
) -> None:
    found = settle(array.chunk(2) if chunked else array)
    best = np.unravel_index(np.nanargmax(array.values), array.shape)
    here = array.values[:, :, best[2], :]
    expected = np.where(np.isfinite(here), here, -np.inf).max(axis=-1)
    np.testing.assert_array_equal(found.array.fillna(-np.inf), expected)
    assert found.array.dims == ("window", "law")
    assert found.points["k"] == best[2]
    # The values lie where it is said.
    there = np.isfinite(expected)
    again = array.isel(dict(found.points)).transpose("window", "law")
    np.testing.assert_array_equal(again.values[there], expected[there])
    np.testing.assert_array_equal(found.where["A"].values[there], again.A.values[there])


@pytest.mark.slow
@given(array=arrays())
def test_shares_by_role_vary_the_axes_of_one_role(array: xr.DataArray) -> None:
    found = robustness(array, threshold=0.5)
    for role in ("arbitrary", "physical", "nuisance"):
        own = specification_curve(array, threshold=0.5, over=role, profiled=())
        assert float(found.share.sel(role=role)) == float(own.share)
        assert float(found.weight.sel(role=role)) == own.sizes["specification"]


def test_the_answer_says_what_became_of_the_axes() -> None:
    array = with_roles(kept_result().rms_mean, window="arbitrary", k="physical", A="nuisance")
    best = {
        dim: int(i) for dim, i in zip(array.dims, np.unravel_index(array.values.argmin(), array.shape), strict=True)
    }
    found = specification_curve(array, threshold=10.0)
    k = f"{array.k.values[best['k']]:g}"
    assert found.attrs["over"] == "window (arbitrary)"
    assert found.attrs["held"] == f"k = {k} (physical), of the best point"
    assert found.attrs["profiled"] == "A (nuisance)"
    assert found.A.dims == ("window",)
    np.testing.assert_array_equal(np.sort(found.value), np.sort(array.isel(k=best["k"]).min("A")))
    given_place = specification_curve(array, over=["arbitrary", "A"], at={"k": 2.0})
    assert given_place.attrs["held"] == "k = 2 (physical)"
    assert given_place.attrs["over"] == "window (arbitrary); A (nuisance)"
    assert given_place.sizes["specification"] == 8


def test_sensitivity_does_not_mix_roles() -> None:
    array = with_roles(kept_result().rms_mean, window="arbitrary", k="physical", A="nuisance")
    found = sensitivity(array)
    assert list(found.axis.values) == ["window"]
    k = int(np.unravel_index(array.values.argmin(), array.shape)[1])
    assert float(found.variance) == pytest.approx(float(array.isel(k=k).min("A").var()))
    assert sensitivity(array, over=["window", "k", "A"]).equals(sensitivity(kept_result().rms_mean))
    systems = with_roles(kept_result().rms, window="arbitrary", k="physical", A="nuisance")
    own = sensitivity(systems, at={"k": 1.0})
    np.testing.assert_allclose(own.variance, systems.sel(k=1.0).min("A").var("window"))
    with pytest.raises(SpecError, match="each galaxy has a best point of its own"):
        sensitivity(systems)


@pytest.mark.slow
def test_ablation_compares_arbitrary_axes_and_refits_nuisances() -> None:
    result = kept_result()
    found = ablation(with_roles(result, k="arbitrary", A="nuisance"), baseline={"window": "power", "k": 1.0})
    assert (found.attrs["over"], found.attrs["held"], found.attrs["profiled"]) == ("k", "window", "A")
    power = result.rms.sel(window="power")
    best = {k: float(power.sel(k=k).mean("galaxy").min()) for k in (0.5, 1.0, 2.0)}
    assert float(found.baseline) == pytest.approx(best[1.0])
    np.testing.assert_allclose(found.value, [best[0.5], best[2.0]])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"over": "arbitary"}, "there is no axis 'arbitary'.*did you mean 'arbitrary'"),
        ({"over": "windw"}, "there is no axis 'windw'.*did you mean 'window'"),
        ({"over": "physical"}, "no axis here is physical"),
        ({"over": "window", "at": {"window": "power"}}, "'window' is treated in two ways.*also in at"),
        ({"over": "k", "profiled": "k"}, "'k' is treated in two ways.*also in over"),
        ({"over": ()}, "no axis remains to ask about"),
        ({"at": {"k": 1.5}}, "k has no value 1.5"),
        ({"weights": {"k": [0.5, 0.5]}}, "each value of an axis has a weight"),
        ({"weights": {"A": [0.25] * 4}}, "there is no axis 'A'"),
    ],
)
def test_bad_questions_get_one_clear_error(options: dict[str, Any], words: str) -> None:
    array = with_roles(kept_result().rms_mean, window="arbitrary", k="arbitrary", A="nuisance")
    with pytest.raises(SpecError) as caught:
        specification_curve(array, **options)
    assert re.search(words, str(caught.value), flags=re.DOTALL)


def test_robustness_is_asked_of_a_statement() -> None:
    with pytest.raises(SpecError, match="there is no statement"):
        robustness(kept_result().rms_mean)
