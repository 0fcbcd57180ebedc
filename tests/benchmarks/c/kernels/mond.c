/* nu(g/a0) over upsilon_disk x a0. */
#include "nest.h"

#if defined(nu_rar)
#define NU(g, a) (-1 / expm1(-sqrt((g) / (a))))
#elif defined(nu_simple)
#define NU(g, a) (0.5 + sqrt(0.25 + (a) / (g)))
#elif defined(nu_standard)
#define NU(g, a) sqrt(0.5 + sqrt(0.25 + ((a) / (g)) * ((a) / (g))))
#endif

void sums(ARGUMENTS)
{
    SYSTEMS POINTS {
        double *restrict row = out + s * size, o = v_obs[q];
        double rest = v_gas[q] * fabs(v_gas[q]) + upsilon_bulge * (v_bul[q] * v_bul[q]), disk = v_disk[q] * v_disk[q];
        EACH(i, upsilon_disk) {
            double b = rest + upsilon_disk[i] * disk, g = acceleration(b, r[q], kpc);
            ADD_UP(a0, b * NU(g, a0[m]))
        }
    }
}
