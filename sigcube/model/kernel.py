"""Kernels as users meet them: a record of formulas that can be evaluated on a cube."""

from typing import Any

from sigcube.model.evaluate import evaluate
from sigcube.model.record import KernelRecord

__all__ = ["Kernel"]


class Kernel(KernelRecord):
    """A gravity model: what turns baryons into a boost Σ = g_eff / g_N.

    Parameters
    ----------
    name, title, source : str
        The registry key, the name in print, and the paper and section.
    terms : Mapping
        The formulas, by the name under which others refer to them. One of them is ``boost``.
    parameters : tuple of Parameter, optional
        Every number that the terms, under any choice, refer to.
    choices : tuple of Choice, optional
        The label axes.
    smallest_boost : float, optional
        The smallest Σ anywhere within the parameters' bounds; 1 by default.
    """

    def __repr__(self) -> str:
        names = ", ".join([*(c.name for c in self.choices), *(p.name for p in self.parameters)])
        return f"<Kernel {self.name}: {self.title} ({names or 'no parameters'})>"

    def boost(self, cube: Any, **settings: Any) -> Any:
        """Σ = g_eff / g_N at every point of a cube.

        Parameters
        ----------
        cube : xarray.Dataset
            A cube with the variables that the kernel needs.
        **settings
            Parameters as numbers or as DataArrays, which broadcast against the cube, and choices as labels. What is not
            given has its default. Quantities of astropy are converted to the unit of the parameter; a DataArray whose
            attribute ``units`` is another is refused, since arithmetic keeps it.

        Returns
        -------
        xarray.DataArray
            Σ, dimensionless, over the cube's dimensions and those of the parameters.

        Raises
        ------
        SpecError
            For a name, label, value or unit the kernel does not have, or a parameter that the labels do not use.
        DataError
            For a cube that lacks a variable.
        """
        return evaluate(self, cube, "boost", settings)

    def compute(self, cube: Any, term: str, **settings: Any) -> Any:
        """Compute any named term of the kernel: ``h``, ``W``, ``xi`` ... See `boost` for the arguments.

        Returns
        -------
        xarray.DataArray or float
            Its values, over what it varies with; its unit is in the term's docstring.
        """
        return evaluate(self, cube, term, settings)

    def predict(self, cube: Any, **settings: Any) -> Any:
        """Predict the cube's observable at every point: V in km/s for galaxies. See `boost` for the arguments."""
        return evaluate(self, cube, "predicted", settings)
