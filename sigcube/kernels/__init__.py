"""The physics: one module a model family. Every formula is here and nowhere else.

The package is its own registry, a mapping: ``sigcube.kernels["sigma"]`` is a kernel, and iterating gives the names.
"""

import sys
from collections.abc import Iterator, Mapping
from types import MappingProxyType, ModuleType
from typing import Any

from sigcube.errors import SpecError, did_you_mean
from sigcube.kernels.cmsi import CMSI
from sigcube.kernels.coherence import FUNCTIONAL, MASS_COHERENCE, ROUGHNESS, UNIFIED, VELOCITY_COHERENCE
from sigcube.kernels.halo import BURR, NFW
from sigcube.kernels.pairing import PAIRING
from sigcube.kernels.reference import MOND, NEWTON
from sigcube.kernels.resonance import RESONANCE
from sigcube.kernels.sigma import SIGMA
from sigcube.kernels.survival import SURVIVAL
from sigcube.model.kernel import Kernel
from sigcube.model.record import Choice, Option, Parameter, Reduction

__all__ = ["KERNELS", "Choice", "Kernel", "Option", "Parameter", "Reduction", "find"]

#: Every kernel, by name.
KERNELS: Mapping[str, Kernel] = MappingProxyType(
    {
        kernel.name: kernel
        for kernel in (
            *(NEWTON, MOND, NFW, BURR),
            *(SIGMA, SURVIVAL),
            *(ROUGHNESS, MASS_COHERENCE, VELOCITY_COHERENCE, FUNCTIONAL, UNIFIED),
            *(PAIRING, RESONANCE, CMSI),
        )
    }
)


def find(kernel: str | Kernel) -> Kernel:
    """Return a kernel by name; a record of the user's own passes through.

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
    """The package as a mapping: the room of the kernels and the table of them share one name."""

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
