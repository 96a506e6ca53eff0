import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weft.benchmarks import find_scorer
from weft.benchmarks.gsm8k import score_d1, score_strict
from weft.errors import ScoringError
from weft.records import Verdict


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


def test_nan_is_not_equal_to_any_reference():
    assert score(r"\boxed{nan}", float("nan")).verdict is Verdict.WRONG


@pytest.mark.parametrize("reference", ["18", [18], True])
def test_a_foreign_reference_is_an_error(reference):
    with pytest.raises(ScoringError, match="number or null"):
        score(r"\boxed{18}", reference)


def score_strictly(generation, reference=18.0):
    return find_scorer("gsm8k", "strict")(generation, question="", reference=reference)


@pytest.mark.parametrize(
    ("content", "reference"),
    [
        pytest.param("18", 18.0, id="a number"),
        pytest.param("18.0", 18, id="a decimal"),
        pytest.param(".5", 0.5, id="no leading zero"),
        pytest.param("1,800", 1800.0, id="a separator of thousands"),
        pytest.param("1,234,567.5", 1234567.5, id="several separators"),
        pytest.param(r"1{,}800", 1800.0, id="a separator in braces"),
        pytest.param(r"385\,000", 385000.0, id="a thin space"),
        pytest.param("$18", 18.0, id="dollars"),
        pytest.param(r"\$1,800.00", 1800.0, id="escaped dollars with cents"),
        pytest.param("€18", 18.0, id="euros"),
        pytest.param("-18", -18.0, id="below zero"),
        pytest.param("-$18", -18.0, id="dollars below zero"),
        pytest.param("−18", -18.0, id="a true minus sign"),
        pytest.param("18 marbles", 18.0, id="a unit"),
        pytest.param(r"18\text{ marbles}", 18.0, id="a unit in LaTeX"),
        pytest.param(r"18\%", 18.0, id="percent"),
        pytest.param("3 * 6 = 18", 18.0, id="the right side of an equation"),
        pytest.param("x = 18", 18.0, id="a variable"),
        pytest.param("18 = 18", 18.0, id="one number twice"),
        pytest.param(r"\frac{9}{2}", 4.5, id="a fraction"),
        pytest.param("9/2", 4.5, id="a plain fraction"),
        pytest.param(r"\dfrac12", 0.5, id="a fraction without braces"),
        pytest.param(r"2\frac{1}{2}", 2.5, id="a mixed number"),
        pytest.param(r"-2\frac12 \text{ miles}", -2.5, id="a mixed number below zero"),
        pytest.param("1\u202f234\u00a0567", 1234567.0, id="narrow spaces"),
        pytest.param("18.", 18.0, id="a full stop"),
        pytest.param("18 m^2", 18.0, id="square metres"),
        pytest.param(r"18\text{ m}^{2}", 18.0, id="square metres in LaTeX"),
        pytest.param("3 1/2", 3.5, id="a plain mixed number"),
        pytest.param("Rs.18", 18.0, id="rupees"),
        pytest.param(r"18\text{ in.}^2", 18.0, id="square inches"),
        pytest.param(r"18^{\circ}", 18.0, id="degrees"),
        pytest.param(r"18^\circ C", 18.0, id="degrees of heat"),
        pytest.param("**18**", 18.0, id="bold type"),
        pytest.param("eighteen", 18.0, id="a word"),
        pytest.param("7 500", 7500.0, id="a space between thousands"),
        pytest.param("17 1/2", 17.5, id="a mixed number with a space"),
        pytest.param(r"1.8 \times 10^1", 18.0, id="a power of ten"),
        pytest.param("1 hour 30 minutes", 1.5, id="two units, in the larger"),
        pytest.param("1 hour 30 minutes", 90.0, id="two units, in the smaller"),
        pytest.param(r"18\hspace{2mm}", 18.0, id="a space of LaTeX"),
        pytest.param("18 (3 bags of 6)", 18.0, id="a remark"),
        pytest.param("&#36;18", 18.0, id="an entity"),
        pytest.param("１８", 18.0, id="wide digits"),
        pytest.param("- $18", -18.0, id="a sign before dollars"),
        pytest.param(r"\textbf{\$18}", 18.0, id="bold type in LaTeX"),
    ],
)
def test_strict_reads_numbers_as_people_write_them(content, reference):
    assert score_strictly(f"\\boxed{{{content}}}", reference).verdict is Verdict.CORRECT
    assert score_strictly(f"<answer>{content}</answer>", reference).verdict is Verdict.CORRECT


@pytest.mark.parametrize(
    ("generation", "reference"),
    [
        pytest.param(r"\boxed{18} or \boxed{17}", 18.0, id="the last one counts"),
        pytest.param(r"\boxed{18 or 17}", 18.0, id="two numbers in a box"),
        pytest.param(r"\boxed{20-2}", -2.0, id="a sum is no negative number"),
        pytest.param(r"\boxed{1,80}", 180.0, id="no separator of thousands"),
        pytest.param(r"\boxed{18.0000001}", 18.0, id="nearly"),
        pytest.param(r"\boxed{18/0}", 0.0, id="nothing divides by zero"),
        pytest.param(r"\boxed{18/0}", 18.0, id="nothing at all divides by zero"),
        pytest.param(r"\boxed{18 + 18}", 18.0, id="an expression of one number twice"),
        pytest.param(r"\boxed{\sqrt{18}}", 18.0, id="a root"),
        pytest.param(r"\boxed{18^{18}}", 18.0, id="a power"),
        pytest.param(r"\boxed{x^{18}}", 8.0, id="half an exponent"),
        pytest.param(r"\boxed{18/1.5}", 18.0, id="half a denominator"),
        pytest.param(r"\boxed{2 \frac{1}{2} 3}", 2.5, id="a mixed number and another"),
        pytest.param("\\boxed{1\u00a023}", 123.0, id="narrow spaces elsewhere"),
        pytest.param(r"\boxed{seventeen}", 18.0, id="another word"),
        pytest.param(r"\boxed{18.000}", 18000.0, id="a point is no separator"),
        pytest.param(r"\boxed{17 1/2}", 8.5, id="no product"),
        pytest.param(r"\boxed{1.8 \times 10^1}", 1.8, id="half a power of ten"),
        pytest.param(r"\boxed{1 hour 30 minutes}", 30.0, id="half of two units"),
        pytest.param(r"\boxed{\write18{18}}", 18.0, id="a command"),
        pytest.param(r"\boxed{2\hspace{18mm}}", 18.0, id="a space of LaTeX"),
        pytest.param(r"<answer>\sqrt{18}</answer>", 18.0, id="a root in tags"),
        pytest.param(r"\boxed{18.5.2}", 18.5, id="no number"),
        pytest.param(r"\boxed{17} and \boxed{18}", 18.0, id="a list of boxes"),
        pytest.param(r"\boxed{18} Then \boxed{1", 1.0, id="a box that was cut off"),
        pytest.param(r"\boxed{(18)}", -18.0, id="brackets are no sign"),
        pytest.param("<answer>18 cats, 4 dogs</answer>", 4.0, id="two things in tags"),
        pytest.param("18", 18.0, id="no box and no tags"),
        pytest.param("<answer>18", 18.0, id="cut off"),
        pytest.param("", 0.0, id="nothing"),
    ],
)
def test_strict_refuses_what_is_not_stated(generation, reference):
    assert score_strictly(generation, reference).verdict is Verdict.WRONG


def test_strict_takes_the_last_number_of_prose_in_tags():
    assert score_strictly("<answer>He has 3 bags of 6, so 18.</answer>").extracted == "18"


@pytest.mark.parametrize("dash", ["- 18", "Total - 18 dollars", "Total – $18", "* item\n- $18"])
def test_a_dash_in_prose_is_not_a_minus_sign(dash):
    assert score_strictly(f"<answer>\n{dash}\n</answer>").verdict is Verdict.CORRECT
    assert score_strictly(r"\boxed{- 18}", -18.0).verdict is Verdict.CORRECT


@pytest.mark.parametrize("reference", [None, "18", True, float("nan"), float("inf")])
def test_strict_needs_a_finite_reference(reference):
    with pytest.raises(ScoringError, match="finite number"):
        score_strictly(r"\boxed{18}", reference)


def test_d1_reads_no_negative_reference():
    assert score(r"\boxed{-18}", -18.0).verdict is Verdict.WRONG
    assert score_strictly(r"\boxed{-18}", -18.0).verdict is Verdict.CORRECT


@settings(max_examples=200, deadline=None)
@given(st.integers(-(10**12), 10**12))
def test_strict_reads_every_integer_with_separators(number):
    assert score_strictly(f"\\boxed{{\\${number:,}}}", float(number)).verdict is Verdict.CORRECT


def test_a_huge_reference_is_compared_exactly():
    box = rf"\boxed{{{10**400}}}"
    assert score_strict(box, question="", reference=10**400).verdict is Verdict.CORRECT
    assert score_strict(box, question="", reference=10**400 + 1).verdict is Verdict.WRONG
