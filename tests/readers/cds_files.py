"""A ReadMe and a table in exactly the format of the CDS (https://vizier.unistra.fr/doc/catstd.htx), to break."""

from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["CdsFiles"]

_README = """\
J/ApJ/928/87          Strongest cluster lenses                      (Fox+, 2022)
================================================================================
The Strongest Cluster Lenses: an analysis of the relation between strong
gravitational lensing strength and the physical properties of galaxy clusters.
    Fox C., Mahler G., Sharon K., Remolina Gonzalez J.D.
   <Astrophys. J. 928, 87 (2022)>
   =2022ApJ...928...87F
================================================================================
ADC_Keywords: Gravitational lensing ; Clusters, galaxy

Description:
    A table that a test wrote.

File Summary:
--------------------------------------------------------------------------------
 FileName      Lrecl  Records   Explanations
--------------------------------------------------------------------------------
ReadMe            80        .   This file
table1.dat        58        3   All clusters
--------------------------------------------------------------------------------

Byte-by-byte Description of file: table1.dat
--------------------------------------------------------------------------------
   Bytes Format Units     Label   Explanations
--------------------------------------------------------------------------------
   1- 20 A20    ---       Cluster Cluster name
  22- 26 F5.3   ---       z       Redshift
  28- 30 A3     ---       SpecZ   Spectroscopic redshift?
  32- 36 F5.2   10+14Msun M500    ? Mass within R500
  38- 41 F4.2   10+14Msun e_M500  ? Uncertainty in M500
  43- 48 F6.2   10+12Msun MSL     ?=-1 Lensing mass within 200kpc
  50- 54 F5.2   10+12Msun e_MSL   ? Uncertainty in MSL
  56- 58 A3     ---       Prog    Program
--------------------------------------------------------------------------------

History:
    From electronic version of the journal

================================================================================
(End)                                            A test                [none]
"""


def _row(name: str, z: float, spec: str, m500: float | None, msl: float | None, program: str = "HFF") -> str:
    mass = f"{m500:5.2f} {0.1 * m500:4.2f}" if m500 is not None else " " * 10
    lens = f"{msl:6.2f} {0.05 * msl:5.2f}" if msl is not None else " -1.00" + " " * 6
    return f"{name:20s} {z:5.3f} {spec:3s} {mass} {lens} {program}\n"


@dataclass
class CdsFiles:
    """Three good clusters, of which one has no M500; change what a test wants broken, then write."""

    readme: str = _README
    rows: list[str] = field(
        default_factory=lambda: [
            _row("Abell 2744", 0.308, "yes", 9.84, 179.69),
            _row("MACS J0717.5+3745", 0.545, "no", 11.49, 234.73),
            _row("SDSS J0000", 0.4, "yes", None, 50.0, "SGA"),
        ]
    )

    row = staticmethod(_row)

    def edit(self, old: str, new: str) -> None:
        """Change the table."""
        text = "".join(self.rows)
        assert old in text
        self.rows = text.replace(old, new, 1).splitlines(keepends=True)

    def edit_readme(self, old: str, new: str) -> None:
        assert old in self.readme
        self.readme = self.readme.replace(old, new, 1)

    def write(self, folder: Path) -> None:
        (folder / "ReadMe").write_text(self.readme, encoding="utf-8")
        (folder / "table1.dat").write_text("".join(self.rows), encoding="utf-8")
