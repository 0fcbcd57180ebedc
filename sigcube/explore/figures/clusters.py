"""Figures of clusters: masses and accelerations beside the models, and the amplitude that each system would need."""

import math

import numpy as np
import xarray as xr

from sigcube.cube import select
from sigcube.explore.figures.look import (
    DATA,
    ONE_COLUMN,
    OTHER,
    OTHER_SIGMA,
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
from sigcube.explore.style import INK, LINES, SOFT, mark_synthetic
from sigcube.kernels import KERNELS
from sigcube.plan.grid import linspace
from sigcube.sweep import Sweep

__all__ = ["amplitudes", "clusters"]

_MASS = {"observable": "mass"}
# Amplitudes that main §2.12.1 prints: path length [kpc], amplitude "observed".
_PRINTED = ((1.55, math.sqrt(3.0)), (17.3, 3.07), (400.0, 8.0))
_DISC_PATH = 1.5


def clusters(open_cube: OpenCube) -> Drawn:
    """Draw masses within 200 kpc, CLASH's accelerations over the radius, and both distributions of the ratio."""
    masses, clash = (select(open_cube(name), sample="all") for name in ("literature_clusters", "clash"))
    looks = {"sigma": ("Σ-Gravity", LINES[0], "o"), "mond": ("MOND", LINES[1], "s")}
    predicted = {name: KERNELS[name].predict(masses, **_MASS) for name in looks}
    ratios = {
        name: (_points(predicted[name] / masses["m_obs"]), _points(KERNELS[name].predict(clash) / clash["g_obs"]))
        for name in looks
    }
    figure, axes = sheet(1, 3, width=TWO_COLUMNS, height=2.7)
    left, middle, right = axes
    low, high = 0.5 * min(float(each.min()) for each in predicted.values()), 2.0 * float(masses["m_obs"].max())
    equal_line(left, low, high)
    edges = np.arange(-1.0, 0.6, 0.1)
    for name, (title, colour, marker) in looks.items():
        dots = {"color": colour, "marker": marker, "markersize": 3.0, "linestyle": "none"}
        bars = {**dots, "elinewidth": 0.6}
        left.errorbar(_points(masses["m_obs"]), _points(predicted[name]), xerr=_points(masses["e_m_obs"]), **bars)
        middle.plot(_points(clash["r"]), ratios[name][1], alpha=0.75, markeredgewidth=0, **dots)
        shape = {"histtype": "step", "color": colour, "linewidth": 1.2, "label": title}
        right.hist(np.log10(ratios[name][1]), edges, linestyle="-" if name == "sigma" else "--", **shape)
        right.plot(
            np.log10(ratios[name][0]), np.full(masses.sizes["cluster"], -0.7), marker="|", color=colour, ls="none"
        )
    middle.axhline(1.0, color=SOFT, linewidth=0.7)
    right.axvline(0.0, color=SOFT, linewidth=0.7)
    left.set(xscale="log", yscale="log", xlim=(low, high), ylim=(low, high))
    left.set(xlabel="$M_{\\rm lens}$ (< 200 kpc) [$M_\\odot$]", ylabel="$M_{\\rm pred}$ (< 200 kpc) [$M_\\odot$]")
    middle.set(xscale="log", yscale="log", xlabel="radius [kpc]", ylabel="$g_{\\rm pred}/g_{\\rm obs}$")
    right.set(xlabel="$\\log_{10}$(predicted/observed)", ylabel="points of CLASH", ylim=(-1.5, None))
    right.legend(loc="upper left")
    for axis in (left.xaxis, left.yaxis):
        power_axis(axis)
    for axis in (middle.xaxis, middle.yaxis):
        power_axis(axis, plain=True, steps=(1.0, 2.0, 5.0))
    letter(axes)
    told = []
    for name, (title, _, _) in looks.items():
        each = [f"{np.median(values):.2f}" for values in ratios[name]]
        told.append(f"{title} {each[0]} and {each[1]}")
    text = (
        "Clusters of galaxies under Σ-Gravity (circles; W = 1, unified amplitude, D = 1, L = 600 kpc) and MOND "
        f"(squares). (a) {masses.sizes['cluster']} masses within 200 kpc from the "
        f"literature{mark_synthetic('', masses)}, with the errors of the lensing masses; on the line they are equal. "
        f"(b) {ratios['sigma'][1].size} points of {clash.sizes['cluster']} clusters of CLASH (Tian+ "
        f"2020){mark_synthetic('', clash)}. (c) Their distributions, and those of (a) as strokes. Medians of "
        f"predicted over observed, literature and CLASH: {'; '.join(told)}."
    )
    return Drawn(figure, text)


def _points(values: xr.DataArray) -> FloatArray:
    """Return the values of all points, without padding."""
    flat: FloatArray = values.values[np.isfinite(values.values)]
    return flat


def amplitudes(open_cube: OpenCube) -> Drawn:
    """Draw the laws of the amplitude over the path length, what is printed, and what the data would need."""
    sparc = open_cube("sparc")
    masses, clash = (select(open_cube(name), sample="all") for name in ("literature_clusters", "clash"))
    sigma = KERNELS["sigma"]
    length = xr.DataArray(np.geomspace(0.5, 3000.0, 121), dims="length")
    quarter = {"amplitude": "path_length", "L": length}
    laws = {
        "$A_0 L^{1/4}$, $A_0 = e^{1/2π}$": (sigma.compute(masses, "coherent_amplitude", **quarter), SIGMA),
        "$A_0 L^{1/4}$, $A_0 = 1.6$": (sigma.compute(masses, "coherent_amplitude", A_0=1.6, **quarter), OTHER_SIGMA),
        "unified, $D = 1$": (
            sigma.compute(masses, "coherent_amplitude", amplitude="unified", D=1.0, L=length),
            OTHER,
        ),
    }
    axes = {"A": linspace(0.2, 4.0, 191)}
    swept = Sweep(sparc, sample="paper171", kernel="sigma", metrics=["rms"], axes=axes).compute()
    at_best = float(swept["A"][swept["rms_mean"].argmin("A")])
    needed = _needed(masses, "m_obs", _MASS)
    along = _needed(clash, "g_obs", {})
    figure, (panel,) = sheet(width=ONE_COLUMN, height=3.0)
    dots = {"marker": "o", "markersize": 2.2, "linestyle": "none", "color": SOFT, "markeredgewidth": 0}
    panel.plot(2.0 * _points(clash["r"]), along, label=mark_synthetic("needed: CLASH", clash), **dots)
    for label, (values, style) in laws.items():
        panel.plot(length, values, label=label, **style)
    low, median, high = np.percentile(needed, (16.0, 50.0, 84.0))
    bar = {**DATA, "markersize": 4.0, "elinewidth": 0.9}
    label = mark_synthetic("needed: SPARC, lensing", sparc)
    where, what = [_DISC_PATH, 2.0 * float(masses["r"].max())], [at_best, median]
    panel.errorbar(where, what, yerr=[[0.0, median - low], [0.0, high - median]], label=label, **bar)
    open_dots = {"marker": "D", "markersize": 4.0, "markerfacecolor": "none", "color": INK, "linestyle": "none"}
    panel.plot(*zip(*_PRINTED, strict=True), label="printed", **open_dots)
    panel.set(xscale="log", yscale="log", xlabel="path length $L$ [kpc]", ylabel="amplitude $A$")
    panel.set(xlim=(0.5, 3000.0), ylim=(0.7, 90.0))
    panel.legend(loc="upper left")
    for axis in (panel.xaxis, panel.yaxis):
        power_axis(axis, plain=True)
    text = (
        "Amplitude over path length: A₀ L^¼ (solid, e^{1/2π}; dashed, 1.6) and the unified law with D = 1 "
        "(dash-dotted). Diamonds: amplitudes that main §2.12.1 prints as observed. Dots: what data need. Discs: the "
        f"A of least mean RMS over {select(sparc, sample='paper171').sizes['galaxy']} galaxies of "
        f"SPARC{mark_synthetic('', sparc)}, {at_best:.2f}, at {_DISC_PATH:g} kpc. {masses.sizes['cluster']} clusters "
        f"with masses within 200 kpc: median {median:.1f}, 16 to 84 per cent {low:.1f} to {high:.1f}, at L = 2r. "
        f"Grey: {along.size} points of CLASH, each at L = 2r."
    )
    return Drawn(figure, text)


def _needed(cube: xr.Dataset, observed: str, settings: dict[str, str]) -> FloatArray:
    """Return the A with which each point is predicted as observed: predictions are linear in A where W = 1."""
    sigma = KERNELS["sigma"]
    none, one = (sigma.predict(cube, amplitude="constant", A=value, **settings) for value in (0.0, 1.0))
    return _points((cube[observed] - none) / (one - none))
