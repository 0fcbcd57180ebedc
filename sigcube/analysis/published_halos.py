"""Dark halos that others fitted, put to the data again: whether the same parameters have the same χ²."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import xarray as xr

from sigcube.analysis.labelled import about
from sigcube.constants import PAPER
from sigcube.cube import Where, fixed_width, kind_of, select
from sigcube.errors import DataError, SpecError, did_you_mean
from sigcube.kernels.halo import NFW, same_profile
from sigcube.model.error_frame import ERROR_PARAMETERS, extend_frame
from sigcube.model.evaluate import evaluate_model
from sigcube.model.frames import FRAMES
from sigcube.model.metrics import METRIC_TERMS
from sigcube.model.model import Model
from sigcube.plan.errors_of_systems import with_quoted

__all__ = ["published_halos"]

FloatArray = npt.NDArray[np.float64]

_PROFILE = "NFW"
_SHIFTED = ("distance", "inclination")
_SHIFTS = {f"{name}_shift": ERROR_PARAMETERS[f"{name}_shift"] for name in _SHIFTED}
_FRAME = extend_frame(replace(FRAMES["galaxy"], terms={**METRIC_TERMS, **FRAMES["galaxy"].terms}), _SHIFTS)
# V_200, C_200, Υ_disk, D and i; Υ_bulge too where there is a bulge. The published χ² divide by the points less these.
_FITTED = 5


def published_halos(
    cube: xr.Dataset, halos: xr.Dataset, *, model: str, sample: str = "all", where: Where | None = None
) -> xr.Dataset:
    """Evaluate the kernel ``nfw`` at the parameters of published fits, and compare its χ² with theirs.

    A fit of Li+ 2020 (ApJS 247, 31) has a halo, mass-to-light ratios, a distance and an inclination. These become
    parameters of the kernel: the halo as the same profile at the kernel's Hubble constant, distance and inclination as
    shifts from those of the cube, in units of its errors.

    Parameters
    ----------
    cube : Dataset
        The galaxies, with rotation curves, distances and inclinations, and the errors of both.
    halos : Dataset
        A cube of kind ``halo``, as ``sigcube ingest li2020`` makes it.
    model : str
        Which of the fits, such as ``"NFW-LCDM"``.
    sample : str
        A named selection of the cube; the fits of Li+ 2020 are to all points.
    where : str or DataArray of bool, optional
        What to keep of the sample.

    Returns
    -------
    Dataset
        Over ``galaxy``, for those in both cubes, in the order of `cube`. ``log_m200``, ``c``, ``upsilon_disk``,
        ``upsilon_bulge``, ``distance_shift`` and ``inclination_shift`` are parameters as a sweep takes them. ``chi2``
        is the χ² there, with errors of at least 0.1 km/s; ``chi2_red`` is divided by ``n_points`` less ``n_fitted``,
        which is five, or six with a bulge; ``chi2_red_published`` is theirs. NaN where a parameter is outside the
        kernel's bounds, or where there are no more points than parameters. The attributes ``out_of_bounds``,
        ``not_published`` and ``not_in_sample`` name galaxies.

    Raises
    ------
    SpecError
        For a model that ``halos`` does not have, or with a profile other than that of Navarro, Frenk & White.
    DataError
        For a cube of another kind, or without distances, inclinations or their errors; for two fits of one model to
        one galaxy; and where no galaxy is in both.
    """
    rows = _rows_of(halos, model)
    published = list(map(str, rows["galaxy"].values))
    chosen = _with_errors(cube, sample=sample, where=where)
    own = list(map(str, chosen["galaxy"].values))
    both = [name for name in own if name in published]
    if not both:
        found = f"{', '.join(own[:3])} … and {', '.join(published[:3])} …"
        raise DataError("no galaxy is in both cubes", where="halos", found=found, expected="the same names")
    chosen = chosen.isel(galaxy=[own.index(name) for name in both])
    rows = rows.isel(halo=[published.index(name) for name in both])
    values = _parameters(rows, chosen)
    parameters = Model(NFW, _FRAME).parameters
    inside = np.logical_and.reduce(
        [(each >= parameters[name].bounds[0]) & (each <= parameters[name].bounds[1]) for name, each in values.items()]
    )
    n_points = chosen["r"].notnull().sum("radius").values
    n_fitted = _FITTED + (chosen["v_bul"] != 0).where(chosen["r"].notnull(), False).any("radius").values.astype(int)
    chi2 = _chi_squares(chosen, values, inside)
    answer = xr.Dataset(coords={"galaxy": ("galaxy", np.array(both, dtype=object))})
    for name, each in values.items():
        answer[name] = "galaxy", each, about(parameters[name].description, parameters[name].unit)
    answer["chi2"] = "galaxy", chi2, about("χ² at the published parameters")
    free = np.where(n_points > n_fitted, n_points - n_fitted, np.nan)
    answer["chi2_red"] = "galaxy", chi2 / free, about("reduced χ² at the published parameters")
    answer["chi2_red_published"] = "galaxy", rows["chi2_red"].values, about("reduced χ² as published")
    answer["n_points"] = "galaxy", n_points, about("number of points")
    answer["n_fitted"] = "galaxy", n_fitted, about("number of fitted parameters")
    return answer.assign_attrs(
        model=model,
        citation=str(halos.attrs.get("citation", "")),
        synthetic=max(int(each.attrs.get("synthetic", 0)) for each in (cube, halos)),
        out_of_bounds=", ".join(name for name, there in zip(both, inside, strict=True) if not there),
        not_published=", ".join(name for name in own if name not in published),
        not_in_sample=", ".join(name for name in published if name not in own),
    )


def _rows_of(halos: xr.Dataset, model: str) -> xr.Dataset:
    """Return the fits of one model, one a galaxy."""
    if (kind := kind_of(halos).name) != "halo":
        raise DataError("these are no fits of halos", where="halos", found=f"a {kind} cube", expected="a halo cube")
    models = fixed_width(halos["model"].values)
    if model not in models:
        hint = did_you_mean(model, list(dict.fromkeys(models.tolist())))
        raise SpecError(f"there is no fit of {model!r}", where="model", hint=hint)
    if not model.upper().startswith(_PROFILE):
        found, expected = repr(model), f"a model whose name begins with {_PROFILE}"
        raise SpecError("no kernel has the profile of these halos", where="model", found=found, expected=expected)
    rows = halos.isel(halo=np.flatnonzero(models == model))
    if twice := [name for name, n in Counter(rows["galaxy"].values.tolist()).items() if n > 1]:
        what = f"{twice[0]} has several fits of {model}"
        raise DataError(what, where="halos", found=", ".join(rows["halo"].values[rows["galaxy"].values == twice[0]]))
    return rows


def _with_errors(cube: xr.Dataset, *, sample: str, where: Where | None) -> xr.Dataset:
    """Return the galaxies of a sample, refusing a cube without what places a fit at another distance or inclination."""
    if (kind := kind_of(cube).name) != "galaxy":
        raise DataError("halos are fitted to galaxies", where="cube", found=f"a {kind} cube", expected="a galaxy cube")
    needed = [f"{error}{name}" for name in _SHIFTED for error in ("", "e_")]
    if lacking := [name for name in needed if name not in cube]:
        raise DataError(
            "the cube does not say how far its distances and inclinations may move",
            where="cube",
            found=f"no {', '.join(lacking)}",
            expected=", ".join(needed),
        )
    return select(cube, sample=sample, where=where)


def _parameters(rows: xr.Dataset, cube: xr.Dataset) -> dict[str, FloatArray]:
    """Return the parameters of the kernel by name, each of shape ``(n_galaxies,)``."""
    given = zip(*(rows[name].values.tolist() for name in ("v_200", "c_200", "hubble")), strict=True)
    halos = [same_profile(v_200, c_200, hubble, PAPER) for v_200, c_200, hubble in given]
    found = dict(zip(("log_m200", "c"), np.array(halos).T, strict=True))
    found |= {name: rows[name].values for name in ("upsilon_disk", "upsilon_bulge")}
    for name in _SHIFTED:
        moved = rows[name].values - cube[name].values
        with np.errstate(divide="ignore", invalid="ignore"):
            found[f"{name}_shift"] = np.where(moved == 0.0, 0.0, moved / cube[f"e_{name}"].values)
    return found


def _chi_squares(cube: xr.Dataset, values: Mapping[str, FloatArray], inside: npt.NDArray[np.bool_]) -> FloatArray:
    """Return χ² of each galaxy, shape ``(n_galaxies,)``; NaN where its parameters are outside the bounds."""
    chi2 = np.full(inside.size, np.nan)
    if inside.any():
        some = with_quoted(cube.isel(galaxy=np.flatnonzero(inside)), _FRAME)
        given = {name: xr.DataArray(each[inside], dims="galaxy") for name, each in values.items()}
        terms = evaluate_model(Model(NFW, _FRAME, given), some, "chi_sq")
        chi2[inside] = terms.where(some["r"].notnull(), 0.0).sum("radius", skipna=False).values
    return chi2
