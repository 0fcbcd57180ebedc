"""x."""

from tests.bad_inputs.cases import Case

ADDRESSES: tuple[Case, ...] = ()
