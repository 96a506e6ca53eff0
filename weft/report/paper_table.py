"""The table of an experiment in the form of the paper's Table 1: accuracies, gain and relative gain.

The rows are grouped by training set, and by length if there are several. Published accuracies have rows of
their own below the measured ones.
"""

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import pandas as pd

from weft.config import BASE_RUN, Experiment, FineTuning
from weft.report.counterparts import TABLE_1_LENGTHS, has_paper_lengths
from weft.report.labels import benchmark_label, method_label, percent, percent_spread
from weft.report.published_numbers import D1, MIXED, WEFT_PAPER, PublishedNumbers
from weft.stats import AVERAGE

MEASURED, PUBLISHED = "measured", "published"
"""Values of the column ``source``."""
GAINS = ("gain", "relative_gain", "relative_gain_low", "relative_gain_high")


class Group(NamedTuple):
    """A group of rows: the models of a training set and a length, or of the lengths of the paper.

    ``lengths`` maps each benchmark to its length.
    """

    dataset: str
    gen_length: int | str
    lengths: Mapping[str, int]


def paper_groups(experiment: FineTuning) -> list[Group]:
    """Return the groups of rows; with the lengths of the paper, there is one for each training set."""
    if has_paper_lengths(experiment):
        places: list[tuple[int | str, Mapping[str, int]]] = [(MIXED, TABLE_1_LENGTHS)]
    else:
        places = [
            (length, dict.fromkeys(experiment.benchmark_names, length)) for length in experiment.gen_lengths
        ]
    return [Group(dataset, *place) for dataset in experiment.dataset_names for place in places]


def compute_paper_table(experiment: FineTuning, methods: pd.DataFrame, gains: pd.DataFrame) -> pd.DataFrame:
    """Collect the accuracies and gains of all methods, and the published ones where there are any.

    Args:
        experiment: the experiment.
        methods: the accuracies of base model and methods by the first scoring, see `weft.stats.Aggregate`.
        gains: the gains, see `weft.report.gains.compute_gains`.

    Returns:
        A table with a row per group, method and source, which is ``measured`` or ``published``. For each
        benchmark B, and for the average if there are several, accuracy_B and sd_B are mean and standard
        deviation over training seeds, as fractions. gain, relative_gain and the interval of the latter are
        those of the average, or of the only benchmark. Unknown numbers are NaN.
    """
    return _PaperTable(experiment, methods, gains).compute()


@dataclass(frozen=True)
class _PaperTable:
    experiment: FineTuning
    methods: pd.DataFrame
    gains: pd.DataFrame

    def compute(self) -> pd.DataFrame:
        names = accuracy_names(self.experiment)
        columns = ["dataset", "gen_length", "method", "source", "num_seeds"]
        columns += [f"{kind}_{name}" for name in names for kind in ("accuracy", "sd")]
        return pd.DataFrame(list(self._rows()), columns=[*columns, *GAINS])

    def _rows(self) -> Iterator[dict[str, object]]:
        published = PublishedNumbers(self.experiment)
        for group in paper_groups(self.experiment):
            for method in (BASE_RUN, *self.experiment.methods):
                identity: dict[str, object] = {"dataset": group.dataset, "gen_length": group.gen_length}
                identity["method"] = method
                yield identity | self._measured(group, method)
                numbers = self._published(published, group, method)
                if pd.Series(numbers).notna().any():
                    yield identity | {"source": PUBLISHED} | numbers

    def _measured(self, group: Group, method: str) -> dict[str, object]:
        row: dict[str, object] = {"source": MEASURED}
        for name in accuracy_names(self.experiment):
            length = group.lengths.get(name, group.gen_length)
            cell = self._cell(method, group.dataset, name, length)
            row |= {f"accuracy_{name}": cell["mean"], f"sd_{name}": cell["sd"]}
            row["num_seeds"] = cell["num_seeds"]
        if method != BASE_RUN:
            gains = self.gains
            is_here = (gains["method"] == method) & (gains["dataset"] == group.dataset)
            of_method = gains[is_here & (gains["gen_length"] == group.gen_length)].iloc[0]
            row |= {name: of_method[name] for name in GAINS}
        return row

    def _cell(self, method: str, dataset: str, benchmark: str, length: int | str) -> pd.Series:
        frame = self.methods
        of_model = frame["dataset"].isna() if method == BASE_RUN else frame["dataset"] == dataset
        is_here = of_model & (frame["method"] == method) & (frame["benchmark"] == benchmark)
        return frame[is_here & (frame["gen_length"] == length)].iloc[0]

    def _published(self, published: PublishedNumbers, group: Group, method: str) -> dict[str, object]:
        """Return the numbers of the paper or, where it has none, of d1; gains only from the averages."""

        def find(name: str, of_method: str) -> float:
            dataset = None if of_method == BASE_RUN else group.dataset
            place = dataset, name, group.lengths.get(name, group.gen_length)
            known = (published.accuracy(source, of_method, place) for source in (WEFT_PAPER, D1))
            return next((accuracy for accuracy in known if pd.notna(accuracy)), float("nan"))

        names = accuracy_names(self.experiment)
        numbers: dict[str, object] = {f"accuracy_{name}": find(name, method) for name in names}
        control = self.experiment.gain_control
        if method != BASE_RUN and AVERAGE in names:
            numbers["gain"] = gain = find(AVERAGE, method) - find(AVERAGE, BASE_RUN)
            if control is not None and method != control:
                control_gain = find(AVERAGE, control) - find(AVERAGE, BASE_RUN)
                numbers["relative_gain"] = gain / control_gain - 1
        return numbers


def accuracy_names(experiment: FineTuning) -> list[str]:
    """Return the benchmarks, followed by the average if there are several."""
    names = list(experiment.benchmark_names)
    return [*names, AVERAGE] if len(names) > 1 else names


def paper_cells(experiment: Experiment, frame: pd.DataFrame) -> dict[str, pd.Series | list[str]]:
    """Return the table as text: heading -> cells; constant columns are left out."""
    assert isinstance(experiment, FineTuning), "only a fine-tuning has this table"
    rows = frame.to_dict("records")
    cells: dict[str, pd.Series | list[str]] = {}
    if frame["dataset"].nunique() > 1:
        cells["training set"] = [str(row["dataset"]) for row in rows]
    if frame["gen_length"].nunique() > 1:
        cells["length"] = [str(row["gen_length"]) for row in rows]
    cells["method"] = [row_label(row["method"], row["source"]) for row in rows]
    for name in accuracy_names(experiment):
        cells[accuracy_heading(experiment, frame, name)] = [
            percent_spread(row[f"accuracy_{name}"], row[f"sd_{name}"]) for row in rows
        ]
    gains, relative = map(list, zip(*map(gain_texts, rows), strict=True))
    cells["gain, points"] = gains
    if experiment.gain_control is not None:
        cells["relative gain, %"] = relative
    return cells


def gain_texts(row: Mapping[Hashable, Any]) -> tuple[str, str]:
    """Format the gain and the relative gain, which is in parentheses if it has no bounded interval."""
    gain, relative = (percent(row[name], is_signed=True) for name in ("gain", "relative_gain"))
    is_unclear = row["source"] == MEASURED and pd.isna(row["relative_gain_low"])
    return gain, f"({relative})" if relative and is_unclear else relative


def accuracy_heading(experiment: FineTuning, frame: pd.DataFrame, name: str) -> str:
    """Return the heading of a benchmark or of the average."""
    label = benchmark_label(experiment, name, scoring=experiment.scoring[0])
    is_mix = name in TABLE_1_LENGTHS and (frame["gen_length"] == MIXED).any()
    return f"{label}, {TABLE_1_LENGTHS[name]}" if is_mix else label


def row_label(method: str, source: str) -> str:
    """Return the name of a row's model."""
    return method_label(method) + (", published" if source == PUBLISHED else "")
