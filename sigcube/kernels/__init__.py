"""The physics: one module per family of models. Every formula is here and nowhere else.

A module offers its kernels in ``__all__``, and that registers them: to add a model, add a module. The package itself is
the registry, a mapping: ``sigcube.kernels["sigma"]`` is a kernel, and iterating gives the names.
"""

import pkgutil
import sys
from collections.abc import Iterator, Mapping
from importlib import import_module
from types import MappingProxyType, ModuleType
from typing import Any

from sigcube.errors import SpecError, did_you_mean
from sigcube.model.kernel import Kernel
from sigcube.model.record import Choice, Option, Parameter, Reduction

__all__ = ["KERNELS", "Choice", "Kernel", "Option", "Parameter", "Reduction", "find"]


def _offered() -> Iterator[Kernel]:
    for found in pkgutil.iter_modules(__path__):
        module = import_module(f"{__name__}.{found.name}")
        yield from (value for name in module.__all__ if isinstance(value := getattr(module, name), Kernel))


#: Every kernel, by name.
KERNELS: Mapping[str, Kernel] = MappingProxyType(
    {kernel.name: kernel for kernel in sorted(_offered(), key=lambda kernel: kernel.name)}
)


def find(kernel: str | Kernel) -> Kernel:
    """Return a kernel by name; a user's own record passes through.

    Raises
    ------
    SpecError
        For a name that is not registered.
    """
    if isinstance(kernel, Kernel):
        return kernel
    if not isinstance(kernel, str) or kernel not in KERNELS:
        raise SpecError(f"there is no kernel {kernel!r}", hint=did_you_mean(kernel, KERNELS))
    return KERNELS[kernel]


class _Registry(ModuleType, Mapping[str, Kernel]):
    """The package as a mapping, so that modules and kernels are found under one name."""

    def __getitem__(self, name: str) -> Kernel:
        return find(name)

    def __contains__(self, name: object) -> bool:
        return name in KERNELS

    def __iter__(self) -> Iterator[str]:
        return iter(KERNELS)

    def __len__(self) -> int:
        return len(KERNELS)

    def get(self, name: str, default: Any = None) -> Any:
        return KERNELS.get(name, default)

    # Import machinery keeps modules in sets.
    __eq__ = ModuleType.__eq__
    __hash__ = ModuleType.__hash__


sys.modules[__name__].__class__ = _Registry
