"""Sweeps from their specs to their results: of one dataset, and joint ones of several."""

from sigcube.sweep.joint import JointSweep, sweep_from_toml
from sigcube.sweep.sweep import Sweep

__all__ = ["JointSweep", "Sweep", "sweep_from_toml"]
