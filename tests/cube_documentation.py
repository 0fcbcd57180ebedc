"""The documentation of the schemas, made from them: ``python -m tests.cube_documentation > cubes/README.md``."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from textwrap import fill

from sigcube.cube.kinds import KINDS
from sigcube.cube.schema import COUNT, Kind

__all__ = ["documentation"]

_HEAD = """\
# Cubes and results

`sigcube ingest` and `sigcube sweep` put here what they make; the stores themselves are not in git. A cube holds one
dataset, labelled: every value with its unit and its source, nothing dropped, what is doubtful flagged. There are these
kinds:

{kinds}

`sigcube datasets` lists the datasets and whether their cubes are here, `sigcube check` looks through one, and `sigcube
show` makes a page of it. This page is written from the declarations in `sigcube/cube/kinds.py`: `make docs`.

## What every cube has

It is Zarr v3, and xarray alone opens it:

```python
import xarray as xr

cube = xr.open_zarr("cubes/{example}.zarr", chunks=None)
cube.{observed}.attrs["units"], cube.attrs["citation"]
```

`sigcube.open_cube` does the same, and checks it: against its schema, and against its fingerprint.

Every variable has `units` as `astropy.units` reads them (a pure number has none), a `long_name`, and a `source` that
says which file and column it is from, or how it was computed. A cube may hold variables beyond its schema; they are
labelled alike.

| attribute | what it holds |
| --- | --- |
| `title` | the dataset in a few words |
| `kind` | {names} |
| `citation`, `licence` | whom to cite, and on what terms the data may be used |
| `recipe` | the text of the recipe that the cube was made by |
| `raw_files` | JSON: each file's `name`, its `sha256`, whether it is the `official` one, and its `standing` in words |
| `samples` | JSON: each sample's `description`, `point_flags_excluded` and `system_flags_excluded` |
| `fingerprint` | SHA-256 of the content: names, dimensions, types and values of all variables, but no attribute |
| `synthetic` | 1 for made-up data, whose title says so too; otherwise 0 |
| `sigcube_version` | what made the cube |

### Flags and samples

Nothing is dropped at ingest. A point or a system that some analysis leaves out carries a flag that says why: one bit a
reason, named by the attributes `flag_masks` and `flag_meanings`, as the CF conventions have it. A **sample** is a named
selection on those flags; the recipe defines it, and the cube carries it. Every cube also has the sample `all`, which
leaves nothing out but padding. Without sigcube, a sample is drawn like this:

```python
import json

flag = cube.point_flag
masks = dict(zip(flag.attrs["flag_meanings"].split(), flag.attrs["flag_masks"]))
sample = json.loads(cube.attrs["samples"])["{sample}"]
left_out = sum(masks[reason] for reason in ["padding", *sample["point_flags_excluded"]])
cube.{observed}.where((flag & left_out) == 0)
```

and `sigcube.cube.select(cube, sample="{sample}")` does it for points and systems at once.
"""

_RESULTS = """\
## `results/NAME.zarr`: a result

What `sigcube sweep` makes. The dimensions are the axes of the sweep, with that of the systems (`galaxy`, `cluster`, …)
in front where each system's values are kept. `rms`, `chi2_red` and the like are per system; `rms_mean`, `rms_median`,
the pooled `scatter_v`, `scatter_g` and `win_rate` are summaries. `status` tells for each grid point: 0 to do, 1 done, 2
invalid parameters (the model is not finite), 3 failed, 4 killed. What was held fixed are scalar coordinates. The group
`journal` inside the store holds the data that the sweep saw and the record of its blocks; from there
`sigcube.open_result` adds what the cube knows of the systems, such as `inclination`, as coordinates along them.

An axis whose role the spec gives has it as the attribute `role`: `arbitrary`, `physical` or `nuisance`. Where some
combinations of labels of two or more axes make no difference, the coordinate `section` numbers the models: one number,
one model. A joint sweep makes a folder of results, one for each dataset. Its own group has the attribute `datasets`,
and repeats their metadata, so that `xarray.open_datatree` opens them all; `sigcube.open_joint` reads those of each.
"""


def documentation() -> str:
    """Return the text of ``cubes/README.md``."""
    example = KINDS["galaxy"]
    head = _HEAD.format(
        kinds="\n".join(f"- [`{kind.name}`](#{kind.name}): {kind.title}" for kind in KINDS.values()),
        names=", ".join(f"`{name}`" for name in KINDS),
        example="sparc",
        sample="paper171",
        observed=example.measured[1],
    )
    return "\n".join([head, *("\n".join(_section(kind)) for kind in KINDS.values()), _RESULTS])


def _section(kind: Kind) -> Iterator[str]:
    yield f"## `{kind.name}`"
    yield ""
    yield _wrapped(f"{kind.title[0].upper()}{kind.title[1:]}. {kind.description}")
    yield ""
    yield _wrapped(f"{_dims(kind)} {_finite(kind)}")
    yield ""
    for heading, required in (("In every cube of the kind:", True), ("Where the source has it:", False)):
        variables = [variable for variable in kind.variables if variable.required == required]
        rows = [
            (
                f"`{variable.name}`",
                ", ".join(variable.dims),
                variable.dtype,
                variable.unit or "–",
                variable.long_name + (f"; not below {variable.least:g}" if variable.least > float("-inf") else ""),
            )
            for variable in variables
        ]
        if rows:
            yield from _table(heading, "| variable | dimensions | type | unit | meaning |", "| --- " * 5 + "|", rows)
    for variable in map(kind.variable, kind.flags):
        bits = zip(variable.flags, variable.flag_notes, strict=True)
        rows_of_bits = [(str(1 << bit), f"`{meaning}`", note) for bit, (meaning, note) in enumerate(bits)]
        heading = f"Bits of `{variable.name}`, {variable.long_name}:"
        yield from _table(heading, "| mask | flag | set where |", "| ---: | --- | --- |", rows_of_bits)


def _dims(kind: Kind) -> str:
    if kind.padded:
        system, point = kind.dims
        return (
            f"Two dimensions: `{system}`, a coordinate of names, no two alike, and `{point}`, the place of a point in "
            f"its {system}. Systems have different numbers of points, `{COUNT}`; after the last one there is padding: "
            f"NaN, with the bit `padding` of `{kind.point_flag}`."
        )
    (dim,) = kind.dims
    if kind.system_dim is None:
        return f"One dimension, `{dim}`, without a coordinate; all points are of one system."
    return f"One dimension, `{dim}`, a coordinate of names, no two alike; each is a system of one point."


def _finite(kind: Kind) -> str:
    names = ", ".join(f"`{name}`" for name in kind.measured)
    unless = "every point" if kind.padded else "every one without a flag"
    order = f" `{kind.ordered}` increases within a system." if kind.ordered else ""
    return f"Finite for {unless}: {names}.{order}"


def _table(heading: str, head: str, rule: str, rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield from (heading, "", head, rule)
    for row in rows:
        # A bar in a cell would end it.
        cells = [cell.replace("|", r"\|") for cell in row]
        yield f"| {' | '.join(cells)} |"
    yield ""


def _wrapped(text: str) -> str:
    return fill(text, width=120, break_long_words=False, break_on_hyphens=False)


if __name__ == "__main__":
    sys.stdout.write(documentation())
