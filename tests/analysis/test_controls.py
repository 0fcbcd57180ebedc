"""Controls by permutation: a variable that decides is seen, one that does not is not, and seeds are kept."""

import numpy as np
import pytest
import xarray as xr

import sigcube
from sigcube.analysis import permutation_control
from sigcube.errors import SpecError
from sigcube.readers.mock import mock_survey
from sigcube.sweep import Sweep

# Its sweeps compile loops of their own.
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def survey() -> xr.Dataset:
    """Galaxies that move as Σ-Gravity says, with ξ a multiple of their own scale length."""
    cube = mock_survey(n_galaxies=20, seed=8)
    exact = sigcube.kernels["sigma"].predict(cube, A=2.0, xi_scale=1.5)
    return cube.assign(v_obs=cube.v_obs.copy(data=exact.transpose(*cube.v_obs.dims).values))


def sweep(cube: xr.Dataset, **given: object) -> Sweep:
    return Sweep(
        cube,
        sample="unflagged",
        kernel="sigma",
        axes={"A": [2.0]},
        fixed={"xi_scale": 1.5, **given},
        reference="mond",
    )


def test_a_variable_that_decides_is_seen(survey: xr.Dataset) -> None:
    found = permutation_control(sweep(survey), variable="scale_length_third_point", n=99)
    assert found.observed < 1e-6 < float(found.shuffled.min())
    assert found.p_value == 0.01
    assert found.shuffled.dims == ("permutation",)
    assert "p = 0.01" in str(found)
    again = permutation_control(sweep(survey), variable="scale_length_third_point", n=99)
    np.testing.assert_array_equal(found.shuffled, again.shuffled)
    other = permutation_control(sweep(survey), variable="scale_length_third_point", n=99, seed=1)
    assert not np.array_equal(found.shuffled, other.shuffled)


def test_a_variable_with_one_value_decides_nothing(survey: xr.Dataset) -> None:
    same = survey.assign(scale_length_third_point=survey.scale_length_third_point * 0.0 + 2.0)
    found = permutation_control(sweep(same), variable="scale_length_third_point", n=19)
    assert found.p_value == 1.0
    np.testing.assert_array_equal(found.shuffled, found.observed)


def test_where_more_is_better_more_counts(survey: xr.Dataset) -> None:
    found = permutation_control(sweep(survey), variable="scale_length_third_point", metric="win_rate", n=39)
    assert found.observed == 1.0
    assert found.p_value == (1 + int((found.shuffled >= 1.0).sum())) / 40


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"variable": "scale_length_third_pont"}, "did you mean 'scale_length_third_point'"),
        ({"variable": "scale_length_third_point", "metric": "rms_men"}, "did you mean 'rms_mean'"),
    ],
)
def test_what_is_not_there_is_refused(survey: xr.Dataset, given: dict[str, str], said: str) -> None:
    with pytest.raises(SpecError, match=said):
        permutation_control(sweep(survey), **given)


def test_a_metric_without_a_value_is_refused(survey: xr.Dataset) -> None:
    broken = survey.assign(v_obs=survey.v_obs * np.inf)
    with pytest.raises(SpecError, match=r"rms_mean has no finite value"):
        permutation_control(sweep(broken), variable="scale_length_third_point", n=3)


def test_a_control_is_of_one_model(survey: xr.Dataset) -> None:
    several = Sweep(survey, kernel="sigma", axes={"A": [1.0, 2.0]})
    with pytest.raises(SpecError, match="a control is of one model"):
        permutation_control(several, variable="scale_length_third_point")
