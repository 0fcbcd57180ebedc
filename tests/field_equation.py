"""How far g = ν(g_N) g_N is from the field equation, for ideal discs and for the galaxies of SPARC.

Run as a script with the cube, ``python -m tests.field_equation SPARC``, to rewrite
``docs/explanation/field_equation.md`` and, where Chromium is there, its picture; `tests/explore/test_field_page.py`
proves that the page is current.
"""

import sys
import tempfile
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import xarray as xr
from PIL import Image

from sigcube import field
from sigcube.cube import open_cube, select
from sigcube.kernels import KERNELS
from tests.browser import open_page

DOCS = Path(__file__).parents[1] / "docs" / "explanation"
PAGE, PICTURE = DOCS / "field_equation.md", DOCS / "field_equation.png"

#: R/R_d of the tables, central surface densities [Msun/pc²], R_d and the height that SPARC gives such a disc [kpc].
RADII = np.array([0.5, 1.0, 2.0, 3.0, 4.0, 6.0, 8.0])
CENTRAL = (10.0, 30.0, 100.0, 300.0, 1000.0)
R_D, HEIGHT = 3.0, 0.196 * 3.0**0.633
MODELS = {
    "`sigma`, window `geometric`": {"kernel": "sigma"},
    "`sigma`, window `none`": {"kernel": "sigma", "window": "none"},
    "`mond`, ν `rar`": {"kernel": "mond"},
}
#: Edges of the bins in R/R_d for galaxies.
BINS = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0)


def thick(central: float, height: float = HEIGHT) -> field.Source:
    return field.exponential(central=central, scale_length=R_D, height=height)


def per_cent(values: np.ndarray) -> str:
    return " | ".join(f"{100.0 * value:+.1f}" for value in values)


def ideal_rows() -> list[str]:
    """Rows of the table of ideal discs: thick ones, then a thin one."""
    rows = []
    for name, model in MODELS.items():
        for central in CENTRAL:
            found = field.solve(thick(central), R=RADII * R_D, **model)
            rows.append(f"| {name} | {central:g} | {HEIGHT:.2f} | {per_cent(found.deviation.values)} |")
        found = field.solve(thick(100.0, 0.0), R=RADII * R_D, **model)
        rows.append(f"| {name} | 100 | 0 | {per_cent(found.deviation.values)} |")
    found = field.solve(thick(100.0), R=RADII * R_D, kernel="sigma", window_radius="spherical")
    rows.append(
        f"| `sigma`, `geometric` of the spherical r | 100 | {HEIGHT:.2f} | {per_cent(found.deviation.values)} |"
    )
    return rows


def outside_rows() -> list[str]:
    """Rows of the relation just outside thin discs."""
    rows = []
    for name, model in MODELS.items():
        for central in (10.0, 100.0, 1000.0):
            found = field.solve(thick(central, 0.0), R=RADII * R_D, **model)
            rows.append(f"| {name} | {central:g} | {per_cent(found.deviation_outside.values)} |")
    return rows


def power_of_ten(error: float) -> str:
    """Round an error up to a power of ten; what rounding decides is not told apart."""
    return "≤ 1e-9" if error < 1e-9 else f"< 1e{int(np.ceil(np.log10(error))):d}"


def convergence_rows() -> list[str]:
    """Rows of errors by resolution, each against a closed form, or a grid far finer where there is none."""
    kuzmin, cases = field.kuzmin(mass=1e10, scale_length=R_D), []
    for model, source in (
        (MODELS["`mond`, ν `rar`"], thick(100.0)),
        (MODELS["`sigma`, window `geometric`"], thick(100.0)),
    ):
        fine = field.solve(source, R=RADII * R_D, modes=96, refine=2.0, **model)
        cases.append((model, source, fine.boost.values))
    rows = []
    for modes, refine in ((12, 1.0), (24, 1.0), (48, 1.0), (48, 0.25), (48, 0.5)):
        grid = {"modes": modes, "refine": refine, "R": RADII * R_D}
        outside = field.solve(kuzmin, kernel="mond", **grid).deviation_outside.values
        errors = [float(np.abs(outside).max())]
        for model, source, fine in cases:
            errors.append(float(np.abs(field.solve(source, **grid, **model).boost.values / fine - 1.0).max()))
        rows.append(f"| {modes} | {refine:g} | {' | '.join(map(power_of_ten, errors))} |")
    return rows


INTRODUCTION = """
Rotation curves of the papers are V² = V_bar² ν(g_N) with g_N = V_bar²/R. Their field equation (main §2.14.2) is
∇²Φ = 4πGρ + ∇·[(ν−1) ∇Φ_N]. The text calls the two identical. For spheres they are. `sigcube.field` solves the equation
for discs, where they are not:

- In a disc ν of the field equation is that of the whole Newtonian field, 2πGΣ across the disc included. The algebraic
  relation leaves that out: its ν is too large where the disc is dense, and so is its g.
- As printed, with g_N = −∇Φ_N, the second term has the other sign: a phantom density of negative mass, and less gravity
  than Newton's. The sign here is the one with which g_eff = ν g_N holds for spheres.
- W(r) is taken at the cylindrical radius (main §2.5); `window_radius="spherical"` takes the other.

## Ideal discs

g of the algebraic relation over that of the field equation, less one, in per cent: exponential discs, R_d = 3 kpc,
ρ ∝ e^{−|z|/h}, in the mid-plane. Velocities differ by half as much.
"""
OUTSIDE = """
With the field just outside the disc, ν(√(g_R² + (2πGΣ)²)), which Brada & Milgrom (1995, MNRAS 276, 453) put in its
place for MOND's other field equation, razor-thin discs have, in per cent:
"""
ACCURACY = """
## How well it is solved

Largest relative error of the mid-plane's boost at these radii. Kuzmin's disc has a closed form; the thick disc is
compared with 96 modes and twice the panels. A window of the cylindrical radius has a kink at the axis, where
polynomials in cos θ converge slowly; all else converges geometrically.
"""
TESTED = """
48 modes and 1 are the default; a solution takes a few hundredths of a second. In the tests spheres of Plummer and
Hernquist follow the algebraic relation to 1e-11, discs of Freeman and of Miyamoto & Nagai their closed forms to 1e-8,
and deep-MOND discs Milgrom's virial relation (2014, arXiv:1311.2579) to 1e-5.
"""
SPARC = """
## SPARC

The 171 galaxies, defaults of the kernels. Stars: 0.5 × the 3.6 µm light, h = 0.196 R_d^0.633, with which SPARC's V_disk
comes out of its light, where the table begins far enough in; bulges as spheres; gas as razor-thin rings fitted to
V_gas. The algebraic relation is the cube's prediction, with V_bar as tabulated; the field equation's is that times the
root of the ratio of both boosts.

V of the algebraic relation over that of the field equation, less one, in per cent: median, and 16th and 84th percentile
of the points.
"""


def ideal() -> str:
    """Write the part of the page on ideal discs."""
    ratios = " | ".join(f"{ratio:g}" for ratio in RADII)
    numbers = " | ".join("---:" for _ in RADII)
    lines = [
        "# The field equation and the algebraic relation",
        "",
        "Written by `python -m tests.field_equation` from the real files; a test proves that it is current.",
        "",
        "![Excess of V = √(R ν g_N) over the field equation's, for ideal discs and for SPARC](field_equation.png)",
        INTRODUCTION,
        f"| model | Σ₀ [Msun/pc²] | h [kpc] | R/R_d = {ratios} |",
        f"| --- | ---: | ---: | {numbers} |",
        *ideal_rows(),
        OUTSIDE,
        f"| model | Σ₀ [Msun/pc²] | R/R_d = {ratios} |",
        f"| --- | ---: | {numbers} |",
        *outside_rows(),
        ACCURACY,
        "| modes | panels, relative | Kuzmin, `mond` | thick disc, `mond` | thick disc, `sigma`, `geometric` |",
        "| ---: | ---: | ---: | ---: | ---: |",
        *convergence_rows(),
    ]
    return "\n".join(lines) + "\n" + TESTED


@dataclass(frozen=True)
class Galaxies:
    """Kept points of the galaxies, end to end: which galaxy, R/R_d, velocities [km/s]."""

    index: np.ndarray
    ratio: np.ndarray
    observed: np.ndarray
    algebraic: np.ndarray
    solved: np.ndarray

    @property
    def excess(self) -> np.ndarray:
        """V of the algebraic relation over that of the field equation, less one; infinite where that has none."""
        with np.errstate(divide="ignore"):
            return self.algebraic / self.solved - 1.0

    def mean_rms(self, velocity: np.ndarray) -> float:
        """Mean over galaxies of the RMS of V_obs − V."""
        squares = np.bincount(self.index, (velocity - self.observed) ** 2) / np.bincount(self.index)
        return float(np.sqrt(squares).mean())


def galaxies(cube: xr.Dataset, *, gas: bool = True, **model: str) -> Galaxies:
    """Solve the field equation for each galaxy, and correct the cube's own prediction by the ratio of the boosts."""
    cube = select(cube, sample="paper171").compute()
    kernel, settings = KERNELS[model["kernel"]], {key: value for key, value in model.items() if key != "kernel"}
    predicted = kernel.predict(cube, **settings)
    parts = []
    for index, name in enumerate(cube.galaxy.values):
        row, v = cube.sel(galaxy=name), predicted.sel(galaxy=name)
        kept = np.isfinite(row.v_obs.values) & np.isfinite(v.values)
        r = row.r.values[kept]
        found = field.solve(field.galaxy(cube, str(name), gas=gas), R=r, **model)
        # Where the field equation pulls outwards there is no velocity: 0 is the nearest that a curve can be.
        share = np.maximum(found.boost.values / found.boost_algebraic.values, 0.0)
        solved = v.values[kept] * np.sqrt(share)
        ratio = r / float(row.scale_length_catalogue)
        parts.append((np.full(r.size, index), ratio, row.v_obs.values[kept], v.values[kept], solved))
    return Galaxies(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def _row(name: str, values: list[float]) -> str:
    return f"| {name} | {' | '.join(f'{value:.2f}' for value in values)} |"


def sparc(found: dict[str, Galaxies], stars: dict[str, Galaxies]) -> str:
    """Write the part of the page on real galaxies."""
    numbers = " | ".join("---:" for _ in found)
    lines = [SPARC, f"| R/R_d | points | {' | '.join(found)} |", f"| --- | ---: | {numbers} |"]
    for low, high in pairwise(BINS):
        cells, n = [], 0
        for each in found.values():
            inside = each.excess[(each.ratio >= low) & (each.ratio < high)]
            n = inside.size
            p16, p50, p84 = 100.0 * np.percentile(inside, (16, 50, 84))
            cells.append(f"{p50:+.1f} ({p16:+.1f} … {p84:+.1f})")
        lines.append(f"| {low:g} – {high:g} | {n} | {' | '.join(cells)} |")
    lines += [
        "",
        f"| mean RMS against V_obs [km/s] | {' | '.join(found)} |",
        f"| --- | {numbers} |",
        _row("algebraic relation", [each.mean_rms(each.algebraic) for each in found.values()]),
        _row("field equation", [each.mean_rms(each.solved) for each in found.values()]),
        _row("the same, the ratio from stars alone", [each.mean_rms(each.solved) for each in stars.values()]),
        "",
        "Where the field equation pulls outwards a point has no velocity under it, and counts as V = 0: "
        + ", ".join(f"{(each.solved == 0.0).sum()} ({name})" for name, each in found.items())
        + ".",
        "",
        'One galaxy: `field.solve(field.galaxy(cube, "NGC2403"), kernel="sigma")`.',
    ]
    return "\n".join(lines) + "\n"


def of_sparc(cube: xr.Dataset, *, gas: bool = True) -> dict[str, Galaxies]:
    return {name: galaxies(cube, gas=gas, **MODELS[name]) for name in MODELS if "none" not in name}


# The picture


def _ideal_panel():
    from sigcube.explore.style import LINES, figure, legend_above, plain_ticks

    plot = figure(height=380, x_axis_type="log", x_range=(0.25, 10.0), y_range=(-4, 42))
    plot.yaxis.axis_label = "excess of V, ideal discs  [%]"
    plain_ticks(plot.xaxis[0])
    ratio = np.geomspace(0.25, 10.0, 80)
    for colour, central in zip((LINES[0], LINES[1], LINES[2]), (10.0, 100.0, 1000.0), strict=True):
        for name, kernel, dash in (("Σ-Gravity", "sigma", "solid"), ("MOND", "mond", "dashed")):
            deviation = field.solve(thick(central), R=ratio * R_D, kernel=kernel).deviation.values
            look = {"color": colour, "line_width": 2.6, "line_dash": dash, "legend_label": f"{name}, {central:g}"}
            plot.line(ratio, 100.0 * (np.sqrt(1.0 + deviation) - 1.0), **look)
    legend_above(plot)
    return plot


def _sparc_panel(each: Galaxies, x_range):
    from bokeh.models import Span

    from sigcube.explore.style import INK, LINES, SOFT, figure, legend_above, plain_ticks

    plot = figure(height=350, x_axis_type="log", x_range=x_range, y_range=(-8, 62), x_axis_label="R/R_d")
    plot.yaxis.axis_label = "excess of V, SPARC  [%]"
    plain_ticks(plot.xaxis[0])
    excess = 100.0 * each.excess
    look = {"color": LINES[0], "alpha": 0.32, "line_color": None, "legend_label": "Σ-Gravity, points of 171 galaxies"}
    plot.scatter(each.ratio, excess, size=3.4, **look)
    edges = np.geomspace(0.25, 10.0, 13)
    middle = np.sqrt(edges[1:] * edges[:-1])
    inside = [excess[(each.ratio >= low) & (each.ratio < high)] for low, high in pairwise(edges)]
    p16, p50, p84 = np.transpose([np.percentile(values, (16, 50, 84)) for values in inside])
    plot.segment(middle, p16, middle, p84, color=INK, line_width=1.6, legend_label="16th to 84th percentile")
    plot.scatter(middle, p50, size=8.5, color=INK, line_color="white", legend_label="median")
    plot.add_layout(Span(location=0, dimension="width", line_color=SOFT, line_width=1.2))
    legend_above(plot)
    return plot


def html(found: dict[str, Galaxies]) -> str:
    """Return a page with the figure alone."""
    from bokeh.embed import components
    from bokeh.layouts import column
    from bokeh.resources import INLINE

    from sigcube.explore.style import FONT, INK, SOFT

    top = _ideal_panel()
    bottom = _sparc_panel(next(iter(found.values())), top.x_range)
    for plot in (top, bottom):
        plot.min_border_left = 80
    script, body = components(column(top, bottom, sizing_mode="stretch_width"))
    words = (
        "V of the algebraic relation g = ν(g_N) g_N over that of the field equation, less one, in the mid-plane.<br>"
        f"Above: exponential discs, Σ₀ in M☉/pc², h = {HEIGHT / R_D:.2f} R_d; window <i>geometric</i>, ν <i>rar</i>. "
        "Below: the same window, real discs with their gas and bulges."
    )
    return f"""<!doctype html><html><head><meta charset="utf-8">{INLINE.render()}<style>
body {{ margin: 0; padding: 26px 30px 14px; width: 1040px; font-family: {FONT}; color: {INK}; background: white }}
h1 {{ font-size: 23px; font-weight: 600; margin: 0 0 6px }} p {{ font-size: 14.5px; color: {SOFT}; margin: 0 0 14px }}
</style></head><body><h1>What the algebraic relation leaves out</h1><p>{words}</p>
{body}{script}</body></html>"""


def draw(found: dict[str, Galaxies], path: Path) -> None:
    """Take a picture of the figure by headless Chromium, without a network."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "figure.html"
        source.write_text(html(found), encoding="utf-8")
        _, picture = open_page(source, size=(1100, 870))
    Image.fromarray(picture).save(path, optimize=True)


if __name__ == "__main__":
    CUBE = open_cube(sys.argv[1])
    FOUND = of_sparc(CUBE)
    PAGE.write_text(ideal() + sparc(FOUND, of_sparc(CUBE, gas=False)), encoding="utf-8")
    draw(FOUND, PICTURE)
