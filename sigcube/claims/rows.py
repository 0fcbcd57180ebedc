"""The rows of the ledger: claims, their readings, and the conventions that readings follow.

``sweeps/claims/README.md`` describes how they are written in TOML.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from types import MappingProxyType
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from sigcube.claims.quantities import QUANTITIES
from sigcube.claims.quantities.base import Keys
from sigcube.claims.verdicts import Printed, read_printed
from sigcube.errors import SpecError, did_you_mean
from sigcube.toml import check

__all__ = ["KEYS_OF_CLAIMS", "KEYS_OF_READINGS", "Claim", "Convention", "Paper", "Reading", "parse_reading"]


class Paper(BaseModel):
    """A paper whose numbers the ledger holds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    #: Its name in rows and commands, and its full title.
    name: str
    title: str
    #: The title in a word or two, for tables; by default the full title.
    short: str = ""
    #: Its place in the ledger: papers with small numbers go first.
    order: int = 1000


Address = Annotated[str, StringConstraints(pattern=r"^[\w.-]+\.[a-z]+(/[^\s/]+)+$")]
Words = Annotated[str, StringConstraints(min_length=1)]


class Convention(BaseModel):
    """A convention of readings of several claims, which the text does not state, or contradicts."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    #: In a few words.
    name: str = Field(min_length=1)
    #: The place and the words of the text that it goes against, or several; empty where the text is silent.
    against: Words | list[Words] = Field(default=[])
    #: The authors' script that has it, or several, by address: ``github.com/owner/name/folder/file.py``. Without one
    #: nothing but the numbers speaks for it.
    source: Address | list[Address] = Field(default=[])
    #: What it is, where its name leaves something open.
    note: str = ""

    @property
    def sources(self) -> tuple[str, ...]:
        """The addresses of the scripts that have it."""
        return (self.source,) if isinstance(self.source, str) else tuple(self.source)

    @property
    def contradicted(self) -> tuple[str, ...]:
        """The words of the text that it goes against, each with its place."""
        return (self.against,) if isinstance(self.against, str) else tuple(self.against)


Stance = Literal["stated", "silent", "against"]


@dataclass(frozen=True)
class Reading:
    """One way to understand a claim, and so to compute its number.

    Attributes
    ----------
    name : str
        What it does, in a few words.
    stance : {"stated", "silent", "against"}
        Whether the text says so, says nothing about it, or says otherwise.
    quote : str
        The place and the words of the text that state it, or that it goes against.
    conventions : tuple of str
        The ids of the conventions that it follows.
    sources : tuple of str
        The authors' scripts that have these conventions, as far as they are known.
    note : str
        What these conventions are, where their names leave something open.
    consistency : str
        Why its value comes out by construction, if it does: ``read back``, ``identity`` or ``limit``.
    tried : int
        How many alternatives were tried to find it, including itself.
    scale : float
        Factor applied to the value before it is compared.
    quantity : str
        One of `sigcube.claims.quantities.QUANTITIES`.
    keys : Keys
        The keys of that quantity.
    links : tuple of str or Reading
        The ids of claims, and the readings, that the value is made of.
    """

    name: str
    stance: Stance
    scale: float
    quantity: str
    keys: Keys
    links: tuple["str | Reading", ...] = ()
    quote: str = ""
    conventions: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    note: str = ""
    consistency: str = ""
    tried: int = 1

    @property
    def stated(self) -> bool:
        """Whether the text says so."""
        return self.stance == "stated"

    @property
    def numeric(self) -> bool:
        """Whether it has a value."""
        return QUANTITIES[self.quantity].numeric


class _Common(BaseModel):
    """The keys that every reading has."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    quantity: str
    name: str = ""
    quote: str = ""
    against: str = ""
    convention: str | list[str] = Field(default=[])
    consistency: Literal["", "read back", "identity", "limit"] = ""
    tried: int = Field(default=1, ge=1)
    scale: float = Field(default=1.0, allow_inf_nan=False)

    @model_validator(mode="after")
    def _one_stance(self) -> "_Common":
        if self.quote and (self.against or self.convention):
            raise ValueError("what the text states has a quote, and neither a convention nor what it goes against")
        return self


class Claim(BaseModel):
    """A published number: where it is printed, what it is of, its digits, and the readings that compute it."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)

    id: str = Field(pattern=r"^[a-z0-9_]+(\.[a-z0-9_]+)+$")
    source: Paper
    where: str = Field(min_length=1)
    statement: str = Field(min_length=1)
    published: str = Field(min_length=1)
    unit: str = ""
    note: str = ""
    #: The id of the row that holds the same number, which counts once and has one set of readings.
    repeats: str = ""
    #: The table that one computation filled; its rows are judged together.
    table: str = ""
    #: How far a value may be from what is printed, where one digit would let pass too much, as of an exponent.
    tolerance: float | None = Field(default=None, gt=0.0)
    #: What printed words come to as a number or a bound, which then is judged, as ``< 0`` of "negative".
    meaning: str = ""
    reading: tuple[Reading, ...] = Field(min_length=1)

    @property
    def paper(self) -> str:
        """The name of the paper."""
        return self.source.name

    @property
    def number(self) -> str:
        """The id of the row that stands for the number, however often it is printed."""
        return self.repeats or self.id

    @property
    def printed(self) -> Printed:
        """What is printed, read."""
        printed = read_printed(self.meaning or self.published)
        return printed if self.tolerance is None else replace(printed, margin=Decimal(str(self.tolerance)))

    @model_validator(mode="after")
    def _consistent(self) -> "Claim":
        names = [reading.name for reading in self.reading]
        if len(set(names)) < len(names):
            raise ValueError(f"readings need names of their own: {', '.join(names)}")
        if all(reading.numeric for reading in self.reading):
            read_printed(self.meaning or self.published)
        elif len({reading.quantity for reading in self.reading}) > 1:
            raise ValueError("an assumption, or another printed number, is the only kind of reading of its row")
        return self


# How readings without a name are called, where there is nothing that they could be told from.
_UNNAMED: Mapping[str, str] = MappingProxyType(
    {"assumption": "put in", "printed": "the other place", "unavailable": "what is missing"}
)
KEYS_OF_CLAIMS = frozenset({*Claim.model_fields, "paper"} - {"source"})
KEYS_OF_READINGS = frozenset(_Common.model_fields)


def parse_reading(given: Any, index: int = 0, conventions: Mapping[str, Convention] = MappingProxyType({})) -> Reading:
    """Check the keys of a reading: those that every reading has, and those of its quantity."""
    if not isinstance(given, Mapping):
        raise SpecError("a reading is a table", found=repr(given))
    common = check(_Common, {key: value for key, value in given.items() if key in KEYS_OF_READINGS})
    if common.quantity not in QUANTITIES:
        raise SpecError(f"there is no quantity {common.quantity!r}", hint=did_you_mean(common.quantity, QUANTITIES))
    own = {key: value for key, value in given.items() if key not in KEYS_OF_READINGS}
    keys = check(QUANTITIES[common.quantity].keys, own, also=KEYS_OF_READINGS)
    followed = [common.convention] if isinstance(common.convention, str) else common.convention
    for each in followed:
        if each not in conventions:
            raise SpecError(f"there is no convention {each!r}", hint=did_you_mean(each, conventions))
    contradicted = (words for each in followed for words in conventions[each].contradicted)
    against = "; ".join(filter(None, [common.against, *contradicted]))
    sources = dict.fromkeys(address for each in followed for address in conventions[each].sources)
    note = " ".join(filter(None, (conventions[each].note for each in followed)))
    by_default = _UNNAMED.get(common.quantity, f"reading {index + 1}")
    if common.quote and index == 0:
        by_default = "as stated"
    return Reading(
        name=common.name or "; ".join(conventions[each].name for each in followed) or by_default,
        stance="stated" if common.quote else "against" if against else "silent",
        scale=common.scale,
        quantity=common.quantity,
        keys=keys,
        links=tuple(link if isinstance(link, str) else parse_reading(link) for link in keys.linked()),
        quote=common.quote or against,
        conventions=tuple(followed),
        sources=tuple(sources),
        note=note,
        consistency=common.consistency,
        tried=common.tried,
    )
