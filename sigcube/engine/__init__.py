"""Kernel × observable × metrics, compiled into one fused loop per reading of the model."""

from sigcube.engine.block import Engine
from sigcube.engine.points import PointTerms
from sigcube.engine.sums import evaluate_sums

__all__ = ["Engine", "PointTerms", "evaluate_sums"]
