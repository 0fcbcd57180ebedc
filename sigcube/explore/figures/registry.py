"""The papers' figures, remade from cubes for print, each beside the one that is printed.

>>> list(FIGURES)[:3]
['rotation_curves', 'radial_acceleration', 'enhancement']
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from sigcube.claims.cubes import Cubes
from sigcube.errors import DataError, RawFilesMissing, SpecError, did_you_mean
from sigcube.explore.figures.clusters import amplitudes, clusters
from sigcube.explore.figures.galaxies import coherence_scales, gallery, milky_way, radial_acceleration
from sigcube.explore.figures.look import FORMATS, Drawn, OpenCube, figure_file, look
from sigcube.explore.figures.theory import enhancement, solar_system, windows
from sigcube.files import make_folder, path_of, write_file, write_files
from sigcube.wording import in_one_line

__all__ = ["FIGURES", "Drawn", "PaperFigure", "WrittenFigures", "draw_figure", "write_figures"]

_HEADING = "# Figures for print, by sigcube"


@dataclass(frozen=True)
class PaperFigure:
    """A figure that can be remade."""

    name: str
    title: str
    #: The printed figure that it stands beside.
    beside: str
    #: How it differs from that.
    differs: str
    draw: Callable[[OpenCube], Drawn]
    #: The datasets that it needs.
    needs: tuple[str, ...] = ()

    def caption(self, drawn: Drawn) -> str:
        """Return the whole caption of what was drawn."""
        return f"{drawn.caption} Beside {self.beside}. What differs: {self.differs}"


_ALL = (
    PaperFigure(
        "rotation_curves",
        "Rotation curves",
        "main, figure 5",
        "The text does not name its six galaxies, chosen for a scatter near the mean of 0.105 dex: the rule in this "
        "caption chooses them. The amplitude is e^{1/2π}, as in the tables, not √3 as in figure 4; R_d is R[N//3].",
        gallery,
        ("sparc",),
    ),
    PaperFigure(
        "radial_acceleration",
        "Radial acceleration relation",
        "main, figure 4",
        "Printed is one line of Σ-Gravity, with A = √3. As W depends on the galaxy, lines here have W = 1, with both "
        "amplitudes; the lower panel is new, and has the full models.",
        radial_acceleration,
        ("sparc",),
    ),
    PaperFigure(
        "enhancement",
        "Enhancement over acceleration",
        "main, figure 1",
        "Both amplitudes of the text are drawn, as is the simple ν; the lower panel is new. The legend of the printed "
        "figure states a difference of about 7 %, the table of main §2.13 up to 74 %.",
        enhancement,
    ),
    PaperFigure(
        "windows",
        "Coherence windows",
        "main, figure 3",
        "The caption there states no R_d, acceleration or amplitude. Beside W = r/(ξ+r) of main §2.6 the window with "
        "exponent ½ is drawn, which §2.8 prints just before the figure.",
        windows,
    ),
    PaperFigure(
        "amplitudes",
        "Amplitude over path length",
        "main, figure 7",
        "Printed is one law with A₀ = e^{1/2π}; the values in the paper's table belong to A₀ = 1.6. What data need is "
        "new. There is no sample of ellipticals here, so that their amplitude is the printed one alone.",
        amplitudes,
        ("sparc", "literature_clusters", "clash"),
    ),
    PaperFigure(
        "clusters",
        "Masses and accelerations of clusters",
        "main, figure 6",
        "The paper has 42 clusters of Fox+ 2022 with baryons scaled from M500; here are measured baryons, and CLASH's "
        "profiles, which the papers do not use. In place of the ratio over redshift, (b) has it over the radius.",
        clusters,
        ("literature_clusters", "clash"),
    ),
    PaperFigure(
        "solar_system",
        "Solar System",
        "main, figure 2",
        "The printed bound of 10⁻¹⁴ is drawn where the planets are. W = 1, with which the text estimates the effect at "
        "Saturn, exceeds it; a window on the scale of the Galaxy's disc, taken about the Sun, is below it at Saturn.",
        solar_system,
        ("landmarks",),
    ),
    PaperFigure(
        "milky_way",
        "The Milky Way",
        "main, figure 4b",
        "(b) is new: stars of Gaia DR3, not the 28,368 of the Eilers-APOGEE-Gaia match, whose RMS the paper prints.",
        milky_way,
        ("eilers2019", "gaia"),
    ),
    PaperFigure(
        "coherence_scales",
        "Coherence scales",
        "SI §13.4, a table without a figure",
        "Printed are 0.918 ± 0.634 and 0.532 ± 0.366 kpc, ratio 0.72, without saying which R_d; here it is R[N//3].",
        coherence_scales,
        ("sparc",),
    ),
)

#: Every figure, by name.
FIGURES: Mapping[str, PaperFigure] = MappingProxyType({figure.name: figure for figure in _ALL})


@dataclass(frozen=True)
class WrittenFigures:
    """The files that were written, and the figures that could not be drawn."""

    #: Figures, captions and the index.
    files: tuple[Path, ...]
    #: Why each of these was skipped, such as raw files that are missing.
    skipped: Mapping[str, str]


def draw_figure(name: str, *, cubes: str | Path = "cubes", data: str | Path | None = None) -> Drawn:
    """Draw a figure.

    Parameters
    ----------
    name : str
        One of `FIGURES`.
    cubes : path-like
        The folder of the cubes. Missing ones are made there.
    data : path-like, optional
        A folder with raw files for missing cubes. Nothing is downloaded.

    Returns
    -------
    Drawn
        The figure, a ``matplotlib.figure.Figure``, and what its caption says of the data.

    Raises
    ------
    SpecError
        There is no such figure.
    RawFilesMissing
        A cube cannot be made, because its raw files are missing.
    DataError
        The folder with raw files is none.
    SigcubeError
        matplotlib is not installed.
    """
    figure = _find(name)
    return _draw(figure, Cubes(path_of(cubes, what="cubes"), _folder(data)))


def write_figures(
    names: Iterable[str] | None = None,
    *,
    out: str | Path = "figures",
    cubes: str | Path = "cubes",
    data: str | Path | None = None,
    formats: Sequence[str] = ("pdf", "svg"),
    tell: Callable[[str], None] | None = None,
) -> WrittenFigures:
    """Draw figures into a folder, each with its caption as text, and write an index of the folder.

    Equal cubes give equal files.

    Parameters
    ----------
    names : iterable of str, optional
        Which of `FIGURES`; by default all. Those whose raw files are missing are skipped.
    out : path-like
        The folder.
    cubes, data : path-like, optional
        The folders of cubes and of raw files, as for `draw_figure`.
    formats : sequence of str
        Of ``pdf``, ``svg`` and ``png``.
    tell : callable, optional
        Called with a line about each step.

    Raises
    ------
    SpecError
        There is no such figure or format.
    DataError
        The folder has a README.md that is not an index of figures, or that with raw files is none.
    SigcubeError
        matplotlib is not installed.
    """
    wanted = [_find(name) for name in dict.fromkeys(FIGURES if names is None else names)]
    if unknown := [each for each in formats if each not in FORMATS]:
        raise SpecError(f"there is no format {unknown[0]!r}", where="formats", hint=did_you_mean(unknown[0], FORMATS))
    if not formats:
        raise SpecError("no format is named", where="formats", expected=", ".join(FORMATS))
    folder = path_of(out, what="figures")
    index = folder / "README.md"
    if index.exists() and not index.read_text(encoding="utf-8", errors="replace").startswith(_HEADING):
        raise DataError("there is already something else here", where=str(index), hint="name another folder")
    say = tell or (lambda _: None)
    opened = Cubes(path_of(cubes, what="cubes"), _folder(data))
    files: list[Path] = []
    skipped: dict[str, str] = {}
    for place, figure in enumerate(wanted, 1):
        say(f"{place}/{len(wanted)} {figure.name}")
        try:
            drawn = _draw(figure, opened, tell=say)
        except RawFilesMissing as error:
            skipped[figure.name] = in_one_line(error)
            say(f"{figure.name}: skipped: {skipped[figure.name]}")
            continue
        make_folder(folder)
        made = {folder / f"{figure.name}.{form}": figure_file(drawn.figure, form) for form in formats}
        made[folder / f"{figure.name}.txt"] = f"{figure.caption(drawn)}\n".encode()
        write_files(made.items())
        files += made
    if files:
        write_file(index, _index(folder).encode())
        files.append(index)
    return WrittenFigures(tuple(files), MappingProxyType(skipped))


def _find(name: str) -> PaperFigure:
    if name not in FIGURES:
        raise SpecError(f"there is no figure {name!r}", hint=did_you_mean(name, FIGURES))
    return FIGURES[name]


def _folder(data: str | Path | None) -> Path | None:
    return None if data is None else path_of(data, what="raw files")


def _draw(figure: PaperFigure, cubes: Cubes, *, tell: Callable[[str], None] | None = None) -> Drawn:
    # Without matplotlib this fails before minutes are spent on reading cubes.
    with look():
        for dataset in figure.needs:
            if cubes.make(dataset) and tell is not None:
                tell(f"made {cubes.folder / dataset}.zarr")
        return figure.draw(cubes.open)


def _index(folder: Path) -> str:
    """Write the index of all figures that a folder has, with their captions."""
    parts = [_HEADING]
    for figure in FIGURES.values():
        caption = folder / f"{figure.name}.txt"
        there = [form for form in FORMATS if (folder / f"{figure.name}.{form}").is_file()]
        if not caption.is_file() or not there:
            continue
        parts.append(f"## {figure.title}")
        if shown := [form for form in ("svg", "png") if form in there]:
            parts.append(f"![{figure.title}]({figure.name}.{shown[0]})")
        parts.append(caption.read_text(encoding="utf-8").strip())
        parts.append("Files: " + ", ".join(f"[{form.upper()}]({figure.name}.{form})" for form in there))
    return "\n\n".join(parts) + "\n"
