/* 1 + A W h(g) under each window: W and h in tables, the sum over what costs nothing but a root innermost. */
#include "nest.h"

static inline double h_of(double g, double gd) { return sqrt(gd / g) * (gd / (gd + g)); }

static inline double later(double gd, double z, double omega_m)
{
    return gd * sqrt(omega_m * (1 + z) * (1 + z) * (1 + z) + (1 - omega_m));
}

static inline double field(double g_bar, double g_ext) { return sqrt(g_bar * g_bar + g_ext * g_ext); }

/* V^2/(V^2+u) where V^2 = b (1 + t V^2/(V^2+u)): the positive root of a quadratic. */
static inline double ordered(double b, double t, double u)
{
    double p = b * (1 + t) - u, w = b * u, root = sqrt(p * p + 4 * w);
    double upper = 0.5 * (b * (1 + t) - u + root), lower = 2 * w / (root - p), v = p >= 0 ? upper : lower;
    return v / (v + u);
}

#define G_POINT double g = field(acceleration(b, r[q], kpc), g_ext);

#if defined(window_none)
/* g_dagger x A */
void sums(ARGUMENTS)
{
    SYSTEMS POINTS {
        POINT G_POINT
        EACH(i, g_dagger) {
            double t = coherence * h_of(g, later(g_dagger[i], z, omega_m));
            ADD_UP(A, b * (1 + A[m] * t))
        }
    }
}

#elif defined(window_geometric)
/* g_dagger x xi_scale x A */
void sums(ARGUMENTS)
{
    TABLE(w, n_xi_scale);
    SYSTEMS POINTS {
        POINT G_POINT
        EACH(j, xi_scale) w[j] = r[q] / (fmax(xi_scale[j] * scale_length_third_point[s], 0.01) + r[q]);
        EACH(i, g_dagger) {
            double h = coherence * h_of(g, later(g_dagger[i], z, omega_m));
            EACH(j, xi_scale) {
                double t = w[j] * h;
                ADD_UP(A, b * (1 + A[m] * t))
            }
        }
    }
    free(w);
}

#elif defined(window_free_scale)
/* g_dagger x xi x A */
void sums(ARGUMENTS)
{
    TABLE(w, n_xi);
    SYSTEMS POINTS {
        POINT G_POINT
        EACH(j, xi) w[j] = r[q] / (xi[j] + r[q]);
        EACH(i, g_dagger) {
            double h = coherence * h_of(g, later(g_dagger[i], z, omega_m));
            EACH(j, xi) {
                double t = w[j] * h;
                ADD_UP(A, b * (1 + A[m] * t))
            }
        }
    }
    free(w);
}

#elif defined(window_power)
/* xi_scale x A x k */
void sums(ARGUMENTS)
{
    TABLE(w, n_k);
    SYSTEMS POINTS {
        POINT G_POINT
        double h = coherence * h_of(g, later(g_dagger, z, omega_m));
        EACH(i, xi_scale) {
            double xi = fmax(xi_scale[i] * scale_length_third_point[s], 0.01), base = xi / (xi + r[q]);
            EACH(m, k) w[m] = (1 - pow(base, k[m])) * h;
            EACH(j, A) {
                double a = A[j];
                ADD_UP(k, b * (1 + a * w[m]))
            }
        }
    }
    free(w);
}

#elif defined(window_dynamical) || defined(window_dynamical_power)
static inline double baryons(double gas, double disk, double bulge, double upsilon_disk, double upsilon_bulge)
{
    return sqrt(gas * fabs(gas) + upsilon_disk * (disk * disk) + upsilon_bulge * (bulge * bulge));
}
#define BARYONS(q) baryons(v_gas[q], v_disk[q], v_bul[q], upsilon_disk, upsilon_bulge)

/* k_xi x g_dagger x A, k_xi x A x k of the power */
void sums(ARGUMENTS)
{
#ifdef window_dynamical
    TABLE(h, n_g_dagger);
#else
    TABLE(w, n_k);
#endif
    TABLE(xi, n_k_xi);
    SYSTEMS {
        double rd = scale_length_third_point[s], v;
        long from = off[s], to = off[s + 1], i = from;
        while (i < to && r[i] < rd) i++;
        if (i == from || i == to) v = BARYONS(i == from ? i : i - 1);
        else v = BARYONS(i - 1) + (rd - r[i - 1]) / (r[i] - r[i - 1]) * (BARYONS(i) - BARYONS(i - 1));
        double gas = v_gas_max[s] * v_gas_max[s], disk = upsilon_disk * v_disk_max[s] * v_disk_max[s];
        double bulge = upsilon_bulge * v_bul_max[s] * v_bul_max[s];
        double sigma_eff = (10 * gas + 25 * disk + 120 * bulge) / (gas + disk + bulge);
        EACH(j, k_xi) xi[j] = fmax(k_xi[j] * sigma_eff / (v / rd), 0.01);
        POINTS {
            POINT G_POINT
#ifdef window_dynamical
            EACH(j, g_dagger) h[j] = coherence * h_of(g, later(g_dagger[j], z, omega_m));
            EACH(j, k_xi) {
                double w = r[q] / (xi[j] + r[q]);
                EACH(l, g_dagger) {
                    double t = w * h[l];
                    ADD_UP(A, b * (1 + A[m] * t))
                }
            }
        }
    }
    free(h);
#else
            double h = coherence * h_of(g, later(g_dagger, z, omega_m));
            EACH(j, k_xi) {
                double base = xi[j] / (xi[j] + r[q]);
                EACH(m, k) w[m] = (1 - pow(base, k[m])) * h;
                EACH(l, A) {
                    double a = A[l];
                    ADD_UP(k, b * (1 + a * w[m]))
                }
            }
        }
    }
    free(w);
#endif
    free(xi);
}

#elif defined(window_local)
/* sigma_v x g_dagger x A */
void sums(ARGUMENTS)
{
    TABLE(h, n_g_dagger);
    SYSTEMS POINTS {
        POINT G_POINT
        EACH(j, g_dagger) h[j] = coherence * h_of(g, later(g_dagger[j], z, omega_m));
        EACH(i, sigma_v) {
            double u = sigma_v[i] * sigma_v[i];
            EACH(j, g_dagger) {
                double t = h[j];
                ADD_UP(A, b * (1 + A[m] * t * ordered(b, A[m] * t, u)))
            }
        }
    }
    free(h);
}

#elif defined(window_covariant)
/* scale_height x g_dagger x A */
void sums(ARGUMENTS)
{
    TABLE(h, n_g_dagger);
    double rates = (theta * theta + H0 * H0) * (kpc / 1e3) * (kpc / 1e3);
    SYSTEMS POINTS {
        POINT G_POINT
        double surface = (upsilon_disk * sb_disk[q] + upsilon_bulge * sb_bul[q]) * 1e6;
        EACH(j, g_dagger) h[j] = coherence * h_of(g, later(g_dagger[j], z, omega_m));
        EACH(i, scale_height) {
            double u = r[q] * r[q] * (4 * M_PI * G_galactic * (surface / (2 * scale_height[i])) + rates);
            EACH(j, g_dagger) {
                double t = h[j];
                ADD_UP(A, b * (1 + A[m] * t * ordered(b, A[m] * t, u)))
            }
        }
    }
    free(h);
}

#elif defined(window_dispersion)
/* sigma_over_vc x xi_scale x A */
void sums(ARGUMENTS)
{
    TABLE(w, n_xi_scale);
    TABLE(damping, n_sigma_over_vc);
    EACH(i, sigma_over_vc) damping[i] = exp(-sigma_over_vc[i] * sigma_over_vc[i]);
    SYSTEMS POINTS {
        POINT G_POINT
        double h = coherence * h_of(g, later(g_dagger, z, omega_m));
        EACH(j, xi_scale) w[j] = r[q] / (fmax(xi_scale[j] * scale_length_third_point[s], 0.01) + r[q]) * h;
        EACH(i, sigma_over_vc) {
            double e = damping[i];
            EACH(j, xi_scale) {
                double t = w[j] * e;
                ADD_UP(A, b * (1 + A[m] * t))
            }
        }
    }
    free(w);
    free(damping);
}
#endif
