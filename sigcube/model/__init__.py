"""A model: what kernels declare, met with a kind of cube, compiled and evaluated."""
