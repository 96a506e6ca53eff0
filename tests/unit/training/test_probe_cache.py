import pytest
import torch
from safetensors.torch import save_file

from weft.config.methods import Method
from weft.data.collate import PadToLength
from weft.data.encoding import encode_example
from weft.data.tasks.examples import generate_examples
from weft.records.ids import example_key
from weft.training.probe import has_token_rate, probe_uncertainty
from weft.training.probe_cache import CachedUncertainty, load_or_compute, probe_examples

METHOD = Method.model_validate({"preset": "weft-frozen"})


@pytest.fixture
def examples(tokenizer):
    return [encode_example(tokenizer, e) for e in generate_examples({"sudoku": 3, "gsm8k": 2}, seed=1)]


@pytest.fixture
def collate(tokenizer):
    return PadToLength(max_length=90, pad_token_id=tokenizer.pad_token_id)


def probed(model, tokenizer, examples, collate, batch_size=2):
    return probe_examples(
        model,
        examples,
        collate,
        method=METHOD,
        mask_token_id=tokenizer.mask_token_id,
        batch_size=batch_size,
        device=torch.device("cpu"),
    )


@pytest.mark.parametrize("batch_size", [1, 2, 5, 8])
def test_cached_values_are_those_of_the_live_probe(model, tokenizer, examples, collate, batch_size):
    cached = CachedUncertainty(probed(model, tokenizer, examples, collate, batch_size))
    batch = collate(examples[1:4])
    live = probe_uncertainty(model, batch, method=METHOD, mask_token_id=tokenizer.mask_token_id)
    spread = cached.of_batch(batch["example_key"], has_token_rate(batch, METHOD))
    torch.testing.assert_close(spread, live, atol=1e-5, rtol=1e-5)


def test_values_are_computed_once_and_read_afterwards(tmp_path):
    path, calls = tmp_path / "sub" / "x.safetensors", []

    def compute():
        calls.append(1)
        return {5: torch.tensor([1.0, 4.0]), 2**62: torch.tensor([9.0])}

    first, second = load_or_compute(path, compute), load_or_compute(path, compute)
    assert len(calls) == 1
    for key, value in first.values.items():
        assert torch.equal(second.values[key], value)
    assert [file.name for file in path.parent.iterdir()] == ["x.safetensors"]


@pytest.mark.parametrize("content", [b"", b"no safetensors", b"\x08\x00\x00\x00\x00\x00\x00\x00{}      "])
def test_a_damaged_file_is_replaced(tmp_path, content):
    path = tmp_path / "x.safetensors"
    path.write_bytes(content)
    assert load_or_compute(path, lambda: {1: torch.tensor([2.0])}).values[1].tolist() == [2]


def test_a_file_in_a_type_that_is_never_written_is_replaced(tmp_path):
    path = tmp_path / "x.safetensors"
    names = ("keys", "lengths", "values")
    save_file({name: torch.ones(1, dtype=torch.bfloat16) for name in names}, path)
    assert load_or_compute(path, lambda: {1: torch.tensor([2.0])}).values[1].tolist() == [2]


def test_a_flipped_bit_is_noticed(tmp_path):
    path = tmp_path / "x.safetensors"
    load_or_compute(path, lambda: {1: torch.tensor([2.0])})
    assert load_or_compute(path, lambda: {1: torch.tensor([3.0])}).values[1].tolist() == [2]
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    assert load_or_compute(path, lambda: {1: torch.tensor([3.0])}).values[1].tolist() == [3]


def test_mean_beta_is_the_mean_over_all_tokens():
    cached = CachedUncertainty({1: torch.tensor([1.0, 4.0]), 2: torch.tensor([9.0])})
    assert cached.mean_beta(0.5) == 2


def test_examples_are_found_by_their_ids(model, tokenizer, examples, collate):
    values = probed(model, tokenizer, examples, collate)
    assert set(values) == {example_key(example["example_id"]) for example in examples}
    assert [len(values[example_key(e["example_id"])]) for e in examples] == [
        len(e["answer_ids"]) for e in examples
    ]
