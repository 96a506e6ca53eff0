"""Accuracies published by WeFT and d1, read from ``published.csv``.

The generation length ``mixed`` denotes the average in Table 1 of the WeFT paper. We infer that this is the
average over the lengths in `TABLE_1_LENGTHS`, because no other choice of a length for each benchmark gives
both of the averages that the paper takes from d1. The paper does not state the lengths.
"""

from collections.abc import Mapping
from importlib import resources
from typing import Any

import pandas as pd

from weft.report.outputs import PAPER_MODEL
from weft.stats import AVERAGE

MIXED = "mixed"
TABLE_1_LENGTHS = {"sudoku": 512, "countdown": 512, "gsm8k": 256, "math500": 256}
"""Benchmark -> inferred generation length, in tokens, in Table 1 of the paper."""
NUM_QUESTIONS = {"sudoku": 256, "countdown": 256, "gsm8k": 1319, "math500": 500}
"""Benchmark -> number of questions behind a published accuracy, from the evaluation code of d1."""
WEFT_PAPER, D1 = "WeFT v1", "d1"
SUFFIXES = {"base": "", "sft": " + SFT", "weft": " + WeFT"}
"""Method -> text that follows the name of the base model in published.csv."""


def load_published() -> pd.DataFrame:
    """Load the published accuracies.

    Returns:
        One row per number with source, model, dataset, benchmark, gen_length, accuracy_percent and note.
        All columns but accuracy_percent are text. The data set is empty for a model that is not
        fine-tuned on a data set of the experiments.
    """
    with resources.files("weft.report").joinpath("published.csv").open(encoding="utf-8") as file:
        table = pd.read_csv(file, dtype=str, keep_default_na=False)
    table["accuracy_percent"] = table["accuracy_percent"].astype(float)
    return table


def published_accuracy(table: pd.DataFrame, source: str, model: str | None, row: Mapping[Any, Any]) -> float:
    """Look up a published accuracy.

    Args:
        table: the published accuracies.
        source: `WEFT_PAPER` or `D1`.
        model: name of the model; None for a model without published numbers.
        row: dataset (None if the model is not fine-tuned), benchmark and gen_length.

    Returns:
        The accuracy, from 0 to 1; NaN if it is not known.
    """
    wanted = {
        "source": source,
        "model": model,
        "dataset": row["dataset"] or "",
        "benchmark": row["benchmark"],
        "gen_length": str(row["gen_length"]),
    }
    rows = table
    for column, value in wanted.items():
        rows = rows[rows[column] == value]
    return float("nan") if rows.empty else float(rows["accuracy_percent"].iloc[0]) / 100


def published_effects() -> tuple[float, float]:
    """Return the smallest and largest difference of averages in the paper, WeFT minus SFT, as fractions."""
    table = load_published()
    averages = table[(table["source"] == WEFT_PAPER) & (table["benchmark"] == AVERAGE)]
    by_model = averages.pivot(index="dataset", columns="model", values="accuracy_percent")
    effects = (by_model[published_model("weft")] - by_model[published_model("sft")]).dropna() / 100
    return float(effects.min()), float(effects.max())


def published_model(method: str) -> str | None:
    """Return the name of the published model that a method reproduces; None if there is no such model."""
    return None if method not in SUFFIXES else f"{PAPER_MODEL}{SUFFIXES[method]}"
