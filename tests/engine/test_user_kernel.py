"""A kernel of one's own, a few lines long, goes wherever a registered one goes."""

import numpy as np
import pytest
import xarray as xr

from sigcube.cube import select
from sigcube.errors import DataError
from sigcube.model.kernel import Kernel
from sigcube.model.record import Choice, Option, Parameter, Reduction
from sigcube.model.vecmath import exp
from sigcube.plan.spec import spec_from_record, spec_to_record
from tests.sweeping import planned, whole


def boost(r: float, ell: float, strength: float) -> float:
    """Σ = 1 + s e^{−r/ℓ} (this test)."""
    return 1.0 + strength * exp(-r / ell)


def extent(r: np.ndarray) -> float:
    """The last radius, kpc."""
    return r[r.size - 1]


OWN = Kernel(
    name="fading",
    title="a boost that fades",
    source="this test",
    terms={"boost": boost, "last": Reduction(extent)},
    parameters=(
        Parameter("strength", "s", 1.0, "", (0.0, 10.0), "fitted", "this test", "boost at the centre"),
        Parameter("scale", "ℓ", 3.0, "kpc", (0.1, 100.0), "fitted", "this test", "range"),
    ),
    choices=(
        Choice(
            name="range",
            default="fixed",
            options={
                "fixed": Option({"ell": "scale"}, "this test", "the parameter scale"),
                "extent": Option({"ell": "last"}, "this test", "the last radius"),
            },
            description="what ℓ is",
        ),
    ),
)


@pytest.fixture(scope="module")
def cube(mock_cube: xr.Dataset) -> xr.Dataset:
    return mock_cube.isel(galaxy=slice(0, 8))


@pytest.mark.slow
def test_its_boost_is_its_formula(cube: xr.Dataset) -> None:
    np.testing.assert_allclose(OWN.boost(cube, scale=2.0), 1.0 + np.exp(-cube.r / 2.0), rtol=1e-14)
    np.testing.assert_allclose(
        OWN.boost(cube, range="extent"), 1.0 + np.exp(-cube.r / cube.r.max("radius")), rtol=1e-14
    )


@pytest.mark.slow
def test_it_sweeps(cube: xr.Dataset) -> None:
    axes = {"range": ["fixed", "extent"], "scale": [1.0, 4.0], "strength": [0.0, 0.5, 1.0]}
    plan, packed = planned(
        cube, kernel=OWN, axes=axes, metrics=["rms"], reference=OWN, keep=["galaxy"], dtype="float64"
    )
    assert [set(section.model.dims) for section in plan.sections] == [{"strength", "scale"}, {"strength"}]
    found = whole(plan, packed)
    kept = select(cube, sample="unflagged")
    for i, settings in enumerate([{"range": "fixed", "scale": 4.0}, {"range": "extent"}]):
        predicted = OWN.predict(kept, strength=0.5, **settings)
        rms = np.sqrt(((predicted - kept.v_obs) ** 2).mean("radius"))
        np.testing.assert_allclose(found["rms"][:, i, 1, 1], rms, rtol=1e-12)
    np.testing.assert_array_equal(found["rms"][:, 1, 0], found["rms"][:, 1, 1])


def test_its_record_comes_back_when_it_is_handed_in(cube: xr.Dataset) -> None:
    plan, _ = planned(cube, kernel=OWN, axes={"strength": [0.0, 1.0]}, reference=OWN)
    record = spec_to_record(plan.spec)
    assert spec_from_record(record, own_kernels={"fading": OWN}) == plan.spec


def test_what_it_lacks_is_named(cube: xr.Dataset) -> None:
    needy = Kernel("needy", "needs a temperature", "this test", terms={"boost": lambda temperature: temperature})
    with pytest.raises(
        DataError, match=r"needy needs 'temperature', which the cube does not have\n  where: .*→ temperature"
    ):
        planned(cube, kernel=needy, axes={"upsilon_disk": [0.5]})
