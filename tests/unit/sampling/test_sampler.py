import json

import pytest
import torch

from weft.errors import SamplingError
from weft.sampling import generate
from weft.testing.models import ScriptedModel

MASK = 9


def scripted(best, confidence):
    """A table in which position i predicts best[i], the surer the higher confidence[i]."""
    logits = torch.zeros(len(best), 10)
    logits[torch.arange(len(best)), torch.tensor(best)] = torch.tensor(confidence)
    return ScriptedModel(logits)


def test_the_surest_positions_are_revealed_first_within_a_block():
    model = scripted([0, 1, 2, 3, 4], [0.0, 1.0, 5.0, 9.0, 2.0])
    answers = generate(model, [[7]], gen_length=4, block_length=2, diffusion_steps=4, mask_token_id=MASK)
    assert answers == [[1, 2, 3, 4]]
    seen = [call[0, 1:].tolist() for call in model.calls]
    assert seen == [[MASK] * 4, [MASK, 2, MASK, MASK], [1, 2, MASK, MASK], [1, 2, 3, MASK]]


def test_equal_confidences_are_resolved_by_position():
    model = scripted([0, 1, 2], [0.0, 3.0, 3.0])
    generate(model, [[7]], gen_length=2, block_length=2, diffusion_steps=2, mask_token_id=MASK)
    assert model.calls[1][0].tolist() == [7, 1, MASK]


def test_a_position_that_predicts_the_mask_stays_masked():
    model = scripted([0, MASK, 2], [0.0, 9.0, 3.0])
    answers = generate(model, [[7]], gen_length=2, block_length=2, diffusion_steps=1, mask_token_id=MASK)
    assert answers == [[MASK, 2]]


def test_answers_do_not_depend_on_the_batch(model, tokenizer):
    prompts = [[11, 12, 13], [14], [15, 16, 17, 18, 19, 20]]
    settings = {
        "gen_length": 8,
        "block_length": 4,
        "diffusion_steps": 4,
        "mask_token_id": tokenizer.mask_token_id,
        "eos_token_id": tokenizer.eos_token_id,
    }
    together = generate(model, prompts, **settings)
    assert together == [generate(model, [prompt], **settings)[0] for prompt in prompts]
    assert together == generate(model, prompts, batch_size=2, **settings)


def test_no_prompts_no_answers():
    assert generate(ScriptedModel(torch.zeros(1, 10)), [], gen_length=4, block_length=2, diffusion_steps=2,
                    mask_token_id=MASK) == []  # fmt: skip


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"gen_length": 5}, "multiple of block_length"),
        ({"diffusion_steps": 3}, "multiple of the number of blocks"),
        ({"temperature": -0.5}, "temperature must be finite"),
    ],
)
def test_settings_that_do_not_fit_are_refused(change, message):
    settings = {"gen_length": 4, "block_length": 2, "diffusion_steps": 2, "mask_token_id": MASK} | change
    with pytest.raises(SamplingError, match=message):
        generate(ScriptedModel(torch.zeros(5, 10)), [[1]], **settings)


def test_tokens_equal_the_published_loop(shared_data):
    from weft.model import load_model

    folder = shared_data / "reference" / "llada_small"
    model = load_model(folder)
    for case in json.loads((folder / "d1_generate.json").read_text()):
        answers = generate(
            model,
            case["prompt"],
            gen_length=case["gen_length"],
            block_length=case["block_length"],
            diffusion_steps=case["steps"],
            cfg_scale=case["cfg_scale"],
            mask_token_id=model.config.mask_token_id,
        )
        assert answers == case["output"]
