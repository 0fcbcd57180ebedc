"""The explorer of a result, in a notebook cell or behind a server on this machine."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from sigcube.explore.explorer.data import ExplorerData, open_data
from sigcube.explore.explorer.export import save_view
from sigcube.explore.explorer.follow import follow
from sigcube.explore.explorer.page import ExplorerPage
from sigcube.explore.explorer.state import ExplorerOffer, ExplorerState
from sigcube.explore.explorer.tabs import TABS, ExplorerTab

__all__ = ["Explorer"]


class Explorer:
    """A page that shows the result of a sweep and the models behind it; a notebook cell displays it.

    Parameters
    ----------
    result : Dataset or path
        The result. Given a path, the page follows a sweep that is still running.
    cube : Dataset or path, optional
        The cube that it was computed from, for errors and properties of systems, and for curves if the result is a
        Dataset. The cube of a store is found by itself.
    query : str
        The initial view, as the query of an address.
    tabs : sequence of ExplorerTab
        The tabs of questions below the figures.

    Raises
    ------
    SpecError
        For a path without a result, a cube that is not the result's, or a view that the result does not have.

    Examples
    --------
    >>> import sigcube
    >>> from sigcube.readers.mock import mock_survey
    >>> cube = mock_survey(n_galaxies=5, seed=1)
    >>> sweep = sigcube.Sweep(cube, sample="unflagged", kernel="mond", axes={"a0": [1e-10, 1.2e-10, 1.4e-10]})
    >>> explorer = sigcube.Explorer(sweep.compute(), cube, query="a.a0=1.1e-10")
    >>> explorer.state.place["a0"]
    1.1e-10
    """

    def __init__(
        self,
        result: xr.Dataset | str | Path,
        cube: xr.Dataset | str | Path | None = None,
        *,
        query: str = "",
        tabs: Sequence[ExplorerTab] = TABS,
    ) -> None:
        self.data = open_data(result, cube)
        self._tabs = tuple(tab for tab in tabs if tab.applies(self.data))
        self.offer = make_offer(self.data, self._tabs)
        self.start = self.offer.start(self.data.first_place())
        self._first = ExplorerState.from_query(query, self.offer, self.start)
        self._page: ExplorerPage | None = None

    @property
    def state(self) -> ExplorerState:
        """The view."""
        return self._first if self._page is None else self._page.state

    def save(self, path: str | Path, *, state: ExplorerState | None = None) -> Path:
        """Write the view as one HTML file that opens without a server: the map, the curves, and the best points.

        Raises
        ------
        StoreError
            When the file cannot be written.
        """
        return save_view(self.data, self.offer, self.state if state is None else state, path)

    def page(self, **options: Any) -> ExplorerPage:
        """Make a page for one visitor; the options are those of `ExplorerPage`."""
        return ExplorerPage(self.data, self.offer, **{"state": self._first, "tabs": self._tabs, **options})

    def prepare(self) -> None:
        """Compile what the first page and its first map between grid points need, so that no visitor waits for it."""
        self.page()
        for axis in (each for each in self.offer.axes if each.name in self.data.between):
            if axis.size > 1 and axis.name not in (self.start.x, self.start.y):
                middle = {**self.start.place, axis.name: float(np.mean(axis.values[:2]))}
                self.data.map_values(self.start.moved_to(middle), self.offer)
                return

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Any:
        import panel

        panel.extension(inline=True)
        if self._page is None:
            self._page = self.page()
        shown = panel.pane.Bokeh(self._page.root, sizing_mode="stretch_width")
        # Changes that a callback makes to models created meanwhile are sent by hand.
        self._page.after = lambda: panel.io.push_notebook(shown)
        with suppress(RuntimeError):
            # Only in a kernel: a script that asks for the page has no loop to follow a sweep with.
            asyncio.get_running_loop()
            follow(self._page, lambda look, every: panel.state.add_periodic_callback(look, period=every))
        found = shown._repr_mimebundle_(include, exclude)
        self._page.go_live()
        return found


def make_offer(data: ExplorerData, tabs: Sequence[ExplorerTab]) -> ExplorerOffer:
    """Return the choices that a result offers."""
    columns: tuple[str, ...] = ()
    if data.systems and data.live is not None:
        if data.live.plan.spec.reference is not None:
            columns = ("rms_reference", "rms_a", "difference", "rms_b", *data.columns)
        else:
            # Until there is a model B, a first view has no other RMS to show; a constant does not tell systems apart.
            constant = {name: bool(np.nanmin(each) == np.nanmax(each)) for name, each in data.columns.items()}
            own = sorted(constant, key=constant.__getitem__)
            columns = (*own[:1], "rms_a", "rms_b", "difference", *own[1:])
    return ExplorerOffer(
        metrics=data.metrics,
        axes=data.axes,
        between=data.between,
        systems=data.systems,
        columns=columns,
        tabs=tuple(tab.title for tab in tabs),
    )
