"""Tokens against those of the plain loop on the plain networks of tests/reference, on every clone."""

import json

import pytest

from tests.reference.write import CASES, FAMILIES, FOLDER, LENGTHS, MASK_ID, formula_prompts
from tests.support.models import formula_model
from weft.sampling import generate

STORED = json.loads((FOLDER / "tokens.json").read_text())


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("name", CASES)
def test_the_tokens_are_those_of_the_plain_loop(family, name):
    settings = {**LENGTHS, **CASES[name]}
    prompts = formula_prompts().tolist()
    answers = generate(formula_model(family), prompts, mask_token_id=MASK_ID, **settings)
    assert answers == STORED[family][name]
