"""Tokens against those of the plain loop on the plain networks, on every clone."""

import pytest

from weft.sampling import generate
from weft.verify.formula import FAMILIES, MASK_ID, SAMPLED, SAMPLING_CASES, formula_model, formula_prompts
from weft.verify.stored import stored_tokens


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("name", SAMPLING_CASES)
def test_the_tokens_are_those_of_the_plain_loop(family, name):
    settings = {**SAMPLED, **SAMPLING_CASES[name]}
    prompts = formula_prompts().tolist()
    answers = generate(formula_model(family), prompts, mask_token_id=MASK_ID, **settings)
    assert answers == stored_tokens().of_family(family)[name]
