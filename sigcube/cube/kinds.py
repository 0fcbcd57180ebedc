"""What each kind of cube holds, declared once."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import xarray as xr

from sigcube.cube.schema import COUNT, Kind, Variable
from sigcube.errors import DataError, did_you_mean

__all__ = ["KINDS", "kind_of"]


def _along(*dims: str) -> Callable[..., Variable]:
    """Return a short way to declare variables of the same dimensions."""

    def declare(name: str, unit: str, long_name: str, **rest: Any) -> Variable:
        return Variable(name, dims, unit, long_name, **rest)

    return declare


_point, _galaxy = _along("galaxy", "radius"), _along("galaxy")

GALAXY = Kind(
    name="galaxy",
    title="rotation curves of galaxies, with their mass models",
    description=(
        "The measured velocity at each radius of a galaxy, and what its gas, its disc and its bulge would give alone. "
        "The stellar parts are at a mass-to-light ratio of 1: V_bar² = V_gas |V_gas| + Υ_disk V_disk² + "
        "Υ_bulge V_bul². The four scale lengths are what papers call R_d."
    ),
    system_dim="galaxy",
    point_dim="radius",
    ordered="r",
    point_flag="point_flag",
    system_flag="system_flag",
    variables=(
        _point("r", "kpc", "galactocentric radius"),
        _point("v_obs", "km/s", "observed circular velocity"),
        _point("e_v_obs", "km/s", "error of the observed circular velocity", least=0.0),
        _point("v_gas", "km/s", "velocity due to the gas, negative where it pulls outwards"),
        _point("v_disk", "km/s", "velocity due to the stellar disc at M/L = 1"),
        _point("v_bul", "km/s", "velocity due to the bulge at M/L = 1"),
        _point("sb_disk", "solLum/pc2", "surface brightness of the disc at 3.6 µm", required=False),
        _point("sb_bul", "solLum/pc2", "surface brightness of the bulge at 3.6 µm", required=False),
        _point(
            "point_flag",
            "",
            "why a sample may leave a point out",
            dtype="uint8",
            flags=("padding", "nonpositive_radius", "nonpositive_v_obs", "negative_vbar"),
            flag_notes=(
                "behind the last point of a galaxy: no point at all",
                "the radius is not above 0",
                "the observed velocity is not above 0",
                "V_bar² is not above 0 at the mass-to-light ratios of the recipe: the gas pulls outwards the most",
            ),
        ),
        _galaxy(
            "system_flag",
            "",
            "why a sample may leave a galaxy out",
            dtype="uint8",
            flags=("too_few_rows", "too_few_points"),
            flag_notes=(
                "fewer rows in the raw file than the recipe asks for",
                "fewer points without a flag than the recipe asks for",
            ),
        ),
        _galaxy(COUNT, "", "number of points in the raw file", dtype="int64"),
        _galaxy("r_disk", "kpc", "scale length of the stellar disc at 3.6 µm"),
        _galaxy("scale_length_third_point", "kpc", "R[N//3] of the kept points"),
        _galaxy("scale_length_disk_peak", "kpc", "radius of the largest |V_disk| of the kept points"),
        _galaxy("scale_length_catalogue", "kpc", "disc scale length of the catalogue"),
        _galaxy("scale_length_outermost", "kpc", "radius of the last kept point"),
        _galaxy("f_bulge", "", "share of the bulge in the sum of squared velocities of the kept points"),
        _galaxy("v_gas_max", "km/s", "largest |V_gas| of the kept points"),
        _galaxy("v_disk_max", "km/s", "largest |V_disk| of the kept points"),
        _galaxy("v_bul_max", "km/s", "largest |V_bul| of the kept points"),
        _galaxy(
            "hubble_type",
            "",
            "Hubble type: 0 S0, 1 Sa, 2 Sab, 3 Sb, 4 Sbc, 5 Sc, 6 Scd, 7 Sd, 8 Sdm, 9 Sm, 10 Im, 11 BCD",
            dtype="int64",
            required=False,
        ),
        _galaxy("distance", "Mpc", "distance", required=False),
        _galaxy("e_distance", "Mpc", "error of the distance", required=False),
        _galaxy(
            "distance_method",
            "",
            "distance from: 1 Hubble flow, 2 TRGB, 3 Cepheids, 4 Ursa Major cluster, 5 supernovae",
            dtype="int64",
            required=False,
        ),
        _galaxy("inclination", "deg", "inclination", required=False),
        _galaxy("e_inclination", "deg", "error of the inclination", required=False),
        _galaxy("luminosity", "solLum", "luminosity at 3.6 µm", required=False),
        _galaxy("e_luminosity", "solLum", "error of the luminosity at 3.6 µm", required=False),
        _galaxy("r_eff", "kpc", "effective radius at 3.6 µm", required=False),
        _galaxy("sb_eff", "solLum/pc2", "effective surface brightness at 3.6 µm", required=False),
        _galaxy("sb_disk_central", "solLum/pc2", "central surface brightness of the disc at 3.6 µm", required=False),
        _galaxy("m_hi", "solMass", "mass of neutral hydrogen", required=False),
        _galaxy("r_hi", "kpc", "radius at which neutral hydrogen falls to 1 Msun/pc²", required=False),
        _galaxy("v_flat", "km/s", "velocity of the flat part", required=False),
        _galaxy("e_v_flat", "km/s", "error of the velocity of the flat part", required=False),
        _galaxy("quality", "", "quality of the rotation curve: 1 high, 2 medium, 3 low", dtype="int64", required=False),
        _galaxy("references", "", "references of the rotation curve", dtype="string", required=False),
    ),
)

_star = _along("star")

STAR = Kind(
    name="star",
    title="stars of one galaxy, in its cylindrical frame",
    description=(
        "Positions and velocities of stars in cylindrical coordinates about the centre of their galaxy, beside the "
        "columns of the catalogue that they were made from. The Sun's place and motion are in the recipe. A star "
        "without a distance or a radial velocity keeps its row: its coordinates are NaN, and it is flagged "
        "`incomplete`."
    ),
    system_dim=None,
    point_dim="star",
    point_flag="point_flag",
    system_flag=None,
    variables=(
        _star("source_id", "", "identifier in the catalogue", dtype="int64"),
        _star("r", "kpc", "cylindrical galactocentric radius R", least=0.0),
        _star("phi", "deg", "galactocentric azimuth, 0 at the Sun, growing with the rotation", required=False),
        _star("height", "kpc", "height z above the plane"),
        _star("v_r", "km/s", "velocity away from the axis"),
        _star("v_phi", "km/s", "velocity about the axis, positive with the rotation"),
        _star("v_z", "km/s", "velocity out of the plane, northward"),
        _star("sigma_r", "km/s", "dispersion of v_R at the radius of the star"),
        _star("e_r", "kpc", "error of R", least=0.0, required=False),
        _star("e_phi", "deg", "error of the azimuth", least=0.0, required=False),
        _star("e_height", "kpc", "error of z", least=0.0, required=False),
        _star("e_v_r", "km/s", "error of v_R", least=0.0, required=False),
        _star("e_v_phi", "km/s", "error of v_φ", least=0.0, required=False),
        _star("e_v_z", "km/s", "error of v_z", least=0.0, required=False),
        _star("ra", "deg", "right ascension", required=False),
        _star("dec", "deg", "declination", required=False),
        _star("parallax", "mas", "parallax", required=False),
        _star("e_parallax", "mas", "error of the parallax", required=False),
        _star("distance", "kpc", "distance from the Sun", required=False),
        _star("e_distance", "kpc", "error of the distance", required=False),
        _star("pm_ra", "mas/yr", "proper motion in right ascension, times cos(declination)", required=False),
        _star("e_pm_ra", "mas/yr", "error of the proper motion in right ascension", required=False),
        _star("pm_dec", "mas/yr", "proper motion in declination", required=False),
        _star("e_pm_dec", "mas/yr", "error of the proper motion in declination", required=False),
        _star("radial_velocity", "km/s", "heliocentric radial velocity", required=False),
        _star("e_radial_velocity", "km/s", "error of the radial velocity", required=False),
        _star("ruwe", "", "renormalised unit weight error of the astrometry", required=False),
        _star("g_mag", "mag", "mean magnitude in the G band", required=False),
        _star(
            "point_flag",
            "",
            "why a sample may leave a star out",
            dtype="uint8",
            flags=("incomplete", "bad_parallax", "high_ruwe", "off_plane", "outside_radii", "unlike_rotation"),
            flag_notes=(
                "something that the coordinates, their errors or the cuts need is not measured: what needs it is NaN",
                "the parallax is not above 0, or its error is too large a part of it",
                "the astrometry fits a single star badly",
                "too far above or below the plane",
                "nearer to the axis, or farther from it, than the recipe keeps",
                "the velocity is not that of a star that rotates with the disc",
            ),
        ),
    ),
)

_shell, _cluster = _along("cluster", "radius"), _along("cluster")

CLUSTER = Kind(
    name="cluster",
    title="clusters of galaxies: accelerations and enclosed masses",
    description=(
        "What the baryons of a cluster of galaxies would give at a radius, and what is observed there, as "
        "accelerations and as enclosed masses; the one follows from the other by g = G M/r². What the source lists is "
        "kept as it is, logarithms and all, beside what was computed from it."
    ),
    system_dim="cluster",
    point_dim="radius",
    ordered="r",
    point_flag="point_flag",
    system_flag="system_flag",
    variables=(
        _shell("r", "kpc", "radius"),
        _shell("g_bar", "m/s2", "acceleration due to the baryons", least=0.0),
        _shell("g_obs", "m/s2", "observed acceleration", least=0.0),
        _shell("m_bar", "solMass", "mass of the baryons within the radius", least=0.0),
        _shell("m_obs", "solMass", "observed mass within the radius", least=0.0),
        _shell("e_g_bar", "m/s2", "error of the acceleration due to the baryons", least=0.0, required=False),
        _shell("e_g_obs", "m/s2", "error of the observed acceleration", least=0.0, required=False),
        _shell("e_m_bar", "solMass", "error of the mass of the baryons", least=0.0, required=False),
        _shell("e_m_obs", "solMass", "error of the observed mass", least=0.0, required=False),
        _shell("log_g_bar", "dex(m/s2)", "log of the acceleration due to the baryons", required=False),
        _shell("log_g_obs", "dex(m/s2)", "log of the observed acceleration", required=False),
        _shell("e_log_g_bar", "dex", "error of the log of the baryonic acceleration", least=0.0, required=False),
        _shell("e_log_g_obs", "dex", "error of the log of the observed acceleration", least=0.0, required=False),
        _shell("m_gas", "solMass", "mass of the gas within the radius", required=False),
        _shell("e_m_gas", "solMass", "error of the mass of the gas", required=False),
        _shell("m_star", "solMass", "mass of the stars within the radius", required=False),
        _shell("e_m_star", "solMass", "error of the mass of the stars", required=False),
        _shell(
            "point_flag",
            "",
            "why a sample may leave a point out",
            dtype="uint8",
            flags=("padding", "nonpositive_radius", "nonpositive_baryons", "nonpositive_observed"),
            flag_notes=(
                "behind the last point of a cluster: no point at all",
                "the radius is not above 0",
                "the mass of the baryons is not above 0",
                "the observed mass is not above 0",
            ),
        ),
        _cluster(
            "system_flag",
            "",
            "why a sample may leave a cluster out",
            dtype="uint8",
            flags=("no_spectroscopic_redshift", "no_m500", "low_m500", "incomplete"),
            flag_notes=(
                "the redshift is photometric, or missing",
                "M500 is not measured",
                "M500 is below what the recipe asks for",
                "something that the accelerations need is not measured",
            ),
        ),
        _cluster(COUNT, "", "number of points of the cluster", dtype="int64"),
        _cluster("redshift", "", "redshift", required=False),
        _cluster("redshift_kind", "", "how the source marks a spectroscopic redshift", dtype="string", required=False),
        _cluster("m500", "solMass", "mass within the radius of 500 times the critical density", required=False),
        _cluster("e_m500", "solMass", "error of M500", required=False),
        _cluster("source_gas", "", "where the mass of the gas is from", dtype="string", required=False),
        _cluster("source_star", "", "where the mass of the stars is from", dtype="string", required=False),
        _cluster("source_lens", "", "where the observed mass is from", dtype="string", required=False),
    ),
)

_landmark = _along("landmark")

LANDMARK = Kind(
    name="landmark",
    title="single measurements, each a system of one point",
    description=(
        "Tests that rest on one number each. `newton` is what Newtonian gravity makes of the baryons, `observed` what "
        "was measured, both in the unit that `unit` names; a model that multiplies the acceleration by Σ predicts "
        "`newton` Σ^`power`."
    ),
    system_dim="landmark",
    point_dim=None,
    point_flag=None,
    system_flag="system_flag",
    variables=(
        _landmark("r", "kpc", "distance from the centre"),
        _landmark("g_bar", "m/s2", "acceleration due to the baryons", least=0.0),
        _landmark("g_ext", "m/s2", "acceleration due to what is around", least=0.0),
        _landmark("z", "", "redshift at which g† is taken: 0 where the source takes that of today", least=0.0),
        _landmark("D", "", "dimensionality: 0 disc, 1 cluster", least=0.0),
        _landmark("L", "kpc", "path length through the baryons", least=0.0),
        _landmark("newton", "", "what Newtonian gravity predicts, in the unit of the landmark"),
        _landmark("power", "", "the power of Σ that the observable goes with: 1 acceleration, 0.5 velocity"),
        _landmark("observed", "", "what is observed, in the unit of the landmark", required=False),
        _landmark("e_observed", "", "error of what is observed", required=False),
        _landmark("m_bar", "solMass", "mass of the baryons", required=False),
        _landmark("redshift", "", "redshift of what is observed", required=False),
        _landmark("separation", "AU", "distance from the centre where the source gives it in AU", required=False),
        _landmark(
            "law",
            "",
            "how newton follows from the baryons: velocity, dispersion, velocity_ratio, acceleration, mass or boost",
            dtype="string",
            required=False,
        ),
        _landmark(
            "printed", "", "1 where a number that the papers print rests on it, else 0", dtype="int64", required=False
        ),
        _landmark("unit", "", "unit of what is observed", dtype="string"),
        _landmark("quantity", "", "what is observed, in words", dtype="string"),
        _landmark("group", "", "the test that the landmark belongs to", dtype="string"),
        _landmark("reference", "", "where the numbers are from", dtype="string"),
        _landmark(
            "system_flag",
            "",
            "why a sample may leave a landmark out",
            dtype="uint8",
            flags=("not_observed", "not_printed"),
            flag_notes=(
                "there is a prediction, but no measurement beside it",
                "no number that the papers print rests on it",
            ),
        ),
    ),
)

_member = _along("galaxy")

POPULATION = Kind(
    name="population",
    title="galaxies of a survey, with what a model of their dynamics found",
    description=(
        "One row an observation of a galaxy, without radial points: kernels have nothing to predict here. Groups of "
        "galaxies are compared instead (`sigcube.analysis.compare`)."
    ),
    system_dim="galaxy",
    point_dim=None,
    point_flag=None,
    system_flag="system_flag",
    variables=(
        _member("f_dm", "", "share of dark matter in the mass within the effective radius"),
        _member("counter_rotating", "", "1 for a galaxy with counter-rotating stellar discs, else 0", dtype="int64"),
        _member(
            "survey_id", "", "identifier of the galaxy in its survey, the same for all its observations", dtype="string"
        ),
        _member("log_m_star", "dex(solMass)", "log of the stellar mass, for h = 1", required=False),
        _member("log_m_total", "dex(solMass)", "log of the mass within the effective radius", required=False),
        _member("redshift", "", "redshift", required=False),
        _member("distance", "Mpc", "angular-diameter distance", required=False),
        _member("sigma_eff", "km/s", "velocity dispersion within the effective radius", required=False),
        _member("lambda_eff", "", "λ_R, how ordered the rotation within the effective radius is", required=False),
        _member("inclination", "deg", "inclination", required=False),
        _member("chi2_dof", "", "χ² of the model a degree of freedom", required=False),
        _member("quality", "", "quality of the model, as the source grades it", required=False),
        _member(
            "system_flag",
            "",
            "why a sample may leave a galaxy out",
            dtype="uint8",
            flags=("unmodelled", "f_dm_out_of_range", "low_quality", "earlier_observation"),
            flag_notes=(
                "there is no share of dark matter: the model failed, or the galaxy is in no table of models",
                "the share of dark matter is not within 0 … 1",
                "the quality of the model is below what the recipe asks for",
                "the galaxy was observed again, and a later row of the table has it too",
            ),
        ),
    ),
)

#: Every kind of cube, by its attribute ``kind``.
KINDS: Mapping[str, Kind] = MappingProxyType(
    {kind.name: kind for kind in (GALAXY, STAR, CLUSTER, LANDMARK, POPULATION)}
)


def kind_of(ds: xr.Dataset) -> Kind:
    """Return the kind that a cube says it is.

    Raises
    ------
    DataError
        If it does not say, or says something unknown.
    """
    name = ds.attrs.get("kind")
    if not isinstance(name, str) or name not in KINDS:
        raise DataError(
            "this dataset is not a sigcube cube" if name is None else f"there is no kind of cube {name!r}",
            where="attribute 'kind'",
            found=repr(name),
            hint=did_you_mean(str(name), KINDS),
        )
    return KINDS[name]
