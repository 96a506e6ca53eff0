import pandas as pd
import pytest

from weft.report.markup import escape_latex, to_markdown
from weft.report.presentation import Table


@pytest.fixture
def table():
    cells = pd.DataFrame({"method": ["a|b", "SFT_1"], "mean, %": ["1.0 ± 0.5", "−2.0"]})
    return Table(
        "t", "Experiment", "accuracy", cells, caption="Not the paper's numbers & 100 %.", notes=("A note.",)
    )


def test_markdown(table):
    assert to_markdown(table) == (
        "**Experiment: accuracy**\n\n"
        "| method | mean, % |\n| :--- | ---: |\n| a\\|b | 1.0 ± 0.5 |\n| SFT_1 | −2.0 |\n\n"
        "A note.\n\n*Not the paper's numbers & 100 %.*\n"
    )


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("50 % of a_b & c#d", r"50 \% of a\_b \& c\#d"),
        ("$x^2$", r"\$x\textasciicircum{}2\$"),
        (r"\input{x}", r"\textbackslash{}input\{x\}"),
        ("p < 0.001", "p $<$ 0.001"),
        ("4×4", r"4$\times$4"),
        ("two\nlines", "two lines"),
    ],
)
def test_latex_text_is_safe_to_compile(text, escaped):
    assert escape_latex(text) == escaped
