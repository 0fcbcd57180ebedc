"""The smallest value under each reading, and the tables of kernels."""

import io

import numpy as np
import pytest
import xarray as xr
from rich.console import Console
from rich.table import Table

from sigcube.analysis.best import best_index, best_points
from sigcube.cli.catalogue import kernel_records
from sigcube.cli.tables import best_table, kernel_tables
from sigcube.errors import SpecError
from sigcube.kernels import KERNELS
from tests.results import BEST, small_result


def text_of(table: Table) -> str:
    console = Console(file=io.StringIO(), width=240)
    console.print(table)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_best_points_name_the_axes_that_matter() -> None:
    points = {point["window"]: point for point in best_points(small_result())}
    assert points["power"]["k"] == BEST["k"]
    assert points["power"]["xi_scale"] == pytest.approx(BEST["xi_scale"])
    assert points["power"]["A"] == pytest.approx(BEST["A"])
    assert points["geometric"]["k"] is None
    assert (points["none"]["k"], points["none"]["xi_scale"]) == (None, None)
    assert points["none"]["rms_mean"] == pytest.approx(11.0)


def test_a_reading_without_a_finite_value_is_left_out() -> None:
    result = small_result()
    result["rms_mean"][0] = np.nan
    assert [point["window"] for point in best_points(result)] == ["power", "none"]


def test_the_best_agrees_with_argmin_when_read_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    array = small_result()["rms_mean"].isel(window=1)
    whole = best_index(array)
    monkeypatch.setattr("sigcube.analysis.best._SLAB", 100)
    assert best_index(array) == whole
    assert whole == {dim: int(i) for dim, i in array.argmin(...).items()}


def test_ties_go_to_the_first() -> None:
    assert best_index(small_result()["rms_mean"].isel(window=2) * 0) == {"k": 0, "xi_scale": 0, "A": 0}


@pytest.mark.parametrize(
    ("best", "values", "index"),
    [
        # an RMS
        ("smallest", [3.0, 1.0, 2.0], 1),
        # a win rate
        ("largest", [0.3, 0.1, 0.6], 2),
        # a bias of either sign
        ("zero", [-0.5, -2.0, 1.0], 0),
        # half as much is as far off as twice
        ("one", [0.4, 1.9, 3.0], 1),
        # what is not finite is no candidate
        ("one", [np.nan, np.inf, 30.0], 2),
        # A model that predicts the opposite is not a good one.
        ("one", [-1.0, 0.5, 3.0], 1),
    ],
)
def test_what_is_best_is_for_the_summary_to_say(best: str, values: list[float], index: int) -> None:
    assert best_index(xr.DataArray(values, dims="A", attrs={"best": best})) == {"A": index}


def test_the_best_table_shows_units_and_what_makes_no_difference() -> None:
    shown = text_of(best_table(small_result()))
    assert "rms_mean [km/s]" in shown
    assert shown.index("window") < shown.index("xi_scale") < shown.index("rms_mean [km/s]")
    assert "any" in next(line for line in shown.splitlines() if "none" in line)


@pytest.mark.parametrize("name", sorted(KERNELS))
def test_every_parameter_and_label_of_a_kernel_is_in_its_tables(name: str) -> None:
    shown = "\n".join(text_of(table) for table in kernel_tables(name))
    kernel = KERNELS[name]
    for parameter in kernel.parameters:
        assert parameter.name in shown
        assert parameter.description in shown
    for choice in kernel.choices:
        assert f"{choice.default} *" in shown
        assert all(label in shown for label in choice.options)
    assert "upsilon_disk" in shown


def test_kernel_records_hold_the_defaults() -> None:
    (record,) = kernel_records("mond")
    assert {p["name"]: p["default"] for p in record["parameters"]}["a0"] == 1.2e-10
    assert record["choices"][0]["labels"].keys() == {"rar", "simple", "standard"}


def test_an_unknown_kernel_is_named() -> None:
    with pytest.raises(SpecError, match="there is no kernel 'sigmo'") as caught:
        kernel_tables("sigmo")
    assert "did you mean 'sigma'" in str(caught.value)
