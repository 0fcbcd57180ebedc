"""Settings written as TOML, for a file that can be saved and run."""

import json
from collections.abc import Mapping
from typing import Any

__all__ = ["toml_text"]


def toml_text(content: Mapping[str, Any]) -> str:
    """Write a table, of values first and of tables of values behind them.

    Examples
    --------
    >>> print(toml_text({"kernel": "sigma", "axes": {"A": [1.0, 2.0]}, "fixed": {}}), end="")
    kernel = "sigma"
    <BLANKLINE>
    [axes]
    A = [1.0, 2.0]
    """
    lines = [f"{key} = {_value(value)}" for key, value in content.items() if not isinstance(value, Mapping)]
    for name, table in content.items():
        if isinstance(table, Mapping) and table:
            lines += ["", f"[{name}]", *(f"{key} = {_value(value)}" for key, value in table.items())]
    return "\n".join(lines) + "\n"


def _value(value: Any) -> str:
    if isinstance(value, str):
        # What JSON escapes in a text TOML escapes in the same way.
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{key} = {_value(each)}" for key, each in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_value, value)) + "]"
    return repr(value)
