"""The ways to compute a number of the ledger, by the name that a row gives them.

Each module of this folder declares its own in ``QUANTITIES``; a new one needs no entry anywhere else.
"""

from collections.abc import Mapping
from importlib import import_module
from pkgutil import iter_modules
from types import MappingProxyType

from sigcube.claims.quantities.base import Quantity

__all__ = ["QUANTITIES"]


def _declared() -> Mapping[str, Quantity]:
    found: dict[str, Quantity] = {}
    for module in iter_modules(__path__):
        declared = getattr(import_module(f"{__name__}.{module.name}"), "QUANTITIES", {})
        if twice := found.keys() & declared.keys():
            raise ImportError(f"two modules of {__name__} declare {', '.join(sorted(twice))}")
        found |= declared
    return MappingProxyType(found)


#: Every quantity, by name.
QUANTITIES = _declared()
