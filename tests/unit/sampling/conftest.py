import copy

import pytest
import torch

from tests.support.models import tiny_dream
from weft.sampling.noise import HashedNoise, key_of_prompt
from weft.verify.plain.loop import generate_plainly

PROMPTS = [[11, 12, 13], [14], [15, 16, 17, 18, 19, 20, 21, 22, 23], [31, 32, 33, 34, 35], [41, 42]]


@pytest.fixture(scope="session")
def dream(tokenizer):
    return tiny_dream(tokenizer)


@pytest.fixture(scope="session")
def stuck_model(model, tokenizer):
    """A model that often predicts the mask token itself, and some positions it will not give up."""
    stuck = copy.deepcopy(model)
    with torch.no_grad():
        stuck.lm_head.weight[tokenizer.mask_token_id] *= 8
    return stuck


@pytest.fixture(scope="session")
def certain_model(model):
    """A model whose probabilities are often exactly one, so that confidences tie."""
    certain = copy.deepcopy(model)
    with torch.no_grad():
        certain.lm_head.weight *= 30
    return certain


@pytest.fixture
def judge():
    """Answer prompts one by one with the plain loop."""

    def answer(model, prompts, *, seed=0, **settings):
        is_dream = hasattr(model, "logit_shift") and model.logit_shift == 1

        def predict(ids):
            if is_dream:  # as the published class returns them
                return model.lm_head(model.model(input_ids=ids).last_hidden_state)
            return model(input_ids=ids).logits

        return [
            generate_plainly(
                predict,
                torch.tensor([prompt], dtype=torch.long),
                shift=is_dream,
                noise=HashedNoise(seed),
                keys=torch.tensor([key_of_prompt(prompt)]),
                **settings,
            )[0].tolist()
            for prompt in prompts
        ]

    return answer
