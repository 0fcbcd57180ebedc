"""Every way of computing a number of the ledger, by the name that a row gives it."""

from collections.abc import Mapping
from types import MappingProxyType

from sigcube.claims.quantities_composed import COMPOSED
from sigcube.claims.quantities_data import DATA
from sigcube.claims.quantities_field import FIELD
from sigcube.claims.quantities_fits import FITS
from sigcube.claims.quantities_flags import FLAGS
from sigcube.claims.quantities_lensing import LENSING
from sigcube.claims.quantities_missing_factor import MISSING_FACTOR
from sigcube.claims.quantities_pairs import PAIRS
from sigcube.claims.quantities_points import POINTS
from sigcube.claims.quantities_sweeps import SWEEPS
from sigcube.claims.quantities_tully_fisher import TULLY_FISHER
from sigcube.claims.quantities_versus import VERSUS
from sigcube.claims.quantity import Quantity

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
