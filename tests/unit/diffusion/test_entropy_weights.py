import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from weft.diffusion import relative_rate, token_entropy

ALL = torch.ones(1, 3, dtype=torch.bool)


def test_entropy_of_uniform_certain_and_even_choice():
    logits = torch.tensor([[0.0, 0, 0, 0], [100, 0, 0, 0], [50, 50, -100, -100]])
    assert token_entropy(logits).tolist() == pytest.approx([math.log(4), 0, math.log(2)], abs=1e-6)


def test_entropy_survives_impossible_tokens_and_empty_input():
    assert token_entropy(torch.tensor([[0.0, -torch.inf]])).tolist() == [0]
    assert token_entropy(torch.zeros(0, 5)).shape == (0,)


def test_entropy_does_not_depend_on_the_chunks():
    logits = torch.randn(1100, 7)
    one_by_one = torch.cat([token_entropy(row[None]) for row in logits])
    torch.testing.assert_close(token_entropy(logits), one_by_one)


def test_relative_rate_by_hand():
    # square roots 1, 2, 3; mean 2
    ratio = relative_rate(torch.tensor([[1.0, 4.0, 9.0]]), ALL, exponent=0.5, reference="example")
    assert ratio.tolist() == [[0.5, 1.0, 1.5]]


def test_tokens_outside_the_scheme_keep_rate_t_and_do_not_move_the_reference():
    scheme = torch.tensor([[True, True, False]])
    ratio = relative_rate(torch.tensor([[1.0, 9.0, 1e6]]), scheme, exponent=0.5, reference="example")
    assert ratio.tolist() == [[0.5, 1.5, 1.0]]


def test_reference_over_the_example_or_the_batch():
    entropy, scheme = torch.tensor([[1.0, 1.0], [9.0, 9.0]]), torch.ones(2, 2, dtype=torch.bool)
    by_example = relative_rate(entropy, scheme, exponent=0.5, reference="example")
    by_batch = relative_rate(entropy, scheme, exponent=0.5, reference="batch")
    assert by_example.tolist() == [[1, 1], [1, 1]]
    assert by_batch.tolist() == [[0.5, 0.5], [1.5, 1.5]]


def test_a_model_that_is_sure_of_everything_falls_back_to_equal_rates():
    assert relative_rate(torch.zeros(1, 3), ALL, exponent=0.5, reference="example").tolist() == [[1, 1, 1]]


@given(st.lists(st.floats(1e-3, 12), min_size=3, max_size=3))
def test_relative_rates_average_to_one(entropies):
    ratio = relative_rate(torch.tensor([entropies]), ALL, exponent=0.5, reference="example")
    assert ratio.mean().item() == pytest.approx(1, rel=1e-4)
