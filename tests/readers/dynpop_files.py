"""Small files in the formats that MaNGA DynPop and VizieR publish, written byte by byte."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from astropy.io import fits

#: Plate and bundle, MaNGA identifier, share of dark matter, quality: one failed, one observed twice, one out of range.
ROWS: tuple[tuple[str, str, float, int], ...] = (
    ("7443-12701", "1-114145", 0.31, 1),
    ("7443-12702", "1-113520", 0.12, 2),
    ("8138-1901", "1-339041", np.nan, -1),
    ("8138-3702", "12-84679", 0.45, 0),
    ("8139-6101", "1-113520", 0.14, 3),
    ("8140-9101", "1-48157", -99.0, -1),
    ("8141-1902", "1-38062", 0.05, 1),
    ("8141-1903", "1-38063", 0.25, 1),
)
COUNTER_ROTATORS = ("1-113520", "1-38062", "1-999999")


def write_dynpop(
    path: Path,
    rows: Sequence[tuple[str, str, float, int]] = ROWS,
    *,
    models: int | None = None,
    renamed: Mapping[str, str] | None = None,
    units: Mapping[str, str] | None = None,
    pad: str = " ",
) -> Path:
    """Write the catalogue: extension 1 the galaxies, 2 to 7 one model each, in the same order."""
    renamed, units = renamed or {}, units or {}
    n = len(rows)

    def column(name: str, form: str, values: object) -> fits.Column:
        return fits.Column(renamed.get(name, name), form, unit=units.get(name), array=values)

    basic = fits.BinTableHDU.from_columns(
        [
            column("plate", "J", [int(row[0].partition("-")[0] or 0) for row in rows]),
            column("mangaid", "10A", [row[1] + pad for row in rows]),
            column("plateifu", "11A", [row[0] for row in rows]),
            column("z", "D", np.linspace(0.01, 0.15, n)),
            column("DA", "D", np.linspace(40.0, 500.0, n)),
            column("nsa_sersic_mass", "D", np.linspace(9.0, 11.0, n)),
            column("Re_arcsec_MGE", "D", np.linspace(3.0, 9.0, n)),
            column("Lambda_Re", "D", np.linspace(0.1, 0.8, n)),
            column("Sigma_Re", "D", np.linspace(40.0, 300.0, n)),
            column("drp3qual", "J", np.ones(n)),
            column("Qual", "K", [row[3] for row in rows]),
        ]
    )
    m = n if models is None else models
    f_dm = np.resize([row[2] for row in rows], m)

    def model(values: np.ndarray) -> fits.BinTableHDU:
        return fits.BinTableHDU.from_columns(
            [
                column("inc_deg", "D", np.linspace(30.0, 89.0, m)),
                column("chi2_dof", "D", np.linspace(0.5, 4.0, m)),
                column("log_Mt_Re", "D", np.linspace(9.0, 12.0, m)),
                column("fdm_Re", "D", values),
            ]
        )

    others = [model(np.full(m, 0.9)) for _ in range(2)]
    tables = [fits.PrimaryHDU(), basic, *others, model(f_dm), model(np.full(m, 0.8))]
    fits.HDUList(tables).writeto(path, overwrite=True)
    return path


HEADER = """#
#   VizieR Astronomical Server vizier.cds.unistra.fr
#    Date: 2024-12-01T09:12:13 [V7.4.5]
#   In case of problem, please report to:\tcds-question@unistra.fr
#
#Coosys\tJ2000:\teq_FK5 J2000
#INFO\t-ref=VIZ674c2a3b1d2f3
#INFO\t-out.max=200
#RESOURCE=yCat_75110139
#Name: J/MNRAS/511/139
#Title: CRDs galaxies candidates in SDSS-IV MaNGA (Bevacqua+, 2022)
#Table\tJ_MNRAS_511_139_table1:
#Name: J/MNRAS/511/139/table1
#Column\tMaNGAId\t(A9)\tMaNGA identifier\t[ucd=meta.id;meta.main]
#Column\tRAJ2000\t(F9.5)\tRight ascension (J2000)\t[ucd=pos.eq.ra;meta.main]
#Column\tlogM*\t(F5.2)\tLogarithm of the stellar mass\t[ucd=phys.mass]
MaNGAId  |RAJ2000  |logM*
         |deg      |[Msun]
---------|---------|-----
"""


def vizier_text(names: Sequence[str] = COUNTER_ROTATORS) -> str:
    """Return VizieR's answer: comments, labels, units, dashes, rows of padded cells."""
    return HEADER + "".join(f"{name:<9}|{20.5 * i:9.5f}|{10 + i / 9:5.2f}\n" for i, name in enumerate(names)) + "\n"
