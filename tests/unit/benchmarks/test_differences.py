"""The effect of each difference between the scorings `strict` and `d1` on the published generations.

Each test restores one behaviour of d1 in strict scoring and counts the verdicts that change;
docs/deviations.md gives the same numbers in points.
"""

import json
import re
from collections import Counter

import pytest

from weft.benchmarks import countdown, extraction, find_scorer, gsm8k, math500, sudoku
from weft.records import Verdict

LENGTHS = (128, 256, 512)
NUM_EXAMPLES = {
    "sudoku": (146, 110, 146),
    "countdown": (146, 110, 146),
    "gsm8k": (616, 595, 616),
    "math500": (250, 250, 250),
}


@pytest.fixture(scope="module")
def generations(shared_data):
    """Question, reference and generation of every example, by benchmark and length."""
    found = {(benchmark, length): [] for benchmark in NUM_EXAMPLES for length in LENGTHS}
    for path in sorted((shared_data / "d1_baselines").glob("*_generations.json")):
        benchmark, _, length, *_ = path.name.split("_")
        found[benchmark, int(length)] += [
            (item["question"], item["ground_truth"], item["generations"])
            for item in json.loads(path.read_text(encoding="utf-8"))["generations"]
        ]
    return found


def count_correct(generations, benchmark, scoring="strict"):
    """Count right answers per length; GSM8K's negative references, absent from the files, are left out."""
    counts = Counter()
    for length in LENGTHS:
        for question, reference, generation in generations[benchmark, length]:
            if reference is not None:
                score = find_scorer(benchmark, scoring)(generation, question=question, reference=reference)
                assert score.verdict is not Verdict.UNSCORABLE, score.reason
                counts[length] += score.verdict is Verdict.CORRECT
    return tuple(counts[length] for length in LENGTHS)


@pytest.fixture(scope="module")
def by_strict(generations):
    """Right answers per length by strict scoring, per benchmark."""
    return {benchmark: count_correct(generations, benchmark) for benchmark in NUM_EXAMPLES}


def test_right_answers_are_correct_in_both_scorings(generations, by_strict):
    assert by_strict == {
        "sudoku": (1, 0, 0),
        "countdown": (30, 21, 25),
        "gsm8k": (428, 459, 479),
        "math500": (79, 102, 96),
    }
    assert {benchmark: count_correct(generations, benchmark, "d1") for benchmark in NUM_EXAMPLES} == {
        "sudoku": (1, 0, 0),  # whole boards; d1's credit is per cell
        "countdown": (30, 21, 25),
        "gsm8k": (424, 452, 479),
        "math500": (70, 90, 88),
    }
    for (benchmark, length), examples in generations.items():
        assert len(examples) == NUM_EXAMPLES[benchmark][LENGTHS.index(length)]


def keep_everything(text):
    return text


def read_first_box(text):
    """Read the first closed box, as d1 does for GSM8K."""
    position = 0
    while (start := text.find("\\boxed{", position)) >= 0:
        end = extraction._find_closing_brace(text, start)
        if end is None:
            return None
        content = text[start + len("\\boxed{") : end].strip()
        if extraction._SOMETHING.search(content):
            return content
        position = end
    return None


def read_no_open_tags(text):
    has_box = extraction._read_last_closed_box(extraction.cut_at_end(text)) is not None
    return STATED(text) if has_box or "</answer>" in text else None


def read_boxes_of_one_line(text):
    return BOXED("\n".join(line for line in text.split("\n") if BOXED(line) is not None))


def read_first_number(text, **_):
    return [gsm8k.Fraction(number) for number in gsm8k._NUMBER.findall(re.sub(r",|\\[,!]", "", text))][:1]


def find_numbers_like_d1(text):
    return [gsm8k.Fraction(number) for number in gsm8k._NUMBER.findall(text)]


def read_equation_from_the_left(text, **_):
    return gsm8k._find_numbers(extraction.rewrite(text, gsm8k._PLAIN))[:1]


def read_box_or_text(text):
    stated = STATED(text)
    if stated and stated.is_boxed:
        return stated
    answer = extraction.read_last_box(text)
    return extraction.StatedAnswer(answer, True) if answer else None


def read_expression(text):
    return extraction.StatedAnswer(countdown._extract_expression(text), True)


STATED = extraction.read_stated_answer
BOXED = extraction._read_last_closed_box
NO_MATCH = re.compile("(?!)")
WITHOUT_SEPARATORS = tuple(step for step in gsm8k._PLAIN if "{,}" not in step[0].pattern.replace("\\", ""))

DIFFERENCES = [
    # benchmark, behaviour of d1, module, name, replacement, change of the number of right answers
    ("gsm8k", "text behind the end counts", extraction, "cut_at_end", keep_everything, (0, 0, -1)),
    ("gsm8k", "the first box counts", extraction, "_read_last_closed_box", read_first_box, (0, 0, 0)),
    ("gsm8k", "open tags state nothing", extraction, "read_stated_answer", read_no_open_tags, (-3, -1, 0)),
    ("gsm8k", "a broken box is no box", extraction, "_BROKEN_BOX", NO_MATCH, (0, 0, 0)),
    ("gsm8k", "a comma ends a number", gsm8k, "_find_numbers", find_numbers_like_d1, (0, -5, 0)),
    ("gsm8k", "a thin space ends a number", gsm8k, "_PLAIN", WITHOUT_SEPARATORS, (-1, 0, 0)),
    (
        "gsm8k",
        "a line ends a box",
        extraction,
        "_read_last_closed_box",
        read_boxes_of_one_line,
        (0, -1, 0),
    ),
    ("gsm8k", "a fraction is its numerator", gsm8k, "_read_stated_numbers", read_first_number, (0, 1, 0)),
    (
        "gsm8k",
        "the first number counts",
        gsm8k,
        "_read_stated_numbers",
        read_equation_from_the_left,
        (0, 0, 0),
    ),
    ("math500", "text behind the end counts", extraction, "cut_at_end", keep_everything, (0, 0, 0)),
    ("math500", "strings are compared", math500, "_is_same_value", math500.is_equivalent, (-9, -8, -7)),
    ("math500", "a broken box is no box", extraction, "_BROKEN_BOX", NO_MATCH, (0, -4, -1)),
    ("math500", "no box: the whole text", extraction, "read_stated_answer", read_box_or_text, (0, 0, 0)),
    ("countdown", "text behind the end counts", extraction, "cut_at_end", keep_everything, (0, -1, 0)),
    ("countdown", "a broken box is no box", extraction, "_BROKEN_BOX", NO_MATCH, (0, -1, 0)),
    ("countdown", "d1's way to the expression", extraction, "read_stated_answer", read_expression, (0, 0, 0)),
    ("sudoku", "text behind the end counts", sudoku, "cut_at_end", keep_everything, (0, 0, 0)),
]


@pytest.mark.parametrize(
    ("benchmark", "module", "name", "replacement", "difference"),
    [pytest.param(case[0], *case[2:], id=f"{case[0]}: {case[1]}") for case in DIFFERENCES],
)
def test_effect_of_restoring_each_behaviour_of_d1_is_as_documented(
    generations, by_strict, monkeypatch, benchmark, module, name, replacement, difference
):
    monkeypatch.setattr(module, name, replacement)
    changed = count_correct(generations, benchmark)
    assert tuple(new - old for new, old in zip(changed, by_strict[benchmark], strict=True)) == difference


def test_cells_are_counted_against_the_closest_completion(generations):
    """Beside the board, `strict` reports the cells that agree with the completion that agrees most."""
    found = []
    for length in LENGTHS:
        scores = [
            find_scorer("sudoku", "d1")(generation, question=question, reference=reference)
            for question, reference, generation in generations["sudoku", length]
        ]
        by_d1 = sum(score.credit * score.weight for score in scores)
        found.append((by_d1, sum(score.details["num_right_cells"] for score in scores)))
    assert found == [(126, 140), (70, 77), (64, 73)]


def test_text_after_the_first_end_of_text_changes_no_verdict(generations):
    """What early stop leaves out (deviation 46); elsewhere nothing but end-of-text stands there."""
    end, cut = "<|endoftext|>", []
    for (benchmark, _), examples in generations.items():
        for question, reference, generation in examples:
            answer, _, rest = generation.partition(end)
            if not rest.replace(end, "").strip():
                continue
            for scoring in ("d1", "strict"):
                whole, early = (
                    find_scorer(benchmark, scoring)(text, question=question, reference=reference)
                    for text in (generation, answer + end)
                )
                assert (whole.verdict, whole.credit) == (early.verdict, early.credit)
            cut.append(benchmark)
    assert cut == ["gsm8k"] * 7
