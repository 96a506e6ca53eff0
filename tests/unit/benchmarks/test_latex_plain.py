import pytest

from weft.benchmarks.latex_plain import MAX_DEPTH, brace_arguments, write_plainly


@pytest.mark.parametrize(
    ("latex", "plain"),
    [
        (r"\color{red}{\dfrac\pi2}\,\mathrm{cm}", r"\frac{\pi}{2} \text{cm}"),
        (r"\mathrm{e}^{\mathrm{i}\pi}", r"e ^{ i \pi}"),
        (r"\{1,2\}", r"\{1,2\}"),
        ("x^10", "x^{10}"),
        (r"\frac12", r"\frac{1}{2}"),
        ("so 15.", "so 15"),
    ],
)
def test_an_answer_is_written_plainly(latex, plain):
    assert write_plainly(latex) == plain


@pytest.mark.parametrize(
    "latex", ["{" * 400, "}" * 400, r"\frac" * 150, r"\sqrt[" * 100, "{" * 400 + "}" * 400, ""]
)
def test_any_braces_can_be_read(latex):
    write_plainly(latex)


def test_deep_braces_are_left_as_they_are():
    deep, deeper = (r"\sqrt{" * depth + r"\frac12" + "}" * depth for depth in (MAX_DEPTH, MAX_DEPTH + 1))
    assert r"\frac{1}{2}" in brace_arguments(deep)
    assert brace_arguments(deeper) == deeper
