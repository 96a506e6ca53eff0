"""Choose the questions and answers that the page shows, and count who is right.

Answers are compared for the models of the main contrast: the base model, the control and the treatment. An
evaluation shows the first of its models, those of the main contrast before the others. Stored generations are
those of a single model. Right means the verdict ``correct`` by the first scoring; an unscorable answer is not
right.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from weft.config import BASE_RUN, Experiment, FineTuning, Run
from weft.records.ids import text_sha256
from weft.report.labels import method_label
from weft.report.results import Results
from weft.report.score_files import ScoreFile

MAX_QUESTIONS = 1000
"""Largest number of questions that the page shows."""
MOST_COLUMNS = 4
"""Largest number of models whose answers stand side by side."""
VERDICTS = {"correct": "right", "wrong": "wrong", "unscorable": "unscorable"}
"""Verdict -> word for a button."""
KINDS = {
    (True, False): "treatment",
    (False, True): "control",
    (True, True): "both",
    (False, False): "neither",
}
"""(Treatment is right, control is right) -> name of the questions of this kind."""


@dataclass(frozen=True)
class Filter:
    """A choice of questions by their verdicts.

    Attributes:
        kind: value of `Comparison.kinds` that a question must have; empty for all questions.
        label: text for readers.
    """

    kind: str
    label: str


@dataclass(frozen=True)
class Column:
    """A run and its scores by the first scoring at one length.

    Attributes:
        run: the run.
        gen_length: length of the answers, in tokens.
        files: the scores by benchmark.
    """

    run: Run
    gen_length: int
    files: Mapping[str, ScoreFile]

    @property
    def key(self) -> tuple[Run, int]:
        """Run and length."""
        return self.run, self.gen_length


@dataclass(frozen=True)
class Comparison:
    """Runs whose answers stand side by side, a column for each.

    Attributes:
        dataset: training set; None for stored generations.
        gen_length: length of the answers, in tokens.
        seed: training seed; None for stored generations.
        columns: the runs with their scores.
        pair: indices of treatment and control in the columns; None if no runs are compared.
    """

    dataset: str | None
    gen_length: int
    seed: int | None
    columns: tuple[Column, ...]
    pair: tuple[int, int] | None

    def kinds(self, benchmark: str) -> list[str]:
        """Return who is right on each question of a benchmark, in file order, which both runs share.

        Args:
            benchmark: name of the benchmark.

        Returns:
            For each question ``treatment``, ``control``, ``both`` or ``neither``; if no runs are
            compared, the verdict of the first run.
        """
        if self.pair is None:
            return [str(verdict) for verdict in self.columns[0].files[benchmark].columns.verdicts]
        treatment, control = (
            self.columns[index].files[benchmark].columns.is_correct.tolist() for index in self.pair
        )
        return [KINDS[pair] for pair in zip(treatment, control, strict=True)]

    def count_kinds(self, benchmark: str) -> Counter[str]:
        """Return the number of questions of each kind."""
        return Counter(self.kinds(benchmark))


def list_filters(experiment: Experiment) -> list[Filter]:
    """Return the choices of questions by their verdicts, in the order of the buttons."""
    if experiment.main_contrast is None:
        first, *others = list_columns(experiment)
        of_first = f"{method_label(first)} " if others else ""
        kinds = {kind: f"{of_first}{word}" for kind, word in VERDICTS.items()}
    else:
        treatment, control = (method_label(name) for name in experiment.main_contrast)
        kinds = {
            "treatment": f"only {treatment} right",
            "control": f"only {control} right",
            "neither": "both wrong",
            "both": "both right",
        }
    return [Filter("", "all"), *(Filter(kind, label) for kind, label in kinds.items())]


def list_columns(experiment: Experiment) -> list[str]:
    """Return the methods, or models, whose answers stand side by side."""
    treatment_last = list(reversed(experiment.main_contrast or ()))
    if isinstance(experiment, FineTuning):
        return list(dict.fromkeys([BASE_RUN, *treatment_last]))
    models = [run.method for run in experiment.runs]
    return list(dict.fromkeys([*treatment_last, *models]))[:MOST_COLUMNS]


def list_comparisons(experiment: Experiment, results: Results) -> list[Comparison]:
    """Return all comparisons, the most important first.

    The first has the first training set, the largest length and the first seed. The other training sets
    follow, then the other lengths and at last the other seeds.
    """
    datasets: Sequence[str | None] = experiment.dataset_names or [None]
    seeds: Sequence[int | None] = experiment.seeds if isinstance(experiment, FineTuning) else [None]
    methods, pair = list_columns(experiment), None
    if experiment.main_contrast is not None:
        treatment, control = experiment.main_contrast
        pair = methods.index(treatment), methods.index(control)
    files: dict[tuple[Run, int], dict[str, ScoreFile]] = {}
    for file in results.scored_by(experiment.scoring[0]):
        files.setdefault((file.run, file.gen_length), {})[file.benchmark] = file
    runs = {(run.method, run.dataset, run.seed): run for run in experiment.runs}
    comparisons = []
    for seed in seeds:
        for length in sorted(experiment.gen_lengths, reverse=True):
            for dataset in datasets:
                shown = [runs.get((method, dataset, seed)) or runs[method, None, None] for method in methods]
                columns = tuple(Column(run, length, files[run, length]) for run in shown)
                comparisons.append(Comparison(dataset, length, seed, columns, pair))
    return comparisons


def list_questions(experiment: Experiment, comparisons: Sequence[Comparison]) -> dict[str, list[str]]:
    """Return the ids of all questions by benchmark, in file order; each length may have its own."""
    ids_of: dict[str, dict[str, None]] = {name: {} for name in experiment.benchmark_names}
    for comparison in comparisons:
        for benchmark, file in comparison.columns[0].files.items():
            ids_of[benchmark] |= dict.fromkeys(file.columns.example_ids)
    return {benchmark: list(ids) for benchmark, ids in ids_of.items()}


def choose_questions(
    questions: Mapping[str, Sequence[str]], *, limit: int = MAX_QUESTIONS
) -> dict[str, list[str]]:
    """Choose questions for the page, as equally as possible from all benchmarks.

    The choice depends on the ids only. It includes the first question of each benchmark, which the pages
    with the answers step by step show.

    Args:
        questions: ids of all questions by benchmark, in file order.
        limit: largest number of questions.

    Returns:
        Ids of the chosen questions by benchmark, in file order.
    """
    chosen = {}
    remaining, num_left = limit, len(questions)
    for benchmark, ids in sorted(questions.items(), key=lambda item: len(item[1])):
        size = min(len(ids), remaining // num_left)
        ranked = sorted(
            range(len(ids)), key=lambda index: (index > 0, text_sha256(f"{benchmark}\n{ids[index]}"))
        )
        chosen[benchmark] = [ids[index] for index in sorted(ranked[:size])]
        remaining, num_left = remaining - size, num_left - 1
    return {benchmark: chosen[benchmark] for benchmark in questions}
