"""The ledger of published numbers: each is recomputed, and a verdict says whether it comes out.

>>> from sigcube.claims import load_claims
>>> claims = load_claims()
>>> len({claim.id for claim in claims}) == len(claims)
True
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from sigcube.claims.computing import Outcome
from sigcube.claims.judging import Entry, judge
from sigcube.claims.ledger import evaluate_claims
from sigcube.claims.quantities.at_points import point_cube
from sigcube.claims.row_files import load_claims, read_claims, shipped_papers
from sigcube.claims.rows import Claim, Reading
from sigcube.claims.verdicts import Verdict

__all__ = [
    "PAPERS",
    "Claim",
    "Entry",
    "Outcome",
    "Reading",
    "Verdict",
    "evaluate_claims",
    "judge",
    "load_claims",
    "point_cube",
    "read_claims",
]

if TYPE_CHECKING:
    #: The titles of the papers, by the names that rows and commands give them.
    PAPERS: Mapping[str, str]


def __getattr__(name: str) -> Mapping[str, str]:
    # The papers are named in files, and nothing is read on import.
    if name == "PAPERS":
        return {paper.name: paper.title for paper in shipped_papers().values()}
    raise AttributeError(f"module 'sigcube.claims' has no attribute {name!r}")
