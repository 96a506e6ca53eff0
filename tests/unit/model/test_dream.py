import torch
from safetensors.torch import load_file

from weft.model import load_model


def test_the_last_token_changes_the_logits_at_the_first_position(dream):
    ids, changed = torch.tensor([[1, 2, 3, 4]]), torch.tensor([[1, 2, 3, 5]])
    with torch.no_grad():
        assert not torch.equal(dream(input_ids=ids).logits[0, 0], dream(input_ids=changed).logits[0, 0])


def test_outputs_are_shifted_and_the_first_is_used_twice(dream):
    ids = torch.randint(0, 50, (2, 6))
    with torch.no_grad():
        raw = dream.lm_head(dream.model(input_ids=ids).last_hidden_state)
        logits = dream(input_ids=ids).logits
    assert torch.equal(logits[:, 0], raw[:, 0])
    assert torch.equal(logits[:, 1:], raw[:, :-1])


def test_chosen_positions_are_chosen_after_the_shift(dream):
    ids, at = torch.randint(0, 50, (2, 6)), torch.rand(2, 6) < 0.5
    with torch.no_grad():
        torch.testing.assert_close(
            dream(input_ids=ids, logits_positions=at).logits, dream(input_ids=ids).logits[at]
        )


def test_hidden_padding_on_the_left_changes_nothing_at_the_first_position_either(dream):
    mask = torch.tensor([[0, 0, 1, 1, 1]])
    positions = torch.tensor([[0, 0, 0, 1, 2]])
    with torch.no_grad():
        alone = dream(input_ids=torch.tensor([[7, 8, 9]])).logits
        padded = torch.tensor([[0, 0, 7, 8, 9]])
        for hidden in (mask, mask.bool()):
            beside = dream(input_ids=padded, attention_mask=hidden, position_ids=positions).logits[:, 2:]
            torch.testing.assert_close(alone, beside, atol=1e-5, rtol=1e-5)


def test_logits_equal_those_of_the_reference_class_up_to_the_processor(shared_data):
    folder = shared_data / "reference" / "dream_small"
    stored = load_file(folder / "logits.safetensors")
    with torch.no_grad():
        logits = load_model(folder)(input_ids=stored["input_ids"]).logits
    # The class returns what predicts the next position.
    torch.testing.assert_close(logits[:, 1:], stored["logits_fp32"][:, :-1], atol=2e-4, rtol=0)
    torch.testing.assert_close(logits[:, 0], stored["logits_fp32"][:, 0], atol=2e-4, rtol=0)
