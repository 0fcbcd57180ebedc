/* 1 + F_max [1 - exp(-(V_flat/V_ref)^(2 delta)/psi_0^delta)] over v_ref x delta x K_max. */
#include "nest.h"

void sums(ARGUMENTS)
{
    TABLE(boost, size);
    SYSTEMS {
        double v_flat = flat_velocity(v_obs + off[s], off[s + 1] - off[s]), *at = boost;
        EACH(i, v_ref) {
            double ratio = v_flat / v_ref[i];
            EACH(j, delta) {
                double t = -expm1(-pow(ratio * ratio / psi_0, delta[j]));
                EACH(m, K_max) *at++ = 1 + K_max[m] * t;
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
