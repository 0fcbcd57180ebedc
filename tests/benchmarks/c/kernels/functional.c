/* 1 + F_0 (sigma_ref/sigma_v)^a (R_ref/R_d)^b over a_sigma x a_r x F_0. */
#include "nest.h"

void sums(ARGUMENTS)
{
    TABLE(boost, size);
    SYSTEMS {
        double sigma = 0.15 * flat_velocity(v_obs + off[s], off[s + 1] - off[s]), *at = boost;
        EACH(i, a_sigma) {
            double first = pow(sigma_ref / sigma, a_sigma[i]);
            EACH(j, a_r) {
                double t = first * pow(r_ref / scale_length_outermost[s], a_r[j]);
                EACH(m, F_0) *at++ = 1 + F_0[m] * t;
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
