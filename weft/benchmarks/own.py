"""Own benchmarks: one Python file with an instruction, questions and the rule that scores them.

    INSTRUCTION = "Answer with one word."
    QUESTIONS = [("What is the capital of France?", "Paris")]      # or a function questions()

    def score(generation, *, question, reference):
        return Score.from_credit(generation.strip(), float(reference in generation))

docs/own-benchmarks.md tells more, examples/own_benchmark.py is a whole one.
"""

import inspect
import itertools
import json
import os
import runpy
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from weft.benchmarks.verdict import Score, Verdict
from weft.errors import ConfigError, describe_error

MAX_NUMBER = 10**9
"""Largest weight or count that a score may have."""


@dataclass(frozen=True)
class OwnFile:
    """What an own benchmark's file says.

    Attributes:
        path: the file.
        instruction: text in front of every question; may be empty.
        questions: gives pairs of question and reference; not checked yet.
        judge: the file's function ``score``; `score` also checks what it returns.
    """

    path: Path
    instruction: str
    questions: Callable[[], Iterable[Any]]
    judge: Callable[..., Any]

    def list_questions(self, num_examples: int | None = None) -> list[tuple[str, Any]]:
        """List pairs of question and reference, the first so many if a number is given.

        Raises:
            ConfigError: there are too few, one comes twice, one is no such pair, or making them fails.
        """
        try:
            pairs = list(itertools.islice(self.questions(), num_examples))
        except Exception as error:
            raise ConfigError(
                f"{_place(self.path, error)}: the questions must be made without an error, "
                f"got {describe_error(error)}; correct the file"
            ) from error
        if not pairs or len(pairs) < (num_examples or 1):
            raise ConfigError(
                f"{self.path}: at least {num_examples or 1} questions are needed, got {len(pairs)}; "
                "add some, or lower num_examples"
            )
        seen: set[str] = set()
        for number, pair in enumerate(pairs, start=1):
            if not _is_pair(pair):
                raise ConfigError(
                    f"{self.path}: question {number} must be a pair of a text and a reference that JSON can "
                    f"hold and give back, got {pair!r:.200}; correct QUESTIONS"
                )
            if pair[0] in seen:
                raise ConfigError(
                    f"{self.path}: every question must come once, got {pair[0]!r:.200} again; remove one"
                )
            seen.add(pair[0])
        return [(question, reference) for question, reference in pairs]

    def score(self, generation: str, *, question: str, reference: Any) -> Score:
        """Score a generation by the file's rule; what the rule raises is left to the caller.

        Raises:
            ConfigError: the rule returns something else than a score.
        """
        score = self.judge(generation, question=question, reference=reference)
        if not isinstance(score, Score) or not _is_writable(score):
            raise ConfigError(
                f"{self.path}: score must return a weft.benchmarks.Score made of text and whole numbers, "
                f"got {score!r:.200}; correct the function"
            )
        return score


def load_own_file(path: str | os.PathLike[str]) -> OwnFile:
    """Run the Python file of an own benchmark and take what it defines.

    This executes somebody's code, on purpose: the user's own, and only the file that an experiment or
    ``--own`` names.

    Raises:
        ConfigError: the file is missing, fails, or lacks a name, or a name has the wrong type.
    """
    path = Path(path)
    if not path.is_file():
        raise ConfigError(f"the own benchmark {path} must be a Python file, found none; correct its path")
    try:
        names = runpy.run_path(str(path), run_name="own_benchmark")
    except (Exception, SystemExit) as error:
        raise ConfigError(
            f"{_place(path, error)}: the file must run without an error, got {describe_error(error)}; "
            "correct it"
        ) from error
    return OwnFile(
        path=path,
        instruction=_take(names, "INSTRUCTION", str, "a text, which may be empty", path),
        questions=_take_questions(names, path),
        judge=_take_score(names, path),
    )


def _take(names: dict[str, Any], name: str, kind: Any, form: str, path: Path) -> Any:
    if not isinstance(names.get(name), kind):
        came = f"{names[name]!r:.80}" if name in names else "no such name"
        raise ConfigError(f"{path}: {name} must be {form}, got {came}; correct the file")
    return names[name]


def _take_questions(names: dict[str, Any], path: Path) -> Callable[[], Iterable[Any]]:
    if "QUESTIONS" not in names and "questions" in names:
        function: Callable[[], Iterable[Any]] = _take(names, "questions", Callable, "a function", path)
        return function
    form = "a list of (question, reference) pairs, or there must be a function questions() that yields them"
    pairs: Iterable[Any] = _take(names, "QUESTIONS", list | tuple, form, path)
    return lambda: pairs


def _take_score(names: dict[str, Any], path: Path) -> Callable[..., Any]:
    form = "a function score(generation, *, question, reference)"
    judge: Callable[..., Any] = _take(names, "score", Callable, form, path)
    try:
        inspect.signature(judge).bind("", question="", reference=None)
    except (TypeError, ValueError) as error:
        raise ConfigError(
            f"{path}: score must be {form}, got another one ({error}); correct the file"
        ) from error
    return judge


def _is_pair(pair: Any) -> bool:
    """Say whether it is a question and a reference that comes back from JSON as it went in."""
    if not isinstance(pair, list | tuple) or len(pair) != 2:
        return False
    question, reference = pair
    if not isinstance(question, str) or not question.strip():
        return False
    try:
        return bool(json.loads(json.dumps(reference, allow_nan=False)) == reference)
    except (TypeError, ValueError, RecursionError):
        return False


def _is_writable(score: Score) -> bool:
    integers = [score.weight, *score.details.values()]
    texts = [score.reason, "" if score.extracted is None else score.extracted, *score.details]
    return (
        isinstance(score.verdict, Verdict)
        and isinstance(score.credit, int | float)
        and all(isinstance(value, int) and abs(value) <= MAX_NUMBER for value in integers)
        and all(isinstance(text, str) for text in texts)
    )


def _place(path: Path, error: BaseException) -> str:
    """Name the file, and the line of it where the error came up."""
    lines = [
        frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)
    ]
    return f"{path}, line {lines[-1]}" if lines else str(path)
