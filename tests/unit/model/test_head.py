import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from weft.model.head import HEAD_CHUNK, VocabularyHead, _WeightedCrossEntropy

VOCAB = 23


def make_case(num_tokens, *, seed=0, dtype=torch.float32, frozen=False, vocab=VOCAB):
    draw = torch.Generator().manual_seed(seed)
    head = VocabularyHead(6, vocab).to(dtype)
    with torch.no_grad():
        head.weight.copy_(torch.randn(vocab, 6, generator=draw))
    head.weight.requires_grad_(not frozen)
    hidden = torch.randn(num_tokens, 6, generator=draw).to(dtype).requires_grad_()
    targets = torch.randint(0, vocab, (num_tokens,), generator=draw)
    return head, hidden, targets, torch.rand(num_tokens, generator=draw) * 3


def plain_loss(head, hidden, targets, token_weights):
    token_nll = F.cross_entropy((hidden @ head.weight.T).float(), targets, reduction="none")
    return (token_weights * token_nll).sum(), token_nll


def gradients(loss, head, hidden):
    wanted = [hidden, head.weight] if head.weight.requires_grad else [hidden]
    return torch.autograd.grad(3 * loss, wanted)


@settings(max_examples=30, deadline=None)
@given(num_tokens=st.integers(0, 2 * HEAD_CHUNK + 3), seed=st.integers(0, 99), frozen=st.booleans())
def test_loss_and_gradients_are_those_of_the_plain_formula(num_tokens, seed, frozen):
    head, hidden, targets, factors = make_case(num_tokens, seed=seed, frozen=frozen)
    loss, token_nll = head(hidden, targets=targets, token_weights=factors)
    expected, expected_nll = plain_loss(head, hidden, targets, factors)
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(token_nll, expected_nll.detach())
    assert not token_nll.requires_grad
    made, wanted = gradients(loss, head, hidden), gradients(expected, head, hidden)
    for got, want in zip(made, wanted, strict=True):
        torch.testing.assert_close(
            got, want, atol=1e-5 * (1 + want.abs().max().item() if want.numel() else 1), rtol=1e-5
        )


def test_gradients_pass_the_numerical_check_in_double_precision():
    head, hidden, targets, factors = make_case(5, dtype=torch.float64)

    def loss(hidden, weight):
        return _WeightedCrossEntropy.apply(hidden, weight, targets, factors, True)[0]

    assert torch.autograd.gradcheck(loss, (hidden, head.weight))


def test_bf16_costs_one_rounding_more_than_the_plain_formula():
    head, hidden, targets, factors = make_case(600, dtype=torch.bfloat16)
    loss, token_nll = head(hidden, targets=targets, token_weights=factors)
    rounded, rounded_nll = plain_loss(head, hidden, targets, factors)
    assert loss.dtype == token_nll.dtype == torch.float32
    torch.testing.assert_close(token_nll, rounded_nll.detach())
    exact_head, exact_hidden, _, _ = make_case(600, dtype=torch.bfloat16)
    exact_head, exact_hidden = exact_head.double(), exact_hidden.detach().double().requires_grad_()
    exact = gradients(exact_head(exact_hidden, targets, factors)[0], exact_head, exact_hidden)
    made, plain = gradients(loss, head, hidden), gradients(rounded, head, hidden)
    for ours, theirs, truth in zip(made, plain, exact, strict=True):
        assert ours.dtype == torch.bfloat16
        # The gradient is rounded once when made and once when scaled by what comes from above.
        assert (ours - truth).abs().mean() < 2 * (theirs - truth).abs().mean()


def test_under_autocast_the_products_are_in_bf16_and_gradients_in_fp32():
    head, hidden, targets, factors = make_case(40)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss, token_nll = head(hidden, targets=targets, token_weights=factors)
        expected, expected_nll = plain_loss(head, hidden, targets, factors)
    torch.testing.assert_close(token_nll, expected_nll.detach())
    made, wanted = gradients(loss, head, hidden), gradients(expected, head, hidden)
    for got, want in zip(made, wanted, strict=True):
        assert got.dtype == torch.float32
        torch.testing.assert_close(got, want, atol=0.05, rtol=0.02)


def test_no_tokens_give_loss_zero_and_gradient_zero():
    head, hidden, targets, factors = make_case(0)
    loss, token_nll = head(hidden, targets=targets, token_weights=factors)
    loss.backward()
    assert loss.item() == 0
    assert token_nll.shape == (0,)
    assert torch.equal(head.weight.grad, torch.zeros(VOCAB, 6))


class LargestTensor(TorchDispatchMode):
    """Remembers the size of the largest tensor that any operation makes, and counts matrix products."""

    numel = 0
    num_products = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        made = function(*args, **(kwargs or {}))
        sizes = [leaf.numel() for leaf in tree_leaves(made) if isinstance(leaf, torch.Tensor)]
        self.numel = max([self.numel, *sizes])
        self.num_products += "mm" in str(function)
        return made


@pytest.mark.parametrize("frozen", [True, False])
def test_no_tensor_is_larger_than_a_chunk_of_logits(frozen):
    head, hidden, targets, factors = make_case(4 * HEAD_CHUNK, frozen=frozen, vocab=101)
    with LargestTensor() as largest:
        head(hidden, targets=targets, token_weights=factors)[0].backward()
        with torch.no_grad():
            head(hidden, logits_fn=lambda logits, _: logits.logsumexp(-1))
    assert largest.numel == HEAD_CHUNK * 101
    with LargestTensor() as largest:
        plain_loss(head, hidden, targets, factors)
    assert largest.numel == 4 * HEAD_CHUNK * 101, "the measure sees what it is for"


def test_no_gradient_is_computed_when_gradients_are_disabled():
    head, hidden, targets, factors = make_case(20)
    with torch.no_grad(), LargestTensor() as without:
        loss, _ = head(hidden, targets=targets, token_weights=factors)
    assert not loss.requires_grad
    with LargestTensor() as with_gradients:
        head(hidden, targets=targets, token_weights=factors)
    # Logits; and where gradients are wanted those of the hidden states and of the weight.
    assert (without.num_products, with_gradients.num_products) == (1, 3)


def test_the_gradient_of_a_frozen_head_is_not_computed():
    head, hidden, targets, factors = make_case(20, frozen=True)
    with LargestTensor() as seen:
        head(hidden, targets=targets, token_weights=factors)
    assert seen.num_products == 2


def test_logits_fn_sees_each_token_once_with_its_place():
    head, hidden, targets, _ = make_case(HEAD_CHUNK + 7)
    seen = []

    def pick(logits, positions):
        seen.append(positions)
        return logits.gather(1, targets[positions, None])

    with torch.no_grad():
        picked = head(hidden, logits_fn=pick)
        assert torch.equal(picked, head(hidden).gather(1, targets[:, None]))
    assert seen == [slice(0, HEAD_CHUNK), slice(HEAD_CHUNK, HEAD_CHUNK + 7)]


def test_logits_fn_of_no_tokens_keeps_its_shape():
    head, hidden, _, _ = make_case(0)
    assert head(hidden, logits_fn=lambda logits, _: logits[:, :3]).shape == (0, 3)


def test_impossible_combinations_are_refused():
    head, hidden, targets, factors = make_case(3)
    with pytest.raises(ValueError, match="targets with token_weights"):
        head(hidden, targets=targets)
    with pytest.raises(ValueError, match="logits_fn"):
        head(hidden, targets=targets, token_weights=factors, logits_fn=lambda logits, _: logits)
