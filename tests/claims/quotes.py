"""Where the papers say what a reading quotes: sections by their headings, and words without the marks of Markdown."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

__all__ = ["PAPERS", "plain", "says"]

# How a quote names the paper, if it is not that of its row.
PAPERS: Mapping[str, str] = {
    "SI": "supplementary_information",
    "main": "sigma_gravity",
    "CMSI": "cmsi",
    "mass coherence": "mass_coherence",
}


def plain(text: str) -> str:
    """Leave the marks of Markdown and of formulas out, and write every space alike."""
    return " ".join(re.sub(r"[*$`]", "", text).split())


def sections(text: str) -> Iterator[tuple[str, str]]:
    """Yield each heading with what stands below it, up to the next heading of its level or above; and each legend."""
    lines, headings, fenced = text.split("\n"), [], False
    for number, line in enumerate(lines):
        fenced ^= line.startswith("```")
        if not fenced and (found := re.match(r"(#+) (.+)", line)):
            headings.append((number, len(found[1]), found[2]))
        elif legend := re.match(r"\*(Figure \w+):", line):
            yield legend[1], line
    for place, (number, level, title) in enumerate(headings):
        later = (other for other, depth, _ in headings[place + 1 :] if depth <= level)
        yield title, "\n".join(lines[number : next(later, len(lines))])


def says(folder: Path, paper: str, quote: str) -> bool:
    """Whether a paper has the words of a quote, ``"§4.1: words"``, in that section."""
    place, _, words = quote.partition(": ")
    for prefix, name in PAPERS.items():
        if place.startswith(f"{prefix} "):
            paper, place = name, place.removeprefix(f"{prefix} ")
            break
    wanted = rf"^(SI )?§?{re.escape(place.removeprefix('§'))}(?![\w.]*\d|\w)"
    text = (folder / f"{paper}.md").read_text(encoding="utf-8")
    named = "§" not in place and not place.startswith("Figure")
    found = [body for title, body in sections(text) if re.search(wanted, title) or (named and place in title)]
    return any(plain(words) in plain(body) for body in found)
