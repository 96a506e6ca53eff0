import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft.training.order import EpochSampler, IndexedExamples, epoch_order


def sampler(num_examples, batch_size, epoch=0, seed=3):
    return EpochSampler(num_examples, batch_size=batch_size, seed=seed, epoch=lambda: epoch)


def test_every_epoch_is_another_reproducible_permutation():
    orders = [epoch_order(20, seed=3, epoch=epoch) for epoch in (0, 1, 0)]
    assert orders[0] == orders[2] != orders[1]
    assert sorted(orders[1]) == list(range(20))


@given(st.integers(1, 50), st.integers(1, 12))
def test_an_epoch_is_whole_batches_and_every_example_counts_once(num_examples, batch_size):
    rows_of_epoch = list(sampler(num_examples, batch_size))
    assert len(rows_of_epoch) == len(sampler(num_examples, batch_size))
    assert len(rows_of_epoch) % batch_size == 0
    assert len(rows_of_epoch) - num_examples < batch_size
    examples = IndexedExamples([{"name": index} for index in range(num_examples)])
    rows = [examples[row] for row in rows_of_epoch]
    assert sorted(row["name"] for row in rows if not row["is_pad_row"]) == list(range(num_examples))
    assert [row["index_in_epoch"] for row in rows] == list(range(len(rows_of_epoch)))


def test_the_epoch_is_read_when_it_begins():
    epoch = [0]
    one = EpochSampler(20, batch_size=4, seed=3, epoch=lambda: epoch[0])
    first = list(one)
    epoch[0] = 1
    assert list(one) != first
    assert [row.example_index for row in one] == epoch_order(20, seed=3, epoch=1)


@pytest.mark.parametrize("batch_size", [4, 6])
def test_the_order_does_not_depend_on_the_batch_size(batch_size):
    assert [row.example_index for row in sampler(12, batch_size)] == epoch_order(12, seed=3, epoch=0)
