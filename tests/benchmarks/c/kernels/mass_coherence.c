/* 1 + K_max [1 - exp(-(Psi/Psi_0)^delta)] over psi_0 x delta x K_max, Psi from V_flat^2 R_max. */
#include "nest.h"

void sums(ARGUMENTS)
{
    TABLE(boost, size);
    SYSTEMS {
        double speed = flat_velocity(v_obs + off[s], off[s + 1] - off[s]) * 1e3 / c, last = scale_length_outermost[s];
        double r_eff = reff_factor * last, depth = speed * speed * last * (l_0 * l_0) / (r_eff * r_eff * r_eff), *at = boost;
        EACH(i, psi_0) EACH(j, delta) {
            double t = -expm1(-pow(depth / psi_0[i], delta[j]));
            EACH(m, K_max) *at++ = 1 + K_max[m] * t;
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
