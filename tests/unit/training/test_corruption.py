import torch

from weft.training.corruption import draw_uniform


def draw(keys, epoch=0, seed=1):
    return draw_uniform(seed=seed, epoch=epoch, example_keys=torch.tensor(keys), length=6)


def test_an_example_has_the_same_draws_in_any_batch():
    time, tokens = draw([3, 5])
    alone_time, alone_tokens = draw([5])
    assert torch.equal(time[1:], alone_time)
    assert torch.equal(tokens[1:], alone_tokens)


def test_seed_epoch_and_example_change_the_draws():
    first = draw([3])[1]
    assert all(
        not torch.equal(first, other[1]) for other in (draw([4]), draw([3], epoch=1), draw([3], seed=2))
    )


def test_the_global_generator_is_left_alone():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    draw([1, 2, 3])
    assert torch.equal(torch.rand(3), expected)


def test_draws_are_uniform():
    tokens = draw_uniform(seed=0, epoch=0, example_keys=torch.arange(200), length=50)[1]
    assert 0 <= tokens.min() < tokens.max() < 1
    assert abs(tokens.mean().item() - 0.5) < 0.01
