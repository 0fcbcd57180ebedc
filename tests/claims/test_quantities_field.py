"""The field equation against the algebraic relation, as rows ask for it."""

import pytest

from sigcube.claims import evaluate_claims, read_claims
from sigcube.claims.verdicts import Verdict
from sigcube.errors import SpecError

ROW = """
[[claim]]
paper = "sigma_gravity"
id = "a.row"
where = "§0"
statement = "a difference"
published = "{published}"
[[claim.reading]]
quote = "§0: its words"
quantity = "field"
{keys}
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("keys", "published", "verdict"),
    [
        # the two are one for a sphere
        ('shape = "plummer"\nof = { mass = 1e10, scale_length = 2.0 }\nR = 4.0', "0.0000", Verdict.REPRODUCES),
        # of Kuzmin's disc the closed form, with MOND: 3.8 %, an example of the solver
        (
            'shape = "kuzmin"\nof = { mass = 1e10, scale_length = 2.0 }\nR = 4.0\nkernel = "mond"',
            "0.038",
            Verdict.REPRODUCES,
        ),
    ],
)
def test_value(keys: str, published: str, verdict: Verdict) -> None:
    settings = "" if "mond" in keys else '\nsettings = { window = "none" }'
    (entry,) = evaluate_claims(read_claims(ROW.format(keys=keys + settings, published=published)))
    assert entry.failures == ()
    assert entry.verdict is verdict
    assert entry.outcomes[0].found is not None
    assert entry.outcomes[0].found.command.startswith("from sigcube import field; field.solve(field.")


def test_an_unknown_shape_is_refused() -> None:
    with pytest.raises(SpecError, match=r"(?s)key 'shape'.*expected: 'exponential'"):
        read_claims(ROW.format(keys='shape = "ring"\nof = {}\nR = 1.0', published="0"))
