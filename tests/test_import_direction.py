"""The tree is the architecture: rooms import only from rooms above them, and no two files import each other."""

import ast
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import sigcube

PACKAGE = Path(sigcube.__file__).parent

#: From the ground up: each room may use those before it.
ROOMS = (
    "constants errors wording processes files chunks shipped toml cube model kernels plan engine store driver sweep "
    "verification rerun fits field analysis readers recipes claims explore cli __main__"
).split()
MOST_ROOMS = 27


def _imported(tree: ast.AST) -> Iterator[str]:
    """Full names of what is imported: inside functions too, and where only type checkers look."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _upward(source: str, room: str) -> list[str]:
    names = [name.split(".")[1] for name in _imported(ast.parse(source)) if name.startswith("sigcube.")]
    return [name for name in names if name in ROOMS and ROOMS.index(name) > ROOMS.index(room)]


def _name(path: Path, package: Path) -> str:
    return ".".join([package.name, *path.relative_to(package).with_suffix("").parts]).removesuffix(".__init__")


def _file_graph(package: Path) -> dict[str, set[str]]:
    """For each module, those that it imports; a package's own file only passes names on, and is looked through."""
    files = {_name(path, package): path for path in package.rglob("*.py")}
    graph: dict[str, set[str]] = {}
    for module, path in files.items():
        names = list(_imported(ast.parse(path.read_text(encoding="utf-8"))))
        used = {name if name in files else name.rpartition(".")[0] for name in names}
        graph[module] = {each for each in used if each in files and files[each].name != "__init__.py"} - {module}
    return graph


def _circle(graph: Mapping[str, set[str]]) -> list[str]:
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def test_the_rooms_are_the_package() -> None:
    there = {path.stem for path in PACKAGE.iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file()}
    assert there - {"__init__"} == set(ROOMS)
    assert len(ROOMS) <= MOST_ROOMS


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_module_imports_from_a_later_room(path: Path) -> None:
    room = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    # The package itself only names what its rooms hold, and loads it on first use.
    if room != "__init__":
        assert _upward(path.read_text(encoding="utf-8"), room) == []


@pytest.mark.slow
def test_no_two_files_import_each_other() -> None:
    assert _circle(_file_graph(PACKAGE)) == []


def test_no_two_public_classes_share_a_name() -> None:
    found: dict[str, list[str]] = {}
    for path in PACKAGE.rglob("*.py"):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                found.setdefault(node.name, []).append(_name(path, PACKAGE))
    assert {name: places for name, places in found.items() if len(places) > 1} == {}


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("from sigcube.plan.plan import Plan", ["plan"]),
        ("import sigcube.engine.sums", ["engine"]),
        ("def f():\n    from sigcube import cli", ["cli"]),
        ("from sigcube.errors import DataError\nimport numpy", []),
        ("if TYPE_CHECKING:\n    from sigcube.plan.plan import Plan", ["plan"]),
    ],
)
def test_an_import_from_a_later_room_is_seen(source: str, found: list[str]) -> None:
    assert _upward(source, "cube") == found


@pytest.mark.parametrize(
    ("one", "other", "circle"),
    [
        ("from house.b import x", "from house.a import y", True),
        ("from house import b", "def f():\n    import house.a", True),
        ("if TYPE_CHECKING:\n    from house.b import x", "from house.a import y", True),
        ("from house.b import x", "import os", False),
    ],
)
def test_a_circle_between_files_is_seen(one: str, other: str, circle: bool, tmp_path: Path) -> None:
    package = tmp_path / "house"
    package.mkdir()
    for name, source in {"__init__": "", "a": one, "b": other}.items():
        (package / f"{name}.py").write_text(source, encoding="utf-8")
    assert bool(_circle(_file_graph(package))) == circle
