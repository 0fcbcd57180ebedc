"""Fits: the best parameters of models, for each system or for a whole sample."""

from sigcube.fits.fit import Fit
from sigcube.fits.fit_spec import FitFile, ModelTable, read_fit_file

__all__ = ["Fit", "FitFile", "ModelTable", "read_fit_file"]
