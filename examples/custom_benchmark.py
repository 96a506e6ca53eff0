"""A custom benchmark, capitals. Copy this file and change its three names (docs/custom-benchmarks.md)."""

from weft.benchmarks import Score
from weft.benchmarks.extraction import read_stated_answer

INSTRUCTION = "Name the city. Think first, then write it as <answer>city</answer>."

QUESTIONS = [
    ("What is the capital of Kenya?", "Nairobi"),
    ("What is the capital of Peru?", "Lima"),
    ("What is the capital of Portugal?", "Lisbon"),
    ("What is the capital of Vietnam?", "Hanoi"),
]


def score(generation: str, *, question: str, reference: str) -> Score:
    """Return full credit if the last stated answer is the reference, in upper or lower case."""
    answer = read_stated_answer(generation)
    if answer is None:
        return Score.from_credit(None, 0.0, reason="no answer is stated")
    is_right = answer.text.casefold() == reference.casefold()
    return Score.from_credit(answer.text, float(is_right), reason="another city than the reference")
