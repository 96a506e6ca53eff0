import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weft.benchmarks.gsm8k import score_d1
from weft.benchmarks.verdict import Score, Verdict
from weft.errors import ScoringError


def score(generation, reference=18.0):
    return score_d1(generation, question="", reference=reference)


@pytest.mark.parametrize(
    ("generation", "number"),
    [
        pytest.param(r"\boxed{18}", "18.0", id="plain"),
        pytest.param(r"\boxed{18 marbles}", "18.0", id="with a unit"),
        pytest.param(r"\boxed{\$18}", "18.0", id="with a dollar sign"),
        pytest.param(r"\boxed{3 * 6 = 18}", "3.0", id="the first number in the box"),
        pytest.param(r"\boxed{1,800}", "1.0", id="a comma ends a number"),
        pytest.param(r"\boxed{-2.50}", "-2.5", id="sign and decimals"),
        pytest.param(r"\boxed{\$-2}", "-2.0", id="sign behind a dollar sign"),
        pytest.param(r"\boxed{9-2}", "9.0", id="a minus inside"),
        pytest.param(r"\boxed{1e3}", "1000.0", id="as Python reads it"),
        pytest.param(r"\boxed{1_000}", "1000.0", id="underscores, as Python reads it"),
        pytest.param(r"\boxed{inf}", "inf", id="infinity is a number"),
        pytest.param(r"\boxed{18} \boxed{19}", "18.0", id="the first box"),
        pytest.param(r"\boxed{many} \boxed{18}", "18.0", id="the first box with a number"),
        pytest.param(r"\boxed{} \boxed{...} \boxed{.} \boxed{18}", "18.0", id="placeholders are skipped"),
        pytest.param(r"\boxed{\text{18} m}", "18.0", id="up to the first closing brace"),
        pytest.param("\\boxed{1\n8} \\boxed{19}", "19.0", id="a box ends with its line"),
        pytest.param(r"\boxed{17 \boxed{18}", "17.0", id="an open box swallows the next"),
        pytest.param("<answer>18</answer>", "18.0", id="answer tags"),
        pytest.param("<answer>\n3 * 6 = 18\n</answer>", "18.0", id="the last number in the tags"),
        pytest.param("<answer>a</answer><answer>18</answer>", None, id="only the first tags"),
        pytest.param(r"\boxed{x} <answer>18</answer>", "18.0", id="tags if no box has a number"),
        pytest.param(r"<answer>17</answer> \boxed{18}", "18.0", id="box before tags"),
        pytest.param("it is 18", None, id="neither box nor tags"),
        pytest.param(r"\boxed {18}", None, id="a space is no box"),
        pytest.param("<answer></answer>", None, id="empty tags"),
        pytest.param("", None, id="nothing"),
    ],
)
def test_a_number_is_read(generation, number):
    result = score(generation)
    assert result.extracted == number
    assert result.verdict is (Verdict.CORRECT if number == "18.0" else Verdict.WRONG)


def test_numbers_are_compared_exactly_as_floats():
    assert score(r"\boxed{0.30}", 0.3).verdict is Verdict.CORRECT
    assert score(r"\boxed{0.3000001}", 0.3).verdict is Verdict.WRONG
    assert score(r"\boxed{18.0}", 18).verdict is Verdict.CORRECT


def test_without_a_reference_every_answer_is_wrong():
    assert score(r"\boxed{-18}", None).verdict is Verdict.WRONG
    assert score("no answer", None).verdict is Verdict.WRONG


def test_nan_equals_nothing():
    assert score(r"\boxed{nan}", float("nan")).verdict is Verdict.WRONG


@pytest.mark.parametrize("reference", ["18", [18], True])
def test_a_foreign_reference_is_an_error(reference):
    with pytest.raises(ScoringError, match="number or null"):
        score(r"\boxed{18}", reference)


def test_a_megabyte_is_scored_quickly(nasty_text, quickly):
    for generation in (nasty_text, "\\boxed{" + nasty_text + "}", "<answer>" + nasty_text + "</answer>"):
        with quickly():
            score(generation)


PIECES = [
    "\\boxed{",
    "}",
    "<answer>",
    "</answer>",
    "1",
    "-",
    ".",
    ",",
    "...",
    " ",
    "\n",
    "٣",
    "_",
    "e",
    "inf",
]


@settings(max_examples=100, deadline=None)
@given(st.text() | st.lists(st.sampled_from(PIECES)).map("".join))
def test_any_text_gets_a_score(generation):
    assert isinstance(score(generation), Score)
    assert isinstance(score("\\boxed{" + generation + "}"), Score)
