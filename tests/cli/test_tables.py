"""The tables of best points and of kernels."""

import io

import numpy as np
import pytest
import xarray as xr
from rich.console import Console
from rich.table import Table
from rich.text import Text

from sigcube.cli.answers import say_any
from sigcube.cli.app import print_tables
from sigcube.cli.catalogue import kernel_records, metric_records
from sigcube.cli.tables import best_table, kernel_tables, metric_table, table
from sigcube.errors import SpecError
from sigcube.kernels import KERNELS
from sigcube.plan.values import PointStatus
from tests.results import kept_result, small_result


def text_of(shown: Table | Text) -> str:
    console = Console(file=io.StringIO(), width=240)
    console.print(shown)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_the_best_table_shows_units_and_what_makes_no_difference() -> None:
    shown = text_of(best_table(small_result()))
    assert "rms_mean [km/s]" in shown
    assert shown.index("window") < shown.index("xi_scale") < shown.index("rms_mean [km/s]")
    assert "any" in next(line for line in shown.splitlines() if "none" in line)


@pytest.mark.parametrize("width", [80, 40])
def test_no_number_is_broken_over_two_lines(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    console = Console(file=io.StringIO(), width=width)
    monkeypatch.setitem(print_tables.__globals__, "stdout_console", lambda: console)
    numbers = [f"{10**-n:.4e}" for n in range(9)]
    print_tables([table("", ("what it is of", *(f">a{n}" for n in range(9))), [("a long text in words", *numbers)])])
    assert isinstance(console.file, io.StringIO)
    shown = console.file.getvalue()
    assert all(each in shown for each in numbers)


def test_no_word_is_broken_over_two_lines(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    print_tables([metric_table(metric_records())])
    shown = capsys.readouterr().out
    assert max(map(len, shown.splitlines())) <= 80
    assert shown.count("prediction/observation") == 1
    assert shown.count("observation/prediction") == 1


def test_a_table_without_a_value_says_which_systems_have_none() -> None:
    rms = np.ones((3, 2))
    rms[1] = np.nan
    content = {"rms": (("galaxy", "A"), rms), "rms_mean": ("A", rms.mean(axis=0)), "status": ("A", np.full(2, 2))}
    result = xr.Dataset(content, {"galaxy": ["a", "b", "c"], "A": [1.0, 2.0]})
    shown = text_of(best_table(result))
    assert (
        "no point of the grid has a finite rms_mean: it lacks 1 of 3 galaxies, b; the result's status tells why"
        in shown
    )


def test_a_table_without_a_value_says_why_as_far_as_the_result_tells() -> None:
    content = {"rms_mean": ("A", np.full(2, np.nan)), "status": ("A", np.full(2, int(PointStatus.FAILED)))}
    failed = xr.Dataset(content, {"A": [1.0, 2.0]})
    assert "of 2 grid points, 2 failed: `sigcube status` tells why" in text_of(best_table(failed))
    invalid = failed.assign(status=("A", np.full(2, int(PointStatus.INVALID)))).assign_attrs(lacking="no e_v_obs")
    assert "no point of the grid has a finite rms_mean; no e_v_obs" in text_of(best_table(invalid))


def test_the_table_of_the_best_is_of_a_summary_with_values() -> None:
    status = ("A", np.full(2, int(PointStatus.INVALID)))
    content = {"loglike_sum": ("A", np.full(2, np.nan)), "ratio_mean": ("A", [0.5, 0.8]), "status": status}
    shown = text_of(best_table(xr.Dataset(content, {"A": [1.0, 2.0]})))
    assert "Best ratio_mean" in shown
    assert [line.split()[:2] for line in shown.splitlines() if "nan" in line] == [["1", "0.5"]]


@pytest.mark.slow
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


def test_a_title_wider_than_its_table_is_not_broken(capsys: pytest.CaptureFixture[str]) -> None:
    print_tables([table("Best rms_mean along xi_scale, all else at its best", ("a", ">b"), [("x", 1)])])
    assert capsys.readouterr().out.splitlines()[0] == "Best rms_mean along xi_scale, all else at its best"


def test_what_a_model_does_not_use_is_any() -> None:
    array = kept_result().rms_mean
    rows = [{"window": label, "k": 0.5, "A": 1.0} for label in ("geometric", "power")]
    assert [row["k"] for row in say_any(array, [dict(row) for row in rows])] == ["any", 0.5]
    # The axis that remains has its value, and a row without a value has no place.
    assert [row["k"] for row in say_any(array, [dict(row) for row in rows], besides="k")] == [0.5, 0.5]
    assert say_any(array, [{"window": "", "k": np.nan}])[0]["window"] == ""
