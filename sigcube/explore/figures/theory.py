"""Figures of formulas: h(g) beside ν, windows, and what they make of the Solar System."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from sigcube.constants import PAPER
from sigcube.explore.figures.look import (
    MOND,
    ONE_COLUMN,
    OTHER,
    OTHER_MOND,
    OTHER_SIGMA,
    SIGMA,
    TWO_COLUMNS,
    Drawn,
    FloatArray,
    OpenCube,
    letter,
    power_axis,
    sheet,
)
from sigcube.explore.figures.points import about_a_mass, at_accelerations
from sigcube.explore.style import INK, LINES
from sigcube.kernels import KERNELS
from sigcube.model.milky_way import DISK_SCALE_LENGTH

__all__ = ["enhancement", "solar_system", "windows"]

_ROOT_3 = math.sqrt(3.0)
_SHADES = (LINES[0], LINES[1], LINES[2])
# Below this share of 1, a boost less 1 is rounding alone.
_ROUNDING = 4.0 * np.finfo(float).eps


def enhancement(open_cube: OpenCube) -> Drawn:
    """Draw Σ − 1 = A h(g) beside ν − 1 of MOND, and how far they are apart."""
    x = np.geomspace(1e-3, 1e2, 301)
    points = at_accelerations(x * PAPER.g_dagger)
    sigma, mond = KERNELS["sigma"], KERNELS["mond"]
    boosts = {
        "Σ-Gravity, $A = e^{1/2π}$": (sigma.boost(points, amplitude="constant"), SIGMA),
        "Σ-Gravity, $A = √3$": (sigma.boost(points, amplitude="constant", A=_ROOT_3), OTHER),
        "MOND, RAR ν": (mond.boost(points), MOND),
        "MOND, simple ν": (mond.boost(points, nu="simple"), OTHER_MOND),
    }
    reference = boosts["MOND, RAR ν"][0]
    figure, axes = sheet(2, 1, width=ONE_COLUMN, height=4.0, sharex=True, height_ratios=(1.8, 1.0))
    top, below = axes
    for label, (boost, style) in boosts.items():
        top.plot(x, boost - 1.0, label=label, **style)
        below.plot(x, 100.0 * (boost / reference - 1.0), **style)
    top.set(xscale="log", yscale="log", ylabel="Σ − 1,  ν − 1", ylim=(3e-5, 1e2))
    top.legend(loc="lower left")
    below.set(xlabel="$g_N / g†$", ylabel="relative to RAR ν [%]", ylim=(-25, 100))
    for axis in (top.yaxis, below.xaxis):
        power_axis(axis)
    far = {label: 100.0 * abs(boost / reference - 1.0).values for label, (boost, _) in boosts.items()}
    apart = ", ".join(f"{each.max():.0f} % ({label.replace('$', '')})" for label, each in far.items() if each.any())
    text = (
        "Σ − 1 = A h(g_N) with W = 1 (solid: the derived amplitude; dash-dotted: √3, with which main §2.13 prints "
        "its table) beside ν − 1 of MOND with the interpolating function of the RAR (dotted) and with the simple one "
        f"(dashed); g† = {PAPER.g_dagger:.3g} m/s². Below: Σ or ν over ν of the RAR, less 1. Largest difference: "
        f"{apart}."
    )
    return Drawn(figure, text)


def windows(open_cube: OpenCube) -> Drawn:
    """Draw W(r) for three scale lengths and two windows, and Σ(r) at three accelerations."""
    r = np.geomspace(0.05, 50.0, 241)
    lengths, accelerations, middle = (1.0, 3.0, 6.0), (0.1, 1.0, 10.0), 3.0
    sigma = KERNELS["sigma"]
    read: dict[str, Any] = {"scale_length": "catalogue", "amplitude": "constant"}
    figure, axes = sheet(1, 2, width=TWO_COLUMNS, height=2.7)
    left, right = axes
    for colour, length in zip(_SHADES, lengths, strict=True):
        points = at_accelerations(PAPER.g_dagger, r=r, scale_length=length)
        solid = {"color": colour, "linewidth": 1.3, "label": f"$R_d$ = {length:g} kpc"}
        left.plot(r, sigma.compute(points, "W", window="geometric", scale_length="catalogue"), **solid)
        window = sigma.compute(points, "W", window="power", k=0.5, scale_length="catalogue")
        left.plot(r, window, color=colour, linewidth=1.0, linestyle="--")
    for colour, g in zip(_SHADES, accelerations, strict=True):
        points = at_accelerations(g * PAPER.g_dagger, r=r, scale_length=middle)
        solid = {"color": colour, "linewidth": 1.3, "label": f"$g_N$ = {g:g} $g†$"}
        right.plot(r, sigma.boost(points, window="geometric", **read), **solid)
        right.plot(r, sigma.boost(points, window="power", k=0.5, **read), color=colour, linewidth=1.0, linestyle="--")
        right.axhline(float(sigma.boost(points, amplitude="constant")[0]), color=colour, linewidth=0.5, linestyle=":")
    left.set(ylabel="coherence window $W(r)$", ylim=(0.0, 1.02))
    right.set(ylabel="enhancement Σ(r)", ylim=(0.9, None))
    left.legend(loc="lower right")
    right.legend(loc="center right", bbox_to_anchor=(1.0, 0.62))
    for panel in axes:
        panel.set(xscale="log", xlabel="radius $r$ [kpc]", xlim=(r[0], r[-1]))
        power_axis(panel.xaxis, plain=True)
    letter(axes)
    text = (
        "(a) The window W(r) for three scale lengths, ξ = R_d/2π: r/(ξ+r) (solid), and 1 − (ξ/(ξ+r))^½ of the older "
        f"tables (dashed). (b) Σ(r) at three accelerations that are held, R_d = {middle:g} kpc, A = e^{{1/2π}}, with "
        "the same windows; dotted: W = 1."
    )
    return Drawn(figure, text)


def solar_system(open_cube: OpenCube) -> Drawn:
    """Draw Σ − 1 about the Sun with and without a window and a field around, beside MOND and the bound of Cassini."""
    au = np.geomspace(0.1, 2e5, 400)
    points = about_a_mass(au * PAPER.AU / PAPER.kpc, m_bar=1.0, scale_length=DISK_SCALE_LENGTH)
    landmarks = open_cube("landmarks")
    saturn = landmarks.sel(landmark="Saturn")
    g_ext = float(landmarks.sel(landmark="binary 10000 AU in the Galaxy")["g_ext"])
    alone: dict[str, str] = {"window": "none"}
    in_disc = {"window": "geometric", "scale_length": "catalogue"}
    curves = {
        "Σ-Gravity, W = 1": (_sigma_less_1(points, window=alone), SIGMA),
        "W = 1, in the field around": (_sigma_less_1(points, window=alone, g_ext=g_ext), OTHER),
        "W = r/(ξ+r)": (_sigma_less_1(points, window=in_disc), OTHER_SIGMA),
        "MOND, RAR ν": (_above_rounding(KERNELS["mond"].boost(points, observable="mass")), MOND),
    }
    figure, (panel,) = sheet(width=ONE_COLUMN, height=3.0)
    for label, (values, style) in curves.items():
        panel.plot(au, values, label=label, **style)
    x, bound = float(saturn["separation"]), float(saturn["e_observed"])
    panel.plot([x], [bound], marker="v", color=INK, markersize=4.5, linestyle="none", label="Cassini, |γ − 1| <")
    panel.plot([0.39, 30.0], [1e-14, 1e-14], color=INK, linewidth=0.9)
    panel.text(0.39, 2.2e-14, "printed: < $10^{-14}$", fontsize=6.5)
    panel.set(xscale="log", yscale="log", xlabel="distance from the Sun [AU]", ylabel="Σ − 1,  ν − 1")
    panel.set(xlim=(au[0], au[-1]), ylim=(1e-21, 1e12))
    panel.legend(loc="upper left")
    for axis in (panel.xaxis, panel.yaxis):
        power_axis(axis)
    at = int(np.argmin(abs(au - x)))
    told = {label: f"{each[at]:.1e}" for label, (each, _) in curves.items()}
    text = (
        "Σ − 1 about one solar mass, A = √3: with W = 1 (solid); the same within the field of the Galaxy, "
        f"{g_ext:.2g} m/s² (dash-dotted); with the window of a disc of R_d = {DISK_SCALE_LENGTH:g} kpc, r the "
        "distance from the Sun (dashed). Dotted: ν − 1 of MOND, as far as it can be told from rounding. Near Saturn: "
        f"{told['Σ-Gravity, W = 1']}, {told['W = 1, in the field around']} and {told['W = r/(ξ+r)']}. The papers hold "
        f"|γ − 1| < {bound:g} (Cassini) against Σ − 1."
    )
    return Drawn(figure, text)


def _sigma_less_1(points: xr.Dataset, *, window: Mapping[str, Any], g_ext: float = 0.0) -> FloatArray:
    """Return Σ − 1 as the product of the kernel's own terms A, W and h: Σ itself is 1 to all digits near the Sun."""
    sigma = KERNELS["sigma"]
    amplitude = sigma.compute(points, "coherent_amplitude", amplitude="constant", A=_ROOT_3)
    share = sigma.compute(points, "W", observable="mass", **window)
    h = sigma.compute(points, "h", observable="mass", g_ext=g_ext)
    product: FloatArray = np.ravel(amplitude * share * h)
    return product


def _above_rounding(boost: xr.DataArray) -> FloatArray:
    less = boost.values.ravel() - 1.0
    return np.where(less > _ROUNDING, less, np.nan)
