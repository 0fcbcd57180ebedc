"""Small files in exactly the formats of SPARC's, to break one thing at a time."""

import hashlib
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

from sigcube.recipes import Recipe, load_recipe

__all__ = ["SparcFiles"]

_DESCRIPTION = """\
Title: three galaxies
================================================================================
Byte-by-byte Description of file: Table1.mrt
--------------------------------------------------------------------------------
   Bytes Format Units         Label   Explanations
--------------------------------------------------------------------------------
   1- 11 A11    ---           Galaxy  Galaxy Name
  12- 13 I2     ---           T       Hubble Type (1)
  14- 19 F6.2   Mpc           D       Distance
  20- 24 F5.2   Mpc           e_D     Mean error on D
  25- 26 I2     ---           f_D     Distance Method (2)
  27- 30 F4.1   deg           Inc     Inclination
  31- 34 F4.1   deg           e_Inc   Mean error on Inc
  35- 41 F7.3   10+9solLum    L[3.6]  Total Luminosity at [3.6]
  42- 48 F7.3   10+9solLum    e_L[3.6] Mean error on L[3.6]
  49- 53 F5.2   kpc           Reff    Effective Radius at [3.6]
  54- 61 F8.2   solLum/pc2    SBeff   Effective Surface Brightness at [3.6]
  62- 66 F5.2   kpc           Rdisk   Disk Scale Length at [3.6]
  67- 74 F8.2   solLum/pc2    SBdisk  Disk Central Surface Brightness at [3.6]
  75- 81 F7.3   10+9solMass   MHI     Total HI mass
  82- 86 F5.2   kpc           RHI     HI radius at 1 Msun/pc2
  87- 91 F5.1   km/s          Vflat   Asymptotically Flat Rotation Velocity
  92- 96 F5.1   km/s          e_Vflat Mean error on Vflat
  97- 99 I3     ---           Q       Quality Flag (3)
 100-113 A14    ---           Ref.    References for HI and Ha data (4)
--------------------------------------------------------------------------------
Note (3): 1 = High, 2 = Medium, 3 = Low
--------------------------------------------------------------------------------
"""

_ROWS = """\
        AAA 10   3.36  0.26  2 65.0  5.0   0.075   0.003  1.21     7.89  0.47    66.20   0.012  0.00   0.0  0.0   2 Bm03
        BBB  4  28.70  7.17  1 79.0  5.0  51.733   0.524  7.23   157.34  5.08  2295.25   3.140 17.67 175.0  3.5   1 Ge04
        CCC  7  13.00  3.90  1 74.0  3.0   4.292   0.071  2.75    90.54  1.51  1320.78   1.083  9.58 109.1  3.1   1 Ge04
"""

_DISTANCES = {"AAA": "3.36", "BBB": "28.70", "CCC": "13.00"}


def _curve(distance: str, n: int) -> str:
    head = (
        f"# Distance = {distance} Mpc\n"
        "# Rad\tVobs\terrV\tVgas\tVdisk\tVbul\tSBdisk\tSBbul\t\t\n"
        "# kpc\tkm/s\tkm/s\tkm/s\tkm/s\tkm/s\tL/pc^2\tL/pc^2\n"
    )
    rows = (
        f"{0.5 * i:.2f}\t{20 + 5 * i:.2f}\t1.50\t{i:.2f}\t{10 + i:.2f}\t0.00\t{100 / i:.2f}\t0.00\n"
        for i in range(1, n + 1)
    )
    return head + "".join(rows)


@dataclass
class SparcFiles:
    """Three good galaxies; change what a test wants broken, then write."""

    curves: list[tuple[str, str]] = field(
        default_factory=lambda: [(f"{name}_rotmod.dat", _curve(distance, 6)) for name, distance in _DISTANCES.items()]
    )
    table: str = _DESCRIPTION + _ROWS

    def edit_curve(self, old: str, new: str, *, member: int = 0, count: int = 1) -> None:
        name, text = self.curves[member]
        assert old in text
        self.curves[member] = (name, text.replace(old, new, count))

    def edit_table(self, old: str, new: str, *, count: int = 1) -> None:
        assert old in self.table
        self.table = self.table.replace(old, new, count)

    def write(self, folder: Path, *, cut: int | None = None) -> Recipe:
        """Write both files, the zip without its last bytes from ``cut`` on, and return the recipe that expects them."""
        archive = folder / "Rotmod_LTG.zip"
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as out:
            for name, text in self.curves:
                out.writestr(name, text)
        archive.write_bytes(archive.read_bytes()[:cut])
        (folder / "SPARC_Lelli2016c.mrt").write_text(self.table, encoding="utf-8")
        recipe = load_recipe("sparc")
        curves = recipe.files["curves"].model_copy(update={"sha256": hashlib.sha256(archive.read_bytes()).hexdigest()})
        return recipe.model_copy(update={"files": {**recipe.files, "curves": curves}})
