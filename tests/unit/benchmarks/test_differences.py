"""The effect of each difference between the scorings `strict` and `d1` on the published generations.

Each test restores one behaviour of d1 in strict scoring and counts the verdicts that change;
docs/deviations.md gives the same numbers in points.
"""

import json
import re
from collections import Counter
from fractions import Fraction

import pytest

from weft.benchmarks import countdown, extraction, find_scorer, gsm8k, math500, quantities
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
        "gsm8k": (429, 462, 480),
        "math500": (79, 102, 97),
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


def read_first_box(text, *, is_whole):
    """Read the first box that states something, as d1 does for GSM8K."""
    return BOXES(text, is_whole=is_whole)[:1]


def read_closed_boxes(text, *, is_whole):
    """Read boxes that are written as requested."""
    return [
        box
        for box in BOXES(text, is_whole=is_whole)
        if text.startswith(("\\boxed{", "\\fbox{"), box.start) and text[box.end - 1] == "}"
    ]


def read_boxes_of_one_line(text, *, is_whole):
    return [box for box in BOXES(text, is_whole=is_whole) if "\n" not in box.text]


def read_no_open_tags(text):
    has_box = bool(BOXES(extraction.read_text(text), is_whole=True))
    return STATED(text) if has_box or "</answer>" in text else None


def read_nothing(text):
    return None


def read_first_number(text, **_):
    return [frozenset({Fraction(number)}) for number in D1_NUMBERS(re.sub(r",|\\[,!]", "", text))][:1]


def find_numbers_like_d1(text, **_):
    return [frozenset({Fraction(number)}) for number in D1_NUMBERS(text)]


def read_without_thin_spaces(text, **options):
    return QUANTITIES(text.replace("\\,", "; "), **options)


def read_equation_from_the_left(text, **_):
    return quantities._find_quantities(extraction.rewrite(text, quantities._PLAIN))[:1]


def read_box_or_text(text):
    stated = STATED(text)
    if stated and stated.is_boxed:
        return stated
    answer = extraction.read_last_box(text)
    return extraction.StatedAnswer(answer, True) if answer else None


def read_expression(text):
    return extraction.StatedAnswer(countdown._extract_expression(text), True)


STATED = extraction.read_stated_answer
BOXES = extraction._read_boxes
QUANTITIES = gsm8k.read_quantities
D1_NUMBERS = gsm8k._NUMBER.findall

DIFFERENCES = [
    # benchmark, behaviour of d1, module, name, replacement, change of the number of right answers
    ("gsm8k", "text behind the end counts", extraction, "cut_at_end", keep_everything, (0, 0, -1)),
    ("gsm8k", "the first box counts", extraction, "_read_boxes", read_first_box, (0, 0, 0)),
    ("gsm8k", "open tags state nothing", extraction, "read_stated_answer", read_no_open_tags, (-1, 0, 0)),
    ("gsm8k", "a broken box is no box", extraction, "_read_boxes", read_closed_boxes, (0, 0, 0)),
    ("gsm8k", "numbers are read as by d1", gsm8k, "read_quantities", find_numbers_like_d1, (-2, -7, 0)),
    ("gsm8k", "a thin space ends a number", gsm8k, "read_quantities", read_without_thin_spaces, (-1, 0, 0)),
    (
        "gsm8k",
        "a line ends a box",
        extraction,
        "_read_boxes",
        read_boxes_of_one_line,
        (0, 0, 0),
    ),
    (
        "gsm8k",
        "the first number without separators",
        gsm8k,
        "read_quantities",
        read_first_number,
        (-1, -1, 0),
    ),
    (
        "gsm8k",
        "the first number counts",
        gsm8k,
        "read_quantities",
        read_equation_from_the_left,
        (-1, -2, 0),
    ),
    ("gsm8k", "a tag must be opened", extraction, "_read_before_closing_tag", read_nothing, (-1, -3, 0)),
    ("math500", "text behind the end counts", extraction, "cut_at_end", keep_everything, (0, 0, 0)),
    ("math500", "strings are compared", math500, "are_same_answer", math500.is_equivalent, (-9, -8, -8)),
    ("math500", "a broken box is no box", extraction, "_read_boxes", read_closed_boxes, (0, -2, 0)),
    ("math500", "no box: the whole text", extraction, "read_stated_answer", read_box_or_text, (0, 0, -1)),
    ("countdown", "text behind the end counts", extraction, "cut_at_end", keep_everything, (0, 0, 0)),
    ("countdown", "a broken box is no box", extraction, "_read_boxes", read_closed_boxes, (0, -1, 0)),
    ("countdown", "d1's way to the expression", extraction, "read_stated_answer", read_expression, (0, 0, 0)),
    ("sudoku", "text behind the end counts", extraction, "cut_at_end", keep_everything, (0, 0, 0)),
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
