"""Score whole generation files and summarise the scores.

`weft.stats` computes intervals and tests from the score files that `weft score` writes.
"""

import math
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from weft.benchmarks import Scorer
from weft.benchmarks.endings import describe_ending
from weft.errors import ConfigError, ScoringError, ScoringSetupError, describe_error
from weft.records import TIMED_OUT, Generation, Score, ScoredExample, Verdict
from weft.records.scores import MAX_SHOWN_CHARACTERS


def score_generations(
    generations: Iterable[Generation], *, scorer: Scorer, scoring: str
) -> Iterator[ScoredExample]:
    """Score generations.

    Args:
        generations: answers to the questions of one benchmark.
        scorer: one of `weft.benchmarks.SCORERS`, or the scorer of a custom benchmark.
        scoring: name of the scoring, which is written into the score file.

    Yields:
        The scored examples, in order. If the scorer raises an exception, the example is unscorable and the
        reason names the exception.

    Raises:
        ScoringSetupError: a program that every verdict requires is missing on this machine.
        ConfigError: a custom benchmark's function does not return a score.
    """
    for generation in generations:
        score = score_or_report(
            scorer, generation.generation, question=generation.question, reference=generation.reference
        )
        about = describe_ending(generation.generation, generation.gen_length)
        if generation.num_forward is not None:
            about["num_steps"] = generation.num_forward
        approximate = {} if generation.approximate is None else {"approximate": generation.approximate}
        yield ScoredExample(
            example_id=generation.example_id,
            benchmark=generation.benchmark,
            scoring=scoring,
            extracted=None if score.extracted is None else score.extracted[:MAX_SHOWN_CHARACTERS],
            verdict=score.verdict,
            credit=score.credit,
            weight=score.weight,
            reason=score.reason[:MAX_SHOWN_CHARACTERS],
            details={**about, **score.details},
            **approximate,
        )


def score_or_report(
    scorer: Scorer, answer: str, *, question: str, reference: Any, raises: tuple[type[Exception], ...] = ()
) -> Score:
    """Score an answer; an exception of the scorer makes it unscorable, unless it is of a type in `raises`."""
    try:
        return scorer(answer, question=question, reference=reference)
    except (ScoringSetupError, ConfigError):
        raise  # every further example would fail in the same way
    except raises:
        raise
    except (Exception, SystemExit) as error:
        return Score.unscorable(None, reason=describe_error(error))


def check_output_path(out: Path, inputs: Iterable[Path]) -> None:
    """Check before scoring that the score file can be written without overwriting an input.

    Args:
        out: score file to write.
        inputs: files that are read.

    Raises:
        ScoringError: `out` is not a regular file, or is one of the inputs.
    """
    try:
        if not out.resolve().exists():
            return
    except (OSError, RuntimeError) as error:  # the name is too long, or links form a circle
        raise ScoringError(f"{out}: scores cannot be written there ({error}); choose another path") from error
    if not out.is_file():
        raise ScoringError(f"{out}: scores cannot be written there (not a file); choose another path")
    same = [str(path) for path in inputs if path.exists() and out.samefile(path)]
    if same:
        raise ScoringError(
            f"{out}: scores must not be written to a file that is read, got {same}; choose another path"
        )


class Summary(NamedTuple):
    """Counts of verdicts, and the pooled accuracy.

    Attributes:
        num_examples: number of examples.
        num_correct: number of correct examples.
        num_unscorable: number of unscorable examples.
        accuracy: share of the units that are right, 0 to 1; 0 if there are no units.
    """

    num_examples: int
    num_correct: int
    num_unscorable: int
    accuracy: float


class Tally:
    """Counts of scores that pass by, for summaries. It keeps eight bytes of each score."""

    def __init__(self) -> None:
        self._verdicts: Counter[Verdict] = Counter()
        self._right_units = array("d")  # summed at the end, since the sum must not depend on the order
        self._num_units = 0
        self._num_timed_out = 0
        self._approximations: Counter[str] = Counter()

    def add(self, score: Score | ScoredExample) -> None:
        """Count a score."""
        self._verdicts[score.verdict] += 1
        self._right_units.append(score.credit * score.weight)
        self._num_units += score.weight
        if score.verdict is Verdict.UNSCORABLE and score.reason.startswith(TIMED_OUT):
            self._num_timed_out += 1
        if isinstance(score, ScoredExample) and score.approximate is not None:
            self._approximations[score.approximate] += 1

    def watch(self, scores: Iterable[ScoredExample]) -> Iterator[ScoredExample]:
        """Yield scores and count them."""
        for score in scores:
            self.add(score)
            yield score

    def summarise(self) -> Summary:
        """Return the counts of verdicts and the pooled accuracy."""
        right = math.fsum(self._right_units)
        return Summary(
            num_examples=self._verdicts.total(),
            num_correct=self._verdicts[Verdict.CORRECT],
            num_unscorable=self._verdicts[Verdict.UNSCORABLE],
            accuracy=right / self._num_units if self._num_units else 0.0,
        )

    def describe_unscorable(self) -> str:
        """Describe the unscorable examples in brackets, such as " (2 timed out)"; empty if none timed out."""
        return f" ({self._num_timed_out} timed out)" if self._num_timed_out else ""

    def describe_approximation(self) -> str | None:
        """Describe on a single line how answers were sampled approximately; None if all were sampled exactly.

        For example "dual cache; dual cache, threshold 0.9 (8 of 12 answers)".
        """
        if not self._approximations:
            return None
        text = "; ".join(kind if kind.isprintable() else ascii(kind) for kind in self._approximations)
        count, total = self._approximations.total(), self._verdicts.total()
        return text if count == total else f"{text} ({count} of {total} answers)"


def summarise(scores: Iterable[Score | ScoredExample]) -> Summary:
    """Count verdicts and pool the accuracy over units.

    Source:
        dllm-reasoning/d1 @ 837888f, eval/parse_and_get_acc.py, aggregate_results, which gives percent.
    """
    tally = Tally()
    for score in scores:
        tally.add(score)
    return tally.summarise()
