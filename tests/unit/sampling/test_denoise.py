import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from tests.support.models import ScriptedModel
from tests.support.sampling import sampling_config
from tests.unit.sampling.conftest import PROMPTS
from weft.sampling.denoise import CanvasBatch, Prompt, SequenceState, denoise_block
from weft.sampling.noise import HashedNoise

MASK = 9
CPU = torch.device("cpu")
WAITS = {
    "aten::_local_scalar_dense",
    "aten::nonzero",
    "aten::is_nonzero",
    "aten::masked_select",
    "aten::equal",
}
"""Operators whose result the host must wait for."""


class Waiting(TorchDispatchMode):
    """Notes every operator by which the host waits for the device."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func.name().split(".")[0]
        if name in WAITS or (
            name == "aten::index" and any(i.dtype == torch.bool for i in args[1] if i is not None)
        ):
            self.seen.append(name)
        return func(*args, **(kwargs or {}))


def batch_of(prompts, config, device=CPU):
    rows = [SequenceState(Prompt(number, ids, number), config) for number, ids in enumerate(prompts)]
    return CanvasBatch(rows, config, device)


def test_rows_are_padded_on_the_left_and_answers_aligned():
    batch = batch_of([[1], [2, 3, 4]], sampling_config())
    assert batch.canvas_ids[:, :3].tolist() == [[MASK, MASK, 1], [2, 3, 4]]
    assert batch.is_visible[:, :3].tolist() == [[False, False, True], [True, True, True]]
    assert batch.position_ids[0, :5].tolist() == [0, 0, 0, 1, 2]
    assert batch.columns.tolist() == [[3, 4, 5, 6]] * 2


def test_rows_of_equal_length_need_no_attention_mask():
    assert batch_of([[1, 2], [3, 4]], sampling_config()).is_visible is None


def test_rows_with_fewer_candidates_get_other_columns_that_are_none():
    config = sampling_config()
    first, second = (SequenceState(Prompt(number, [5, 6], number), config) for number in range(2))
    first.block, first.canvas[2:6] = 1, [1, MASK, MASK, 4]  # two masks left behind
    second.block, second.canvas[2:6] = 1, [1, 2, 3, 4]
    batch = CanvasBatch([first, second], config, CPU)
    assert batch.columns.tolist() == [[3, 4, 6, 7, 8, 9], [6, 7, 8, 9, 0, 1]]
    assert batch.is_masked.tolist() == [[True] * 6, [True] * 4 + [False] * 2]


def test_the_head_runs_at_masked_positions_of_the_block_only(model, tokenizer):
    config = sampling_config(mask_token_id=tokenizer.mask_token_id)
    seen = []
    hook = model.lm_head.register_forward_hook(lambda module, args, output: seen.append(args[0].shape[0]))
    try:
        denoise_block(model, batch_of(PROMPTS, config), noise=None, assume_no_mask_predicted=True)
    finally:
        hook.remove()
    assert seen == [len(PROMPTS) * 4, len(PROMPTS) * 2]


def test_the_last_layer_runs_at_masked_positions_of_the_block_only(model, tokenizer):
    config = sampling_config(mask_token_id=tokenizer.mask_token_id)
    seen = []
    hook = model.model.layers[-1].mlp.register_forward_hook(
        lambda module, args, output: seen.append(args[0].shape[1])
    )
    try:
        denoise_block(model, batch_of(PROMPTS, config), noise=None, assume_no_mask_predicted=True)
    finally:
        hook.remove()
    assert seen == [4, 2]


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"cfg_scale": 1.0},
        {"kv_cache": "dual"},
        {"kv_cache": "prefix"},
        {"temperature": 1.0},
        {"remasking": "random"},
    ],
    ids=str,
)
@pytest.mark.parametrize("maker", ["model", "dream"])
def test_the_host_synchronises_once_per_block(request, monkeypatch, tokenizer, maker, change):
    config = sampling_config(mask_token_id=tokenizer.mask_token_id, **change)
    batch = batch_of(PROMPTS, config)
    asked = []
    for name in (
        "tolist",
        "item",
        "cpu",
        "numpy",
        "__bool__",
        "__int__",
        "__float__",
        "__index__",
        "__iter__",
    ):
        plain = getattr(torch.Tensor, name)

        def noted(tensor, *args, name=name, plain=plain, **kwargs):
            asked.append(name)
            return plain(tensor, *args, **kwargs)

        monkeypatch.setattr(torch.Tensor, name, noted)
    with Waiting() as waiting:
        denoise_block(
            request.getfixturevalue(maker), batch, noise=HashedNoise(0), assume_no_mask_predicted=True
        )
    assert asked == ["tolist"]  # canvas, steps, and whether the assumption held
    assert waiting.seen == []


@pytest.mark.parametrize("shares", [[2, 2], [4]], ids=str)
def test_random_remasking_asks_only_where_something_is_revealed(model, tokenizer, shares):
    config = sampling_config(
        mask_token_id=tokenizer.mask_token_id, diffusion_steps=2 * len(shares), remasking="random"
    )
    seen = []
    hook = model.lm_head.register_forward_hook(lambda module, args, output: seen.append(args[0].shape[0]))
    try:
        denoise_block(model, batch_of(PROMPTS, config), noise=HashedNoise(0), assume_no_mask_predicted=True)
    finally:
        hook.remove()
    assert seen == [len(PROMPTS) * share for share in shares]


def test_confidence_is_computed_in_fp32_whatever_the_network():
    # In bf16 both confidences would be 1.0, and the lower position would win.
    logits = torch.zeros(3, 10)
    logits[1, 4], logits[2, 5] = 8.0, 9.0
    config = sampling_config(gen_length=2, block_length=2, diffusion_steps=2)
    model = ScriptedModel(logits.bfloat16())
    denoise_block(model, batch_of([[7]], config), noise=None, assume_no_mask_predicted=True)
    assert model.calls[1].tolist() == [[7, MASK, 5]]


def test_guidance_treats_each_chunk_of_many_candidates_by_itself(model, tokenizer, monkeypatch):
    config = sampling_config(mask_token_id=tokenizer.mask_token_id, cfg_scale=1.0, temperature=1.0)
    whole, *_ = denoise_block(
        model, batch_of(PROMPTS, config), noise=HashedNoise(0), assume_no_mask_predicted=True
    )
    monkeypatch.setattr("weft.sampling.denoise.HEAD_CHUNK", 3)
    monkeypatch.setattr("weft.sampling.denoise.NOISE_CHUNK", 2)
    parts, *_ = denoise_block(
        model, batch_of(PROMPTS, config), noise=HashedNoise(0), assume_no_mask_predicted=True
    )
    assert parts == whole


def test_a_predicted_mask_only_sets_assumption_held_to_false():
    logits = torch.zeros(9, 10)
    logits[:, 3] = 1.0
    for is_stuck in (False, True):
        logits[2, MASK] = 5.0 if is_stuck else 0.0
        batch = batch_of([[1]], sampling_config())
        result = denoise_block(ScriptedModel(logits), batch, noise=None, assume_no_mask_predicted=True)
        assert result.assumption_held is not is_stuck


def test_a_threshold_reveals_all_confident_predictions_and_at_least_one():
    logits = torch.zeros(5, 10)
    logits[torch.arange(5), torch.tensor([0, 1, 2, 3, 4])] = torch.tensor([0.0, 9.0, 0.1, 8.0, 0.2])
    model = ScriptedModel(logits)
    config = sampling_config(gen_length=4, confidence_threshold=0.9)
    canvases, steps, _ = denoise_block(
        model, batch_of([[7]], config), noise=None, assume_no_mask_predicted=True
    )
    assert canvases == [[7, 1, 2, 3, 4]]
    assert [call[0, 1:].tolist() for call in model.calls] == [
        [MASK] * 4,
        [1, MASK, 3, MASK],
        [1, MASK, 3, 4],  # neither is sure: the surer one
    ]
    assert steps == [3]


def test_a_row_whose_block_is_done_waits_unchanged_for_the_others():
    logits = torch.zeros(6, 10)
    logits[torch.arange(6), torch.tensor([0, 1, 2, 3, 4, 5])] = 0.1  # never sure: one token a step
    config = sampling_config(gen_length=4, confidence_threshold=0.9)
    first, second = (SequenceState(Prompt(number, [7, 7], number), config) for number in range(2))
    second.canvas[2:5] = [8, 8, 8]
    canvases, steps, _ = denoise_block(
        ScriptedModel(logits),
        CanvasBatch([first, second], config, CPU),
        noise=None,
        assume_no_mask_predicted=True,
    )
    assert canvases == [[7, 7, 2, 3, 4, 5], [7, 7, 8, 8, 8, 5]]
    assert steps == [4, 1]


def test_a_threshold_stops_at_a_position_that_stays_masked():
    logits = torch.zeros(5, 10)
    logits[:, MASK] = 9.0
    config = sampling_config(gen_length=4, confidence_threshold=0.5)
    canvases, steps, _ = denoise_block(
        ScriptedModel(logits), batch_of([[7]], config), noise=None, assume_no_mask_predicted=True
    )
    assert (canvases, steps) == ([[7, MASK, MASK, MASK, MASK]], [4])


def test_a_threshold_fills_the_masks_of_a_prompt_too():
    logits = torch.zeros(9, 10)
    logits[:, 3] = 0.1
    config = sampling_config(gen_length=4, confidence_threshold=0.9)
    canvases, *_ = denoise_block(
        ScriptedModel(logits),
        batch_of([[7, MASK, MASK, MASK, MASK]], config),
        noise=None,
        assume_no_mask_predicted=True,
    )
    assert canvases == [[7] + [3] * 8]


def test_callbacks_get_candidates_confidence_entropy_and_kept_predictions():
    logits = torch.zeros(3, 10)
    logits[1, 4], logits[2, 5] = 50.0, 1.0
    steps = []
    config = sampling_config(gen_length=2, block_length=2, diffusion_steps=2)
    denoise_block(
        ScriptedModel(logits),
        batch_of([[7]], config),
        noise=None,
        assume_no_mask_predicted=False,
        callback=steps.append,
    )
    first, second = steps
    assert first.columns.tolist() == [[1, 2]]
    assert first.prediction.token_ids.tolist() == [[4, 5]]
    assert first.is_revealed.tolist() == [[True, False]]
    assert first.prediction.confidence[0, 0] == 1.0
    assert first.prediction.entropy[0, 0] == pytest.approx(0, abs=1e-6)
    probability = torch.tensor([1.0] + [0.0] * 9).exp() / (9 + torch.e)
    assert second.prediction.entropy.item() == pytest.approx(-(probability * probability.log()).sum().item())
    assert second.columns.tolist() == [[2]]
