"""What a model leaves over against the properties of systems."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from scipy.stats import rankdata, t
from typer.testing import CliRunner

from sigcube import Sweep, analysis
from sigcube.analysis.trends import properties_of
from sigcube.cli import app
from sigcube.errors import DataError, SpecError


def test_rho_is_the_correlation_of_ranks_and_p_that_of_student(mock_cube: xr.Dataset) -> None:
    rng = np.random.default_rng(2)
    values = xr.DataArray(rng.normal(size=40), dims="galaxy", coords={"galaxy": mock_cube.galaxy}, name="left")
    found = analysis.trends(values, mock_cube)
    for name in map(str, found["property"].values):
        x = mock_cube[name].values.astype(float)
        both = np.isfinite(x)
        one = found.sel(property=name)
        assert one["n_systems"] == both.sum()
        if np.unique(x[both]).size < 3:
            assert np.isnan(one["rho"])
            continue
        rho = np.corrcoef(rankdata(x[both]), rankdata(values.values[both]))[0, 1]
        p = 2 * t.sf(abs(rho) * np.sqrt((both.sum() - 2) / (1 - rho * rho)), both.sum() - 2)
        np.testing.assert_allclose([one["rho"], one["p_value"]], [rho, p], rtol=1e-10)
    told = found["p_value"].values[np.isfinite(found["p_value"].values)]
    assert (np.diff(told) >= 0).all()
    assert found.n_compared == told.size
    # Holm 1979: the smallest p counts as often as there are properties, the next once less.
    expected = np.minimum(np.maximum.accumulate(told * np.arange(told.size, 0, -1)), 1.0)
    np.testing.assert_allclose(found["p_adjusted"].values[: told.size], expected)


def test_a_trend_is_found_by_any_rising_law_and_in_any_order(mock_cube: xr.Dataset) -> None:
    grown = np.exp(3 * mock_cube["inclination"] / 90.0).rename("left")
    found = analysis.trends(grown[::-1], mock_cube, properties=["distance", "inclination"])
    assert list(found["property"].values) == ["inclination", "distance"]
    assert found["rho"].values[0] == pytest.approx(1.0)
    assert found.n_compared == 2


def test_systems_without_a_value_are_left_out(mock_cube: xr.Dataset) -> None:
    values = mock_cube["distance"].where(np.arange(40) < 4).rename("left")
    assert analysis.trends(values, mock_cube, properties=["distance"])["n_systems"].item() == 4
    # Four systems have no trend.
    assert np.isnan(analysis.trends(values, mock_cube, properties=["distance"])["rho"].item())


def test_errors_and_flags_are_no_properties(mock_cube: xr.Dataset) -> None:
    names = properties_of(mock_cube)
    assert "inclination" in names
    assert not [name for name in names if name.startswith("e_") or name.endswith("flag")]


def test_codes_and_copies_are_no_properties(mock_cube: xr.Dataset) -> None:
    copies = {"r_disk": mock_cube["inclination"] * 2.0, "scale_length_catalogue": mock_cube["inclination"] * 2.0}
    names = properties_of(mock_cube.assign(copies | {"distance_method": mock_cube["inclination"] // 20}))
    assert "distance_method" not in names, "its numbers name things that have no order"
    assert ("r_disk" in names) != ("scale_length_catalogue" in names)


def test_bad_questions_get_one_clear_error(mock_cube: xr.Dataset) -> None:
    values = mock_cube["distance"]
    with pytest.raises(SpecError, match=r"no 'inclinatoin' for each system\n.*\n  do: did you mean 'inclination'"):
        analysis.trends(values, mock_cube, properties=["inclinatoin"])
    with pytest.raises(SpecError, match=r"one value of each system\n.*\n  found: dimensions galaxy, radius"):
        analysis.trends(mock_cube["v_obs"], mock_cube)
    with pytest.raises(DataError, match=r"the cube lacks 39 of the systems\n"):
        analysis.trends(values, mock_cube.isel(galaxy=[3]))
    with pytest.raises(DataError, match=r"other systems than the values\n.*\n.*each galaxy, and a cube with landmark"):
        analysis.trends(values, xr.Dataset({"distance": ("landmark", [1.0])}, attrs={"kind": "landmark"}))


@pytest.mark.slow
def test_the_command_says_what_the_function_says(
    sparc_path: Path, sparc_cube: xr.Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    axes = {"A": [0.5, 1.0, 1.5]}
    sweep = Sweep(sparc_cube, sample="paper171", kernel="sigma", axes=axes, metrics=["rms", "bias"], keep=["galaxy"])
    result = sweep.run("r.zarr", workers=0)
    asked = CliRunner().invoke(app, ["trends", "r.zarr", str(sparc_path), "--at", "A=1.5", "--html", "page.html"])
    assert asked.exit_code == 0, asked.output
    assert "at: A = 1.5" in asked.stdout
    found = analysis.trends(result["bias"].sel(A=1.5), sparc_cube)
    first, rho = str(found["property"].values[0]), float(found["rho"][0])
    line = next(line for line in asked.stdout.splitlines() if line.split()[:1] == [first])
    assert float(line.split()[1]) == pytest.approx(rho, abs=1e-4)
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert f"{found.n_compared} properties were looked at" in page
    assert "Figures show the first 9." in page
    for words in ("<dt>sample</dt><dd>paper171", "<dt>kernel</dt><dd>sigma", "<dt>result</dt>"):
        assert words in page
    wrong = CliRunner().invoke(app, ["trends", "r.zarr", str(sparc_path), "--at", "B=1"])
    assert (wrong.exit_code, "there is no axis 'B'" in wrong.stderr) == (2, True), wrong.output
