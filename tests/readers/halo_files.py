"""A ReadMe and a table in the format of J/ApJS/247/31 (Li+ 2020) at the CDS; what a test writes is synthetic.

Labels, formats and units are those of VizieR's output of table1, the bytes those of the ReadMe: 152 a row.
"""

from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["HaloFiles", "row"]

_README = """\
J/ApJS/247/31     Dark matter halo models for SPARC galaxies     (Li+, 2020)
================================================================================
A comprehensive catalog of dark matter halo models for SPARC galaxies.
    Li P., Lelli F., McGaugh S., Schombert J.
   <Astrophys. J. Suppl. Ser., 247, 31 (2020)>
   =2020ApJS..247...31L
================================================================================
ADC_Keywords: Galaxies, rotation; Models

Description:
    A synthetic table that a test wrote.

File Summary:
--------------------------------------------------------------------------------
 FileName      Lrecl  Records   Explanations
--------------------------------------------------------------------------------
ReadMe            80        .   This file
table1.dat       152     2100   The best-fit parameters for the 175 SPARC galaxies
--------------------------------------------------------------------------------

Byte-by-byte Description of file: table1.dat
--------------------------------------------------------------------------------
   Bytes Format Units     Label       Explanations
--------------------------------------------------------------------------------
   1- 11 A11    ---       Name        Galaxy Name
  13- 24 A12    ---       Model       Dark matter halo profile (1)
  26- 29 F4.2   Msun/Lsun Ydisk       [0.1/4.3] Stellar mass-to-light ratio for disks
  31- 34 F4.2   Msun/Lsun e_Ydisk     [0.01/0.6] Error on Ydisk
  36- 39 F4.2   Msun/Lsun Ybul        [0/2.1] Stellar mass-to-light ratio for bulges
  41- 44 F4.2   Msun/Lsun e_Ybul      [0/0.3] Error on Ybul
  46- 51 F6.2   Mpc       Dist        [0.02/129] Galaxy distance
  53- 57 F5.2   Mpc       e_Dist      [0.05/15.1] Error in Dist
  59- 62 F4.1   deg       inc         [5.4/90] Disk inclination
  64- 67 F4.1   deg       e_inc       [0.6/14.3] Error in inc
  69- 74 F6.2   km/s      V200        [10/500] Rotation velocity at r_200_ (2)
  76- 81 F6.2   km/s      e_V200      [0.7/158] Error in V200
  83- 88 F6.2   ---       C200        [1/999.3] Halo concentration (2)
  90- 95 F6.2   ---       e_C200      [0.01/334.2] Error in C200
  97-102 F6.2   kpc       rs          [0.02/672] Halo scale radius
 104-111 F8.2   kpc       e_rs        [0.01/17815] Error in rs
 113-117 F5.2   [Msun/pc3] log(rhos)  [-5/3.3] Volume density of dark matter halos
 119-124 F6.2   [Msun/pc3] e_log(rhos) [0.06/271] Error in log(rhos)
 126-130 F5.2   [Msun]    log(M200)   [8.5/13.6] Halo mass (2)
 132-136 F5.2   [Msun]    e_log(M200) [0.02/20.3] Error in log(M200)
 138-141 F4.2   ---       alpha       [0/2] Shape parameter for the Einasto model
 143-146 F4.2   ---       e_alpha     [0/0.75] Error in alpha
 148-152 F5.2   ---       chi2        [0.02/36.6]? Reduced {Chi}^2^
                                      (infinite when blank)
--------------------------------------------------------------------------------

History:
    From electronic version of the journal

================================================================================
(End)                                            A test                [none]
"""


def row(
    galaxy: str,
    model: str,
    *,
    upsilon: tuple[float, float] = (0.5, 0.0),
    distance: float = 10.0,
    inclination: float = 60.0,
    v_200: float = 100.0,
    c_200: float = 10.0,
    chi2: float | None = 1.0,
) -> str:
    """Return a row of the table; what no test needs has a number that stands for nothing."""
    disk, bulge = upsilon
    halo = f"{v_200:6.2f}   1.00 {c_200:6.2f}   0.50 {v_200 / (0.73 * c_200):6.2f}     0.10"
    derived = " -2.00   0.10 11.00  0.10 0.00 0.00"
    last = f"{chi2:5.2f}" if chi2 is not None else " " * 5
    nuisances = f"{disk:4.2f} 0.10 {bulge:4.2f} 0.10 {distance:6.2f}  0.50 {inclination:4.1f}  3.0"
    return f"{galaxy:11s} {model:12s} {nuisances} {halo} {derived[1:]} {last}\n"


@dataclass
class HaloFiles:
    """Two fits to one galaxy, and one without a reduced χ² to another; change what a test wants, then write."""

    readme: str = _README
    rows: list[str] = field(
        default_factory=lambda: [
            row("SYN00001", "NFW-Flat", v_200=95.5, c_200=8.25, chi2=1.25),
            row("SYN00001", "NFW-LCDM", v_200=90.25, c_200=9.5, chi2=1.5),
            row("SYN00002", "NFW-LCDM", upsilon=(0.45, 0.75), distance=12.5, inclination=45.5, chi2=None),
        ]
    )

    def write(self, folder: Path) -> None:
        (folder / "ReadMe").write_text(self.readme, encoding="utf-8")
        (folder / "table1.dat").write_text("".join(self.rows), encoding="utf-8")
