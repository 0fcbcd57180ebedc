"""What is known of the errors of the data beyond what is quoted for each point, and what ln L becomes under it."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Literal, Self, get_args

import numpy as np

from sigcube.errors import SpecError, did_you_mean, shown
from sigcube.model import likelihood, normal_regression
from sigcube.model.correlated import CORRELATED_TERMS, POSITIONS
from sigcube.model.error_frame import CORRELATION, ERROR_PARAMETERS, G_BAR, extend_frame, possible_parameters
from sigcube.model.metrics import METRICS, Metric
from sigcube.model.prior_quadrature import over_prior, prior_inputs
from sigcube.model.record import Frame, Parameter, Term

__all__ = ["Errors"]

_ScatterUnit = Literal["dex", "km/s"]
_Correlation = Literal["radius", "scale_length"]

_MOST_NODES = 512

_VELOCITIES = ("galaxy", "star")


@dataclass(frozen=True, kw_only=True)
class Errors:
    """Errors of the data beyond those quoted for each point, as the metric ``loglike`` takes them into account.

    Parameters
    ----------
    distance : bool
        Whether to marginalise over the error of each galaxy's distance.
    inclination : bool
        Whether to marginalise over that of its inclination.
    quadrature : int, optional
        Number of nodes with which both are integrated numerically, with the errors exactly as quoted, at a thousand
        times the cost; 48 converge to 1e-9 for models near the data. By default the factor by which both scale a model
        is taken as Gaussian, with its exact mean and variance.
    scatter : float, optional
        Intrinsic scatter in addition to the errors of the points. As an axis or fixed, its name is
        ``intrinsic_scatter``.
    scatter_unit : {"dex", "km/s"}
        Its unit: dex of the acceleration, or km/s of the velocity.
    correlation : {"radius", "scale_length"}, optional
        The coordinate x along which further errors are correlated, with the covariance a² exp(−Δx/ℓ): the radius in
        kpc, or in scale lengths of the disc, R/R_d. The amplitude a [km/s] and the length ℓ [kpc or R_d] are the
        parameters ``correlation_amplitude`` and ``correlation_length``: axes, or fixed.
    g_bar : float, optional
        Error of each point's g_bar, in dex. ln L is then a regression of log g_obs on log g_bar with errors in both.
        The true log₁₀ g_bar of all points are drawn from a Gaussian with the parameters ``g_bar_mean`` [of m/s²] and
        ``g_bar_width`` [dex]: axes, or fixed. As an axis or fixed, the error itself is called ``g_bar_error``.

    Raises
    ------
    SpecError
        For a value of the wrong type or out of range.

    Examples
    --------
    >>> Errors(distance=True, inclination=True).record()
    {'distance': True, 'inclination': True}
    """

    distance: bool = False
    inclination: bool = False
    quadrature: int | None = None
    scatter: float | None = None
    scatter_unit: _ScatterUnit = "dex"
    correlation: _Correlation | None = None
    g_bar: float | None = None

    def __post_init__(self) -> None:
        for each in fields(self):
            # NumPy's numbers are numbers, but no values of JSON.
            if isinstance(given := getattr(self, each.name), np.generic):
                object.__setattr__(self, each.name, given.item())
        for name in ("distance", "inclination"):
            if not isinstance(given := getattr(self, name), bool):
                raise SpecError(
                    f"{name} is marginalised or not",
                    where=f"errors.{name}",
                    found=shown(given),
                    expected="true or false",
                )

        if self.quadrature is not None:
            whole = isinstance(self.quadrature, int) and not isinstance(self.quadrature, bool)
            if not whole or not 8 <= self.quadrature <= _MOST_NODES or not self.marginalised:
                raise SpecError(
                    "this is no number of nodes, or there is nothing to integrate over",
                    where="errors.quadrature",
                    found=shown(self.quadrature),
                    expected=f"8 to {_MOST_NODES}, and distance or inclination marginalised",
                )
        if self.scatter_unit not in (units := get_args(_ScatterUnit)):
            where = "errors.scatter_unit"
            hint = did_you_mean(str(self.scatter_unit), units)
            raise SpecError(f"there is no unit {shown(self.scatter_unit)} of a scatter", where=where, hint=hint)
        if self.correlation is not None and self.correlation not in (along := get_args(_Correlation)):
            what = f"errors are not correlated along {shown(self.correlation)}"
            raise SpecError(what, where="errors.correlation", hint=did_you_mean(str(self.correlation), along))
        unit = self.scatter_unit
        largest, widest = (ERROR_PARAMETERS[name].bounds[1] for name in ("intrinsic_scatter", "g_bar_error"))
        sizes = (
            (
                "scatter",
                "this is no scatter",
                largest,
                f"0 or more {unit}, up to {largest:g}; to vary it, an axis intrinsic_scatter",
            ),
            ("g_bar", "this is no error of g_bar", widest, f"0 to {widest:g} dex; to vary it, an axis g_bar_error"),
        )
        for name, what, most, expected in sizes:
            size = getattr(self, name)
            number = isinstance(size, int | float) and not isinstance(size, bool)
            if size is not None and not (number and 0.0 <= size <= most):
                raise SpecError(what, where=f"errors.{name}", found=shown(size), expected=expected)

    @classmethod
    def of(cls, given: Any) -> Self | None:
        """Make errors from a table of their fields, as files and records have it; None if the table sets nothing.

        Raises
        ------
        SpecError
            For anything but a table, and for an unknown field, with the nearest one.
        """
        if isinstance(given, cls):
            made = given
        elif given is None or isinstance(given, Mapping):
            known = [each.name for each in fields(cls)]
            for key in given or {}:
                if key not in known:
                    raise SpecError(f"errors have no {key!r}", where="errors", hint=did_you_mean(key, known))
            made = cls(**(given or {}))
        else:
            expected = "sigcube.Errors, or a table of its fields"
            raise SpecError("these are no errors of the data", where="errors", found=shown(given), expected=expected)
        return made if made.record() else None

    def record(self) -> dict[str, Any]:
        """Return the fields that differ from their default, as JSON-able values."""
        return {
            each.name: getattr(self, each.name) for each in fields(self) if getattr(self, each.name) != each.default
        }

    @property
    def marginalised(self) -> tuple[str, ...]:
        """What is marginalised for each system: ``distance``, ``inclination``."""
        return tuple(name for name in ("distance", "inclination") if getattr(self, name))

    @property
    def system_variables(self) -> tuple[str, ...]:
        """The variables of a cube's systems that this needs."""
        return tuple(name for each in self.marginalised for name in (each, f"e_{each}"))

    def parameters(self, asked: Collection[str]) -> dict[str, Parameter]:
        """Return the parameters that these errors add to models, by name; `asked` names the axes and what is fixed."""
        found = {name: each for name, each in ERROR_PARAMETERS.items() if name in asked}
        if self.scatter is not None or "intrinsic_scatter" in found:
            scatter = replace(
                ERROR_PARAMETERS["intrinsic_scatter"], unit=self.scatter_unit, default=self.scatter or 0.0
            )
            found["intrinsic_scatter"] = scatter
        if self.correlation == "scale_length" and "correlation_length" in found:
            description = f"{found['correlation_length'].description}, in scale lengths of the disc"
            found["correlation_length"] = replace(found["correlation_length"], unit="", description=description)
        if self.g_bar is not None:
            found |= {name: ERROR_PARAMETERS[name] for name in G_BAR}
            found["g_bar_error"] = replace(found["g_bar_error"], default=self.g_bar)
        return found

    def check(self, frame: Frame, metrics: tuple[Metric, ...], asked: Collection[str]) -> None:
        """Refuse errors that nothing would use, that have no meaning for a kind of cube, or that would count twice.

        Raises
        ------
        SpecError
            With what to add, or what to leave out.
        """
        loglike = METRICS["loglike"] in metrics
        if self.record() and not loglike:
            raise SpecError("no metric here knows such errors", where="errors", expected="'loglike' among the metrics")
        self._check_correlation(frame, asked)
        self._check_g_bar(frame, asked)
        possible = possible_parameters(
            frame, loglike=loglike, correlated=self.correlation is not None, of_g_bar=self.g_bar is not None
        )
        for name in self.parameters(asked):
            if name not in possible and name in asked:
                known = "only 'loglike' knows it" if name == "intrinsic_scatter" else f"a {frame.kind} cube has none"
                raise SpecError(f"{name!r} is a parameter of errors that means nothing here", where=name, hint=known)
        for name in self.marginalised:
            if frame.kind != "galaxy":
                what = f"a {frame.kind} cube has no {name} that its points share"
                raise SpecError(what, where=f"errors.{name}", expected="a galaxy cube")
            if f"{name}_shift" in asked:
                what = f"the error of the {name} is both marginalised and a parameter, {name}_shift"
                raise SpecError(what, where=f"errors.{name}", hint="keep one of the two")
        has_scatter = "intrinsic_scatter" in self.parameters(asked)
        if self.scatter_unit != "dex" and not has_scatter:
            raise SpecError(
                "a unit of the scatter, and no scatter", where="errors.scatter_unit", hint="give errors.scatter"
            )
        fitting = {"dex": (*_VELOCITIES, "cluster"), "km/s": _VELOCITIES}[self.scatter_unit]
        if has_scatter and frame.kind not in fitting:
            what = f"a {frame.kind} cube has no scatter in {self.scatter_unit}"
            raise SpecError(what, where="errors.scatter_unit", expected=f"a cube of kind {' or '.join(fitting)}")

    def _check_correlation(self, frame: Frame, asked: Collection[str]) -> None:
        if self.correlation is None:
            if given := [name for name in CORRELATION if name in asked]:
                expected = f"errors.correlation = {' or '.join(map(repr, get_args(_Correlation)))}"
                what = f"{given[0]!r}, and no correlated errors"
                raise SpecError(what, where=given[0], expected=expected)
            return
        if frame.kind != "galaxy":
            what = f"errors of a {frame.kind} cube are not correlated along a curve"
            raise SpecError(what, where="errors.correlation", expected="a galaxy cube")
        if missing := [name for name in CORRELATION if name not in asked]:
            raise SpecError(
                f"correlated errors without a {missing[0]}",
                where="errors.correlation",
                expected=f"{missing[0]} as an axis, or fixed",
            )

    def _check_g_bar(self, frame: Frame, asked: Collection[str]) -> None:
        if self.g_bar is None:
            if given := [name for name in G_BAR if name in asked]:
                what = f"{given[0]!r}, and no errors of g_bar"
                raise SpecError(what, where=given[0], expected="errors.g_bar, in dex, such as 0.04")
            return
        if frame.kind != "galaxy":
            what = f"ln L of a {frame.kind} cube knows no errors of g_bar"
            raise SpecError(what, where="errors.g_bar", expected="a galaxy cube")
        # Each of these would need a derivation of its own.
        others = {
            "correlation": self.correlation is not None,
            "quadrature": self.quadrature is not None,
            "scatter_unit": self.scatter_unit != "dex",
        }
        for name in (name for name, given in others.items() if given):
            found = f"errors.{name} = {getattr(self, name)!r}"
            what = "errors of g_bar are of the logarithm of each point by itself"
            hint = "leave one of the two out" if name != "scatter_unit" else "give the scatter in dex"
            raise SpecError(what, where="errors.g_bar", found=found, hint=hint)

    def applied_to(
        self, frame: Frame, metrics: tuple[Metric, ...], asked: Collection[str]
    ) -> tuple[Frame, tuple[Metric, ...]]:
        """Return a frame with the parameters of these errors, and metrics with ln L under them.

        Raises
        ------
        SpecError
            As `check`.
        """
        self.check(frame, metrics, asked)
        parameters = self.parameters(asked)
        measured = (self._own(each, frame, parameters) if each == METRICS["loglike"] else each for each in metrics)
        return extend_frame(frame, parameters), tuple(measured)

    def _own(self, metric: Metric, frame: Frame, parameters: Collection[str]) -> Metric:
        if self.g_bar is not None:
            return self._regression(metric, parameters)
        if "intrinsic_scatter" in parameters:
            metric = replace(metric, terms={**metric.terms, "error_sq": self._scattered(frame)})
        if self.correlation is not None:
            position = {"correlation_position": POSITIONS[self.correlation]}
            metric = replace(metric, terms={**metric.terms, **CORRELATED_TERMS, **position})
        if self.marginalised and self.quadrature is not None:
            metric = replace(
                metric,
                sums=likelihood.SCALE_SUMS,
                finish=over_prior,
                system_variables=self.system_variables,
                prepare=prior_inputs(self.quadrature, distance=self.distance, inclination=self.inclination),
            )
        elif self.marginalised:
            metric = replace(
                metric,
                sums=likelihood.SCALE_SUMS,
                finish=likelihood.over_scale,
                system_variables=self.system_variables,
                prepare=likelihood.scale_prior(distance=self.distance, inclination=self.inclination),
            )
        return metric

    def _regression(self, metric: Metric, parameters: Collection[str]) -> Metric:
        terms = {**metric.terms, **normal_regression.REGRESSION_TERMS}
        if "intrinsic_scatter" in parameters:
            terms["error_sq"] = normal_regression.error_sq_with_scatter
        metric = replace(metric, terms=terms)
        if self.marginalised:
            metric = replace(
                metric,
                sums=likelihood.SCALE_SUMS,
                finish=likelihood.over_scale,
                system_variables=self.system_variables,
                prepare=normal_regression.log_scale_prior(distance=self.distance, inclination=self.inclination),
            )
        return metric

    def _scattered(self, frame: Frame) -> Term:
        if self.scatter_unit != "dex":
            return likelihood.error_sq_with_scatter
        of_velocity = frame.kind in _VELOCITIES
        return likelihood.error_sq_with_scatter_of_v if of_velocity else likelihood.error_sq_with_scatter_of_g
