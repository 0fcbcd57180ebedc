"""What is asked of cubes and results once they are there."""

from sigcube.analysis.populations import Comparison, compare

__all__ = ["Comparison", "compare"]
