"""The rotation of Gaia's disc stars beside the circular velocity of Eilers+ 2019 less the asymmetric drift.

Run as a script with the two cubes, ``python -m tests.gaia_rotation GAIA EILERS``, to rewrite
``docs/explanation/gaia_rotation.md`` and, where Chromium is there, its picture; `test_gaia_rotation.py` proves that the
page is current.
"""

import sys
import tempfile
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import xarray as xr
from PIL import Image

from sigcube.cube import open_cube, pack
from sigcube.readers.galactocentric import MEASURED, GalacticFrame, Transform
from tests.browser import open_page

DOCS = Path(__file__).parents[1] / "docs" / "explanation"
PAGE, PICTURE = DOCS / "gaia_rotation.md", DOCS / "gaia_rotation.png"
WIDTH = 0.5
FEWEST = 30
R_D = 2.6
#: Where the two must agree [kpc], and how well [km/s].
BETWEEN, WITHIN = (6.0, 10.0), 12.0


@dataclass(frozen=True)
class Rotation:
    """Bins of R: centre [kpc], stars, median v_φ and its error, V_c, V_a, and what is to be expected [km/s]."""

    r: np.ndarray
    stars: np.ndarray
    median: np.ndarray
    error: np.ndarray
    v_c: np.ndarray
    drift: np.ndarray

    @property
    def expected(self) -> np.ndarray:
        return self.v_c - self.drift

    @property
    def difference(self) -> np.ndarray:
        return self.median - self.expected

    @property
    def worst(self) -> float:
        """The largest difference where the two must agree."""
        low, high = BETWEEN
        return float(np.abs(self.difference[(self.r > low) & (self.r < high)]).max())


def rotation(stars: Mapping[str, np.ndarray], curve: xr.Dataset) -> Rotation:
    """Compare disc stars (``r``, ``v_phi``, ``sigma_r``) with a circular-velocity curve.

    V_a = σ_R²/(2V_c)·(R/R_d − 1), clipped to 0…50 km/s (main §3.3), σ_R as the cube has it.
    """
    edges = np.arange(4.0, 16.0 + WIDTH / 2, WIDTH)
    rows = []
    for low, high in pairwise(edges):
        inside = (stars["r"] >= low) & (stars["r"] < high)
        if (n := int(inside.sum())) > FEWEST:
            centre = (low + high) / 2
            v_phi = stars["v_phi"][inside]
            v_c = np.interp(centre, curve.r.values[0], curve.v_obs.values[0])
            drift = np.clip(np.median(stars["sigma_r"][inside]) ** 2 / (2 * v_c) * (centre / R_D - 1), 0, 50)
            rows.append((centre, n, np.median(v_phi), np.std(v_phi) * np.sqrt(np.pi / 2 / n), v_c, drift))
    return Rotation(*np.array(rows).T)


def disc(cube: xr.Dataset) -> Mapping[str, np.ndarray]:
    return pack(cube, sample="disc", variables=("r", "v_phi", "sigma_r", *MEASURED)).points


#: Other motions of the Sun that are in use [km/s], with its distance [kpc] and height: who uses them.
OTHER_SUNS = {
    "Eilers+ 2019 with its own R0": GalacticFrame(r_sun=8.122, z_sun=0.025, v_sun=(11.1, 245.8, 7.8)),
    "astropy's `galactocentric_frame_defaults` v4.0": GalacticFrame(
        r_sun=8.122, z_sun=0.0208, v_sun=(12.9, 245.6, 7.78)
    ),
    "V_c = 220 km/s plus Schönrich+ 2010, as an older supplement of the papers": GalacticFrame(
        r_sun=8.122, z_sun=0.0208, v_sun=(11.1, 232.24, 7.25)
    ),
}


def under(frame: GalacticFrame, stars: Mapping[str, np.ndarray], curve: xr.Dataset) -> Rotation:
    """Compare the same stars under another Sun; σ_R stays."""
    return rotation({**stars, **Transform(frame)(stars)}, curve)


def page(cube: xr.Dataset, curve: xr.Dataset) -> str:
    """Write the page."""
    stars = disc(cube)
    found, sun = rotation(stars, curve), tomllib.loads(cube.attrs["recipe"])["frame"]
    suns = {"**the recipe's**": (GalacticFrame.model_validate(sun), found)}
    suns |= {name: (frame, under(frame, stars, curve)) for name, frame in OTHER_SUNS.items()}
    lines = [
        "# Gaia's disc stars and the circular velocity of the Milky Way",
        "",
        "Written by `python -m tests.gaia_rotation` from the real files; a test proves that it is current.",
        "",
        "![Density of disc stars over R and v_φ, their median, and the curve of Eilers+ 2019](gaia_rotation.png)",
        "",
        f"Median v_φ of {stars['r'].size:,} disc stars of Gaia DR3 (sample `disc` of the recipe `gaia`; distance",
        "1/parallax) against the circular velocity of Eilers+ 2019 less the asymmetric drift",
        "V_a = σ_R²/(2V_c)·(R/R_d − 1), R_d = 2.6 kpc. The Sun is at R0 = "
        f"{sun['r_sun']:g} kpc, z = {1e3 * sun['z_sun']:g} pc, and moves with",
        f"{tuple(sun['v_sun'])} km/s towards the centre, with the rotation and northward.",
        "",
        f"Between {BETWEEN[0]:g} and {BETWEEN[1]:g} kpc they differ by at most **{found.worst:.1f} km/s**.",
        "",
        "| R [kpc] | stars | median v_φ | its error | V_c | V_a | difference |",
        "| ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for r, n, median, error, v_c, drift, difference in zip(
        found.r, found.stars, found.median, found.error, found.v_c, found.drift, found.difference, strict=True
    ):
        lines.append(
            f"| {r:.2f} | {int(n):,} | {median:.1f} | {error:.1f} | {v_c:.1f} | {drift:.1f} | {difference:+.1f} |"
        )
    lines += [
        "",
        "The difference follows the Sun's motion, which the papers do not give:",
        "",
        "| Sun | R0 [kpc] | v [km/s] | largest difference, 6–10 kpc [km/s] |",
        "| --- | ---: | --- | ---: |",
        *(f"| {name} | {sun.r_sun:g} | {sun.v_sun} | {each.worst:.1f} |" for name, (sun, each) in suns.items()),
    ]
    return "\n".join(lines) + "\n"


# The picture


def _density(plot, stars: Mapping[str, np.ndarray]) -> None:
    from bokeh.models import LinearColorMapper

    counts, r, v = np.histogram2d(stars["r"], stars["v_phi"], bins=(108, 108), range=((4.5, 13.5), (130, 310)))
    image = np.where(counts.T > 0, np.log10(np.maximum(counts.T, 1)), np.nan)
    palette = ["#eef3f8", "#dbe6f0", "#c4d6e6", "#a9c3da", "#8caecb", "#6f98bb", "#547fa6", "#3d668d", "#294d70"]
    mapper = LinearColorMapper(palette, low=0.0, high=float(np.nanmax(image)), nan_color="rgba(0,0,0,0)")
    plot.image([image], x=r[0], y=v[0], dw=r[-1] - r[0], dh=v[-1] - v[0], color_mapper=mapper, level="image")


def figures(cube: xr.Dataset, curve: xr.Dataset):
    """Return both panels: the stars with the curves, and the difference."""
    from bokeh.layouts import column
    from bokeh.models import BoxAnnotation, Span

    from sigcube.explore.style import INK, LINES, SOFT, figure, legend_above

    stars = disc(cube)
    found = rotation(stars, curve)
    top = figure(height=470, x_range=(4.5, 13.5), y_range=(130, 310), y_axis_label="v_φ  [km/s]")
    _density(top, stars)
    r, v_c = curve.r.values[0], curve.v_obs.values[0]
    top.line(r, v_c, color=LINES[1], line_width=2.5, line_dash="dashed", legend_label="V_c, Eilers+ 2019")
    top.line(found.r, found.expected, color=LINES[1], line_width=3, legend_label="V_c − V_a")
    top.scatter(
        found.r,
        found.median,
        size=9,
        color=INK,
        line_color="white",
        line_width=1.2,
        legend_label="median v_φ, disc stars",
    )
    top.segment(found.r, found.median - found.error, found.r, found.median + found.error, color=INK, line_width=1.8)
    legend_above(top)
    bottom = figure(height=230, x_range=top.x_range, y_range=(-17, 17), x_axis_label="R  [kpc]")
    bottom.yaxis.axis_label = "difference  [km/s]"
    bottom.add_layout(
        BoxAnnotation(
            left=BETWEEN[0], right=BETWEEN[1], bottom=-WITHIN, top=WITHIN, fill_color=LINES[2], fill_alpha=0.12
        )
    )
    bottom.add_layout(Span(location=0, dimension="width", line_color=SOFT, line_width=1.2))
    bottom.segment(
        found.r, found.difference - found.error, found.r, found.difference + found.error, color=INK, line_width=1.8
    )
    bottom.scatter(found.r, found.difference, size=9, color=INK, line_color="white", line_width=1.2)
    for plot in (top, bottom):
        plot.min_border_left = 80
    return column(top, bottom, sizing_mode="stretch_width")


def html(cube: xr.Dataset, curve: xr.Dataset) -> str:
    """Return a page with the figure alone."""
    from bokeh.embed import components
    from bokeh.resources import INLINE

    from sigcube.explore.style import FONT, INK, SOFT

    script, body = components(figures(cube, curve))
    stars, sun = disc(cube), tomllib.loads(cube.attrs["recipe"])["frame"]
    u, v, w = sun["v_sun"]
    words = (
        f"{stars['r'].size:,} disc stars of Gaia DR3, distance 1/parallax; blue: how many, logarithmic.<br>"
        f"Sun: R₀ = {sun['r_sun']:g} kpc, z = {1e3 * sun['z_sun']:.3g} pc, (U, V, W) = ({u:g}, {v:g}, {w:g}) km/s. "
        f"Shaded: ±{WITHIN:g} km/s over {BETWEEN[0]:g}–{BETWEEN[1]:g} kpc."
    )
    return f"""<!doctype html><html><head><meta charset="utf-8">{INLINE.render()}<style>
body {{ margin: 0; padding: 26px 30px 14px; width: 1040px; font-family: {FONT}; color: {INK}; background: white }}
h1 {{ font-size: 23px; font-weight: 600; margin: 0 0 6px }} p {{ font-size: 14.5px; color: {SOFT}; margin: 0 0 14px }}
</style></head><body><h1>Rotation of the Milky Way's disc: stars and the circular-velocity curve</h1><p>{words}</p>
{body}{script}</body></html>"""


def draw(cube: xr.Dataset, curve: xr.Dataset, path: Path) -> None:
    """Take a picture of the figure by headless Chromium, without a network."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "figure.html"
        source.write_text(html(cube, curve), encoding="utf-8")
        _, picture = open_page(source, size=(1100, 830))
    Image.fromarray(picture).save(path, optimize=True)


if __name__ == "__main__":
    GAIA, EILERS = (open_cube(path) for path in sys.argv[1:3])
    PAGE.write_text(page(GAIA, EILERS), encoding="utf-8")
    draw(GAIA, EILERS, PICTURE)
