/* Roughness and the missing factor together. */
#include "nest.h"

#if defined(combination_sum)
/* 1 + K_0 Xi^gamma + K_max [1 - exp(-(Psi/Psi_0)^delta)] over psi_0 x K_0 x K_max: one number a system. */
void sums(ARGUMENTS)
{
    TABLE(boost, size);
    SYSTEMS {
        const double *v = v_obs + off[s];
        long n = off[s + 1] - off[s];
        double v_flat = flat_velocity(v, n), speed = v_flat * 1e3 / c, last = scale_length_outermost[s];
        double r_eff = reff_factor * last, depth = speed * speed * last * (l_0 * l_0) / (r_eff * r_eff * r_eff), *at = boost;
        double rough = pow(exposure(v, n, pow(0.15 * v_flat, beta)), gamma);
        EACH(i, psi_0) {
            double t = -expm1(-pow(depth / psi_0[i], delta));
            EACH(j, K_0) {
                double rest = 1 + K_0[j] * rough;
                EACH(m, K_max) *at++ = rest + K_max[m] * t;
            }
        }
        POINTS {
            POINT
            for (long m = 0; m < size; m++) {
                double residual = sqrt(b * boost[m]) - o;
                row[m] += residual * residual;
            }
        }
    }
    free(boost);
}

#elif defined(combination_product)
/* 1 + K_0 Xi^gamma Burr(r) [1 + 0.25 (F - 1)] over K_0 x l_0 x n. */
void sums(ARGUMENTS)
{
    TABLE(shape, n_l_0 * n_n);
    SYSTEMS {
        const double *v = v_obs + off[s];
        long points = off[s + 1] - off[s];
        double sigma = 0.15 * flat_velocity(v, points);
        double functional = F_0 * pow(sigma_ref / sigma, a_sigma) * pow(r_ref / scale_length_outermost[s], a_r);
        double gated = fmin(functional / (1 + pow(sigma / sigma_c, gamma_gate)), 5);
        double factor = pow(exposure(v, points, pow(sigma, beta)), gamma) * (1 + 0.25 * (gated - 1));
        POINTS {
            POINT
            EACH(j, l_0) {
                double t = log1p(pow(r[q] / l_0[j], p));
                EACH(m, n) shape[j * n_n + m] = -expm1(-n[m] * t);
            }
            EACH(i, K_0) {
                double t = K_0[i] * factor;
                EACH(j, l_0) {
                    const double *restrict burr = shape + j * n_n;
                    ADD_UP(n, b * (1 + t * burr[m]))
                }
            }
        }
    }
    free(shape);
}
#endif
