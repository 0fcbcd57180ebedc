"""Kernel × observable × metrics, compiled into one fused loop per reading of the model."""

from sigcube.engine.block import DONE, Engine
from sigcube.engine.loop import evaluate_sums
from sigcube.engine.points import PointTerms

__all__ = ["DONE", "Engine", "PointTerms", "evaluate_sums"]
