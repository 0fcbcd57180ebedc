"""The command line: what each verb prints, its exit codes, and that an expected fault is never a traceback."""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from distributed import Client

from sigcube import __version__
from sigcube.cli import ExitCode, app
from sigcube.cli.app import complete, print_result
from sigcube.kernels import KERNELS
from sigcube.model.metrics import METRICS
from sigcube.plan.values import PointStatus
from sigcube.rerun import RerunReport
from sigcube.store import open_or_create
from sigcube.store.result import open_result
from sigcube.sweep import Sweep
from sigcube.wording import listed
from tests.calling import call
from tests.damage import falsify
from tests.readers.sparc_files import SparcFiles

SPEC = """
cube = "survey.zarr"
sample = "unflagged"
kernel = "sigma"
metrics = ["rms", "scatter_g"]

[reference]
kernel = "mond"

[axes]
window = ["geometric", "none"]
xi_scale = { linspace = [0.05, 0.5, 4] }
A = { linspace = [0.5, 1.5, 5] }
"""
# From a folder elsewhere, the package under test is found also where it is not installed.
ENV = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
VERBS = (
    "datasets",
    "fetch",
    "ingest",
    "check",
    "show",
    "kernels",
    "metrics",
    "plan",
    "sweep",
    "explore",
    "status",
    "rerun",
    "verify",
    "best",
    "profile",
    "sensitivity",
    "ablation",
    "curve",
    "holdout",
    "tradeoff",
    "trends",
    "posterior",
    "compare",
    "preferences",
    "map",
    "explore",
    "fit",
    "claims",
    "figures",
    "demo",
)


@pytest.fixture
def scheduler(local_client: Client) -> tuple[str, str]:
    """The words by which a command runs on a cluster that is there already."""
    return "--scheduler", local_client.scheduler.address


def sigcube(*words: str, cwd: Path, timeout: float = 600) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own."""
    return subprocess.run(_command(*words), cwd=cwd, env=ENV, capture_output=True, text=True, timeout=timeout)


def _command(*words: str) -> list[str]:
    return [sys.executable, "-c", "from sigcube.cli import app; app()", *words]


@pytest.mark.parametrize("words", ["kernels sigma", "status nowhere.zarr", "kernels sigma --json"])
@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_a_stream_that_is_closed_is_not_written_to(tmp_path: Path, words: str, closed: str) -> None:
    line = f"{shlex.join(_command())} {words} {closed}"
    done = subprocess.run(line, shell=True, cwd=tmp_path, env=ENV, capture_output=True, text=True, timeout=600)
    assert done.returncode == (0 if "kernels" in words else ExitCode.REFUSED)
    assert "Traceback" not in done.stdout + done.stderr
    assert "2" not in closed or "error" not in done.stdout


@pytest.mark.parametrize("name", ["plain.zarr", "a $(touch gone) b.zarr", "na me'q\"ü`id`!.zarr"])
def test_the_line_that_opens_a_result_is_safe_to_paste(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    print_result(Path(name))
    line = capsys.readouterr().out.partition("open it: ")[2].strip()
    # What the shell makes of it, without running it.
    shown = subprocess.run(
        ["sh", "-c", f"printf '%s\\n' {line}"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert shown.stdout.splitlines() == ["python", "-c", f"import sigcube; print(sigcube.open_result({name!r}))"]
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def folder(tmp_path: Path, mock_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current directory, with a cube and a spec."""
    shutil.copytree(mock_path, tmp_path / "survey.zarr")
    (tmp_path / "spec.toml").write_text(SPEC, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory, mock_path: Path) -> Path:
    """A folder in which the spec was swept from the command line."""
    folder = tmp_path_factory.mktemp("swept")
    shutil.copytree(mock_path, folder / "survey.zarr")
    (folder / "spec.toml").write_text(SPEC, encoding="utf-8")
    done = sigcube("sweep", "spec.toml", cwd=folder)
    assert done.returncode == 0, done.stderr
    (folder / "stdout").write_text(done.stdout, encoding="utf-8")
    (folder / "stderr").write_text(done.stderr, encoding="utf-8")
    return folder


@pytest.mark.slow
def test_options_replace_what_the_spec_says(folder: Path) -> None:
    options = ["--set", "A=1.2", "--set", "window=geometric", "--where", "inclination > 60", "--error-floor", "5 %"]
    (folder / "spec.toml").write_text(SPEC.replace('"scatter_g"', '"chi2"') + 'gas = ["signed"]', encoding="utf-8")
    planned = json.loads(call("plan", "spec.toml", *options, "--json").stdout)
    assert planned["grid"] == {"xi_scale": 4, "gas": 1}
    assert planned["error_floor"] == "5 % of v_obs"
    done = call("sweep", "spec.toml", *options)
    assert done.exit_code == 0, done.output
    attrs = open_result("cubes/results/spec.zarr").attrs
    assert json.loads(attrs["spec"])["fixed"] == {"A": 1.2, "window": "geometric"}
    assert (attrs["where"], attrs["n_systems"]) == ("inclination > 60", planned["systems"])
    # The same spec without them is another sweep, and says so.
    again = call("sweep", "spec.toml")
    assert again.exit_code == ExitCode.REFUSED
    assert re.search("made by another sweep: .*fixed.*where, error_floor", again.stderr)


@pytest.mark.parametrize("word", ["A", "A=", "=1", "="])
def test_a_setting_has_a_name_and_a_value(folder: Path, word: str) -> None:
    done = call("plan", "spec.toml", "--set", word)
    assert done.exit_code == ExitCode.USAGE
    assert "is not of the form NAME=VALUE" in done.stderr


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (["plan", "spec.toml", "--set", "A=1", "--set", " A = 2"], "A"),
        (["posterior", "r.zarr", "--prior", "k=uniform:0,1", "--prior", "k=uniform:0,2"], "k"),
    ],
)
def test_an_option_may_not_give_a_name_twice(folder: Path, words: list[str], name: str) -> None:
    done = call(*words)
    assert done.exit_code == ExitCode.USAGE
    assert f"{name} is given twice" in done.stderr


@pytest.mark.parametrize(
    "words", [["map", "survey.zarr", "--out"], ["show", "survey.zarr", "--out"], ["trends", "a", "b", "--html"]]
)
@pytest.mark.parametrize("name", ["page.pdf", "page"])
def test_a_page_has_the_name_of_an_html_file(folder: Path, words: list[str], name: str) -> None:
    assert refusal(*words, name, said="expected: a name that ends in .html or .htm") == ExitCode.USAGE
    assert not Path(name).exists()


def test_version() -> None:
    assert call("--version").stdout == f"sigcube {__version__}\n"


@pytest.mark.slow
def test_help_names_every_verb_and_every_verb_has_help() -> None:
    shown = call("--help").stdout
    for verb in VERBS:
        assert re.search(rf"\b{verb}\b", shown)
        assert "Usage" in call(verb, "--help").stdout
    assert {command.name or command.callback.__name__ for command in app.registered_commands} == set(VERBS)


def test_without_a_command_it_says_what_to_do_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = call()
    assert (shown.exit_code, shown.stderr) == (0, "")
    assert max(map(len, shown.stdout.splitlines())) <= 80
    ingest, sweep, rest = (line.split("  ")[0].split()[1:] for line in shown.stdout.splitlines())
    monkeypatch.chdir(tmp_path)
    assert call(*ingest).exit_code == 0
    assert sweep[0] == "sweep"
    assert Sweep.from_toml(sweep[1]).plan(probe=False).n_points == 21
    assert call(*rest).exit_code == 0


def test_the_command_line_loads_nothing_heavy_by_itself() -> None:
    code = "import sys, sigcube.cli; print([m for m in sys.modules if '.' not in m])"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    for heavy in ("numpy", "xarray", "zarr", "dask", "distributed", "numba", "astropy", "bokeh", "panel", "pydantic"):
        assert f"'{heavy}'" not in loaded


@pytest.mark.slow
def test_a_small_sweep_loads_no_cluster_and_nothing_that_draws(swept: Path) -> None:
    code = (
        "import sys; from typer.testing import CliRunner; from sigcube.cli import app\n"
        "assert CliRunner().invoke(app, ['sweep', 'spec.toml', '--out', 'again.zarr']).exit_code == 0\n"
        "print([*sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], cwd=swept, capture_output=True, text=True, check=True)
    # Of scipy, Dask and Numba take parts; its statistics alone take as long as zarr and Numba together.
    for heavy in ("distributed", "hvplot", "holoviews", "panel", "bokeh", "astropy", "matplotlib", "scipy.stats"):
        assert f"'{heavy}'" not in run.stdout


@pytest.mark.slow
def test_kernels_shows_tables() -> None:
    shown = call("kernels")
    assert shown.exit_code == 0
    for word in ("xi_scale", "km/s", "geometric *", "g†", "SI §13.2", "upsilon_disk"):
        assert word in shown.stdout


def test_metrics_are_listed() -> None:
    shown = call("metrics").stdout
    assert all(name in shown for name in METRICS)
    (rms, *_) = json.loads(call("metrics", "--json").stdout)
    about = {"name": "rms", "meaning": "RMS residual", "scope": "system", "unit": None, "best": "smallest"}
    assert rms == {**about, "summaries": ["mean", "median"]}


def test_names_and_files_are_completed(tmp_path: Path) -> None:
    assert complete("sweeps", "main36") == ["main36_mond"]
    assert complete("ingest", "spar") == ["sparc"]
    (tmp_path / "mine.toml").touch()
    (tmp_path / "mine.txt").touch()
    (tmp_path / "mines").mkdir()
    assert complete("sweeps", f"{tmp_path}/mi") == [f"{tmp_path}/mine.toml", f"{tmp_path}/mines/"]
    assert complete("sweeps", f"{tmp_path}/nowhere/") == []


def test_kernels_as_json() -> None:
    names = [record["name"] for record in json.loads(call("kernels", "--json").stdout)]
    assert names == list(KERNELS)
    (sigma,) = json.loads(call("kernels", "sigma", "--json").stdout)
    assert {"name": "A", "unit": "", "bounds": [0.0, 100.0]}.items() <= sigma["parameters"][0].items()


@pytest.mark.slow
def test_plan_shows_what_a_sweep_costs(folder: Path) -> None:
    shown = call("plan", "spec.toml").stdout
    assert "window 2 × xi_scale 4 × A 5 = 40 grid points" in shown
    assert "window=none: 5 over A, repeated along xi_scale" in shown
    assert "on one core of this machine" in shown
    assert not (folder / "cubes").exists()


@pytest.mark.slow
def test_plan_as_json(folder: Path) -> None:
    record = json.loads(call("plan", "spec.toml", "--json").stdout)
    assert record["grid"] == {"window": 2, "xi_scale": 4, "A": 5}
    assert (record["grid_points"], record["grid_points_computed"], record["readings"]) == (40, 25, 2)
    assert record["evaluations"] == 25 * record["points"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "old", "new", "said"),
    [
        (["plan", "spec.toml"], "kernel =", "kernle =", "unknown key 'kernle'"),  # key of the file
        (["plan", "spec.toml"], "xi_scale =", "xi_scal =", "did you mean 'xi_scale'"),  # axis
        (["plan", "spec.toml"], '"none"', '"nome"', "did you mean 'none'"),  # label
        (["sweep", "spec.toml"], '"rms", ', '"rsm", ', "there is no metric 'rsm'"),  # metric
        (["sweep", "spec.toml"], "unflagged", "unflaged", "did you mean 'unflagged'"),  # sample
        (["plan", "absent.toml"], "", "", "the sweep's file cannot be read"),  # file
        (["rerun", "survey.zarr"], "", "", "not a result of a sweep"),  # a cube for a result
        (["rerun", "spec.toml"], "", "", "not a result of a sweep"),  # a file for a folder
        (["kernels", "sigmo"], "", "", "did you mean 'sigma'"),  # kernel
        (["fetch", "spark"], "", "", "did you mean 'sparc'"),  # recipe
    ],
)
def test_what_cannot_be_asked_for_is_one_message_and_code_2(
    folder: Path, words: list[str], old: str, new: str, said: str
) -> None:
    (folder / "spec.toml").write_text(SPEC.replace(old, new) if old else SPEC, encoding="utf-8")
    assert refusal(*words, said=said) == ExitCode.USAGE


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "old", "new", "said"),
    [
        (["sweep", "spec.toml"], "survey.zarr", "absent.zarr", "absent.zarr"),  # cube
        (["check", "absent.zarr"], "", "", "there is no cube here"),
        (["status", "absent.zarr"], "", "", "there is nothing here"),  # result
        (["best", "absent.zarr"], "", "", "there is nothing here"),
        (["explore", "absent.zarr"], "", "", "there is nothing here"),
        (["rerun", "absent.zarr"], "", "", "expected: a result of a sweep"),
        (["map", "absent.zarr", "--x", "A", "--y", "k"], "", "", "there is nothing here"),
        (["plan", "si13_coherence_scale"], "", "", "make it with `sigcube ingest sparc`"),  # cube of a dataset
        (["sweep", "spec.toml", "--scheduler", "tcp://127.0.0.1:9"], "", "", "no Dask scheduler answers"),  # cluster
        (["sweep", "spec.toml", "--out", "spec.toml/r/r.zarr"], "", "", "folder cannot be made"),
        (["ingest", "sparc", "--data", "absent"], "", "", "this is not a folder"),  # raw files
        (["claims", "sparc", "--data", "absent"], "", "", "this is not a folder"),
        (["figures", "clusters", "--data", "absent"], "", "", "this is not a folder"),
    ],
)
def test_what_fails_is_one_message_and_code_1(folder: Path, words: list[str], old: str, new: str, said: str) -> None:
    (folder / "spec.toml").write_text(SPEC.replace(old, new) if old else SPEC, encoding="utf-8")
    assert refusal(*words, said=said) == ExitCode.REFUSED


def refusal(*words: str, said: str) -> int:
    """The exit code of a command that is refused, with one message and nothing else."""
    result = call(*words)
    assert said in result.stderr
    assert result.stderr.startswith("error ")
    assert "Traceback" not in result.output
    assert result.stdout == ""
    return result.exit_code


@pytest.mark.slow
def test_a_fault_is_no_traceback_in_a_process_either(tmp_path: Path) -> None:
    done = sigcube("plan", "absent.toml", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (ExitCode.USAGE, "")
    assert done.stderr.splitlines()[0] == "error the sweep's file cannot be read"
    assert "\x1b[" not in done.stderr


@pytest.mark.parametrize("words", [["sweep"], ["plan", "--jason", "x"], ["swep"], ["sweep", "x", "--workers", "-1"]])
def test_wrong_usage_is_code_2(words: list[str]) -> None:
    assert call(*words).exit_code == ExitCode.USAGE


def test_fetch_checks_files_that_are_there(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    SparcFiles().write(tmp_path / "data")
    result = call("fetch", "sparc", "--data", str(tmp_path / "data"))
    # The zip of a test is not the official one, and its checksum is what the recipe insists on.
    assert result.exit_code == ExitCode.REFUSED
    assert "wrong checksum" in result.stderr


def test_fetch_notes_beside_the_paths_which_files_are_unverified(shared_data: Path, tmp_path: Path) -> None:
    for name, more in (("Rotmod_LTG.zip", b""), ("SPARC_Lelli2016c.mrt", b"\n")):
        (tmp_path / name).write_bytes((shared_data / "sparc" / name).read_bytes() + more)
    result = call("fetch", "sparc", "--data", str(tmp_path))
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [str(tmp_path / name) for name in ("Rotmod_LTG.zip", "SPARC_Lelli2016c.mrt")]
    note = "(unverified): its checksum is not that of the official file"
    assert result.stderr == f"{tmp_path / 'SPARC_Lelli2016c.mrt'} {note}\n"


@pytest.mark.slow
def test_fetch_and_ingest_take_the_real_files(
    shared_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    fetched = call("fetch", "sparc", "--data", str(shared_data))
    assert [Path(line).name for line in fetched.stdout.splitlines()] == ["Rotmod_LTG.zip", "SPARC_Lelli2016c.mrt"]
    made = call("ingest", "sparc", "--data", str(shared_data))
    assert made.exit_code == 0
    assert made.stdout.startswith("cubes/sparc.zarr: SPARC")
    assert "paper171" in made.stdout
    again = call("ingest", "sparc", "--data", str(shared_data))
    assert again.exit_code == ExitCode.REFUSED
    assert "there is already a cube here" in again.stderr
    assert call("ingest", "sparc", "--data", str(shared_data), "--overwrite").exit_code == 0


@pytest.mark.slow
def test_a_sweep_prints_a_table_and_where_the_result_is(swept: Path) -> None:
    out, err = (swept / "stdout").read_text(encoding="utf-8"), (swept / "stderr").read_text(encoding="utf-8")
    assert "Best rms_mean under each reading" in out
    assert [line.split()[:2] for line in out.splitlines() if line.lstrip().startswith(("geometric", "none"))][1] == [
        "none",
        "any",
    ]
    assert "result: cubes/results/spec.zarr" in out
    opens = re.search(r'python -c "(.*)"', out)
    assert opens is not None
    shown = subprocess.run(
        [sys.executable, "-c", opens[1]], cwd=swept, env=ENV, capture_output=True, text=True, check=True
    )
    assert "rms_mean" in shown.stdout
    assert re.search(r"\d\d:\d\d:\d\d  \d+/\d+ blocks", err)
    assert "\x1b[" not in out + err


@pytest.mark.slow
def test_a_sweep_says_how_many_points_have_no_value_and_where(folder: Path) -> None:
    text = SPEC.partition("[reference]")[0].replace("sigma", "newton")
    axes = 'keep = ["galaxy"]\n[axes]\nupsilon_disk = [0.0, 0.5, 0.6]\nupsilon_bulge = [0.6, 0.7]\n'
    (folder / "few.toml").write_text(f"{text}\n{axes}", encoding="utf-8")
    done = call("sweep", "few.toml")
    status = open_result("cubes/results/few.zarr")["status"]
    assert (done.exit_code, int((status == PointStatus.INVALID).sum())) == (0, 2)
    told = "not every metric is finite at 2 of 6 grid points, which are 'invalid'; all with upsilon_disk = 0\n"
    assert told in done.stderr
    result = open_result("cubes/results/few.zarr")
    without = result["galaxy"].values[~np.isfinite(result["rms"].sel(upsilon_disk=0.0, upsilon_bulge=0.6).values)]
    assert f"at the first of them, {listed(list(without))} ha" in done.stderr
    assert status.attrs["flag_meanings"].split()[PointStatus.INVALID] == "invalid"


@pytest.mark.slow
def test_a_finished_sweep_has_nothing_left_to_do(swept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(swept)
    again = call("sweep", "spec.toml")
    assert again.exit_code == 0
    assert again.stdout == (swept / "stdout").read_text(encoding="utf-8")
    assert "blocks" not in again.stderr


@pytest.mark.slow
def test_status(swept: Path) -> None:
    result = swept / "cubes" / "results" / "spec.zarr"
    shown = call("status", str(result), "--watch")
    assert shown.exit_code == 0
    assert "state     complete" in shown.stdout
    record = json.loads(call("status", str(result), "--json").stdout)
    assert record["done"] == record["blocks"] > 0
    assert record["holder"] is None


@pytest.mark.cluster
def test_a_map_of_a_result(swept: Path) -> None:
    result = swept / "cubes" / "results" / "spec.zarr"
    shown = call("map", str(result), "--x", "xi_scale", "--y", "A")
    assert shown.exit_code == 0, shown.output
    page = Path(shown.stdout.strip())
    assert page == result.with_suffix(".html")
    assert "synthetic data" in page.read_text(encoding="utf-8")
    wrong = call("map", str(result), "--x", "xi_scal", "--y", "A")
    assert wrong.exit_code == ExitCode.USAGE
    assert "did you mean 'xi_scale'" in wrong.stderr


def test_a_rerun_of_a_part_of_the_blocks_says_so(swept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    report = RerunReport("again.zarr", compared=2, blocks=4, differing=())
    monkeypatch.setattr("sigcube.rerun.rerun", lambda *_, **__: report)
    done = call("rerun", str(swept / "cubes" / "results" / "spec.zarr"))
    assert done.exit_code == ExitCode.SOME_FAILED
    assert "again.zarr: 2 of 4 blocks compared, 0 differ" in done.stdout
    assert "the others failed, or are still to do" in done.stderr


@pytest.mark.cluster
def test_rerun_compares_bits(swept: Path, scheduler: tuple[str, str], tmp_path: Path) -> None:
    result = swept / "cubes" / "results" / "spec.zarr"
    same = call("rerun", str(result), *scheduler)
    assert same.exit_code == 0, same.stderr
    assert re.search(r"spec-rerun.zarr: \d+ blocks compared, 0 differ", same.stdout)
    again = call("rerun", str(result), *scheduler)
    assert again.exit_code == ExitCode.USAGE
    assert "made again already" in again.stderr
    shutil.rmtree(result.with_name("spec-rerun.zarr"))
    copy = Path(shutil.copytree(swept, tmp_path / "copy")) / "cubes" / "results" / "spec.zarr"
    falsify(Sweep.from_result(copy), copy, 1)
    other = call("rerun", str(copy), *scheduler)
    assert other.exit_code == ExitCode.DIFFERENT, other.stderr
    assert "blocks that differ: 1" in other.stderr


def test_a_store_in_use_is_code_4(folder: Path) -> None:
    sweep = Sweep.from_toml("spec.toml")
    with open_or_create("held.zarr", plan=sweep._plan, inputs=sweep._packed):
        result = call("sweep", "spec.toml", "--out", "held.zarr", "--workers", "1")
    assert result.exit_code == ExitCode.IN_USE, result.output
    assert str(os.getpid()) in result.stderr


@pytest.mark.slow
def test_verify_finds_damage_and_the_sweep_makes_it_again(
    swept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Path(shutil.copytree(swept, tmp_path / "copy"))
    monkeypatch.chdir(folder)
    result = Path("cubes/results/spec.zarr")
    sound = call("verify", str(result), "--sample", "5")
    assert sound.exit_code == 0, sound.output
    assert re.search(r"2 of 2 blocks read, 2 computed again\nsound: ", sound.stdout)
    chunk = sorted((result / "rms_mean").glob("c.*"))[0]
    data = bytearray(chunk.read_bytes())
    data[-1] ^= 1
    chunk.write_bytes(data)
    damaged = call("verify", str(result))
    assert damaged.exit_code == ExitCode.DIFFERENT
    assert "block 0: " in damaged.stdout
    assert call("verify", str(result), "--repair").exit_code == ExitCode.DIFFERENT
    assert json.loads(call("status", str(result), "--json").stdout)["todo"] == 1
    assert call("sweep", "spec.toml").exit_code == 0
    assert call("verify", str(result)).exit_code == 0
    missing = call("verify", "gone.zarr")
    assert missing.exit_code == ExitCode.REFUSED
    assert "expected: a result of a sweep" in missing.stderr


@pytest.mark.slow
def test_a_result_is_extended_when_that_is_asked_for(
    swept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(shutil.copytree(swept, tmp_path / "copy"))
    Path("spec.toml").write_text(SPEC.replace("[0.5, 1.5, 5]", "[0.5, 2.0, 13]"), encoding="utf-8")
    refused = call("sweep", "spec.toml")
    assert refused.exit_code == ExitCode.REFUSED
    assert "--extend" in refused.stderr
    extended = call("sweep", "spec.toml", "--extend")
    assert extended.exit_code == 0, extended.stderr
    assert xr.open_zarr("cubes/results/spec.zarr").sizes["A"] == 13
    assert call("verify", "cubes/results/spec.zarr", "--sample", "9").exit_code == 0
    assert call("sweep", "spec.toml").stdout == extended.stdout
    again = call("sweep", "spec.toml", "--extend")
    assert (again.stdout, again.stderr) == (
        extended.stdout,
        "nothing to compute: the result has every value of the spec\n",
    )
    nothing = call("sweep", "spec.toml", "--extend", "--out", "gone.zarr")
    assert nothing.exit_code == ExitCode.REFUSED
    assert "there is nothing here" in nothing.stderr


@pytest.mark.usefixtures("folder")
def test_recorded_failures_are_code_3(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ValueError("no such value")

    monkeypatch.setattr("sigcube.sweep.sweep.Engine.evaluate", fail)
    done = call("sweep", "spec.toml", "--out", "broken.zarr")
    assert done.exit_code == ExitCode.SOME_FAILED, done.stderr
    assert re.search(r"block 0 failed: ValueError: no such value", done.stderr)
    again = call("sweep", "spec.toml", "--out", "broken.zarr")
    assert again.exit_code == ExitCode.SOME_FAILED, again.stderr
    assert "nothing to compute: what failed is tried again with --retry-failed" in again.stderr
    assert "--retry-failed" in call("status", "broken.zarr").stdout
    stopped = call("sweep", "spec.toml", "--out", "broken.zarr", "--retry-failed", "--fail-fast")
    assert stopped.exit_code == ExitCode.REFUSED
    assert "the run stops as asked" in stopped.stderr


# Some twenty blocks of half a second: the journal tells of the first after one, and the others are still to do.
LONG = """
[axes]
g_dagger = { geomspace = [5e-11, 2e-10, 120] }
xi_scale = { linspace = [0.01, 1.0, 100] }
A = { linspace = [0.2, 3.0, 120] }
"""


@pytest.mark.cluster
@pytest.mark.usefixtures("folder")
def test_a_scheduler_that_is_not_there_leaves_no_result(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sigcube.driver.cluster.CONNECT_TIMEOUT", 0.3)
    done = call("sweep", "spec.toml", "--out", "none.zarr", "--scheduler", "tcp://127.0.0.1:9")
    assert done.exit_code == ExitCode.REFUSED
    assert "no Dask scheduler answers" in done.stderr
    assert not Path("none.zarr").exists()


@pytest.mark.parametrize("within_a_class", [False, True])
def test_an_interrupted_command_that_does_not_go_on_says_so(
    monkeypatch: pytest.MonkeyPatch, within_a_class: bool
) -> None:
    def interrupted(*_: object) -> None:
        # As up to Python 3.11 a class statement that is interrupted, in an import of the command.
        if within_a_class:
            raise RuntimeError("Error calling __set_name__") from KeyboardInterrupt()
        raise KeyboardInterrupt

    monkeypatch.setattr("sigcube.cli.tables.kernel_tables", interrupted)
    done = call("kernels")
    assert done.exit_code == ExitCode.INTERRUPTED
    assert "interrupted; nothing half-written is left" in done.stderr


@pytest.mark.cluster
@pytest.mark.slow
def test_an_interrupt_is_code_130_and_the_same_command_goes_on(folder: Path, scheduler: tuple[str, str]) -> None:
    (folder / "spec.toml").write_text(SPEC.split("[axes]")[0] + LONG, encoding="utf-8")
    words = ("sweep", "spec.toml", "--out", "long.zarr", "--workers", "1")
    running = subprocess.Popen(
        _command(*words), cwd=folder, env=ENV, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        deadline = time.monotonic() + 600
        journal = folder / "long.zarr" / "journal" / "blocks.jsonl"
        while not (journal.is_file() and '"kind": "block"' in journal.read_text(encoding="utf-8")):
            assert time.monotonic() < deadline
            assert running.poll() is None, running.communicate()
            time.sleep(0.05)
        running.send_signal(signal.SIGINT)
        _, err = running.communicate(timeout=600)
    finally:
        running.kill()
    assert running.returncode == ExitCode.INTERRUPTED, err
    assert "dashboard http" in err
    assert "the same command goes on from there" in err
    assert "Traceback" not in err
    before = json.loads(call("status", "long.zarr", "--json").stdout)
    assert 0 < before["done"] < before["blocks"]
    assert before["holder"] is None
    assert "the same sweep command resumes it" in call("status", "long.zarr").stdout
    done = call(*words[:-2], *scheduler)
    assert done.exit_code == 0, done.stderr
    lines = (folder / "long.zarr" / "journal" / "blocks.jsonl").read_text(encoding="utf-8").splitlines()
    blocks = [record["block"] for record in map(json.loads, lines) if record["kind"] == "block"]
    assert sorted(blocks) == list(range(before["blocks"]))
