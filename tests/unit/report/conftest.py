"""Small experiments with results of every kind; each is written and loaded once."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from weft.config import BASE_RUN, FineTuning, StoredGenerations
from weft.layout import ResultLayout, provenance_file
from weft.records import LengthSummary
from weft.report.answer_files import answer_source
from weft.report.results import load_results
from weft.report.score_files import ScoreColumns
from weft.report.tables import compute_tables

PAPER = Path(__file__).parents[3] / "experiments/paper.yaml"
SVG = b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" width="576pt" height="288pt"></svg>'
"""A figure of 8 inches."""
CONTRAST = {
    "dataset": "worked",
    "benchmark": "average",
    "gen_length": 48,
    "rules": "d1",
    "treatment": "weft",
    "control": "sft",
    "num_seeds_treatment": 3,
    "num_seeds_control": 3,
    "difference": 0.008,
    "ci_low": -0.012,
    "ci_high": 0.029,
    "p_value": 0.412,
    "p_holm": 0.412,
    "minimum_detectable_difference": 0.0292,
    "conclusion": "not distinguishable from zero",
}
"""A row of the table of contrasts."""
STATISTICS = {"confidence": 0.95}
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
    "num_tokenizer_texts": 8,
    "phases": [
        {
            "max_length": 4096,
            "random_lengths": False,
            "num_steps": 2,
            "muon_learning_rate": 1e-3,
            "adam_learning_rate": 1e-3,
            "warmup_steps": 0,
            "decay_steps": 1,
        }
    ],
    "parts": {"steps": 1.0},
    "single_mask_share": 0.5,
    "batch_size": 4,
    "seed": 1,
    "adam_beta1": 0.9,
    "adam_beta2": 0.98,
    "muon_momentum": 0.95,
    "weight_decay": 0.0,
    "max_grad_norm": 1.0,
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
WORKED = {"source": "generated", "tasks": {"sudoku": 8}, "seed": 11}
SKILL = {"base": 0.3, "sft": 0.45, "weft": 0.6}
WORDS = ("the", "first", "second", "sum", "is", "then", "$\\frac$", "<b>", "answer", "次", "a_b", "100%")


def described(**changes):
    """Describe a small fine-tuning experiment; ``changes`` replace top-level keys."""
    generated = {"source": "generated", "num_examples": NUM_EXAMPLES, "seed": 1}
    content = {
        "name": "small",
        "kind": "fine-tuning",
        "title": "A small comparison",
        "caption": "Made-up numbers for tests & nothing else, 100_% synthetic.",
        "scoring": ["d1"],
        "statistics": STATISTICS,
        "seeds": [1, 2, 3],
        "base_model": {"source": "scratch", "use": "retrained", "recipe": RECIPE},
        "datasets": {"worked": WORKED},
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
        "learning_curve": {"num_points": 3, "spacing": "linear", "num_examples": 10, "seed": 1},
    }
    return described(**content | changes)


def described_paper(**changes):
    """Describe a comparison that may stand beside the paper's numbers."""
    paper = yaml.safe_load(PAPER.read_text(encoding="utf-8"))
    benchmarks = {
        name: source | {"num_examples": NUM_EXAMPLES} for name, source in paper["benchmarks"].items()
    }
    content = {
        "name": "paper",
        "seeds": [1, 2],
        "base_model": {"source": "hub", "repo": "GSAI-ML/LLaDA-8B-Instruct", "revision": "main"},
        "datasets": {name: paper["datasets"][name] for name in ("s1k", "s1k.1.1")},
        "methods": paper["methods"],
        "benchmarks": benchmarks,
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


SUMMARY = dict.fromkeys(LengthSummary.model_fields, 8) | {
    "num_examples": 1536,
    "mean_length": 5.5,
    "median_length": 5.0,
    "p95_length": 8.0,
    "mean_prompt_length": 2.0,
    "median_prompt_length": 2.0,
    "share_tokens_cut": 0.0,
    "share_cut_off": 0.0313,
    "share_end_of_turn_cut_off": 0.0,
    "share_answer_tag_cut_off": None,
    "layout": "exact",
    "num_too_long": None,
    "too_long_places": (),
}


def write_lines(path, records):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(record) + "\n" for record in records))


def write_scores(path, benchmark, skill, rng, *, scoring="d1", num_examples=NUM_EXAMPLES):
    """Write scores with about the given accuracy; by d1 Sudoku has eight cells per puzzle."""
    weight = 8 if (benchmark, scoring) == ("sudoku", "d1") else 1
    records = []
    for index in range(num_examples):
        credit = float(rng.binomial(weight, skill) / weight)
        details = {"effective_length": 10 + index, "has_end": index > 0, "is_closed": index > 1}
        if benchmark == "sudoku":
            details |= {
                "num_empty_cells": 8,
                "num_zero_cells": 8 if index == 0 else 0,
                "num_right_cells": index % 2,
                "is_copy": index == 0,
                "is_solved": index == 5,
            }
        records.append(
            {
                "example_id": f"q{index}",
                "benchmark": benchmark,
                "rules": scoring,
                "extracted": "7",
                "verdict": "correct" if credit == 1 else "wrong",
                "credit": credit,
                "weight": weight,
                "reason": "",
                "details": details,
            }
        )
    write_lines(path, records)


def write_samples(path, benchmark):
    fields = {"benchmark": benchmark, "reference": "7"}
    records = [
        {"example_id": f"q{i}", "question": f"Q{i}", "generation": f"G{i}"} for i in range(NUM_EXAMPLES)
    ]
    write_lines(path, [record | fields for record in records])


def write_run(layout, run, rng, *, experiment):
    """Write log, timing and provenance of a training run."""
    steps = np.arange(1, 41)
    scale = 1 if run.method == "sft" else 3
    losses = scale * (2 * np.exp(-steps / 15) + 0.6 + 0.15 * rng.standard_normal(steps.size))
    write_lines(
        layout.history(run.run_id),
        [
            {"optimizer_step": int(step), "loss": float(loss), "epoch": 1.0, "learning_rate": 1e-3}
            for step, loss in zip(steps, losses, strict=True)
        ],
    )
    seconds = (0.5 if run.method == "sft" else 0.62) + 0.01 * run.seed
    timing = {"seconds_per_step": seconds, "num_steps": 40, "train_seconds": 40 * seconds}
    write_lines(layout.timing(run.run_id), [timing | {"num_processes": 1, "device": "cpu"}])
    provenance = {
        "weft_version": "0.1.0",
        "commit": "0123456789abcdef",
        "dirty": False,
        "source_digest": "a" * 16,
        "experiment": experiment,
        "experiment_digest": "f" * 64,
        "seed": run.seed,
        "versions": {"torch": "2.13.0"},
        "python": "3.11.9",
        "machine": "x86_64",
        "device": "cpu",
        "inputs": {},
        "sha256": "0" * 64,
    }
    write_lines(provenance_file(layout.run(run.run_id)), [provenance])


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
            "token": [f" {words[index]}" for index in chosen],
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
            cosine = 1.0 if method == "sft" else -0.5
            row |= {"cosine_to_sft": cosine, "cosine_to_sft_low": cosine - 0.2}
            row |= {"cosine_to_sft_high": cosine + 0.1, "gradient_norm": 1.0, "num_draws": 64}
            rows.append(row)
    pd.DataFrame(rows).to_parquet(path, index=False)


def write_curve(layout, experiment, run):
    """Write a learning curve in which every method gains a tenth between two points, from 0.4 of the base."""
    skill = SKILL.get(run.method, 0.5) + (run.seed or 0) / 100
    steps = range(0, 1) if run.run_id == BASE_RUN else range(1, 4)
    points = [
        {"benchmark": name, "gen_length": 48, "optimizer_step": 10 * i, "num_questions": 10}
        | {"accuracy": (0.1 if name == "gsm8k" else 0) + (skill + (i - 1) / 10 if i else 0.4)}
        for i in steps
        for name in experiment.curve_benchmarks
    ]
    write_lines(layout.curve(run.run_id), points)


def write_results(experiment, root):
    """Write everything that the report reads of a fine-tuning; return the layout."""
    layout = ResultLayout(root)
    rng = np.random.default_rng(0)
    for index, scoring in enumerate(experiment.scoring):
        scores_rng = np.random.default_rng(index)
        for run in experiment.runs:
            for benchmark in experiment.benchmark_names:
                for length in experiment.gen_lengths:
                    path = layout.scores(scoring, run.run_id, benchmark, length)
                    is_custom = benchmark in experiment.custom_benchmarks
                    chosen_rng = np.random.default_rng(run.seed or 0) if is_custom else scores_rng
                    shown = "custom" if is_custom else scoring
                    write_scores(path, benchmark, SKILL.get(run.method, 0.5), chosen_rng, scoring=shown)
    for run in experiment.runs if experiment.curve_benchmarks else []:
        write_curve(layout, experiment, run)
    for run in experiment.trained_runs:
        write_run(layout, run, rng, experiment=experiment.name)
    for run in experiment.runs:
        for benchmark in experiment.benchmark_names:
            for length in experiment.gen_lengths:
                write_samples(layout.samples(run.run_id, benchmark, length), benchmark)
    for dataset in experiment.dataset_names:
        write_probe(layout.probe(dataset), rng)
        if experiment.gradient_study is not None:
            write_gradients(layout.gradients(dataset), experiment.methods)
    return layout


def write_stored_results(experiment, root):
    """Write scores of published generations; return the layout."""
    layout = ResultLayout(root)
    for index, scoring in enumerate(experiment.scoring):
        rng = np.random.default_rng(index)
        for benchmark in experiment.benchmark_names:
            for length in experiment.gen_lengths:
                path = layout.scores(scoring, experiment.run_ids[0], benchmark, length)
                write_scores(path, benchmark, 0.2, rng, scoring=scoring)
    return layout


def written(experiment, root):
    """Write results of any experiment; return the layout."""
    write = write_stored_results if isinstance(experiment, StoredGenerations) else write_results
    return write(experiment, root)


@pytest.fixture
def write():
    """Write all results of an experiment below a folder and return the layout."""
    return written


@pytest.fixture
def load(tmp_path):
    """Write and load the results of an experiment."""
    return lambda experiment: load_results(experiment, written(experiment, tmp_path / experiment.name))


@pytest.fixture
def compute(load):
    """Write and load the results of an experiment, and compute its tables."""

    def compute(experiment):
        results = load(experiment)
        return results, compute_tables(experiment, results)

    return compute


@pytest.fixture
def read_answers():
    """Return a function that reads the answers of an experiment's runs from a results folder."""
    return lambda layout: answer_source(lambda run, name, length: [layout.samples(run.run_id, name, length)])


@pytest.fixture
def describe():
    return described


@pytest.fixture
def describe_ablations():
    return described_ablations


@pytest.fixture
def describe_paper():
    return described_paper


@pytest.fixture
def describe_stored():
    return described_stored


@pytest.fixture
def approximate():
    """The small experiment with two approximations."""
    modes = {"kv_cache": "dual", "confidence_threshold": 0.9, "tokens_per_step": None}
    return described(sampling=SAMPLING | modes)


@pytest.fixture
def summary():
    return LengthSummary.model_validate(SUMMARY)


def once(experiment, tmp_path_factory):
    results = load_results(experiment, written(experiment, tmp_path_factory.mktemp(experiment.name)))
    return experiment, results, compute_tables(experiment, results)


@pytest.fixture(scope="session")
def small(tmp_path_factory):
    return once(described(), tmp_path_factory)


@pytest.fixture
def experiment(small):
    return small[0]


@pytest.fixture
def results(small):
    return small[1]


@pytest.fixture
def tables(small):
    return small[2]


@pytest.fixture(scope="session")
def several(tmp_path_factory):
    return once(described_ablations(), tmp_path_factory)


@pytest.fixture
def ablations(several):
    return several[0]


@pytest.fixture
def ablated(several):
    """Results of the ablations."""
    return several[1]


@pytest.fixture
def ablated_tables(several):
    return several[2]


@pytest.fixture(scope="session")
def published(tmp_path_factory):
    return once(described_stored(), tmp_path_factory)


@pytest.fixture
def stored(published):
    return published[0]


@pytest.fixture
def stored_results(published):
    return published[1]


@pytest.fixture
def stored_tables(published):
    return published[2]


@pytest.fixture(scope="session")
def three_sets(tmp_path_factory):
    names = ("worked", "checked", "large")
    return once(described(name="three", datasets=dict.fromkeys(names, WORKED)), tmp_path_factory)


@pytest.fixture(scope="session")
def of_paper(tmp_path_factory):
    """The paper's comparison with made-up results, and its table."""
    experiment, _, tables = once(described_paper(), tmp_path_factory)
    return experiment, tables


@pytest.fixture
def with_scores(tmp_path):
    """Return a score file with other scores, which are written below a folder."""

    def change(file, scores):
        name = f"{file.scoring}-{file.run.run_id}-{file.benchmark}-{file.gen_length}.jsonl"
        path = tmp_path / "scores" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(score.as_line() for score in scores))
        return replace(file, path=path, columns=ScoreColumns.of(scores))

    return change
