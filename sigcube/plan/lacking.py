"""What points of a sample lack, so that metrics have no value: in words, with what to do about it."""

import numpy as np

from sigcube.cube import Packed
from sigcube.model.error_frame import QUOTED
from sigcube.model.metrics import Metric, terms_of
from sigcube.model.record import inputs_of
from sigcube.plan.spec import Spec
from sigcube.wording import listed, plural

__all__ = ["describe_lacking"]


def describe_lacking(spec: Spec, packed: Packed) -> str:
    """Say which points have no number where a model or a metric needs one, and how to leave them out.

    The text is empty if every point has all that is needed.
    """
    return "; ".join(
        _describe(spec, packed, name)
        for name, values in packed.points.items()
        if not name.endswith(QUOTED) and np.isnan(values).any()
    )


def _describe(spec: Spec, packed: Packed, name: str) -> str:
    missing = np.isnan(packed.points[name])
    # Which system each point is of.
    of_system = np.repeat(np.arange(packed.n_systems), np.diff(packed.offsets))
    systems = [packed.systems[i] for i in np.unique(of_system[missing])]
    one, n = spec.model.frame.system_dim or "system", int(missing.sum())
    if packed.n_systems == 1:
        place = f"at {n:,} of {plural(packed.n_points, 'point')}"
    elif packed.n_points == packed.n_systems:
        place = f"for {n:,} of {plural(packed.n_systems, one)} ({listed(systems)})"
    else:
        place = f"at {plural(n, 'point')} of {plural(len(systems), one)} ({listed(systems)})"
    users = [metric.name for metric in spec.metrics if name in _inputs(spec, metric)]
    others, is_error = len(users) < len(spec.metrics), name == spec.model.name_behind("error")
    needed = f", which {' and '.join(users)} {'needs' if len(users) == 1 else 'need'}" if users and others else ""
    hint = f"where = '{name} {'> 0' if is_error else f'== {name}'}' leaves them out"
    if is_error:
        without = f"do without {' and '.join(users)}" if needed else "choose metrics without errors, such as rms"
        hint += f", or {without}"
    return f"no {name} {place}{needed}: {hint}"


def _inputs(spec: Spec, metric: Metric) -> set[str]:
    """Return the names that the terms of a metric follow from."""
    definitions = {**spec.model.definitions, **terms_of([metric])}
    waiting, seen = [*metric.sums], set[str]()
    while waiting:
        if (name := waiting.pop()) not in seen:
            seen.add(name)
            behind = definitions.get(name, ())
            waiting += [behind] if isinstance(behind, str) else inputs_of(behind) if behind else []
    return seen
