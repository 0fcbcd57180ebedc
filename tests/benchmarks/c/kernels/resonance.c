/* 1 + A K over alpha x lambda_cut x sigma_v: the integral K by 28 nodes, the poles of the resonance taken out. */
#include "nest.h"

#define NODES 28
static const double SHORTEST = 0.1, LONGEST = 1e4, TURN = 2 * M_PI;
static const double WAVE[NODES] = {
    0.10420141385916776, 0.12349576812902871, 0.16406089899022208, 0.23718148371845776, 0.36200809887834406,
    0.5692550061555938,  0.9075974876685877,  1.4546737914997245,  2.3352445135822495,  3.7502584510003327,
    6.023089078645793,   9.673486371068073,   15.536350618822148,  24.95262319585266,   40.07594681132397,
    64.3651797345838,    103.3753459343105,   166.0277619910008,   266.64828919544544,  428.22068275240554,
    687.4393460880534,   1101.8100133449834,  1756.6819600821766,  2762.369137868539,   4216.180725081528,
    6095.297576417641,   8097.443460209886,   9596.798766584288,
};
static const double WEIGHT[NODES] = {
    0.104934687339329,   0.2313924960802803,  0.33157907342125115, 0.400432002460042,   0.44113713018440726,
    0.4615394737815274,  0.47002853639349146, 0.472875162027949,   0.4736152728750737,  0.4737601053239783,
    0.4737845380558046,  0.4737916136249202,  0.4737954190654788,  0.473797221851581,   0.473797221851581,
    0.4737954190654788,  0.4737916136249202,  0.4737845380558046,  0.4737601053239783,  0.4736152728750737,
    0.472875162027949,   0.47002853639349146, 0.4615394737815274,  0.44113713018440726, 0.400432002460042,
    0.33157907342125115, 0.2313924960802803,  0.104934687339329,
};

/* What depends on the radius and the spectrum alone. */
struct orbit {
    double length, cut, log_length, alpha, far, near, low, high, reach, sinh[NODES], width[NODES], f[NODES];
};

static inline double angle(double x, double y, double size)
{
    double u = y / (size + fabs(x)), z = u * u;
    double series = 0.0429096138 + z * (-0.0161657367 + z * 0.0028662257);
    series = -0.1420889944 + z * (0.1065626393 + z * (-0.0752896400 + z * series));
    double half = u * (1 + z * (-0.3333314528 + z * (0.1999355085 + z * series)));
    return x >= 0 ? 2 * half : M_PI - 2 * half;
}

static inline double integral(const struct orbit *at, double quality)
{
    double s = fmin(fmax(0.5 * quality, 1e-60), 1), c = sqrt(fmax(1 - s * s, 1e-10)), q_sq = quality * quality;
    /* The integrand without the resonance at a pole, p + i q s. */
    double turned = at->alpha * angle(c, s, 1) + fmin(at->cut * s, 40), size = exp(-at->alpha * at->log_length - at->cut * c);
    double real = 1 + TURN * TURN * (c * c - s * s), imaginary = -2 * TURN * TURN * s * c;
    size /= real * real + imaginary * imaginary;
    /* Two cosines: gcc makes of a cosine and a sine one call, which does not vectorise. */
    double cosine = cos(turned), sine = cos(turned - M_PI / 2), inside = s < 1 ? 1 : 0;
    double p = inside * size * (cosine * real + sine * imaginary), q = inside * size * (cosine * imaginary - sine * real) / s;
    /* Both integrals over the resonance. */
    double x = s * s + c * c * (at->far * at->near), y = s * c * (at->far - at->near);
    double even = s / c * angle(x, y, sqrt(x * x + y * y)), above = at->reach + s * s / (1 + c);
    double odd = 0.5 * s * s / c * log((at->high - c) * (at->low + c) / ((at->high + c) * above));
    double total = 0;
#define TERM(i) (WEIGHT[i] * (at->f[i] - p - q * at->sinh[i]))
#define PAIR(i, j) total += (TERM(i) * (q_sq + at->width[j]) + TERM(j) * (q_sq + at->width[i])) / ((q_sq + at->width[i]) * (q_sq + at->width[j]));
    PAIR(0, 1) PAIR(2, 3) PAIR(4, 5) PAIR(6, 7) PAIR(8, 9) PAIR(10, 11) PAIR(12, 13)
    PAIR(14, 15) PAIR(16, 17) PAIR(18, 19) PAIR(20, 21) PAIR(22, 23) PAIR(24, 25) PAIR(26, 27)
    return fmax(q_sq * total + p * even + q * odd, 0);
}

void sums(ARGUMENTS)
{
    TABLE(spectrum, n_alpha * n_lambda_cut * NODES);
    TABLE(quality, n_sigma_v);
    EACH(i, alpha) EACH(j, lambda_cut) for (int l = 0; l < NODES; l++)
        spectrum[(i * n_lambda_cut + j) * NODES + l] = exp(-alpha[i] * log(WAVE[l]) - WAVE[l] / lambda_cut[j]);
    SYSTEMS POINTS {
        POINT
        struct orbit at = {.length = TURN * r[q], .log_length = log(TURN * r[q])};
        double v = sqrt(b), length = at.length, square = length * length, fits[NODES];
        at.far = (LONGEST * LONGEST - square) / (LONGEST * LONGEST + square);
        at.near = (SHORTEST * SHORTEST - square) / (SHORTEST * SHORTEST + square);
        at.low = 0.5 * (SHORTEST / length + length / SHORTEST);
        at.high = 0.5 * (LONGEST / length + length / LONGEST);
        at.reach = 0.5 * (SHORTEST - length) * (SHORTEST - length) / (SHORTEST * length);
        for (int l = 0; l < NODES; l++) {
            at.sinh[l] = 0.5 * (WAVE[l] / length - length / WAVE[l]);
            at.width[l] = 4 * at.sinh[l] * at.sinh[l];
            fits[l] = 1 / (1 + (WAVE[l] / r[q]) * (WAVE[l] / r[q]));
        }
        EACH(m, sigma_v) quality[m] = pow(v / sigma_v[m], beta_Q);
        EACH(i, alpha) EACH(j, lambda_cut) {
            at.alpha = alpha[i];
            at.cut = length / lambda_cut[j];
            for (int l = 0; l < NODES; l++) at.f[l] = spectrum[(i * n_lambda_cut + j) * NODES + l] * fits[l];
            ADD_UP(sigma_v, b * (1 + A * integral(&at, quality[m])))
        }
    }
    free(spectrum);
    free(quality);
}
