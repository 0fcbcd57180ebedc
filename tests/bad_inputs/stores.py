"""x."""

from tests.bad_inputs.cases import Case

STORES: tuple[Case, ...] = ()
