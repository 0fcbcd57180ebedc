/* Sums of squared residuals per system over g_dagger x xi x A, geometric window: nests as good as we could make them.

   What depends on fewer parameters is kept in tables; the innermost loop vectorises; BLOCK points share one pass over the
   sums, so that these are loaded and stored less often. Built once with BLOCK = 1 and once with BLOCK = 4. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#ifndef BLOCK
#define BLOCK 1
#endif
#define INLINE static inline __attribute__((always_inline))
#define IN const double *restrict

static const double KPC = KPC_IN_M;

INLINE double h_of(double g, double gd) { return sqrt(gd / g) * (gd / (gd + g)); }

/* out: (g_dagger, xi, A) */
INLINE void points_a(const int b, IN r, IN v, IN vb, double rd, long ng, IN gd, long nx, IN xi, long na, IN a, double *restrict h,
                     double *restrict w, double *restrict out)
{
    for (int q = 0; q < b; q++) {
        double g = vb[q] * 1e6 / (r[q] * KPC);
        for (long i = 0; i < ng; i++) h[q * ng + i] = h_of(g, gd[i]);
        for (long j = 0; j < nx; j++) w[q * nx + j] = r[q] / (fmax(xi[j] * rd, 0.01) + r[q]);
    }
    for (long i = 0; i < ng; i++)
        for (long j = 0; j < nx; j++) {
            double t[BLOCK], p[BLOCK], o[BLOCK];
            double *restrict row = out + (i * nx + j) * na;
            for (int q = 0; q < b; q++) {
                t[q] = w[q * nx + j] * h[q * ng + i];
                p[q] = vb[q];
                o[q] = v[q];
            }
            for (long k = 0; k < na; k++) {
                double sum = 0;
                for (int q = 0; q < b; q++) {
                    double d = sqrt(p[q] * (1 + a[k] * t[q])) - o[q];
                    sum += d * d;
                }
                row[k] += sum;
            }
        }
}

/* out: (xi, A, g_dagger) */
INLINE void points_g(const int b, IN r, IN v, IN vb, double rd, long ng, IN gd, long nx, IN xi, long na, IN a, double *restrict h,
                     double *restrict w, double *restrict out)
{
    for (int q = 0; q < b; q++) {
        double g = vb[q] * 1e6 / (r[q] * KPC);
        for (long i = 0; i < ng; i++) h[q * ng + i] = h_of(g, gd[i]);
        for (long j = 0; j < nx; j++) w[q * nx + j] = r[q] / (fmax(xi[j] * rd, 0.01) + r[q]);
    }
    for (long j = 0; j < nx; j++)
        for (long k = 0; k < na; k++) {
            double t[BLOCK], p[BLOCK], o[BLOCK];
            double *restrict row = out + (j * na + k) * ng;
            for (int q = 0; q < b; q++) {
                t[q] = a[k] * w[q * nx + j];
                p[q] = vb[q];
                o[q] = v[q];
            }
            for (long i = 0; i < ng; i++) {
                double sum = 0;
                for (int q = 0; q < b; q++) {
                    double d = sqrt(p[q] * (1 + t[q] * h[q * ng + i])) - o[q];
                    sum += d * d;
                }
                row[i] += sum;
            }
        }
}

#define DRIVE(POINTS)                                                                                                   \
    long n = ng * nx * na;                                                                                              \
    double *h = malloc(sizeof(double) * BLOCK * ng), *w = malloc(sizeof(double) * BLOCK * nx);                          \
    for (long s = 0; s < ns; s++) {                                                                                     \
        double *restrict row = out + s * n;                                                                             \
        memset(row, 0, sizeof(double) * n);                                                                             \
        long p = off[s], end = off[s + 1];                                                                              \
        for (; p + BLOCK <= end; p += BLOCK)                                                                            \
            POINTS(BLOCK, r + p, v + p, vb + p, rd[s], ng, gd, nx, xi, na, a, h, w, row);                               \
        for (; p < end; p++) POINTS(1, r + p, v + p, vb + p, rd[s], ng, gd, nx, xi, na, a, h, w, row);                  \
    }                                                                                                                   \
    free(h);                                                                                                            \
    free(w);

#define ARGUMENTS                                                                                                       \
    long ns, const long *restrict off, IN r, IN v, IN vb, IN rd, long ng, IN gd, long nx, IN xi, long na, IN a,         \
        double *restrict out

void nested_last(ARGUMENTS) { DRIVE(points_a) }
void nested_other(ARGUMENTS) { DRIVE(points_g) }

/* a list of parameters: gd, xi and a have one length; BY_ROOT splits the root of a quotient, which the compiler may not */
INLINE void points_flat(const int b, IN r, IN v, IN vb, IN root, IN xd, long n, IN gd, IN a, double *restrict out)
{
    double g[BLOCK], inv[BLOCK];
    for (int q = 0; q < b; q++) {
        g[q] = vb[q] * 1e6 / (r[q] * KPC);
        inv[q] = 1 / sqrt(g[q]);
    }
    for (long k = 0; k < n; k++) {
        double sum = 0;
        for (int q = 0; q < b; q++) {
#ifdef BY_ROOT
            double h = root[k] * inv[q] * (gd[k] / (gd[k] + g[q]));
#else
            double h = h_of(g[q], gd[k]);
#endif
            double w = r[q] / (xd[k] + r[q]);
            double d = sqrt(vb[q] * (1 + a[k] * (w * h))) - v[q];
            sum += d * d;
        }
        out[k] += sum;
    }
}

void flat(long ns, const long *restrict off, IN r, IN v, IN vb, IN rd, long n, IN gd, long nx, IN xi, long na, IN a,
          double *restrict out)
{
    (void)nx, (void)na;
    double *root = malloc(sizeof(double) * n), *xd = malloc(sizeof(double) * n);
    for (long k = 0; k < n; k++) root[k] = sqrt(gd[k]);
    for (long s = 0; s < ns; s++) {
        double *restrict row = out + s * n;
        memset(row, 0, sizeof(double) * n);
        for (long k = 0; k < n; k++) xd[k] = fmax(xi[k] * rd[s], 0.01);
        long p = off[s], end = off[s + 1];
        for (; p + BLOCK <= end; p += BLOCK) points_flat(BLOCK, r + p, v + p, vb + p, root, xd, n, gd, a, row);
        for (; p < end; p++) points_flat(1, r + p, v + p, vb + p, root, xd, n, gd, a, row);
    }
    free(root);
    free(xd);
}
