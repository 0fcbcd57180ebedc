"""Figures of rotation curves: a gallery, the radial acceleration relation, the Milky Way, and coherence scales."""

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import xarray as xr

from sigcube.constants import PAPER
from sigcube.cube import select
from sigcube.explore.figures.look import (
    BARYONS,
    DATA,
    MOND,
    ONE_COLUMN,
    OTHER,
    SIGMA,
    TWO_COLUMNS,
    Drawn,
    FloatArray,
    OpenCube,
    equal_line,
    letter,
    power_axis,
    sheet,
)
from sigcube.explore.figures.points import at_accelerations
from sigcube.explore.style import LINES, SOFT, mark_synthetic
from sigcube.kernels import KERNELS
from sigcube.sweep import Sweep

__all__ = ["coherence_scales", "gallery", "milky_way", "radial_acceleration"]

_SAMPLE = "paper171"
_SHOWN = 6
# Bins with fewer points have no median that says much.
_FEWEST = 30
_NAMES = MappingProxyType({"sigma": "Σ-Gravity", "mond": "MOND", "newton": "baryons"})
_LOOKS: Mapping[str, Mapping[str, Any]] = MappingProxyType({"newton": BARYONS, "mond": MOND, "sigma": SIGMA})


def _residual(observed: xr.DataArray, predicted: xr.DataArray) -> xr.DataArray:
    """Return log₁₀(g_obs/g_pred) of velocities at one radius [dex], where g goes as V² (main §3.5)."""
    ratio: xr.DataArray = 2.0 * xr.apply_ufunc(np.log10, observed / predicted)
    return ratio


def _pooled(cube: xr.Dataset, kernel: str) -> xr.Dataset:
    """Return the pooled scatter of a model over the sample, by the engine."""
    return Sweep(cube, sample=_SAMPLE, kernel=kernel, metrics=["scatter_g"]).compute()


def gallery(open_cube: OpenCube) -> Drawn:
    """Draw six galaxies whose scatter about the model is nearest to the mean, with data, baryons and two models."""
    cube = select(open_cube("sparc"), sample=_SAMPLE)
    own = _residual(cube["v_obs"], KERNELS["sigma"].predict(cube)).std("radius")
    mean = float(own.mean())
    points = cube["v_obs"].count("radius")
    far = abs(own - mean).where(points >= points.median())
    chosen = np.sort(np.argsort(far.values, kind="stable")[:_SHOWN])
    shown = cube.isel(galaxy=chosen).sortby(cube["v_obs"].isel(galaxy=chosen).max("radius"))
    curves = {name: KERNELS[name].predict(shown) for name in _LOOKS}
    figure, axes = sheet(2, 3, width=TWO_COLUMNS, height=4.1)
    for place, (panel, name) in enumerate(zip(axes, shown["galaxy"].values, strict=False)):
        one = shown.isel(galaxy=place)
        label = mark_synthetic("measured", cube)
        _draw_measured(panel, one, label)
        for kernel, style in _LOOKS.items():
            panel.plot(one["r"], curves[kernel].isel(galaxy=place), label=_NAMES[kernel], **style)
        panel.set_xlim(left=0.0)
        panel.set_ylim(bottom=0.0)
        panel.text(0.96, 0.06, name, transform=panel.transAxes, ha="right", fontsize=8)
    figure.supxlabel("radius [kpc]", fontsize=8)
    figure.supylabel("circular velocity [km/s]", fontsize=8)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=4)
    names = ", ".join(map(str, shown["galaxy"].values))
    text = (
        f"Rotation curves of {names}: of the {cube.sizes['galaxy']} galaxies of the sample {_SAMPLE}, those of at "
        "least the median number of points whose own scatter of log g_obs/g_pred under Σ-Gravity is nearest to the "
        f"mean of all, {mean:.3f} dex. Dots: {label}, with errors. Lines: baryons (dashed), Σ-Gravity with the "
        "kernel's defaults (solid), MOND (dotted). Ordered by the largest velocity."
    )
    return Drawn(figure, text)


def radial_acceleration(open_cube: OpenCube) -> Drawn:
    """Draw observed against baryonic accelerations with both models, and what remains in bins."""
    whole = open_cube("sparc")
    cube = select(whole, sample=_SAMPLE)
    g_bar = KERNELS["newton"].compute(cube, "g_bar")
    g_obs = g_bar * 10.0 ** _residual(cube["v_obs"], KERNELS["newton"].predict(cube))
    kept = (np.isfinite(g_bar) & np.isfinite(g_obs)).values
    x, y = g_bar.values[kept], g_obs.values[kept]
    grid = np.geomspace(x.min(), x.max(), 200)
    line = at_accelerations(grid)
    scatter = {name: float(_pooled(whole, name).scatter_g) for name in ("sigma", "mond")}
    figure, axes = sheet(2, 1, width=ONE_COLUMN, height=4.3, sharex=True, height_ratios=(2.1, 1.0))
    top, below = axes
    dots = {"color": SOFT, "alpha": 0.35, "markersize": 1.6, "markeredgewidth": 0, "linestyle": "none"}
    top.plot(x, y, marker="o", label=mark_synthetic("measured", cube), rasterized=True, **dots)
    equal_line(top, grid[0], grid[-1])
    derived = KERNELS["sigma"].predict(line, amplitude="constant")
    printed = KERNELS["sigma"].predict(line, amplitude="constant", A=math.sqrt(3.0))
    top.plot(grid, derived, label="Σ-Gravity, W = 1, $A = e^{1/2π}$", **SIGMA)
    top.plot(grid, printed, label="Σ-Gravity, W = 1, $A = √3$", **OTHER)
    top.plot(grid, KERNELS["mond"].predict(line), label="MOND", **MOND)
    top.set(xscale="log", yscale="log", ylabel="$g_{\\rm obs}$ [m s$^{-2}$]")
    top.legend(loc="upper left")
    below.axhline(0.0, color=SOFT, linewidth=0.7)
    for name in ("sigma", "mond"):
        rest = _residual(cube["v_obs"], KERNELS[name].predict(cube)).values[kept]
        centre, median, low, high = _binned(np.log10(x), rest)
        below.fill_between(10.0**centre, low, high, color=_LOOKS[name]["color"], alpha=0.16, linewidth=0)
        below.plot(10.0**centre, median, label=_NAMES[name], **_LOOKS[name])
    label = "$\\log_{10}(g_{\\rm obs}/g_{\\rm pred})$ [dex]"
    below.set(xlabel="$g_{\\rm bar}$ [m s$^{-2}$]", ylabel=label, ylim=(-0.45, 0.45))
    below.legend(loc="lower right", ncols=2)
    for axis in (top.yaxis, below.xaxis):
        power_axis(axis)
    text = (
        f"Radial acceleration relation of {x.size:,} points in {cube.sizes['galaxy']} galaxies (sample {_SAMPLE}), "
        f"{mark_synthetic('measured', cube)}; the thin line is g_obs = g_bar. Below: median and 16 to 84 per cent of "
        f"what remains under the full models, with the window at each point; pooled scatter {scatter['sigma']:.3f} "
        f"dex for Σ-Gravity, {scatter['mond']:.3f} dex for MOND."
    )
    return Drawn(figure, text)


def _binned(x: FloatArray, y: FloatArray, *, width: float = 0.25) -> tuple[FloatArray, ...]:
    """Return centre, median, 16th and 84th percentile of y in bins of x that hold enough points."""
    places = np.floor(x / width)
    rows = [
        ((place + 0.5) * width, *np.percentile(y[places == place], (50.0, 16.0, 84.0)))
        for place in np.unique(places)
        if (places == place).sum() >= _FEWEST
    ]
    return tuple(np.array(rows, dtype=float).reshape(-1, 4).T)


def milky_way(open_cube: OpenCube) -> Drawn:
    """Draw the circular velocity of Eilers+ 2019, and the median rotation of Gaia's disc stars, with both models."""
    curve = open_cube("eilers2019")
    one = curve.isel(galaxy=0)
    stars = select(open_cube("gaia"), sample="disc")
    r, v_phi = stars["r"].values, stars["v_phi"].values
    known = np.isfinite(r) & np.isfinite(v_phi)
    settings: Mapping[str, Mapping[str, str]] = {"newton": {}, "mond": {}, "sigma": {"scale_length": "catalogue"}}
    figure, axes = sheet(1, 2, width=TWO_COLUMNS, height=2.8)
    left, right = axes
    _draw_measured(left, one, mark_synthetic("Eilers+ 2019", curve))
    centre, median, low, high = _binned(r[known], v_phi[known], width=0.5)
    spread = {"color": SOFT, "alpha": 0.2, "linewidth": 0, "label": "16 to 84 % of stars"}
    right.fill_between(centre, low, high, **spread)
    right.plot(centre, median, label=mark_synthetic("median of stars", stars), **_without_bars())
    for name, each in settings.items():
        left.plot(one["r"], KERNELS[name].predict(curve, **each).isel(galaxy=0), label=_NAMES[name], **_LOOKS[name])
        predicted = KERNELS[name].predict(stars).values
        right.plot(centre, _binned(r[known], predicted[known], width=0.5)[1], label=_NAMES[name], **_LOOKS[name])
    left.set(xlabel="$R$ [kpc]", ylabel="circular velocity [km/s]", ylim=(95, 265))
    right.set(xlabel="$R$ [kpc]", ylabel="$v_φ$ [km/s]", ylim=(130, 295))
    left.legend(loc="lower left", ncols=2)
    right.legend(loc="upper right", ncols=2)
    letter(axes)
    rms = {
        name: float(Sweep(curve, kernel=name, metrics=["rms"], fixed=dict(each)).compute().rms_mean)
        for name, each in settings.items()
    }
    text = (
        f"The Milky Way. (a) Circular velocity at {one['v_obs'].count().item()} radii (Eilers+ 2019) beside the "
        f"baryons of main §3.3, Σ-Gravity and MOND; RMS {rms['newton']:.1f}, {rms['sigma']:.1f} and {rms['mond']:.1f} "
        f"km/s. (b) Median azimuthal velocity of {int(known.sum()):,} disc stars of Gaia DR3 in bins of 0.5 kpc with "
        f"at least {_FEWEST} stars, and the medians of what the models predict for the same stars, asymmetric drift "
        "included."
    )
    return Drawn(figure, text)


def _draw_measured(panel: Any, one: xr.Dataset, label: str) -> None:
    """Draw the measured velocities of a galaxy with their errors."""
    panel.errorbar(*(one[name].values for name in ("r", "v_obs", "e_v_obs")), label=label, **DATA)


def _without_bars() -> dict[str, Any]:
    return {name: value for name, value in DATA.items() if name != "elinewidth"}


def coherence_scales(open_cube: OpenCube) -> Drawn:
    """Draw the coherence scale of each galaxy from the dynamics against that from the size, and both distributions."""
    cube = select(open_cube("sparc"), sample=_SAMPLE)
    sigma = KERNELS["sigma"]
    geometric = sigma.compute(cube, "xi", window="geometric")
    dynamical = sigma.compute(cube, "xi", window="dynamical")
    both = {"geometric": geometric.values, "dynamical": dynamical.values}
    k = next(each.value(PAPER) for each in sigma.parameters if each.name == "k_xi")
    ends = 0.8 * min(each.min() for each in both.values()), 1.25 * max(each.max() for each in both.values())
    figure, axes = sheet(1, 2, width=TWO_COLUMNS, height=2.9)
    left, right = axes
    equal_line(left, *ends)
    colours = {"color": LINES[0], "marker": "o", "markersize": 2.6, "linestyle": "none", "markeredgewidth": 0}
    left.plot(both["geometric"], both["dynamical"], alpha=0.7, **colours)
    left.set(xscale="log", yscale="log", xlim=ends, ylim=ends, aspect="equal")
    left.set(xlabel="$ξ = R_d/2π$ [kpc]", ylabel=f"$ξ = {k:g}\\,σ_{{\\rm eff}}/Ω_d$ [kpc]")
    edges = np.linspace(0.0, max(each.max() for each in both.values()), 26)
    looks = {"geometric": (LINES[0], "-", "$R_d/2π$"), "dynamical": (LINES[1], "--", "$kσ_{\\rm eff}/Ω_d$")}
    for name, (colour, dashes, label) in looks.items():
        shape = {"histtype": "step", "color": colour, "linestyle": dashes, "linewidth": 1.2}
        right.hist(both[name], edges, label=mark_synthetic(label, cube), **shape)
        right.axvline(both[name].mean(), color=colour, linestyle=dashes, linewidth=0.6)
    right.set(xlabel="coherence scale $ξ$ [kpc]", ylabel="galaxies", xlim=(0.0, edges[-1]))
    right.legend(loc="upper right")
    for axis in (left.xaxis, left.yaxis):
        power_axis(axis, plain=True)
    letter(axes)
    means = {name: f"{each.mean():.3f} ± {each.std():.3f} kpc" for name, each in both.items()}
    ratio = float(np.median(both["dynamical"] / both["geometric"]))
    text = (
        f"Coherence scales of {cube.sizes['galaxy']} galaxies (sample {_SAMPLE}{mark_synthetic('', cube)}). (a) The "
        f"dynamical scale with k = {k:g} against the geometric one, R_d = R[N//3]; on the line they are equal. (b) "
        f"Their distributions, with the means as thin lines: {means['geometric']} and {means['dynamical']}; median "
        f"ratio {ratio:.2f}."
    )
    return Drawn(figure, text)
