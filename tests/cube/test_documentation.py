"""The schemas in words say what the kinds say, and their Python runs."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from sigcube.cube import KINDS, Kind, save_cube, select
from tests.cube_documentation import documentation

README = Path(__file__).resolve().parents[2] / "cubes" / "README.md"


def section(kind: Kind) -> str:
    return documentation().partition(f"\n## `{kind.name}`\n")[2].partition("\n## ")[0]


def test_the_file_is_what_the_kinds_say() -> None:
    assert README.read_text(encoding="utf-8") == documentation(), "run `make docs`"


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_every_variable_and_flag_is_told(kind: Kind) -> None:
    # A cell may hold a bar, with a backslash before it.
    rows = [re.split(r"(?<!\\)\|", line) for line in section(kind).splitlines() if line.startswith("| ")]
    told = {row[1].strip(" `"): [cell.strip() for cell in row[2:-1]] for row in rows if len(row) == 7}
    assert set(told) == {"variable", "---", *(variable.name for variable in kind.variables)}
    for variable in kind.variables:
        dims, dtype, unit, meaning = told[variable.name]
        assert (dims, dtype, unit) == (", ".join(variable.dims), variable.dtype, variable.unit or "–")
        assert meaning.replace("\\|", "|").startswith(variable.long_name)
        for bit, flag in enumerate(variable.flags):
            assert f"| {1 << bit} | `{flag}` | " in section(kind)
    assert {len(row) for row in rows} <= {5, 7}


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_every_kind_and_every_flag_has_words_of_its_own(kind: Kind) -> None:
    assert kind.description.endswith(".")
    for name in kind.flags:
        variable = kind.variable(name)
        assert len(variable.flag_notes) == len(variable.flags) > 0
        assert all(variable.flag_notes)


def test_required_variables_come_apart_from_the_others() -> None:
    always, _, rest = section(KINDS["galaxy"]).partition("Where the source has it:")
    assert "| `v_obs` |" in always
    assert "| `hubble_type` |" in rest
    assert r"largest \|V_disk\| of" in always


def test_the_python_of_the_page_runs(tmp_path: Path, mock_cube: xr.Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    samples = json.loads(mock_cube.attrs["samples"])
    cube = mock_cube.assign_attrs(samples=json.dumps({"paper171": samples["unflagged"]}))
    save_cube(cube, tmp_path / "cubes" / "sparc.zarr")
    monkeypatch.chdir(tmp_path)
    code = re.findall(r"```python\n(.*?)```", documentation(), flags=re.DOTALL)
    assert len(code) == 2
    names: dict[str, Any] = {}
    exec(compile("".join(code).replace("\ncube.v_obs.where", "\nkept = cube.v_obs.where"), "README.md", "exec"), names)
    by_sigcube = select(cube, sample="paper171").v_obs
    by_hand = names["kept"].sel(galaxy=by_sigcube.galaxy.values.astype(str))
    np.testing.assert_array_equal(by_hand.values, by_sigcube.values)
