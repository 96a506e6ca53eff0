import torch

from weft.verify.network import IN_PROPORTION, LLADA_8B, Shape, random_network, random_prompts

SMALL = Shape(width=128, num_layers=2, vocab_size=500)


def test_the_small_shape_has_the_large_one_s_proportions():
    for shape in (IN_PROPORTION, LLADA_8B):
        assert shape.num_layers == 32
        assert 30.8 < shape.vocab_size / shape.width <= 31
    model = random_network(Shape(width=128, num_layers=2, vocab_size=3968), spread=1.0)
    head, layer = 3968 * 128, 4 * 128 * 128 + 3 * 128 * 384 + 2 * 128
    assert model.num_parameters() == 2 * head + 2 * layer + 128


def test_logits_have_the_wanted_spread_and_never_choose_mask_or_end():
    ids = torch.tensor([[1, 2, 3, *[SMALL.mask_token_id] * 50]])
    with torch.no_grad():
        logits = random_network(SMALL, spread=3.0)(input_ids=ids).logits
    assert 2.5 < logits.std() < 3.5
    assert logits.argmax(-1).max() < SMALL.eos_token_id


def test_a_network_in_sixteen_bits_keeps_its_frequencies():
    model = random_network(SMALL, spread=1.0, dtype=torch.bfloat16)
    assert {parameter.dtype for parameter in model.parameters()} == {torch.bfloat16}
    assert model.model.rotary_emb.inv_freq.dtype == torch.float32
    assert torch.get_default_dtype() == torch.float32


def test_the_random_network_is_reproducible():
    one, other = (random_network(SMALL, spread=1.0) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


def test_prompts_can_be_told_apart_by_their_first_token():
    prompts = random_prompts(SMALL, [4, 4, 9])
    assert [len(prompt) for prompt in prompts] == [4, 4, 9]
    assert [prompt[0] for prompt in prompts] == [0, 1, 2]
    assert max(map(max, prompts)) < SMALL.eos_token_id
