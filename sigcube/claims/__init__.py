"""The ledger of published numbers: each beside what comes out, with a verdict that is computed.

>>> from sigcube.claims import load_claims
>>> claims = load_claims()
>>> len({claim.id for claim in claims}) == len(claims)
True
"""

from sigcube.claims.ledger import Entry, Outcome, evaluate_claims, judge
from sigcube.claims.quantities.at_points import point_cube
from sigcube.claims.rows import PAPERS, Claim, Reading, load_claims, read_claims
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
