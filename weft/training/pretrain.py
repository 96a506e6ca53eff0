"""Train a small LLaDA network from scratch, as the base model of experiments without downloads."""

import itertools
import shutil
from pathlib import Path

import torch
from transformers import PreTrainedTokenizerFast, TrainingArguments, set_seed

from weft.config.experiment import FineTuning
from weft.config.methods import Method
from weft.config.sources import Pretraining, ScratchModel
from weft.data.base_model import RECIPE_FILE
from weft.data.collate import PadToLength
from weft.data.encoding import encode_example
from weft.data.tasks.examples import generate_mixture
from weft.data.tokenizer import train_tokenizer
from weft.errors import ConfigError
from weft.model import LladaConfig, LladaForMaskedDiffusion, save_model
from weft.provenance import digest, write_provenance
from weft.records import JsonObject
from weft.records.files import atomic_directory, lock_output, write_json
from weft.training.objective import ForwardProcess
from weft.training.resume import latest_checkpoint, make_state_folder
from weft.training.trainer import DiffusionTrainer


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
    state = make_state_folder(out, digest(fields))
    with lock_output(out), atomic_directory(out) as folder:
        notes = {"recipe": fields, "log": pretrain(recipe, folder, state=state, device=device)}
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


def pretrain(recipe: Pretraining, out: Path, *, state: Path, device: str) -> JsonObject:
    """Train tokenizer and model, write a LLaDA checkpoint, and return the Trainer's last log entry."""
    set_seed(recipe.seed)
    examples = list(
        generate_mixture(
            recipe.tasks,
            rationale_share=recipe.worked_share,
            num_examples=recipe.num_examples,
            seed=recipe.seed,
        )
    )
    sample = itertools.islice(examples, recipe.num_tokenizer_examples)
    documents = (f"user\n\n{e.question}\nassistant\n\n{e.answer}" for e in sample)
    tokenizer = train_tokenizer(documents, vocab_size=recipe.vocab_size)
    model = build_model(recipe, tokenizer)
    trainer = DiffusionTrainer(
        model=model,
        args=_arguments(recipe, state, device),
        train_dataset=[encode_example(tokenizer, example) for example in examples],
        collate=PadToLength(max_length=recipe.max_length, pad_token_id=tokenizer.pad_token_id),
        process=ForwardProcess(
            method=Method.model_validate({"preset": "sft"}),
            t_min=recipe.t_min,
            mask_token_id=tokenizer.mask_token_id,
        ),
        seed=recipe.seed,
        batch_size=recipe.batch_size,
    )
    trainer.train(resume_from_checkpoint=latest_checkpoint(state))
    save_model(model, out)
    tokenizer.save_pretrained(out)
    return dict(trainer.state.log_history[-1])


def build_model(recipe: Pretraining, tokenizer: PreTrainedTokenizerFast) -> LladaForMaskedDiffusion:
    """Return a network with random parameters."""
    shape = recipe.architecture
    return LladaForMaskedDiffusion(
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


def _arguments(recipe: Pretraining, state: Path, device: str) -> TrainingArguments:
    return TrainingArguments(
        output_dir=str(state),
        per_device_train_batch_size=recipe.batch_size,
        num_train_epochs=1,
        learning_rate=recipe.learning_rate,
        lr_scheduler_type=recipe.lr_scheduler,
        warmup_steps=recipe.warmup_steps,
        weight_decay=recipe.weight_decay,
        adam_beta1=recipe.adam_beta1,
        adam_beta2=recipe.adam_beta2,
        adam_epsilon=recipe.adam_epsilon,
        max_grad_norm=recipe.max_grad_norm,
        logging_steps=100,
        save_steps=1000,
        save_total_limit=1,
        seed=recipe.seed,
        use_cpu=device == "cpu",
        remove_unused_columns=False,
        report_to=[],
        dataloader_num_workers=0,
    )
