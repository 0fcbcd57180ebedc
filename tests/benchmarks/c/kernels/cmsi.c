/* 1 + chi_0 (Sigma/Sigma_ref)^epsilon (1 + (r/l_0)^n)^(-1/n) (v/c)^2 (v/sigma)^(gamma alpha) over l_0 x n x alpha. */
#include "nest.h"

static inline double boxed(double v, double coupling, double sigma, double exponent)
{
    return 1 + coupling * (v * v) * pow(v / sigma, exponent);
}

static inline double consistent(double v, double coupling, double sigma, double exponent)
{
    double f = boxed(v, coupling, sigma, exponent);
    f = boxed(v * sqrt(f), coupling, sigma, exponent);
    return boxed(v * sqrt(f), coupling, sigma, exponent);
}

void sums(ARGUMENTS)
{
    TABLE(many, n_alpha);
    TABLE(profile, n_n);
    double light = c / 1e3;
    SYSTEMS POINTS {
        POINT
        double v = sqrt(b), sigma = 30 * exp(-r[q] / 4) + 8;
        double density = 1e-6 * (upsilon_disk * (v_disk[q] * v_disk[q]) + v_gas[q] * v_gas[q]) / (2 * M_PI * G_galactic * r[q]);
        double source = pow(density / sigma_ref, epsilon);
#if defined(form_with_roughness)
        source = fmin(source, 2);
        double rough = 1 + K_0 * source * pow(fmin(1, v / sigma) / (2 * M_PI), gamma_rough);
#endif
        EACH(m, alpha) many[m] = (v * v) * pow(v / sigma, gamma * alpha[m]);
        EACH(i, l_0) {
            double t = r[q] / l_0[i];
            EACH(j, n) profile[j] = pow(1 + pow(t, n[j]), -1 / n[j]);
            EACH(j, n) {
                double coupling = chi_0 * source * profile[j] / (light * light);
#if defined(velocity_self_consistent)
                ADD_UP(alpha, b * consistent(v, coupling, sigma, gamma * alpha[m]))
#elif defined(form_with_roughness)
                ADD_UP(alpha, b * ((1 + coupling * many[m]) * rough))
#else
                ADD_UP(alpha, b * (1 + coupling * many[m]))
#endif
            }
        }
    }
    free(many);
    free(profile);
}
