"""The measured accuracies of a trained model, read from the tables of its experiment."""

import csv
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from weft.config import BASE_RUN
from weft.errors import DataError, WeftError
from weft.layout import ResultLayout, provenance_file
from weft.provenance import stored_digest
from weft.records import Provenance
from weft.records.files import read_json
from weft.sharing.facts import RunFacts

LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Measured:
    """An accuracy with its confidence interval, as fractions.

    Attributes:
        accuracy: the accuracy.
        low: lower end of the interval; None without an interval.
        high: upper end of the interval; None without an interval.
    """

    accuracy: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Result:
    """The accuracy of a model on a benchmark.

    Attributes:
        benchmark: name of the benchmark for readers.
        gen_length: length of the answers, in tokens.
        scoring: name of the scoring.
        num_questions: number of questions.
        model: accuracy of the model.
        base: accuracy of the base model; None if it is not in the table.
    """

    benchmark: str
    gen_length: int
    scoring: str
    num_questions: int
    model: Measured
    base: Measured | None


def read_results(finetuned: Path, facts: RunFacts) -> list[Result]:
    """Read the results of a trained model that lies in the results folder of its experiment.

    Args:
        finetuned: folder of the run, ``results/NAME/runs/RUN``.
        facts: what the model was trained from.

    Returns:
        A result for each benchmark, length and scoring; none if the experiment has no tables, or if its
        answers were sampled from another training of this run.

    Raises:
        DataError: the table is malformed.
    """
    folder = finetuned.resolve()
    layout = ResultLayout(folder.parent.parent)
    table = layout.table("scores")
    if folder.parent.name != "runs" or not table.is_file():
        return []
    if not _is_current(table, layout, folder, facts):
        LOG.warning(
            "%s has results of another training of %s, which are left out of the model card; run the "
            "workflow again to measure this one",
            table,
            facts.run,
        )
        return []
    with table.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    try:
        base = {_cell(row): _measured(row) for row in rows if row["run"] == BASE_RUN}
        return [_result(row, facts, base.get(_cell(row))) for row in rows if row["run"] == facts.run]
    except (KeyError, ValueError, TypeError) as error:
        raise DataError(
            f"{table}: expected the columns run, benchmark, gen_length, rules, n, accuracy, ci_low and "
            f"ci_high with numbers, got {type(error).__name__}: {error}; make the tables again"
        ) from error


def _is_current(table: Path, layout: ResultLayout, folder: Path, facts: RunFacts) -> bool:
    """Return False if the table is of another experiment, or the answers are those of other weights."""
    try:
        if read_json(provenance_file(table.parent), Provenance).experiment != facts.experiment:
            return False
    except WeftError:
        return False
    answers = sorted(layout.samples(facts.run, "x", 0).parent.parent.glob("*/*.provenance.json"))
    used = {value for path in answers for value in read_json(path, Provenance).inputs.values()}
    return not used or stored_digest(folder) in used


def _cell(row: Mapping[str, str]) -> tuple[str, str, str]:
    return row["benchmark"], row["gen_length"], row["rules"]


def _measured(row: Mapping[str, str]) -> Measured:
    low, high = (float(row[name]) if row[name] else None for name in ("ci_low", "ci_high"))
    return Measured(float(row["accuracy"]), low, high)


def _result(row: Mapping[str, str], facts: RunFacts, base: Measured | None) -> Result:
    name = row["benchmark"]
    return Result(
        benchmark=facts.benchmarks.get(name, name),
        gen_length=int(row["gen_length"]),
        scoring=row["rules"],
        num_questions=int(row["n"]),
        model=_measured(row),
        base=base,
    )
