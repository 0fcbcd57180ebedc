"""The pages of a posterior and of a comparison of models."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from sigcube.analysis.marginals import BOUND_WORDS
from sigcube.explore import style
from sigcube.explore.notes import notes_of
from sigcube.explore.page import Card, CardTable, Heat, write_page
from sigcube.explore.posterior_plots import corner_figures
from sigcube.wording import heading, number

__all__ = ["axis_table", "comparison_page", "posterior_page"]

_BESIDE = 3
_MARGINALS = "Densities of one axis each; 68 and 95 % are shaded, the median is dashed."
_STEMS = " Stems: fewer than two values of the axis carry the posterior, and there is no telling what lies between."
_MOST_SYSTEMS = 12


def posterior_page(post: xr.Dataset, path: str | Path, *, left_out: xr.Dataset | None = None) -> Path:
    """Write an HTML page about a posterior; it opens without a server or a network.

    Parameters
    ----------
    post : Dataset
        What `sigcube.analysis.posterior` returns; with ``pairs=True`` for the figures of two axes.
    path : path-like
        The file to write.
    left_out : Dataset, optional
        What `sigcube.analysis.leave_one_out` returns for the same result and priors.

    Raises
    ------
    StoreError
        When the page cannot be written.
    """
    marginals, pairs = corner_figures(post)
    about = _MARGINALS + ("" if post["resolved"].values.all() else _STEMS)
    cards = [
        Card("What the data say", f"{_evidence_text(post)} {_caution_text(post)}", table=axis_table(post), full=True),
        *_in_rows("Marginals", about, marginals),
        *_in_rows("Pairs", "Regions of highest density that hold 68 and 95 %, and the best point of the grid.", pairs),
    ]
    if left_out is not None:
        (dim,) = map(str, left_out["elpd"].dims)
        words = (
            f"elpd = {float(left_out['elpd_loo']):.1f} ± {float(left_out['se']):.1f}; effective number of parameters "
            f"{float(left_out['p_loo']):z.2f}. What all others predict worst comes first"
            f"{_how_many(left_out.sizes[dim])}."
        )
        cards.append(Card("Leave one out", words, table=_worst(left_out, dim), wide=True))
    return write_page(
        path,
        cards,
        title=str(post.attrs.get("title", "Posterior")),
        subtitle=f"Posterior on the grid, of {post.attrs['by']} and the priors below.",
        notes=notes_of(post, also=("marginalised",)),
        synthetic=style.is_synthetic(post),
    )


def comparison_page(found: xr.Dataset, path: str | Path) -> Path:
    """Write an HTML page about what `sigcube.analysis.compare` returns; it opens without a server or a network."""
    names = list(map(str, found["model"].values))
    dim = next(str(each) for each in found["elpd"].dims if each != "model")
    first = names[0]
    words = (
        f"The best first: how well each predicts a {dim} from all others (elpd), by how much it falls behind, with the "
        "standard error of that difference, and its evidence ln Z, with the error of the sums over the grid."
    )
    cards = [
        Card("Models", words, table=CardTable(_MODEL_HEAD, _model_rows(found)), full=True),
        Card("Behind the first", f"elpd of {first}, less that of each model; one standard error.", [_behind(found)]),
        Card(
            "Where the difference comes from", _DECIDE.format(dim=dim, first=first), [_by_system(found, dim)], wide=True
        ),
    ]
    told = [(name, str(text)) for name, text in zip(names, found["cautions"].values, strict=True) if text != "none"]
    if told:
        cards.append(Card("What to know", "", table=CardTable(("model", "caution"), told), full=True))
    return write_page(
        path,
        cards,
        title="Comparison of models",
        subtitle=f"{len(names)} models, {found.attrs['n_systems']} systems each.",
        notes=notes_of(found, also=("marginalised", "priors")),
        synthetic=bool(found.attrs.get("synthetic", 0)),
    )


_MODEL_HEAD = (
    "model",
    ">elpd",
    ">± se",
    ">p_loo",
    ">behind",
    ">± se",
    ">ln Z",
    ">grid error",
    ">probability",
    ">parameters",
)
_DECIDE = "How much better {first} predicts each {dim}, added up, the largest gain first."


def _axis_rows(post: xr.Dataset) -> list[tuple[str, ...]]:
    """Return a row for each axis: prior, median, intervals, mean, best, and where the density has not gone."""
    words = post["at_bound"].attrs["flag_meanings"].split()
    rows = []
    for i, name in enumerate(map(str, post["axis"].values)):
        one = post.isel(axis=i)
        best = one[f"best_{name}"].item() if f"best_{name}" in one else ""
        if not one["resolved"].item():
            own = ["not resolved", *[""] * one.sizes["level"], ""]
        elif np.isfinite(one["sd"].item()):
            ends = [
                " to ".join(number(one[end].values[j]) for end in ("low", "high")) for j in range(one.sizes["level"])
            ]
            own = [number(one["median"].item()), *ends, f"{number(one['mean'].item())} ± {number(one['sd'].item())}"]
        else:
            shares = one[f"p_{name}"]
            likely = int(shares.values.argmax())
            label = one[name].values[likely] if name in one.coords and one[name].ndim else best
            own = [f"{label}: {shares.values[likely]:.1%}", *[""] * one.sizes["level"], ""]
        side = BOUND_WORDS[words[int(one["at_bound"])]]
        rows.append((heading(name, post), str(one["prior"].item()), *own, number(best), side))
    return rows


def axis_table(post: xr.Dataset) -> CardTable:
    """Return the table of axes of a posterior."""
    levels = [f"{level:.0%}" for level in post["level"].values]
    return CardTable(("axis", "prior", "median", *levels, "mean ± sd", "best", "not gone at"), _axis_rows(post))


def _model_rows(found: xr.Dataset) -> list[tuple[str | Heat, ...]]:
    """Return a row for each model of a comparison."""
    rows: list[tuple[str | Heat, ...]] = []
    for i, name in enumerate(map(str, found["model"].values)):
        one = {key: found[key][i].item() for key in found.data_vars if found[key].dims == ("model",)}
        cells = (f"{one['elpd_loo']:.1f}", f"{one['se']:.1f}", f"{one['p_loo']:.2f}")
        behind = (f"{one['elpd_diff']:.1f}", f"{one['dse']:.1f}")
        error = one["log_evidence_error"]
        evidence = (f"{one['log_evidence']:.2f}", f"{error:.2g}" if np.isfinite(error) else "not resolved")
        share = Heat(number(one["probability"]), one["probability"])
        rows.append((name, *cells, *behind, *evidence, share, str(one["n_parameters"])))
    return rows


def _evidence_text(post: xr.Dataset) -> str:
    error = float(post["log_evidence_error"])
    known = f"changes by up to {error:.2g} with every second value of an axis"
    known = known if np.isfinite(error) else "the spacing of the grid does not resolve"
    # The change tells nothing of an integral that was done before.
    known += ", apart from the error of what was marginalised" if "marginalised" in post.attrs else ""
    return (
        f"ln Z = {float(post['log_evidence']):.2f}, which {known}; "
        f"ln L = {float(post['best_loglike']):.2f} at the best point."
    )


def _caution_text(post: xr.Dataset) -> str:
    text = str(post.attrs["cautions"])
    return "" if text == "none" else f"To know: {text}."


def _in_rows(title: str, text: str, figures: list[Any]) -> list[Card]:
    n_rows = -(-len(figures) // _BESIDE)
    ends = [round(i * len(figures) / n_rows) for i in range(n_rows + 1)] if figures else [0]
    rows = [figures[start:end] for start, end in pairwise(ends)]
    return [Card(title if i == 0 else "", text if i == 0 else "", row, full=True) for i, row in enumerate(rows)]


def _how_many(systems: int) -> str:
    return f": the worst {_MOST_SYSTEMS} of {systems:,}" if systems > _MOST_SYSTEMS else ""


def _worst(left_out: xr.Dataset, dim: str) -> CardTable:
    order = np.argsort(left_out["elpd"].values)[:_MOST_SYSTEMS]
    rows = [
        (str(left_out[dim].values[i]), *(f"{left_out[name].values[i]:z.2f}" for name in ("elpd", "lpd", "effective")))
        for i in order
    ]
    return CardTable((dim, ">ln p, left out", ">ln p, included", ">difference"), rows)


def _behind(found: xr.Dataset) -> Any:
    from bokeh.models import ColumnDataSource

    names = [str(name) for name in found["model"].values][::-1]
    values, errors = (found[name].values[::-1] for name in ("elpd_diff", "dse"))
    plot = style.figure_by_name(names, x_axis_label="elpd behind the first")
    y = list(range(len(names)))
    source = ColumnDataSource({"x": values, "y": y, "low": values - errors, "high": values + errors})
    plot.segment("low", "y", "high", "y", source=source, line_width=2, color=style.INK)
    dots = plot.scatter("x", "y", source=source, size=9, color=style.LINES[0])
    style.hover(plot, dots, [("behind", "@x{0.00}"), ("within", "@low{0.00} to @high{0.00}")])
    return plot


def _by_system(found: xr.Dataset, dim: str) -> Any:
    from bokeh.models import ColumnDataSource

    plot = style.figure(height=320, x_axis_label=f"rank of the {dim}", y_axis_label="elpd gained so far")
    elpd = found["elpd"].values
    for i, colour in zip(range(1, len(elpd)), style.LINES, strict=False):
        less = elpd[0] - elpd[i]
        order = np.argsort(-less)
        rank = np.arange(1, order.size + 1)
        names = [style.shorten(str(name), 40) for name in found[dim].values[order]]
        source = ColumnDataSource({"x": rank, "y": np.cumsum(less[order]), "own": less[order], "name": names})
        label = style.shorten(f"against {found['model'].values[i]}", style.FITS)
        line = plot.line("x", "y", source=source, line_width=2.2, color=colour, legend_label=label)
        style.hover(plot, line, [(dim, "@name"), ("difference", "@own{0.00}"), ("so far", "@y{0.00}")])
    if plot.legend:
        style.legend_above(plot)
    return plot
