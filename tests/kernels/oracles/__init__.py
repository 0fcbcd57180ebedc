"""The oracles of all kernels: a module here for each module of `sigcube.kernels`, with its ``ORACLES`` by kernel."""

import pkgutil
from collections.abc import Mapping
from importlib import import_module

from tests.kernels.oracles.common import Oracle

_MODULES = [import_module(f"{__name__}.{found.name}") for found in pkgutil.iter_modules(__path__)]

ORACLES: Mapping[str, Oracle] = {
    name: oracle for module in _MODULES for name, oracle in getattr(module, "ORACLES", {}).items()
}
