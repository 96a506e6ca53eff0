import json

import pytest
import torch
from transformers import TrainingArguments

from tests.support.models import tiny_model
from weft.data.encoding import encode_example
from weft.data.tasks.examples import generate_examples
from weft.errors import TrainingError
from weft.training.callbacks import history_rows
from weft.training.trainer import DiffusionTrainer

BATCH, LENGTH = 4, 96


@pytest.fixture(scope="module")
def examples(tokenizer):
    drawn = generate_examples({"sudoku": 5, "gsm8k": 5}, seed=3)
    return [encode_example(tokenizer, example) for example in drawn]  # ten: the last batch is filled up


def make_trainer(
    tokenizer, examples, out, *, preset="weft", micro=4, workers=0, epochs=2, edit=None, **changes
):
    model = tiny_model(tokenizer, seed=5)
    if edit is not None:
        edit(model)
    arguments = TrainingArguments(
        output_dir=str(out),
        num_train_epochs=epochs,
        per_device_train_batch_size=micro,
        gradient_accumulation_steps=BATCH // micro,
        learning_rate=1e-3,
        logging_steps=1,
        logging_nan_inf_filter=False,
        save_steps=2,
        use_cpu=True,
        dataloader_num_workers=workers,
        remove_unused_columns=False,
        report_to=[],
        disable_tqdm=True,
        data_seed=1,
    )
    return DiffusionTrainer(
        model=model,
        args=arguments,
        train_dataset=examples,
        processing_class=tokenizer,
        method={"preset": preset} | changes,
        max_length=LENGTH,
    )


def history(trainer, resume=None):
    trainer.train(resume_from_checkpoint=resume)
    return [row.as_object() for row in history_rows(trainer.state.log_history)]


def assert_close(rows, others, rel=2e-4):
    assert len(rows) == len(others) == 6  # 10 examples in batches of 4, twice
    for row, other in zip(rows, others, strict=True):
        for name in ("loss", "grad_norm", "masked_share", "mean_t", "mean_rate"):
            assert row[name] == pytest.approx(other[name], rel=rel), name


@pytest.fixture(scope="module")
def whole(tokenizer, examples, tmp_path_factory):
    names = ("sft", "weft", "sft-2x")
    return {
        name: history(make_trainer(tokenizer, examples, tmp_path_factory.mktemp("whole"), preset=name))
        for name in names
    }


@pytest.mark.parametrize("changed", [{"micro": 2}, {"micro": 1}, {"workers": 2}], ids=str)
@pytest.mark.parametrize("preset", ["sft", "weft", "sft-2x"])
def test_the_history_does_not_depend_on_how_a_batch_is_divided(
    tokenizer, examples, whole, tmp_path, preset, changed
):
    assert_close(
        history(make_trainer(tokenizer, examples, tmp_path, preset=preset, **changed)), whole[preset]
    )


def test_counting_over_micro_batches_does_depend_on_it(tokenizer, examples, tmp_path):
    histories = [
        history(
            make_trainer(tokenizer, examples, tmp_path / str(micro), micro=micro, divisor_scope="micro_batch")
        )
        for micro in (4, 2)
    ]
    with pytest.raises(AssertionError):
        assert_close(*histories)


def drop(model):  # also in the probe of gift-lift
    for layer in model.model.layers:
        layer.self_attn.attention_dropout = 0.3


@pytest.mark.parametrize("preset", ["weft", "weft-refreshed", "gift-lift"])
def test_a_resumed_run_has_the_same_history_to_the_bit(tokenizer, examples, tmp_path, preset):
    uninterrupted = make_trainer(tokenizer, examples, tmp_path / "one", preset=preset, edit=drop)
    expected = history(uninterrupted)
    halfway = tmp_path / "one" / "checkpoint-4"  # within the second epoch
    resumed = make_trainer(tokenizer, examples, tmp_path / "one", preset=preset, edit=drop)
    assert history(resumed, str(halfway)) == expected
    for name, tensor in resumed.model.state_dict().items():
        assert torch.equal(tensor, uninterrupted.model.state_dict()[name]), name


def test_resuming_within_an_epoch_needs_the_values_of_its_refreshed_probe(tokenizer, examples, tmp_path):
    history(make_trainer(tokenizer, examples, tmp_path, preset="weft-refreshed"))
    for file in tmp_path.glob("probe-*"):
        file.unlink()
    with pytest.raises(TrainingError, match=r"probe-epoch1\.safetensors"):
        history(
            make_trainer(tokenizer, examples, tmp_path, preset="weft-refreshed"),
            str(tmp_path / "checkpoint-4"),
        )


def test_a_refreshed_probe_is_computed_at_the_beginning_of_its_epochs(tokenizer, examples, tmp_path):
    history(make_trainer(tokenizer, examples, tmp_path, preset="weft-refreshed", epochs=4, refresh_epochs=2))
    assert sorted(file.name for file in tmp_path.glob("probe-*")) == [
        "probe-epoch0.safetensors",
        "probe-epoch2.safetensors",
    ]


def test_a_loss_that_is_not_finite_stops_with_step_and_example(tokenizer, examples, tmp_path):
    used = {token for e in examples for token in e["prompt_ids"] + e["answer_ids"]}
    spare = next(token for token in reversed(range(len(tokenizer))) if token not in used)
    broken = examples[3] | {"prompt_ids": [*examples[3]["prompt_ids"], spare]}

    def poison(model):
        with torch.no_grad():
            model.model.embed_tokens.weight[spare] = float("nan")

    trainer = make_trainer(
        tokenizer, [*examples[:3], broken, *examples[4:]], tmp_path, preset="sft", edit=poison
    )
    with pytest.raises(TrainingError, match=r"must be finite, got nan after optimiser step \d+") as caught:
        history(trainer)
    assert f"examples ['{broken['example_id']}']" in str(caught.value)
    assert "lower training.learning_rate" in str(caught.value)


def test_the_log_survives_as_json(tokenizer, examples, tmp_path):
    rows = history(make_trainer(tokenizer, examples, tmp_path, epochs=1))
    assert json.loads(json.dumps(rows)) == rows
    assert rows[0]["mean_uncertainty"] > 0
