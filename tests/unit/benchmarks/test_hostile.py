"""Hostile answers: every scorer gives each of them a verdict and keeps its verdicts on other answers."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weft.benchmarks import SCORERS, find_scorer
from weft.records import Score, Verdict

CORPUS = json.loads(Path(__file__).with_name("hostile.json").read_text(encoding="utf-8"))
REPEATED = {
    "a thousand brackets": "\\boxed{" + "(" * 1000 + "1" + ")" * 1000 + "}",
    "a thousand braces": "\\boxed{" + "{" * 1000 + "1" + "}" * 1000 + "}",
    "four hundred brackets": "\\boxed{" + "(" * 400 + "1" + ")" * 400 + "}",
    "fractions of fractions": "\\boxed{" + "\\frac{1}{" * 90 + "2" + "}" * 90 + "}",
    "a long sum": "\\boxed{" + "1+" * 450 + "1}",
    "a thousand digits": "\\boxed{" + "7" * 990 + "}",
}
QUESTION = "Solve the following Sudoku puzzle: 1030301020404001\n"
REFERENCES = {
    "sudoku": "1234341221434321",
    "countdown": [[3, 5, 20], 12],
    "gsm8k": 18.0,
    "math500": r"\frac{9}{2}",
}
RIGHT = {
    "sudoku": "<answer>1234341221434321</answer>",
    "countdown": r"\boxed{20 - 3 - 5}",
    "gsm8k": r"\boxed{18}",
    "math500": r"\boxed{\frac92}",
}
ALL = [(benchmark, scoring) for benchmark, scorers in SCORERS.items() for scoring in scorers]
every_scorer = pytest.mark.parametrize(("benchmark", "scoring"), ALL, ids=["-".join(pair) for pair in ALL])


def score(benchmark, scoring, generation):
    scorer = find_scorer(benchmark, scoring)
    return scorer(generation, question=QUESTION, reference=REFERENCES[benchmark])


@every_scorer
def test_a_hostile_answer_gets_a_verdict_and_changes_no_other(benchmark, scoring):
    unscorable = set()
    for name, text in (CORPUS | REPEATED).items():
        if score(benchmark, scoring, text).verdict is Verdict.UNSCORABLE:
            unscorable.add(name)
        assert score(benchmark, scoring, RIGHT[benchmark]).verdict is Verdict.CORRECT, name
    # Only a comparison of values may exceed its limits.
    assert not unscorable or (benchmark, scoring) == ("math500", "strict"), unscorable
    assert len(unscorable) < len(CORPUS) / 3


PIECES = [
    "\\boxed{", "\\boxed ", "}", "{", "<answer>", "</answer>", "```", "<|eot_id|>", "<|endoftext|>",
    "1234341221434321", "20", "3", "5", "4", "1", "+", "-", "*", "/", "(", ")", "=", ".", ",", "...",
    " ", "\n", "$", "%", "\\", "\\frac", "\\sqrt", "\\text{ ", "٣", "_", "^", "e", "x", "inf", "\ud800",
]  # fmt: skip
TEXTS = st.text(max_size=60) | st.lists(st.sampled_from(PIECES)).map("".join)


@every_scorer
@settings(max_examples=60, deadline=None)
@given(TEXTS)
def test_any_text_gets_a_score(benchmark, scoring, text):
    assert isinstance(score(benchmark, scoring, text), Score)
    assert isinstance(score(benchmark, scoring, "\\boxed{" + text + "}"), Score)


LONG = """
import json, resource, sys
from weft.benchmarks import SCORERS
pieces, question, references, size = json.load(sys.stdin)
resource.setrlimit(resource.RLIMIT_CPU, (120, 120))
resource.setrlimit(resource.RLIMIT_AS, (3 * 1024**3, 3 * 1024**3))
for benchmark, scorers in SCORERS.items():
    for scorer in scorers.values():
        for piece in pieces:
            text = piece * (size // len(piece))
            for form in ("%s", "<answer>%s", "<answer>%s</answer>", "\\\\boxed{20-3-5%s}"):
                scorer(form % text, question=question, reference=references[benchmark])
print("done")
"""
LONG_PIECES = [
    "1", " ", "\n", "\\boxed{", "\\boxed {", "\\boxed{\n", "\\boxed{}", "\\boxed{3+4}", "}", "<answer>",
    "</answer>", "<answer>7</answer>", "```", "```1", "1234341221434321 ", "\\frac", "\\sqrt2",
    "\\text{ cm}", "1/", "1=", "=", "9**", "-", "(", "()", ".", "1.", "\ud800", "\0", "٣", "\\",
]  # fmt: skip


def test_long_answers_take_linear_time_and_little_memory():
    """A pass over the text that is not linear exceeds the limit on processor time many times over."""
    run = subprocess.run(
        [sys.executable, "-c", LONG],
        input=json.dumps((LONG_PIECES, QUESTION, REFERENCES, 100_000)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.stdout == "done\n", (run.returncode, run.stderr[-1000:])
