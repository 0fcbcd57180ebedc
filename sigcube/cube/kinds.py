"""What each kind of cube holds, declared once."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import xarray as xr

from sigcube.cube.schema import COUNT, Kind, Variable
from sigcube.errors import DataError, did_you_mean

__all__ = ["KINDS", "kind_of"]


class _Along:
    """Declares variables of the same dimensions."""

    def __init__(self, *dims: str) -> None:
        self.dims = dims

    def __call__(self, name: str, unit: str, long_name: str, dtype: str = "float64", **rest: Any) -> Variable:
        return Variable(name, self.dims, unit, long_name, dtype, **rest)

    def optional(self, name: str, unit: str, long_name: str, dtype: str = "float64", **rest: Any) -> Variable:
        """Declare a variable that not every cube of the kind has."""
        return self(name, unit, long_name, dtype, required=False, **rest)

    def flag(self, name: str, subject: str, **meanings: str) -> Variable:
        """Declare a flag variable: the meaning of each bit, lowest first, and where the bit is set."""
        long_name, notes = f"why a sample may leave {subject} out", tuple(meanings.values())
        return self(name, "", long_name, "uint8", flags=tuple(meanings), flag_notes=notes)


_point, _galaxy = _Along("galaxy", "radius"), _Along("galaxy")

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
        _point.optional("sb_disk", "solLum/pc2", "surface brightness of the disc at 3.6 µm"),
        _point.optional("sb_bul", "solLum/pc2", "surface brightness of the bulge at 3.6 µm"),
        _point.flag(
            "point_flag",
            "a point",
            padding="after the last point of a galaxy: no point at all",
            nonpositive_radius="the radius is not above 0",
            nonpositive_v_obs="the observed velocity is not above 0",
            negative_vbar="V_bar² is not above 0 at the mass-to-light ratios of the cuts: the gas pulls outwards",
        ),
        _galaxy.flag(
            "system_flag",
            "a galaxy",
            too_few_rows="fewer rows in the raw file than the recipe asks for",
            too_few_points="fewer points without a flag than the recipe asks for",
        ),
        _galaxy(COUNT, "", "number of points in the raw file", "int64"),
        _galaxy("r_disk", "kpc", "scale length of the stellar disc at 3.6 µm"),
        _galaxy("scale_length_third_point", "kpc", "R[N//3] of the kept points"),
        _galaxy("scale_length_disk_peak", "kpc", "radius of the largest |V_disk| of the kept points"),
        _galaxy("scale_length_catalogue", "kpc", "disc scale length of the catalogue"),
        _galaxy("scale_length_outermost", "kpc", "radius of the last kept point"),
        _galaxy("f_bulge", "", "share of the bulge in the sum of squared velocities of the kept points"),
        _galaxy("v_gas_max", "km/s", "largest |V_gas| of the kept points"),
        _galaxy("v_disk_max", "km/s", "largest |V_disk| of the kept points"),
        _galaxy("v_bul_max", "km/s", "largest |V_bul| of the kept points"),
        _galaxy.optional(
            "hubble_type",
            "",
            "Hubble type: 0 S0, 1 Sa, 2 Sab, 3 Sb, 4 Sbc, 5 Sc, 6 Scd, 7 Sd, 8 Sdm, 9 Sm, 10 Im, 11 BCD",
            "int64",
        ),
        _galaxy.optional("distance", "Mpc", "distance"),
        _galaxy.optional("e_distance", "Mpc", "error of the distance"),
        _galaxy.optional(
            "distance_method",
            "",
            "distance from: 1 Hubble flow, 2 TRGB, 3 Cepheids, 4 Ursa Major cluster, 5 supernovae",
            "int64",
        ),
        _galaxy.optional("inclination", "deg", "inclination"),
        _galaxy.optional("e_inclination", "deg", "error of the inclination"),
        _galaxy.optional("luminosity", "solLum", "luminosity at 3.6 µm"),
        _galaxy.optional("e_luminosity", "solLum", "error of the luminosity at 3.6 µm"),
        _galaxy.optional("r_eff", "kpc", "effective radius at 3.6 µm"),
        _galaxy.optional("sb_eff", "solLum/pc2", "effective surface brightness at 3.6 µm"),
        _galaxy.optional("sb_disk_central", "solLum/pc2", "central surface brightness of the disc at 3.6 µm"),
        _galaxy.optional("m_hi", "solMass", "mass of neutral hydrogen"),
        _galaxy.optional("r_hi", "kpc", "radius at which neutral hydrogen falls to 1 Msun/pc²"),
        _galaxy.optional("v_flat", "km/s", "velocity of the flat part"),
        _galaxy.optional("e_v_flat", "km/s", "error of the velocity of the flat part"),
        _galaxy.optional("g_environment", "m/s2", "Newtonian acceleration due to the matter around", least=0.0),
        _galaxy.optional("quality", "", "quality of the rotation curve: 1 high, 2 medium, 3 low", "int64"),
        _galaxy.optional("references", "", "references of the rotation curve", "string"),
    ),
)

_star = _Along("star")

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
        _star("source_id", "", "identifier in the catalogue", "int64"),
        _star("r", "kpc", "cylindrical galactocentric radius R", least=0.0),
        _star.optional("phi", "deg", "galactocentric azimuth, 0 at the Sun, growing with the rotation"),
        _star("height", "kpc", "height z above the plane"),
        _star("v_r", "km/s", "velocity away from the axis"),
        _star("v_phi", "km/s", "velocity about the axis, positive with the rotation"),
        _star("v_z", "km/s", "velocity out of the plane, northward"),
        _star("sigma_r", "km/s", "dispersion of v_R at the radius of the star"),
        _star.optional("e_r", "kpc", "error of R", least=0.0),
        _star.optional("e_phi", "deg", "error of the azimuth", least=0.0),
        _star.optional("e_height", "kpc", "error of z", least=0.0),
        _star.optional("e_v_r", "km/s", "error of v_R", least=0.0),
        _star.optional("e_v_phi", "km/s", "error of v_φ", least=0.0),
        _star.optional("e_v_z", "km/s", "error of v_z", least=0.0),
        _star.optional("ra", "deg", "right ascension"),
        _star.optional("dec", "deg", "declination"),
        _star.optional("parallax", "mas", "parallax"),
        _star.optional("e_parallax", "mas", "error of the parallax"),
        _star.optional("distance", "kpc", "distance from the Sun"),
        _star.optional("e_distance", "kpc", "error of the distance"),
        _star.optional("pm_ra", "mas/yr", "proper motion in right ascension, times cos(declination)"),
        _star.optional("e_pm_ra", "mas/yr", "error of the proper motion in right ascension"),
        _star.optional("pm_dec", "mas/yr", "proper motion in declination"),
        _star.optional("e_pm_dec", "mas/yr", "error of the proper motion in declination"),
        _star.optional("radial_velocity", "km/s", "heliocentric radial velocity"),
        _star.optional("e_radial_velocity", "km/s", "error of the radial velocity"),
        _star.optional("ruwe", "", "renormalised unit weight error of the astrometry"),
        _star.optional("g_mag", "mag", "mean magnitude in the G band"),
        _star.flag(
            "point_flag",
            "a star",
            incomplete="what the coordinates, their errors or the cuts depend on is not measured; what needs it is NaN",
            bad_parallax="the parallax is not above 0, or its error is too large a part of it",
            high_ruwe="the astrometry fits a single star badly",
            off_plane="too far above or below the plane",
            outside_radii="nearer to the axis, or farther from it, than the recipe keeps",
            unlike_rotation="the velocity is not that of a star that rotates with the disc",
        ),
    ),
)

_shell, _cluster = _Along("cluster", "radius"), _Along("cluster")

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
        _shell.optional("e_g_bar", "m/s2", "error of the acceleration due to the baryons", least=0.0),
        _shell.optional("e_g_obs", "m/s2", "error of the observed acceleration", least=0.0),
        _shell.optional("e_m_bar", "solMass", "error of the mass of the baryons", least=0.0),
        _shell.optional("e_m_obs", "solMass", "error of the observed mass", least=0.0),
        _shell.optional("log_g_bar", "dex(m/s2)", "log of the acceleration due to the baryons"),
        _shell.optional("log_g_obs", "dex(m/s2)", "log of the observed acceleration"),
        _shell.optional("e_log_g_bar", "dex", "error of the log of the baryonic acceleration", least=0.0),
        _shell.optional("e_log_g_obs", "dex", "error of the log of the observed acceleration", least=0.0),
        _shell.optional("m_gas", "solMass", "mass of the gas within the radius"),
        _shell.optional("e_m_gas", "solMass", "error of the mass of the gas"),
        _shell.optional("m_star", "solMass", "mass of the stars within the radius"),
        _shell.optional("e_m_star", "solMass", "error of the mass of the stars"),
        _shell.flag(
            "point_flag",
            "a point",
            padding="after the last point of a cluster: no point at all",
            nonpositive_radius="the radius is not above 0",
            nonpositive_baryons="the mass of the baryons is not above 0",
            nonpositive_observed="the observed mass is not above 0",
        ),
        _cluster.flag(
            "system_flag",
            "a cluster",
            no_spectroscopic_redshift="the redshift is photometric, or missing",
            no_m500="M500 is not measured",
            low_m500="M500 is below what the recipe asks for",
            incomplete="something that the accelerations need is not measured",
        ),
        _cluster(COUNT, "", "number of points of the cluster", "int64"),
        _cluster.optional("redshift", "", "redshift"),
        _cluster.optional("redshift_kind", "", "how the source marks a spectroscopic redshift", "string"),
        _cluster.optional("m500", "solMass", "mass within the radius of 500 times the critical density"),
        _cluster.optional("e_m500", "solMass", "error of M500"),
        _cluster.optional("source_gas", "", "where the mass of the gas is from", "string"),
        _cluster.optional("source_star", "", "where the mass of the stars is from", "string"),
        _cluster.optional("source_lens", "", "where the observed mass is from", "string"),
    ),
)

_landmark = _Along("landmark")

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
        _landmark.optional("observed", "", "what is observed, in the unit of the landmark"),
        _landmark.optional("e_observed", "", "error of what is observed"),
        _landmark.optional("m_bar", "solMass", "mass of the baryons"),
        _landmark.optional("redshift", "", "redshift of what is observed"),
        _landmark.optional("separation", "AU", "distance from the centre where the source gives it in AU"),
        _landmark.optional(
            "law",
            "",
            "how newton follows from the baryons: velocity, dispersion, velocity_ratio, acceleration, mass or boost",
            "string",
        ),
        _landmark.optional("printed", "", "1 where a number that the papers print rests on it, else 0", "int64"),
        _landmark("unit", "", "unit of what is observed", "string"),
        _landmark("quantity", "", "what is observed, in words", "string"),
        _landmark("group", "", "the test that the landmark belongs to", "string"),
        _landmark("reference", "", "where the numbers are from", "string"),
        _landmark.flag(
            "system_flag",
            "a landmark",
            not_observed="there is a prediction, but no measurement beside it",
            not_printed="no number that the papers print rests on it",
        ),
    ),
)

_member = _Along("galaxy")

POPULATION = Kind(
    name="population",
    title="galaxies of a survey, with what a model of their dynamics found",
    description=(
        "One row an observation of a galaxy, without radial points: kernels have nothing to predict here. Groups of "
        "galaxies are compared instead (`sigcube.analysis.compare_groups`)."
    ),
    system_dim="galaxy",
    point_dim=None,
    point_flag=None,
    system_flag="system_flag",
    variables=(
        _member("f_dm", "", "share of dark matter in the mass within the effective radius"),
        _member("counter_rotating", "", "1 for a galaxy with counter-rotating stellar discs, else 0", "int64"),
        _member("survey_id", "", "identifier of the galaxy in its survey, the same for all its observations", "string"),
        _member.optional("log_m_star", "dex(solMass)", "log of the stellar mass, for h = 1"),
        _member.optional("log_m_total", "dex(solMass)", "log of the mass within the effective radius"),
        _member.optional("redshift", "", "redshift"),
        _member.optional("distance", "Mpc", "angular-diameter distance"),
        _member.optional("sigma_eff", "km/s", "velocity dispersion within the effective radius"),
        _member.optional("lambda_eff", "", "λ_R, how ordered the rotation within the effective radius is"),
        _member.optional("inclination", "deg", "inclination"),
        _member.optional("chi2_dof", "", "χ² of the model a degree of freedom"),
        _member.optional("quality", "", "quality of the model, as the source grades it"),
        _member.flag(
            "system_flag",
            "a galaxy",
            unmodelled="there is no share of dark matter: the model failed, or the galaxy is in no table of models",
            f_dm_out_of_range="the share of dark matter is not within 0 … 1",
            low_quality="the quality of the model is below what the recipe asks for",
            earlier_observation="the galaxy was observed again, and a later row of the table has it too",
        ),
    ),
)

_halo = _Along("halo")

HALO = Kind(
    name="halo",
    title="dark halos as others fitted them, with the nuisances of each fit",
    description=(
        "One row a fit of one model of halos to one galaxy, as it was published: kernels have nothing to predict here. "
        "`sigcube.analysis.published_halos` puts the galaxies of another cube at these parameters. Within r_200 the "
        "mean density is 200 times 3 H₀²/8πG at `hubble`, V_200 is the circular velocity there, and C_200 = r_200/r_s."
    ),
    system_dim="halo",
    point_dim=None,
    point_flag=None,
    system_flag="system_flag",
    variables=(
        _halo("galaxy", "", "name of the galaxy", "string"),
        _halo("model", "", "density profile and priors, as the source names them", "string"),
        _halo("v_200", "km/s", "circular velocity at r_200", least=0.0),
        _halo("c_200", "", "concentration, r_200/r_s", least=0.0),
        _halo("upsilon_disk", "Msun/solLum", "mass-to-light ratio of the disc at 3.6 µm", least=0.0),
        _halo("upsilon_bulge", "Msun/solLum", "mass-to-light ratio of the bulge at 3.6 µm", least=0.0),
        _halo("distance", "Mpc", "distance", least=0.0),
        _halo("inclination", "deg", "inclination"),
        _halo("chi2_red", "", "reduced χ²"),
        _halo("hubble", "km/(s Mpc)", "Hubble constant by which r_200 is defined", least=0.0),
        _halo.optional("e_v_200", "km/s", "error of V_200"),
        _halo.optional("e_c_200", "", "error of the concentration"),
        _halo.optional("e_upsilon_disk", "Msun/solLum", "error of the mass-to-light ratio of the disc"),
        _halo.optional("e_upsilon_bulge", "Msun/solLum", "error of the mass-to-light ratio of the bulge"),
        _halo.optional("e_distance", "Mpc", "error of the distance"),
        _halo.optional("e_inclination", "deg", "error of the inclination"),
        _halo.optional("r_s", "kpc", "scale radius"),
        _halo.optional("e_r_s", "kpc", "error of the scale radius"),
        _halo.optional("shape", "", "further parameter of the profile, such as α of Einasto's"),
        _halo.optional("e_shape", "", "error of the further parameter"),
        _halo.flag("system_flag", "a fit", no_chi2="there is no reduced χ², as where parameters are as many as points"),
    ),
)

#: Every kind of cube, by its attribute ``kind``.
KINDS: Mapping[str, Kind] = MappingProxyType(
    {kind.name: kind for kind in (GALAXY, STAR, CLUSTER, LANDMARK, POPULATION, HALO)}
)


def kind_of(ds: xr.Dataset) -> Kind:
    """Return the kind that a cube says it is.

    Raises
    ------
    DataError
        If it does not say, or says something unknown.
    """
    name = ds.attrs.get("kind") if (is_dataset := isinstance(ds, xr.Dataset)) else None
    if not isinstance(name, str) or name not in KINDS:
        if not is_dataset:
            hint = "as sigcube.open_cube opens it"
            raise DataError("this is no cube", found=type(ds).__name__, expected="an xarray.Dataset", hint=hint)
        raise DataError(
            "this dataset is not a sigcube cube" if name is None else f"there is no kind of cube {name!r}",
            where="attribute 'kind'",
            found=repr(name),
            hint=did_you_mean(str(name), KINDS),
        )
    return KINDS[name]
