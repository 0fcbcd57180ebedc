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

from sigcube.kernels.compiled import helper
from sigcube.kernels.record import Choice, Kernel, Option, Parameter
from sigcube.kernels.systems import DISPERSION, FLAT_VELOCITY, SIGMA_V, VELOCITY
from sigcube.vecmath import exp, log, pow

__all__ = ["RESONANCE"]

_PI = 3.141592653589793
_TWO_PI = 6.283185307179586
_SHORTEST, _LONGEST = 0.1, 1e4
_PAPER_POINTS = 256


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
    bounded where e^{−λ/λ_cut} leaves nothing of f.
    """
    orbit = _TWO_PI * r
    cut = min(orbit / lambda_cut, 40.0)
    cosine, sine = turn(alpha * angle(c, s, 1.0) + cut * s)
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
    return 0.5 * s * s / c * log((high - c) * (low + c) / ((high + c) * (low - c)))


@helper
def left(
    wave: float, log_wave: float, weight: float, r: float, alpha: float, lambda_cut: float, p: float, q: float
) -> float:
    """Return w (f − p − q sinh t) at a node, f = P W."""
    fits = spectrum(wave, log_wave, alpha, lambda_cut) / (1.0 + (wave / r) * (wave / r))
    return weight * (fits - p - q * sinh(wave, r))


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


def by_poles(r: float, quality: float, alpha: float, lambda_cut: float) -> float:
    """∫ dlnλ P C W (microphysics, model 3), to 1e-6: see the module."""
    orbit, q_sq = _TWO_PI * r, quality * quality
    s = min(max(0.5 * quality, 1e-9), 1.0)
    c = np.sqrt(max(1.0 - s * s, 1e-10))
    p, q = at_pole(s, c, r, alpha, lambda_cut)
    # From Q = 2 on the poles are at the edge of the strip, where the rule does not see them.
    p, q = (p, q) if s < 1.0 else (0.0, 0.0)
    poles = p * integral_of_resonance(s, c, orbit) + q * integral_of_odd_part(s, c, orbit)
    total = 0.0
    # λ, ln λ and weight in ln λ of the nodes. Written out, because LLVM does not unroll a loop as long as this.
    a = left(0.10420141385916776, -2.2614295810489002, 0.104934687339329, r, alpha, lambda_cut, p, q)
    b = left(0.12349576812902871, -2.0915483896629143, 0.2313924960802803, r, alpha, lambda_cut, p, q)
    total += over_resonance(a, b, 0.10420141385916776, 0.12349576812902871, r, q_sq)
    a = left(0.16406089899022208, -1.8075175847795983, 0.33157907342125115, r, alpha, lambda_cut, p, q)
    b = left(0.23718148371845776, -1.4389296768007582, 0.400432002460042, r, alpha, lambda_cut, p, q)
    total += over_resonance(a, b, 0.16406089899022208, 0.23718148371845776, r, q_sq)
    a = left(0.36200809887834406, -1.016088694814518, 0.44113713018440726, r, alpha, lambda_cut, p, q)
    b = left(0.5692550061555938, -0.5634267797763978, 0.4615394737815274, r, alpha, lambda_cut, p, q)
    total += over_resonance(a, b, 0.36200809887834406, 0.5692550061555938, r, q_sq)
    a = left(0.9075974876685877, -0.09695429418452611, 0.47002853639349146, r, alpha, lambda_cut, p, q)
    b = left(1.4546737914997245, 0.37478167720528766, 0.472875162027949, r, alpha, lambda_cut, p, q)
    total += over_resonance(a, b, 0.9075974876685877, 1.4546737914997245, r, q_sq)
    a = left(2.3352445135822495, 0.8481166023760258, 0.4736152728750737, r, alpha, lambda_cut, p, q)
    b = left(3.7502584510003327, 1.3218247578741824, 0.4737601053239783, r, alpha, lambda_cut, p, q)
    total += over_resonance(a, b, 2.3352445135822495, 3.7502584510003327, r, q_sq)
    a = left(6.023089078645793, 1.7956002636991524, 0.4737845380558046, r, alpha, lambda_cut, p, q)
    b = left(9.673486371068073, 2.2693887792418446, 0.4737916136249202, r, alpha, lambda_cut, p, q)
    total += over_resonance(a, b, 6.023089078645793, 9.673486371068073, r, q_sq)
    a = left(15.536350618822148, 2.7431824794471282, 0.4737954190654788, r, alpha, lambda_cut, p, q)
    b = left(24.95262319585266, 3.216978954781231, 0.473797221851581, r, alpha, lambda_cut, p, q)
    total += over_resonance(a, b, 15.536350618822148, 24.95262319585266, r, q_sq)
    a = left(40.07594681132397, 3.690776324200906, 0.473797221851581, r, alpha, lambda_cut, p, q)
    b = left(64.3651797345838, 4.164572799535009, 0.4737954190654788, r, alpha, lambda_cut, p, q)
    total += over_resonance(a, b, 40.07594681132397, 64.3651797345838, r, q_sq)
    a = left(103.3753459343105, 4.638366499740292, 0.4737916136249202, r, alpha, lambda_cut, p, q)
    b = left(166.0277619910008, 5.112155015282985, 0.4737845380558046, r, alpha, lambda_cut, p, q)
    total += over_resonance(a, b, 103.3753459343105, 166.0277619910008, r, q_sq)
    a = left(266.64828919544544, 5.585930521107954, 0.4737601053239783, r, alpha, lambda_cut, p, q)
    b = left(428.22068275240554, 6.059638676606111, 0.4736152728750737, r, alpha, lambda_cut, p, q)
    total += over_resonance(a, b, 266.64828919544544, 428.22068275240554, r, q_sq)
    a = left(687.4393460880534, 6.532973601776849, 0.472875162027949, r, alpha, lambda_cut, p, q)
    b = left(1101.8100133449834, 7.0047095731666635, 0.47002853639349146, r, alpha, lambda_cut, p, q)
    total += over_resonance(a, b, 687.4393460880534, 1101.8100133449834, r, q_sq)
    a = left(1756.6819600821766, 7.471182058758535, 0.4615394737815274, r, alpha, lambda_cut, p, q)
    b = left(2762.369137868539, 7.9238439737966555, 0.44113713018440726, r, alpha, lambda_cut, p, q)
    total += over_resonance(a, b, 1756.6819600821766, 2762.369137868539, r, q_sq)
    a = left(4216.180725081528, 8.346684955782896, 0.400432002460042, r, alpha, lambda_cut, p, q)
    b = left(6095.297576417641, 8.715272863761735, 0.33157907342125115, r, alpha, lambda_cut, p, q)
    total += over_resonance(a, b, 4216.180725081528, 6095.297576417641, r, q_sq)
    a = left(8097.443460209886, 8.999303668645052, 0.2313924960802803, r, alpha, lambda_cut, p, q)
    b = left(9596.798766584288, 9.169184860031038, 0.104934687339329, r, alpha, lambda_cut, p, q)
    total += over_resonance(a, b, 8097.443460209886, 9596.798766584288, r, q_sq)
    return max(q_sq * total + poles, 0.0)


def by_sum(r: float, quality: float, alpha: float, lambda_cut: float) -> float:
    """∫ dlnλ P C W by the trapezoidal rule on 256 points even in ln λ (microphysics, model 3).

    Near the resonance of a cold system, or where Q is small, the points are too far apart: off by 1 % at small radii.
    """
    orbit, q_sq = _TWO_PI * r, quality * quality
    step = log(_LONGEST / _SHORTEST) / (_PAPER_POINTS - 1)
    total = 0.0
    for j in range(_PAPER_POINTS):
        log_wave = log(_SHORTEST) + j * step
        wave = exp(log_wave)
        off = wave / orbit - orbit / wave
        fits = spectrum(wave, log_wave, alpha, lambda_cut) / (1.0 + (wave / r) * (wave / r))
        share = 0.5 if j == 0 or j == _PAPER_POINTS - 1 else 1.0
        total += share * fits * q_sq / (q_sq + off * off)
    return step * total


RESONANCE = Kernel(
    name="resonance",
    title="metric resonance",
    source="microphysics, model 3",
    terms={"boost": boost, "quality": quality},
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
