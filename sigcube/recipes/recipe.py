"""What a recipe says: files, columns, cuts, samples."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializeAsAny,
    ValidationError,
    field_validator,
    model_validator,
)

from sigcube.cube import KINDS, Kind
from sigcube.cube.selection import EVERYTHING
from sigcube.errors import Fault, SpecError, did_you_mean, error_from
from sigcube.readers import READERS, Column, Cuts
from sigcube.readers.formats import Format
from sigcube.shipped import shipped, shipped_folder

__all__ = ["Contents", "RawFile", "Recipe", "SampleEntry", "load_recipe", "recipe_names"]

# What a recipe knows of itself, and does not say.
_NOT_KEYS = {"text", "folder"}


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class RawFile(_Entry):
    """One file of a dataset.

    Attributes
    ----------
    name : str
        Its file name.
    url : str
        Its official address; empty for a file that lies beside the recipe, or that is to be had by hand only.
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
        Which of several tables in the file, by place or name.
    parts : str
        A pattern of the names of several files that hold the rows instead, where those given by hand are such.
    query : str
        In ADQL, what to ask of the TAP service at ``url``; its answer changes, so it has no checksum.
    """

    name: str = Field(pattern=r"^[^/\\]+$")
    url: str = Field(default="", pattern=r"^(https?|ftp|doi)://?.+")
    sha256: str = Field(default="", pattern=r"^[0-9a-f]{64}$")
    size: int | None = Field(default=None, gt=0)
    verify: Literal["always", "download"] = "always"
    columns: tuple[Column, ...]
    format: Format | None = None
    extension: int | str | None = None
    parts: str = Field(default="", pattern=r"^[^/\\]*$")
    query: str = ""

    @model_validator(mode="after")
    def _address_with_checksum(self) -> "RawFile":
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
    """Everything that is needed to make the cube of one dataset.

    Attributes
    ----------
    name, title, citation, licence : str
        The name on the command line, and what the cube says about itself.
    kind : str
        One of `sigcube.cube.KINDS`.
    reader : str
        One of `sigcube.readers.READERS`; ``table`` stands for the one that reads any table of the kind.
    files : dict of str to RawFile
        The files, by the role they have for the reader.
    cuts : Cuts
        Thresholds of the flags: the reader's own model of them.
    frame : BaseModel or None
        The frame of coordinates and velocities: the reader's own model of it, if it asks for one.
    synthetic : bool
        Whether the data are made up.
    samples : dict of str to SampleEntry
        Selections on the flags.
    contents : Contents or None
        How many systems and points to expect.
    text : str
        The recipe as written.
    folder : Path
        Where it was read from.
    """

    name: str = Field(pattern=r"^[a-z0-9_]+$")
    title: str
    kind: str
    reader: str
    citation: str
    licence: str
    files: dict[str, RawFile] = Field(min_length=1)
    cuts: Cuts
    frame: SerializeAsAny[BaseModel] | None = None
    synthetic: bool = False
    samples: dict[str, SampleEntry] = {}
    contents: Contents | None = None
    text: str = Field(exclude=True, repr=False)
    folder: Path = Field(default=Path(), exclude=True, repr=False)

    @field_validator("kind")
    @classmethod
    def _known_kind(cls, kind: str) -> str:
        return _known(kind, KINDS)

    @field_validator("reader")
    @classmethod
    def _known_reader(cls, reader: str) -> str:
        return _known(reader, READERS)

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
        for role, file in self.files.items():
            for column in file.columns:
                _known(column.variable, [name for name in (kind.system_dim, *variables) if name])
            _refuse_several(kind, role, file)
        if EVERYTHING in self.samples:
            raise ValueError(f"sample {EVERYTHING!r} is there already: it leaves nothing out")
        for sample in self.samples.values():
            _known_flags(kind, sample)
        return self


def _known(name: str, valid: Any) -> str:
    if name not in valid:
        raise ValueError(f"there is no {name!r}; {did_you_mean(name, valid)}")
    return name


def _refuse_several(kind: Kind, role: str, file: RawFile) -> None:
    """Refuse several columns for one variable of numbers: only one of them could be kept; text is joined."""
    numbers = {variable.name for variable in kind.variables if variable.dtype != "string"}
    given = [column.variable for column in file.columns]
    for name in sorted(numbers.intersection(given)):
        if given.count(name) > 1:
            raise ValueError(f"there are {given.count(name)} columns for {name!r} in files.{role}")


def _known_flags(kind: Kind, sample: SampleEntry) -> None:
    given = ((kind.point_flag, sample.point_flags_excluded), (kind.system_flag, sample.system_flags_excluded))
    for flag, names in given:
        for name in names:
            _known(name, kind.variable(flag).flags if flag else ())


def recipe_names() -> tuple[str, ...]:
    """Return the names of the recipes that come with sigcube."""
    return tuple(sorted(shipped("ingest")))


def load_recipe(name_or_path: str | Path) -> Recipe:
    """Load a recipe.

    Parameters
    ----------
    name_or_path : str or path-like
        A name such as ``"sparc"``, or the path of a TOML file.

    Raises
    ------
    SpecError
        With every fault: no such recipe, not TOML, an unknown key, a value that cannot be.
    """
    path = Path(name_or_path)
    if path.suffix == ".toml":
        if not path.is_file():
            raise SpecError("there is no recipe here", where=str(path))
        return _parse(_text(path), where=str(path), folder=path.parent)
    texts = shipped("ingest")
    if str(name_or_path) not in texts:
        hint = f"{did_you_mean(str(name_or_path), texts)}; or give a path that ends in .toml"
        raise SpecError(f"there is no recipe {str(name_or_path)!r}", where="recipe", hint=hint)
    where = f"ingest/{name_or_path}.toml"
    return _parse(texts[str(name_or_path)], where=where, folder=shipped_folder("ingest"))


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SpecError("the recipe cannot be read", where=str(path), found=str(error)) from None


def _parse(text: str, *, where: str, folder: Path) -> Recipe:
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SpecError("this is not TOML", where=where, found=str(error)) from None
    for key in sorted(_NOT_KEYS & content.keys()):
        raise SpecError(f"unknown key {key!r}", where=where, hint=did_you_mean(key, _keys(Recipe)))
    if content.get("reader") == "table":
        # One name for the user; each kind has a reader of its own.
        content["reader"] = f"{content.get('kind')}_table"
    faults: list[Fault] = []
    entry = READERS.get(str(content.get("reader")))
    model = entry.cuts if entry else Cuts
    cuts = _checked(model, content.get("cuts", {}), "cuts", faults) if entry else None
    # What is wrong beside the cuts is told with them.
    given = {**content, "cuts": cuts or model.model_construct(), "text": text, "folder": folder}
    if entry and entry.frame:
        frame = _checked(entry.frame, content.get("frame", {}), "frame", faults)
        given["frame"] = frame or entry.frame.model_construct()
    elif entry and "frame" in content:
        faults.append(Fault(f"reader {content['reader']!r} has no use for it", "frame"))
        del given["frame"]
    recipe = _checked(Recipe, given, "", faults)
    if recipe is None or faults:
        raise error_from(SpecError, faults, what="the recipe is wrong", where=where)
    return recipe


_Model = TypeVar("_Model", bound=BaseModel)


def _checked(model: type[_Model], content: Any, place: str, faults: list[Fault]) -> _Model | None:
    try:
        return model.model_validate(content)
    except ValidationError as error:
        faults.extend(_fault(detail, model, place) for detail in error.errors(include_url=False))
        return None


def _fault(detail: Mapping[str, Any], model: type[BaseModel], prefix: str) -> Fault:
    place = ".".join(filter(None, (prefix, *map(str, detail["loc"])))) or "recipe"
    if detail["type"] == "extra_forbidden":
        *parents, key = detail["loc"]
        return Fault(f"unknown key {str(key)!r}, {did_you_mean(str(key), _keys(_model_at(model, parents)))}", place)
    if detail["type"] == "missing":
        return Fault("missing", place)
    found = None if detail["type"] == "value_error" else repr(detail["input"])
    return Fault(str(detail["msg"]).removeprefix("Value error, "), place, found)


def _keys(model: type[BaseModel]) -> list[str]:
    return [name for name in model.model_fields if name not in _NOT_KEYS]


def _model_at(root: type[BaseModel], place: list[Any]) -> type[BaseModel]:
    """Return the model that describes a place below another, such as ``["files", "curves"]`` in a recipe."""
    here: Any = root
    for step in place:
        if isinstance(here, type) and issubclass(here, BaseModel):
            here = here.model_fields[step].annotation
        else:
            here = get_args(here)[1 if get_origin(here) is dict else 0]
    model: type[BaseModel] = here
    return model
