"""Metrics: sums and what is made of them, against one line of NumPy each."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sigcube.errors import SpecError
from sigcube.model.metrics import METRIC_TERMS, METRICS, find_metrics, sums_of, terms_of
from sigcube.model.record import inputs_of

ONE_LINERS = {
    "rms": lambda p, o, e, fitted: np.sqrt(np.mean((p - o) ** 2)),
    "rms_weighted": lambda p, o, e, fitted: np.sqrt(np.average((p - o) ** 2, weights=np.maximum(e, 0.1) ** -2)),
    "bias": lambda p, o, e, fitted: np.mean(p - o),
    "chi2": lambda p, o, e, fitted: np.sum(((p - o) / np.maximum(e, 0.1)) ** 2),
    "chi2_red": lambda p, o, e, fitted: np.sum(((p - o) / np.maximum(e, 0.1)) ** 2) / (p.size - fitted),
    "loglike": lambda p, o, e, fitted: np.sum(
        -0.5 * ((p - o) / np.maximum(e, 0.1)) ** 2 - np.log(np.maximum(e, 0.1)) - 0.5 * np.log(2.0 * np.pi)
    ),
    "ratio": lambda p, o, e, fitted: np.mean(p / o),
    "scatter": lambda p, o, e, fitted: np.std(np.log10(o / p)),
    "scatter_v": lambda p, o, e, fitted: np.std(np.log10(o / p)),
    "scatter_g": lambda p, o, e, fitted: np.std(np.log10((o / p) ** 2)),
    "scatter_g_rms": lambda p, o, e, fitted: np.sqrt(np.mean(np.log10((o / p) ** 2) ** 2)),
}


def terms(predicted: float, observed: float, error: float) -> dict[str, float]:
    """Every term of the metrics at one point."""
    found = {"predicted": predicted, "observed": observed, "error": error, "error_floor": 0.1}
    for name, term in terms_of(METRICS.values()).items():
        found[name] = term(*(found[argument] for argument in inputs_of(term)))
        if name == "log_ratio":
            # As for a rotation curve, of which velocities are observed.
            found["log_v_ratio"] = found[name]
    return found


_velocities = st.floats(1.0, 400.0)
_points = st.lists(st.tuples(_velocities, _velocities, st.floats(0.0, 30.0)), min_size=2, max_size=20)


@pytest.mark.slow
@pytest.mark.parametrize("name", METRICS)
@given(points=_points, fitted=st.integers(0, 1), cut=st.integers(0, 20))
def test_metric_is_its_one_liner(name: str, points: list[tuple[float, float, float]], fitted: int, cut: int) -> None:
    """From sums over two parts, merged by addition."""
    metric = METRICS[name]
    rows = [terms(*point) for point in points]
    sums = [sum(row[s] for row in rows[:cut]) + sum(row[s] for row in rows[cut:]) for s in metric.sums]
    n = len(rows) - (fitted if metric.reduced else 0)
    columns = np.array(points).T
    expected = ONE_LINERS[name](*columns, fitted)
    # A spread is a difference of two means: below this it is rounding.
    assert metric.finish(float(n), *sums) == pytest.approx(expected, rel=1e-9, abs=1e-7)


def test_every_metric_has_a_one_liner_and_terms() -> None:
    assert set(ONE_LINERS) == set(METRICS)
    for name, metric in METRICS.items():
        assert metric.name == name
        # Of velocities speaks the frame of each kind of cube.
        assert set(metric.sums) <= {*METRIC_TERMS, *metric.terms, "log_v_ratio"}
        assert metric.long_name
        assert metric.scope in ("system", "pooled")


def test_errors_below_a_tenth_count_as_a_tenth() -> None:
    assert terms(2.0, 1.0, 0.0)["chi_sq"] == terms(2.0, 1.0, 0.1)["chi_sq"] == pytest.approx(100.0)


def test_equal_residuals_have_no_scatter() -> None:
    """Rounding may take ⟨x²⟩ below ⟨x⟩²; the root is of zero then, not of less."""
    x = 0.1
    total, total_sq = 3 * x, 3 * (x * x)
    assert total_sq / 3 <= (total / 3) ** 2
    assert METRICS["scatter_v"].finish(3.0, total, total_sq) == 0.0


def test_accelerations_scatter_twice_as_much() -> None:
    sums = (1.3, 2.9)
    assert METRICS["scatter_g"].finish(5.0, *sums) == 2.0 * METRICS["scatter_v"].finish(5.0, *sums)


def test_sums_are_added_up_once() -> None:
    assert sums_of(find_metrics(METRICS)) == (
        "residual_sq",
        "chi_sq",
        "inverse_variance",
        "residual",
        "ratio",
        "deviance",
        "log_ratio",
        "log_ratio_sq",
        "log_v_ratio",
        "log_v_ratio_sq",
    )


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["rmse"], r"there is no metric 'rmse'\n  where: metrics\n  do: did you mean 'rms'\? valid: bias, chi2"),
        (["rms", "bias", "rms"], "metric 'rms' is named twice\n  where: metrics"),
        ([], "a sweep needs at least one metric\n  where: metrics"),
    ],
)
def test_refused(names: list[str], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        find_metrics(names)
