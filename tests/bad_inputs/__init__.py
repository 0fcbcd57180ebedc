"""Inputs that cannot be, in tables with a reason a row: each has to end in one clear error."""

from tests.bad_inputs.addresses import ADDRESSES
from tests.bad_inputs.cases import Case, Room
from tests.bad_inputs.files import FILES
from tests.bad_inputs.questions import QUESTIONS
from tests.bad_inputs.recipes import RECIPES
from tests.bad_inputs.specs import SPECS
from tests.bad_inputs.stores import STORES

__all__ = ["CASES", "Case", "Room"]

CASES: tuple[Case, ...] = (*SPECS, *RECIPES, *FILES, *ADDRESSES, *STORES, *QUESTIONS)
