"""Hostile answers: every scorer gives a verdict in time, and the examples beside it keep theirs."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from weft.benchmarks import SCORERS, score_generation
from weft.benchmarks.scoring import score_file
from weft.benchmarks.verdict import Score, Verdict

CORPUS = json.loads(Path(__file__).with_name("nasty.json").read_text(encoding="utf-8"))
REPEATED = {
    "a thousand brackets": "\\boxed{" + "(" * 1000 + "1" + ")" * 1000 + "}",
    "a thousand braces": "\\boxed{" + "{" * 1000 + "1" + "}" * 1000 + "}",
    "four hundred brackets": "\\boxed{" + "(" * 400 + "1" + ")" * 400 + "}",
    "a hundred thousand brackets": "\\boxed{" + "(" * 100_000 + "1" + ")" * 100_000 + "}",
    "fractions of fractions": "\\boxed{" + "\\frac{1}{" * 90 + "2" + "}" * 90 + "}",
    "a long sum": "\\boxed{" + "1+" * 450 + "1}",
    "many variables": "\\boxed{(" + "+".join("abcdefghijkl") + ")^{12}}",
    "a thousand digits": "\\boxed{" + "7" * 990 + "}",
    "a megabyte of digits": "\\boxed{" + "7" * 1_000_000 + "}",
    "a megabyte of boxes": "\\boxed{18}" * 100_000,
    "a megabyte of open boxes": "\\boxed{" * 140_000,
    "a megabyte of backslashes": "\\boxed{" + "\\" * 1_000_000,
    "spaces before a wrong end": "<answer>" + " " * 1_000_000 + "x",
}
REFERENCES = {
    "sudoku": "1234341221434321",
    "countdown": [[3, 5, 20], 12],
    "gsm8k": 18.0,
    "math500": r"\frac{9}{2}",
}
QUESTION = "Solve the following Sudoku puzzle: 1030301020404001\n"
MAX_SECONDS = 2.0

ALL = [(benchmark, rules) for benchmark, by_rules in SCORERS.items() for rules in by_rules]


def score(benchmark, rules, generation):
    return score_generation(benchmark, rules, generation, question=QUESTION, reference=REFERENCES[benchmark])


@pytest.fixture(autouse=True, scope="module")
def _ready():
    """Start the comparing process: its start is no part of a verdict's time."""
    score("math500", "strict", r"\boxed{x}")


@pytest.mark.parametrize("name", [*CORPUS, *REPEATED])
@pytest.mark.parametrize(("benchmark", "rules"), ALL, ids=["-".join(one) for one in ALL])
def test_a_hostile_answer_gets_its_verdict_in_time(benchmark, rules, name):
    generation = (CORPUS | REPEATED)[name]
    start = time.perf_counter()
    result = score(benchmark, rules, generation)
    assert time.perf_counter() - start < MAX_SECONDS
    assert isinstance(result, Score)
    assert (
        result.verdict is not Verdict.UNSCORABLE
        or "longer than" in result.reason
        or "may have" in result.reason
    )


@pytest.mark.parametrize(("benchmark", "rules"), ALL, ids=["-".join(one) for one in ALL])
def test_the_rest_of_a_file_keeps_its_verdicts(tmp_path, benchmark, rules):
    good = {
        "sudoku": "<answer>1234341221434321</answer>",
        "countdown": r"\boxed{20 - 3 - 5}",
        "gsm8k": r"\boxed{18}",
        "math500": r"\boxed{4.50}" if rules == "strict" else r"\boxed{\frac92}",
    }[benchmark]
    texts = [text for nasty in CORPUS.values() for text in (nasty, good)]
    rows = [
        {
            "example_id": str(number),
            "benchmark": benchmark,
            "question": QUESTION,
            "reference": REFERENCES[benchmark],
            "generation": text,
        }
        for number, text in enumerate(texts)
    ]
    path = tmp_path / "generations.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    records = list(score_file([path], benchmark=benchmark, rules=rules))
    assert [record["example_id"] for record in records] == [row["example_id"] for row in rows]
    assert {record["verdict"] for record in records[1::2]} == {"correct"}


MUTATIONS = """
import json, random, resource, sys, time
resource.setrlimit(resource.RLIMIT_AS, (3 * 1024**3, 3 * 1024**3))
from weft.benchmarks import SCORERS, score_generation
items, pieces = json.load(sys.stdin)
random.seed(1)
score_generation("math500", "strict", "\\\\boxed{x}", question="", reference="y")
worst = 0.0
for number in range(int(sys.argv[1])):
    benchmark, question, reference, text = random.choice(items)
    for _ in range(random.randint(1, 4)):
        place = random.randrange(len(text) + 1)
        kind = random.random()
        if kind < 0.6:
            text = text[:place] + random.choice(pieces) + text[place:]
        elif kind < 0.8:
            text = text[:place] + text[place + random.choice((1, 5, 50)):]
        else:
            text = text[:place] + text[max(0, place - 20):place] * random.choice((1, 3, 30)) + text[place:]
    for rules in SCORERS[benchmark]:
        start = time.perf_counter()
        score_generation(benchmark, rules, text, question=question, reference=reference)
        worst = max(worst, time.perf_counter() - start)
print(worst)
"""


def test_mutated_generations_are_scored_within_time_and_memory(shared_data):
    """A thousand here, in a process with 3 GiB of address space; `docs/log.md` has a longer run."""
    items = [
        (path.name.partition("_")[0], item["question"], item["ground_truth"], item["generations"])
        for path in sorted((shared_data / "d1_baselines").glob("*_generations.json"))
        for item in json.loads(path.read_text())["generations"]
        if item["ground_truth"] is not None
    ]
    pieces = [text for text in CORPUS.values() if "^" not in text and "!" not in text]
    pieces += [
        "\\boxed{",
        "}",
        "<answer>",
        "</answer>",
        "\\frac",
        "\\sqrt",
        "^",
        "_",
        "\\left(",
        "(",
        ")",
        "=",
    ]
    answer = subprocess.run(
        [sys.executable, "-c", MUTATIONS, "1000"],
        input=json.dumps((items, pieces)),
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    assert float(answer.stdout) < MAX_SECONDS
