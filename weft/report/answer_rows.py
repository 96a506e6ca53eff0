"""All answers with their verdicts as rows, for the file beside the page."""

from collections.abc import Iterator

from weft.config import Experiment
from weft.records.base import JsonObject
from weft.report.answer_files import AnswerSource
from weft.report.results import Results
from weft.report.score_files import ScoreFile


def list_rows(experiment: Experiment, results: Results, answers: AnswerSource) -> Iterator[JsonObject]:
    """Yield a row for each answer: each run, length, benchmark and question, in the order of the tables.

    Args:
        experiment: the experiment.
        results: its results.
        answers: reads the answers.

    Yields:
        Rows with the keys

        - run, method, dataset, seed: the model; dataset and seed are None for the base model;
        - benchmark, gen_length, example_id, question, reference: the question and its right answer;
        - for each scoring verdict, credit, extracted and reason, followed by ``_`` and its name, such as
          ``verdict_d1`` (`weft.records.ScoredExample`);
        - answer: the text of the answer, special tokens included.

        Question, reference and answer are None if the file with the answers does not exist.
    """
    first, *further = (results.scored_by(scoring) for scoring in experiment.scoring)
    for file, *others in zip(first, *further, strict=True):
        yield from _rows_of_cell([file, *others], answers)


def _rows_of_cell(files: list[ScoreFile], answers: AnswerSource) -> Iterator[JsonObject]:
    """Yield the rows of a run, benchmark and length, given their scores by each scoring."""
    first = files[0]
    read = answers(first) or {}
    scores = [{score.example_id: score for score in file.scores} for file in files]
    for example_id in scores[0]:
        answer = read.get(example_id)
        row: JsonObject = {
            "run": first.run.run_id,
            "method": first.run.method,
            "dataset": first.run.dataset,
            "seed": first.run.seed,
            "benchmark": first.benchmark,
            "gen_length": first.gen_length,
            "example_id": example_id,
            "question": None if answer is None else answer.question,
            "reference": None if answer is None else answer.reference,
        }
        for file, by_id in zip(files, scores, strict=True):
            score = by_id.get(example_id)
            for name in ("verdict", "credit", "extracted", "reason"):
                row[f"{name}_{file.scoring}"] = None if score is None else getattr(score, name)
        row["answer"] = None if answer is None else answer.generation
        yield row
