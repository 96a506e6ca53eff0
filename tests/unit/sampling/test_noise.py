import scipy.stats
import torch

from weft.sampling.noise import HashedNoise, key_of_name, key_of_prompt

KEYS, STEPS = torch.tensor([7, -(2**62)]), torch.tensor([0, 5])
POSITIONS = torch.arange(40).expand(2, 40)


def test_numbers_are_uniform_and_uncorrelated():
    numbers = HashedNoise(1).for_tokens(KEYS, STEPS, POSITIONS, 500)
    flat = numbers.flatten()
    assert 0 < flat.min() < flat.max() < 1
    assert len(flat.unique()) == flat.numel()
    assert scipy.stats.kstest(flat, "uniform").pvalue > 0.001
    for axis in range(3):  # neighbours in row, position and vocabulary
        pair = numbers.narrow(axis, 0, 1).flatten(), numbers.narrow(axis, 1, 1).flatten()
        correlation, pvalue = scipy.stats.pearsonr(*pair)
        assert pvalue > 0.001, (axis, correlation)


def test_a_random_number_depends_only_on_its_key():
    noise = HashedNoise(1)
    both = noise.for_tokens(KEYS, STEPS, POSITIONS, 20)
    alone = noise.for_tokens(KEYS[1:], STEPS[1:], POSITIONS[1:, 9:10], 10)
    assert torch.equal(both[1:, 9:10, :10], alone)


def test_every_part_of_the_key_changes_the_random_number():
    def first(seed=1, key=7, step=0, position=3):
        at = torch.tensor([key]), torch.tensor([step]), torch.tensor([[position]])
        noise = HashedNoise(seed)
        return noise.for_tokens(*at, 1).item(), noise.for_positions(*at).item()

    seen = [*first(), *first(seed=2), *first(key=8), *first(step=1), *first(position=4)]
    assert len(set(seen)) == len(seen)


def test_the_first_number_is_the_published_algorithms():
    # splitmix64 started at 0 returns 0xE220A8397B1DCDAF first; its upper 52 bits make the number.
    from weft.sampling.noise import _mix, _to_uniform

    state = _mix(torch.tensor([0]))
    assert state.item() % 2**64 == 0xE220A8397B1DCDAF
    assert _to_uniform(state).item() == ((0xE220A8397B1DCDAF >> 12) + 0.5) / 2**52


def test_keys_are_signed_64_bit_integers_made_from_content():
    assert key_of_prompt([1, 23]) != key_of_prompt([12, 3])
    assert key_of_name("a") == key_of_name("a") != key_of_name("b")
    torch.tensor([key_of_name(str(n)) for n in range(50)])  # fits
