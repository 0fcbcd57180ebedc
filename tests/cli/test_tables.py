"""The tables of best points and of kernels."""

import io

import pytest
from rich.console import Console
from rich.table import Table

from sigcube.cli.catalogue import kernel_records
from sigcube.cli.tables import best_table, kernel_tables
from sigcube.errors import SpecError
from sigcube.kernels import KERNELS
from tests.results import small_result


def text_of(table: Table) -> str:
    console = Console(file=io.StringIO(), width=240)
    console.print(table)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


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
