import pytest
import torch

from weft.training.muon import MuonWithAdamW

SETTINGS = {
    "muon_lr": 0.01, "momentum": 0.9, "adam_lr": 0.02, "betas": (0.9, 0.98), "weight_decay": 0.1
}  # fmt: skip


def train(model, optimizer, steps, *, first=0):
    for step in range(first, first + steps):
        ids = torch.randint(10, 40, (2, 8), generator=torch.Generator().manual_seed(step))
        model(input_ids=ids).logits.square().mean().backward()
        optimizer.step()
        optimizer.zero_grad()


def test_matrices_of_the_blocks_follow_muon_and_all_others_adamw(model):
    optimizer = MuonWithAdamW(model, **SETTINGS)
    muon, adam = optimizer.optimizers
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    with_muon = {names[id(p)] for group in muon.param_groups for p in group["params"]}
    with_adam = {names[id(p)] for group in adam.param_groups for p in group["params"]}
    assert with_muon == {name for name in names.values() if ".layers." in name and "norm" not in name}
    assert {"model.embed_tokens.weight", "lm_head.weight", "model.norm.weight"} <= with_adam
    assert with_muon | with_adam == set(names.values())
    assert not with_muon & with_adam


def test_every_parameter_is_updated(model):
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    train(model, MuonWithAdamW(model, **SETTINGS), 1)
    assert all(not torch.equal(before[name], parameter) for name, parameter in model.named_parameters())
    model.load_state_dict(before)


def test_a_scheduler_changes_the_rates_of_both(model):
    optimizer = MuonWithAdamW(model, **SETTINGS)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 0.5)
    assert [group["lr"] for o in optimizer.optimizers for group in o.param_groups] == [0.005, 0.01]
    optimizer.load_state_dict(optimizer.state_dict())
    optimizer.param_groups[0]["lr"] = 0.25
    assert optimizer.optimizers[0].param_groups[0]["lr"] == 0.25, "also after loading a state"
    assert scheduler.last_epoch == 0


def test_a_loaded_state_continues_to_the_same_parameters(model):
    start = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    whole = MuonWithAdamW(model, **SETTINGS)
    train(model, whole, 4)
    expected = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    model.load_state_dict(start)
    first = MuonWithAdamW(model, **SETTINGS)
    train(model, first, 2)
    second = MuonWithAdamW(model, **SETTINGS)
    second.load_state_dict(first.state_dict())
    train(model, second, 2, first=2)
    assert all(torch.equal(expected[name], tensor) for name, tensor in model.state_dict().items())
    model.load_state_dict(start)


def test_a_closure_is_refused(model):
    with pytest.raises(ValueError, match="closure must be None"):
        MuonWithAdamW(model, **SETTINGS).step(lambda: 0.0)
