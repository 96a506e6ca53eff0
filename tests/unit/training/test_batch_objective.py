import pytest
import torch
from torch.utils.data import DataLoader

from tests.support.models import tiny_model
from weft.config.methods import Method
from weft.data.collate import PadToLength
from weft.data.encoding import encode_example
from weft.data.tasks.examples import generate_examples
from weft.errors import ConfigError, DataError, TrainingError
from weft.training.batch_objective import as_method, find_mask_token, objective

LENGTH = 96


@pytest.fixture(scope="module")
def examples(tokenizer):
    return [encode_example(tokenizer, e) for e in generate_examples({"sudoku": 3, "gsm8k": 3}, seed=3)]


@pytest.fixture(scope="module")
def batch(tokenizer, examples):
    return PadToLength(max_length=LENGTH, pad_token_id=tokenizer.pad_token_id)(examples)


@pytest.mark.parametrize("method", ["sft", "weft", "sft-2x", "cart", {"preset": "weft", "exponent": 0.25}])
def test_the_loss_has_a_gradient_and_metrics(tokenizer, batch, method):
    model = tiny_model(tokenizer, seed=5)
    result = objective(model, batch, method, seed=1)
    result.loss.backward()
    assert all(parameter.grad is not None for parameter in model.parameters())
    assert 0 < result.metrics["masked_share"] < 1
    assert (result.metrics["mean_uncertainty"] is None) == (as_method(method).rate_source == "none")
    assert result.token_nll.shape == (int(result.noisy.is_predicted.sum()),)


def test_the_noise_depends_on_seed_epoch_and_example_only(tokenizer, examples, batch):
    model = tiny_model(tokenizer, seed=5)
    first = objective(model, batch, seed=1, epoch=2).noisy.noisy_ids
    half = PadToLength(max_length=LENGTH, pad_token_id=tokenizer.pad_token_id)(examples[3:])
    assert torch.equal(objective(model, half, seed=1, epoch=2).noisy.noisy_ids, first[3:])
    assert not torch.equal(objective(model, batch, seed=1, epoch=3).noisy.noisy_ids, first)
    assert not torch.equal(objective(model, batch, seed=2, epoch=2).noisy.noisy_ids, first)


def test_without_a_seed_every_call_draws_from_a_generator(tokenizer, batch):
    model = tiny_model(tokenizer, seed=5)

    def draw(generator=None):
        return objective(model, batch, "sft", generator=generator).noisy.noisy_ids

    torch.manual_seed(3)
    first, second = draw(), draw()
    torch.manual_seed(3)
    assert torch.equal(draw(), first)
    assert not torch.equal(first, second)
    own = [draw(torch.Generator().manual_seed(4)) for _ in range(2)]
    assert torch.equal(*own)


@pytest.mark.parametrize("t_sampling", ["antithetic", "stratified"])
def test_times_are_spread_over_batches_of_a_plain_loader(tokenizer, examples, t_sampling):
    model = tiny_model(tokenizer, seed=5)
    collate = PadToLength(max_length=LENGTH, pad_token_id=tokenizer.pad_token_id)
    method = {"preset": "sft", "t_sampling": t_sampling}
    batches = DataLoader(examples, batch_size=2, collate_fn=collate)
    means = [objective(model, batch, method, seed=1).metrics["mean_t"] for batch in batches]
    if t_sampling == "antithetic":  # u and 1 - u
        assert means == pytest.approx([0.5] * 3, abs=1e-2)
    else:
        assert len(set(means)) == 3
    weights = [objective(model, batch, method, seed=1).noisy.weight.max() for batch in batches]
    assert len({float(weight) for weight in weights}) == 3


def test_a_frozen_probe_is_a_model_of_its_own(tokenizer, batch):
    model, base = tiny_model(tokenizer, seed=5), tiny_model(tokenizer, seed=6)
    with pytest.raises(TrainingError, match="probe_model must be given"):
        objective(model, batch, "weft-frozen", seed=1)
    of_base = objective(model, batch, "weft-frozen", seed=1, probe_model=base).metrics["mean_uncertainty"]
    assert of_base == objective(base, batch, "weft", seed=1).metrics["mean_uncertainty"]
    assert of_base != objective(model, batch, "weft", seed=1).metrics["mean_uncertainty"]


def test_a_reference_over_the_data_set_needs_the_trainer(tokenizer, batch):
    method = {"preset": "weft-frozen", "reference": "dataset"}
    with pytest.raises(TrainingError, match="use DiffusionTrainer"):
        objective(tiny_model(tokenizer), batch, method)


@pytest.mark.usefixtures("without_type_checks")
def test_mistakes_are_explained(tokenizer, batch):
    model = tiny_model(tokenizer)
    with pytest.raises(DataError, match=r"batch must be made by weft\.PadToLength"):
        objective(model, batch["clean_ids"])
    with pytest.raises(ConfigError, match=r"(?s)method is not valid:.*preset.*Correct the method"):
        objective(model, batch, "wft")
    with pytest.raises(ConfigError, match="got 3"):
        as_method(3)
    with pytest.raises(TrainingError, match="mask_token_id must be given"):
        find_mask_token(torch.nn.Linear(1, 1))


def test_a_method_is_taken_as_it_is():
    method = Method.model_validate({"preset": "cart"})
    assert as_method(method) is method
    assert as_method("cart") == method
