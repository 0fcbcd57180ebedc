"""Recipes as their TOML files say them: raw files, columns, cuts, samples."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SerializeAsAny, field_validator, model_validator

from sigcube.cube import KINDS
from sigcube.cube.selection import EVERYTHING
from sigcube.errors import Fault, SpecError, did_you_mean, error_from
from sigcube.files import path_of
from sigcube.readers import READERS, Column, Cuts
from sigcube.readers.formats import Format
from sigcube.shipped import shipped, shipped_folder
from sigcube.toml import find_faults, key_names, parse_toml, read_text

__all__ = ["Contents", "RawFile", "Recipe", "SampleEntry", "load_recipe", "recipe_names"]


# A name or a title: text on one line.
_Line = Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f]+$", max_length=200)]


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class RawFile(_Entry):
    """One file of a dataset.

    Attributes
    ----------
    name : str
        Its file name.
    url : str
        Its official address; empty for a file that lies beside the recipe, or that can only be got by hand.
    source : str
        Where people get a file by hand: the address of its folder, or words.
    sha256 : str
        Checksum of the official file, in hexadecimal; what is downloaded must have one.
    size : int or None
        Its length in bytes.
    verify : {"always", "download"}
        Whether a file given by hand must have the checksum too.
    columns : tuple of Column
        What its columns are, in order.
    format : str or None
        The format of a table whose first bytes and name do not tell: one of `sigcube.readers.formats.FORMATS`.
    extension : int, str or None
        Which of several tables in the file, by number or name.
    parts : str
        A pattern of file names: files given by hand that hold the rows between them, instead of the one above.
    query : str
        A query in ADQL to the TAP service at ``url``; its answer changes, so it has no checksum.
    """

    # At least one letter that is not a dot, and what every file system takes.
    name: str = Field(pattern=r"^\.*[^./\\\x00-\x1f][^/\\\x00-\x1f]*$", max_length=200)
    url: str = Field(default="", pattern=r"^(https?|ftp|doi)://?.+")
    source: _Line | Literal[""] = ""
    sha256: str = Field(default="", pattern=r"^[0-9a-f]{64}$")
    size: int | None = Field(default=None, gt=0)
    verify: Literal["always", "download"] = "always"
    columns: tuple[Column, ...]
    format: Format | None = None
    extension: int | str | None = None
    parts: str = Field(default="", pattern=r"^[^/\\]*$")
    query: str = ""

    @property
    def checksum(self) -> str:
        """Checksum and length of the official file, for messages."""
        return f"sha256 {self.sha256}" + (f", {self.size} bytes" if self.size else "")

    @model_validator(mode="after")
    def _address_with_checksum(self) -> "RawFile":
        if self.url and self.source:
            raise ValueError("a file with a url is not got by hand, and needs no source")
        if self.query and (self.sha256 or not self.url):
            raise ValueError("a query needs the url of a service, and its answer has no sha256")
        if self.url and not self.sha256 and not self.query:
            raise ValueError("sha256 is missing; what is downloaded must have one")
        return self


class SampleEntry(_Entry):
    """A named selection: the flags whose points and systems it leaves out."""

    description: str
    point_flags_excluded: tuple[str, ...] = ()
    system_flags_excluded: tuple[str, ...] = ()


class Contents(_Entry):
    """How much a dataset holds, for those who have no cube of it yet."""

    systems: int = Field(gt=0)
    points: int = Field(gt=0)


class Recipe(_Entry):
    """Everything needed to make the cube of one dataset.

    Attributes
    ----------
    name, title, citation, licence : str
        The name on the command line, and what the cube says about itself.
    kind : str
        One of `sigcube.cube.KINDS`.
    reader : str
        One of `sigcube.readers.READERS`; ``table`` in a file means the reader of any table of the kind.
    files : dict of str to RawFile
        The files, by their role for the reader.
    cuts : Cuts
        Thresholds of the flags: the reader's own model of them.
    frame : BaseModel or None
        The frame of coordinates and velocities: the reader's own model of it, if it has one.
    synthetic : bool
        Whether the data are synthetic.
    samples : dict of str to SampleEntry
        Selections on the flags.
    contents : Contents or None
        How many systems and points to expect.
    text : str
        The recipe as written.
    folder : Path
        Where it was read from.
    """

    name: str = Field(pattern=r"^[a-z0-9_]+$", max_length=100)
    title: _Line
    kind: str
    reader: str
    citation: str
    licence: str
    files: dict[str, RawFile] = Field(min_length=1)
    cuts: Cuts
    frame: SerializeAsAny[BaseModel] | None = None
    synthetic: bool = False
    samples: dict[_Line, SampleEntry] = {}
    contents: Contents | None = None
    text: str = Field(exclude=True, repr=False)
    folder: Path = Field(default=Path(), exclude=True, repr=False)

    @property
    def is_shipped(self) -> bool:
        """Whether the recipe came with sigcube, so that nobody puts files beside it."""
        return self.folder == shipped_folder("ingest")

    def source_of(self, file: RawFile) -> str:
        """Say where one of the files comes from: its address, or the citation and where people get it by hand."""
        return file.url or ": ".join(filter(None, (self.citation, file.source)))

    @field_validator("kind")
    @classmethod
    def _known_kind(cls, kind: str) -> str:
        return _known(kind, KINDS)

    @field_validator("reader")
    @classmethod
    def _known_reader(cls, reader: str) -> str:
        # Those of any table have one name for the user.
        names = [name for name in READERS if name not in _TABLE_READERS.values()]
        return reader if reader in READERS else _known(reader, [*names, "table"])

    @model_validator(mode="after")
    def _known_names(self) -> "Recipe":
        kind, entry = KINDS[self.kind], READERS[self.reader]
        if entry.kind != self.kind:
            raise ValueError(f"reader {self.reader!r} makes cubes of kind {entry.kind!r}, not {self.kind!r}")
        if not isinstance(self.cuts, entry.cuts):
            raise ValueError(f"reader {self.reader!r} takes cuts of type {entry.cuts.__name__}")
        if not isinstance(self.frame, entry.frame or type(None)):
            raise ValueError(f"reader {self.reader!r} takes {'a' if entry.frame else 'no'} frame")
        variables = [variable.name for variable in kind.variables]
        numbers = {variable.name for variable in kind.variables if variable.dtype != "string"}
        for role, file in self.files.items():
            given = [column.variable for column in file.columns]
            for name in given:
                _known(name, [known for known in (kind.system_dim, *variables) if known])
            for name in sorted(numbers.intersection(given)):
                # Of several columns of text, the texts are joined.
                if given.count(name) > 1:
                    raise ValueError(f"there are {given.count(name)} columns for {name!r} in files.{role}")
        if EVERYTHING in self.samples:
            raise ValueError(f"sample {EVERYTHING!r} is there already: it leaves nothing out")
        for sample in self.samples.values():
            for flag, excluded in (
                (kind.point_flag, sample.point_flags_excluded),
                (kind.system_flag, sample.system_flags_excluded),
            ):
                for name in excluded:
                    _known(name, kind.variable(flag).flags if flag else ())
        return self


# The readers of any table, by the kind of cube that they make.
_TABLE_READERS = {kind: f"{kind}_table" for kind in KINDS if f"{kind}_table" in READERS}


def _known(name: str, valid: Any) -> str:
    if name not in valid:
        raise ValueError(f"there is no {name!r}; {did_you_mean(name, valid)}")
    return name


def recipe_names() -> tuple[str, ...]:
    """Return the names of the recipes that come with sigcube."""
    return tuple(sorted(shipped("ingest")))


def load_recipe(name_or_path: str | Path | Recipe) -> Recipe:
    """Load a recipe.

    Parameters
    ----------
    name_or_path : str or path-like
        A name such as ``"sparc"``, or the path of a TOML file. A recipe is returned as it is.

    Raises
    ------
    SpecError
        With every fault: no such recipe, invalid TOML, an unknown key, or an invalid value.
    """
    if isinstance(name_or_path, Recipe):
        return name_or_path
    path, name = path_of(name_or_path, what="a recipe"), str(name_or_path)
    if path.suffix == ".toml":
        if not path.is_file():
            raise SpecError("there is no recipe here", where=str(path))
        return _parse(read_text(path, what="the recipe"), where=str(path), folder=path.parent)
    texts = shipped("ingest")
    if name not in texts:
        hint = f"{did_you_mean(name, texts)}; or give a path that ends in .toml"
        raise SpecError(f"there is no recipe {name!r}", where="recipe", hint=hint)
    return _parse(texts[name], where=f"ingest/{name}.toml", folder=shipped_folder("ingest"))


def _parse(text: str, *, where: str, folder: Path) -> Recipe:
    content = parse_toml(text, what="the recipe", where=where)
    if content.get("reader") == "table":
        # Of a kind that there is not, any of them: the kind is the fault.
        content["reader"] = _TABLE_READERS.get(str(content.get("kind")), min(_TABLE_READERS.values()))
    faults = [
        Fault(f"unknown key {key!r}, {did_you_mean(key, key_names(Recipe))}", key)
        for key in ("text", "folder")
        if key in content
    ]
    # Cuts and frame have models of the reader's own. If they are wrong, an unchecked one stands in for them, so that
    # the other faults of the recipe are found as well.
    given = {**content, "text": text, "folder": folder, "cuts": Cuts.model_construct()}
    if (reader := READERS.get(str(content.get("reader")))) is not None:
        for table, model in (("cuts", reader.cuts), ("frame", reader.frame)):
            if model is not None:
                checked, found = find_faults(model, content.get(table, {}))
                given[table] = checked or model.model_construct()
                faults += [fault.as_fault(table) for fault in found]
        if reader.frame is None and "frame" in content:
            faults.append(Fault(f"reader {content['reader']!r} has no use for it", "frame"))
            del given["frame"]
    recipe, found = find_faults(Recipe, given)
    faults += [fault.as_fault() if fault.key else Fault(fault.message, "recipe") for fault in found]
    if recipe is None or faults:
        raise error_from(SpecError, faults, what="the recipe is wrong", where=where)
    return recipe
