"""The curve under the null: exchanged galaxy by galaxy, against brute force; kept and evaluated again, lazy or not."""

import re
from itertools import product
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
import xarray as xr

from sigcube import Sweep, open_result
from sigcube.analysis import null_curve, specification_curve
from sigcube.engine import block
from sigcube.errors import SpecError, StoreMismatch
from tests.results import kept_result

# Its sweeps compile loops of their own.
pytestmark = pytest.mark.slow

AXES = {
    "nu": ["rar", "simple", "standard"],
    "gas": ["signed", "unsigned"],
    "upsilon_disk": [0.4, 0.5],
    "a0": [1e-13, 1e-11, 1.2e-10],
}
ROLES = {"arbitrary": ["nu", "gas"], "physical": ["a0"], "nuisance": ["upsilon_disk"]}


def sweep_of(cube: xr.Dataset, *, keep: bool, **options: Any) -> Sweep:
    given = {"sample": "unflagged", "kernel": "mond", "axes": AXES, "reference": "newton", "dtype": "float64"}
    return Sweep(cube.isel(galaxy=slice(0, 9)), **{**given, "keep": ["galaxy"] if keep else [], **options})


@pytest.fixture(scope="module")
def stores(mock_cube: xr.Dataset, tmp_path_factory: pytest.TempPathFactory) -> dict[bool, Path]:
    """The same small result twice: with each galaxy, and with summaries alone."""
    folder = tmp_path_factory.mktemp("null")
    found = {keep: folder / f"{keep}.zarr" for keep in (True, False)}
    for keep, path in found.items():
        sweep_of(mock_cube, keep=keep, roles=ROLES).run(path, workers=0)
    return found


@pytest.mark.parametrize("choose", ["again", "once"])
@pytest.mark.parametrize("by", ["win_rate", "rms_mean"])
@pytest.mark.parametrize("lazy", [False, True])
def test_draws_are_those_of_brute_force(
    stores: dict[bool, Path], mock_cube: xr.Dataset, by: str, lazy: bool, choose: Any
) -> None:
    result = open_result(stores[True])
    threshold = 0.5 if by == "win_rate" else float(result.rms_mean.median())
    how = {"by": by, "threshold": threshold, "n": 40, "seed": 3, "over": ["nu", "gas"], "choose": choose}
    found = null_curve(result.chunk() if lazy else result, **how)
    curve = specification_curve(result[by], threshold=threshold)
    np.testing.assert_allclose(found.value, curve.value, rtol=1e-12)
    shared = {name: AXES[name] for name in ("gas", "upsilon_disk")}
    newton = sweep_of(mock_cube, keep=True, kernel="newton", reference=None, axes=shared).compute().rms
    best = -1 if by == "win_rate" else 1
    index = np.unravel_index((best * result[by].values).argmin(), result[by].shape)
    a0 = float(result.a0[dict(zip(result[by].dims, index, strict=True))["a0"]])
    rng = np.random.default_rng(3)
    stays = rng.integers(0, 2, size=(40, 9)).astype(bool)
    pairs = {}
    for place in product(*(range(n) for n in result[by].shape)):
        at = dict(zip(result[by].dims, place, strict=True))
        pairs[place] = result.rms.isel(at).values, newton.isel({dim: at[dim] for dim in shared}).values
    drawn = []
    for kept in stays:
        exchanged = xr.zeros_like(result[by])
        for place, (x, y) in pairs.items():
            model, other = np.where(kept, x, y), np.where(kept, y, x)
            exchanged.values[place] = np.mean(model < other) if by == "win_rate" else model.mean()
        # Held and profiled as the result has it, or as this draw would.
        chosen = exchanged if choose == "again" else result[by]
        if choose == "again":
            index = np.unravel_index((best * chosen.values).argmin(), chosen.shape)
            a0 = float(chosen.a0[dict(zip(chosen.dims, index, strict=True))["a0"]])
        values = []
        for nu, gas in product(AXES["nu"], AXES["gas"]):
            own = {"nu": nu, "gas": gas, "a0": a0}
            disk = int((best * chosen.sel(own).values).argmin())
            values.append(float(exchanged.sel(own).isel(upsilon_disk=disk)))
        drawn.append(values)
    np.testing.assert_allclose(found.drawn.sel(statistic="median"), np.median(drawn, axis=1), rtol=1e-12)
    pick = np.max if by == "win_rate" else np.min
    np.testing.assert_allclose(found.drawn.sel(statistic="best"), pick(drawn, axis=1), rtol=1e-12)
    better = np.array(drawn) > threshold if by == "win_rate" else np.array(drawn) < threshold
    np.testing.assert_allclose(found.drawn.sel(statistic="share"), better.mean(axis=1))
    p = (1 + (better.mean(axis=1) >= float(curve.share)).sum()) / 41
    assert float(found.p_value.sel(statistic="share")) == pytest.approx(p)
    assert found.attrs["choose"] == choose
    middle = np.median(np.sort(best * np.array(drawn), axis=1) * best, axis=0)
    np.testing.assert_allclose(found.middle, middle, rtol=1e-12)


def test_what_was_not_kept_is_evaluated_again(stores: dict[bool, Path]) -> None:
    kept, summaries = (
        null_curve(open_result(stores[keep]), threshold=0.5, n=20, over=["nu", "a0"]) for keep in (True, False)
    )
    assert "rms" not in open_result(stores[False])
    xr.testing.assert_identical(kept, summaries)
    # A result that an extension put in another order finds its places by their values.
    back = open_result(stores[False]).isel(nu=[2, 0], a0=[1, 0, 2])
    turned = null_curve(back, threshold=0.5, n=20, over=["nu", "a0"])
    part = null_curve(open_result(stores[True]).isel(nu=[2, 0], a0=[1, 0, 2]), threshold=0.5, n=20, over=["nu", "a0"])
    xr.testing.assert_identical(turned, part)


def test_points_of_a_tile_are_evaluated_at_once_and_progress_is_told(stores: dict[bool, Path]) -> None:
    told: list[tuple[int, int]] = []
    with mock.patch.object(block, "evaluate_sums", wraps=block.evaluate_sums) as evaluated:
        null_curve(open_result(stores[False]), n=5, on_progress=lambda *now: told.append(now))
    # Of 36 points, six pairs of labels have a loop each, for the model and for its reference.
    assert evaluated.call_count == 12
    assert told == [(done, 36) for done in range(0, 37, 6)]


@pytest.mark.parametrize("by", ["win_rate", "rms_mean"])
def test_a_reference_is_no_better_than_itself_whatever_was_rounded(mock_cube: xr.Dataset, by: str) -> None:
    axes = {"upsilon_disk": [0.4, 0.5], "a0": [1.1e-10, 1.2e-10, 1.3e-10]}
    sweep = sweep_of(mock_cube, keep=True, axes=axes, reference="mond", dtype="float32")
    result = sweep.compute()
    assert result.rms.dtype == np.float32
    found = null_curve(result, by=by, n=30, over=["a0", "upsilon_disk"], sweep=sweep)
    np.testing.assert_allclose(found.value, np.sort(result[by].values.ravel())[:: -1 if by == "win_rate" else 1], 1e-6)
    # At the reference's own place an exchange changes nothing.
    alike = null_curve(result, by="win_rate", n=30, over="upsilon_disk", at={"a0": 1.2e-10}, sweep=sweep)
    np.testing.assert_array_equal(alike.value, [0.0, 0.0])
    np.testing.assert_array_equal(alike.drawn, np.zeros((2, 30)))


def test_a_result_with_other_values_than_its_model_has_is_refused(mock_cube: xr.Dataset) -> None:
    sweep = sweep_of(mock_cube, keep=True, axes={"a0": [1e-13, 1.2e-10]})
    result = sweep.compute()
    with pytest.raises(StoreMismatch, match="other values now than when the result was written"):
        null_curve(result.assign(win_rate=result.win_rate * 0.5 + 0.3), sweep=sweep)


def test_the_same_seed_gives_the_same_draws_and_a_model_like_its_reference_is_no_better(mock_cube: xr.Dataset) -> None:
    sweep = sweep_of(mock_cube, keep=True, axes={"a0": [1e-13, 1.2e-10]})
    result = sweep.compute()
    one, same, other = (null_curve(result, n=50, seed=seed, sweep=sweep) for seed in (0, 0, 1))
    xr.testing.assert_identical(one, same)
    assert not one.equals(other)
    # The synthetic galaxies are Newton's: MOND's rate of wins is nowhere better than chance.
    assert float(one.p_value.sel(statistic="median")) > 0.5
    assert list(one.statistic.values) == ["median", "best"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"by": "rms_median"}, "no null for 'rms_median'.*did you mean 'rms_mean'"),
        ({"confidence": 1.0}, "no level of confidence"),
        ({"n": 0}, "a null needs draws"),
        ({"choose": "twice"}, "a null cannot choose 'twice'"),
        ({"over": "nuu"}, "there is no axis 'nuu'"),
    ],
)
def test_bad_questions_get_one_clear_error(stores: dict[bool, Path], options: dict[str, Any], words: str) -> None:
    with pytest.raises(SpecError) as caught:
        null_curve(open_result(stores[True]), **options)
    assert re.search(words, str(caught.value), flags=re.DOTALL)


def test_a_result_without_a_reference_has_no_null(mock_cube: xr.Dataset) -> None:
    sweep = sweep_of(mock_cube, keep=True, axes={"a0": [1e-13, 1.2e-10]}, reference=None)
    with pytest.raises(SpecError, match=r"has no reference|no summary 'win_rate'"):
        null_curve(sweep.compute(), by="rms_mean", sweep=sweep)


@pytest.mark.parametrize("by", ["win_rate", "rms_mean"])
def test_without_a_reference_it_says_so(by: str) -> None:
    with pytest.raises(SpecError, match="the result has no reference"):
        null_curve(kept_result(), by=by, n=9)
