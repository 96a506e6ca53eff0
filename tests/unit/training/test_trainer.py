import json

import pytest
import torch
from datasets import Dataset
from peft import LoraConfig
from transformers import TrainerCallback, TrainingArguments

from tests.support.models import tiny_model
from weft.data.collate import PadToLength
from weft.data.encoding import encode_example
from weft.data.tasks.examples import generate_examples
from weft.data.training_set import encode
from weft.errors import TrainingError, WeftError
from weft.training.batch_objective import objective
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


ROWS = [{"prompt": f"What is {n}+{n + 3}?", "answer": f"{2 * n + 3}"} for n in range(10)]


def make_plain(
    tokenizer,
    out,
    *,
    rows=ROWS,
    model=None,
    preset="weft",
    max_length=40,
    eval_rows=None,
    peft_config=None,
    callbacks=None,
    **changes,
):
    """A trainer with little more than the defaults of transformers."""
    given = {"max_steps": 2, "per_device_train_batch_size": 4, "save_strategy": "no", "learning_rate": 1e-2}
    return DiffusionTrainer(
        tiny_model(tokenizer, seed=5) if model is None else model,
        TrainingArguments(str(out), use_cpu=True, report_to=[], logging_steps=1, **(given | changes)),
        rows,
        eval_rows,
        processing_class=tokenizer,
        callbacks=callbacks,
        method=preset,
        peft_config=peft_config,
        max_length=max_length,
    )


def losses(trainer):
    return [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]


@pytest.mark.parametrize("form", [list, Dataset.from_list])
def test_rows_of_text_and_default_arguments_train_as_encoded_rows(tokenizer, tmp_path, form):
    trainers = [make_plain(tokenizer, tmp_path, rows=rows) for rows in (form(ROWS), encode(tokenizer, ROWS))]
    for trainer in trainers:
        trainer.train()
    assert losses(trainers[0]) == losses(trainers[1])
    assert trainers[0].state.log_history[0]["mean_uncertainty"] > 0


def test_trackers_that_the_arguments_name_get_the_metrics_of_the_method(tokenizer, tmp_path):
    entries = []

    class Tracker(TrainerCallback):
        def on_log(self, args, state, control, logs, **kwargs):
            entries.append(dict(logs))

    make_plain(tokenizer, tmp_path, callbacks=[Tracker()], max_steps=1).train()
    metrics = {"loss", "mean_rate", "mean_uncertainty", "bounded_share", "seconds"}
    assert metrics <= entries[0].keys()
    assert "mean_rate" not in entries[1]  # the summary at the end


def test_the_objective_is_that_of_a_step_of_the_trainer(tokenizer, tmp_path):
    trainer = make_plain(tokenizer, tmp_path, rows=ROWS[:4], max_steps=1, seed=3)
    trainer.train()
    collate = PadToLength(max_length=40, pad_token_id=tokenizer.pad_token_id)
    batch = collate(encode(tokenizer, ROWS[:4]).to_list())
    loss = objective(tiny_model(tokenizer, seed=5), batch, seed=3).loss
    assert loss.item() == pytest.approx(losses(trainer)[0], rel=1e-5)


def test_the_length_is_by_default_that_of_the_longest_example(tokenizer, tmp_path):
    longest = max(len(row["prompt_ids"]) + len(row["answer_ids"]) for row in encode(tokenizer, ROWS))
    assert make_plain(tokenizer, tmp_path, max_length=None).collate.max_length == longest


def test_max_steps_ends_a_training_and_resuming_goes_on_to_the_bit(tokenizer, tmp_path):
    settings = {"max_steps": 4, "lr_scheduler_type": "constant", "save_strategy": "steps", "save_steps": 2}
    whole, first = (make_plain(tokenizer, tmp_path / name, **settings) for name in ("whole", "first"))
    whole.train()
    first.args.max_steps = 2
    first.train()
    resumed = make_plain(tokenizer, tmp_path / "first", **settings)
    resumed.train(resume_from_checkpoint=True)
    assert losses(resumed) == losses(whole)
    assert len(losses(whole)) == 4


def test_the_evaluation_does_not_depend_on_its_batches(tokenizer, tmp_path):
    results = [
        make_plain(tokenizer, tmp_path, eval_rows=ROWS[:7], per_device_eval_batch_size=size).evaluate()
        for size in (1, 3, 7)
    ]
    assert [result["eval_loss"] for result in results] == pytest.approx(
        [results[0]["eval_loss"]] * 3, rel=1e-5
    )


def test_other_sets_are_evaluated_as_text_or_by_name(tokenizer, tmp_path):
    trainer = make_plain(tokenizer, tmp_path, eval_rows={"a": ROWS[:4], "b": ROWS[4:]})
    named = trainer.evaluate()
    assert trainer.evaluate(ROWS[:4])["eval_loss"] == named["eval_a_loss"] != named["eval_b_loss"]


def test_the_best_model_is_loaded_at_the_end(tokenizer, tmp_path):
    trainer = make_plain(
        tokenizer, tmp_path, eval_rows=ROWS[:5], max_steps=3, learning_rate=0.3, load_best_model_at_end=True,
        eval_strategy="steps", eval_steps=1, save_strategy="steps", save_steps=1, greater_is_better=True,
    )  # fmt: skip
    trainer.train()
    measured = [entry["eval_loss"] for entry in trainer.state.log_history if "eval_loss" in entry]
    assert len(set(measured)) == 3
    assert trainer.evaluate()["eval_loss"] == max(measured) != measured[-1]


def test_values_of_a_refreshed_probe_in_a_folder_that_is_used_again_are_not_taken(tokenizer, tmp_path):
    fresh = make_plain(tokenizer, tmp_path / "fresh", preset="weft-refreshed")
    fresh.train()
    make_plain(tokenizer, tmp_path, model=tiny_model(tokenizer, seed=6), preset="weft-refreshed").train()
    again = make_plain(tokenizer, tmp_path, preset="weft-refreshed")
    again.train()
    assert losses(again) == losses(fresh)


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")
def test_new_adapters_depend_on_the_seed_of_the_arguments_only(tokenizer, tmp_path):
    weights = []
    for number, seed in enumerate([3, 3, 4]):
        torch.manual_seed(number)
        trainer = make_plain(tokenizer, tmp_path, peft_config=LoraConfig(r=2), seed=seed)
        weights.append([p.clone() for name, p in trainer.model.named_parameters() if "lora_A" in name])
    assert all(torch.equal(a, b) for a, b in zip(weights[0], weights[1], strict=True))
    assert not any(torch.equal(a, b) for a, b in zip(weights[0], weights[2], strict=True))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rows": None}, "train_dataset must be given"),
        (
            {"max_length": 5},
            r"shorter than max_length=5 tokens, got 10 that are not, in rows \[0, 1, 2, 3, 4\]",
        ),
        ({"preset": "weft-frozen", "eval_rows": ROWS}, "whose probe model is 'frozen'"),
        ({"preset": "wft"}, "method is not valid"),
        ({"rows": [{"text": "a"}]}, "row 0: expected question and answer"),
        ({"max_length": 0}, "max_length must be a whole number of at least 1, got 0"),
        ({"max_length": 10**6}, "max_length must be at most .*, the longest sequence of the model"),
        ({"model": torch.nn.Linear(2, 2)}, r"mask predictor from weft\.load_model.* got Linear"),
        ({"peft_config": {"r": 2}}, r"peft_config must be a peft\.LoraConfig, got dict"),
        ({"peft_config": LoraConfig(use_dora=True)}, "plain LoRA, .* other methods: {'use_dora': True}"),
        ({"peft_config": LoraConfig(modules_to_save=["lm_head"])}, "other methods: {'modules_to_save'"),
    ],
    ids=str,
)
def test_mistakes_are_named_before_the_training(tokenizer, tmp_path, changes, message):
    with pytest.raises(WeftError, match=message):
        make_plain(tokenizer, tmp_path, **changes)


def test_unknown_arguments_are_explained(tokenizer):
    with pytest.raises(TrainingError, match=r"no argument 'tokenizer' \(here it is processing_class\)"):
        DiffusionTrainer(tiny_model(tokenizer), tokenizer=tokenizer)


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")
def test_adapters_are_not_put_on_adapters(tokenizer, tmp_path):
    adapted = make_plain(tokenizer, tmp_path, peft_config=LoraConfig(r=2)).model
    with pytest.raises(TrainingError, match="peft_config must be None for a model that has adapters already"):
        make_plain(tokenizer, tmp_path, model=adapted, peft_config=LoraConfig(r=2))


def test_a_frozen_model_is_refused(tokenizer, tmp_path):
    with pytest.raises(TrainingError, match="must have parameters that require a gradient"):
        make_plain(tokenizer, tmp_path, model=tiny_model(tokenizer).requires_grad_(False))


def test_a_tokenizer_is_required_for_a_loaded_model(tokenizer, tmp_path):
    with pytest.raises(TrainingError, match="processing_class must be the tokenizer of the model"):
        DiffusionTrainer(tiny_model(tokenizer), TrainingArguments(str(tmp_path), use_cpu=True), ROWS)


def test_there_is_nothing_to_predict(tokenizer, tmp_path):
    with pytest.raises(TrainingError, match=r"use evaluate for a loss, or weft\.generate"):
        make_plain(tokenizer, tmp_path).predict(ROWS)
