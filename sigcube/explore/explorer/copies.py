"""A view of the explorer as a spec in TOML, and as Python."""

import json
from collections.abc import Mapping
from typing import Any

from sigcube.explore.explorer.data import ExplorerData
from sigcube.explore.explorer.state import ExplorerOffer, ExplorerState

__all__ = ["as_python", "as_spec"]


def as_spec(data: ExplorerData, state: ExplorerState, offer: ExplorerOffer, *, cube: str) -> str:
    """Write the sweep with the place held fixed, as a TOML file that `sigcube sweep` takes."""
    record = _record(data, state, offer)
    lines = [
        f"{key} = {_toml(value)}" for key, value in ({"cube": cube} | record).items() if not isinstance(value, Mapping)
    ]
    for key, table in record.items():
        if isinstance(table, Mapping) and table:
            lines += ["", f"[{key}]", *(f"{_key(name)} = {_toml(each)}" for name, each in table.items())]
    return "\n".join(lines) + "\n"


def as_python(data: ExplorerData, state: ExplorerState, offer: ExplorerOffer, *, cube: str) -> str:
    """Write the sweep with the place held fixed, as a script."""
    record = _record(data, state, offer)
    lines = [f"    {key}={value!r}," for key, value in record.items()]
    return "\n".join(
        ["import sigcube", "", "sweep = sigcube.Sweep(", f"    {cube!r},", *lines, ")", "print(sweep.compute())", ""]
    )


def _record(data: ExplorerData, state: ExplorerState, offer: ExplorerOffer) -> dict[str, Any]:
    """Return the keys of a spec with the place held fixed, for the axes that its model uses."""
    attrs = data.result.attrs
    spec = json.loads(attrs.get("spec", "{}"))
    place = data.whole_place(state.moved, offer)
    fixed = dict(spec.get("fixed", {}))
    models = spec.get("models")
    found: dict[str, Any] = {}
    if models is not None:
        chosen = models[str(place.get("model"))]
        found["kernel"] = chosen["kernel"]
        fixed = dict(chosen.get("fixed", {}))
    else:
        found["kernel"] = spec.get("kernel", "")
    if data.live is not None:
        section = data.live.section_at(place)
        used = {name for name, _ in section.model.swept} | {name for name, _ in section.model.fixed} | {*section.labels}
        fixed |= {name: value for name, value in place.items() if name in used and name != "model"}
    else:
        fixed |= place
    found |= {key: str(attrs[key]) for key in ("sample", "where", "error_floor") if key in attrs}
    found |= {key: spec[key] for key in ("metrics", "keep", "dtype", "n_fitted") if spec.get(key)}
    found |= {"reference": spec["reference"]} if spec.get("reference") else {}
    return found | {"fixed": fixed}


def _toml(value: Any) -> str:
    if isinstance(value, str):
        # JSON's escapes are TOML's, except for pairs beyond the first plane; and TOML wants DEL escaped.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_toml, value))}]"
    return "true" if value is True else "false" if value is False else repr(value)


def _key(name: str) -> str:
    return name if name.isidentifier() and name.isascii() else _toml(name)
