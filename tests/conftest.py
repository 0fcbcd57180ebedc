"""Fixtures that every room's tests share.

They import what they need themselves: the process that only hands tests to others should not wait for it.
"""

from __future__ import annotations

import gc
import os
import shutil
import signal
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from unittest import mock

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    import xarray as xr
    from distributed import Client

    from sigcube.claims import Claim, Entry
    from tests.browser import Shoot

# A machine that is busy with other things makes no example wrong.
for profile, max_examples in (("sigcube", 30), ("quick", 15)):
    suppressed = [HealthCheck.too_slow]
    settings.register_profile(profile, deadline=None, suppress_health_check=suppressed, max_examples=max_examples)


def pytest_configure(config: pytest.Config) -> None:
    """Keep machine code beside pytest's own cache, for all processes and runs: its names tell all that decides it."""
    settings.load_profile("quick" if "not slow" in config.option.markexpr else "sigcube")
    # Compiling makes millions of objects that live on: collecting in between is a fifth of its time.
    gc.set_threshold(200_000, 50, 100)
    assert config.cache is not None
    os.environ["SIGCUBE_COMPILED"] = str(config.cache.mkdir("compiled"))
    # The readline of pytest sets it for the processes of xdist.
    os.environ.pop("COLUMNS", None)
    _keep_temporary_folders_in_memory()


MEMORY = Path("/dev/shm")
# Several times what all tests have there at once.
ROOM = 4 * 2**30


def _keep_temporary_folders_in_memory() -> None:
    """Let pytest make its folders where thousands of small files cost least, unless the user names another place."""
    named = os.environ.keys() & {"PYTEST_DEBUG_TEMPROOT", "TMPDIR"}
    if not named and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free >= ROOM:
        os.environ["PYTEST_DEBUG_TEMPROOT"] = str(MEMORY)


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    """Keep what was imported and collected out of each later search for garbage."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def _interruptible() -> None:
    """Undo what a shell does to jobs in the background: they ignore Ctrl-C, and so do all their children."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def _unflushed() -> Iterator[None]:
    """Wait for no disk: only a power cut would show a difference. What is flushed, and when, is tested with spies."""
    with mock.patch("os.fsync"):
        yield


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real raw files: SIGCUBE_DATA, else ../shared/data beside the checkout."""
    named = os.environ.get("SIGCUBE_DATA")
    folder = Path(named) if named else Path(__file__).resolve().parents[2] / "shared" / "data"
    if not (folder / "sparc" / "Rotmod_LTG.zip").is_file():
        reason = f"the real SPARC files are not in {folder}; set SIGCUBE_DATA to a folder that holds sparc/"
        if os.environ.get("SIGCUBE_REQUIRE_ALL") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    return folder


@pytest.fixture(scope="session")
def sparc_path(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The SPARC cube on disk, made from the real files."""
    from sigcube.recipes import ingest, load_recipe

    return ingest(load_recipe("sparc"), data=shared_data, out=tmp_path_factory.mktemp("cubes") / "sparc.zarr")


@pytest.fixture(scope="session")
def sparc_cube(sparc_path: Path) -> xr.Dataset:
    """The SPARC cube."""
    from sigcube.cube import open_cube

    return open_cube(sparc_path)


@pytest.fixture(scope="session")
def mock_cube() -> xr.Dataset:
    """A synthetic survey of 40 galaxies, Newtonian."""
    from sigcube.readers.mock import mock_survey

    return mock_survey(n_galaxies=40, seed=20)


@pytest.fixture(scope="session")
def mock_path(mock_cube: xr.Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same survey on disk, for tests to copy."""
    from sigcube.cube import save_cube

    return save_cube(mock_cube, tmp_path_factory.mktemp("cubes") / "mock.zarr")


@pytest.fixture(scope="session")
def gaia_path(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The cube of 144,000 stars on disk, made from the real files."""
    from sigcube.recipes import ingest, load_recipe

    return ingest(load_recipe("gaia"), data=shared_data, out=tmp_path_factory.mktemp("cubes") / "gaia.zarr")


@pytest.fixture(scope="session")
def gaia_cube(gaia_path: Path) -> xr.Dataset:
    """The cube of 144,000 stars."""
    from sigcube.cube import open_cube

    return open_cube(gaia_path)


@pytest.fixture(scope="session")
def shipped_claims() -> tuple[Claim, ...]:
    """All rows that come with sigcube."""
    from sigcube.claims import load_claims

    return load_claims()


@pytest.fixture(scope="session")
def ledger(
    shared_data: Path, shipped_claims: tuple[Claim, ...], tmp_path_factory: pytest.TempPathFactory
) -> Mapping[str, Entry]:
    """Every claim that comes with sigcube, judged, by its id: no cube is there before.

    In this process, which has compiled much of it already, or will use it again.
    """
    from sigcube.claims import evaluate_claims

    folder = tmp_path_factory.mktemp("ledger")
    entries = evaluate_claims(shipped_claims, cubes=folder / "cubes", data=shared_data)
    return {entry.claim.id: entry for entry in entries}


@pytest.fixture(scope="session")
def local_client() -> Iterator[Client]:
    """Two Dask workers on this machine, for every test that needs no cluster of its own."""
    from sigcube.driver.cluster import connect

    with connect(workers=2) as connected:
        yield connected


@pytest.fixture(scope="session")
def shoot() -> Shoot:
    """A function that opens a page in Chromium without a network: its console lines, and its picture."""
    from tests.browser import BROWSER, open_page

    if BROWSER is None:
        reason = "chromium is not installed"
        if os.environ.get("SIGCUBE_REQUIRE_ALL") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    return open_page


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Run a process on each core, and one more where tests of clusters and browsers wait for the most part."""
    return (os.cpu_count() or 1) + ("not cluster" not in config.option.markexpr)


# What takes longest goes first, so that no process is left alone with it at the end.
FIRST = ("compiling", "kernels", "local_client", "test_kills.py", "explore", "analysis", "test_fuzz.py")
# What runs many models is kept together: each process compiles their terms anew, which takes longer than the loops do.
COMPILING = ("test_published_sparc.py",)
# Rooms whose tests compile the same terms, or import the same heavy packages.
SHARING = ("kernels", "explore", "analysis")
# Files of other rooms that evaluate the same study, or the same terms, as one of them.
ALSO = {"test_cli_preferences.py": "analysis", "test_sweeps.py": "kernels"}


# Before the hook of xdist, which reads the groups.
@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Group what shares something dear, for runs in several processes: compiled models, or what a file's tests make."""
    places = {name: place for place, name in enumerate(FIRST)}
    groups: dict[str, list[pytest.Item]] = {}
    for item in items:
        groups.setdefault(_group(item), []).append(item)
    for group, members in groups.items():
        for item in members:
            item.add_marker(pytest.mark.xdist_group(group))
            if "ledger" in getattr(item, "fixturenames", ()):
                # A hundred models are compiled, and pairs of models fitted to every galaxy.
                item.add_marker(pytest.mark.slow)
    ordered = sorted(groups, key=lambda group: places.get(group, len(places)))
    items[:] = [item for group in ordered for item in groups[group]]


def _group(item: pytest.Item) -> str:
    names = getattr(item, "fixturenames", ())
    if "ledger" in names or item.path.name in COMPILING:
        return "compiling"
    # Killing takes longest of all that has to do with clusters.
    if "local_client" in names and item.path.name != "test_kills.py":
        return "local_client"
    room = item.path.parent.name
    return room if room in SHARING else ALSO.get(item.path.name, item.path.name)
