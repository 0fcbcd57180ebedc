/* 1 + A/(1 + (sigma_v/sigma_c)^gamma) [1 - exp(-(r/l)^p)] over gamma x l_pair x p. */
#include "nest.h"

void sums(ARGUMENTS)
{
    TABLE(condensate, n_gamma);
    TABLE(envelope, n_l_pair * n_p);
    EACH(i, gamma) condensate[i] = A / (1 + pow(sigma_v / sigma_c, gamma[i]));
    SYSTEMS POINTS {
        POINT
        EACH(j, l_pair) {
            double t = r[q] / l_pair[j];
            EACH(m, p) envelope[j * n_p + m] = -expm1(-pow(t, p[m]));
        }
        EACH(i, gamma) {
            double t = condensate[i];
            EACH(j, l_pair) {
                const double *restrict e = envelope + j * n_p;
                ADD_UP(p, b * (1 + t * e[m]))
            }
        }
    }
    free(condensate);
    free(envelope);
}
