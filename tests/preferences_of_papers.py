"""The papers' comparisons under four error models: the numbers and the figure of the guide's chapter.

``python -m tests.preferences_of_papers cubes/sparc.zarr`` evaluates the study `papers` and rewrites what stands in
``docs/explanation/preferences.md`` between its two marks, and the figure beside it. `test_preferences_of_papers.py`
proves that rows of it are current.
"""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import xarray as xr
from PIL import Image

from sigcube.analysis import PreferenceStudy
from sigcube.explore.figures import write_preferences
from sigcube.explore.preferences_page import ERROR_MODELS, error_model, signed

PAGE = Path(__file__).parents[1] / "docs" / "explanation" / "preferences.md"
FIGURE = PAGE.with_suffix(".png")
BEGIN, END = "<!-- measured: begin -->\n", "<!-- measured: end -->\n"


def at(found: xr.Dataset, i: int, model: tuple[str, str]) -> xr.Dataset:
    """One comparison under one error model."""
    return found.isel(comparison=i).sel(nuisances=model[0], points=model[1])


def row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |\n"


def table(head: Sequence[str], rows: Sequence[Sequence[str]], *, left: int) -> str:
    rule = ["---"] * left + ["---:"] * (len(head) - left)
    return "".join(map(row, [head, rule, *rows]))


def wins(one: xr.Dataset) -> str:
    beyond = f"{int(one['beyond_first'])} : {int(one['beyond_second'])}"
    return f"{int(one['wins_first'])} : {int(one['wins_second'])} ({beyond})"


def total(one: xr.Dataset) -> str:
    text = f"{signed(float(one['total_difference']))} ± {float(one['total_error']):,.0f}"
    return text if one["preferred"] == "neither" else f"**{text}**"


def wins_rows(found: xr.Dataset) -> list[list[str]]:
    """Numbers of wins, one row for each comparison."""
    rows = []
    for i, number in enumerate(found["comparison"].values):
        one = found.isel(comparison=i)
        printed = f"{one['published'].item()}; {one['where'].item()}"
        rows.append([str(number), one["name"].item(), printed, *(wins(at(found, i, each)) for each in ERROR_MODELS)])
    return rows


def total_rows(found: xr.Dataset) -> list[list[str]]:
    """Sums of differences, one row for each comparison."""
    rows = []
    for i, number in enumerate(found["comparison"].values):
        one = found.isel(comparison=i)
        common = at(found, i, ("marginalised", "common"))
        best = [f"{common[f'best_{name}'].item():g}" for name in ("amplitude", "length")]
        cells = [total(at(found, i, each)) for each in (*ERROR_MODELS, ("marginalised", "common"))]
        rows.append([str(number), one["name"].item(), *cells, ", ".join(best)])
    return rows


def sorted_out(found: xr.Dataset) -> Iterator[str]:
    """In words: how many comparisons are decided, and which go on to be."""
    n = found.sizes["comparison"]
    decided, outside = {}, {}
    for each in ERROR_MODELS:
        decided[each] = [at(found, i, each)["preferred"].item() for i in range(n)]
        outside[each] = [
            int(at(found, i, each)["beyond_first"] + at(found, i, each)["beyond_second"]) for i in range(n)
        ]
    first, last = ERROR_MODELS[0], ERROR_MODELS[-1]
    total, systems = {each: sum(outside[each]) for each in ERROR_MODELS}, found.attrs["n_systems"]
    beyond = f"{found.attrs['beyond']:g}"
    yield f"Of {n} comparisons × {systems} galaxies = {n * systems:,}, |Δ ln L| is above {beyond} in\n\n"
    yield "".join(f"- {total[each]:,} with errors {error_model(*each)}\n" for each in ERROR_MODELS)
    at_most = [str(i + 1) for i in range(n) if outside[last][i] <= systems // 20]
    yield f"\nAt most a twentieth of the galaxies are decided with the last in comparisons {', '.join(at_most)}.\n\n"
    groups = {
        "The sum prefers the same model under all four": [
            i
            for i in range(n)
            if len({decided[each][i] for each in ERROR_MODELS} - {"neither"}) == 1
            and all(decided[each][i] != "neither" for each in ERROR_MODELS)
        ],
        "It prefers one under the first and none under the last": [
            i for i in range(n) if decided[first][i] != "neither" and decided[last][i] == "neither"
        ],
        "It prefers none under the first and one under the last": [
            i for i in range(n) if decided[first][i] == "neither" and decided[last][i] != "neither"
        ],
        "It prefers the one under the first and the other under the last": [
            i for i in range(n) if {decided[first][i], decided[last][i]} == {"first", "second"}
        ],
        "It prefers none under either": [i for i in range(n) if decided[first][i] == decided[last][i] == "neither"],
    }
    yield "".join(
        f"- {words}: {', '.join(str(found['comparison'].values[i]) for i in which) or 'none'}.\n"
        for words, which in groups.items()
    )


def quadrature(found: xr.Dataset) -> str:
    """The comparisons whose sums are not exact under white errors."""
    told = []
    for nuisances, points in ERROR_MODELS[::2]:
        for i, number in enumerate(found["comparison"].values):
            error = found["quadrature_error"].isel(comparison=i).sel(nuisances=nuisances).item()
            if error > 0.1 * abs(float(at(found, i, (nuisances, points))["total_difference"])):
                told.append(f"{number} {error_model(nuisances, points)} by up to {error:,.0f}")
    text = "With every second value of the axes that are integrated over, sums under white errors change by at most a"
    return f"{text}\ntenth of themselves, {'but for ' + '; '.join(told) if told else 'all of them'}.\n"


_CAPTION = """*Δ ln L of 171 galaxies, the first model less the second: the median, half, and 95 % of them, on a scale
of asinh. Grey: |Δ ln L| < 5, with the number of galaxies outside at the right. Blue: the sum prefers the first model;
orange: the second.*

Wins of the first and of the second model, and in brackets those by more than 5:

"""
_SUMS = """Σ Δ ln L and its standard error; bold beyond two of them. The last column is the common amplitude, km/s, and
length, kpc, of the one before:

"""


def measured(found: xr.Dataset) -> str:
    """What stands between the marks."""
    names = [error_model(*each) for each in ERROR_MODELS]
    text = "".join(sorted_out(found)) + "\n"
    text += f"![Δ ln L of the galaxies in each comparison, under four error models]({FIGURE.name})\n\n" + _CAPTION
    text += table(["", "comparison", "printed", *names], wins_rows(found), left=3) + "\n" + _SUMS
    heads = ["", "comparison", *names, "one a and ℓ, marginalised", "a, ℓ"]
    return text + table(heads, total_rows(found), left=2) + "\n" + quadrature(found)


def rewrite(found: xr.Dataset) -> None:
    """Write the numbers of the page, and its figure."""
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(f"{before}{BEGIN}\n{measured(found)}\n{END}{after}", encoding="utf-8")
    write_preferences(found, FIGURE)
    # A page is read on a screen: some shades are enough.
    with Image.open(FIGURE) as picture:
        small = picture.convert("RGB").quantize(64)
    small.save(FIGURE, optimize=True)


if __name__ == "__main__":
    study = PreferenceStudy.from_toml("papers", cube=sys.argv[1])
    rewrite(study.run(on_progress=lambda *told: print(*told, flush=True)))
