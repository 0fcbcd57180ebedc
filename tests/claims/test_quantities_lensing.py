"""Numbers of light, of a boost that is given or computed."""

import pytest

from sigcube.claims import evaluate_claims, read_claims
from sigcube.claims.verdicts import Verdict
from sigcube.errors import SpecError

ROW = """
[[claim]]
paper = "sigma_gravity"
id = "a.row"
where = "§0"
statement = "a number of light"
published = "{published}"
[[claim.reading]]
quote = "§0: its words"
quantity = "lensing"
function = "{function}"
boost = {boost}
"""

# A boost of its own reading.
COMPUTED = '{ quantity = "kernel", kernel = "newton", at = { g_bar = 1e-10 } }'


@pytest.mark.parametrize(
    ("function", "boost", "published"),
    [
        ("slip", "2.0", "0.75"),  # main §4.3
        ("lensing_over_dynamics", "2.0", "0.875"),  # main §4.3
        ("theta_renormalised", "2.0", "2.5"),  # main §2.16
        ("lensing_over_dynamics", COMPUTED, "1.0"),  # Newton's: light and stars agree
    ],
)
def test_value(function: str, boost: str, published: str) -> None:
    (entry,) = evaluate_claims(read_claims(ROW.format(function=function, boost=boost, published=published)))
    assert entry.failures == ()
    assert entry.verdict is Verdict.REPRODUCES


def test_formula_and_boost_are_told() -> None:
    (entry,) = evaluate_claims(read_claims(ROW.format(function="slip", boost=COMPUTED, published="0.5")))
    found = entry.outcomes[0].found
    assert entry.verdict is Verdict.DIFFERS
    assert found is not None
    formula = "Gravitational slip η = Ψ/Φ = (2Σ−1)/(3Σ−2) (main §4.3, SI §11)"
    assert found.details == {"formula": formula, "boost": "1"}
    assert found.command == "from sigcube.kernels import lensing; lensing.slip(1.0)"


def test_an_unknown_function_is_refused() -> None:
    with pytest.raises(SpecError, match=r"(?s)key 'function'.*expected: 'slip'"):
        read_claims(ROW.format(function="slips", boost="2.0", published="0.75"))
