import pytest

from weft.benchmarks.math500 import clean_up, is_equivalent, score_d1, score_strict
from weft.errors import ScoringError
from weft.records import Verdict


def score(generation, reference="7"):
    return score_d1(generation, question="", reference=reference)


@pytest.mark.parametrize(
    ("generation", "answer"),
    [
        pytest.param(r"so \boxed{7}.", "7", id="box"),
        pytest.param("so 7", "so 7", id="no box: the whole text"),
        pytest.param("<answer>7</answer>", "<answer>7</answer>", id="no box: tags do not count"),
        pytest.param(r"\boxed{} <answer>7</answer>", "7", id="empty box: tags"),
        pytest.param(r"\boxed{7 <answer>7</answer>", "7", id="open box: tags"),
        pytest.param(r"\boxed{}", "", id="empty box, no tags"),
        pytest.param(r"\boxed{7", None, id="open box, no tags"),
    ],
)
def test_the_answer_is_the_last_box_or_else_the_tags(generation, answer):
    result = score(generation)
    assert result.extracted == answer
    assert result.verdict is (Verdict.CORRECT if answer == "7" else Verdict.WRONG)


@pytest.mark.parametrize(
    ("answer", "cleaned"),
    [
        pytest.param("1 000\n", "1000", id="white space"),
        pytest.param(r"1\!000", "1000", id="negative space"),
        pytest.param(r"\dfrac{1}{2}", r"\frac{1}{2}", id="dfrac"),
        pytest.param(r"\tfrac12", r"\frac{1}{2}", id="tfrac"),
        pytest.param(r"\frac1{72}", r"\frac{1}{72}", id="first argument bare"),
        pytest.param(r"\frac{72}1", r"\frac{72}1", id="second argument bare stays"),
        pytest.param(r"\frac12\pi + \frac{1}{3}", r"\frac{1}{2}\pi+\frac{1}{3}", id="two fractions"),
        pytest.param(r"\frac7", r"\frac7", id="half a fraction stays"),
        pytest.param(r"\left( 1, 2 \right)", "(1,2)", id="left and right"),
        pytest.param(r"90^\circ", "90", id="degrees"),
        pytest.param(r"90^{\circ}", "90", id="degrees in braces"),
        pytest.param(r"\$5", "5", id="dollars"),
        pytest.param(r"50\%", "50", id="per cent"),
        pytest.param(r"5\text{ cm}", "5", id="unit"),
        pytest.param(r"\text{even}", r"\text{even}", id="a word is no unit"),
        pytest.param(".25", "0.25", id="leading zero"),
        pytest.param("3 + .25", "3+0.25", id="leading zero inside"),
        pytest.param(r"\sqrt{.25}", r"\sqrt{0.25}", id="leading zero in braces"),
        pytest.param(r"\sqrt2 + \sqrt{3}", r"\sqrt{2}+\sqrt{3}", id="roots"),
        pytest.param("x = 5", "5", id="left side of two characters"),
        pytest.param("x_1 = 5", "x_1=5", id="longer left side"),
        pytest.param("a = b = 5", "a=b=5", id="two equations"),
        pytest.param("0.5", r"\frac{1}{2}", id="one half"),
        pytest.param("0.50", "0.50", id="only as 0.5"),
        pytest.param("3/4", r"\frac{3}{4}", id="slash"),
        pytest.param("-3/4", r"\frac{-3}{4}", id="slash and sign"),
        pytest.param("03/4", "03/4", id="slash and leading zero"),
        pytest.param("1/2/3", "1/2/3", id="two slashes"),
        pytest.param(r"a \\ b", "a\\b", id="line break"),
        pytest.param("", "", id="nothing"),
    ],
)
def test_an_answer_is_cleaned_up(answer, cleaned):
    assert clean_up(answer) == cleaned


@pytest.mark.parametrize(
    ("prediction", "reference", "is_same"),
    [
        pytest.param(r"\dfrac12", "1/2", True, id="fractions"),
        pytest.param(r"\frac{2}{4}", r"\frac{1}{2}", False, id="no values"),
        pytest.param("1,000", "1000", False, id="commas stay"),
        pytest.param("x^2 / 2", "x^2/2", False, id="a slash between other things: as they are"),
        pytest.param("x^2/2", "x^2/2", True, id="a slash between other things, same text"),
        pytest.param(r"5\text{ cm}\text{ wide}", "5", False, id="two units: as they are"),
        pytest.param(r"\sqrt", r"\sqrt", True, id="nothing under a root: as they are"),
        pytest.param("7 ", r"\frac", False, id="a broken reference: as they are"),
    ],
)
def test_answers_are_the_same_after_the_clean_up(prediction, reference, is_same):
    assert is_equivalent(prediction, reference) is is_same


@pytest.mark.parametrize(
    "answer", [r"\sqrt", r"2\sqrt\sqrt3", r"\frac", r"\frac\frac12", "a/b", "/", "1/" + "2" * 5000]
)
def test_some_answers_cannot_be_cleaned_up(answer):
    with pytest.raises(ValueError, match=r"argument|invalid literal|limit"):
        clean_up(answer)


@pytest.mark.parametrize("reference", [None, 7, ["7"]])
def test_a_foreign_reference_is_an_error(reference):
    with pytest.raises(ScoringError, match="must be a string"):
        score(r"\boxed{7}", reference)


def score_strictly(generation, reference="7"):
    return score_strict(generation, question="", reference=reference)


@pytest.mark.parametrize(
    ("answer", "reference"),
    [
        (r"\dfrac12", r"\frac{1}{2}"),
        (r"\frac{2}{4}", r"\frac{1}{2}"),
        ("$0.50$", r"\frac{1}{2}"),
        (r"\(7i - 2\)", "-2 + 7i"),
        ("58500", "58,500"),
        ("36.00", r"\$36"),
        ("east", r"\text{east}"),
        ("C", r"\text{(C)}"),
        ("12 cm", "12"),
        ("8 + 8 + 15 = 31", "31"),
        ("42.", "42"),
        (r"n = \frac{6}{2}.", "3"),
        ("$\\frac{1}{2}$.", r"\frac{1}{2}"),
        ("**7**", "7"),
        ("55°", r"55^\circ"),
        (r"55\degree", r"55^\circ"),
        (r"1\,234", "1234"),
        (r"\varnothing", r"\emptyset"),
        (r"(-∞, 0]", r"(-\infty, 0]"),
        ("−7", "-7"),
        (r"7\text{ cm}", "7"),
        (r"5.4 \text{ cents}", r"5.4 \text{ cents}"),
        ("4210_5", "4210_{5}"),
        ("2516", "2516_8"),
        ("101_{10}", "101"),
        ("2ab_{16}", "2AB_{16}"),
        ("12**3", "1728"),
        ("5.4", r"5.4 \text{ cents}"),
        (r"\frac{270}{7}", r"\frac{270}7\text{ degrees}"),
        ("\\begin{pmatrix} 1\n\\\\ 2 \\end{pmatrix}", r"\begin{pmatrix} 1 \\ 2 \end{pmatrix}"),
    ],
)
def test_strict_compares_values(answer, reference):
    assert score_strictly(f"\\boxed{{{answer}}}", reference).verdict is Verdict.CORRECT


@pytest.mark.parametrize(
    ("generation", "reference"),
    [
        (r"\boxed{7} or \boxed{8}", "7"),
        (r"\boxed{0.33}", r"\frac{1}{3}"),
        (r"\boxed{x}", "y"),
        (r"\boxed{0.333333}", r"\frac{1}{3}"),
        (r"\boxed{7 \text{ or } 8}", "7"),
        (r"\boxed{7\text{ and }8}", "7"),
        (r"\boxed{4210_{7}}", "4210_{5}"),
        (r"\boxed{101_2}", "101"),
        (r"\boxed{4210_{ 6 }}", "4210_{5}"),
        (r"\boxed{-4210_6}", "-4210_5"),
        (r"\boxed{2**3}", "23"),
        (r"\boxed{7}", r"7 \text{ or } 8"),
        (r"\boxed{\sqrt{50}}", "7"),
        ("7", "7"),
        ("<answer>7", "7"),
        (r"\boxed{" + "1+" * 500 + "1}", "501"),
    ],
)
def test_strict_refuses_other_values_and_what_is_not_stated(generation, reference):
    assert score_strictly(generation, reference).verdict is Verdict.WRONG


def test_strict_cannot_score_what_takes_too_long():
    result = score_strictly(r"\boxed{9^{9^{9^9}}}")
    assert (result.verdict, result.extracted) == (Verdict.UNSCORABLE, "9^{9^{9^9}}")
    assert "longer than" in result.reason
    assert score_strictly(r"\boxed{14/2}").verdict is Verdict.CORRECT


def test_strict_needs_a_reference():
    with pytest.raises(ScoringError, match="must not be blank"):
        score_strictly(r"\boxed{7}", " ")
    with pytest.raises(ScoringError, match="must be a string"):
        score_strictly(r"\boxed{7}", None)
