"""Data flows one way: a room of the package imports only from the rooms above it."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import sigcube

PACKAGE = Path(sigcube.__file__).parent

ROOMS = (
    "constants milky_way errors files chunks shipped cube readers recipes vecmath sources kernels metrics grid spec "
    "checks layout provenance report plan gathering engine store driver cluster sweep rerun fits analysis field tables "
    "catalogue progress claims explore demo cli __main__"
).split()


def _imported(tree: ast.AST) -> Iterator[str]:
    """Full names of what is imported, inside functions too, but not what only type checkers see."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        yield from _imported(node)


def _upward(source: str, room: str) -> list[str]:
    names = [name.split(".")[1] for name in _imported(ast.parse(source)) if name.startswith("sigcube.")]
    return [name for name in names if name in ROOMS and ROOMS.index(name) > ROOMS.index(room)]


def test_the_rooms_are_the_package() -> None:
    there = {path.stem for path in PACKAGE.iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file()}
    assert there - {"__init__"} == set(ROOMS)


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_module_imports_from_below(path: Path) -> None:
    room = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    # The package itself only names what its rooms hold, and loads it on first use.
    if room != "__init__":
        assert _upward(path.read_text(encoding="utf-8"), room) == []


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("from sigcube.plan import Plan", ["plan"]),
        ("import sigcube.engine.loop", ["engine"]),
        ("def f():\n    from sigcube import cli", ["cli"]),
        ("from sigcube.errors import DataError\nimport numpy", []),
        ("if TYPE_CHECKING:\n    from sigcube.plan import Plan", []),
    ],
)
def test_the_check_can_fail(source: str, found: list[str]) -> None:
    assert _upward(source, "cube") == found
