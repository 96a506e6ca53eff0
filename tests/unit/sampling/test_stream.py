import logging
import subprocess
import sys

import pytest
import torch

from tests.support.models import ScriptedModel
from tests.support.sampling import sampling_config
from tests.unit.sampling.conftest import PROMPTS
from weft.errors import SamplingError
from weft.sampling import generate
from weft.sampling.denoise import Prompt
from weft.sampling.stream import stream_answers

MASK, END = 9, 8


def config_of(**change):
    return sampling_config(**{"gen_length": 6, "block_length": 2, "diffusion_steps": 3} | change)


def answer(model, prompts, config, *, batch_size=8, **further):
    requests = [Prompt(number, prompt, number) for number, prompt in enumerate(prompts)]
    return list(stream_answers(model, requests, config, batch_size=batch_size, **further))


class EndsAt(ScriptedModel):
    """Says end-of-text from a column on that the row's first token names; the answers begin at column 2."""

    def __call__(self, *, input_ids, logits_positions, **further):
        self.calls.append(input_ids.clone())
        is_over = logits_positions >= input_ids[:, 1:2] + 2
        rows = torch.zeros(*logits_positions.shape, 10)
        rows[..., 1] = 1.0
        rows[..., END] = torch.where(is_over, 9.0, 0.0)
        self.logits = rows.flatten(0, 1)
        return super().__call__(
            input_ids=torch.zeros(1, 1), logits_positions=torch.arange(len(self.logits))[None], **further
        )


def test_the_longest_prompts_go_first_and_free_rows_are_refilled():
    model = ScriptedModel(torch.zeros(12, 10))
    answers = answer(model, [[1], [1, 2, 3], [1, 2]], config_of(), batch_size=2)
    assert [call.shape for call in model.calls] == [(2, 9)] * 3 + [(1, 7)] * 3
    assert [one.index for one in answers] == [1, 2, 0]


def test_a_finished_row_is_replaced_by_the_next_prompt():
    model = EndsAt(torch.zeros(1, 10))
    answers = {one.index: one for one in answer(
        model, [[1, 0], [1, 5], [1, 3]], config_of(early_stop=True, eos_token_id=END), batch_size=2
    )}  # fmt: skip
    assert [answers[n].token_ids for n in range(3)] == [
        [END] * 6,
        [1, 1, 1, 1, 1, END],
        [1, 1, 1, END, END, END],
    ]
    assert [answers[n].num_forward for n in range(3)] == [1, 3, 2]
    assert [answers[n].ended_early for n in range(3)] == [True, False, True]
    batches = [sorted(call[:, 1].tolist()) for call in model.calls if call.shape[0] > 1]
    assert batches == [[0, 5], [3, 5], [3, 5]]


def test_without_early_stop_no_answer_ends_early():
    answers = answer(EndsAt(torch.zeros(1, 10)), [[1, 0]], config_of(eos_token_id=END))
    assert (answers[0].num_forward, answers[0].ended_early) == (3, False)


def test_a_row_with_a_mask_before_the_end_is_not_finished():
    logits = torch.zeros(7, 10)
    logits[:, 1] = 1.0
    logits[1, MASK], logits[2, END] = 9.0, 9.0
    answers = answer(ScriptedModel(logits), [[7]], config_of(early_stop=True, eos_token_id=END))
    assert answers[0].num_forward == 3


class Cramped:
    """A model on a device that has room for some rows only."""

    def __init__(self, model, room, error):
        self.model, self.room, self.error, self.sizes = model, room, error, []
        self.config, self.device, self.logit_shift = model.config, model.device, model.logit_shift

    def __call__(self, *, input_ids, **further):
        self.sizes.append(len(input_ids))
        if len(input_ids) > self.room:
            raise self.error
        return self.model(input_ids=input_ids, **further)


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory."),
        RuntimeError("[enforce fail at alloc_cpu.cpp:1] DefaultCPUAllocator: can't allocate memory"),
        MemoryError(),
    ],
    ids=["device", "cpu", "python"],
)
def test_out_of_memory_halves_the_batch_and_changes_no_answer(model, tokenizer, caplog, error):
    settings = {
        "gen_length": 12,
        "block_length": 4,
        "diffusion_steps": 6,
        "mask_token_id": tokenizer.mask_token_id,
    }
    cramped = Cramped(model, 1, error)
    with caplog.at_level(logging.WARNING, logger="weft.sampling"):
        assert generate(cramped, PROMPTS, **settings) == generate(model, PROMPTS, **settings)
    assert [record.getMessage() for record in caplog.records] == [
        "out of memory with 5 sequences at a time; continuing with 2",
        "out of memory with 2 sequences at a time; continuing with 1",
    ]
    assert cramped.sizes[:3] == [5, 2, 1]
    assert set(cramped.sizes[3:]) == {1}


def test_too_little_memory_for_a_single_row_is_an_error(model, tokenizer):
    cramped = Cramped(model, 0, torch.OutOfMemoryError("CUDA out of memory."))
    config = config_of(mask_token_id=tokenizer.mask_token_id)
    with pytest.raises(SamplingError, match="a prompt of 3 tokens with an answer of 6 tokens "):
        answer(cramped, [[1, 2, 3]], config)


def test_other_errors_of_a_model_are_passed_on(model, tokenizer):
    cramped = Cramped(model, 0, RuntimeError("shapes"))
    with pytest.raises(RuntimeError, match="shapes"):
        answer(cramped, [[1]], config_of(mask_token_id=tokenizer.mask_token_id))


@pytest.mark.parametrize(
    ("prompt", "change", "message"),
    [
        ([1] * 251, {}, r"256 tokens together, .* got 251 \+ 6 for prompt 0"),
        ([1, 400], {}, "token ids .* 0 to 399, got 1 to 400 in prompt 0"),
        ([-1, 4], {}, "token ids must be from 0"),
        ([1], {"mask_token_id": 400}, "mask_token_id .* 0 to 399, got 400"),
        ([1], {"mask_token_id": 34}, "mask_token_id must be 2, the mask token .* got 34"),
        ([1], {"temperature": 1.0}, "noise .* got None"),
        ([], {"kv_cache": "dual"}, "kv_cache, got 0 tokens in prompt 0"),
        ([MASK, 1], {"kv_cache": "prefix"}, "no mask token for a kv_cache, got 2 tokens"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_invalid_prompts_are_refused_before_the_model_is_called(model, prompt, change, message):
    cramped, mask = Cramped(model, 0, AssertionError("asked")), model.config.mask_token_id
    prompt = [mask if token == MASK else token for token in prompt]
    with pytest.raises(SamplingError, match=message):
        answer(cramped, [prompt], config_of(**{"mask_token_id": mask} | change))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"early_stop": True, "eos_token_id": 400},
            "eos_token_id .* 0 to 399, got 400",
        ),
        ({"early_stop": True, "eos_token_id": -1}, "eos_token_id .* got -1"),
    ],
    ids=str,
)
def test_an_eos_token_outside_the_vocabulary_is_refused(model, change, message):
    with pytest.raises(SamplingError, match=message):
        answer(model, [[1]], config_of(**change))


def test_a_model_in_training_mode_is_refused(model, tokenizer):
    model.train()
    try:
        with pytest.raises(SamplingError, match="training mode"):
            answer(model, [[1]], config_of(mask_token_id=tokenizer.mask_token_id))
        with pytest.raises(ValueError, match="training mode"):
            model(input_ids=torch.tensor([[1, 2]]), logits_positions=torch.tensor([[1]]))
    finally:
        model.eval()


def test_a_cache_requires_a_model_with_logit_shift():
    with pytest.raises(SamplingError, match="got ScriptedModel without logit_shift"):
        answer(ScriptedModel(torch.zeros(9, 10)), [[1]], config_of(kv_cache="dual"))


def test_at_least_one_row_is_answered_at_a_time(model):
    with pytest.raises(SamplingError, match="batch_size must be at least 1, got 0"):
        answer(model, [[1]], config_of(), batch_size=0)


def test_a_prompt_may_fill_the_whole_context(model, tokenizer):
    config = config_of(mask_token_id=tokenizer.mask_token_id)
    assert len(answer(model, [[11] * 250], config)[0].token_ids) == 6


def test_a_callback_gets_each_sequence_with_columns_counted_from_its_answer(model, tokenizer):
    views = []
    config = config_of(mask_token_id=tokenizer.mask_token_id)
    answers = {one.index: one for one in answer(model, [[11], [11, 12, 13]], config, callback=views.append)}
    assert [(view.index, view.block, view.step_in_block) for view in views] == [
        (1, 0, 0), (0, 0, 0), (1, 1, 0), (0, 1, 0), (1, 2, 0), (0, 2, 0)
    ]  # fmt: skip
    for view in views:
        assert view.columns == [2 * view.block, 2 * view.block + 1]
        assert view.token_ids == answers[view.index].token_ids[2 * view.block : 2 * view.block + 2]


def test_a_callback_does_not_get_masks_of_the_prompt(model, tokenizer):
    views = []
    config = config_of(mask_token_id=tokenizer.mask_token_id)
    answer(model, [[11, tokenizer.mask_token_id, 12]], config, callback=views.append)
    assert views[0].columns == [0, 1]
    assert min(min(view.columns) for view in views) == 0


def test_a_callback_changes_nothing(stuck_model, tokenizer):
    config = config_of(
        mask_token_id=tokenizer.mask_token_id, gen_length=12, block_length=4, diffusion_steps=6
    )
    unseen = {one.index: one.token_ids for one in answer(stuck_model, PROMPTS, config)}
    seen = {
        one.index: one.token_ids for one in answer(stuck_model, PROMPTS, config, callback=lambda view: None)
    }
    assert seen == unseen


LIMITED = """
import resource
import torch
from weft.sampling import generate
from weft.model import LladaConfig, LladaForMaskedDiffusion

torch.set_num_threads(1)
torch.manual_seed(0)
size = dict(vocab_size=500, hidden_size=256, intermediate_size=768, num_hidden_layers=2)
model = LladaForMaskedDiffusion(LladaConfig(num_attention_heads=2, num_key_value_heads=2, **size)).eval()
prompts = torch.randint(0, 400, (64, 200)).tolist()
settings = dict(gen_length=32, block_length=32, diffusion_steps=2, mask_token_id=499)
expected = generate(model, prompts, batch_size=2, **settings)
with open("/proc/self/statm") as file:
    mapped = int(file.read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (mapped + 60 * 2**20,) * 2)
print(generate(model, prompts, **settings) == expected)
"""


def test_real_out_of_memory_errors_are_recognised():
    done = subprocess.run(
        [sys.executable, "-c", LIMITED], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.stdout == "True\n", done.stderr
    assert done.stderr.startswith("out of memory with 64 sequences at a time; continuing with 32\n")
