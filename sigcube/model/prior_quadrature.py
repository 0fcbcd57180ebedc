"""ln L integrated over the quoted errors of distance and inclination exactly, not to first order in them.

D and i are Gaussian around their quoted values, with D > 0, and an i beyond 90° (or below 0°) is a galaxy seen from the
other side. With x and y in units of the quoted errors, the model scales by s = √(1 + x σ_D/D) · |sin(i + y σ_i)|/sin i,
and −2 ln L is a parabola in s, whose three sums do not depend on x and y. The integral over both is the trapezoidal
rule, which converges exponentially for a smooth peak (Trefethen & Weideman 2014, SIAM Rev. 56, 385). Its nodes are set
for each system and each grid point, as the data may constrain s far better than the errors do.
"""

from collections.abc import Callable

import numpy as np

from sigcube.model.compile import helper
from sigcube.model.likelihood import FloatArray, sine
from sigcube.model.vecmath import exp, log

__all__ = ["over_prior", "prior_inputs"]

_DEGREE = 0.017453292519943295
_TWO_PI = 6.283185307179586

# Beyond this many standard deviations, a Gaussian adds nothing to the bits of its integral.
_REACH = 8.5
# The mode of y is searched out to here in steps of half a σ, and then refined.
_FARTHEST, _STEP = 24.0, 0.5
_REFINED = 12
# A value below e^−40 of the peak adds nothing.
_NEGLIGIBLE = 80.0
_MOST_NODES = 4096.0


@helper
def _tilt(y: float, inclination: float, e_inclination: float) -> tuple[float, float]:
    """Return |sin i'|/sin i and its slope in y."""
    moved = abs(inclination + y * e_inclination)
    folded = moved - 180.0 * np.floor(moved / 180.0)
    direction = 1.0 if inclination + y * e_inclination > 0.0 else -1.0
    quoted = sine(inclination)
    return sine(folded) / quoted, direction * sine(90.0 - folded) * (e_inclination * _DEGREE) / quoted


@helper
def _root(u: float, epsilon: float, pull: float, square: float) -> float:
    """Return the √(D'/D) at which x² + S (s − ŝ)² is least for one inclination, S ŝ being the pull.

    It is the root of ρ³ + p ρ − q between 1 and ŝ/u. Newton's steps approach it from above.
    """
    if epsilon == 0.0:
        return 1.0
    half = 0.5 * epsilon * epsilon * u
    p, q = half * square * u - 1.0, half * pull
    root = max(1.0, pull / (square * u)) if square * u > 0.0 else 1.0
    for _ in range(12):
        root = max((2.0 * root * root * root + q) / (3.0 * root * root + p), 1e-3)
    return root


@helper
def _excess(s: float, cross: float, square: float) -> float:
    """Return χ² at a scale, less that at 1."""
    return (s - 1.0) * (2.0 * cross + (s - 1.0) * square)


@helper
def _profile(
    y: float, epsilon: float, inclination: float, e_inclination: float, cross: float, square: float
) -> tuple[float, float, float, float]:
    """Return the minimum over x of −2 ln of the integrand, √(D'/D) there, |sin i'|/sin i, and its slope."""
    u, slope = _tilt(y, inclination, e_inclination)
    root = _root(u, epsilon, square - cross, square)
    x = (root * root - 1.0) / epsilon if epsilon > 0.0 else 0.0
    return x * x + y * y + _excess(root * u, cross, square), root, u, slope


def over_prior(
    n: float,
    deviance: float,
    cross: float,
    square: float,
    epsilon: float,
    inclination: float,
    e_inclination: float,
    nodes: float,
) -> float:
    """Return ln L integrated over D and i; ``epsilon`` is σ_D/D, and ``nodes`` their number over a Gaussian."""
    pull, sigma = square - cross, e_inclination * _DEGREE
    y, step_y, n_y, y_low = 0.0, 1.0, 1.0, 0.0
    lowest, root, u, u_y = _profile(y, epsilon, inclination, e_inclination, cross, square)
    if e_inclination > 0.0:
        for k in range(int(2.0 * _FARTHEST / _STEP)):
            # Avoid 0, where an edge-on galaxy has no slope.
            there = (k + 0.5) * _STEP - _FARTHEST
            found = _profile(there, epsilon, inclination, e_inclination, cross, square)[0]
            if found < lowest:
                y, lowest = there, found
        for _ in range(_REFINED):
            _, root, u, u_y = _profile(y, epsilon, inclination, e_inclination, cross, square)
            s_x, s_y = 0.5 * epsilon * u / root, root * u_y
            x = (root * root - 1.0) / epsilon if epsilon > 0.0 else 0.0
            factor = (pull - square * (root * u - s_x * x - s_y * y)) / (1.0 + square * (s_x * s_x + s_y * s_y))
            there = 0.5 * (y + s_y * factor)
            found = _profile(there, epsilon, inclination, e_inclination, cross, square)[0]
            if found < lowest:
                y, lowest = there, found
        _, root, u, u_y = _profile(y, epsilon, inclination, e_inclination, cross, square)
        # The width in y, from the slopes alone, and with the curvature of s.
        s_x, s_y = 0.5 * epsilon * u / root, root * u_y
        width_sq = (1.0 + square * s_x * s_x) / (1.0 + square * (s_x * s_x + s_y * s_y))
        rest = square * root * u - pull
        h_xx = 1.0 + square * s_x * s_x - rest * 0.25 * epsilon * epsilon * u / (root * root * root)
        h_xy = square * s_x * s_y + rest * 0.5 * epsilon * u_y / root
        h_yy = 1.0 + square * s_y * s_y - rest * sigma * sigma * root * u
        determinant = h_xx * h_yy - h_xy * h_xy
        if h_xx > 0.0 and determinant > 0.0:
            width_sq = min(width_sq, h_xx / determinant)
        y_low, y_high = min(-_REACH, y - _REACH), max(_REACH, y + _REACH)
        # The same galaxy seen from its other side: a second mode.
        mirrored = 2.0 * (90.0 - inclination) / e_inclination - y
        if mirrored * mirrored - y * y < _NEGLIGIBLE:
            y_low, y_high = min(y_low, mirrored - _REACH), max(y_high, mirrored + _REACH)
        n_y = min(np.ceil((y_high - y_low) / (2.0 * _REACH * np.sqrt(width_sq)) * nodes), _MOST_NODES)
        step_y = (y_high - y_low) / n_y
        for k in range(int(n_y)):
            found = _profile(y_low + (k + 0.5) * step_y, epsilon, inclination, e_inclination, cross, square)[0]
            lowest = min(lowest, found)
    total = 0.0
    for k in range(int(n_y)):
        y_here = y_low + (k + 0.5) * step_y if e_inclination > 0.0 else 0.0
        least, root, u, u_y = _profile(y_here, epsilon, inclination, e_inclination, cross, square)
        if least - lowest > _NEGLIGIBLE:
            continue
        if epsilon == 0.0:
            total += exp(-0.5 * (least - lowest))
            continue
        s_x = 0.5 * epsilon * u / root
        of_slope = 1.0 + square * s_x * s_x
        curved = of_slope - (square * root * u - pull) * 0.25 * epsilon * epsilon * u / (root * root * root)
        step_x = 2.0 * _REACH / (np.sqrt(min(max(curved, 0.5 * of_slope), 2.0 * of_slope)) * nodes)
        x, inner = (root * root - 1.0) / epsilon, 0.0
        for j in range(int(nodes)):
            x_here = x + (j + 0.5 - 0.5 * nodes) * step_x
            if 1.0 + epsilon * x_here > 0.0:
                s = np.sqrt(1.0 + epsilon * x_here) * u
                inner += exp(-0.5 * (x_here * x_here + y_here * y_here + _excess(s, cross, square) - lowest))
        total += inner * step_x
    norm = (0.5 if epsilon > 0.0 else 0.0) + (0.5 if e_inclination > 0.0 else 0.0)
    return -0.5 * (deviance + lowest) + log(total * step_y) - norm * log(_TWO_PI)


def prior_inputs(nodes: int, *, distance: bool, inclination: bool) -> Callable[..., tuple[FloatArray, ...]]:
    """Return the function that prepares the inputs of `over_prior` from the variables of the systems."""

    def prepare(*variables: FloatArray) -> tuple[FloatArray, ...]:
        held = np.zeros_like(variables[0])
        epsilon = variables[1] / variables[0] if distance else held
        angle, error = variables[-2:] if inclination else (held + 90.0, held)
        return epsilon, angle, error, held + float(nodes)

    return prepare
