"""A view of the explorer as one HTML file: the page of its result, and the curves of every system at its place."""

from pathlib import Path

import numpy as np
import xarray as xr

from sigcube.cube import COUNT
from sigcube.explore.explorer.data import ExplorerData
from sigcube.explore.explorer.state import ExplorerOffer, ExplorerState, Place
from sigcube.explore.galaxy_plots import comparison_cards
from sigcube.explore.map_plots import Mark
from sigcube.explore.page import Card
from sigcube.explore.result_page import result_page

__all__ = ["save_view"]

# For a larger grid, the file holds what the map shows, with the other axes at the values of the place.
_MOST_OF_GRID = 2**22


def save_view(data: ExplorerData, offer: ExplorerOffer, state: ExplorerState, path: str | Path) -> Path:
    """Write a view as a page, which opens at the view.

    Raises
    ------
    StoreError
        When the file cannot be written.
    """
    result, names = data.result, [name for name in (state.x, state.y) if name is not None]
    if result["status"].size > _MOST_OF_GRID:
        at = data.index_of(state.moved, offer)
        shown = {offer.axis(name).dim for name in names}
        result = result.isel({dim: i for dim, i in at.items() if dim not in shown})
    places = {"A": state.place} if state.other is None else {"A": state.place, "B": state.other}
    where = [f"{f'model {name} at ' * (len(places) > 1)}{_words(place)}" for name, place in places.items() if place]
    lead = " at " if len(places) == 1 else ": "
    return result_page(
        result,
        path,
        x=state.x,
        y=state.y,
        value=state.metric,
        mark=[Mark(name, dict(place)) for name, place in places.items()] if len(names) == 2 else None,
        start=state.moved,
        subtitle=f"A view of the explorer{lead}{'; '.join(where)}." if where else None,
        cards=_curves(data, offer, state),
    )


def _words(place: Place) -> str:
    """Write the values of a place."""
    return ", ".join(f"{name} = {value if isinstance(value, str) else f'{value:.6g}'}" for name, value in place.items())


def _curves(data: ExplorerData, offer: ExplorerOffer, state: ExplorerState) -> list[Card]:
    """Return cards with the rotation curves of the place beside those of the reference, or of place B."""
    if data.kind != "galaxy" or data.cube is None or data.live is None:
        return []
    points = data.points_at(state.place, offer)
    if state.other is not None:
        against, other = "model B", data.points_at(state.other, offer)["predicted"]
    elif "reference" in points and data.live.plan.spec.reference is not None:
        against, other = data.live.plan.spec.reference.kernel.name, points["reference"]
    else:
        return []
    if "v_bar" not in points or data.cube.sizes["galaxy"] < 1:
        return []
    cube = data.cube.sel(galaxy=list(data.live.packed.systems))
    models = {"baryons": points["v_bar"], against: other, "model A": points["predicted"]}
    unpacked = {name: _unpacked(values, cube, data) for name, values in models.items()}
    if any(each is None for each in unpacked.values()):
        return []
    return comparison_cards(
        cube,
        {name: each for name, each in unpacked.items() if each is not None},
        best="model A",
        against=against,
        galaxy=state.systems[0] if state.systems else None,
    )


def _unpacked(values: np.ndarray, cube: xr.Dataset, data: ExplorerData) -> xr.DataArray | None:
    """Lay out values of packed points over ``(galaxy, radius)``, as in the cube; None if that is impossible."""
    assert data.live is not None
    r = data.live.packed.points.get("r")
    if r is None:
        return None
    out = np.full(cube["r"].shape, np.nan)
    for i, (start, stop) in enumerate(zip(data.live.packed.offsets[:-1], data.live.packed.offsets[1:], strict=True)):
        own = cube["r"].values[i, : int(cube[COUNT].values[i])]
        out[i, np.searchsorted(own, r[start:stop])] = values[start:stop]
    return xr.DataArray(out, dims=("galaxy", "radius"))
