"""The errors of systems met with data: what is missing, and what is held because no error is quoted for it."""

from collections.abc import Sequence

import numpy as np

from sigcube.cube import Packed
from sigcube.errors import DataError
from sigcube.model.error_model import Errors
from sigcube.wording import plural

__all__ = ["describe_errors"]

_LISTED = 5
_LIMITS = {"distance": (0.0, np.inf), "inclination": (0.0, 180.0)}
_UNITS = {"distance": "Mpc", "inclination": "deg"}


def describe_errors(errors: Errors, packed: Packed) -> str:
    """Say what is marginalised, and for which systems nothing is, as their error is zero.

    Raises
    ------
    DataError
        For systems without such a value or its error, or with one that cannot be.
    """
    said = [f"{' and '.join(errors.marginalised)} of each system marginalised"] if errors.marginalised else []
    for name in errors.marginalised:
        (low, high), values, sigma = _LIMITS[name], packed.per_system[name], packed.per_system[f"e_{name}"]
        for what, known in ((name, (values > low) & (values < high)), (f"error of the {name}", sigma >= 0.0)):
            if not known.all():
                raise DataError(
                    f"systems without a usable {what}: it cannot be marginalised",
                    where=f"errors.{name}",
                    found=_names(packed.systems, ~known),
                    expected=f"{low:g} < {name} < {high:g} {_UNITS[name]}, and an error of 0 or more",
                    hint=f"leave them out, such as where = 'e_{name} >= 0 and {name} > 0', or leave errors.{name} out",
                )
        if (held := sigma == 0.0).any():
            said.append(f"{name} held where its error is zero: {_names(packed.systems, held)}")
    return "; ".join(said)


def _names(systems: Sequence[str], which: np.ndarray) -> str:
    found = [name for name, here in zip(systems, which, strict=True) if here]
    more = f" and {len(found) - _LISTED} more" if len(found) > _LISTED else ""
    return f"{plural(len(found), 'system')}, {', '.join(found[:_LISTED])}{more}"
