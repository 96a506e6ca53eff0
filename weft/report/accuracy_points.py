"""The numbers that the accuracy figures show."""

from dataclasses import dataclass
from typing import Any

import pandas as pd

from weft.config import Experiment
from weft.report.labels import method_label
from weft.report.results import Results
from weft.report.tables import compute_tables
from weft.stats import AVERAGE


@dataclass(frozen=True)
class AccuracyPoints:
    """The points of the accuracy figures, as fractions.

    For stored generations, scorings take the place of methods.
    """

    means: pd.DataFrame
    """Columns method, dataset, benchmark, gen_length, mean, ci_low and ci_high."""
    dots: pd.DataFrame
    """Columns method, dataset, benchmark, gen_length and accuracy of single runs or published numbers."""

    def names(self, column: str) -> list[Any]:
        """Return the distinct values of a column of the means, in order of appearance."""
        return [name for name in dict.fromkeys(self.means[column]) if name is not None]

    def panel(self, dataset: str | None, length: int) -> "AccuracyPoints":
        """Return the points of a data set and length; untrained models belong to all data sets."""
        means, dots = (
            frame[(frame["dataset"].isna() | (frame["dataset"] == dataset)) & (frame["gen_length"] == length)]
            for frame in (self.means, self.dots)
        )
        return AccuracyPoints(means, dots)


def collect_points(experiment: Experiment, results: Results) -> AccuracyPoints:
    """Return the points of an experiment by the first scoring, or, for stored generations, by all."""
    return (_points if experiment.is_sampled else _stored_points)(experiment, results)


def series_label(experiment: Experiment, method: str) -> str:
    """Return the name of a method, or of a scoring of stored generations, in a legend."""
    return method_label(method) if experiment.is_sampled else f"{method} scoring"


def _points(experiment: Experiment, results: Results) -> AccuracyPoints:
    """Return the means of the methods and the single runs by the first scoring, including averages."""
    tables = compute_tables(experiment, results, ["methods", "scores"])
    methods, scores = (frame[frame["rules"] == experiment.scoring[0]] for frame in tables.values())
    trained = scores[scores["dataset"].notna()]
    if AVERAGE in set(methods["benchmark"]):
        keys = ["method", "dataset", "run", "gen_length"]
        averages = (
            trained.groupby([*keys, "seed"], as_index=False)["accuracy"].mean().assign(benchmark=AVERAGE)
        )
        trained = pd.concat([trained, averages], ignore_index=True)
    has_seeds = trained["seed"].nunique() > 1  # with a single one, the dot of the run is its mean
    return AccuracyPoints(methods, trained if has_seeds else trained.iloc[:0])


def _stored_points(experiment: Experiment, results: Results) -> AccuracyPoints:
    """Return the accuracies by all scorings, and the published accuracies with the first scoring."""
    scores = compute_tables(experiment, results, ["scores"])["scores"]
    scores = scores.assign(method=scores["rules"], mean=scores["accuracy"])
    known = scores[scores["published_accuracy"].notna() & (scores["rules"] == experiment.scoring[0])]
    return AccuracyPoints(scores, known.assign(accuracy=known["published_accuracy"]))
