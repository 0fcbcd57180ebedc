/* 1 + K_0 Xi^gamma over beta x gamma x K_0: one number a system, so all of it in a table. */
#include "nest.h"

void sums(ARGUMENTS)
{
    TABLE(boost, size);
    SYSTEMS {
        const double *v = v_obs + off[s];
        long n = off[s + 1] - off[s];
        double sigma = 0.15 * flat_velocity(v, n), *at = boost;
        EACH(i, beta) {
            double xi = exposure(v, n, pow(sigma, beta[i]));
            EACH(j, gamma) {
                double t = pow(xi, gamma[j]);
                EACH(m, K_0) *at++ = 1 + K_0[m] * t;
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
