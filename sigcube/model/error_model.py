"""What is known of the errors of the data beyond what is quoted for each point, and what ln L becomes under it."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Self

from sigcube.errors import SpecError, did_you_mean, shown
from sigcube.model import likelihood
from sigcube.model.metrics import METRICS, Metric
from sigcube.model.record import Frame

__all__ = ["Errors"]

_PREPARE = {
    (True, True): likelihood.scale_variance,
    (True, False): likelihood.scale_variance_of_distance,
    (False, True): likelihood.scale_variance_of_inclination,
}


@dataclass(frozen=True, kw_only=True)
class Errors:
    """Errors of the data beyond those that are quoted for each point; the metric ``loglike`` takes them into account.

    Parameters
    ----------
    distance : bool
        Whether the error of each galaxy's distance is marginalised.
    inclination : bool
        Whether that of its inclination is.

    Raises
    ------
    SpecError
        For a value of the wrong type.

    Examples
    --------
    >>> Errors(distance=True, inclination=True).record()
    {'distance': True, 'inclination': True}
    """

    distance: bool = False
    inclination: bool = False

    def __post_init__(self) -> None:
        for name in ("distance", "inclination"):
            if not isinstance(given := getattr(self, name), bool):
                raise SpecError(
                    f"{name} is marginalised or not",
                    where=f"errors.{name}",
                    found=shown(given),
                    expected="true or false",
                )

    @classmethod
    def of(cls, given: Any) -> Self | None:
        """Return errors from a table of their fields, as a file and a record have them; None for what says nothing.

        Raises
        ------
        SpecError
            For what is no table, and an unknown field, with the nearest one.
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
        """Return the fields that are not at their default, as JSON-able values."""
        return {
            each.name: getattr(self, each.name) for each in fields(self) if getattr(self, each.name) != each.default
        }

    @property
    def marginalised(self) -> tuple[str, ...]:
        """What is marginalised for each system: ``distance``, ``inclination``."""
        return tuple(name for name in ("distance", "inclination") if getattr(self, name))

    @property
    def system_variables(self) -> tuple[str, ...]:
        """The variables of a cube's systems that are needed for it."""
        return tuple(name for each in self.marginalised for name in (each, f"e_{each}"))

    def check(self, frame: Frame, metrics: tuple[Metric, ...]) -> None:
        """Refuse errors that nothing would use, or that mean nothing for a kind of cube.

        Raises
        ------
        SpecError
            With what would.
        """
        if METRICS["loglike"] not in metrics:
            raise SpecError("no metric here knows such errors", where="errors", expected="'loglike' among the metrics")
        if self.marginalised and frame.kind != "galaxy":
            raise SpecError(
                f"a {frame.kind} cube has no {self.marginalised[0]} that its points share",
                where=f"errors.{self.marginalised[0]}",
                expected="a galaxy cube",
            )

    def applied_to(self, metrics: tuple[Metric, ...]) -> tuple[Metric, ...]:
        """Return the metrics with ln L under these errors."""
        return tuple(self._own(each) if each == METRICS["loglike"] else each for each in metrics)

    def _own(self, metric: Metric) -> Metric:
        if not self.marginalised:
            return metric
        return replace(
            metric,
            sums=likelihood.SCALE_SUMS,
            finish=likelihood.over_scale,
            system_variables=self.system_variables,
            prepare=_PREPARE[self.distance, self.inclination],
        )
