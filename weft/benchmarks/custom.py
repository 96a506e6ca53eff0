"""Custom benchmarks: a Python file with an instruction, questions and the function that scores answers.

    INSTRUCTION = "Answer with one word."
    QUESTIONS = [("What is the capital of France?", "Paris")]      # or a function questions()

    def score(generation, *, question, reference):
        return Score.from_credit(generation.strip(), float(reference in generation))

docs/custom-benchmarks.md describes the form; examples/custom_benchmark.py is a complete example.
"""

import functools
import inspect
import itertools
import json
import runpy
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from weft.benchmarks import Scorer
from weft.benchmarks.references import find_problem
from weft.errors import ConfigError, describe_error
from weft.records import Score


@dataclass(frozen=True)
class CustomBenchmarkFile:
    """The content of a custom benchmark's file.

    Attributes:
        path: the file.
        instruction: text in front of every question; may be empty.
        questions: function that returns pairs of question and reference, not checked yet.
        scorer: the file's function ``score``; the method `score` also checks its result.
    """

    path: Path
    instruction: str
    questions: Callable[[], Iterable[Any]]
    scorer: Scorer

    def list_questions(self, num_examples: int | None = None) -> list[tuple[str, Any]]:
        """List the questions of the benchmark.

        Args:
            num_examples: number of questions to take from the beginning; None takes all.

        Returns:
            Pairs of question and reference.

        Raises:
            ConfigError: there are too few questions, a question occurs twice or has the wrong form, its
                reference is not accepted by the file's scorer, or the file's function raises an exception.
        """
        try:
            pairs = list(itertools.islice(self.questions(), num_examples))
        except Exception as error:
            raise _describe_failure(self.path, "list its questions", error) from error
        num_needed = num_examples or 1
        if len(pairs) < num_needed:
            raise ConfigError(
                f"{self.path}: the file must have at least {num_needed} questions, got {len(pairs)}; "
                "add questions, or lower num_examples"
            )
        seen: set[str] = set()
        for number, pair in enumerate(pairs, start=1):
            if not _is_question(pair):
                raise ConfigError(
                    f"{self.path}: question {number} must be a pair of a text and a reference that JSON can "
                    f"store and restore, got {pair!r:.200}; correct QUESTIONS"
                )
            if pair[0] in seen:
                raise ConfigError(
                    f"{self.path}: each question must occur once, got {pair[0]!r:.200} again; remove it"
                )
            seen.add(pair[0])
            problem = find_problem(self.scorer, question=pair[0], reference=pair[1])
            if problem is not None:
                raise ConfigError(f"{self.path}: question {number}: {problem}")
        return [(question, reference) for question, reference in pairs]

    def score(self, generation: str, /, *, question: str, reference: Any) -> Score:
        """Score an answer with the file's function, whose exceptions are passed on.

        Args:
            generation: the model's answer.
            question: text of the question.
            reference: the right answer, as the file gives it.

        Returns:
            The score.

        Raises:
            ConfigError: the function returns something other than a score.
        """
        score = self.scorer(generation, question=question, reference=reference)
        if not isinstance(score, Score):
            raise ConfigError(
                f"{self.path}: score must return a weft.benchmarks.Score, got {score!r:.200}; "
                "correct the function"
            )
        return score


def load_custom_benchmark(path: Path) -> CustomBenchmarkFile:
    """Run the Python file of a custom benchmark and read the names that it defines.

    This executes the user's code, but only in the file that an experiment or ``--custom`` names.

    Args:
        path: path of the file.

    Returns:
        The instruction, the questions and the scorer of the file.

    Raises:
        ConfigError: the file is missing or raises an exception, or a name is missing or has the wrong type.
    """
    if not path.is_file():
        raise ConfigError(f"the custom benchmark must be a Python file, got {path}; correct its path")
    try:
        names = runpy.run_path(str(path), run_name="custom_benchmark")
    except (Exception, SystemExit) as error:
        raise _describe_failure(path, "run", error) from error

    instruction = _get(names, "INSTRUCTION", str, "a text, which may be empty", path)
    if "QUESTIONS" not in names and "questions" in names:
        questions = _get(names, "questions", Callable, "a function", path)
    else:
        form = (
            "a list of (question, reference) pairs, or there must be a function questions() that yields them"
        )
        pairs = _get(names, "QUESTIONS", list | tuple, form, path)
        questions = functools.partial(iter, pairs)
    form = "a function score(generation, *, question, reference)"
    scorer = _get(names, "score", Callable, form, path)
    try:
        inspect.signature(scorer).bind("", question="", reference=None)
    except (TypeError, ValueError) as error:
        raise ConfigError(
            f"{path}: score must be {form}, got another signature ({error}); correct the file"
        ) from error
    return CustomBenchmarkFile(path, instruction, questions, scorer)


def _get(names: dict[str, Any], name: str, kind: Any, form: str, path: Path) -> Any:
    """Return the value of a name that the file defines, after checking its type."""
    if not isinstance(names.get(name), kind):
        value = f"{names[name]!r:.80}" if name in names else "no such name"
        raise ConfigError(f"{path}: {name} must be {form}, got {value}; correct the file")
    return names[name]


def _describe_failure(path: Path, task: str, error: BaseException) -> ConfigError:
    """Return an error that names the file and, if it is known, the line at which the user's code failed."""
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename == str(path)]
    place = f"{path}, line {lines[-1]}" if lines else str(path)
    return ConfigError(
        f"{place}: the file must {task} without an error, got {describe_error(error)}; correct it"
    )


def _is_question(pair: Any) -> bool:
    """Return True for a pair of a question and a reference that JSON stores and restores unchanged."""
    match pair:
        case [str(question), reference] if question.strip():
            try:
                return bool(json.loads(json.dumps(reference, allow_nan=False)) == reference)
            except (TypeError, ValueError, RecursionError):
                return False
    return False
