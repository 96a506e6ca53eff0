import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft.training.order import EpochSampler, PlacedExamples, epoch_order


def sampler(num_examples, batch_size, epoch=0, seed=3):
    return EpochSampler(num_examples, batch_size=batch_size, seed=seed, epoch=lambda: epoch)


def test_every_epoch_is_another_permutation_and_the_same_when_asked_again():
    orders = [epoch_order(20, seed=3, epoch=epoch) for epoch in (0, 1, 0)]
    assert orders[0] == orders[2] != orders[1]
    assert sorted(orders[1]) == list(range(20))


@given(st.integers(1, 50), st.integers(1, 12))
def test_an_epoch_is_whole_batches_and_every_example_counts_once(num_examples, batch_size):
    places = list(sampler(num_examples, batch_size))
    assert len(places) == len(sampler(num_examples, batch_size))
    assert len(places) % batch_size == 0
    assert len(places) - num_examples < batch_size
    examples = PlacedExamples([{"name": index} for index in range(num_examples)])
    rows = [examples[place] for place in places]
    assert sorted(row["name"] for row in rows if not row["is_filler"]) == list(range(num_examples))
    assert [row["position"] for row in rows] == list(range(len(places)))


def test_the_epoch_is_asked_for_when_it_begins():
    epoch = [0]
    one = EpochSampler(20, batch_size=4, seed=3, epoch=lambda: epoch[0])
    first = list(one)
    epoch[0] = 1
    assert list(one) != first
    assert [place.index for place in one] == epoch_order(20, seed=3, epoch=1)


@pytest.mark.parametrize("batch_size", [4, 6])
def test_the_order_does_not_depend_on_the_batch_size(batch_size):
    assert [place.index for place in sampler(12, batch_size)] == epoch_order(12, seed=3, epoch=0)
