/* Sums of squared residuals per system for boost = 1 + A (1 - exp(-x)) exp(-y/x) h, x = (r/r0)^beta, y = (g/g_dagger)^alpha:
   over r0 x beta x alpha x A, and over a list of parameters. With -ffast-math, exp and pow are libmvec's.

   With BY_LOG, a power is written as exp(exponent log(base)), the logarithms in tables: a little less exact, and faster. */
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
    long ns, const long *restrict off, IN r, IN v, IN vb, IN rd, long nr, IN r0, long nb, IN beta, long nl, IN alpha,   \
        long na, IN a, double *restrict out

/* y over alpha, x and 1/x over beta in tables; BODY runs for each point, r0 and beta. */
#define DRIVE(BODY)                                                                                                     \
    long n = nr * nb * nl * na;                                                                                         \
    double *y = malloc(sizeof(double) * nl), *w = malloc(sizeof(double) * nl);                                          \
    double *f = malloc(sizeof(double) * nb), *u = malloc(sizeof(double) * nb);                                          \
    (void)rd;                                                                                                           \
    for (long s = 0; s < ns; s++) {                                                                                     \
        memset(out + s * n, 0, sizeof(double) * n);                                                                     \
        for (long p = off[s]; p < off[s + 1]; p++) {                                                                    \
            double g = vb[p] * 1e6 / (r[p] * KPC), h = h_of(g), o = v[p], b = vb[p], q = g / GD, log_q = log(q);        \
            for (long l = 0; l < nl; l++) y[l] = POWER(q, log_q, alpha[l]);                                             \
            for (long i = 0; i < nr; i++) {                                                                             \
                double t = r[p] / r0[i], log_t = log(t);                                                                \
                for (long j = 0; j < nb; j++) {                                                                         \
                    double x = POWER(t, log_t, beta[j]);                                                                \
                    f[j] = (1 - exp(-x)) * h;                                                                           \
                    u[j] = 1 / x;                                                                                       \
                }                                                                                                       \
                for (long j = 0; j < nb; j++) {                                                                         \
                    double *restrict row = out + s * n + (i * nb + j) * nl * na;                                        \
                    double phi = f[j], inverse = u[j];                                                                  \
                    BODY                                                                                                \
                }                                                                                                       \
            }                                                                                                           \
            (void)log_q;                                                                                                \
        }                                                                                                               \
    }                                                                                                                   \
    free(y);                                                                                                            \
    free(w);                                                                                                            \
    free(f);                                                                                                            \
    free(u);

/* out: (r0, beta, alpha, A) */
void nested_last(ARGUMENTS)
{
    DRIVE(for (long l = 0; l < nl; l++) w[l] = phi * exp(-y[l] * inverse);
          for (long l = 0; l < nl; l++) for (long k = 0; k < na; k++) {
              double d = sqrt(b * (1 + a[k] * w[l])) - o;
              row[l * na + k] += d * d;
          })
}

/* out: (r0, beta, A, alpha) */
void nested_other(ARGUMENTS)
{
    DRIVE(for (long l = 0; l < nl; l++) w[l] = phi * exp(-y[l] * inverse);
          for (long k = 0; k < na; k++) for (long l = 0; l < nl; l++) {
              double d = sqrt(b * (1 + a[k] * w[l])) - o;
              row[k * nl + l] += d * d;
          })
}

/* out: (r0, beta, A, alpha), the exponential in the innermost loop */
void fused_other(ARGUMENTS)
{
    DRIVE(for (long k = 0; k < na; k++) for (long l = 0; l < nl; l++) {
              double d = sqrt(b * (1 + a[k] * (phi * exp(-y[l] * inverse)))) - o;
              row[k * nl + l] += d * d;
          })
}

/* out: (r0, alpha, A, beta) */
void beta_last(ARGUMENTS)
{
    long n = nr * nb * nl * na;
    double *f = malloc(sizeof(double) * nb), *u = malloc(sizeof(double) * nb), *w = malloc(sizeof(double) * nb);
    (void)rd;
    for (long s = 0; s < ns; s++) {
        memset(out + s * n, 0, sizeof(double) * n);
        for (long p = off[s]; p < off[s + 1]; p++) {
            double g = vb[p] * 1e6 / (r[p] * KPC), h = h_of(g), o = v[p], b = vb[p], q = g / GD, log_q = log(q);
            for (long i = 0; i < nr; i++) {
                double t = r[p] / r0[i], log_t = log(t);
                for (long j = 0; j < nb; j++) {
                    double x = POWER(t, log_t, beta[j]);
                    f[j] = (1 - exp(-x)) * h;
                    u[j] = 1 / x;
                }
                for (long l = 0; l < nl; l++) {
                    double y = POWER(q, log_q, alpha[l]);
                    for (long j = 0; j < nb; j++) w[j] = f[j] * exp(-y * u[j]);
                    for (long k = 0; k < na; k++) {
                        double *restrict row = out + s * n + ((i * nl + l) * na + k) * nb;
                        for (long j = 0; j < nb; j++) {
                            double d = sqrt(b * (1 + a[k] * w[j])) - o;
                            row[j] += d * d;
                        }
                    }
                }
                (void)log_t;
            }
            (void)log_q;
        }
    }
    free(f);
    free(u);
    free(w);
}

void flat(long ns, const long *restrict off, IN r, IN v, IN vb, IN rd, long n, IN r0, long nb, IN beta, long nl, IN alpha,
          long na, IN a, double *restrict out)
{
    double *log_r0 = malloc(sizeof(double) * n);
    for (long k = 0; k < n; k++) log_r0[k] = log(r0[k]);
    for (long s = 0; s < ns; s++) {
        double *restrict row = out + s * n;
        memset(row, 0, sizeof(double) * n);
        for (long p = off[s]; p < off[s + 1]; p++) {
            double g = vb[p] * 1e6 / (r[p] * KPC), h = h_of(g), q = g / GD, o = v[p], b = vb[p], rp = r[p];
            double log_r = log(rp), log_q = log(q);
            for (long k = 0; k < n; k++) {
                double x = POWER(rp / r0[k], log_r - log_r0[k], beta[k]), y = POWER(q, log_q, alpha[k]);
                double d = sqrt(b * (1 + a[k] * ((1 - exp(-x)) * exp(-y / x) * h))) - o;
                row[k] += d * d;
            }
            (void)log_r, (void)log_q;
        }
    }
    free(log_r0);
    (void)rd, (void)nb, (void)nl, (void)na;
}
