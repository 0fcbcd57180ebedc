"""A joint sweep: one model over one set of axes on several datasets, each in a result of its own, all in one folder."""

import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Self

import xarray as xr

from sigcube.cube import open_cube
from sigcube.driver import Event
from sigcube.errors import SigcubeError, SpecError
from sigcube.files import path_of
from sigcube.model.frames import frame_of
from sigcube.plan.joint import is_joint, leaf_arguments, read_joint_file, refuse_unshared, refuse_unused
from sigcube.plan.own_code import find_own_code
from sigcube.plan.plan import Plan
from sigcube.store.joint import open_joint, open_or_create_joint, refresh_joint
from sigcube.sweep.sweep import MOST_IN_THIS_PROCESS, Sweep

if TYPE_CHECKING:
    from sigcube.driver.progress import JointProgress

__all__ = ["JointSweep", "sweep_from_toml"]


class JointSweep:
    """One model over one set of axes on several datasets.

    Each dataset has its own result, called a leaf, with its own journal, lock and plan. All leaves lie in one folder,
    which opens as an `xarray.DataTree`. A leaf has only those axes that its models have on its kind of cube and that it
    does not hold fixed itself; along the others its values would repeat.

    Parameters
    ----------
    data : Mapping
        The datasets by name: for each its ``cube``, and whatever `sigcube.Sweep` takes for it alone: ``sample``,
        ``where``, ``error_floor``, ``metrics``, ``reference``, ``fixed``, ``keep``, ``dtype``, ``n_fitted``,
        ``errors``.
    kernel, models, axes, fixed, roles : optional
        Shared by all, as for `sigcube.Sweep`.
    title : str, optional
        Title of the joint result.

    Raises
    ------
    SpecError, DataError
        For anything that cannot work, before anything runs; also for an axis or a value that no dataset uses.
    """

    def __init__(self, data: Mapping[str, Mapping[str, Any]], *, title: str | None = None, **shared: Any) -> None:
        if not isinstance(data, Mapping) or not data:
            raise SpecError("a joint sweep has datasets", where="data", found=repr(data), expected="a table for each")
        refuse_unshared(shared)
        leaves: dict[str, Sweep] = {}
        used: set[str] = set()
        known: set[str] = set()
        for name, own in data.items():
            _check_name(name)
            try:
                leaves[name], taken, there = _leaf(name, own, {**shared, "title": title})
            except SigcubeError as error:
                raise error.at(f"data.{name}" + (f", {error.where}" if error.where else "")) from None
            used |= taken
            known |= there
        refuse_unused(shared, used, known)
        self._leaves, self._title = leaves, title

    @classmethod
    def from_toml(cls, path: str | Path, *, fixed: Mapping[str, Any] | None = None) -> Self:
        """Read a joint sweep from its TOML file, or a shipped one by name; `fixed` is held in all datasets."""
        arguments, folder = read_joint_file(path).changed(fixed or {}).arguments(), Path(path).parent
        data = {name: find_own_code(own, folder=folder) for name, own in arguments["data"].items()}
        return cls(**{**find_own_code(arguments, folder=folder), "data": data})

    @property
    def leaves(self) -> Mapping[str, Sweep]:
        """The sweep of each dataset, by its name."""
        return MappingProxyType(self._leaves)

    def plans(self, *, probe: bool = True) -> dict[str, Plan]:
        """Return what will be computed and written for each dataset, as `Sweep.plan` does."""
        return {name: sweep.plan(probe=probe) for name, sweep in self._leaves.items()}

    def run(
        self,
        path: str | Path,
        *,
        extend: bool = False,
        on_leaf: Callable[[str, Sweep], Any] | None = None,
        on_event: Callable[[Event], None] | None = None,
        progress: bool | None = None,
        **options: Any,
    ) -> xr.DataTree:
        """Run the sweep of each dataset in turn, or what is left of it, and open the joint result.

        Parameters
        ----------
        path : path
            The folder of the result. If the same sweep left it unfinished, the run resumes there; new datasets are
            added.
        extend : bool
            Extend the result of each dataset, as `Sweep.extend`.
        on_leaf : callable, optional
            Called with the name and the sweep of a dataset before it runs.
        on_event : callable, optional
            Called with each event of the run of each dataset.
        progress : bool, optional
            Whether to report progress, and on which dataset. The default is that of `Sweep.run`, from the first dataset
            whose run is not short.
        **options
            As for `Sweep.run`.

        Returns
        -------
        DataTree
            A group for each dataset, lazily loaded.

        Raises
        ------
        StoreMismatch
            The folder holds a dataset that this sweep lacks, or a result of another sweep.
        StoreInUse, StoreError, ClusterError, SpecError
            As for `Sweep.run`.
        """
        folder = path_of(path, what="a joint result")
        about: Any = {"names": list(self._leaves), "title": self._title}
        open_or_create_joint(folder, **about)
        with ExitStack() as stack:
            shown: JointProgress | None = None
            for name, sweep in self._leaves.items():
                if on_leaf is not None:
                    on_leaf(name, sweep)

                def tell(event: Event, name: str = name, sweep: Sweep = sweep) -> None:
                    nonlocal shown
                    if event.kind == "started":
                        # Its store has just been made, or made larger.
                        refresh_joint(folder, **about)
                        if shown is None and _is_shown(progress, sweep, event, told=on_event is not None):
                            shown = stack.enter_context(self._display())
                        if shown is not None:
                            shown.begin(name, sweep)
                    for each in (shown, on_event):
                        if each is not None:
                            each(event)

                there = (folder / name).exists()
                (sweep.extend if extend and there else sweep.run)(folder / name, on_event=tell, **options)
                # An extension without a new block, as by roles alone, starts none.
                refresh_joint(folder, **about)
        return open_joint(folder)

    def _display(self) -> AbstractContextManager["JointProgress"]:
        # Rich takes longer to import than a small sweep to run.
        from rich.console import Console

        from sigcube.driver.progress import joint_progress

        points = {name: sweep.plan(probe=False).n_points for name, sweep in self._leaves.items()}
        # In a notebook, too, as lines: its bars need a package more.
        return joint_progress(Console(stderr=True, force_jupyter=False), points)

    def __repr__(self) -> str:
        return f"<JointSweep of {', '.join(f'{name}: {sweep!r}' for name, sweep in self._leaves.items())}>"


def sweep_from_toml(
    path: str | Path,
    *,
    fixed: Mapping[str, Any] | None = None,
    where: str | None = None,
    error_floor: float | str | None = None,
) -> Sweep | JointSweep:
    """Read a sweep, of one dataset or a joint one, from its TOML file, or a shipped one by name.

    Raises
    ------
    SpecError
        As the two; also for a condition or a floor of errors for all datasets of a joint sweep.
    """
    if not is_joint(path):
        return Sweep.from_toml(path, fixed=fixed, where=where, error_floor=error_floor)
    if given := [name for name, each in (("where", where), ("error_floor", error_floor)) if each is not None]:
        raise SpecError(f"{given[0]} is of each dataset", where=given[0], hint="write it into its [[data]] table")
    return JointSweep.from_toml(path, fixed=fixed)


def _is_shown(progress: bool | None, sweep: Sweep, event: Event, *, told: bool) -> bool:
    """Whether to show the run of a dataset that has just started, by the rule of `Sweep.run`."""
    if progress is not None:
        return progress
    plan = sweep.plan(probe=False)
    evaluations = plan.evaluations
    left = evaluations * event.progress.blocks / len(plan.blocks)
    watched = sys.stderr.isatty() or "ipykernel" in sys.modules
    return watched and not told and left > MOST_IN_THIS_PROCESS


def _check_name(name: Any) -> None:
    """Refuse what cannot be the name of a folder, and of a group of a DataTree."""
    if not isinstance(name, str) or not name.isidentifier() or name == "journal":
        expected = "letters, digits and _, as sparc"
        raise SpecError("a dataset cannot be called so", where="data", found=repr(name), expected=expected)


def _leaf(name: str, own: Mapping[str, Any], shared: Mapping[str, Any]) -> tuple[Sweep, set[str], set[str]]:
    """Return the sweep of a dataset, the shared names that it takes, and all that its models have."""
    if not isinstance(own, Mapping) or "cube" not in own:
        raise SpecError("a dataset needs a cube", where="cube", found=repr(own))
    cube = own["cube"] if isinstance(own["cube"], xr.Dataset) else open_cube(own["cube"])
    frame = frame_of(cube)
    arguments, taken, known = leaf_arguments(name, {**own, "cube": cube}, shared, frame)
    return Sweep(arguments.pop("cube"), **arguments), taken, known
