"""Commands that are refused: what is written first, the words, the exit code and what is said."""

import os

from tests.bad_inputs.cases import FIT, SPEC

__all__ = ["COMMANDS"]

SPEC_HERE, FIT_HERE = (text.replace('"CUBE"', '"cube.zarr"') for text in (SPEC, FIT))
MANY = SPEC_HERE.replace("[0.05, 0.5, 4]", f"[0, 1, {10**20}]")
DEEP = SPEC_HERE + "k = " + "[" * 10_000
WRONG = 'name = "mine"\nurl = "file:///etc/passwd"\n'

# Files to write into a folder that holds cube.zarr, result.zarr and fit.zarr; the words; the code; what is said.
COMMANDS: list[tuple[dict[str, str], list[str], int, str]] = [
    ({"a.toml": MANY}, ["plan", "a.toml"], 2, "at most 1,000,000 values"),
    ({"a.toml": DEEP}, ["plan", "a.toml"], 2, "nested too deep"),
    ({}, ["plan", os.fsdecode(b"\xff\x1b[2J.toml")], 2, "the sweep's file cannot be read"),
    ({"a.toml": SPEC_HERE}, ["sweep", "a.toml", "--out", "."], 2, "found: a folder"),
    ({"a.toml": SPEC_HERE}, ["sweep", "a.toml", "--out", "cube.zarr"], 2, "this is a cube, not a result of a sweep"),
    ({"a.toml": SPEC_HERE}, ["sweep", "a.toml", "--out", "x" * 300], 2, "this cannot be the path of a result"),
    ({"a.toml": FIT_HERE}, ["fit", "a.toml", "--out", "/", "--overwrite"], 1, "what is here is not a fit"),
    ({"a.toml": WRONG}, ["ingest", "a.toml"], 2, "the recipe is wrong"),
    ({}, ["show", "fit.zarr"], 2, "this is a result of a fit, not a cube"),
    ({}, ["show", "cube.zarr", "--out", "."], 1, "name a file in it: page.html"),
    ({}, ["show", "."], 2, "what is here is not a cube"),
    ({}, ["check", "result.zarr"], 2, "`sigcube status`, `verify`, `rerun` and `map` take it"),
    ({}, ["status", "cube.zarr"], 2, "`sigcube check` and `sigcube show` tell what is in it"),
    ({}, ["verify", "fit.zarr"], 2, "this is a result of a fit, not a result of a sweep"),
    ({"result.zarr/journal/blocks.jsonl": "[" * 10**5 + "\n"}, ["status", "result.zarr"], 1, "the journal is damaged"),
]
