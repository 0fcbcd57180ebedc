"""The command of a study of preferences: models compared under four error models."""

from pathlib import Path
from typing import Annotated, Any

import typer

from sigcube.cli.answers import Rows, print_answer
from sigcube.cli.app import AsJson, PageFile, complete, stderr_console

__all__ = ["preferences"]


def _complete(incomplete: str) -> list[str]:
    return complete("sweeps/studies", incomplete)


def preferences(
    study: Annotated[
        str, typer.Argument(metavar="STUDY", help="A TOML file, or a study by name: papers.", autocompletion=_complete)
    ],
    cube: Annotated[Path | None, typer.Option(metavar="CUBE", help="The data, if not those that STUDY names.")] = None,
    html: PageFile = None,
    figure: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write its figure for print: .pdf, .svg or .png.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Compare models under white and correlated errors, nuisances held and marginalised."""
    from sigcube.analysis import PreferenceStudy
    from sigcube.driver.progress import count_progress
    from sigcube.files import refuse_unwritable

    # What takes minutes shall not end in a path that cannot be.
    if html is not None:
        refuse_unwritable(html, what="the page")
    if figure is not None:
        from sigcube.explore.figures.preferences import form_of

        refuse_unwritable(figure, what="the figure")
        form_of(figure)
    prepared = PreferenceStudy.from_toml(study, cube=cube)
    with count_progress(stderr_console()) as on_progress:
        found = prepared.run(on_progress=on_progress)
    about: dict[str, Any] = {"systems": found.attrs["n_systems"], "prior": found.attrs["prior"]}
    if html is not None:
        from sigcube.explore import preferences_page

        about["page"] = str(preferences_page(found, html))
    if figure is not None:
        from sigcube.explore.figures import write_preferences

        about["figure"] = str(write_preferences(found, figure))
    columns: tuple[str, ...] = (
        "wins_first",
        "wins_second",
        "median_size",
        "beyond_first",
        "beyond_second",
        "total_difference",
        "total_error",
        "preferred",
    )
    rows: Rows = []
    for i in range(found.sizes["comparison"]):
        for nuisances in map(str, found["nuisances"].values):
            for points in map(str, found["points"].values):
                one = found.isel(comparison=i).sel(nuisances=nuisances, points=points)
                values = {key: one[key].item() for key in columns}
                rows.append({"comparison": one["name"].item(), "nuisances": nuisances, "points": points, **values})
    print_answer(about, as_json, comparisons=("Preferences, Δ ln L of the first model less the second", rows))
