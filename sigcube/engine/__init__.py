"""Kernel, observable and metrics compiled into one fused loop for each section of a plan."""

from sigcube.engine.block import Engine
from sigcube.engine.points import PointTerms
from sigcube.engine.sums import evaluate_sums

__all__ = ["Engine", "PointTerms", "evaluate_sums"]
