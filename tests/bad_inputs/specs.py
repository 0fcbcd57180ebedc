"""Bad specs of sweeps and fits, in Python and in TOML."""

from collections.abc import Callable
from typing import Any

import numpy as np
import xarray as xr

from sigcube import Fit, JointSweep, Sweep, geomspace, linspace
from sigcube.model.metrics import Metric
from tests.bad_inputs.cases import FIT, SPEC, Case, Room, survey, sweep

__all__ = ["SPECS"]

LINSPACE = "xi_scale = { linspace = [0.05, 0.5, 4] }"


def mean(n: float, total: float) -> float:
    return total / n


def strange(predicted: float, observed: float) -> float:
    return predicted * observed


def metric(**given: Any) -> Metric:
    made = {"name": "mine", "long_name": "mine", "sums": ("strange",), "finish": mean, "scope": "system", "unit": ""}
    return Metric(**{**made, "terms": {"strange": strange}, **given})


nested: list[Any] = []
for _ in range(5000):
    nested = [nested]

# What is given instead of the axis A.
VALUES: list[tuple[str, Any, str]] = [
    ("a range of 10^12", range(10**12), "found: 1,000,000,000,000\n  expected: at most 1,000,000"),
    ("a range of 10^30", range(10**30), "at most 1,000,000"),
    ("a range along a dimension", ("case", range(10**12)), "at most 1,000,000"),
    ("a range in a table", {"values": range(10**12)}, "axis 'A' has too many values\n  where: axes.A"),
    ("an array of 10^12 that takes no memory", np.broadcast_to(1.0, 10**12), "at most 1,000,000"),
    ("a DataArray of as many", xr.DataArray(np.broadcast_to(1.0, 10**12), dims="case"), "at most 1,000,000"),
    ("a million and one", np.arange(1_000_001.0), "found: 1,000,001"),
    ("a number", 1.0, "must be a list of values"),
    ("a text", "1.0", "must be a list of values\n  where: axes.A\n  found: '1.0'"),
    ("nothing", None, "must be a list of values"),
    ("an empty list", [], "axis 'A' is empty"),
    ("a list of lists", [[1.0], [2.0]], "must be a list of values"),
    ("lists five thousand deep", nested, "must be a list of values"),
    ("a ragged list", [[1.0], [2.0, 3.0]], "must be a list of values"),
    ("a set", {1.0, 2.0}, "must be a list of values"),
    ("numbers that are texts", ["1.0", "2.0"], "parameter 'A' takes numbers"),
    ("a text among numbers", [1.0, "2.0"], "mixes labels and numbers"),
    ("truth values", [True, False], "holds something that is not a number"),
    ("no value among numbers", [1.0, None], "holds something that is not a number"),
    ("complex numbers", [1j, 2j], "holds something that is not a number"),
    ("a number beyond all floats", [1.0, 10**400], "holds something that is not a number"),
    ("a number that Python does not print", [10**10_000], "holds something that is not a number"),
    ("a million numbers and a None", [*range(999_999), None], "holds something that is not a number"),
    ("nan", [1.0, float("nan")], "A is not a number\n  where: axes.A"),
    ("infinity", [1.0, float("inf")], "A is out of bounds\n  where: axes.A\n  found: inf"),
    ("minus infinity", [1.0, float("-inf")], "A is out of bounds"),
    ("below the bounds", [-1.0, 1.0], "A is out of bounds\n  where: axes.A\n  found: -1"),
    ("a value twice", [1.0, 2.0, 1.0], "repeats a value\n  where: axes.A\n  found: 1.0"),
    ("zeros of both signs", [0.0, -0.0], "repeats a value"),
    ("no name of a dimension", ("", [1.0, 2.0]), "a dimension needs a name"),
    ("a dimension of the result", ("galaxy", [1.0, 2.0]), "cannot be called 'galaxy'"),
    ("a dimension named like a variable", ("status", [1.0, 2.0]), "cannot be called 'status'"),
    ("a dimension named like a summary", ("rms_mean", [1.0, 2.0]), "cannot be called 'rms_mean'"),
    (
        "a dimension with a slash",
        ("a/b", [1.0, 2.0]),
        "cannot be called so\n  where: axes.A\n  found: 'a/b'",
    ),
    ("a dimension with a NUL", ("\0", [1.0, 2.0]), "found: '\\x00'"),
    ("a dimension of half a letter", ("\ud800", [1.0, 2.0]), "a dimension cannot be called so"),
    ("a dimension that clears the screen", ("\x1b[2J", [1.0, 2.0]), "a dimension cannot be called so"),
    ("an endless dimension", ("x" * 10**6, [1.0, 2.0]), "a dimension cannot be called so"),
    ("two forms", {"linspace": [0, 1, 2], "values": [1.0]}, "an axis is given in exactly one form"),
    ("an unknown form", {"logspace": [0, 1, 2]}, "unknown key 'logspace'"),
    ("a dimension that is a number", {"values": [1.0], "dim": 3}, "a dimension needs a name"),
    ("a spacing without its number", {"linspace": [0, 1]}, "linspace needs [start, stop, number]"),
    ("a spacing that is a text", {"linspace": "0, 1, 5"}, "linspace needs [start, stop, number]"),
    ("a spacing of texts", {"linspace": ["0", "1", "5"]}, "expected: a whole number of values"),
]
SPACINGS: list[tuple[str, Callable[..., object], tuple[Any, ...], str]] = [
    *((f"10^{n} values by linspace", linspace, (0, 1, 10**n), "at most 1,000,000 values") for n in (7, 9, 20, 30)),
    *((f"10^{n} values by geomspace", geomspace, (1, 2, 10**n), "at most 1,000,000 values") for n in (7, 9, 20, 30)),
    ("a number of values that Python does not print", linspace, (0, 1, 10**10_000), "at most 1,000,000 values"),
    ("no values", linspace, (0, 1, 0), "above zero"),
    ("fewer than none", geomspace, (1, 2, -5), "above zero"),
    ("half a value", linspace, (0, 1, 2.5), "a whole number of values"),
    ("a truth value for a number", linspace, (0, 1, True), "a whole number of values"),
    ("an end that is a text", linspace, ("0", 1, 3), "finite numbers as ends"),
    ("an end that is nan", geomspace, (float("nan"), 1, 3), "finite numbers as ends"),
    ("an end beyond all floats", linspace, (0, 10**400, 3), "finite numbers as ends"),
    ("ends whose difference is infinite", linspace, (-1.7e308, 1.7e308, 3), "ends whose difference is finite"),
    ("ratios from zero", geomspace, (0, 1, 3), "both ends above zero"),
    ("ratios from a negative number", geomspace, (-1, 1, 3), "both ends above zero"),
]
MANY = linspace(0.01, 1, 10**5)
SWEEPS: list[tuple[str, dict[str, Any], str]] = [
    (
        "four axes of 10^5 values",
        {"axes": {"A": MANY, "xi_scale": MANY, "z": MANY, "g_ext": MANY}},
        "the grid has too many points\n  where: axes\n  found: A 100,000 × xi_scale 100,000 × z 100,000",
    ),
    (
        "10^13 grid points",
        {"axes": {"A": linspace(0, 3, 10**6), "xi_scale": linspace(0.01, 1, 10**6), "z": [*range(10)]}},
        "the sweep is too large\n  where: axes\n  found: 10,000,000,000,000 grid points in",
    ),
    (
        "a label at each of 10^5 places",
        {"axes": {"window": ("case", ["none"] * 10**5), "A": ("case", MANY)}},
        "too many combinations of labels\n  where: axes\n  found: case 100,000",
    ),
    ("a list of axes", {"axes": [1.0]}, "axes must be a table"),
    ("a list of roles", {"roles": ["A"]}, "roles must be a table"),
    ("a role that is none", {"roles": {"arbitary": ["A"]}}, "did you mean 'arbitrary'"),
    ("a role that is a text", {"roles": {"physical": "A"}}, "roles.physical must be a list"),
    ("a role of what is no axis", {"roles": {"physical": [{}]}}, "has a role, and is no axis"),
    ("an axis of two roles", {"roles": {"physical": ["A"], "nuisance": ["A"]}}, "axis 'A' has two roles"),
    ("an axis without a name", {"axes": {3: [1.0]}}, "axes must be a table"),
    ("axes along one dimension that differ", {"axes": {"A": ("c", [1.0]), "k": ("c", [1.0, 2.0])}}, "differ in length"),
    ("an axis of another model", {"axes": {"a0": [1e-10]}}, "sigma has no parameter or choice 'a0'"),
    ("an axis called galaxy", {"axes": {"galaxy": [1.0, 2.0]}}, "sigma has no parameter or choice 'galaxy'"),
    ("an axis called status", {"axes": {"status": [1.0, 2.0]}}, "sigma has no parameter or choice 'status'"),
    ("an axis with a slash", {"axes": {"A/B": [1.0]}}, "a dimension cannot be called so"),
    ("an endless name of an axis", {"axes": {"A" * 10**6: [1.0]}}, "a dimension cannot be called so"),
    ("labels that are numbers", {"axes": {"window": [1, 2]}}, "choice 'window' takes labels"),
    ("a label of another choice", {"axes": {"window": ["codata"]}}, "sigma has no window 'codata'"),
    ("a label in other letters", {"axes": {"window": ["ɡeometric"]}}, "did you mean 'geometric'"),
    ("an axis that is held fixed too", {"fixed": {"A": 1.0}}, "'A' is both an axis and held fixed"),
    ("an axis that nothing uses", {"axes": {"xi": [1.0, 2.0]}}, "no reading of sigma in this sweep uses 'xi'"),
    ("a list held fixed", {"fixed": {"k": [1.0]}}, "k is held fixed at one value"),
    ("a text held fixed", {"fixed": {"k": "1.0"}}, "k must be a number\n  where: fixed.k"),
    ("a truth value held fixed", {"fixed": {"k": True}}, "k must be a number"),
    ("nan held fixed", {"fixed": {"xi_scale": float("nan")}}, "xi_scale is not a number"),
    ("a list for fixed", {"fixed": ["k"]}, "fixed must be a table"),
    ("no metric", {"metrics": []}, "a sweep needs at least one metric"),
    ("a metric twice", {"metrics": ["rms", "rms"]}, "metric 'rms' is named twice"),
    ("a metric that is a number", {"metrics": [3]}, "there is no metric 3"),
    ("a text for metrics", {"metrics": "rms"}, "metrics must be a list\n  where: metrics\n  found: 'rms'"),
    ("a metric that there is not", {"metrics": ["rsm"]}, "did you mean 'rms'"),
    ("an endless name of a metric", {"metrics": ["r" * 10**6]}, "there is no metric"),
    ("a metric of the boost", {"metrics": [metric(sums=("boost",))]}, "'boost', which is a value of the model"),
    ("a metric of nothing", {"metrics": [metric(sums=("nothing",))]}, "adds up 'nothing', which is no term"),
    ("a metric named like an axis", {"metrics": [metric(name="A")]}, "a metric cannot be called 'A'"),
    ("a metric named like the systems", {"metrics": [metric(name="galaxy")]}, "a metric cannot be called 'galaxy'"),
    ("a sample that there is not", {"sample": "unflaged"}, "did you mean 'unflagged'"),
    ("no name of a sample", {"sample": ""}, "has no sample ''"),
    ("a sample that is a path", {"sample": "../../etc/passwd"}, "has no sample '../../etc/passwd'"),
    ("a sample with a NUL", {"sample": "a\0b"}, "has no sample"),
    ("systems that are not", {"keep": ["galaxies"]}, "there is no dimension 'galaxies' to keep"),
    ("a text for keep", {"keep": "galaxy"}, "keep must be a list"),
    ("half precision", {"dtype": "float16"}, "dtype must be float32 or float64"),
    ("a truth value for fitted", {"n_fitted": True}, "fitted parameters is a whole number"),
    ("half a fitted parameter", {"n_fitted": 0.5}, "fitted parameters is a whole number"),
    ("fewer fitted parameters than none", {"n_fitted": -1}, "leave no degrees of freedom"),
    ("more fitted parameters than points", {"n_fitted": 10**6}, "leave no degrees of freedom"),
    ("fitted parameters beyond counting", {"n_fitted": 10**10_000}, "fitted parameters is a whole number"),
    ("a model that there is not", {"kernel": "sigmo"}, "did you mean 'sigma'"),
    ("a model that is a number", {"kernel": 3}, "kernel"),
    ("a reference that there is not", {"reference": "mund"}, "did you mean 'mond'"),
    ("a reference that is a list", {"reference": ["mond"]}, "a reference is a kernel"),
    ("a reference without a kernel", {"reference": {"a0": 1e-10}}, "a reference needs a kernel"),
    ("a reference with a list", {"reference": {"kernel": "mond", "a0": [1e-10]}}, "a0 is held fixed at one value"),
    ("a reference without RMS", {"reference": "mond", "metrics": ["chi2"]}, "a reference is compared by RMS"),
    ("errors without ln L", {"errors": {"scatter": 0.1}}, "no metric here knows such errors"),
    ("errors that there are not", {"errors": {"distence": True}}, "did you mean 'distance'"),
    ("errors that are a list", {"errors": ["distance"]}, "these are no errors of the data"),
    ("an error that is a number", {"errors": {"distance": 1}}, "distance is marginalised or not"),
    ("a scatter that is not a number", {"errors": {"scatter": float("nan")}}, "this is no scatter"),
    ("a scatter that is a text", {"errors": {"scatter": "0.1 dex"}}, "this is no scatter"),
    ("a unit that is a list", {"errors": {"scatter_unit": ["dex"]}}, "there is no unit"),
    ("nodes beyond counting", {"errors": {"distance": True, "quadrature": 10**400}}, "no number of nodes"),
    ("an error of g_bar beyond counting", {"errors": {"g_bar": 10**400}}, "this is no error of g_bar"),
    ("an error of g_bar that is a text", {"errors": {"g_bar": "0.04 dex"}}, "this is no error of g_bar"),
    ("errors of nobody knows what", {"metrics": ["loglike"], "errors": {"g_bar": 0.04}}, "without a g_bar_mean"),
    ("errors that the cube has not", {"metrics": ["loglike"], "errors": {"distance": True}}, "needs 'e_distance'"),
]
METRICS: list[tuple[str, dict[str, Any], str]] = [
    ("a metric that leaves its folder", {"name": "../x"}, "a metric cannot be called so"),
    ("a metric with a slash", {"name": "a/b"}, "a metric cannot be called so\n  where: metrics\n  found: 'a/b'"),
    ("a metric without a name", {"name": ""}, "a metric cannot be called so"),
    ("a metric named like a file of Zarr", {"name": "zarr.json"}, "a metric cannot be called so"),
    ("a metric with an endless name", {"name": "x" * 300}, "a metric cannot be called so"),
    ("a metric named like the journal", {"name": "journal"}, "cannot be called 'journal'"),
    ("a metric named like a summary", {"name": "rms_mean"}, "cannot be called 'rms_mean'"),
    ("a metric of an unknown scope", {"scope": "galaxy"}, "has no scope 'galaxy'"),
    ("a metric of an unknown best value", {"best": "largets"}, "has no best 'largets'"),
]
# What stands in the file of a sweep instead of what.
TEXTS: list[tuple[str, str, str, str]] = [
    *(
        (
            f"TOML: 10^{n} values",
            LINSPACE,
            f"xi_scale = {{ linspace = [0, 1, {10**n}] }}",
            "at most 1,000,000 values",
        )
        for n in (7, 9, 15, 20)
    ),
    ("TOML: 10^7 ratios", LINSPACE, "xi_scale = { geomspace = [1, 2, 10000000] }", "where: axes.xi_scale"),
    ("TOML: more digits than Python reads", "n_fitted = 1", f"n_fitted = {'1' * 5000}", "is not TOML"),
    ("TOML: a number beyond all floats", "0.05, 0.5, 4", "0.05, 1e400, 4", "finite numbers as ends"),
    ("TOML: nan", "[0.05, 0.5, 4]", "[nan, 0.5, 4]", "finite numbers as ends"),
    ("TOML: true for fitted", "n_fitted = 1", "n_fitted = true", "key 'n_fitted' is wrong\n  where: "),
    ("TOML: a text for fitted", "n_fitted = 1", 'n_fitted = "1"', "expected: a number"),
    ("TOML: half a fitted parameter", "n_fitted = 1", "n_fitted = 1.5", "key 'n_fitted' is wrong"),
    ("TOML: a negative number fitted", "n_fitted = 1", "n_fitted = -1", "leave no degrees of freedom"),
    ("TOML: all digits fitted", "n_fitted = 1", "n_fitted = 99999999999999999999", "fitted"),
    ("TOML: lists ten thousand deep", LINSPACE, f"xi_scale = {'[' * 10_000}", "nested too deep"),
    ("TOML: tables ten thousand deep", LINSPACE, f"xi_scale = {'{a=' * 10_000}", "nested too deep"),
    ("TOML: ten thousand names joined", LINSPACE, f"xi_scale{'.a' * 10_000} = 1", "nested too deep"),
    ("TOML: quoted names joined", LINSPACE, "xi_scale" + '."a"' * 10_000 + " = 1", "nested too deep"),
    ("TOML: a header of joined names", "[axes]", f"[axes{'.a' * 10_000}]", "nested too deep"),
    ("TOML: three million letters", "[axes]", f"# {'x' * 3_000_000}\n[axes]", "is too long"),
    ("TOML: a key twice", "n_fitted = 1", "n_fitted = 1\nn_fitted = 2", "is not TOML"),
    ("TOML: a table twice", "[axes]", "[fixed]\n[axes]", "is not TOML"),
    ("TOML: no equals sign", "n_fitted = 1", "n_fitted 1", "is not TOML\n  where: "),
    ("TOML: a quotation mark too few", 'kernel = "sigma"', 'kernel = "sigma', "is not TOML"),
    ("TOML: half a letter", 'kernel = "sigma"', 'kernel = "\ud800"', "is not TOML"),
    ("TOML: a NUL", "n_fitted = 1", "n_fitted = 1\0", "is not TOML"),
    ("TOML: a role that is none", "[axes]", '[roles]\nphysic = ["A"]\n[axes]', "did you mean 'physical'"),
    ("TOML: roles of numbers", "[axes]", "[roles]\nphysical = [1]\n[axes]", "key 'roles.physical.0' is wrong"),
    ("TOML: datasets in the spec of one", "[axes]", '[[data]]\nname = "a"\n[axes]', "the spec of a joint sweep"),
    ("TOML: a date", "n_fitted = 1", "n_fitted = 2024-02-31", "is not TOML"),
    ("TOML: a misspelt key", "n_fitted = 1", "n_fited = 1", "did you mean 'n_fitted'"),
    ("TOML: ten thousand unknown keys", "n_fitted = 1", "".join(f"k{i} = 1\n" for i in range(10**4)), "1000 faults"),
    ("TOML: an endless unknown key", "n_fitted = 1", f"{'k' * 10**6} = 1", "unknown key"),
    ("TOML: a list of kernels", 'kernel = "sigma"', 'kernel = ["sigma"]', "key 'kernel' is wrong"),
    ("TOML: a cube with a NUL", '"CUBE"', '"a\\u0000b"', "this cannot be the path of a cube"),
    ("TOML: an endless cube", '"CUBE"', f'"{"x" * 300}"', "this cannot be the path of a cube"),
    ("TOML: no name of a cube", '"CUBE"', '""', "what is here is not a cube"),
    ("TOML: a dimension of the result", "4] }", '4], dim = "galaxy" }', "cannot be called 'galaxy'"),
    ("TOML: an unknown form of an axis", "linspace = [0.05", "logspace = [0.05", "unknown key 'logspace'"),
    ("TOML: an axis without values", LINSPACE, "xi_scale = {}", "an axis is given in exactly one form"),
    ("TOML: numbers that are texts", LINSPACE, 'xi_scale = ["0.1", "0.2"]', "parameter 'xi_scale' takes numbers"),
    ("TOML: a list of two sorts", LINSPACE, 'xi_scale = [0.1, "0.2"]', "mixes labels and numbers"),
    ("TOML: dates for values", LINSPACE, "xi_scale = [2024-01-01]", "is not a number"),
    ("TOML: a reference without a kernel", 'kernel = "mond"', "a0 = 1e-10", "a reference needs a kernel"),
    ("TOML: what a reference does not use", 'kernel = "mond"', 'kernel = "newton"\na0 = 1e-10', "a0"),
]
# Whole files in place of a spec.
WHOLE: list[tuple[str, str | bytes, str]] = [
    ("an empty file", "", "key 'cube' is missing"),
    ("a CSV file", "galaxy,r,v_obs\nA,1,100\n", "is not TOML"),
    ("a JSON file", '{"cube": "x"}', "is not TOML"),
    ("a file in UTF-16", SPEC.encode("utf-16"), "is not TOML"),
    ("a file of zeros", bytes(1000), "is not TOML"),
    ("the spec of a fit", FIT, "this is the spec of a fit"),
    ("a compressed file", b"\x1f\x8b\x08" + bytes(20), "is not TOML"),
]
# Of several datasets: what is replaced, by what.
JOINT_SPEC = 'kernel = "sigma"\n[axes]\nA = [1.0, 2.0]\n[[data]]\nname = "one"\ncube = "CUBE"\nsample = "unflagged"\n'
JOINTS: list[tuple[str, str, str, str]] = [
    ("datasets that are none", JOINT_SPEC[JOINT_SPEC.index("[[data]]") :], "[data]\n", "key 'data' is wrong"),
    ("a dataset without a name", 'name = "one"\n', "", "key 'data.0.name' is missing"),
    ("a dataset without a cube", 'cube = "CUBE"\n', "", "key 'data.0.cube' is missing"),
    ("a misspelt key of a dataset", "sample", "sampel", "did you mean 'sample'"),
    ("a dataset that leaves its folder", '"one"', '"../one"', "a dataset cannot be called so"),
    ("a dataset of no letters", '"one"', '""', "a dataset cannot be called so"),
    ("a dataset named like the journal", '"one"', '"journal"', "a dataset cannot be called so"),
    ("two datasets of one name", "[[data]]", '[[data]]\nname = "one"\ncube = "x"\n[[data]]', "two datasets are called"),
    ("a dataset whose cube is not there", '"CUBE"', '"nowhere"', "data.one, nowhere"),
    ("an axis that no dataset has", "A = ", "AA = ", "axes.AA"),
    ("neither a kernel nor models", 'kernel = "sigma"\n', "", "data.one, kernel"),
]
FITS: list[tuple[str, str, str, str]] = [
    ("a fit over 10^9 values", "[0.01, 5.0, 11]", "[0.01, 5.0, 1000000000]", "at most 1,000,000 values"),
    (
        "a fit whose grid is larger than memory",
        "[0.01, 5.0, 11] }",
        "[0.01, 5.0, 1000000] }\nz = { linspace = [0, 1, 100] }",
        "the coarse grid of a fit has too many points\n  where: model.free of sigma",
    ),
    ("a fit of one value", "[0.01, 5.0, 11]", "[0.01, 5.0, 1]", "must span its bounds"),
    ("a fit of a label", "[model.free]", '[model.free]\nwindow = ["none"]', "'window' is a choice"),
    ("a fit of two of one name", "[[model]]", '[[model]]\nkernel = "sigma"\nfree = {}\n[[model]]', "two models"),
    ("a fit of no model", FIT[FIT.index("[[model]]") :], "model = []", "key 'model' is wrong"),
    ("a fit of an unknown scope", 'sample = "', 'scope = "galaxy"\nsample = "', "key 'scope' is wrong"),
    ("a fit of more than the points", "[model.free]", "[model.free]\nA = 1\n", "is not TOML"),
]


def from_toml(text: str | bytes) -> Callable[[Room], object]:
    return lambda room: Sweep.from_toml(room.spec(text))


def replaced(text: str, old: str, new: str) -> str:
    assert old in text, old
    return text.replace(old, new, 1)


def made(given: dict[str, Any]) -> Callable[[Room], object]:
    return lambda room: sweep(**given)


def spaced(form: Callable[..., object], given: tuple[Any, ...]) -> Callable[[Room], object]:
    return lambda room: form(*given)


def measured(given: dict[str, Any]) -> Callable[[Room], object]:
    return lambda room: metric(**given)


def fitted(text: str) -> Callable[[Room], object]:
    return lambda room: Fit.from_toml(room.spec(text))


def joined(text: str) -> Callable[[Room], object]:
    return lambda room: JointSweep.from_toml(room.spec(text))


SPECS: tuple[Case, ...] = (
    *(Case(f"axis: {reason}", said, made({"axes": {"A": given}})) for reason, given, said in VALUES),
    *(Case(reason, said, spaced(form, given)) for reason, form, given, said in SPACINGS),
    *(Case(f"sweep: {reason}", said, made(given)) for reason, given, said in SWEEPS),
    *(Case(reason, said, measured(given)) for reason, given, said in METRICS),
    *(Case(reason, said, from_toml(replaced(SPEC, old, new))) for reason, old, new, said in TEXTS),
    *(
        Case(f"{reason} for a spec", said, lambda room, t=t: Sweep.from_toml(room.write(t)))
        for reason, t, said in WHOLE
    ),
    *(Case(reason, said, fitted(replaced(FIT, old, new))) for reason, old, new, said in FITS),
    *(Case(f"joint: {reason}", said, joined(replaced(JOINT_SPEC, old, new))) for reason, old, new, said in JOINTS),
    Case(
        "a fit of more parameters than points",
        "too few points to fit",
        lambda room: Fit(survey().isel(radius=slice(0, 2)), kernel="sigma", free={"A": [0, 1], "z": [0, 1]}),
    ),
)
