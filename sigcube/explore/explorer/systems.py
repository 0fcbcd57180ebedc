"""The cards of systems in the explorer: one system, all of them, their list, and how they are picked."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from sigcube.errors import SpecError
from sigcube.explore import style
from sigcube.explore.explorer.data import ExplorerData
from sigcube.explore.explorer.figures import RelationFigure, ScatterFigure, SystemFigure, WholeFigure, source_of
from sigcube.explore.explorer.look import TextLines, button, card, row, table_view, text_field, themed
from sigcube.explore.explorer.state import ExplorerOffer, ExplorerState
from sigcube.explore.explorer.views import (
    PlaceValues,
    SampleView,
    curve_columns,
    overlay_columns,
    picked_columns,
    relation_columns,
    scatter_axis,
    system_columns,
    wins_text,
)
from sigcube.wording import plural, pretty_unit

__all__ = ["SystemCards"]

_HEIGHT = 330

Change = Callable[[ExplorerState], None]


class SystemCards:
    """Figures of the models and the data, system by system.

    Parameters
    ----------
    data, offer, view
        What there is, what can be chosen, and the points of the sample.
    lines : TextLines
        Makes lines of text.
    state, change, fail : callable
        Return the view; take another one; take an error that belongs to what was typed.
    models : tuple
        Model A, model B or None, and the RMS of each system under the reference, or None.
    height : int
        Of the figure of one system with its residuals.
    lifted : bool
        Whether what changes is drawn on the upper canvas, on a page that has ``painting.js``.
    """

    def __init__(
        self,
        data: ExplorerData,
        offer: ExplorerOffer,
        view: SampleView,
        *,
        lines: TextLines,
        state: Callable[[], ExplorerState],
        change: Change,
        fail: Callable[[SpecError], None],
        models: tuple[PlaceValues, PlaceValues | None, Any],
        height: int,
        lifted: bool,
    ) -> None:
        self._data, self._offer, self._view = data, offer, view
        self._state, self._change, self._fail = state, change, fail
        self._picking = False
        # The column of the list that has the RMS of what A is compared with.
        self._column: Any = None
        a, b, _ = models
        synthetic = style.is_synthetic(data.result)
        columns = curve_columns(view, a, b, self.focus)
        named = self.against if "reference" in a.points else ""
        self._one = SystemFigure(view, columns, reference=named, synthetic=synthetic, height=height, lifted=lifted)
        self._one_text, self._wins, self._missing = lines.line(), lines.line(), lines.line()
        self.figures = [self._one.plot, self._one.residuals]
        self._relation: RelationFigure | None = None
        if data.systems:
            self._make_all(models, lifted)

    @property
    def against(self) -> str:
        """What A is compared with."""
        live = self._data.live
        if live is not None and live.plan.spec.reference is not None:
            return live.plan.spec.reference.kernel.name
        return "B"

    @property
    def focus(self) -> int:
        """Index of the system shown by itself: the first picked, or the one with most points."""
        if picked := self._state().systems:
            return self._data.systems.index(picked[0])
        return int(np.argmax(np.diff(self._view.offsets)))

    def card_of_one(self) -> Any:
        """Return the card of one system."""
        parts: list[Any] = [self._one_text.model]
        title = "Along the radius"
        if self._data.systems:
            before, after = button("◀", width=34), button("▶", width=34)
            before.on_click(partial(self._step, -1))
            after.on_click(partial(self._step, 1))
            parts, title = [row(before, after, self._one_text.model, spacing=6)], f"One {self._data.system_dim}"
        return card(title, *parts, self._one.plot, self._one.residuals, flex="6 1 0")

    def cards_of_all(self) -> list[Any]:
        """Return the cards that stand below the map."""
        if not self._data.systems:
            return []
        # Landmarks are of several units, which have no axis in common.
        alike = self._view.kind != "landmark"
        found = [card(f"All {self._plural}", self._wins.model, self._whole.plot, flex="1 1 0")] if alike else []
        wins = [] if alike else [self._wins.model]
        if self._relation is not None:
            found.append(card("Radial acceleration relation", self._relation.plot, flex="1 1 0"))
        menus = row(*self._menus(), spacing=8)
        return [*found, card("System by system", menus, *wins, self._missing.model, self._scatter.plot, flex="1 1 0")]

    def card_of_list(self, width: int) -> Any:
        """Return the list of systems, with a field that searches as one types."""
        from bokeh.models import BooleanFilter, CDSView, CustomJS, ScientificFormatter

        field = text_field("", width=width - 72, placeholder=f"search a {self._data.system_dim}")
        none = button("none", width=64)
        none.on_click(lambda: self._change(self._state().changed(systems=())))
        shown = BooleanFilter([True] * len(self._data.systems))
        code = "const word = cb_obj.value_input.trim().toLowerCase();"
        code += "shown.booleans = names.map((name) => name.toLowerCase().includes(word));"
        field.js_on_change("value_input", CustomJS(args={"shown": shown, "names": list(self._data.systems)}, code=code))
        field.on_change("value", self._search)
        columns = [("system", str(self._data.system_dim), 110), ("rms_a", "RMS A", 66)]
        other = "rms_b" if self.against == "B" else "rms_reference"
        columns.append((other, "RMS B" if self.against == "B" else self.against, 66))
        sizes = np.abs(self._listed.data["rms_a"])
        table = table_view(self._listed, columns, height=330, view=CDSView(filter=shown), digits="0.00")
        if not 0.01 <= np.nanmedian(sizes) < 1e6:
            for each in table.columns[1:]:
                each.formatter = ScientificFormatter(precision=2, nan_format="–", text_align="right")
        table.columns[2].visible = self._is_compared
        self._column = table.columns[2]
        return card(self._plural, row(field, none, spacing=8), table)

    def show(self, a: PlaceValues, b: PlaceValues | None, reference: Any) -> None:
        """Show other models, or other systems."""
        self._one.show(curve_columns(self._view, a, b, self.focus))
        self._one_text.say(self._describe(a, b, reference))
        if not self._data.systems:
            return
        against = reference if reference is not None else None if b is None else b.rms
        self._wins.say(wins_text(a, against, self.against, str(self._data.system_dim)))
        chosen = self._chosen()
        self._whole.show(overlay_columns(self._view, a, against), picked_columns(self._view, a, chosen))
        self._compare(b)
        if list(self._systems.selected.indices) != (own := np.flatnonzero(chosen).tolist()):
            self._picking = True
            self._systems.selected.indices = own
            self._listed.selected.indices = own
            self._picking = False

    def _compare(self, b: PlaceValues | None) -> None:
        """Tell what A is compared with, where there is something: without a reference, model B."""
        self._is_compared = self.against != "B" or b is not None
        self._whole.compare(self._is_compared)
        wanted = {"rms_b", "difference"} & {self._state().across, self._state().up}
        self._missing.say(
            "" if self._is_compared or not wanted else "There is no model B yet: let the controls move B."
        )
        if self._column is not None:
            self._column.visible = self._is_compared

    def show_rest(self, a: PlaceValues, b: PlaceValues | None, reference: Any) -> None:
        """Show what takes longer to draw than the curves, and so waits for a pause: dots, and the list."""
        if not self._data.systems:
            return
        columns = system_columns(self._data, a, b, reference)
        self._systems.data = self._scatter_columns(columns)
        self._scatter.show(*self._titles(columns))
        if self._relation is not None:
            self._relation.show(relation_columns(self._view, a, self._chosen()))
        self._listed.data = self._list_columns(columns)

    def _make_all(self, models: tuple[PlaceValues, PlaceValues | None, Any], lifted: bool) -> None:
        a, b, reference = models
        columns = system_columns(self._data, a, b, reference)
        self._systems = source_of(**self._scatter_columns(columns))
        self._systems.name = "systems"
        self._listed = source_of(**self._list_columns(columns))
        against = reference if reference is not None else None if b is None else b.rms
        chosen = self._chosen()
        whole, picked = overlay_columns(self._view, a, against), picked_columns(self._view, a, chosen)
        self._whole = WholeFigure(self._view, whole, picked, height=_HEIGHT, lifted=lifted)
        self._compare(b)
        if self._view.has_relation(a.points):
            self._relation = RelationFigure(relation_columns(self._view, a, chosen), height=_HEIGHT)
        self._scatter = ScatterFigure(self._systems, height=_HEIGHT - 34)
        more = [self._relation.plot] if self._relation is not None else []
        self.figures += [self._whole.plot, *more, self._scatter.plot]
        self._systems.selected.on_change("indices", self._pick)
        self._listed.selected.on_change("indices", self._pick)

    # Picking.

    def _pick(self, _: str, __: Any, new: list[int]) -> None:
        if self._picking:
            return
        names, state = {self._data.systems[i] for i in new}, self._state()
        # Systems picked earlier stay first.
        kept = [name for name in state.systems if name in names]
        added = [name for name in self._data.systems if name in names and name not in kept]
        self._change(state.changed(systems=(*kept, *added)))

    def _search(self, _: str, __: str, new: str) -> None:
        wanted = new.strip().lower()
        found = [name for name in self._data.systems if wanted and wanted in name.lower()]
        exact = [name for name in found if name.lower() == wanted]
        if wanted and not found:
            self._fail(SpecError(f"no {self._data.system_dim} is called so", found=style.shorten(new, 60)))
        else:
            self._change(self._state().changed(systems=tuple(exact or found)))

    def _step(self, by: int) -> None:
        systems = self._data.systems
        self._change(self._state().changed(systems=(systems[(self.focus + by) % len(systems)],)))

    def _chosen(self) -> npt.NDArray[np.bool_]:
        return np.isin(np.array(self._data.systems, dtype=object), list(self._state().systems))

    # Columns and texts.

    @property
    def _plural(self) -> str:
        return plural(len(self._data.systems), str(self._data.system_dim))

    def _scatter_columns(self, columns: Any) -> dict[str, Any]:
        state = self._state()
        across, up = (scatter_axis(name, columns[name])[0] for name in (state.across, state.up))
        lost = columns["difference"] > 0
        won = {"won_y": np.where(lost, np.nan, up), "lost_y": np.where(lost, up, np.nan)}
        return {"system": list(self._data.systems), "across": across, "up": up, **won}

    def _list_columns(self, columns: Any) -> dict[str, Any]:
        return {
            "system": list(self._data.systems),
            **{name: columns[name] for name in ("rms_a", "rms_b", "rms_reference")},
        }

    def _title(self, name: str) -> str:
        own = {"rms_a": "RMS of A", "rms_b": "RMS of B", "rms_reference": f"RMS of {self.against}"}
        own["difference"] = f"RMS of A less that of {self.against}"
        if name in own:
            return style.with_unit(own[name], self._view.unit)
        attrs = self._data.column_attrs[name]
        return style.with_unit(str(attrs.get("long_name", name)), str(attrs.get("units", "")))

    def _titles(self, columns: Any) -> tuple[tuple[str, str], tuple[float, float] | None]:
        state = self._state()
        names = state.across, state.up
        shown = [scatter_axis(name, columns[name]) for name in names]
        marked = (f"{'log₁₀ ' if log else ''}{self._title(name)}" for name, (_, log) in zip(names, shown, strict=True))
        across, up = (style.shorten(title, 46) for title in marked)
        ends = None
        if all(name.startswith("rms") for name in names):
            both = np.concatenate([values for values, _ in shown])
            if (both := both[np.isfinite(both)]).size:
                ends = float(both.min()), float(both.max())
        return (across, up), ends

    def _describe(self, a: PlaceValues, b: PlaceValues | None, reference: Any) -> str:
        if not self._data.systems:
            return ""
        i, unit = self.focus, pretty_unit(self._view.unit)
        found = [("A", a.rms), ("B", None if b is None else b.rms), (self.against, reference)]
        parts = [f"{n} {style.plain_number(float(v[i]))} {unit}".rstrip() for n, v in found if v is not None]
        picked = len(self._state().systems)
        return f"{self._data.systems[i]}: RMS {', '.join(parts)}.{f' Picked: {picked:,}.' if picked > 1 else ''}"

    def _menus(self) -> list[Any]:
        titles = [style.shorten(self._title(name), 60) for name in self._offer.columns]
        found = []
        for key in ("across", "up"):
            made = style.menu(titles, start=self._offer.columns.index(getattr(self._state(), key)))
            made.update(width=None, sizing_mode="stretch_width")
            themed(made)

            def choose(_: str, __: str, new: str, key: str = key) -> None:
                self._change(self._state().changed(**{key: self._offer.columns[int(new)]}))

            made.on_change("value", choose)
            found.append(made)
        return found
