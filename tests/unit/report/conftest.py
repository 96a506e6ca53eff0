"""A small experiment with results of every kind, written anew for each test."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest

from weft.config import PUBLISHED_RUN, FineTuning, StoredGenerations
from weft.report.figures import make_figures
from weft.report.outputs import gradient_file, has_gradients, score_file
from weft.report.tables import make_tables

STATISTICS = {"confidence": 0.95, "num_resamples": 200, "seed": 1}
NUM_EXAMPLES = 24
RECIPE = {
    "architecture": {
        "hidden_size": 8,
        "intermediate_size": 24,
        "num_layers": 1,
        "num_heads": 1,
        "max_length": 4096,
        "rope_theta": 10000.0,
        "rms_norm_eps": 1e-5,
        "initializer_std": 0.02,
    },
    "vocab_size": 300,
    "tasks": {"sudoku": 1.0},
    "worked_share": 0.5,
    "num_examples": 8,
    "num_tokenizer_examples": 8,
    "seed": 1,
    "batch_size": 4,
    "learning_rate": 1e-3,
    "lr_scheduler": "cosine",
    "warmup_steps": 0,
    "weight_decay": 0.0,
    "adam_beta1": 0.9,
    "adam_beta2": 0.98,
    "adam_epsilon": 1e-8,
    "max_grad_norm": 1.0,
    "t_min": 1e-3,
    "max_length": 4096,
}
TRAINING = {
    "epochs": 1,
    "batch_size": 4,
    "micro_batch_size": 4,
    "learning_rate": 1e-3,
    "lr_scheduler": "linear",
    "warmup_steps": 0,
    "weight_decay": 0.1,
    "max_grad_norm": 1.0,
    "max_length": 4096,
    "t_min": 1e-3,
    "dtype": "float32",
    "lora": {"rank": 4, "alpha": 8, "dropout": 0.0, "target_modules": ["q_proj"]},
    "zero_stage": 2,
    "offload_optimizer": False,
    "gradient_checkpointing": False,
    "save_every": 20,
    "heldout_share": 0.0,
}
SAMPLING = {
    "gen_lengths": [48],
    "block_length": 16,
    "tokens_per_step": 2,
    "remasking": "low_confidence",
    "temperature": 0.0,
    "early_stop": True,
    "prefill": "",
    "dtype": "float32",
    "batch_size": 8,
}
SKILL = {"base": 0.3, "sft": 0.45, "weft": 0.6}
WORDS = ("the", "first", "second", "sum", "is", "then", "$\\frac$", "<b>", "answer", "次", "a_b", "100%")


def described(**changes):
    """Describe a small fine-tuning experiment; ``changes`` replace top-level keys."""
    generated = {"source": "generated", "num_examples": NUM_EXAMPLES, "seed": 1}
    worked = {"source": "generated", "tasks": {"sudoku": 8}, "seed": 11}
    content = {
        "name": "small",
        "kind": "fine-tuning",
        "title": "A small comparison",
        "caption": "Made-up numbers for tests & nothing else, 100_% synthetic.",
        "scoring": ["d1"],
        "statistics": STATISTICS,
        "seeds": [1, 2, 3],
        "base_model": {"source": "scratch", "use": "retrained", "recipe": RECIPE},
        "datasets": {"worked": worked},
        "methods": {"sft": {"preset": "sft"}, "weft": {"preset": "weft"}},
        "contrast": ["weft", "sft"],
        "forbid_test_questions": True,
        "training": TRAINING,
        "benchmarks": {"sudoku": generated, "gsm8k": generated},
        "sampling": SAMPLING,
    }
    return FineTuning.model_validate(content | changes)


def described_ablations(**changes):
    """Describe an experiment with several contrasts and a gradient study."""
    presets = {"sft": "sft", "weft": "weft", "cart": "sft", "weft-permuted": "weft"}
    content = {
        "name": "ablated",
        "methods": {name: {"preset": preset} for name, preset in presets.items()},
        "further_contrasts": [["cart", "sft"], ["weft-permuted", "weft"]],
        "gradient_study": {"num_examples": 4, "num_draws": 8, "seed": 1},
    }
    return described(**content | changes)


def described_paper(**changes):
    """Describe a comparison that may stand beside the paper's numbers."""
    published = {
        "source": "published",
        "file": {"url": "https://example.org/file", "sha256": "0" * 64, "offline": "file"},
        "num_examples": NUM_EXAMPLES,
        "instruction": "none",
    }
    worked = {"source": "generated", "tasks": {"sudoku": 8}, "seed": 11}
    content = {
        "name": "paper",
        "seeds": [1, 2],
        "base_model": {"source": "hub", "repo": "GSAI-ML/LLaDA-8B-Instruct", "revision": "main"},
        "datasets": {"s1k": worked, "s1k.1.1": worked},
        "benchmarks": dict.fromkeys(("sudoku", "countdown", "gsm8k", "math500"), published),
        "sampling": SAMPLING | {"gen_lengths": [256, 512]},
    }
    return described(**content | changes)


def described_stored(**changes):
    """Describe an experiment that scores d1's generations."""
    small = {
        "name": "d1-small",
        "kind": "generations",
        "title": "Published generations, scored again",
        "caption": "Made-up verdicts for tests.",
        "scoring": ["d1"],
        "statistics": STATISTICS,
        "generations": {
            "folder": "d1",
            "pattern": "{benchmark}_{gen_length}_{shard}.json",
            "model": "LLaDA-8B-Instruct",
        },
        "benchmarks": ["countdown", "sudoku"],
        "gen_lengths": [128, 256],
    }
    return StoredGenerations.model_validate(small | changes)


def write_scores(path, benchmark, skill, rng, *, rules="d1", num_examples=NUM_EXAMPLES):
    """Write scores with about the given accuracy; by d1 Sudoku has eight cells a puzzle."""
    path.parent.mkdir(parents=True, exist_ok=True)
    weight = 8 if (benchmark, rules) == ("sudoku", "d1") else 1
    with path.open("w") as file:
        for index in range(num_examples):
            credit = rng.binomial(weight, skill) / weight
            verdict = "correct" if credit == 1 else "wrong"
            record = {
                "example_id": f"q{index}",
                "benchmark": benchmark,
                "rules": rules,
                "extracted": "7",
                "verdict": verdict,
                "credit": credit,
                "weight": weight,
                "reason": "",
                "details": {"effective_length": 10 + index, "has_end": index > 0, "is_closed": index > 1},
            }
            if benchmark == "sudoku":
                record["details"] |= {
                    "num_empty_cells": 8,
                    "num_zero_cells": 8 if index == 0 else 0,
                    "num_right_cells": index % 2,
                    "num_changed_givens": 0,
                    "is_copy": index == 0,
                    "is_solved": index == 5,
                }
            file.write(json.dumps(record) + "\n")


def write_run(folder, run, rng):
    """Write history, timing and provenance of a training run."""
    folder.mkdir(parents=True)
    steps = np.arange(1, 41)
    scale = 1 if run.method == "sft" else 3
    losses = scale * (2 * np.exp(-steps / 15) + 0.6 + 0.15 * rng.standard_normal(steps.size))
    fields = {"epoch": 1.0, "learning_rate": 1e-3, "grad_norm": 1.0, "masked_share": 0.5, "mean_t": 0.5}
    entropy = None if run.method == "sft" else 1.5
    rows = [
        {"optimizer_step": int(step), "loss": float(loss)} | fields | {"mean_entropy": entropy}
        for step, loss in zip(steps, losses, strict=True)
    ]
    (folder / "history.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    seconds = (0.5 if run.method == "sft" else 0.62) + 0.01 * run.seed
    timing = {
        "seconds_per_step": seconds,
        "num_steps": 40,
        "train_seconds": 40 * seconds,
        "num_processes": 1,
        "device": "cpu",
    }
    (folder / "timing.json").write_text(json.dumps(timing))
    provenance = {
        "weft_version": "0.1.0",
        "commit": "0123456789abcdef",
        "dirty": False,
        "experiment": "small",
        "experiment_digest": "f" * 64,
        "seed": run.seed,
        "versions": {"torch": "2.13.0"},
        "device": "cpu",
        "python": "3.11.9",
        "inputs": {},
    }
    folder.with_name(f"{folder.name}.provenance.json").write_text(json.dumps(provenance))


def write_probe(path, rng, words=WORDS, num_tokens=900):
    """Write token entropies: padding is nearly certain, words differ."""
    path.parent.mkdir(parents=True, exist_ok=True)
    is_padding = rng.random(num_tokens) < 0.3
    chosen = rng.integers(len(words), size=num_tokens)
    entropy = np.where(is_padding, 0.01, 0.2 + 0.25 * chosen + 0.1 * rng.random(num_tokens))
    frame = pd.DataFrame(
        {
            "example_id": "e",
            "position": np.arange(num_tokens),
            "token": [words[index] for index in chosen],
            "word": [words[index] for index in chosen],
            "entropy": entropy,
            "is_padding": is_padding,
        }
    )
    frame.to_parquet(path, index=False)


def write_gradients(path, methods):
    """Write a gradient study in which WeFT's variance is a half of that of the others, which is 4."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = []
    for method in methods:
        variance = 2.0 if method == "weft" else 4.0
        for quintile in (5, 4, 3, 2, 1):
            share = 0.05 * quintile
            row = {"method": method, "quintile": quintile, "num_tokens": 100, "mean_entropy": 0.3 * quintile}
            row |= {"mean_rate": 0.1 * quintile, "weight_share": 0.15, "loss_share": share}
            row |= {"gradient_share": share, "gradient_share_low": share - 0.02}
            row |= {"gradient_share_high": share + 0.03, "relative_variance": variance}
            row |= {"relative_variance_low": 0.9 * variance, "relative_variance_high": 1.2 * variance}
            row |= {"gradient_norm": 1.0, "num_draws": 64, "cosine_to_sft": 1.0 if method == "sft" else -0.5}
            rows.append(row)
    pd.DataFrame(rows).to_parquet(path, index=False)


def write_results(experiment, root):
    """Write everything that the report reads."""
    rng = np.random.default_rng(0)
    for rules in experiment.scoring:
        scores_rng = np.random.default_rng(experiment.scoring.index(rules))
        for run in experiment.runs:
            for benchmark in experiment.benchmarks:
                for length in experiment.sampling.gen_lengths:
                    path = root / score_file(rules, run.run_id, benchmark, length)
                    write_scores(path, benchmark, SKILL.get(run.method, 0.5), scores_rng, rules=rules)
    for run in experiment.runs:
        if run.dataset:
            write_run(root / "runs" / run.run_id, run, rng)
    for dataset in experiment.datasets:
        write_probe(root / "probe" / f"{dataset}.parquet", rng)
        if has_gradients(experiment):
            write_gradients(root / gradient_file(dataset), experiment.methods)
    return root


def write_stored_results(experiment, root):
    """Write scores of published generations."""
    for rules in experiment.scoring:
        rng = np.random.default_rng(experiment.scoring.index(rules))
        for benchmark in experiment.benchmarks:
            for length in experiment.gen_lengths:
                path = root / score_file(rules, PUBLISHED_RUN, benchmark, length)
                write_scores(path, benchmark, 0.2, rng, rules=rules)
    return root


@pytest.fixture
def describe():
    return described


@pytest.fixture
def approximate():
    """The small experiment with two approximations, but for its name the same."""
    modes = {"kv_cache": "dual", "confidence_threshold": 0.9, "tokens_per_step": None}
    return described(sampling=SAMPLING | modes)


@pytest.fixture
def describe_ablations():
    return described_ablations


@pytest.fixture
def ablations():
    return described_ablations()


@pytest.fixture(scope="session")
def finished_ablations(tmp_path_factory):
    """Results and tables of the ablations, made once; tests get copies."""
    folder, experiment = tmp_path_factory.mktemp("finished") / "ablated", described_ablations()
    write_results(experiment, folder)
    make_tables(experiment, folder, folder / "tables")
    return folder


@pytest.fixture
def ablated(finished_ablations, tmp_path):
    """Results of the ablations, with tables."""
    return shutil.copytree(finished_ablations, tmp_path / "ablated")


@pytest.fixture
def describe_paper():
    return described_paper


@pytest.fixture
def write():
    """Write all results of a fine-tuning experiment below a folder."""
    return write_results


@pytest.fixture
def experiment():
    return described()


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """Results, tables and figures, made once; tests get copies."""
    folder, experiment = tmp_path_factory.mktemp("finished") / "small", described()
    write_results(experiment, folder)
    make_tables(experiment, folder, folder / "tables")
    make_figures(experiment, folder, folder / "tables", folder / "figures")
    return folder


@pytest.fixture
def root(finished, tmp_path):
    """Results only."""
    return shutil.copytree(finished, tmp_path / "small", ignore=shutil.ignore_patterns("tables", "figures"))


@pytest.fixture
def tables(finished, root):
    return shutil.copytree(finished / "tables", root / "tables")


@pytest.fixture
def figures(finished, root):
    return shutil.copytree(finished / "figures", root / "figures")


@pytest.fixture
def write_stored():
    """Write the scores of published generations below a folder."""
    return write_stored_results


@pytest.fixture
def describe_stored():
    return described_stored


@pytest.fixture
def stored():
    return described_stored()


@pytest.fixture
def stored_root(stored, tmp_path):
    return write_stored_results(stored, tmp_path / "d1-small")


@pytest.fixture
def stored_tables(stored, stored_root):
    make_tables(stored, stored_root, stored_root / "tables")
    return stored_root / "tables"
