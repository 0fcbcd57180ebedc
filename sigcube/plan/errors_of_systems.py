"""Checks of the errors of systems against the data: missing values, and errors quoted as zero."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import xarray as xr

from sigcube.cube import Packed
from sigcube.errors import DataError
from sigcube.model.error_frame import CORRELATION, DISTANCE_POWERS, QUOTED
from sigcube.model.record import Frame, Parameter
from sigcube.plan.spec import Spec
from sigcube.wording import listed, number, plural

__all__ = ["describe_errors", "with_quoted"]

_LIMITS = {"distance": (0.0, np.inf), "inclination": (0.0, 180.0)}
_UNITS = {"distance": "Mpc", "inclination": "deg"}


def with_quoted(cube: xr.Dataset, frame: Frame) -> xr.Dataset:
    """Return a cube with copies of the variables that a distance shift would change, if the frame has one."""
    if "distance_shift" not in {each.name for each in frame.parameters}:
        return cube
    return cube.assign({f"{name}{QUOTED}": cube[name] for name, p in DISTANCE_POWERS.items() if p and name in cube})


def describe_errors(spec: Spec, packed: Packed) -> str:
    """Describe the errors beyond those of the points, and name the systems that they leave unchanged.

    Raises
    ------
    DataError
        For systems that lack a needed distance or inclination, or its error.
    """
    parameters, said = spec.model.parameters, []
    marginalised = () if spec.errors is None else spec.errors.marginalised
    if marginalised:
        nodes = spec.errors.quadrature if spec.errors else None
        how = f" by quadrature of {nodes} nodes" if nodes else ""
        said.append(f"{' and '.join(marginalised)} of each system marginalised{how}")
    shifted = [name for name in _LIMITS if f"{name}_shift" in parameters]
    if shifted:
        said.append(f"{' and '.join(shifted)} of each system shifted by parts of its error")
    for name in (*marginalised, *shifted):
        held = _held(name, packed)
        if held.any():
            said.append(f"{name} held where its error is zero: {_names(packed.systems, held)}")
    if scatter := parameters.get("intrinsic_scatter"):
        said.append(f"intrinsic scatter {_value(spec, scatter)}")
    if spec.errors is not None and spec.errors.correlation is not None:
        a, length = (parameters[name] for name in CORRELATION)
        said.append(f"correlated errors, amplitude {_value(spec, a)}, length {_value(spec, length)}".rstrip())
        if spec.errors.correlation == "scale_length":
            said[-1] += " scale lengths"
            _check_scale_lengths(packed)
    return "; ".join(said)


def _value(spec: Spec, parameter: Parameter) -> str:
    """Describe the value of a parameter, with its unit."""
    swept = any(axis.name == parameter.name for axis in spec.grid.axes)
    value = spec.model.values.get(parameter.name, parameter.default)
    return f"{'an axis, in' if swept else number(value)} {parameter.unit}".rstrip()


def _check_scale_lengths(packed: Packed) -> None:
    lengths = packed.per_system["r_disk" if "r_disk" in packed.per_system else f"r_disk{QUOTED}"]
    if not (known := (lengths > 0.0) & (lengths < np.inf)).all():
        raise DataError(
            "systems without a usable scale length",
            where="errors.correlation",
            found=_names(packed.systems, ~known),
            expected="r_disk above 0 kpc",
            hint="leave them out, such as where = 'r_disk > 0', or correlate errors along the radius",
        )


def _held(name: str, packed: Packed) -> npt.NDArray[np.bool_]:
    """Return which systems have an error of zero; refuse those whose value or error is unusable."""
    (low, high), sigma = _LIMITS[name], packed.per_system[f"e_{name}"]
    values = packed.per_system[name if name in packed.per_system else f"{name}{QUOTED}"]
    for what, known in (
        (name, (values > low) & (values < high)),
        (f"error of the {name}", (sigma >= 0.0) & (sigma < np.inf)),
    ):
        if not known.all():
            raise DataError(
                f"systems without a usable {what}",
                where=f"errors.{name}",
                found=_names(packed.systems, ~known),
                expected=f"{low:g} < {name} < {high:g} {_UNITS[name]}, and a finite error of 0 or more",
                hint=f"leave them out, such as where = 'e_{name} >= 0 and {name} > 0', or do without that error",
            )
    held: npt.NDArray[np.bool_] = sigma == 0.0
    return held


def _names(systems: Sequence[str], which: npt.NDArray[np.bool_]) -> str:
    found = [name for name, here in zip(systems, which, strict=True) if here]
    return f"{plural(len(found), 'system')}, {listed(found)}"
