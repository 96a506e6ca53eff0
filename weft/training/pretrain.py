"""Train a small LLaDA network from scratch, as the base model of experiments without downloads."""

import shutil
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Sampler, SequentialSampler
from transformers import PreTrainedTokenizerFast, Trainer, TrainingArguments, set_seed

from weft.config.experiment import FineTuning
from weft.config.sources import Pretraining, PretrainingPhase, ScratchModel
from weft.data.base_model import RECIPE_FILE
from weft.data.pretraining import PretrainingRow, PretrainingRows, tokenizer_texts
from weft.data.tokenizer import train_tokenizer
from weft.errors import ConfigError
from weft.model import LladaConfig, LladaForMaskedDiffusion, Predictor, save_model
from weft.provenance import digest, installed_versions, source_digest, write_provenance
from weft.records import JsonObject
from weft.records.files import atomic_directory, lock_output, write_json
from weft.training.callbacks import DigestCallback
from weft.training.checkpoints import take_sound_checkpoint
from weft.training.kept import LIBRARIES, PRETRAINING_CODE
from weft.training.muon import MuonWithAdamW
from weft.training.resume import make_state_folder

SAVE_STEPS = 1000
"""Optimiser steps between checkpoints for resuming."""
WALL_TIMES = frozenset({"train_runtime", "train_samples_per_second", "train_steps_per_second"})
"""Keys of the Trainer's log entries that measure time."""
NUM_NUMBERS = 100
"""Numbers that are single tokens."""
NUMBER_PERIODS = (2.0, 3.0, 4.0, 5.0, 7.0, 10.0, 15.0, 20.0, 30.0, 45.0, 60.0, 100.0)
"""Periods of the features from which the embeddings of numbers start."""


def pretrain_base(experiment: FineTuning, out: Path, *, threads: int, device: str) -> None:
    """Train the base model of an experiment and write its checkpoint directory, recipe and provenance.

    An interrupted training resumes from its last checkpoint.

    Args:
        experiment: an experiment with a base model that is trained from scratch.
        out: checkpoint directory to write.
        threads: number of CPU threads, which can affect the rounding of sums.
        device: cpu or cuda.

    Raises:
        ConfigError: the base model is not trained from scratch.
    """
    source = experiment.base_model
    if not isinstance(source, ScratchModel):
        raise ConfigError(f"base_model.source must be 'scratch' to train the model, got {source.source!r}")
    recipe = source.recipe
    torch.set_num_threads(threads)
    fields = recipe.model_dump(mode="json")
    versions = installed_versions()
    decisive = [fields, source_digest(*PRETRAINING_CODE, "model"), *map(versions.get, LIBRARIES)]
    state = make_state_folder(out, digest(decisive))
    with lock_output(out), atomic_directory(out) as folder:
        notes = {"recipe": fields, "logs": pretrain(recipe, folder, state=state, device=device)}
        write_json(folder / RECIPE_FILE, notes)
    write_provenance(
        out,
        settings=experiment.model_dump(mode="json"),
        experiment=experiment.name,
        seed=recipe.seed,
        device=device,
        notes=notes,
    )
    shutil.rmtree(state)


def pretrain(recipe: Pretraining, out: Path, *, state: Path, device: str) -> list[JsonObject]:
    """Train tokenizer and model, write a LLaDA checkpoint, and return the last log entry of each phase.

    The entries contain no wall times, so that two runs of one pretraining give the same files.
    """
    set_seed(recipe.seed)
    tokenizer = train_tokenizer(tokenizer_texts(recipe), vocab_size=recipe.vocab_size)
    model = build_model(recipe, tokenizer)
    logs: list[JsonObject] = []
    for number, phase in enumerate(recipe.phases):
        folder = state / f"phase-{number}"
        trainer = PretrainingTrainer(
            PretrainingRows(recipe, tokenizer, phase=number),
            model=model,
            args=_arguments(recipe, phase, folder, device),
        )
        trainer.add_callback(DigestCallback(trainer.accelerator, folder))
        checkpoint = take_sound_checkpoint(folder)
        trainer.train(resume_from_checkpoint=None if checkpoint is None else str(checkpoint))
        entry = trainer.state.log_history[-1]
        logs.append({name: value for name, value in entry.items() if name not in WALL_TIMES})
    save_model(model, out)
    tokenizer.save_pretrained(out)
    return logs


class PretrainingTrainer(Trainer):
    """Trainer of a mask predictor on the rows of a phase of a pretraining, in their order.

    Args:
        rows: the rows.
        **kwargs: as for ``transformers.Trainer``.
    """

    def __init__(self, rows: PretrainingRows, **kwargs: Any) -> None:
        super().__init__(train_dataset=rows, **kwargs)
        self.rows = rows

    def create_optimizer(self, model: Any = None) -> torch.optim.Optimizer:
        """Return Muon with AdamW."""
        del model
        assert self.model is not None, "the trainer was made with a model"
        recipe, phase = self.rows.recipe, self.rows.phase
        self.optimizer = MuonWithAdamW(
            self.model,
            muon_lr=phase.muon_learning_rate,
            momentum=recipe.muon_momentum,
            adam_lr=phase.adam_learning_rate,
            betas=(recipe.adam_beta1, recipe.adam_beta2),
            weight_decay=recipe.weight_decay,
        )
        return self.optimizer

    def compute_loss(  # type: ignore[override]
        self,
        model: Predictor,
        inputs: PretrainingRow,
        return_outputs: bool = False,
        num_items_in_batch: Any = None,
    ) -> Tensor:
        """Return the mean cross-entropy of the predicted tokens of a batch, in nats."""
        del return_outputs, num_items_in_batch
        positions = inputs["is_predicted"]
        targets = inputs["clean_ids"][positions]
        prediction = model(
            input_ids=inputs["input_ids"],
            attention_mask=inputs["is_row"] if self.rows.phase.random_lengths else None,
            logits_positions=positions,
            targets=targets,
            token_weights=torch.full(targets.shape, 1 / max(1, len(targets)), device=targets.device),
        )
        assert prediction.loss is not None, "a predictor returns a loss if it is given targets"
        return prediction.loss

    def _get_train_sampler(self, train_dataset: Any = None) -> Sampler:
        del train_dataset
        return SequentialSampler(self.rows)


def build_model(recipe: Pretraining, tokenizer: PreTrainedTokenizerFast) -> LladaForMaskedDiffusion:
    """Return a network with random parameters, in which the numbers below 100 start with their features."""
    shape = recipe.architecture
    model = LladaForMaskedDiffusion(
        LladaConfig(
            vocab_size=len(tokenizer),
            hidden_size=shape.hidden_size,
            intermediate_size=shape.intermediate_size,
            num_hidden_layers=shape.num_layers,
            num_attention_heads=shape.num_heads,
            num_key_value_heads=shape.num_heads,
            max_position_embeddings=shape.max_length,
            rms_norm_eps=shape.rms_norm_eps,
            initializer_range=shape.initializer_std,
            rope_parameters={"rope_type": "default", "rope_theta": shape.rope_theta},
            tie_word_embeddings=False,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
            mask_token_id=tokenizer.mask_token_id,
        )
    )
    ids = torch.tensor(_number_ids(tokenizer))
    features = number_features()
    with torch.no_grad():
        for table in (model.model.embed_tokens.weight, model.lm_head.weight):
            table[ids, : features.shape[1]] = features * shape.initializer_std
    return model


def _number_ids(tokenizer: PreTrainedTokenizerFast) -> list[int]:
    vocabulary = tokenizer.get_vocab()
    missing = [number for number in range(NUM_NUMBERS) if str(number) not in vocabulary]
    if missing:
        raise ConfigError(
            f"base_model.recipe.vocab_size must be so large that all numbers below {NUM_NUMBERS} are single "
            f"tokens, but {missing[-1]} is none of the {len(vocabulary)} tokens; raise it, for example to 512"
        )
    return [vocabulary[str(number)] for number in range(NUM_NUMBERS)]


def number_features() -> Tensor:
    """Return sines and cosines of the numbers below 100 for several periods, numbers x features.

    The embeddings of numbers start from them, so that close numbers are similar from the beginning.
    """
    numbers = torch.arange(NUM_NUMBERS, dtype=torch.float32)
    angles = 2 * torch.pi * numbers[:, None] / torch.tensor(NUMBER_PERIODS)
    return torch.cat([angles.cos(), angles.sin()], dim=1)


def _arguments(recipe: Pretraining, phase: PretrainingPhase, state: Path, device: str) -> TrainingArguments:
    return TrainingArguments(
        output_dir=str(state),
        per_device_train_batch_size=recipe.batch_size,
        max_steps=phase.num_steps,
        lr_scheduler_type="warmup_stable_decay",
        lr_scheduler_kwargs={"num_decay_steps": phase.decay_steps, "decay_type": "linear"},
        warmup_steps=phase.warmup_steps,
        max_grad_norm=recipe.max_grad_norm,
        logging_steps=100,
        save_steps=SAVE_STEPS,
        seed=recipe.seed,
        use_cpu=device == "cpu",
        remove_unused_columns=False,
        report_to=[],
        dataloader_num_workers=0,
    )
