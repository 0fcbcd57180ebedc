"""What changes the hash of a function's code, and what does not; the hash of its source is tested with provenance."""

import ast
import sys
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from types import ModuleType
from typing import Any

import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numba.extending import intrinsic

import sigcube
from sigcube.model.code_hash import code_hash, without_words

Function = Callable[..., Any]


def defined(text: str, name: str = "f", **names: Any) -> Any:
    """Define functions in a namespace of their own."""
    namespace = {"__name__": "prompt", "np": np, **names}
    exec(text, namespace)
    return namespace[name]


def module(text: str) -> ModuleType:
    made = ModuleType("tools")
    exec(text, made.__dict__)
    return made


def scaled(factor: Any) -> Function:
    return lambda x: factor * x


def calling(**functions: Any) -> Function:
    return defined("def f(x): return a(x) + 2.0 * b(x)", **functions)


def emitting(number: int) -> Any:
    def typing(context: Any, x: Any) -> Any:
        return x(x), lambda target, builder, signature, values: (values[0], number)[0]

    return intrinsic(typing)


one, two = scaled(1.0), scaled(2.0)

CHANGES: list[tuple[str, Function, Function]] = [
    ("the code", defined("def f(x): return x + 1.0"), defined("def f(x): return x + 2.0")),
    ("a number closed over", one, two),
    ("its type", scaled(1), scaled(1.0)),
    ("the sign of a zero", scaled(0.0), scaled(-0.0)),
    ("a table", scaled(np.arange(2.0)), scaled(np.arange(1.0, 3.0))),
    ("a tuple", scaled((1.0, 2.0)), scaled((1.0, 3.0))),
    ("a global number", defined("def f(x): return k * x", k=1.0), defined("def f(x): return k * x", k=2.0)),
    ("a function called", calling(a=one, b=one), calling(a=one, b=two)),
    ("two functions under each other's names", calling(a=one, b=two), calling(a=two, b=one)),
    ("two that differ in a number alone", calling(a=one, b=scaled(3.0)), calling(a=one, b=scaled(4.0))),
    (
        "a function called by a function",
        calling(a=calling(a=one, b=one), b=one),
        calling(a=calling(a=one, b=two), b=one),
    ),
    ("a library's function", defined("def f(x): return np.sqrt(x)"), defined("def f(x): return np.cbrt(x)")),
    ("what stands for a name", defined("def f(x): return h(x)", h=np.sin), defined("def f(x): return h(x)", h=np.cos)),
    (
        "a function of a module",
        defined("def f(x): return m.g(x)", m=module("def g(x): return x")),
        defined("def f(x): return m.g(x)", m=module("def g(x): return 2.0 * x")),
    ),
    (
        "a number of a module",
        defined("def f(x): return m.k * x", m=module("k = 1.0")),
        defined("def f(x): return m.k * x", m=module("k = 2.0")),
    ),
    (
        "what a function within names",
        defined("def f(x):\n    def g(y): return k * y\n    return g(x)", k=1.0),
        defined("def f(x):\n    def g(y): return k * y\n    return g(x)", k=2.0),
    ),
    ("which argument is which", defined("def f(a, b): return a - b"), defined("def f(b, a): return b - a")),
    ("a default", defined("def f(x, y=k): return x + y", k=1.0), defined("def f(x, y=k): return x + y", k=2.0)),
    ("a default by name", defined("def f(*, y=k): return y", k=1.0), defined("def f(*, y=k): return y", k=2.0)),
    ("how it is compiled", scaled(numba.njit(one)), scaled(numba.njit(fastmath=True)(one))),
    ("an intrinsic", scaled(emitting(1)), scaled(emitting(2))),
]


@pytest.mark.parametrize(("before", "after"), [row[1:] for row in CHANGES], ids=[row[0] for row in CHANGES])
def test_a_change_of_meaning_changes_the_hash(before: Function, after: Function) -> None:
    assert code_hash(before) is not None
    assert code_hash(after) is not None
    assert code_hash(before) != code_hash(after)


@given(st.floats(allow_nan=False), st.floats(allow_nan=False))
def test_numbers_are_told_to_the_last_bit(a: float, b: float) -> None:
    assert (code_hash(scaled(a)) == code_hash(scaled(b))) == (np.float64(a).tobytes() == np.float64(b).tobytes())


def test_equal_functions_have_equal_hashes() -> None:
    assert code_hash(scaled(1.0)) == code_hash(one)
    assert code_hash(calling(a=one, b=two)) == code_hash(calling(a=scaled(1.0), b=scaled(2.0)))
    assert code_hash(numba.njit(one)) == code_hash(numba.njit(scaled(1.0)))


def test_functions_that_call_each_other_come_to_an_end() -> None:
    text = "def f(n): return n if n < {} else g(n - 1)\ndef g(n): return f(n)"
    assert code_hash(defined(text.format(1))) == code_hash(defined(text.format(1)))
    assert code_hash(defined(text.format(1))) != code_hash(defined(text.format(2)))


def test_modules_that_name_each_other_come_to_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = module("def g(x): return x"), module("k = 1.0")
    a.b, b.a = b, a  # type: ignore[attr-defined]
    assert code_hash(defined("def f(x): return a.b.a.g(x)", a=a)) is not None


class Own:
    """What no hash can be made of."""

    factor = 2.0


@pytest.mark.parametrize("named", [Own, Own(), [1.0], {"a": 1.0}, (1.0, [2.0]), np.array([Own()]), sys.stdout])
def test_what_has_no_meaning_of_its_own_has_no_hash(named: Any) -> None:
    assert code_hash(scaled(named)) is None
    assert code_hash(scaled(scaled(named))) is None


# What a kernel does, and the ways of writing it: only the first group is the same code.
PLAIN = "def f(x):\n    if x:\n        return '#1'\n    return 2.0\n"

SAME = [
    ("a docstring", 'def f(x):\n    """Return 2."""\n    if x:\n        return \'#1\'\n    return 2.0\n'),
    (
        "a docstring of paragraphs that holds quotes and a comment",
        'def f(x):\n    """Say "2".\n\n    # 2\n    """\n\n    if x:\n        return \'#1\'\n    return 2.0\n',
    ),
    ("a raw docstring", 'def f(x):\n    r"""Return \\alpha."""\n    if x:\n        return \'#1\'\n    return 2.0\n'),
    ("one in single quotes", "def f(x):\n    '''Return \"2\".'''\n    if x:\n        return '#1'\n    return 2.0\n"),
    ("a comment on a line", "# f\ndef f(x):\n    # 2\n    if x:\n        return '#1'\n    return 2.0\n"),
    ("a comment behind code", "def f(x):  # f\n    if x:\n        return '#1'\n    return 2.0  # '2'\n"),
    ("blank lines", "def f(x):\n\n    if x:\n   \n        return '#1'\n\n\n    return 2.0\n\n"),
]

OTHER = [
    ("a number", PLAIN.replace("2.0", "3.0")),
    ("a # in a string", PLAIN.replace("#1", "#2")),
    ("an indent", PLAIN.replace("    return 2.0", "        return 2.0")),
    ("a line taken out as a comment", PLAIN.replace("    if x", "    # if x").replace("        return '#1'\n", "")),
]


@pytest.mark.parametrize("text", [row[1] for row in SAME], ids=[row[0] for row in SAME])
def test_words_for_readers_are_no_part_of_the_source(text: str) -> None:
    assert without_words(text).strip() == PLAIN.strip()


@pytest.mark.parametrize("text", [row[1] for row in OTHER], ids=[row[0] for row in OTHER])
def test_code_is_a_part_of_the_source(text: str) -> None:
    assert without_words(text) != without_words(PLAIN)


def test_blank_lines_and_quotes_within_a_long_string_stay() -> None:
    text = dedent('''
        TABLE = """a "1"

        # b
        """
        ROWS = [
            """no docstring""",
        ]
        WORDS = {
            "a":
            """nor this"""
        }''')
    assert without_words(text) == text


@pytest.mark.parametrize("file", sorted(Path(sigcube.__file__).parent.glob("kernels/*.py")), ids=lambda file: file.stem)
def test_what_is_left_of_a_kernel_is_its_code(file: Path) -> None:
    source = file.read_text(encoding="utf-8")
    assert ast.dump(bare(without_words(source))) == ast.dump(bare(source))


def bare(source: str) -> ast.Module:
    """Parse a source, without its docstrings."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None:
            node.body = node.body[1:]
    return tree
