import pytest
import torch

from tests.support.models import tiny_dream
from weft.model.key_values import CACHE_ARGUMENT, BlockCache, KnownKeys


def states(*values):
    """One head, one number per position: batch x 1 x length x 1."""
    return torch.tensor(values)[:, None, :, None]


def test_known_keys_ignore_updates():
    known = KnownKeys(states([1.0, 2.0]), states([3.0, 4.0]))
    key, value = known.update(states([9.0]), states([9.0]), 0)
    assert (key.flatten().tolist(), value.flatten().tolist()) == ([1, 2], [3, 4])


def test_a_window_renews_its_own_columns_and_gets_all():
    cache = BlockCache()
    cache.update(states([1.0, 2.0, 3.0], [4.0, 5.0, 6.0]), states([1.0, 2.0, 3.0], [4.0, 5.0, 6.0]), 0)
    cache.renew_at(torch.tensor([[0, 1], [1, 2]]))
    key, value = cache.update(states([10.0, 20.0], [50.0, 60.0]), states([-1.0, -2.0], [-5.0, -6.0]), 0)
    assert key[:, 0, :, 0].tolist() == [[10, 20, 3], [4, 50, 60]]
    assert value[:, 0, :, 0].tolist() == [[-1, -2, 3], [4, -5, -6]]


def test_columns_that_are_not_fresh_are_kept():
    cache = BlockCache()
    cache.update(states([1.0, 2.0, 3.0]), states([1.0, 2.0, 3.0]), 0)
    cache.renew_at(torch.tensor([[1, 2]]), torch.tensor([[False, True]]))
    key, _ = cache.update(states([20.0, 30.0]), states([20.0, 30.0]), 0)
    assert key.flatten().tolist() == [1, 2, 30]


@pytest.fixture
def case(tokenizer):
    """Three rows, the second behind hidden padding, and columns to predict."""
    generator = torch.Generator().manual_seed(1)
    ids = torch.randint(6, 400, (3, 20), generator=generator)
    is_visible = torch.ones(3, 20, dtype=torch.bool)
    is_visible[1, :4] = False
    positions = (is_visible.long().cumsum(dim=1) - 1).clamp(min=0)
    columns = torch.tensor([[8, 9, 11], [8, 10, 11], [12, 13, 15]])
    return ids, {"attention_mask": is_visible, "position_ids": positions}, columns


@pytest.fixture(params=["llada", "dream"])
def predictor(request, model, tokenizer):
    return model if request.param == "llada" else tiny_dream(tokenizer)


def pick(logits, columns):
    return logits.gather(1, columns[..., None].expand(*columns.shape, logits.shape[-1])).flatten(0, 1)


def test_layers_that_ignore_a_cache_are_an_error(predictor, case, monkeypatch):
    ids, settings, columns = case
    last = predictor.model.layers[-1]
    forward = last.forward

    def ignore_cache(*args, **kwargs):
        return forward(*args, **{name: value for name, value in kwargs.items() if name != CACHE_ARGUMENT})

    monkeypatch.setattr(last, "forward", ignore_cache)
    settings = {"position_ids": settings["position_ids"]}
    with torch.no_grad(), pytest.raises(RuntimeError, match=f"given as {CACHE_ARGUMENT}, but they ignore it"):
        predictor(input_ids=ids, logits_positions=columns, **settings)


def test_caches_accept_the_further_arguments_of_newer_layers():
    pair = states([1.0]), states([2.0])
    assert KnownKeys(*pair).update(*pair, 0, kwargs={}) == pair
    assert BlockCache().update(*pair, 0, kwargs={}) == pair


@pytest.mark.parametrize("has_padding", [True, False], ids=["padding", "no padding"])
def test_chosen_columns_get_the_logits_of_the_whole_canvas(predictor, case, has_padding):
    ids, settings, columns = case
    settings = settings if has_padding else {}
    everything = predictor(input_ids=ids, **settings).logits
    for at in (columns, torch.tensor([[4, 5], [4, 19], [0, 1]])):
        chosen = predictor(input_ids=ids, logits_positions=at, **settings).logits
        torch.testing.assert_close(chosen, pick(everything, at), rtol=1e-4, atol=1e-4)


def ask_window(predictor, ids, settings, columns, cache):
    """Predict columns from a window of four positions, and what its predictions are read from before it."""
    start = torch.tensor([[8], [8], [12]]) - predictor.logit_shift
    window = start + torch.arange(4 + predictor.logit_shift)
    cache.renew_at(window)
    settings = settings | {"position_ids": settings["position_ids"].gather(1, window)}
    return predictor(
        input_ids=ids.gather(1, window), logits_positions=columns - start, cache=cache, **settings
    ).logits


def test_a_window_of_an_unchanged_canvas_changes_nothing(predictor, case):
    ids, settings, columns = case
    cache = BlockCache()
    first = predictor(input_ids=ids, logits_positions=columns, cache=cache, **settings).logits
    second = ask_window(predictor, ids, settings, columns, cache)
    torch.testing.assert_close(second, first, rtol=1e-4, atol=1e-4)


def test_a_changed_token_in_the_window_reaches_its_neighbours(predictor, case):
    ids, settings, columns = case
    cache = BlockCache()
    first = predictor(input_ids=ids, logits_positions=columns, cache=cache, **settings).logits
    changed = ids.clone()
    changed[:, 10] = 7  # in the window of the first two rows
    second = ask_window(predictor, changed, settings, columns, cache)
    difference = (second - first).abs().amax(dim=1).view(3, 3)
    assert (difference[:2, 0] > 1e-3).all()
    assert (difference[2] < 1e-4).all()


def test_the_mask_has_the_form_that_attention_wants(model, case):
    ids, settings, columns = case
    before = model.config._attn_implementation
    expected = model(input_ids=ids, logits_positions=columns, **settings).logits
    try:
        model.set_attn_implementation("eager")
        plain = model(input_ids=ids, logits_positions=columns, **settings).logits
    finally:
        model.set_attn_implementation(before)
    torch.testing.assert_close(plain, expected, rtol=1e-4, atol=1e-4)
