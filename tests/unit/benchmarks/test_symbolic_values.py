import pytest
import sympy

from weft.benchmarks import symbolic_values
from weft.benchmarks.symbolic_values import compare

SAME = [
    (r"\frac{1}{\sqrt{n}}", r"\sqrt{\frac{1}{n}}"),
    (r"\sqrt{a}\sqrt{b}", r"\sqrt{ab}"),
    (r"\frac{1}{2}+\frac{\sqrt{3}}{2}{I}", r"e^{{I}\pi/3}"),
    (r"\{1, \sqrt{x}\sqrt{x}\}", r"\{1, x\}"),
    ("(x, 2)", r"(\sqrt{x}\sqrt{x}, 2)"),
    ("5", r"5\%"),
    (r"\frac{1}{3^{80}}", "3^{-80}"),
]
DIFFERENT = [
    ("x", r"\sqrt{x^2}"),
    ("x", "|x|"),
    (r"\frac{1}{3^{80}}", r"\frac{1}{3^{81}}"),
    ("0", r"\frac{1}{100!}"),
    ("(1, 10^{-21})", "(1, 10^{-20})"),
    ("(1,2),(3,4)", "(1,2),(4,3)"),
    ("(1,3,5)", r"\{5,1,3\}"),
    ("x + 1", "x + 2"),
    ("x", "y"),
]


@pytest.mark.parametrize(("reference", "stated"), SAME)
def test_values_that_agree_at_all_points_are_equal(reference, stated):
    assert compare(reference, stated)


@pytest.mark.parametrize(("reference", "stated"), DIFFERENT)
def test_other_values_differ(reference, stated):
    assert not compare(reference, stated)


@pytest.mark.parametrize("code", ["Integer (5 )", "Float ('0.5' )", "Symbol ('x' )", "E "])
def test_single_numbers_and_symbols_are_built(code):
    assert str(symbolic_values._build(code)) in ("5", "0.500000000000000", "x", "E")


@pytest.mark.parametrize(
    "code",
    [
        "__import__ ('os').system ('touch harm')",
        "Integer (5 )**Integer (5 )",
        "Symbol ('x' ).__class__",
        "Symbol ('x)' )",
        "Function ('f' )(Symbol ('x' ))",
        "Integer",
        "E\n()",
    ],
)
def test_text_never_becomes_code(code):
    with pytest.raises(ValueError, match="not evaluated as code"):
        symbolic_values._build(code)


def test_sympy_itself_cannot_evaluate_text(tmp_path):
    with pytest.raises(ValueError, match="not evaluated as code"):
        sympy.sympify(f"__import__('pathlib').Path('{tmp_path / 'harm'}').touch()")
    assert not (tmp_path / "harm").exists()
