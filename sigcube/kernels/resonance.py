"""Metric resonance: K(R) = A ∫ dlnλ P(λ) C(λ, R) W(R, λ) (microphysics, model 3), from λ = 0.1 to 10⁴ kpc.

P = λ^{−α} e^{−λ/λ_cut} is the spectrum of fluctuations, C = Q²/[Q² + (λ/λ_o − λ_o/λ)²] the resonance at λ_o = 2πR, and
W = 1/[1 + (λ/R)²] keeps what fits into the orbit. The text leaves W and the range open. At α = 2 the integrand does not
fall off towards small λ: K grows as the logarithm of the lower end, so that the end is part of the model. Lengths in P
are in kpc: λ^{−α} is not dimensionally clean.

The integral needs no fine grid. With t = ln(λ/λ_o) the resonance is C = Q²/(Q² + 4 sinh² t), whose poles t = ±iφ, sin φ
= Q/2, come near to the real axis when Q is small. They are taken out,

    ∫ f C dt = Σ_j w_j C_j (f_j − p − q sinh t_j) + p ∫ C dt + q ∫ C sinh t dt,

with p and q such that f = p + q sinh t at the poles; both last integrals are elementary. What is left is analytic for
|Im t| < π/2 whatever Q, and 28 nodes are enough for 1e-6. They are those of Gauss and Legendre in ln λ, drawn together
by the odd polynomial of degree 11 that is nearly arcsin (Hale & Trefethen 2008, doi:10.1137/07068607X): it turns the
ellipse in which Gauss's rule wants a function to be analytic into nearly a strip.
"""

import numpy as np

from sigcube.kernels.systems import DISPERSION, FLAT_VELOCITY, SIGMA_V, VELOCITY
from sigcube.model.compile import define, helper
from sigcube.model.kernel import Kernel
from sigcube.model.record import Choice, Option, Parameter, Term
from sigcube.model.vecmath import exp, log, pow

__all__ = ["RESONANCE"]

_PI = 3.141592653589793
_TWO_PI = 6.283185307179586
_SHORTEST, _LONGEST = 0.1, 1e4
_PAPER_POINTS = 256

# fmt: off
#: Wavelengths of the nodes, kpc.
_WAVES = (
    0.10420141385916776, 0.12349576812902871, 0.16406089899022208, 0.23718148371845776, 0.36200809887834406,
    0.5692550061555938, 0.9075974876685877, 1.4546737914997245, 2.3352445135822495, 3.7502584510003327,
    6.023089078645793, 9.673486371068073, 15.536350618822148, 24.95262319585266, 40.07594681132397,
    64.3651797345838, 103.3753459343105, 166.0277619910008, 266.64828919544544, 428.22068275240554,
    687.4393460880534, 1101.8100133449834, 1756.6819600821766, 2762.369137868539, 4216.180725081528,
    6095.297576417641, 8097.443460209886, 9596.798766584288,
)
#: Their weights in ln λ.
_HALF = (
    0.104934687339329, 0.2313924960802803, 0.33157907342125115, 0.400432002460042, 0.44113713018440726,
    0.4615394737815274, 0.47002853639349146, 0.472875162027949, 0.4736152728750737, 0.4737601053239783,
    0.4737845380558046, 0.4737916136249202, 0.4737954190654788, 0.473797221851581,
)
# fmt: on
_WEIGHTS = (*_HALF, *reversed(_HALF))


def boost(A: float, K: float) -> float:
    """Σ = 1 + K (microphysics, model 3)."""
    return 1.0 + A * K


def quality(v_c: float, dispersion: float, beta_Q: float) -> float:
    """Q = (V/σ_v)^β (microphysics, model 3: "Q ~ v_circ/σ_v")."""
    return pow(v_c / dispersion, beta_Q)


@helper
def spectrum(wave: float, log_wave: float, alpha: float, lambda_cut: float) -> float:
    """P = λ^{−α} e^{−λ/λ_cut}."""
    return exp(-alpha * log_wave - wave / lambda_cut)


def spectrum_at(wave: float) -> Term:
    """Make the term of the spectrum at one wavelength: no point and no system enters it, so a grid has it once."""

    def at_wave(alpha: float, lambda_cut: float) -> float:
        """P = λ^{−α} e^{−λ/λ_cut} at a node (microphysics, model 3)."""
        return spectrum(wave, log(wave), alpha, lambda_cut)

    return at_wave


@helper
def angle(x: float, y: float, size: float) -> float:
    """Return the angle of (x, y) of that size, 0 to π for y ≥ 0, within 4e-8: half of it by a series for 0 to π/4."""
    u = y / (size + abs(x))
    z = u * u
    # Abramowitz & Stegun (1964), 4.4.49.
    series = 0.0429096138 + z * (-0.0161657367 + z * 0.0028662257)
    series = -0.1420889944 + z * (0.1065626393 + z * (-0.0752896400 + z * series))
    half = u * (1.0 + z * (-0.3333314528 + z * (0.1999355085 + z * series)))
    return 2.0 * half if x >= 0.0 else _PI - 2.0 * half


@helper
def turn(psi: float) -> tuple[float, float]:
    """Return cos ψ and sin ψ: those of ψ/64 by their series, doubled six times."""
    x = psi / 64.0
    z = x * x
    cosine = 1.0 - z / 2.0 * (1.0 - z / 12.0 * (1.0 - z / 30.0 * (1.0 - z / 56.0 * (1.0 - z / 90.0))))
    sine = x * (1.0 - z / 6.0 * (1.0 - z / 20.0 * (1.0 - z / 42.0 * (1.0 - z / 72.0 * (1.0 - z / 110.0)))))
    for _ in range(6):
        cosine, sine = cosine * cosine - sine * sine, 2.0 * cosine * sine
    return cosine, sine


@helper
def at_pole(s: float, c: float, r: float, alpha: float, lambda_cut: float) -> tuple[float, float]:
    """Return p and q: f = p + iqs at t = iφ, s = sin φ, c = cos φ.

    Any p and q leave the sum of the module's formula as it is, but for the error of the rule. So the phase may be
    bounded where it is large: there e^{−λ/λ_cut} leaves nothing of f, or the rule sees the poles as smooth.
    """
    orbit = _TWO_PI * r
    cut = orbit / lambda_cut
    cosine, sine = turn(alpha * angle(c, s, 1.0) + min(cut * s, 40.0))
    size = exp(-alpha * log(orbit) - cut * c)
    # 1/(1 + w e^{2iφ}) = (1 + w e^{−2iφ})/norm, w = 4π².
    w = _TWO_PI * _TWO_PI
    real, imaginary = 1.0 + w * (c * c - s * s), -2.0 * w * s * c
    size = size / (real * real + imaginary * imaginary)
    return size * (cosine * real + sine * imaginary), size * (cosine * imaginary - sine * real) / s


@helper
def integral_of_resonance(s: float, c: float, orbit: float) -> float:
    """∫ C dt = tan φ [arctan(tanh t/tan φ)] between the ends, both in one angle."""
    o = orbit * orbit
    far = (_LONGEST * _LONGEST - o) / (_LONGEST * _LONGEST + o)
    near = (_SHORTEST * _SHORTEST - o) / (_SHORTEST * _SHORTEST + o)
    x, y = s * s + c * c * (far * near), s * c * (far - near)
    return s / c * angle(x, y, np.sqrt(x * x + y * y))


@helper
def integral_of_odd_part(s: float, c: float, orbit: float) -> float:
    """∫ C sinh t dt = (Q²/8 cos φ) ln[(cosh t − cos φ)/(cosh t + cos φ)] between the ends, Q = 2 sin φ."""
    low = 0.5 * (_SHORTEST / orbit + orbit / _SHORTEST)
    high = 0.5 * (_LONGEST / orbit + orbit / _LONGEST)
    # cosh t − cos φ = (cosh t − 1) + (1 − cos φ): where an end is at the resonance, all of it would cancel.
    above = 0.5 * (_SHORTEST - orbit) * (_SHORTEST - orbit) / (_SHORTEST * orbit) + s * s / (1.0 + c)
    return 0.5 * s * s / c * log((high - c) * (low + c) / ((high + c) * above))


@helper
def left(wave: float, weight: float, spectrum: float, r: float, p: float, q: float) -> float:
    """Return w (f − p − q sinh t) at a node, f = P W."""
    return weight * (spectrum / (1.0 + (wave / r) * (wave / r)) - p - q * sinh(wave, r))


@helper
def sinh(wave: float, r: float) -> float:
    """Return sinh t = (λ/λ_o − λ_o/λ)/2."""
    return 0.5 * (wave / (_TWO_PI * r) - _TWO_PI * r / wave)


@helper
def over_resonance(a: float, b: float, wave_a: float, wave_b: float, r: float, q_sq: float) -> float:
    """Return a C_a/Q² + b C_b/Q² for two nodes: by one division, which is what the sum takes its time for."""
    width_a = q_sq + 4.0 * sinh(wave_a, r) * sinh(wave_a, r)
    width_b = q_sq + 4.0 * sinh(wave_b, r) * sinh(wave_b, r)
    return (a * width_b + b * width_a) / (width_a * width_b)


@helper
def of_poles(r: float, quality: float, alpha: float, lambda_cut: float) -> tuple[float, float, float]:
    """Return p, q, and the integral of what they take out of f."""
    orbit = _TWO_PI * r
    s = min(max(0.5 * quality, 1e-60), 1.0)
    c = np.sqrt(max(1.0 - s * s, 1e-10))
    p, q = at_pole(s, c, r, alpha, lambda_cut)
    # From Q = 2 on the poles are at the edge of the strip, where the rule does not see them.
    p, q = (p, q) if s < 1.0 else (0.0, 0.0)
    return p, q, p * integral_of_resonance(s, c, orbit) + q * integral_of_odd_part(s, c, orbit)


def _write_by_poles() -> str:
    """Write the term that sums over the nodes, two at a time, since LLVM does not unroll a loop as long as this."""
    nodes = [
        f"left({wave}, {weight}, P_{j}, r, p, q)" for j, (wave, weight) in enumerate(zip(_WAVES, _WEIGHTS, strict=True))
    ]
    pairs = [
        f"total += over_resonance({nodes[j]}, {nodes[j + 1]}, {_WAVES[j]}, {_WAVES[j + 1]}, r, q_sq)"
        for j in range(0, len(nodes), 2)
    ]
    lines = [
        f"def by_poles(r, quality, alpha, lambda_cut, {', '.join(f'P_{j}' for j in range(len(nodes)))}):",
        '"""∫ dlnλ P C W (microphysics, model 3), to 1e-6: see `sigcube.kernels.resonance`."""',
        "p, q, poles = of_poles(r, quality, alpha, lambda_cut)",
        "q_sq, total = quality * quality, 0.0",
        *pairs,
        "return max(q_sq * total + poles, 0.0)",
    ]
    return "\n    ".join(lines)


by_poles: Term = define(
    _write_by_poles(),
    "by_poles",
    {"left": left, "of_poles": of_poles, "over_resonance": over_resonance},
    module=__name__,
)


def by_sum(r: float, quality: float, alpha: float, lambda_cut: float) -> float:
    """Δlnλ Σ P C W on 256 points even in ln λ (microphysics, model 3: the papers "sum").

    Both ends count in full, which is 1 % too much at 1 kpc and 5 % at 0.1 kpc; by trapezoids the points would give
    1e-3. Where Q is below their distance, 0.045, they may miss the resonance or count it twice.
    """
    orbit, q_sq = _TWO_PI * r, quality * quality
    step = log(_LONGEST / _SHORTEST) / (_PAPER_POINTS - 1)
    total = 0.0
    for j in range(_PAPER_POINTS):
        log_wave = log(_SHORTEST) + j * step
        wave = exp(log_wave)
        off = wave / orbit - orbit / wave
        fits = spectrum(wave, log_wave, alpha, lambda_cut) / (1.0 + (wave / r) * (wave / r))
        total += fits * q_sq / (q_sq + off * off)
    return step * total


RESONANCE = Kernel(
    name="resonance",
    title="metric resonance",
    source="microphysics, model 3",
    terms={"boost": boost, "quality": quality, **{f"P_{j}": spectrum_at(wave) for j, wave in enumerate(_WAVES)}},
    choices=(
        Choice(
            name="quadrature",
            default="exact",
            description="How the integral over λ is done",
            options={
                "exact": Option({"K": by_poles}, "microphysics, model 3", "to 1e-6: 28 nodes, the poles taken out"),
                "paper": Option({"K": by_sum}, "microphysics, model 3", "256 points in ln λ, as the papers do"),
            },
        ),
        VELOCITY,
        DISPERSION,
        FLAT_VELOCITY,
    ),
    parameters=(
        Parameter("A", "A_res", 1.0, "", (0.0, 100.0), "fixed", "microphysics", "amplitude"),
        Parameter("alpha", "α", 2.0, "", (0.0, 4.0), "fixed", "microphysics", "slope of the spectrum"),
        Parameter("lambda_cut", "λ_cut", 2000.0, "kpc", (10.0, 1e6), "fixed", "microphysics", "end of the spectrum"),
        Parameter("beta_Q", "β_Q", 1.0, "", (0.0, 3.0), "fixed", "microphysics", "exponent of the quality"),
        SIGMA_V,
    ),
)
