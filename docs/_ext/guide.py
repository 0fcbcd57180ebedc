"""The guide's part in its build by Sphinx: pages as they are read, and the gallery."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

from docutils import nodes
from pages import as_cells, commands, glossary, models
from sphinx.util.docutils import SphinxDirective

__all__ = ["setup"]

ROOT = Path(__file__).resolve().parents[2]

# Pages of the repository that are pages of the guide under another name.
_ELSEWHERE = {
    ROOT / "cubes" / "README.md": "reference/cubes.md",
    ROOT / "sweeps" / "claims" / "README.md": "reference/ledger_rows.md",
    ROOT / "CHANGELOG.md": "reference/changelog.md",
}

# What is written at the end of a page.
_ENDS = {"reference/glossary": glossary, "reference/models": models, "reference/command_line": commands}


def _read(app: Any, page: str, source: list[str]) -> None:
    text = source[0] + (_ENDS[page]() if page in _ENDS else "")
    source[0] = _relinked(as_cells(text), page)


def _relinked(text: str, page: str) -> str:
    """Return a page whose links to pages of the repository lead to those of the guide."""
    folder = ROOT / "docs" / Path(page).parent

    def link(found: re.Match[str]) -> str:
        target = (folder / found[1]).resolve()
        return f"](/{_ELSEWHERE[target]}{found[2]})" if target in _ELSEWHERE else found[0]

    return re.sub(r"\]\((\.\./[^)#]+\.md)(#[^)]*|)\)", link, text)


class Gallery(SphinxDirective):
    """The first picture of every page, each of which leads there, by the parts of the guide."""

    def run(self) -> list[nodes.Node]:
        """Leave a place that is filled once all pages are read."""
        return [gallery()]


class gallery(nodes.General, nodes.Element):
    """Where the pictures go."""


def _first_picture(app: Any, doctree: Any) -> None:
    found = next((each for each in doctree.findall(nodes.image) if "candidates" in each), None)
    if found is not None:
        _pictures(app.env)[app.env.docname] = (found["uri"], found.get("alt", ""))


def _pictures(env: Any) -> dict[str, tuple[str, str]]:
    if not hasattr(env, "first_pictures"):
        env.first_pictures = {}
    return cast("dict[str, tuple[str, str]]", env.first_pictures)


def _merge(app: Any, env: Any, pages: set[str], other: Any) -> None:
    _pictures(env).update({page: found for page, found in _pictures(other).items() if page in pages})


def _fill(app: Any, doctree: Any, page: str) -> None:
    for place in list(doctree.findall(gallery)):
        parts: list[nodes.Node] = []
        for part in app.env.toctree_includes["index"]:
            shown = [each for each in _below(app.env, part) if each in _pictures(app.env)]
            if shown:
                cards = nodes.container(classes=["gallery"])
                cards += [_card(app, page, each) for each in shown]
                parts += [nodes.rubric("", app.env.titles[part].astext()), cards]
        place.replace_self(parts)


def _below(env: Any, page: str) -> Iterator[str]:
    for each in env.toctree_includes.get(page, ()):
        yield each
        yield from _below(env, each)


def _card(app: Any, here: str, page: str) -> nodes.Node:
    uri, _ = _pictures(app.env)[page]
    title = app.env.titles[page].astext()
    link = nodes.reference("", "", internal=True, refuri=app.builder.get_relative_uri(here, page))
    link += nodes.image("", uri=uri, alt=title, candidates={"*": uri})
    link += nodes.inline("", title)
    # A link may stand in a paragraph alone.
    return nodes.container("", nodes.paragraph("", "", link), classes=["gallery-card"])


def setup(app: Any) -> dict[str, bool]:
    """Join the build."""
    app.add_node(gallery)
    app.add_directive("gallery", Gallery)
    app.connect("source-read", _read)
    # After Sphinx has found the pictures' files.
    app.connect("doctree-read", _first_picture, priority=900)
    app.connect("env-merge-info", _merge)
    app.connect("doctree-resolved", _fill)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
