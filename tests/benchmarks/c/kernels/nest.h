/* What the C counterparts of the kernels share.

   Each leaves sums of squared residuals of every system over a product grid, its innermost axis last. ARGUMENTS is written
   by bench_kernels.py from the terms that sigcube would compute, and has the names that sigcube has: the variables of
   points and of systems, numbers for what is fixed, and for each axis its values and how many there are, n_<axis>. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef const double *restrict in;

#define TABLE(name, n) double *restrict name = malloc(sizeof(double) * (n))
#define EACH(i, axis) for (long i = 0; i < n_##axis; i++)
#define SYSTEMS for (long s = 0; s < n_systems && clear(out + s * size, size); s++)
#define POINTS for (long q = off[s]; q < off[s + 1]; q++)
/* At the head of a point: where its residuals go, what was observed, and V_bar^2. */
#define POINT                                                                                                           \
    double *restrict row = out + s * size, o = v_obs[q];                                                                \
    double b = v_gas[q] * fabs(v_gas[q]) + upsilon_disk * (v_disk[q] * v_disk[q]) + upsilon_bulge * (v_bul[q] * v_bul[q]);
/* The innermost loop: V^2 in terms of m. */
#define ADD_UP(axis, v_sq)                                                                                              \
    EACH(m, axis) {                                                                                                     \
        double residual = sqrt(v_sq) - o;                                                                               \
        row[m] += residual * residual;                                                                                  \
    }                                                                                                                   \
    row += n_##axis;

static inline int clear(double *sums, long n) { memset(sums, 0, sizeof(double) * n); return 1; }

static inline double acceleration(double v_sq, double r, double kpc) { return v_sq * 1e6 / (r * kpc); }

/* A middle value: the one of that rank. */
static inline double ranked(const double *x, long n, long wanted)
{
    for (long i = 0; i < n; i++) {
        long rank = 0;
        for (long j = 0; j < n; j++) rank += x[j] < x[i] || (x[j] == x[i] && j < i);
        if (rank == wanted) return x[i];
    }
    return NAN;
}

/* Median of the last ten velocities. */
static inline double flat_velocity(const double *v, long n)
{
    long last = n < 10 ? n : 10;
    const double *x = v + n - last;
    return 0.5 * (ranked(x, last, (last - 1) / 2) + ranked(x, last, last / 2));
}

/* Median of the exposure, 2 pi R/V against R/sigma^beta. */
static inline double exposure(const double *v, long n, double noise)
{
    double low = ranked(v, n, (n - 1) / 2) / (2 * M_PI), high = ranked(v, n, n / 2) / (2 * M_PI);
    return 0.5 * (low / (low + noise) + high / (high + noise));
}
