/* No boost, over upsilon_disk x upsilon_bulge. */
#include "nest.h"

void sums(ARGUMENTS)
{
    SYSTEMS POINTS {
        double *restrict row = out + s * size, o = v_obs[q];
        double gas = v_gas[q] * fabs(v_gas[q]), disk = v_disk[q] * v_disk[q], bulge = v_bul[q] * v_bul[q];
        EACH(i, upsilon_disk) {
            double rest = gas + upsilon_disk[i] * disk;
            ADD_UP(upsilon_bulge, rest + upsilon_bulge[m] * bulge)
        }
    }
}
