import pytest
import torch

from tests.support.models import tiny_model
from weft.config.methods import Method
from weft.data.collate import PadToLength
from weft.data.encoding import encode_example
from weft.data.tasks.examples import generate_examples
from weft.errors import TrainingError
from weft.training.evaluation import example_sums, mean_loss, require_live_probe
from weft.training.objective import ForwardProcess, add_noise, masked_token_loss, normalize_weights
from weft.training.uniforms import KeyedUniforms


@pytest.mark.parametrize(
    ("preset", "scope"), [("weft", "batch"), ("sft", "example"), ("sft-2x", "batch"), ("sft-2x", "example")]
)
def test_the_mean_over_a_set_is_the_loss_of_one_batch_with_the_whole_set(tokenizer, preset, scope):
    method = Method.model_validate({"preset": preset, "divisor_scope": scope})
    examples = [encode_example(tokenizer, e) for e in generate_examples({"sudoku": 2, "gsm8k": 3}, seed=3)]
    model = tiny_model(tokenizer, seed=5)
    collate = PadToLength(max_length=96, pad_token_id=tokenizer.pad_token_id)
    process = ForwardProcess(method=method, t_min=1e-3, mask_token_id=tokenizer.mask_token_id)

    def corrupted(part):
        batch = collate(part)
        uniforms = KeyedUniforms(seed=1, epoch=-1, example_keys=batch["example_key"], length=96)
        return add_noise(model, batch, uniforms, process)

    sums = []
    with torch.no_grad():
        for part in (examples[:2], examples[2:]):
            noisy = corrupted(part)
            token_nll = masked_token_loss(model, noisy)[1]
            sums.append(example_sums(noisy, token_nll, num_examples=len(part)))
        whole = masked_token_loss(model, normalize_weights([corrupted(examples)], method)[0])[0]
    losses, counts = (torch.cat(values) for values in zip(*sums, strict=True))
    assert len(losses) == 5
    expected = whole if scope == "batch" or preset == "sft" else None
    if expected is None:  # two masks of one example count together
        expected = (losses / counts).mean()
    assert mean_loss(losses, counts, method) == pytest.approx(float(expected), rel=1e-5)


def test_an_evaluation_without_tokens_is_zero():
    for scope in ("batch", "example"):
        method = Method.model_validate({"preset": "sft", "divisor_scope": scope})
        assert mean_loss([0.0], [0.0], method) == 0


def test_probes_of_the_training_examples_only_are_refused():
    require_live_probe(Method.model_validate({"preset": "weft"}))
    require_live_probe(Method.model_validate({"preset": "sft"}))
    with pytest.raises(TrainingError, match="whose probe model is 'refreshed'"):
        require_live_probe(Method.model_validate({"preset": "weft-refreshed"}))
