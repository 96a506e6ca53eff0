"""The published numbers, read from published.csv.

A length of ``mixed`` stands for the paper's average, which can only be made of one length per
benchmark (`TABLE_1_LENGTHS`): no other choice of d1's lengths gives both of its averages that are
copied from d1.  It is an inference, not something the paper says.
"""

from importlib import resources

import pandas as pd

from weft.report.outputs import PAPER_MODEL
from weft.stats import AVERAGE

MIXED = "mixed"
TABLE_1_LENGTHS = {"sudoku": 512, "countdown": 512, "gsm8k": 256, "math500": 256}
"""Benchmark -> generation length, in tokens, of the paper's Table 1; inferred."""
NUM_QUESTIONS = {"sudoku": 256, "countdown": 256, "gsm8k": 1319, "math500": 500}
"""Benchmark -> questions behind a published accuracy (d1's evaluation code)."""
WEFT_PAPER, D1 = "WeFT v1", "d1"
SUFFIXES = {"base": "", "sft": " + SFT", "weft": " + WeFT"}
"""Our method's name -> what is behind the base model's name in published.csv."""


def load_published() -> pd.DataFrame:
    """Read the published accuracies.

    Returns:
        A row per number: source, model, dataset, benchmark, gen_length, accuracy_percent, note; all
        text except accuracy_percent; an empty dataset means that the model was not fine-tuned on one.
    """
    with resources.files("weft.report").joinpath("published.csv").open(encoding="utf-8") as file:
        table = pd.read_csv(file, dtype=str, keep_default_na=False)
    table["accuracy_percent"] = table["accuracy_percent"].astype(float)
    return table


def find_published(
    table: pd.DataFrame,
    source: str,
    *,
    model: str,
    dataset: str | None,
    benchmark: str,
    gen_length: int | str,
) -> float | None:
    """Look up a published accuracy, in percent; None where it is not known."""
    wanted = {
        "source": source,
        "model": model,
        "dataset": dataset or "",
        "benchmark": benchmark,
        "gen_length": str(gen_length),
    }
    rows = table
    for column, value in wanted.items():
        rows = rows[rows[column] == value]
    return None if rows.empty else float(rows["accuracy_percent"].iloc[0])


def published_model(method: str) -> str | None:
    """Name the published model that one of our methods stands for; None if it stands for none."""
    return None if method not in SUFFIXES else f"{PAPER_MODEL}{SUFFIXES[method]}"


def mixed_averages(scores: pd.DataFrame) -> pd.DataFrame:
    """Average the benchmarks at the lengths of the paper's Table 1.

    Args:
        scores: the scores table.

    Returns:
        A row per method and data set: method, dataset, benchmark, gen_length, num_seeds, mean and sd
        over seeds (fractions); no rows if a cell is missing.
    """
    columns = ["method", "dataset", "benchmark", "gen_length", "num_seeds", "mean", "sd"]
    lengths = scores["benchmark"].map(TABLE_1_LENGTHS)
    chosen = scores[scores["gen_length"] == lengths]
    if set(chosen["benchmark"]) != set(TABLE_1_LENGTHS) or set(scores["benchmark"]) != set(TABLE_1_LENGTHS):
        return pd.DataFrame(columns=columns)
    keys = ["method", "dataset"]
    per_run = chosen.groupby([*keys, "run"], dropna=False, sort=False)["accuracy"].mean()
    summary = per_run.groupby(keys, dropna=False, sort=False).agg(num_seeds="size", mean="mean", sd="std")
    table = summary.reset_index().assign(benchmark=AVERAGE, gen_length=MIXED)[columns]
    table["dataset"] = table["dataset"].astype(object).where(table["dataset"].notna(), None)
    return table
