/* 1 + V_h^2/V_bar^2 over c x log_m200. */
#include "nest.h"

/* ln(1+y) - y/(1+y), by a series in w = y/(1+y) where the two cancel. */
static inline double enclosed(double y)
{
    double u = 1 + y, w = y / u, far = log(u) - (u - 1) / u;
    double near = 1.0 / 8 + w * (1.0 / 9 + w * (1.0 / 10 + w * (1.0 / 11 + w * (1.0 / 12 + w / 13))));
    near = 1.0 / 4 + w * (1.0 / 5 + w * (1.0 / 6 + w * (1.0 / 7 + w * near)));
    near = w * w * (0.5 + w * (1.0 / 3 + w * near));
    return w < 0.05 ? near : far;
}

void sums(ARGUMENTS)
{
    TABLE(per_r_200, n_log_m200);
    TABLE(strength, n_log_m200);
    TABLE(per_whole, n_c);
    EACH(m, log_m200) {
        double gm = G * Msun * pow(10, log_m200[m]), r_200 = pow(gm / (100 * H0 * H0), 1.0 / 3) / kpc;
        per_r_200[m] = 1 / r_200;
        strength[m] = 1e-6 * gm / (r_200 * kpc) * r_200;
    }
    EACH(i, c) per_whole[i] = 1 / enclosed(c[i]);
    SYSTEMS POINTS {
        POINT
        EACH(i, c) {
            double y = c[i] * r[q], e = per_whole[i] / r[q] / b;
            ADD_UP(log_m200, b * (1 + e * strength[m] * enclosed(y * per_r_200[m])))
        }
    }
    free(per_r_200);
    free(strength);
    free(per_whole);
}
