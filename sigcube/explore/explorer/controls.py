"""The controls of the explorer: menus, switches and sliders that show a view and change it."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from sigcube.errors import SpecError
from sigcube.explore import style
from sigcube.explore.explorer.data import ExplorerData
from sigcube.explore.explorer.look import button, column, row, text_field, themed
from sigcube.explore.explorer.state import ExplorerOffer, ExplorerState
from sigcube.explore.result_data import ResultAxis

__all__ = ["WIDTH", "Controls"]

#: Width of the column of controls.
WIDTH = 292
# Steps of a slider over any value.
_STEPS = 1000

Change = Callable[[ExplorerState], None]


class Controls:
    """The column of controls.

    Parameters
    ----------
    data : ExplorerData
        What there is.
    offer : ExplorerOffer
        What can be chosen.
    state : callable
        Returns the view.
    change : callable
        Takes another view.
    fail : callable
        Takes an error that belongs to what was typed.
    """

    def __init__(
        self,
        data: ExplorerData,
        offer: ExplorerOffer,
        *,
        state: Callable[[], ExplorerState],
        change: Change,
        fail: Callable[[SpecError], None],
    ) -> None:
        self._data, self._offer, self._state, self._change, self._fail = data, offer, state, change, fail
        self._taking = False
        self._setters: list[Callable[[ExplorerState], None]] = []
        parts = [self._menu("summary", offer.metrics, "metric", self._metric_titles())]
        if len(offer.numeric) > 1:
            parts += [row(self._menu("horizontal", offer.numeric, "x"), self._menu("vertical", offer.numeric, "y"))]
        parts += [self._which(), *(self._axis(axis) for axis in offer.axes)]
        self.model = column(*parts, width=WIDTH, sizing_mode=None, spacing=9)

    def take(self, state: ExplorerState) -> None:
        """Show a view on the controls, without a callback."""
        self._taking = True
        try:
            for take in self._setters:
                take(state)
        finally:
            self._taking = False

    def _metric_titles(self) -> list[str]:
        return [style.with_unit(name, style.unit_of(self._data.result[name])) for name in self._offer.metrics]

    def _tell(self, make: Callable[[ExplorerState, Any], ExplorerState], _: str, __: Any, new: Any) -> None:
        if not self._taking:
            try:
                self._change(make(self._state(), new))
            except SpecError as error:
                self._fail(error)

    def _menu(self, name: str, options: tuple[str, ...], key: str, titles: list[str] | None = None) -> Any:
        made = style.menu(titles or list(options))
        made.update(width=None, sizing_mode="stretch_width")
        themed(made)

        def make(state: ExplorerState, new: str) -> ExplorerState:
            wanted = options[int(new)]
            # The axis of the other direction swaps with it.
            swapped = {"x": "y", "y": "x"}.get(key)
            if swapped is not None and getattr(state, swapped) == wanted:
                return state.changed(**{key: wanted, swapped: getattr(state, key)})
            return state.changed(**{key: wanted})

        made.on_change("value", partial(self._tell, make))
        self._setters.append(lambda state: made.update(value=str(options.index(getattr(state, key)))))
        return column(style.text_line(name), made, spacing=2)

    def _which(self) -> Any:
        """Make the controls for two places, and for snapping to grid points."""
        which = style.switch(["A", "B"])
        grid = style.switch(["any value", "grid points"])
        drop = button("without B", width=86)
        themed(which, grid)

        def move(state: ExplorerState, new: int) -> ExplorerState:
            other = dict(state.place) if new == 1 and state.other is None else state.other
            return state.changed(moving="ab"[new], other=other)

        def snap(state: ExplorerState, new: int) -> ExplorerState:
            return self._snapped(state.changed(nodes=bool(new)))

        which.on_change("active", partial(self._tell, move))
        grid.on_change("active", partial(self._tell, snap))
        drop.on_click(lambda: self._change(self._state().changed(other=None, moving="a")))

        def take(state: ExplorerState) -> None:
            which.update(active="ab".index(state.moving))
            drop.update(visible=state.other is not None)
            grid.update(active=int(state.nodes or not self._offer.between))

        self._setters.append(take)
        parts = [style.text_line("controls move"), row(which, drop, spacing=6)]
        parts += [row(grid, spacing=6)] if self._offer.between else []
        return column(*parts, spacing=4)

    def _snapped(self, state: ExplorerState) -> ExplorerState:
        if not state.nodes:
            return state
        places = {
            name: {axis: self._offer.on_grid(axis, value) for axis, value in getattr(state, name).items()}
            for name in ("place", "other")
            if getattr(state, name) is not None
        }
        return state.changed(**places)

    def moved(self, state: ExplorerState, **values: float | str) -> ExplorerState:
        """Return a view with the moved place at other values, within the grid, and on its points if so chosen."""
        own = {}
        for name, value in values.items():
            if not isinstance(value, str):
                ends = self._offer.axis(name).values[[0, -1]]
                value = float(np.clip(value, *ends))
                value = self._offer.on_grid(name, value) if state.nodes or name not in self._offer.between else value
            own[name] = value
        return state.at(**own)

    def _axis(self, axis: ResultAxis) -> Any:
        meaning = self._meaning(axis)
        head = style.text_line(meaning)
        if axis.use == "label" or axis.name not in self._offer.between:
            return column(head, self._steps(axis), spacing=2)
        log = axis.scale == "log"
        ends = np.log10(axis.values[[0, -1]]) if log else axis.values[[0, -1]]
        slider = self._slider(*ends.tolist())
        field = text_field("", width=100)

        def slid(state: ExplorerState, new: float) -> ExplorerState:
            return self.moved(state, **{axis.name: 10.0**new if log else float(new)})

        def typed(state: ExplorerState, new: str) -> ExplorerState:
            try:
                value = float(new)
            except ValueError:
                raise SpecError(f"{axis.name} takes numbers", found=repr(new[:80])) from None
            low, high = axis.values[0], axis.values[-1]
            if not low <= value <= high:
                raise SpecError(f"{axis.name} is outside the grid", found=f"{value:g}", expected=f"{low:g} to {high:g}")
            return self.moved(state, **{axis.name: value})

        slider.on_change("value", partial(self._tell, slid))
        field.on_change("value", partial(self._tell, typed))

        def take(state: ExplorerState) -> None:
            value = float(state.moved[axis.name])
            place = float(np.log10(value)) if log else value
            # The value just slid to is not sent back: the handle would jump while it is held.
            if abs(place - slider.value) > 1e-9 * (abs(ends[1]) + abs(ends[0])):
                slider.value = place
            field.value = f"{value:.6g}"

        self._setters.append(take)
        return column(head, row(slider, field, spacing=12), spacing=0)

    def _slider(self, low: float, high: float) -> Any:
        from bokeh.models import Slider

        step = (high - low) / _STEPS
        plain = {"title": "", "tooltips": False, "show_value": False}
        made = Slider(start=low, end=high, step=step, value=low, margin=(4, 8), sizing_mode="stretch_width", **plain)
        themed(made)
        return made

    def _steps(self, axis: ResultAxis) -> Any:
        texts = list(axis.texts)
        made = style.switch(texts) if axis.use == "label" else style.slider(texts)
        themed(made)
        if not hasattr(made, "labels"):
            made.update(width=None, sizing_mode="stretch_width")

        def make(state: ExplorerState, new: Any) -> ExplorerState:
            i = round(float(new))
            value = axis.texts[i] if axis.use == "label" else float(axis.values[i])
            return state.at(**{axis.name: value})

        name = "active" if hasattr(made, "labels") else "value"
        made.on_change(name, partial(self._tell, make))

        def take(state: ExplorerState) -> None:
            i = self._offer.index_of(axis.name, state.moved[axis.name])
            made.update(**{name: str(i) if made.__class__.__name__ == "Select" else i})

        self._setters.append(take)
        return made

    def _meaning(self, axis: ResultAxis) -> str:
        meaning = str(self._data.result[axis.name].attrs.get("long_name", "")) if axis.name in self._data.result else ""
        text = f"{axis.name}: {meaning}" if meaning and meaning != axis.name else axis.name
        return style.shorten(style.with_unit(text, style.unit_of(self._data.result[axis.name])), 60)
