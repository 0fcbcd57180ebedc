/* 1 + A [1 - (1 + (r/l_0)^p)^-n] over l_0 x p x n. */
#include "nest.h"

void sums(ARGUMENTS)
{
    TABLE(x, n_p);
    SYSTEMS POINTS {
        POINT
        EACH(i, l_0) {
            double ratio = r[q] / l_0[i];
            EACH(j, p) x[j] = log1p(pow(ratio, p[j]));
            EACH(j, p) {
                double y = x[j];
                ADD_UP(n, b * (1 + A * -expm1(-n[m] * y)))
            }
        }
    }
    free(x);
}
