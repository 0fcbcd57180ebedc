"""The SPARC numbers that the papers print, and what comes out under each reading of the model.

Run as a script to rewrite ``docs/explanation/sparc_published.md``; `test_published_sparc.py` proves that the page is
current.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import xarray as xr

import sigcube

PAGE = Path(__file__).parents[1] / "docs" / "explanation" / "sparc_published.md"
SCALE_LENGTHS = ["third_point", "disk_peak", "catalogue", "outermost"]
LOCAL = {"window": "local"}
POWER = {"window": "power"}


@dataclass(frozen=True)
class Published:
    """One printed number: where, of what, its digits, and how it is found in a result."""

    section: str
    statement: str
    printed: str
    variable: str
    settings: dict[str, object]
    scale: float = 1.0

    @property
    def decimals(self) -> int:
        return len(self.printed.partition(".")[2])


def sigma(section: str, words: str, printed: tuple[str, ...], settings: dict[str, object]) -> Iterator[Published]:
    """Rows for RMS, scatter and win rate of one line of a table; an empty string stands for a number not printed."""
    variables = [
        ("rms_mean", "mean RMS, km/s", 1.0),
        ("scatter_v", "scatter_v, dex", 1.0),
        ("scatter_g", "scatter_g, dex", 1.0),
        ("win_rate", "win rate, %", 100.0),
    ]
    for (variable, name, scale), digits in zip(variables, printed, strict=True):
        if digits:
            yield Published(section, f"{words}: {name}", digits, variable, settings, scale)


def local(sigma_v: float) -> dict[str, object]:
    return {**LOCAL, "sigma_v": sigma_v}


ROWS = [
    *sigma("SI §5", "Σ-Gravity", ("17.75", "0.097", "", "47.4"), {"window": "geometric"}),
    *sigma("SI §13.3", "canonical ξ", ("17.48", "", "0.194", "45.6"), {"window": "geometric"}),
    *sigma("SI §13.3", "ξ_dyn, k = 0.24", ("17.39", "", "0.191", "46.8"), {"window": "dynamical", "k_xi": 0.24}),
    *sigma("SI §13.3", "ξ_dyn, k = 0.47", ("17.29", "", "0.190", "44.4"), {"window": "dynamical", "k_xi": 0.47}),
    *sigma("SI §13.5", "canonical W(r)", ("17.75", "", "", "47.4"), {"window": "geometric"}),
    *sigma("SI §13.5", "C_local, σ = 15 km/s", ("17.82", "", "", "47.4"), local(15.0)),
    *sigma("SI §13.5", "C_local, σ = 20 km/s", ("17.75", "", "", "47.4"), local(20.0)),
    *sigma("SI §13.5", "C_local, σ = 25 km/s", ("17.72", "", "", "47.4"), local(25.0)),
    *sigma("SI §13.5", "C_local, σ = 30 km/s", ("17.75", "", "", "47.4"), local(30.0)),
    *sigma("SI §14", "W with k = 1", ("17.75", "", "", ""), {**POWER, "k": 1.0}),
    *sigma("SI §14", "W with k = 0.5", ("18.97", "", "", ""), {**POWER, "k": 0.5}),
    *sigma("SI §14", "A = 1.0", ("19.2", "", "", ""), {"window": "geometric", "A": 1.0}),
    *sigma("SI §14", "A = 1.173", ("17.75", "", "", ""), {"window": "geometric", "A": 1.173}),
    *sigma("SI §14", "A = 1.5", ("16.8", "", "", ""), {"window": "geometric", "A": 1.5}),
]

# The readings: which length is R_d, and which amplitude law; with ξ_dyn, also how σ_eff is weighted.
COLUMNS = [(amplitude, length) for amplitude in ("constant", "bulge_fraction") for length in SCALE_LENGTHS]


@dataclass(frozen=True)
class Row:
    """One printed number beside what each reading gives, in the order of `COLUMNS`."""

    section: str
    statement: str
    printed: str
    found: tuple[float, ...]

    def text(self, value: float) -> str:
        """Round as printed; minus zero is zero."""
        value = round(value, len(self.printed.partition(".")[2])) + 0.0
        return f"{value:.{len(self.printed.partition('.')[2])}f}"

    def matches(self, value: float) -> bool:
        return self.text(value) == self.printed


def evaluate(cube: xr.Dataset) -> list[Row]:
    """Compute every row under every reading."""
    results = {key: _result(cube, dict(key)) for key in dict.fromkeys(_key(entry) for entry in ROWS)}
    rows = []
    for entry in ROWS:
        for weights, result in results[_key(entry)].items():
            found = tuple(float(result[c][entry.variable]) * entry.scale for c in COLUMNS)
            words = f"{entry.statement}{f' (σ_eff weights {weights})' if weights != 'any' else ''}"
            rows.append(Row(entry.section, words, entry.printed, found))
    return [*_mond(cube), *rows, *_changes(rows), *_scales(cube)]


def _key(entry: Published) -> tuple[tuple[str, object], ...]:
    return tuple(entry.settings.items())


def _result(cube: xr.Dataset, settings: dict[str, object]) -> dict[str, dict[tuple[str, str], xr.Dataset]]:
    """Sweep the readings of one model; windows without ξ_dyn have one set of weights."""
    weights = ["scaled", "unscaled"] if settings["window"] == "dynamical" else ["scaled"]
    found: dict[str, dict[tuple[str, str], xr.Dataset]] = {}
    for amplitude in ("constant", "bulge_fraction"):
        own = {
            "A_0" if name == "A" and amplitude == "bulge_fraction" else name: value for name, value in settings.items()
        }
        result = sigcube.Sweep(
            cube,
            sample="paper171",
            kernel="sigma",
            axes={"scale_length": SCALE_LENGTHS, "sigma_eff": weights},
            fixed={**own, "amplitude": amplitude},
            metrics=["rms", "scatter_v", "scatter_g"],
            reference="mond",
        ).compute()
        for weight in weights:
            named = weight if len(weights) > 1 else "any"
            for length in SCALE_LENGTHS:
                found.setdefault(named, {})[amplitude, length] = result.sel(scale_length=length, sigma_eff=weight)
    return found


# The columns of changes in the tables: relative, in per cent, or in percentage points.
CHANGES = [
    (
        "SI §13.3",
        "ξ_dyn, k = 0.24",
        "canonical ξ",
        {"mean RMS, km/s": "-0.5", "scatter_g, dex": "-1.9", "win rate, %": "1.2"},
    ),
    (
        "SI §13.3",
        "ξ_dyn, k = 0.47",
        "canonical ξ",
        {"mean RMS, km/s": "-1.1", "scatter_g, dex": "-2.0", "win rate, %": "-1.2"},
    ),
    ("SI §13.5", "C_local, σ = 15 km/s", "canonical W(r)", {"mean RMS, km/s": "0.4"}),
    ("SI §13.5", "C_local, σ = 20 km/s", "canonical W(r)", {"mean RMS, km/s": "0.0"}),
    ("SI §13.5", "C_local, σ = 25 km/s", "canonical W(r)", {"mean RMS, km/s": "-0.2"}),
    ("SI §13.5", "C_local, σ = 30 km/s", "canonical W(r)", {"mean RMS, km/s": "0.0"}),
]


def _changes(rows: list[Row]) -> Iterator[Row]:
    """Rows for the changes against the canonical window, from the values before rounding."""
    for section, changed, base, printed in CHANGES:
        for name, digits in printed.items():
            before = next(row for row in rows if (row.section, row.statement) == (section, f"{base}: {name}"))
            for after in rows:
                if after.section == section and after.statement.startswith(f"{changed}: {name}"):
                    pairs = zip(before.found, after.found, strict=True)
                    found = tuple(b - a if "%" in name else 100.0 * (b / a - 1.0) for a, b in pairs)
                    unit = "pp" if "%" in name else "%"
                    yield Row(
                        section,
                        f"change by {after.statement.replace(name, name.rpartition(',')[0])}, {unit}",
                        digits,
                        found,
                    )


def _mond(cube: xr.Dataset) -> list[Row]:
    """MOND depends on none of the readings."""
    result = sigcube.Sweep(
        cube, sample="paper171", kernel="mond", axes={"nu": ["rar"]}, metrics=["rms", "scatter_v"]
    ).compute()
    rms, scatter = float(result.rms_mean[0]), float(result.scatter_v[0])
    return [
        Row("SI §5", "MOND: mean RMS, km/s", "17.15", (rms,) * len(COLUMNS)),
        Row("SI §5", "MOND: scatter_v, dex", "0.098", (scatter,) * len(COLUMNS)),
    ]


def _scales(cube: xr.Dataset) -> list[Row]:
    """SI §13.4: mean and standard deviation of ξ over the galaxies. The amplitude does not enter."""
    from sigcube.cube import select

    kernel, sample = sigcube.kernels["sigma"], select(cube, sample="paper171")
    xi = {length: kernel.compute(sample, "xi", scale_length=length) for length in SCALE_LENGTHS}
    rows = [_scale_row("ξ_canonical: mean, kpc", "0.918", {n: x.mean() for n, x in xi.items()})]
    rows.append(_scale_row("ξ_canonical: standard deviation, kpc", "0.634", {n: x.std() for n, x in xi.items()}))
    for weights in ("scaled", "unscaled"):
        dynamical = {
            n: kernel.compute(sample, "xi", window="dynamical", scale_length=n, sigma_eff=weights)
            for n in SCALE_LENGTHS
        }
        suffix = f" (σ_eff weights {weights})"
        rows += [
            _scale_row(f"ξ_dynamical: mean, kpc{suffix}", "0.532", {n: x.mean() for n, x in dynamical.items()}),
            _scale_row(
                f"ξ_dynamical: standard deviation, kpc{suffix}", "0.366", {n: x.std() for n, x in dynamical.items()}
            ),
            _scale_row(f"mean of ξ_dyn/ξ_can{suffix}", "0.72", {n: (x / xi[n]).mean() for n, x in dynamical.items()}),
            _scale_row(
                f"ratio of the means{suffix}", "0.72", {n: x.mean() / xi[n].mean() for n, x in dynamical.items()}
            ),
        ]
    return rows


def _scale_row(words: str, printed: str, by_length: dict[str, xr.DataArray]) -> Row:
    return Row("SI §13.4", words, printed, tuple(float(by_length[length]) for _, length in COLUMNS))


def page(rows: list[Row]) -> str:
    """Write the page: one line a printed number, bold where a reading gives its digits."""
    came_out = sum(any(row.matches(value) for value in row.found) for row in rows)
    head = " | ".join(f"{amplitude}, {length}" for amplitude, length in COLUMNS)
    lines = [
        "# SPARC: the printed numbers and what comes out",
        "",
        "Written by `python tests/published_sparc.py CUBE` from the real files; a test proves that it is current.",
        "Columns are readings: the amplitude law (`constant`: A = e^{1/2π}, `bulge_fraction`) and the length for R_d.",
        "Bold is equal to the printed digits. The sample is `paper171`: 171 galaxies, 3,373 points.",
        "",
        f"Of {len(rows)} lines, {came_out} come out under some reading.",
        "",
        f"| section | statement | printed | {head} |",
        "| --- | --- | ---: |" + " ---: |" * len(COLUMNS),
    ]
    for row in rows:
        cells = (f"**{row.text(v)}**" if row.matches(v) else row.text(v) for v in row.found)
        lines.append(f"| {row.section} | {row.statement} | {row.printed} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page(evaluate(sigcube.open_cube(sys.argv[1]))), encoding="utf-8")
