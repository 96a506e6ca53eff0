import pytest

from weft.benchmarks.countdown import score_d1, score_strict
from weft.errors import ScoringError
from weft.records import Verdict

CORRECT, WRONG, UNSCORABLE = Verdict.CORRECT, Verdict.WRONG, Verdict.UNSCORABLE


def score(generation, reference=((3, 5, 20), 12)):
    reference = [list(reference[0]), reference[1]] if isinstance(reference, tuple) else reference
    return score_d1(generation, question="", reference=reference)


@pytest.mark.parametrize(
    ("generation", "expression", "verdict"),
    [
        pytest.param(r"\boxed{20 - 3 - 5}", "20 - 3 - 5", CORRECT, id="right"),
        pytest.param(r"\boxed{20 - (5 + 3)}", "20 - (5 + 3)", CORRECT, id="any order"),
        pytest.param(r"\boxed{20 - 3 - 5 = 12}", "20 - 3 - 5", CORRECT, id="left side of an equation"),
        pytest.param(r"\boxed{20 - 3 - 5 = 99}", "20 - 3 - 5", CORRECT, id="the right side is not looked at"),
        pytest.param(r"\boxed{x = 20 - 3 - 5}", "", WRONG, id="nothing but a blank on the left"),
        pytest.param(r"\boxed{20 + 3 - 5}", "20 + 3 - 5", WRONG, id="another value"),
        pytest.param(r"\boxed{4 * 3}", "4 * 3", WRONG, id="other numbers"),
        pytest.param(r"\boxed{20 - 5 - 3 + 3 - 3}", "20 - 5 - 3 + 3 - 3", WRONG, id="a number used twice"),
        pytest.param(r"\boxed{20 - 5}", "20 - 5", WRONG, id="a number left out"),
        pytest.param(r"\boxed{12}", "12", WRONG, id="the target itself"),
        pytest.param(r"\boxed{20, 3, 5}", "20, 3, 5", WRONG, id="a list"),
        pytest.param(r"\boxed{20 / (5 - 5) + 3}", "20 / (5 - 5) + 3", WRONG, id="division by zero"),
        pytest.param(r"\boxed{}", "", WRONG, id="an empty box ends the search"),
        pytest.param(r"\boxed{20 - 3 - 5 <answer>20-3-5</answer>", "20-3-5", CORRECT, id="open box: tags"),
        pytest.param(r"\boxed{20 - 3 - 5", r"\boxed{20 - 3 - 5", WRONG, id="open box: whole text"),
        pytest.param("I get 20 - 3 - 5 = 12.", "20 - 3 - 5", CORRECT, id="no box: first equation"),
        pytest.param(
            "<answer>20 - 3 - 5</answer>", "<answer>20 - 3 - 5</answer>", WRONG, id="no box: no tags"
        ),
        pytest.param("20 - 3 - 5", "20 - 3 - 5", CORRECT, id="nothing but the expression"),
        pytest.param("\\boxed{20 - 3\n- 5}", "20 - 3\n- 5", WRONG, id="two lines"),
        pytest.param("\\boxed{(20 - 3\n- 5)}", "(20 - 3\n- 5)", CORRECT, id="two lines in brackets"),
        pytest.param(r"\boxed{20 - 3 - 05}", "20 - 3 - 05", WRONG, id="leading zero"),
        pytest.param("", "", WRONG, id="nothing"),
    ],
)
def test_an_expression_is_right_or_wrong(generation, expression, verdict):
    result = score(generation)
    assert (result.extracted, result.verdict) == (expression, verdict)


@pytest.mark.parametrize(
    ("generation", "numbers", "target"),
    [
        (r"\boxed{6 \times 4}", [4, 6], 24),
        (r"\boxed{6 \cdot 4}", [4, 6], 24),
        (r"\boxed{24 \div 4}", [4, 24], 6),
        (r"\boxed{10 / 3}", [3, 10], 3.333333),
        (r"\boxed{2 ** 3}", [2, 3], 8),
        (r"\boxed{7 // 2}", [2, 7], 3),
        (r"\boxed{1.5 * 4}", [1, 4, 5], 6),
        (r"\boxed{7 - -3}", [7, 3], 10),
        (r"\boxed{5 - 5 + 0}", [5, 0, 5], 0),
    ],
)
def test_expressions_that_python_accepts_are_accepted(generation, numbers, target):
    assert score(generation, (numbers, target)).verdict is CORRECT


def test_the_first_equation_with_a_number_on_its_right_counts():
    assert score(r"\boxed{x=y, (=a, 3 + 4 =b, 20-3-5= 12, 3+4=7}").extracted == "20-3-5"


def test_given_numbers_that_are_equal_are_used_that_often():
    assert score(r"\boxed{3 + 3 + 4}", ([3, 4, 3], 10)).verdict is CORRECT
    assert score(r"\boxed{3 + 4 + 4}", ([3, 4, 3], 11)).verdict is WRONG


def test_values_are_compared_within_a_tolerance():
    assert score(r"\boxed{1 / 3}", ([1, 3], 0.333332)).verdict is CORRECT
    assert score(r"\boxed{1 / 3}", ([1, 3], 0.333322)).verdict is WRONG


def test_a_power_that_takes_too_long_is_unscorable():
    result = score(r"\boxed{99 ** 98 ** 97}", ([97, 98, 99], 1))
    assert (result.verdict, result.credit) == (UNSCORABLE, 0.0)
    assert "bits" in result.reason


def test_a_power_of_wrong_numbers_is_wrong_and_not_computed():
    assert score(r"\boxed{9 ** 9 ** 9 ** 9}").verdict is WRONG


@pytest.mark.parametrize("deep", ["(" * 1000 + "20-3-5" + ")" * 1000, "-" * 100_000 + "20-3-5"])
def test_deep_nesting_is_wrong(deep):
    result = score(r"\boxed{" + deep + "}")
    assert result.verdict is WRONG
    assert result.reason


def test_a_huge_float_is_wrong():
    assert score(r"\boxed{9 ** 9999}", ([9, 9999], 0.5)).verdict is WRONG


@pytest.mark.parametrize(
    "reference", [None, "12", [[3, 5]], [[3, 5], None], [[3, "5"], 8], [[3, 5], True], [3, 5, 8], {"a": 1}]
)
def test_a_foreign_reference_is_an_error(reference):
    with pytest.raises(ScoringError, match=r"\[\[numbers\], target\]"):
        score(r"\boxed{3 + 5}", reference)


def score_strictly(generation, reference=((3, 5, 20), 12)):
    return score_strict(generation, question="", reference=[list(reference[0]), reference[1]])


@pytest.mark.parametrize(
    "content",
    [
        pytest.param("20 - 3 - 5", id="plain"),
        pytest.param("20-(5+3)", id="brackets"),
        pytest.param("-3 - 5 + 20", id="a sign"),
        pytest.param("20 − 3 – 5", id="other minus signs"),
        pytest.param(r"20 - \left(3 + 5\right)", id="tall brackets"),
        pytest.param("20 - 3 - 5 = 12", id="its value behind it"),
        pytest.param("20 - 3 - 5 = 12 = 24/2", id="its value twice"),
        pytest.param("12 = 20 - 3 - 5", id="its value before it"),
        pytest.param("$20 - 3 - 5$", id="dollar signs"),
        pytest.param(r"\(20 - 3 - 5\)", id="round signs of mathematics"),
        pytest.param(r"\[ 20 - 3 - 5 = 12 \]", id="square signs of mathematics"),
        pytest.param("20 - 3 - 5.", id="a full stop"),
        pytest.param("20 - 3 - 5 = 12.0", id="its value as a decimal"),
        pytest.param("20\\,-\n3 -\u00a05", id="other spaces"),
        pytest.param(r"\text{20 - 3 - 5}", id="text"),
        pytest.param("20 - [3 + 5]", id="square brackets"),
        pytest.param(r"20 - \{3 + 5\}", id="escaped braces"),
        pytest.param(r"20 - \bigl(3 + 5\bigr)", id="brackets of a size"),
        pytest.param("20 － 3 ➖ 5", id="wide minus signs"),
        pytest.param("20 minus 3 minus 5", id="words"),
        pytest.param(r"20 - (3 \text{ plus } 5)", id="words in LaTeX"),
        pytest.param("20 &minus; 3 &minus; 5", id="entities"),
        pytest.param("Answer: 20 - 3 - 5", id="a label"),
        pytest.param(r"\text{Answer: } 20 - 3 - 5", id="a label in LaTeX"),
        pytest.param("The expression is 20 - 3 - 5", id="a sentence"),
        pytest.param("x = 20 - 3 - 5 = 12", id="a name"),
        pytest.param("20 - 3 - 5 (= 12)", id="its value in brackets"),
        pytest.param("20 - 3 - 5 == 12", id="two equals signs"),
        pytest.param(r"20 - 3 - 5 \approx 12", id="an about sign"),
        pytest.param("20 - 3 - 5 → 12", id="an arrow"),
        pytest.param("20 - 3 - 5 => 12", id="an arrow of two signs"),
        pytest.param("20 - 3 - 5 equals 12", id="equals in words"),
        pytest.param("(20 - 3) - 5 = 17 - 5 = 12", id="steps"),
        pytest.param("**20 - 3 - 5**", id="bold type"),
        pytest.param("`20 - 3 - 5`", id="code"),
        pytest.param(r"\textbf{20} - \mathbf{3 - 5}", id="bold type in LaTeX"),
        pytest.param(r"20 - \color{red}{3} - 5", id="a colour"),
        pytest.param(r"20 - \textcolor{red}{3 - 5}", id="a colour of a difference"),
        pytest.param(r"20 \hspace{3mm} - 3 - 5", id="a space of LaTeX"),
        pytest.param(r"20 - 3 - 5 \\", id="the end of a row"),
        pytest.param(r"20 -{} 3 - 5", id="empty braces"),
        pytest.param("２０ - ３ - ５", id="full-width digits"),
    ],
)
def test_strict_takes_an_expression_in_any_writing(content):
    assert score_strictly(f"\\boxed{{{content}}}").verdict is CORRECT
    assert score_strictly(f"<answer>{content}</answer>").verdict is CORRECT


@pytest.mark.parametrize(
    ("content", "numbers", "target"),
    [
        pytest.param(r"\frac{20}{5} \times 3", (3, 5, 20), 12, id="a fraction and a product"),
        pytest.param(r"20 \div 5 \cdot 3", (3, 5, 20), 12, id="a quotient"),
        pytest.param("20 ÷ 5 × 3", (3, 5, 20), 12, id="signs beyond ASCII"),
        pytest.param(r"\frac63 + 5", (3, 5, 6), 7, id="a fraction without braces"),
        pytest.param(r"\frac{12}{\frac{3}{2}}", (2, 3, 12), 8, id="a fraction in a fraction"),
        pytest.param(r"\frac{6}{3}(4)", (3, 4, 6), 8, id="a fraction times a bracket"),
        pytest.param("4(2 + 3)", (2, 3, 4), 20, id="a product without a sign"),
        pytest.param("(2)(3)4", (2, 3, 4), 24, id="products of brackets"),
        pytest.param("2 x 3 x 4", (2, 3, 4), 24, id="the letter x"),
        pytest.param("12 ⋅ 3", (3, 12), 36, id="a dot operator"),
        pytest.param("12 ∙ 3 • 2", (2, 3, 12), 72, id="bullets"),
        pytest.param("12 ∗ 3 ✕ 2", (2, 3, 12), 72, id="other signs of a product"),
        pytest.param(r"12 \ast 3", (3, 12), 36, id="a star in LaTeX"),
        pytest.param("12 times 3", (3, 12), 36, id="times"),
        pytest.param("12 divided by 3", (3, 12), 4, id="divided by"),
        pytest.param(r"12 \text{ divided by } 3", (3, 12), 4, id="divided by, in LaTeX"),
        pytest.param("{12}/{3}", (3, 12), 4, id="braces around numbers"),
        pytest.param(r"{12} {\times} {3}", (3, 12), 36, id="braces around an operator"),
        pytest.param("12 : 3", (3, 12), 4, id="a colon"),
        pytest.param("12 ∕ 3", (3, 12), 4, id="a division slash"),
        pytest.param(r"{12 \over 3}", (3, 12), 4, id="over"),
        pytest.param(r"\frac{12}3", (3, 12), 4, id="a fraction, half without braces"),
        pytest.param(r"\frac1{12} \cdot 3", (1, 3, 12), 0.25, id="a fraction, the other half"),
        pytest.param(r"\frac {\text{12}} {3}", (3, 12), 4, id="text in a fraction"),
        pytest.param("8 / (3 - 8 / 3)", (3, 3, 8, 8), 24, id="thirds on the way"),
        pytest.param("(1 / 49 + 1 / 49) * 49 * 49", (1, 1, 49, 49, 49, 49), 98, id="no rounding"),
    ],
)
def test_strict_computes_exactly(content, numbers, target):
    assert score_strictly(f"\\boxed{{{content}}}", (numbers, target)).verdict is CORRECT


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        pytest.param("20 - 3 - 5 = 13", "not the target", id="a false equation"),
        pytest.param("20 - 3 - 5 = ?", "numbers and", id="half an equation"),
        pytest.param("20 + 3 - 5", "not the target", id="another value"),
        pytest.param("20 - 8", "not exactly the given", id="other numbers"),
        pytest.param("20 - 3 - 5 + 3 - 3", "not exactly the given", id="a number twice"),
        pytest.param("13 = 20 - 3 - 5", "not the target", id="a false value first"),
        pytest.param("20 - 8 = 12", "not exactly the given", id="a true equation of other numbers"),
        pytest.param("203 - 5", "not exactly the given", id="digits put together"),
        pytest.param("20 ** 3 - 5", "integers and", id="a power"),
        pytest.param("20 // 3 + 5", "integers and", id="a floor"),
        pytest.param("20.3 - 5", "integers and", id="a decimal"),
        pytest.param("20 - 3 - 5 = 12.5", "not the target", id="a false decimal"),
        pytest.param(r"20 - 3\frac{5}{1}", "not exactly the given", id="a mixed number of other numbers"),
        pytest.param("20 - 3$5", "well-formed", id="a sign that parts digits"),
        pytest.param("2$0 - 3 - 5", "not exactly the given", id="a sign that joins digits"),
        pytest.param("20 / (5 - 5 * 3 / 3)", "not exactly the given", id="nearly by zero"),
        pytest.param("3 5 20", "well-formed", id="no operators"),
        pytest.param("20 - 3 - 5 marbles", "numbers and", id="a unit"),
        pytest.param("(20 - 3 - 5", "well-formed", id="an open bracket"),
        pytest.param(r"20 - 3 - 5 \approx 13", "not the target", id="about another value"),
        pytest.param("(20 - 3) - 5 = 16 - 5 = 12", "not the target", id="a false step"),
        pytest.param("x = 12", "not exactly the given", id="a name and the value"),
        pytest.param("12.0", "not exactly the given", id="the value as a decimal"),
        pytest.param(r"\phantom{20} - 3 - 5", "numbers and", id="what cannot be seen"),
        pytest.param(r"\hspace{20mm} - 3 - 5", "not exactly the given", id="a number in a command"),
        pytest.param("{20}{3} - 5", "numbers and", id="braces beside braces"),
        pytest.param("20 - 3 - 5 or 20 - 5 - 3", "not exactly the given", id="two expressions"),
        pytest.param(r"20 - 3 - 5 \neq 12", "not exactly the given", id="a sign of inequality"),
        pytest.param("-" * 2000 + "3 + 5 + 20", "at most 1000", id="too long"),
    ],
)
def test_strict_refuses_other_expressions(content, reason):
    result = score_strictly(f"\\boxed{{{content}}}")
    assert (result.verdict, reason in result.reason) == (WRONG, True), result.reason


def test_strict_finds_no_value_in_a_division_by_zero():
    result = score_strictly(r"\boxed{20 / (3 - 3)}", ((3, 3, 20), 0))
    assert (result.verdict, "ZeroDivisionError" in result.reason) == (WRONG, True)


def test_strict_takes_no_mixed_number_for_a_product():
    assert score_strictly(r"\boxed{2\frac{1}{2}}", ((2, 1, 2), 1)).verdict is WRONG


def test_strict_needs_a_stated_expression():
    assert score_strictly("20 - 3 - 5").verdict is WRONG
    assert score("20 - 3 - 5").verdict is CORRECT


def test_strict_needs_a_reference():
    with pytest.raises(ScoringError, match=r"\[\[numbers\], target\]"):
        score_strict(r"\boxed{3 + 5}", question="", reference=None)
