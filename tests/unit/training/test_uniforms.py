import pytest
import torch

from weft.training.uniforms import KeyedUniforms


def uniforms(seed=0, epoch=0, keys=(1, 2), length=6, **spread):
    return KeyedUniforms(seed=seed, epoch=epoch, example_keys=torch.tensor(keys), length=length, **spread)


def test_the_numbers_of_an_example_do_not_depend_on_the_others_in_its_batch():
    together, alone = uniforms(keys=(1, 2, 3)), uniforms(keys=(3,))
    assert torch.equal(together.mask(0)[2:], alone.mask(0))
    assert torch.equal(together.time(0)[2:], alone.time(0))


@pytest.mark.parametrize("change", [{"seed": 1}, {"epoch": 1}, {"keys": (3, 4)}], ids=str)
def test_seed_epoch_and_example_each_change_the_uniforms(change):
    assert not torch.equal(uniforms(**change).mask(0), uniforms().mask(0))
    assert not torch.equal(uniforms(**change).time(0), uniforms().time(0))


def test_masks_of_one_example_time_fallback_and_permutation_are_independent():
    one = uniforms(keys=range(50), length=60)
    streams = [one.mask(0), one.mask(1), one.fallback(), one.permutation()]
    correlation = torch.corrcoef(torch.stack([stream.flatten() for stream in streams]))
    assert (correlation - torch.eye(4)).abs().max() < 0.06


def test_the_number_for_the_time_is_not_used_for_the_mask():
    one = uniforms(keys=range(50))
    assert not torch.isin(one.time(0), one.mask(0)).any()


def test_the_numbers_are_uniform():
    tokens = uniforms(keys=range(200), length=50).mask(0)
    assert tokens.mean().item() == pytest.approx(0.5, abs=0.01)
    assert tokens.var().item() == pytest.approx(1 / 12, abs=0.003)


def test_stratified_times_fall_one_into_each_stratum_of_the_batch():
    spread = {"index_in_epoch": torch.arange(8, 16), "batch_size": 8, "t_sampling": "stratified"}
    times = uniforms(keys=range(8), **spread).time(0)
    assert (times * 8).floor().tolist() == list(range(8))


@pytest.mark.parametrize("index", [0, 2, 4, 6])
def test_antithetic_times_come_in_pairs_also_when_the_pair_is_split_over_micro_batches(index):
    spread = {"batch_size": 4, "t_sampling": "antithetic"}
    first = uniforms(keys=(7,), index_in_epoch=torch.tensor([index]), **spread)
    second = uniforms(keys=(9,), index_in_epoch=torch.tensor([index + 1]), **spread)
    assert (first.time(0) + second.time(0)).item() == pytest.approx(1)
    assert first.time(0) != first.time(1), "the masks of an example have different times"


@pytest.mark.parametrize("sampling", ["stratified", "antithetic"])
def test_spread_times_are_uniform_over_many_batches(sampling):
    spread = {"index_in_epoch": torch.arange(4000), "batch_size": 8, "t_sampling": sampling}
    times = uniforms(keys=range(4000), **spread).time(0)
    assert times.mean().item() == pytest.approx(0.5, abs=0.01)
    assert times.var().item() == pytest.approx(1 / 12, abs=0.004)
    assert times.max() < 1
