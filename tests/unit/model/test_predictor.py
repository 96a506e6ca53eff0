import pytest
import torch
import torch.nn.functional as F
from peft import LoraConfig, TaskType, get_peft_model

from tests.support.models import ScriptedModel, tiny_model


@pytest.fixture
def case():
    draw = torch.Generator().manual_seed(3)
    ids = torch.randint(0, 50, (2, 9), generator=draw)
    at = torch.rand(2, 9, generator=draw) < 0.5
    num_tokens = int(at.sum())
    targets = torch.randint(0, 50, (num_tokens,), generator=draw)
    return ids, at, targets, torch.rand(num_tokens, generator=draw)


def plain_loss(model, ids, at, targets, token_weights):
    token_nll = F.cross_entropy(model(input_ids=ids).logits[at].float(), targets, reduction="none")
    return (token_weights * token_nll).sum(), token_nll


def test_the_loss_reaches_all_parameters_as_the_plain_formula_does(tokenizer, case):
    model = tiny_model(tokenizer)
    ids, at, targets, factors = case
    output = model(input_ids=ids, logits_positions=at, targets=targets, token_weights=factors)
    expected, expected_nll = plain_loss(model, *case)
    torch.testing.assert_close(output.loss, expected)
    torch.testing.assert_close(output.token_nll, expected_nll.detach())
    assert output.logits is None
    parameters = list(model.parameters())
    made = torch.autograd.grad(output.loss, parameters)
    wanted = torch.autograd.grad(expected, parameters)
    for got, want in zip(made, wanted, strict=True):
        torch.testing.assert_close(got, want, atol=1e-4, rtol=1e-4)


def test_nothing_masked_gives_loss_zero_and_a_graph(tokenizer):
    model, ids = tiny_model(tokenizer), torch.ones(2, 4, dtype=torch.long)
    nothing = torch.zeros(2, 4, dtype=torch.bool)
    empty = torch.zeros(0, dtype=torch.long)
    model(input_ids=ids, logits_positions=nothing, targets=empty, token_weights=empty.float()).loss.backward()
    assert all(torch.equal(p.grad, torch.zeros_like(p)) for p in model.parameters())


def test_gradient_checkpointing_changes_no_gradient(tokenizer, case):
    model = tiny_model(tokenizer).train()
    ids, at, targets, factors = case

    def gradients():
        loss = model(input_ids=ids, logits_positions=at, targets=targets, token_weights=factors).loss
        return torch.autograd.grad(loss, list(model.parameters()))

    plain = gradients()
    model.activation_checkpointing_enable()
    for got, want in zip(gradients(), plain, strict=True):
        torch.testing.assert_close(got, want)


@pytest.mark.parametrize("maker", ["model", "dream"])
def test_every_causality_setting_is_off(request, maker):
    model = request.getfixturevalue(maker)
    # transformers asks the configuration when it makes a mask, and the module when there is none.
    assert model.config.is_causal is False
    assert not any(layer.self_attn.is_causal for layer in model.model.layers)


def test_logits_fn_is_called_at_the_chosen_positions(model, case):
    ids, at, targets, _ = case
    with torch.no_grad():
        rows = model(input_ids=ids, logits_positions=at).logits
        picked = model(
            input_ids=ids,
            logits_positions=at,
            logits_fn=lambda logits, part: logits.gather(1, targets[part, None]),
        ).outputs
    torch.testing.assert_close(picked, rows.gather(1, targets[:, None]))


def test_targets_and_logits_fn_need_positions(model, case):
    ids, _, targets, factors = case
    with pytest.raises(ValueError, match="logits_positions"):
        model(input_ids=ids, targets=targets, token_weights=factors)
    with pytest.raises(ValueError, match="logits_positions"):
        model(input_ids=ids, logits_fn=lambda logits, _: logits)


@pytest.mark.parametrize("task", [None, TaskType.CAUSAL_LM])
# PEFT looks for a public name of the base model, and asks for checkpointing by its former name.
@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning")
def test_adapters_pass_the_arguments_on_and_get_gradients(tokenizer, case, task):
    ids, at, targets, factors = case
    lora = LoraConfig(
        r=2, target_modules=["q_proj", "k_proj", "v_proj"], init_lora_weights=False, task_type=task
    )
    adapted = get_peft_model(tiny_model(tokenizer), lora)
    adapted(input_ids=ids, logits_positions=at, targets=targets, token_weights=factors).loss.backward()
    trained = {name: p for name, p in adapted.named_parameters() if p.requires_grad}
    assert len(trained) == 2 * 3 * 2
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in trained.values())
    assert adapted.get_base_model().lm_head.weight.grad is None


def test_the_scripted_model_answers_alike(case):
    ids, at, targets, factors = case
    table = torch.randn(9, 50).requires_grad_()
    scripted = ScriptedModel(table)
    loss = scripted(input_ids=ids, logits_positions=at, targets=targets, token_weights=factors).loss
    expected, _ = plain_loss(scripted, *case)
    torch.testing.assert_close(loss, expected)
    slopes = [torch.autograd.grad(value, table, retain_graph=True)[0] for value in (loss, expected)]
    torch.testing.assert_close(*slopes)
    picked = scripted(
        input_ids=ids, logits_positions=at, logits_fn=lambda logits, p: logits.gather(1, targets[p, None])
    )
    assert torch.equal(
        picked.outputs, scripted(input_ids=ids, logits_positions=at).logits.gather(1, targets[:, None])
    )
