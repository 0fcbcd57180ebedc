/* 1 + A Phi P h over r_0 x beta x alpha. */
#include "nest.h"

void sums(ARGUMENTS)
{
    TABLE(y, n_alpha);
    TABLE(x, n_beta);
    SYSTEMS POINTS {
        POINT
        double g = acceleration(b, r[q], kpc), ratio = g / g_dagger;
        double h = A * sqrt(g_dagger / g) * (g_dagger / (g_dagger + g));
        EACH(m, alpha) y[m] = pow(ratio, alpha[m]);
        EACH(i, r_0) {
            double t = r[q] / r_0[i];
            EACH(j, beta) x[j] = pow(t, beta[j]);
            EACH(j, beta) {
                double phi = h * -expm1(-x[j]), inverse = 1 / x[j];
                ADD_UP(alpha, b * (1 + phi * exp(-inverse * y[m])))
            }
        }
    }
    free(y);
    free(x);
}
