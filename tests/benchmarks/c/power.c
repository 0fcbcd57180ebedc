/* Sums of squared residuals per system over xi x k x A, power window 1 - (xi/(xi+r))^k. With -ffast-math, pow is libmvec's.

   With BY_LOG, the power is written as exp(k log(xi/(xi+r))): a little less exact, and faster. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define IN const double *restrict
#ifdef BY_LOG
#define POWER(base, log_base, exponent) exp((exponent) * (log_base))
#else
#define POWER(base, log_base, exponent) pow(base, exponent)
#endif

static const double KPC = KPC_IN_M, GD = G_DAGGER;

static double h_of(double g) { return sqrt(GD / g) * (GD / (GD + g)); }

#define ARGUMENTS                                                                                                       \
    long ns, const long *restrict off, IN r, IN v, IN vb, IN rd, long nx, IN xi, long nk, IN k, long na, IN a,          \
        double *restrict out

#define DRIVE(BODY)                                                                                                     \
    long n = nx * nk * na;                                                                                              \
    double *w = malloc(sizeof(double) * nk);                                                                            \
    for (long s = 0; s < ns; s++) {                                                                                     \
        memset(out + s * n, 0, sizeof(double) * n);                                                                     \
        for (long p = off[s]; p < off[s + 1]; p++) {                                                                    \
            double h = h_of(vb[p] * 1e6 / (r[p] * KPC)), o = v[p], b = vb[p];                                           \
            for (long j = 0; j < nx; j++) {                                                                             \
                double x = fmax(xi[j] * rd[s], 0.01), base = x / (x + r[p]), log_base = log(base);                      \
                double *restrict row = out + s * n + j * nk * na;                                                       \
                BODY                                                                                                    \
                (void)log_base;                                                                                         \
            }                                                                                                           \
        }                                                                                                               \
    }                                                                                                                   \
    free(w);

/* out: (xi, k, A) */
void nested_last(ARGUMENTS)
{
    DRIVE(for (long l = 0; l < nk; l++) w[l] = (1 - POWER(base, log_base, k[l])) * h;
          for (long l = 0; l < nk; l++) for (long i = 0; i < na; i++) {
              double d = sqrt(b * (1 + a[i] * w[l])) - o;
              row[l * na + i] += d * d;
          })
}

/* out: (xi, A, k) */
void nested_other(ARGUMENTS)
{
    DRIVE(for (long l = 0; l < nk; l++) w[l] = (1 - POWER(base, log_base, k[l])) * h;
          for (long i = 0; i < na; i++) for (long l = 0; l < nk; l++) {
              double d = sqrt(b * (1 + a[i] * w[l])) - o;
              row[i * nk + l] += d * d;
          })
}

/* out: (xi, A, k), the power in the innermost loop */
void fused_other(ARGUMENTS)
{
    DRIVE(for (long i = 0; i < na; i++) for (long l = 0; l < nk; l++) {
              double d = sqrt(b * (1 + a[i] * ((1 - POWER(base, log_base, k[l])) * h))) - o;
              row[i * nk + l] += d * d;
          })
}
