import pytest

from weft.benchmarks.latex_words import find_significant, find_unit, find_words, mark_words, write_bases


@pytest.mark.parametrize(
    ("latex", "marked"),
    [
        ("72 square feet", r"72 \text{square feet}"),
        ("2ab", "2ab"),
        ("AB + 3pi", r"\mathrm{AB} + 3\pi"),
        ("72 km/h", r"72 \text{km/h}"),
        ("yd", "y{d}"),
        ("3 yd", r"3 \text{yd}"),
        ("f'(x)", "f_{prime}(x)"),
        ("2 or 5", "2, 5"),
        ("1 1/4", r"1\frac{1}{4}"),
        ("2 3", "2, 3"),
        ("12 000", "12000"),
        ("2i", "2{I}"),
    ],
)
def test_words_are_marked(latex, marked):
    assert mark_words(latex) == marked


def test_bases_in_words_become_subscripts():
    assert write_bases("101 base two") == write_bases(r"101_{2} \text{ (base 2)}") == "101_{2}"


@pytest.mark.parametrize(
    ("words", "unit"),
    [
        ("square centimeters", "centimetre^2"),
        ("cm^2", "centimetre^2"),
        ("miles per hour", "mile/hour"),
        ("mph", "mile/hour"),
        ("apples", None),
        ("", None),
    ],
)
def test_units_have_one_spelling(words, unit):
    assert find_unit(words) == unit


def test_words_are_found_without_articles():
    assert find_words(r"on the \text{Last} day") == ["last", "day"]
    assert find_significant(["at", "least", "two"]) == ["least"]
