import json

import pytest
import torch
from safetensors.torch import load_file

from tests.support.models import ScriptedModel
from weft.model import load_model
from weft.sampling.noise import HashedNoise
from weft.verify.plain.loop import generate_plainly

MASK = 9


class Recorder:
    """A mask predictor that gives fixed logits, positions x vocab, and remembers what it was shown."""

    def __init__(self, best, confidence=None):
        logits = torch.zeros(len(best), 10)
        logits[torch.arange(len(best)), torch.tensor(best)] = torch.tensor(confidence or [5.0] * len(best))
        self.model = ScriptedModel(logits)

    def __call__(self, ids):
        return self.model(input_ids=ids).logits

    def seen(self, row=0):
        return [call[row].tolist() for call in self.model.calls]


class GivenNoise(HashedNoise):
    """Uniform numbers that are given; what they are asked for is remembered."""

    def __init__(self, *, tokens=None, places=None):
        self.tokens, self.places = tokens, places
        self.asked = []

    def for_tokens(self, keys, steps, positions, vocab_size):
        self.asked.append((keys.tolist(), steps.tolist(), positions.tolist()))
        return self.tokens

    def for_positions(self, keys, steps, positions):
        self.asked.append((keys.tolist(), steps.tolist(), positions.tolist()))
        return self.places


def generate(predict, prompts, **settings):
    settings = {"gen_length": 4, "block_length": 4, "diffusion_steps": 4, "mask_token_id": MASK} | settings
    return generate_plainly(predict, torch.tensor(prompts), **settings).tolist()


def test_predictions_are_revealed_block_by_block_in_order_of_confidence():
    predict = Recorder([0, 1, 2, 3, 4], [0.0, 1.0, 5.0, 9.0, 2.0])
    assert generate(predict, [[7]], block_length=2) == [[1, 2, 3, 4]]
    assert predict.seen() == [
        [7, MASK, MASK, MASK, MASK],
        [7, MASK, 2, MASK, MASK],
        [7, 1, 2, MASK, MASK],
        [7, 1, 2, 3, MASK],
    ]


def test_each_row_has_its_own_order():
    def predict(ids):
        logits = torch.zeros(2, 3, 10)
        logits[0, [1, 2], [1, 2]] = torch.tensor([3.0, 6.0])
        logits[1, [1, 2], [3, 4]] = torch.tensor([6.0, 3.0])
        shown.append(ids[:, 1:].tolist())
        return logits

    shown = []
    settings = {"gen_length": 2, "block_length": 2, "diffusion_steps": 2}
    assert generate(predict, [[7], [8]], **settings) == [[1, 2], [3, 4]]
    assert shown[1] == [[MASK, 2], [3, MASK]]


def test_the_remainder_is_revealed_in_the_first_steps():
    predict = Recorder([0, 1, 2, 3, 4, 5])
    generate(predict, [[7]], gen_length=5, block_length=5, diffusion_steps=3)
    assert [row.count(MASK) for row in predict.seen()] == [5, 3, 1]


def test_the_plain_loop_calls_the_model_in_every_step():
    predict = Recorder([0, 1, 2])
    settings = {"gen_length": 2, "block_length": 2, "diffusion_steps": 4}
    assert generate(predict, [[7]], **settings) == [[1, 2]]
    assert [row.count(MASK) for row in predict.seen()] == [2, 1, 0, 0]


def test_equal_confidences_go_to_the_lowest_position_and_equal_logits_to_the_lowest_id():
    predict = Recorder([0, 0, 0], [0.0, 0.0, 0.0])
    assert generate(predict, [[7]], gen_length=2, block_length=2, diffusion_steps=2) == [[0, 0]]
    assert predict.seen()[1] == [7, 0, MASK]


def test_a_predicted_mask_may_be_revealed_in_a_later_block():
    def predict(ids):
        shown.append(ids[0, 1:].tolist())
        logits = torch.zeros(1, 5, 10)
        logits[0, 1, MASK if len(shown) <= 2 else 1] = 9.0
        logits[0, [2, 3, 4], [2, 3, 4]] = torch.tensor([3.0, 5.0, 4.0])
        return logits

    shown = []
    assert generate(predict, [[7]], block_length=2) == [[1, MASK, 3, MASK]]
    assert shown == [[MASK] * 4, [MASK] * 4, [MASK] * 4, [1, MASK, MASK, MASK]]


def test_masks_of_the_prompt_are_candidates():
    predict = Recorder([0, 8, 2, 3], [0.0, 9.0, 5.0, 4.0])
    answer = generate(predict, [[7, MASK]], gen_length=2, block_length=2, diffusion_steps=2)
    assert predict.seen()[1] == [7, 8, MASK, MASK]
    assert answer == [[2, MASK]]


def test_guidance_runs_a_second_pass_with_the_prompt_masked():
    def predict(ids):
        calls.append(ids[0].tolist())
        is_conditional = ids[0, 0] == 7
        row = torch.zeros(10)
        row[1], row[2] = (3.0, 2.0) if is_conditional else (2.5, 0.5)
        return row.expand(1, 3, 10)

    calls = []
    settings = {"gen_length": 1, "block_length": 1, "diffusion_steps": 1}
    # With scale s the logits are 2.5 + (s + 1) 0.5 and 0.5 + (s + 1) 1.5: equal at s = 1.
    assert generate(predict, [[7, 8]], cfg_scale=0.9, **settings) == [[1]]
    assert generate(predict, [[7, 8]], cfg_scale=1.1, **settings) == [[2]]
    assert calls[:2] == [[7, 8, MASK], [MASK, MASK, MASK]]


def test_a_shifted_model_predicts_the_next_position():
    predict = Recorder([5, 1, 2, 3])
    assert generate(predict, [[7, 8]], gen_length=2, block_length=2, diffusion_steps=1, shift=True) == [
        [1, 2]
    ]
    first = Recorder([5, 1, 2])
    generate(first, [[MASK]], gen_length=2, block_length=2, diffusion_steps=2, shift=True)
    assert first.seen()[1] == [5, MASK, MASK]


def test_random_remasking_follows_the_numbers_of_the_positions():
    predict = Recorder([0, 1, 2, 3])
    noise = GivenNoise(places=torch.tensor([[0.99, 0.2, 0.9, 0.5]]).double())
    settings = {"gen_length": 3, "block_length": 3, "diffusion_steps": 3}
    assert generate(predict, [[7]], remasking="random", noise=noise, **settings) == [[1, 2, 3]]
    assert predict.seen()[1:] == [[7, MASK, 2, MASK], [7, MASK, 2, 3]]


def test_with_a_temperature_confidence_is_the_probability_of_the_sampled_token():
    uniform = torch.full((1, 3, 10), 0.5, dtype=torch.float64)
    uniform[0, 1, 4] = 1 - 1e-9  # -log u = 1e-9: exp(0) / 1e-9 beats exp(5) / log 2
    predict = Recorder([0, 1, 2])
    settings = {"gen_length": 2, "block_length": 2, "diffusion_steps": 2, "temperature": 1.0}
    assert generate(predict, [[7]], noise=GivenNoise(tokens=uniform), **settings) == [[4, 2]]
    assert predict.seen()[1] == [7, MASK, 2]  # the drawn token is an unlikely one
    # (1e-9)^0.1 = 0.126, (log 2)^0.1 = 0.964: 1 / 0.126 is below exp(5) / 0.964.
    settings["temperature"] = 0.1
    assert generate(Recorder([0, 1, 2]), [[7]], noise=GivenNoise(tokens=uniform), **settings) == [[1, 2]]


def test_noise_is_asked_for_by_row_step_of_the_whole_canvas_and_position():
    noise = GivenNoise(places=torch.rand(2, 3).double())
    settings = {"gen_length": 2, "block_length": 1, "diffusion_steps": 4, "remasking": "random"}
    generate(Recorder([0, 1, 2]), [[7], [8]], noise=noise, keys=torch.tensor([5, 6]), **settings)
    assert noise.asked == [([5, 6], [step, step], [[0, 1, 2]] * 2) for step in range(4)]


def test_a_temperature_draws_in_proportion():
    logits = torch.tensor([0.0, 1.0, 2.0])
    settings = {"gen_length": 1, "block_length": 1, "diffusion_steps": 1, "mask_token_id": 7}
    drawn = generate_plainly(
        lambda ids: logits.expand(*ids.shape, 3),
        torch.zeros(4000, 1, dtype=torch.long),
        temperature=1.0,
        noise=HashedNoise(0),
        keys=torch.arange(4000),
        **settings,
    )
    shares = drawn.flatten().bincount(minlength=3) / 4000
    assert shares.tolist() == pytest.approx(logits.softmax(0).tolist(), abs=0.03)


def test_tokens_equal_those_of_the_published_loop(shared_data):
    folder = shared_data / "reference" / "llada_small"
    model = load_model(folder)
    cases = json.loads((folder / "d1_generate.json").read_text())
    assert len(cases) == 4
    for case in cases:
        answers = generate_plainly(
            lambda ids: model(input_ids=ids).logits,
            torch.tensor(case["prompt"]),
            gen_length=case["gen_length"],
            block_length=case["block_length"],
            diffusion_steps=case["steps"],
            cfg_scale=case["cfg_scale"],
            mask_token_id=model.config.mask_token_id,
        )
        assert answers.tolist() == case["output"]


def test_shifted_outputs_equal_those_of_the_published_dream(shared_data):
    folder = shared_data / "reference" / "dream_small"
    model = load_model(folder)
    stored = load_file(folder / "logits.safetensors")
    prompts, mask = stored["input_ids"][:, :40], model.config.mask_token_id

    def published(ids):
        return model.lm_head(model.model(input_ids=ids).last_hidden_state)

    def ours(ids):
        return model(input_ids=ids).logits

    torch.testing.assert_close(published(stored["input_ids"]), stored["logits_fp32"], atol=1e-4, rtol=0)
    settings = {"gen_length": 8, "block_length": 4, "diffusion_steps": 4, "mask_token_id": mask}
    shifted = generate_plainly(published, prompts, shift=True, **settings)
    assert torch.equal(shifted, generate_plainly(ours, prompts, **settings))
    assert not torch.equal(shifted, generate_plainly(published, prompts, **settings))
