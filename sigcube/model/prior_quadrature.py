"""ln L integrated over the quoted errors of distance and inclination as they are, not to first order in them.

D and i are Gaussian round their quoted values, with D > 0, and an i beyond 90° (or below 0°) is a galaxy seen from the
other side. With x and y in units of the quoted errors the model scales by s = √(1 + x σ_D/D) · |sin(i + y σ_i)|/sin i,
and −2 ln L is a parabola in s, whose three sums do not depend on x and y. The integral over both is the trapezoidal
rule, which converges exponentially for a smooth peak (Trefethen & Weideman 2014, SIAM Rev. 56, 385): its nodes are set
for each system and each point of the grid, as the data may be much narrower than the errors.
"""

from collections.abc import Callable

import numpy as np

from sigcube.model.compile import helper
from sigcube.model.likelihood import FloatArray, sine
from sigcube.model.vecmath import exp, log

__all__ = ["over_prior", "prior_inputs"]

_DEGREE = 0.017453292519943295
_TWO_PI = 6.283185307179586

# Beyond so many standard deviations a Gaussian adds nothing to the bits of its integral.
_REACH = 8.5
_STEPS = 20
# Nodes of y whose largest value is e^−40 of the peak add nothing.
_NEGLIGIBLE = 80.0
_MOST_NODES = 4096.0
# The distance stays positive.
_LEAST = 1e-6


@helper
def _tilt(y: float, inclination: float, e_inclination: float) -> tuple[float, float]:
    """Return |sin i'|/sin i and its slope in y."""
    moved = abs(inclination + y * e_inclination)
    folded = moved - 180.0 * np.floor(moved / 180.0)
    direction = 1.0 if inclination + y * e_inclination > 0.0 else -1.0
    quoted = sine(inclination)
    return sine(folded) / quoted, direction * sine(90.0 - folded) * (e_inclination * _DEGREE) / quoted


@helper
def _centre_of_x(x: float, u: float, epsilon: float, pull: float, square: float) -> float:
    """Return the x at which x² + S (s − ŝ)² is least for one inclination, S ŝ being the pull."""
    for _ in range(6):
        root = np.sqrt(max(1.0 + epsilon * x, _LEAST))
        slope = 0.5 * epsilon * u / root
        x = slope * (pull - square * (root * u - slope * x)) / (1.0 + square * slope * slope)
        if epsilon > 0.0:
            x = max(x, (_LEAST - 1.0) / epsilon)
    return x


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
    pull = square - cross
    sigma = e_inclination * _DEGREE
    # The mode of x and y, from the slopes of s; off zero, as an edge-on galaxy has no slope there.
    x, y = 0.0, -0.5
    for _ in range(_STEPS):
        root = np.sqrt(max(1.0 + epsilon * x, _LEAST))
        u, u_y = _tilt(y, inclination, e_inclination)
        s_x, s_y = 0.5 * epsilon * u / root, root * u_y
        factor = (pull - square * (root * u - s_x * x - s_y * y)) / (1.0 + square * (s_x * s_x + s_y * s_y))
        x, y = s_x * factor, 0.5 * (y + s_y * factor)
        if epsilon > 0.0:
            x = max(x, (_LEAST - 1.0) / epsilon)
    u, u_y = _tilt(y, inclination, e_inclination)
    x = _centre_of_x(x, u, epsilon, pull, square)
    root = np.sqrt(max(1.0 + epsilon * x, _LEAST))
    scale = root * u
    s_x, s_y = 0.5 * epsilon * u / root, root * u_y
    lowest = x * x + y * y + (scale - 1.0) * (2.0 * cross + (scale - 1.0) * square)
    # The width in y: of the slopes alone, and with the curvature of s.
    width_sq = (1.0 + square * s_x * s_x) / (1.0 + square * (s_x * s_x + s_y * s_y))
    rest = square * scale - pull
    h_xx = 1.0 + square * s_x * s_x - rest * 0.25 * epsilon * epsilon * u / (root * root * root)
    h_xy = square * s_x * s_y + rest * 0.5 * epsilon * u_y / root
    h_yy = 1.0 + square * s_y * s_y - rest * sigma * sigma * scale
    determinant = h_xx * h_yy - h_xy * h_xy
    if h_xx > 0.0 and determinant > 0.0:
        width_sq = min(width_sq, h_xx / determinant)
    step_y, n_y, y_low = 1.0, 1.0, 0.0
    if e_inclination > 0.0:
        y_low, y_high = min(-_REACH, y - _REACH), max(_REACH, y + _REACH)
        # The same galaxy from its other side, a second mode.
        mirrored = 2.0 * (90.0 - inclination) / e_inclination - y
        if mirrored * mirrored - y * y < _NEGLIGIBLE:
            y_low, y_high = min(y_low, mirrored - _REACH), max(y_high, mirrored + _REACH)
        n_y = min(np.ceil((y_high - y_low) / (2.0 * _REACH * np.sqrt(width_sq)) * nodes), _MOST_NODES)
        step_y = (y_high - y_low) / n_y
    total = 0.0
    for k in range(int(n_y)):
        y_here = y_low + (k + 0.5) * step_y if e_inclination > 0.0 else 0.0
        u, _slope = _tilt(y_here, inclination, e_inclination)
        x = _centre_of_x(x, u, epsilon, pull, square) if epsilon > 0.0 else 0.0
        root = np.sqrt(max(1.0 + epsilon * x, _LEAST))
        s = root * u
        if x * x + y_here * y_here + (s - 1.0) * (2.0 * cross + (s - 1.0) * square) - lowest > _NEGLIGIBLE:
            continue
        s_x = 0.5 * epsilon * u / root
        of_slope = 1.0 + square * s_x * s_x
        curved = of_slope - (square * s - pull) * 0.25 * epsilon * epsilon * u / (root * root * root)
        width = 1.0 / np.sqrt(min(max(curved, 0.5 * of_slope), 2.0 * of_slope))
        n_x, step_x = (int(nodes), 2.0 * _REACH * width / nodes) if epsilon > 0.0 else (1, 1.0)
        inner = 0.0
        for j in range(n_x):
            x_here = x + (j + 0.5 - 0.5 * n_x) * step_x
            if 1.0 + epsilon * x_here > 0.0:
                s = np.sqrt(1.0 + epsilon * x_here) * u
                excess = x_here * x_here + y_here * y_here + (s - 1.0) * (2.0 * cross + (s - 1.0) * square) - lowest
                inner += exp(-0.5 * excess)
        total += inner * step_x
    norm = (0.5 if epsilon > 0.0 else 0.0) + (0.5 if e_inclination > 0.0 else 0.0)
    return -0.5 * (deviance + lowest) + log(total * step_y) - norm * log(_TWO_PI)


def prior_inputs(nodes: int, *, distance: bool, inclination: bool) -> Callable[..., tuple[FloatArray, ...]]:
    """Return the function that makes what `over_prior` takes of the systems from their variables."""

    def prepare(*variables: FloatArray) -> tuple[FloatArray, ...]:
        held = np.zeros_like(variables[0])
        epsilon = variables[1] / variables[0] if distance else held
        angle, error = variables[-2:] if inclination else (held + 90.0, held)
        return epsilon, angle, error, held + float(nodes)

    return prepare
