"""The dispersion of v_R against R, from stars that come in chunks."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from sigcube.errors import DataError

__all__ = ["Dispersion"]

FloatArray = npt.NDArray[np.float64]


class Dispersion:
    """Standard deviation of v_R in bins of R, interpolated between their centres.

    Stars are added one after another, so it does not matter how they are divided into chunks, not in the last bit.

    Parameters
    ----------
    radii : (float, float)
        First and last edge of the bins [kpc].
    width : float
        Of a bin [kpc]; a whole number of them fills the radii.
    more_than : int
        A bin counts if it has more stars than this.
    """

    def __init__(self, radii: Sequence[float], *, width: float, more_than: int) -> None:
        count = max(1, round((radii[1] - radii[0]) / width))
        self._edges = np.linspace(radii[0], radii[1], count + 1)
        self._more_than = more_than
        self.counts = np.zeros(count, dtype=np.int64)
        self._sum, self._squares = np.zeros(count), np.zeros(count)

    def add(self, r: FloatArray, v_r: FloatArray) -> None:
        """Add stars; those outside the bins are passed over."""
        inside = (r >= self._edges[0]) & (r < self._edges[-1])
        bins = np.searchsorted(self._edges, r[inside], side="right") - 1
        np.add.at(self.counts, bins, 1)
        np.add.at(self._sum, bins, v_r[inside])
        np.add.at(self._squares, bins, v_r[inside] ** 2)

    @property
    def centres(self) -> FloatArray:
        """The middle of each bin [kpc]."""
        return np.asarray((self._edges[1:] + self._edges[:-1]) / 2)

    @property
    def filled(self) -> npt.NDArray[np.bool_]:
        """Which bins have enough stars."""
        return self.counts > self._more_than

    @property
    def values(self) -> FloatArray:
        """σ_R of each bin [km/s], NaN where it has too few stars."""
        n = np.where(self.filled, self.counts, 2)
        # v_R is small beside its dispersion, so nothing cancels here.
        variance = (self._squares - self._sum**2 / n) / (n - 1)
        return np.where(self.filled, np.sqrt(np.maximum(variance, 0.0)), np.nan)

    def __call__(self, r: FloatArray) -> FloatArray:
        """Return σ_R at radii: linear between the centres of the bins with enough stars, constant beyond the last ones.

        Raises
        ------
        DataError
            If no bin has enough stars.
        """
        if not self.filled.any():
            raise DataError(
                "there are too few stars for a dispersion of v_R",
                where=f"R from {self._edges[0]:g} to {self._edges[-1]:g} kpc, stars without a flag of quality",
                found=f"at most {self.counts.max()} in a bin",
                expected=f"more than {self._more_than} in some bin",
                hint="let cuts.min_stars of the recipe be smaller, or the other cuts wider",
            )
        # Where a single bin is filled, NumPy gives its value at NaN too.
        return np.where(np.isnan(r), np.nan, np.interp(r, self.centres[self.filled], self.values[self.filled]))
