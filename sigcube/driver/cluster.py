"""A Dask client from nothing or from an address.

Without an address, a local cluster runs in a child process of its own: the caller's script needs no ``__main__`` guard,
a notebook's event loop is left alone, and an interrupt reaches only the caller. However the caller dies, the child then
reads the end of its input and takes the workers with it.
"""

import asyncio
import contextlib
import json
import logging
import os
import selectors
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from typing import IO, Any

import dask
from dask.system import CPU_COUNT
from distributed import Client, LocalCluster, Status
from distributed.system import MEMORY_LIMIT
from distributed.versions import VersionMismatchWarning

from sigcube.errors import ClusterError

__all__ = ["OWN_CLUSTER", "connect", "how_to_add_workers"]

CONNECT_TIMEOUT = 5.0
# Dask bounds the wait for a connection, but not for an answer, and what listens there may not be a scheduler.
ANSWER_TIMEOUT = 15.0
START_TIMEOUT = 60.0
STOP_TIMEOUT = 10.0
REPLACE_EVERY = 1.0

OWN_CLUSTER = "SIGCUBE_OWN_CLUSTER"
"""Environment variable set in the workers of a local cluster, which serve nobody else."""

_ENVIRON = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "NUMBA_NUM_THREADS": "1",
    # Dask trims the heap after every free; each block then pays for page faults.
    "MALLOC_TRIM_THRESHOLD_": str(2**28),
    "MALLOC_MMAP_THRESHOLD_": str(2**25),
    "MALLOC_ARENA_MAX": "1",
    OWN_CLUSTER: "1",
    "ZARR_ASYNC__CONCURRENCY": "2",
    "ZARR_THREADING__MAX_WORKERS": "1",
    # A thread of Arrow's, which pandas loads: what workers are forked from has none but its first.
    "JE_ARROW_MALLOC_CONF": "background_thread:false",
}

_CONFIG = {
    # Blocks are alike and come through a small window, so there is nothing to steal.
    "distributed.scheduler.work-stealing": False,
    "distributed.scheduler.allowed-failures": 1,
    # Nannies notice a worker's end; a worker that merely slept, as under a closed lid, is still good.
    "distributed.scheduler.worker-ttl": None,
    # After this time without a dead worker, Dask ends the nanny that is restarting it, and starts no other.
    "distributed.deploy.lost-worker-timeout": "365 days",
    # By default each process checks itself up to a hundred times a second, which together takes a tenth of a core.
    "distributed.admin.tick.interval": "500ms",
    "distributed.admin.system-monitor.interval": "2s",
    "distributed.worker.memory.monitor-interval": "500ms",
    "distributed.worker.profile.enabled": False,
    "distributed.nanny.pre-spawn-environ": _ENVIRON,
}

# What an address of each kind needs besides a listening scheduler.
_NEEDS = {
    "tls": "name distributed.comm.tls.ca-file, client.cert and client.key in Dask's configuration, or give `client=`",
    "wss": "name distributed.comm.tls.ca-file, client.cert and client.key in Dask's configuration, or give `client=`",
    "ucx": "install the distributed-ucxx package, here and on the workers, or use tcp://",
    "ucxx": "install the distributed-ucxx package, here and on the workers, or use tcp://",
    "inproc": "only the process of that scheduler can reach it: give `client=` there",
}

_BOOT = """
import json, os, signal, sys
order = json.loads(sys.argv[1])
sys.path[:] = order.pop("path")
# An interrupted worker would end with its nanny. Interrupts are the caller's business.
signal.signal(signal.SIGINT, signal.SIG_IGN)
# Workers inherit our output and may print: send that to standard error.
answer = os.dup(1)
os.dup2(2, 1)
if order["forks"]:
    # Loads what workers need while this process loads Dask.
    from multiprocessing import forkserver
    forkserver.set_forkserver_preload(["sigcube.driver.preload"])
    forkserver.ensure_running()
from sigcube.driver.cluster import _serve
_serve(answer, **order)
"""


@contextlib.contextmanager
def connect(scheduler: str | None = None, *, workers: int | None = None) -> Iterator[Client]:
    """Connect to a running cluster, or start a local one that ends with the context.

    Parameters
    ----------
    scheduler : str, optional
        Address of a running scheduler, such as ``tcp://10.0.0.7:8786``, in any of Dask's protocols; for ``tls://``,
        Dask's configuration names the certificates. By default a local cluster is started.
    workers : int, optional
        Processes of the local cluster, one thread each; by default as many as CPUs.

    Yields
    ------
    distributed.Client
        A connected client. A cluster that was already running keeps running afterwards.

    Raises
    ------
    ClusterError
        Dask cannot connect to the address in time, or the local cluster does not start.
    """
    started: contextlib.AbstractContextManager[str]
    if scheduler is None:
        started = _local_cluster(CPU_COUNT if workers is None else workers)
    elif workers is not None:
        raise ClusterError(
            "the number of workers is a matter of the running cluster",
            found=f"workers = {workers}, scheduler = {scheduler!r}",
            hint="leave one of the two out",
        )
    else:
        started = contextlib.nullcontext(scheduler)
    with _quiet(), started as address, _client(address, starts_workers=scheduler is None) as client:
        yield client


def how_to_add_workers(client: Client) -> str:
    """Return what to do about a cluster without workers."""
    if isinstance(client, _TidyClient) and client.starts_workers:
        return "see whether this machine has the memory for them, or give fewer --workers"
    if client.cluster is not None:
        return "scale the client's cluster up"
    return f"start workers with `dask worker {client.scheduler.address}`"


class _TidyClient(Client):  # type: ignore[misc]  # Dask has no types
    """A client that connects in bounded time, and ends its event loop when it cannot.

    Dask's own leaves that to the garbage collector. If a collection then falls into the starting loop of the next
    client, the two wait for each other's lock until that start fails.
    """

    starts_workers = False

    async def _start(self, **kwargs: Any) -> None:
        await asyncio.wait_for(super()._start(**kwargs), ANSWER_TIMEOUT)

    def start(self, **kwargs: Any) -> None:
        try:
            super().start(**kwargs)
        except BaseException:
            self.close(timeout=2)
            self._loop_runner.stop()
            raise


@contextlib.contextmanager
def _client(address: str, *, starts_workers: bool) -> Iterator[Client]:
    try:
        with warnings.catch_warnings():
            # `_note_versions` reports them once, in our words.
            warnings.simplefilter("ignore", VersionMismatchWarning)
            client = _TidyClient(address, timeout=CONNECT_TIMEOUT, set_as_default=False)
    # Each of Dask's protocols fails in its own ways.
    except Exception as error:
        needs = _NEEDS.get(address.partition("://")[0])
        what_to_do = "check the address and that `dask scheduler` runs there", needs, "leave it out to use this machine"
        raise ClusterError(
            "no Dask scheduler answers",
            where=address,
            found=_describe(error),
            expected=f"a connection within {CONNECT_TIMEOUT:.0f} s, an answer within {ANSWER_TIMEOUT:.0f} s",
            hint="; ".join(filter(None, what_to_do)),
        ) from error
    client.starts_workers = starts_workers
    try:
        _note_versions(client)
        yield client
    finally:
        client.close(timeout=2)


def _describe(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "a connection, but no answer"
    if isinstance(error, MemoryError):
        # Dask takes the first bytes to be a length.
        return "an answer that is none of Dask's, such as that of a web server"
    return f"{type(error).__name__}: {error}"


def _note_versions(client: Client) -> None:
    """Log packages whose versions differ across the cluster: results do not depend on them, but surprises may."""

    async def ask() -> Mapping[str, Any]:
        answer: Mapping[str, Any] = await client.get_versions(packages=["numba", "zarr"])
        return answer

    try:
        found = client.sync(ask, callback_timeout=CONNECT_TIMEOUT)
    except (OSError, TimeoutError):
        return
    versions: dict[str, dict[str, str]] = {}
    for node, record in {"client": found["client"], "scheduler": found["scheduler"], **found["workers"]}.items():
        for package, version in record["packages"].items():
            versions.setdefault(package, {})[node] = str(version)
    for package, on_nodes in versions.items():
        if len(set(on_nodes.values())) > 1:
            text = ", ".join(f"{node} {version}" for node, version in on_nodes.items())
            logging.getLogger(__name__).warning("%s differs over the cluster: %s", package, text)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep Dask's own log lines off the terminal: what matters in them, sigcube raises as an error."""
    names = [name for name in logging.root.manager.loggerDict if name.split(".")[0] in ("distributed", "tornado")]
    levels = {logger: logger.level for logger in map(logging.getLogger, names)}
    for logger in levels:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for logger, level in levels.items():
            logger.setLevel(level)


@contextlib.contextmanager
def _local_cluster(n_workers: int) -> Iterator[str]:
    if n_workers < 1:
        raise ClusterError("a local cluster needs a worker", found=f"workers = {n_workers}", expected="1 or more")
    # The child must be able to import what the caller can, also from a path set at run time.
    path = [os.path.abspath(each) for each in sys.path]
    order = json.dumps({"path": path, "forks": _can_fork(), "n_workers": n_workers})
    # Neither the file nor the pipes have names: whatever is killed leaves nothing behind.
    with (
        tempfile.TemporaryFile() as log,
        subprocess.Popen(
            [sys.executable, "-c", _BOOT, order],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            # Those of the process that workers are forked from, as Dask sets them for workers that it starts itself.
            env={**os.environ, **_ENVIRON},
            start_new_session=True,
        ) as process,
    ):
        try:
            yield _address(process, log)
        finally:
            assert process.stdin is not None
            process.stdin.close()
            try:
                process.wait(STOP_TIMEOUT)
            except subprocess.TimeoutExpired:
                process.kill()


def _can_fork() -> bool:
    """Tell whether workers may be forks of one process, which has loaded what they need.

    Each then starts in milliseconds, also in place of one that died, and they share the memory of all modules.
    """
    # Libraries of macOS do not survive a fork, and that process listens at a path whose length is bounded.
    return sys.platform == "linux" and len(os.fsencode(tempfile.gettempdir())) < 70


def _address(process: subprocess.Popen[bytes], log: IO[bytes]) -> str:
    assert process.stdout is not None
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        answered = selector.select(START_TIMEOUT)
    if address := process.stdout.readline() if answered else b"":
        return address.decode().strip()
    log.seek(0)
    lines = log.read().decode(errors="replace").strip().splitlines()
    silence = "its process ended" if answered else f"nothing for {START_TIMEOUT:.0f} s"
    raise ClusterError(
        "the local cluster did not start",
        found=lines[-1] if lines else silence,
        hint="check memory and open ports of this machine, or give --scheduler the address of a running cluster",
    )


def _serve(answer: int, *, n_workers: int, forks: bool) -> None:
    """Run a local cluster until the caller closes our input, by dying if need be; print its address to a file."""
    method = "forkserver" if forks else "spawn"
    with (
        os.fdopen(answer, "w") as file,
        dask.config.set(_CONFIG | {"distributed.worker.multiprocessing-method": method}),
        LocalCluster(
            n_workers=n_workers,
            threads_per_worker=1,
            processes=True,
            host="127.0.0.1",
            dashboard_address="127.0.0.1:0",
            memory_limit=MEMORY_LIMIT // n_workers,
            silence_logs=logging.ERROR,
        ) as cluster,
        selectors.DefaultSelector() as selector,
    ):
        print(cluster.scheduler_address, file=file, flush=True)
        selector.register(sys.stdin, selectors.EVENT_READ)
        while not selector.select(REPLACE_EVERY):
            # Nannies restart workers that died; a nanny that closed, as workers can ask it to, is lost to Dask.
            for name, nanny in list(cluster.workers.items()):
                if nanny.status is Status.closed:
                    del cluster.workers[name]
                    cluster.scale(n_workers)
