"""Accuracies published by WeFT and d1, read from ``published.csv``.

The generation length ``mixed`` denotes the average in Table 1 of the WeFT paper. We infer that this is the
average over the lengths in `TABLE_1_LENGTHS`, because no other choice of a length for each benchmark gives
both of the averages that the paper takes from d1. The paper does not state the lengths.
"""

from functools import cache
from importlib import resources

import pandas as pd

from weft.config import Experiment, FineTuning
from weft.report import counterparts
from weft.report.counterparts import TABLE_1_LENGTHS
from weft.stats import AVERAGE

MIXED = "mixed"
NUM_QUESTIONS = {"sudoku": 256, "countdown": 256, "gsm8k": 1319, "math500": 500}
"""Benchmark -> number of questions behind a published accuracy, from the evaluation code of d1."""
WEFT_PAPER, D1 = "WeFT v1", "d1"
PAPER_MODEL = "LLaDA-8B-Instruct"
"""Base model of the paper."""
SUFFIXES = {"base": "", "sft": " + SFT", "weft": " + WeFT"}
"""Method -> text that follows the name of the base model in published.csv."""

Place = tuple[str | None, str, int | str]
"""Training set (None if the model is not fine-tuned), benchmark and generation length of a cell."""


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


class PublishedNumbers:
    """The published accuracies of the cells of an experiment; see `weft.report.counterparts`."""

    def __init__(self, experiment: Experiment) -> None:
        table = load_published()
        keys = zip(*(table[name] for name in KEYS), strict=True)
        fractions = (table["accuracy_percent"] / 100).tolist()
        self._accuracies: dict[tuple[str, ...], float] = dict(zip(keys, fractions, strict=True))
        self._experiment = experiment

    def accuracy(self, source: str, method: str, place: Place) -> float:
        """Look up a published accuracy.

        Args:
            source: `WEFT_PAPER` or `D1`.
            method: a method of the experiment, or the model that made stored generations.
            place: the cell, by the names of the experiment.

        Returns:
            The accuracy, from 0 to 1; NaN if it is not known. The averages of d1, which it does not print,
            are those of its accuracies on the four benchmarks.
        """
        dataset, benchmark, length = place
        model, published_dataset = self._find_model(method), self._find_dataset(dataset)
        if model is None or published_dataset is None:
            return float("nan")
        if benchmark == AVERAGE and not counterparts.has_all_benchmarks(self._experiment):
            return float("nan")
        if benchmark == AVERAGE and source == D1:
            lengths = TABLE_1_LENGTHS if length == MIXED else dict.fromkeys(TABLE_1_LENGTHS, length)
            cells = [(source, model, published_dataset, name, str(x)) for name, x in lengths.items()]
            return sum(self._accuracies.get(cell, float("nan")) for cell in cells) / len(cells)
        name = benchmark
        if benchmark != AVERAGE:
            name = counterparts.published_benchmark(self._experiment, benchmark) or ""
        return self._accuracies.get((source, model, published_dataset, name, str(length)), float("nan"))

    def _find_model(self, method: str) -> str | None:
        base = counterparts.published_model(self._experiment, method)
        if base is None or not isinstance(self._experiment, FineTuning):
            return base
        published = counterparts.published_method(self._experiment, method)
        return None if published is None else base + SUFFIXES[published]

    def _find_dataset(self, dataset: str | None) -> str | None:
        if dataset is None:
            return ""
        assert isinstance(self._experiment, FineTuning), "only a fine-tuning has training sets"
        return counterparts.published_dataset(self._experiment, dataset)


@cache
def published_effects() -> tuple[float, float]:
    """Return the smallest and largest difference of averages in the paper, WeFT minus SFT, as fractions."""
    averages = _load_averages()
    effects = (averages["weft"] - averages["sft"]).dropna()
    return float(effects.min()), float(effects.max())


def paper_averages(dataset: str) -> list[float]:
    """Return the averages of the paper for its base model, SFT and WeFT on a data set, as fractions."""
    averages = _load_averages()
    places = (("", "base"), (dataset, "sft"), (dataset, "weft"))
    return [float(averages[method].loc[name]) for name, method in places]


def _load_averages() -> pd.DataFrame:
    """Return the averages of the paper, with a row per data set and a column per method."""
    table = load_published()
    averages = table[(table["source"] == WEFT_PAPER) & (table["benchmark"] == AVERAGE)]
    by_model = averages.pivot(index="dataset", columns="model", values="accuracy_percent") / 100
    return by_model.rename(columns={PAPER_MODEL + suffix: name for name, suffix in SUFFIXES.items()})


KEYS = ("source", "model", "dataset", "benchmark", "gen_length")
"""Columns of published.csv that identify a number."""
