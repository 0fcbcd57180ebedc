"""Fits: the parameters at which a model is nearest to the data of each system, or of a whole sample."""

from sigcube.fits.fit import Fit
from sigcube.fits.fit_spec import FitFile, ModelTable, read_fit_file

__all__ = ["Fit", "FitFile", "ModelTable", "read_fit_file"]
