"""The description of the package: the README as it reads where the repository's other files are not beside it."""

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

PICTURE = re.compile(r"!\[[^]]*\]\([^)]*\)\n\n\*[^*]*\*\n\n")
LINK = re.compile(r"\[([^]]*)\]\((?!https://)([^)]*)\)")


class PackageDescription(MetadataHookInterface):
    """Leaves out pictures with their captions, and names the file that a link would lead to."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Set what the project's table has as its readme."""
        text = PICTURE.sub("", (Path(self.root) / "README.md").read_text(encoding="utf-8"))
        metadata["readme"] = {"content-type": "text/markdown", "text": LINK.sub(_named, text)}


def _named(link: re.Match[str]) -> str:
    words, path = link.groups()
    return f"`{path}`" if words.strip("`") in path else f"{words} (`{path}`)"
