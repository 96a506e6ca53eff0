"""Sentences about answers on which a scorer has no verdict.

Such answers count as not correct. If this is true of all answers of a run to a benchmark, the accuracy of the
run says nothing about the model, and `weft.stats` tests no difference that depends on it.
"""

from collections.abc import Iterator

import pandas as pd

from weft.config import Experiment
from weft.report.labels import benchmark_name, unscorable_text
from weft.report.tables import Tables

MOST_RUNS = 5
"""Largest number of runs that are listed by name."""


def is_without_verdict(scores: pd.DataFrame) -> bool:
    """Return True if the scorers have no verdict on any answer."""
    return bool((scores["num_unscorable"] == scores["n"]).all())


def list_failed(experiment: Experiment, scores: pd.DataFrame) -> list[str]:
    """Return the runs without any verdict on a benchmark, as texts that name run and benchmarks.

    Args:
        experiment: the experiment.
        scores: the table of scores, or a part of it.

    Returns:
        Texts such as "weft-worked-seed2 to GSM8K".
    """
    failed = scores[scores["num_unscorable"] == scores["n"]]
    return [
        f"{run} to {', '.join(benchmark_name(experiment, name) for name in rows['benchmark'].unique())}"
        for run, rows in failed.groupby("run", sort=False)
    ]


def join_failed(failed: list[str]) -> str:
    """Join the texts of `list_failed`, with the number of those beyond the first `MOST_RUNS`."""
    further = [f"{len(failed) - MOST_RUNS} other runs"] if len(failed) > MOST_RUNS else []
    return "; ".join([*failed[:MOST_RUNS], *further])


def describe_unscorable(experiment: Experiment, tables: Tables) -> Iterator[str]:
    """Yield a warning for each scoring that has no verdict on some of the answers.

    Args:
        experiment: the experiment.
        tables: its tables.

    Yields:
        Sentences, beginning with those about whole runs.
    """
    parts = {
        f" under {scoring} scoring" if len(experiment.scoring) > 1 else "": tables["scores"][
            tables["scores"]["rules"] == scoring
        ]
        for scoring in experiment.scoring
    }
    for by, scores in parts.items():
        failed = list_failed(experiment, scores)
        if failed:
            yield (
                f"No answer of these runs could be scored{by}: {join_failed(failed)}. Their answers count "
                "as not correct, so that the accuracies of these runs say nothing, and comparisons with them "
                "are not tested. The score files give the reasons."
            )
    for by, scores in parts.items():
        num_unscorable, num_answers = int(scores["num_unscorable"].sum()), int(scores["n"].sum())
        if num_unscorable:
            verb = "counts" if num_unscorable == 1 else "count"
            count = unscorable_text(num_unscorable, int(scores["num_timed_out"].sum()))
            yield (f"Of {num_answers:,} answers, {count} could not be scored{by} and {verb} as not correct.")
