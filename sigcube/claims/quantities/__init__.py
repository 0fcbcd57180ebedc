"""Every way of computing a number of the ledger, by the name that a row gives it."""

from collections.abc import Mapping
from types import MappingProxyType

from sigcube.claims.quantities.at_points import POINTS
from sigcube.claims.quantities.base import Quantity
from sigcube.claims.quantities.composed import COMPOSED
from sigcube.claims.quantities.field_equation import FIELD
from sigcube.claims.quantities.fitted import FITS
from sigcube.claims.quantities.flags import FLAGS
from sigcube.claims.quantities.from_data import DATA
from sigcube.claims.quantities.light import LENSING
from sigcube.claims.quantities.missing_factor import MISSING_FACTOR
from sigcube.claims.quantities.pairs import PAIRS
from sigcube.claims.quantities.swept import SWEEPS
from sigcube.claims.quantities.tully_fisher import TULLY_FISHER
from sigcube.claims.quantities.versus import VERSUS

__all__ = ["QUANTITIES"]

QUANTITIES: Mapping[str, Quantity] = MappingProxyType(
    {
        **SWEEPS,
        **DATA,
        **FITS,
        **FLAGS,
        **POINTS,
        **LENSING,
        **MISSING_FACTOR,
        **VERSUS,
        **FIELD,
        **PAIRS,
        **TULLY_FISHER,
        **COMPOSED,
    }
)
