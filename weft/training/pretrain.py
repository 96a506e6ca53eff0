"""Train a small LLaDA network from scratch: the base model of experiments without a download."""

import itertools
import os
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedTokenizerFast, TrainingArguments, set_seed

from weft.config.methods import Method
from weft.config.sources import Pretraining
from weft.data.collate import PadToLength
from weft.data.examples import encode_example, generate_mixture
from weft.data.tokenizer import train_tokenizer
from weft.model import LladaConfig, LladaForMaskedDiffusion, save_model
from weft.training.objective import ForwardProcess
from weft.training.resume import latest_checkpoint
from weft.training.trainer import DiffusionTrainer

TOKENIZER_SAMPLE = 5000
"""Examples from which the tokenizer learns its merges."""
T_MIN = 1e-3


def pretrain(recipe: Pretraining, out: Path, *, state: Path) -> dict[str, Any]:
    """Train tokenizer and model by a recipe and write a LLaDA checkpoint directory.

    Args:
        recipe: architecture, data and optimisation.
        out: where the checkpoint goes.
        state: folder for checkpoints from which an interrupted training resumes.

    Returns:
        The last training log: loss, optimiser steps, run time in seconds.
    """
    set_seed(recipe.seed)
    examples = list(
        generate_mixture(
            recipe.tasks, worked_share=recipe.worked_share, num_examples=recipe.num_examples, seed=recipe.seed
        )
    )
    sample = itertools.islice(examples, TOKENIZER_SAMPLE)
    documents = (f"user\n\n{e.question}\nassistant\n\n{e.answer}" for e in sample)
    tokenizer = train_tokenizer(documents, vocab_size=recipe.vocab_size)
    model = build_model(recipe, tokenizer)
    trainer = DiffusionTrainer(
        model=model,
        args=_arguments(recipe, state),
        train_dataset=[encode_example(tokenizer, example) for example in examples],  # type: ignore[misc]
        collate=PadToLength(max_length=recipe.max_length, pad_token_id=tokenizer.pad_token_id),
        process=ForwardProcess(
            method=Method.model_validate({"preset": "sft"}),
            t_min=T_MIN,
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
    """Make a network with random parameters (normal, standard deviation 0.02)."""
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
            rms_norm_eps=1e-5,
            rope_parameters={"rope_type": "default", "rope_theta": shape.rope_theta},
            tie_word_embeddings=False,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
            mask_token_id=tokenizer.mask_token_id,
        )
    )


def _arguments(recipe: Pretraining, state: Path) -> TrainingArguments:
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    return TrainingArguments(
        output_dir=str(state),
        per_device_train_batch_size=recipe.batch_size,
        num_train_epochs=1,
        learning_rate=recipe.learning_rate,
        lr_scheduler_type="cosine",
        warmup_steps=recipe.warmup_steps,
        weight_decay=recipe.weight_decay,
        adam_beta2=0.98,
        max_grad_norm=1.0,
        logging_steps=100,
        save_steps=1000,
        save_total_limit=1,
        seed=recipe.seed,
        use_cpu=not torch.cuda.is_available(),
        remove_unused_columns=False,
        report_to=[],
        dataloader_num_workers=0,
    )
