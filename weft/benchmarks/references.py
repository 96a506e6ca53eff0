"""Check before sampling and scoring that questions and references have the form that a scorer requires.

    find_problem(find_scorer("gsm8k", "strict"), question="6 * 3?", reference="18")  returns
    "a gsm8k reference must be a finite number, got '18'; correct the reference: write 18"

People write references by hand or convert them from other files. If the form of a reference were noticed for
each answer only, a whole file would have an accuracy of 0 without an error.
"""

import json
import math
import re
from collections.abc import Iterator
from typing import Any

from weft.benchmarks import Scorer
from weft.benchmarks.symbolic import ComparisonError
from weft.errors import ScoringError
from weft.records.files import parse_json

_GROUPED_NUMBER = re.compile(r"-?[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?")


def find_problem(scorer: Scorer, *, question: str, reference: Any) -> str | None:
    """Find out whether a scorer accepts a question and its reference, by scoring an empty answer.

    Args:
        scorer: one of `weft.benchmarks.SCORERS`, or the scorer of a custom benchmark. Exceptions other than
            ScoringError say nothing about the reference and are ignored.
        question: text of the question.
        reference: the right answer.

    Returns:
        Description of what is wrong with the question or the reference, and what to write instead if that is
        known; None if they are accepted.
    """
    if not _is_finite(reference):
        return f"a reference must not contain NaN or Infinity, got {reference!a:.80}; correct the reference"
    problem = _try(scorer, question, reference)
    if problem is None:
        return None
    accepted = (form for form in _other_forms(reference) if _try(scorer, question, form) is None)
    form = next(accepted, None)
    return problem if form is None else f"{problem}: write {json.dumps(form):.80}"


def _try(scorer: Scorer, question: str, reference: Any) -> str | None:
    try:
        scorer("", question=question, reference=reference)
    except ComparisonError:
        return None
    except ScoringError as error:
        return str(error)
    except (Exception, SystemExit):  # from the function of a custom benchmark
        return None
    return None


def _other_forms(reference: Any) -> Iterator[Any]:
    """Yield the value that stands in a text, or the text of a number."""
    if isinstance(reference, str):
        text = reference.strip()
        if _GROUPED_NUMBER.fullmatch(text):
            text = text.replace(",", "")
        try:
            yield parse_json(text)
        except (ValueError, RecursionError):
            return
    elif isinstance(reference, int | float) and not isinstance(reference, bool):
        yield str(reference)


def _is_finite(value: Any) -> bool:
    """Return True if a JSON value contains neither NaN nor Infinity."""
    match value:
        case float():
            return math.isfinite(value)
        case list():
            return all(map(_is_finite, value))
        case dict():
            return all(map(_is_finite, value.values()))
    return True
