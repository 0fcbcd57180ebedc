"""What pages of the guide leave to the build: commands are run, and words and options come from where they are said."""

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

__all__ = ["as_cells", "commands", "glossary", "models"]

ROOT = Path(__file__).resolve().parents[2]

_SHELL = re.compile(r"^```\{shell\}\n(.*?)^```$", flags=re.DOTALL | re.MULTILINE)

# What a command prints is shown at once, and without the colours for which Jupyter asks.
_CELL = """\
```bash
{shown}```

```{{code-cell}} ipython3
:tags: [remove-input]

import os as _os, subprocess as _run
_commands = {commands!r}
_env = {{name: value for name, value in _os.environ.items() if "COLOR" not in name}}
_done = _run.run(["bash", "-ec", _commands], env=_env, text=True, stdout=_run.PIPE, stderr=_run.STDOUT)
print(_done.stdout, end="")
_done.check_returncode()
```"""


def as_cells(text: str) -> str:
    """Return a page with each block of commands followed by a hidden cell that runs it."""
    return _SHELL.sub(lambda block: _CELL.format(shown=block[1], commands=block[1]), text)


def glossary() -> str:
    """Return the words of ``docs/architecture.md`` as a glossary."""
    words = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8").partition("\n## Words\n")[2]
    rows = re.findall(r"^\| ([^|]+?) \| (.+?) \|$", words, flags=re.MULTILINE)[1:]
    entries = ["\n".join([*word.split(", "), f"  {meaning}", ""]) for word, meaning in rows if set(word) != {"-"}]
    return "\n".join(["```{glossary}\n:sorted:\n", *entries, "```"])


def commands() -> str:
    """Return a section for each command, with its arguments and options."""
    from typer.main import get_command

    from sigcube.cli import app

    found: dict[str, Any] = get_command(app).commands  # type: ignore[attr-defined]
    return "\n".join(line for name, command in found.items() for line in _command(name, command))


def models() -> str:
    """Return a section for each kernel, with its parameters and choices."""
    from sigcube.kernels import KERNELS

    lines = []
    for kernel in KERNELS.values():
        lines += [f"## {kernel.name}", "", f"{kernel.title[0].upper()}{kernel.title[1:]}. Source: {kernel.source}.", ""]
        rows = [_parameter(each) for each in kernel.parameters]
        if rows:
            lines += _table(("parameter", "symbol", "default", "bounds", "status", "what it is", "source"), rows)
        for choice in kernel.choices:
            labels = [
                (f"`{name}`", _words(label.description), _words(label.source)) for name, label in choice.options.items()
            ]
            lines += [f"`{choice.name}`: {_words(choice.description)}; `{choice.default}` by default.", ""]
            lines += _table(("label", "what it is", "source"), labels)
    return "\n".join(lines)


def _parameter(each: Any) -> tuple[str, ...]:
    from sigcube.constants import PAPER

    default = f"{each.value(PAPER):.4g} {each.unit}".rstrip()
    bounds = "{:g} to {:g}".format(*each.bounds)
    return f"`{each.name}`", each.symbol, default, bounds, each.status, _words(each.description), _words(each.source)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    marks = [[cell.replace("|", r"\|") for cell in row] for row in (head, ["---"] * len(head), *rows)]
    return [*(f"| {' | '.join(row)} |" for row in marks), ""]


def _words(text: str) -> str:
    """Return a text in which nothing is taken for markup."""
    return re.sub(r"([*_<\[\]`~^$])", r"\\\1", " ".join(text.split()))


def _command(name: str, command: Any) -> Iterator[str]:
    arguments = [each for each in command.params if each.param_type_name == "argument"]
    usage = " ".join(["sigcube", name, *(each.metavar or each.name.upper() for each in arguments)])
    yield from (f"### {name}", "", command.help.strip(), "", "```text", usage, "```", "")
    rows = []
    for each in command.params:
        if each in arguments:
            left = each.metavar or each.name.upper()
        else:
            value = "" if each.is_flag else f" {each.metavar or each.name.upper()}"
            left = f"{', '.join(each.opts)}{value}"
        rows.append((f"`{left}`", _words(each.help or "")))
    yield from _table(("argument or option", "meaning"), rows)
