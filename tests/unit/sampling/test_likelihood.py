import itertools
import math
from pathlib import Path

import pytest
import torch

from tests.support.models import ScriptedModel
from tests.unit.sampling.conftest import PROMPTS
from weft.errors import SamplingError
from weft.model import load_model, load_tokenizer
from weft.sampling import generate
from weft.sampling.denoise import Prompt
from weft.sampling.likelihood import (
    Continuation,
    LikelihoodConfig,
    choose_masks,
    stream_greedy_answers,
    stream_log_likelihoods,
)
from weft.sampling.noise import key_of_prompt

VOCABULARY, LENGTH, MASK = 3, 3, 3
ANSWERS = [[21, 22, 23, 24], [25], [26, 27], [28, 29, 30, 31, 32, 33, 34], [35, 36, 37]]


def pairs_of(prompts=PROMPTS, answers=ANSWERS):
    return [
        Continuation(Prompt(index, prompt, key_of_prompt(prompt)), answer)
        for index, (prompt, answer) in enumerate(zip(prompts, answers, strict=True))
    ]


def likelihoods(model, pairs, *, batch_size=4, mask=MASK, **settings):
    config = LikelihoodConfig(**{"mc_num": 8, "seed": 0, "mask_token_id": mask} | settings)
    return dict(stream_log_likelihoods(model, pairs, config, batch_size=batch_size))


class JointModel:
    """Exact predictions of a distribution over three tokens of a vocabulary of three."""

    def __init__(self):
        generator = torch.Generator().manual_seed(3)
        self.joint = torch.rand(*[VOCABULARY] * LENGTH, generator=generator, dtype=torch.float64) ** 3
        self.joint /= self.joint.sum()

    def __call__(self, *, input_ids, **_):
        logits = torch.zeros(*input_ids.shape, VOCABULARY, dtype=torch.float64)
        for row, ids in enumerate(input_ids[:, -LENGTH:].tolist()):
            rest = self.joint[tuple(slice(None) if token == MASK else token for token in ids)]
            hidden = [place for place, token in enumerate(ids) if token == MASK]
            for dim, place in enumerate(hidden):
                others = [other for other in range(rest.dim()) if other != dim]
                logits[row, place - LENGTH] = (rest.sum(dim=others) if others else rest).log()
        return logits


def test_the_bound_of_a_model_with_exact_predictions_is_the_log_probability():
    model = JointModel()
    answers = list(itertools.product(range(VOCABULARY), repeat=LENGTH))
    pairs = pairs_of([[0]] * len(answers), answers)
    for index, value in likelihoods(model, pairs).items():
        assert value == pytest.approx(float(model.joint[answers[index]].log()), abs=1e-9)


def test_the_estimate_agrees_with_the_sum_over_all_masks():
    model, answer = JointModel(), [2, 0, 1]
    exact = float(model.joint[tuple(answer)].log())
    prompts = [[index, 7] for index in range(100)]  # each prompt has its own masks
    pairs = pairs_of(prompts, [answer] * len(prompts))
    drawn = torch.tensor([*likelihoods(model, pairs, mc_num=4, enumerate_short=False).values()])
    error = float(drawn.std()) / math.sqrt(len(drawn))
    assert float(drawn.mean()) == pytest.approx(exact, abs=2 * error)


@pytest.mark.parametrize("enumerate_short", [True, False])
@pytest.mark.parametrize("maker", ["model", "dream"])
def test_one_token_has_its_log_probability(request, tokenizer, maker, enumerate_short):
    predictor, mask = request.getfixturevalue(maker), tokenizer.mask_token_id
    logits = predictor(input_ids=torch.tensor([[11, 12, mask]])).logits[0, 2].detach()
    values = likelihoods(
        predictor, pairs_of([[11, 12]], [[40]]), mask=mask, mc_num=5, enumerate_short=enumerate_short
    )
    assert values[0] == pytest.approx(float(logits.log_softmax(dim=0)[40]), abs=1e-5)


@pytest.mark.parametrize("settings", [{}, {"cfg_scale": 1.5}, {"enumerate_short": False}, {"mc_num": 31}])
@pytest.mark.parametrize("maker", ["model", "dream"])
def test_values_equal_the_plain_formula_in_any_batch_and_order(request, tokenizer, maker, settings):
    predictor, mask = request.getfixturevalue(maker), tokenizer.mask_token_id
    config = LikelihoodConfig(**{"mc_num": 8, "seed": 0, "mask_token_id": mask} | settings)

    @torch.no_grad()
    def logits_of(prompt, answer):
        return predictor(input_ids=torch.tensor([[*prompt, *answer]])).logits[0, len(prompt) :].double()

    def plain(pair):
        prompt, answer = list(pair.prompt.token_ids), torch.tensor(pair.answer_ids)
        total = 0.0
        for is_masked, weight in zip(*choose_masks(len(answer), pair.prompt.key, config), strict=True):
            noisy = answer.masked_fill(is_masked, mask).tolist()
            logits = logits_of(prompt, noisy)
            if config.cfg_scale:
                without = logits_of([mask] * len(prompt), noisy)
                logits = without + (1 + config.cfg_scale) * (logits - without)
            log_prob = logits.log_softmax(dim=1)[torch.arange(len(answer)), answer]
            total += float(weight * len(answer) / is_masked.sum() * log_prob[is_masked].sum())
        return total

    pairs = pairs_of()
    expected = {pair.prompt.index: pytest.approx(plain(pair), rel=1e-5) for pair in pairs}
    for batch_size, order in ((1, pairs), (3, pairs[::-1]), (64, pairs)):
        assert likelihoods(predictor, order, mask=mask, batch_size=batch_size, **settings) == expected


def test_an_empty_prompt_and_an_empty_answer_are_valid(model, tokenizer):
    pairs = pairs_of([[], [11, 12]], [[41, 42], []])
    values = likelihoods(model, pairs, mask=tokenizer.mask_token_id)
    assert values[0] < 0
    assert values[1] == 0


def test_answers_of_equal_length_to_a_prompt_share_their_masks_and_other_prompts_do_not():
    config = LikelihoodConfig(mc_num=32, seed=0, mask_token_id=MASK)
    masks, weights = choose_masks(9, 5, config)
    assert torch.equal(masks, choose_masks(9, 5, config)[0])
    assert not torch.equal(masks, choose_masks(9, 6, config)[0])
    assert not torch.equal(masks, choose_masks(9, 5, config.model_copy(update={"seed": 1}))[0])
    assert float(weights.sum()) == pytest.approx(1)


def test_masks_of_answers_of_similar_length_to_a_prompt_are_similar():
    config = LikelihoodConfig(mc_num=200, seed=0, mask_token_id=MASK)
    long, short, other = (choose_masks(length, key, config)[0] for length, key in ((13, 5), (12, 5), (12, 6)))
    assert (long[:, :12] == short).float().mean() > 0.9
    assert (long[:, :12] == other).float().mean() < 0.75


def test_short_answers_are_enumerated_if_that_needs_no_more_draws():
    def number(length, **settings):
        config = LikelihoodConfig(**{"mc_num": 7, "seed": 0, "mask_token_id": MASK} | settings)
        return len(choose_masks(length, 0, config)[0])

    assert [number(1), number(2), number(3), number(4), number(500)] == [1, 3, 7, 7, 7]
    assert number(1, enumerate_short=False) == 7


@pytest.mark.parametrize("maker", ["model", "dream"])
def test_the_sampled_answer_is_greedy_and_others_are_not(request, tokenizer, maker):
    predictor, mask = request.getfixturevalue(maker), tokenizer.mask_token_id
    sampled = generate(
        predictor, PROMPTS[:2], gen_length=4, block_length=4, diffusion_steps=4, mask_token_id=mask
    )
    changed = [*sampled[1][:3], (sampled[1][3] + 1) % len(tokenizer)]
    pairs = pairs_of([*PROMPTS[:2], PROMPTS[1], [7]], [*sampled, changed, []])
    found = dict(stream_greedy_answers(predictor, pairs, mask_token_id=mask, batch_size=2))
    assert found == {0: True, 1: True, 2: False, 3: True}


def test_memory_that_runs_out_halves_the_batch(model, tokenizer, monkeypatch, caplog):
    mask = tokenizer.mask_token_id
    pairs = pairs_of()
    expected = likelihoods(model, pairs, mask=mask, batch_size=2)

    def limited(**arguments):
        if len(arguments["input_ids"]) > 2:
            raise torch.OutOfMemoryError("no memory")
        return model(**arguments)

    assert likelihoods(limited, pairs, mask=mask, batch_size=9) == pytest.approx(expected, rel=1e-5)
    assert "continuing with 2" in caplog.text

    def never(**_):
        raise torch.OutOfMemoryError("no memory")

    with pytest.raises(SamplingError, match="at least one sequence"):
        likelihoods(never, pairs, mask=mask)


def test_logits_that_are_not_numbers_are_an_error():
    model = ScriptedModel(torch.full((2, 5), math.nan))
    with pytest.raises(SamplingError, match="must be numbers, got NaN"):
        likelihoods(model, pairs_of([[0]], [[1]]))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"mc_num": 0}, "mc_num"),
        ({"batch_size": 0}, "batch_size"),
        ({"cfg_scale": -1.0}, "cfg_scale"),
    ],
)
def test_settings_out_of_range_are_errors(model, settings, message):
    with pytest.raises(SamplingError, match=message):
        likelihoods(model, pairs_of(), **settings)


def test_a_mask_in_the_answer_is_an_error(model):
    with pytest.raises(SamplingError, match="must not contain the mask token"):
        likelihoods(model, pairs_of([[1]], [[MASK]]))


def test_shared_masks_make_the_difference_between_two_answers_more_accurate():
    base = Path(__file__).resolve().parents[3] / "experiments/tiny-base"
    model, tokenizer = load_model(base), load_tokenizer(base)
    turns = [{"role": "user", "content": "What is 45 plus 11?"}]
    text = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
    prompt = tokenizer(text, add_special_tokens=False)["input_ids"]
    answers = [
        tokenizer(f"<reasoning>45+11={total}</reasoning>", add_special_tokens=False)["input_ids"]
        for total in (56, 63)
    ]

    def spread(keys_of_options):
        pairs = [
            Continuation(Prompt(2 * number + option, prompt, keys[option]), answers[option])
            for number, keys in enumerate(keys_of_options)
            for option in range(2)
        ]
        found = likelihoods(model, pairs, mask=tokenizer.mask_token_id, enumerate_short=False, batch_size=64)
        return torch.tensor([found[index] - found[index + 1] for index in range(0, len(found), 2)]).std()

    assert spread([(key, key) for key in range(20)]) < spread([(key, key + 100) for key in range(20)]) / 2
