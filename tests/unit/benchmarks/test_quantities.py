from fractions import Fraction

import pytest

from weft.benchmarks.quantities import read_quantities


def read_values(text, *, is_boxed=True):
    return [set(quantity) for quantity in read_quantities(text, is_boxed=is_boxed)]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("7 500", 7500),
        ("7\u00a0500", 7500),
        ("7\u2009500", 7500),
        (r"7\,500", 7500),
        (r"7\ 500", 7500),
        ("7~500", 7500),
        ("7{,}500", 7500),
        (r"7,\!500", 7500),
        ("7'500", 7500),
        ("7_500", 7500),
        (r"7\_500", 7500),
        ("7, 000", 7000),
        ("1 234 567.5", Fraction(2469135, 2)),
        ("3,45,678", 345678),
        ("7.500", Fraction(15, 2)),
        ("0.750", Fraction(3, 4)),
        ("007", 7),
        ("7k", 7000),
        ("7 thousand", 7000),
        ("2.5 million", 2500000),
        ("$3M", 3000000),
    ],
)
@pytest.mark.parametrize("is_boxed", [True, False])
def test_thousands_are_read(text, value, is_boxed):
    assert read_values(text, is_boxed=is_boxed) == [{value}]


@pytest.mark.parametrize(
    "text", ["7 5", "75 00", "7 50", "7,50", "7 5000", "0 500", "7,500,00", "7 500 5", "7 and 500", "7, 500"]
)
def test_other_groups_of_digits_are_no_thousands(text):
    assert len(read_values(text)) > 1


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("17 1/2", Fraction(35, 2)),
        ("17 and 1/2", Fraction(35, 2)),
        ("17-1/2", Fraction(35, 2)),
        ("17½", Fraction(35, 2)),
        ("17 ¾", Fraction(71, 4)),
        (r"17\frac{1}{2}", Fraction(35, 2)),
        (r"17\ \dfrac12", Fraction(35, 2)),
        ("-17 1/2", Fraction(-35, 2)),
        (r"-17\tfrac{1}{2}", Fraction(-35, 2)),
        ("35/2", Fraction(35, 2)),
        ("35⁄2", Fraction(35, 2)),
        (r"\frac{35}{2}", Fraction(35, 2)),
        (r"-\frac{35}{2}", Fraction(-35, 2)),
        (r"\frac{-35}2", Fraction(-35, 2)),
        ("⅓", Fraction(1, 3)),
        (".5", Fraction(1, 2)),
    ],
)
def test_fractions_and_mixed_numbers_are_read(text, value):
    assert read_values(text) == [{value}]


@pytest.mark.parametrize("text", ["17 5/2", "17 2/2", "7/0", "17/0.5", "1.5.2", "1.234,56", "17 1/2.5"])
def test_other_pairs_of_numbers_are_no_single_quantity(text):
    assert len(read_values(text)) != 1


@pytest.mark.parametrize(
    "text",
    [
        r"1.8 \times 10^1",
        r"1.8 \times 10^{1}",
        r"1.8 \cdot 10^1",
        "1.8 × 10¹",
        "1.8x10^1",
        "1.8 * 10^1",
        "1.8e1",
        "1.8E+01",
        r"1{,}800 \times 10^{-2}",
        "1800 · 10⁻²",
    ],
)
def test_powers_of_ten_are_read(text):
    assert read_values(text) == [{18}]


@pytest.mark.parametrize(
    ("text", "large", "factor"),
    [
        ("1 hour 30 minutes", Fraction(3, 2), 60),
        ("1 hour and 30 minutes", Fraction(3, 2), 60),
        ("1h30m", Fraction(3, 2), 60),
        ("1:30", Fraction(3, 2), 60),
        ("3 weeks, 5 days", Fraction(26, 7), 7),
        ("2 years 3 months", Fraction(9, 4), 12),
        ("4 ft 3 in", Fraction(17, 4), 12),
        ("2 lbs 4 oz", Fraction(9, 4), 16),
        ("1 m 80 cm", Fraction(9, 5), 100),
        ("6 dollars and 25 cents", Fraction(25, 4), 100),
        (r"\$6 and 25 cents", Fraction(25, 4), 100),
        ("£6 and 25 pence", Fraction(25, 4), 100),
    ],
)
def test_two_units_make_one_quantity(text, large, factor):
    assert read_values(text) == [{large, large * factor}]


@pytest.mark.parametrize("text", ["6 apples and 25 cents", "4 hours 3 inches", "3 cats, 5 dogs"])
def test_units_that_do_not_belong_together_make_two_quantities(text):
    assert len(read_values(text)) == 2


@pytest.mark.parametrize(
    ("text", "values"),
    [
        (r"35\%", {35, Fraction(7, 20)}),
        ("35 percent", {35, Fraction(7, 20)}),
        ("3 dozen", {3, 36}),
        ("a dozen eggs", {12}),
        ("half a dozen", {6}),
        ("thirty-one", {31}),
        ("two hundred and five days", {205}),
        ("minus three", {-3}),
        ("zero", {0}),
        ("minus 3", {-3}),
        ("－3", {-3}),
        ("— 3", {-3}),
        ("-(3)", {-3}),
        ("−€3", {-3}),
        (r"\$-3", {-3}),
    ],
)
def test_percent_dozens_words_and_signs_are_read(text, values):
    assert read_values(text) == [values]


@pytest.mark.parametrize("text", ["many", "a third", "thirty or so of them", "the two"])
def test_words_count_only_from_the_beginning(text):
    assert read_values(text) in ([], [{30}])


@pytest.mark.parametrize(
    "text",
    [
        r"\write18{18}",
        r"\write18",
        r"\immediate\write18{ls}",
        r"\hspace{18mm}",
        r"\vspace*{-18pt}",
        r"\kern18pt",
        r"\rule{18pt}{18pt}",
        r"\color{18}",
        r"\tag{18}",
        r"\input{18}",
        r"\cite[p. 18]{18}",
        r"\setcounter{page}{18}",
        r"\includegraphics[width=18cm]{x}",
        r"\def\x{18}",
        r"\newcommand{\x}{18}",
        r"\footnote{18}",
        r"\x18",
    ],
)
@pytest.mark.parametrize("is_boxed", [True, False])
def test_no_number_is_read_from_inside_a_command(text, is_boxed):
    assert read_values(text, is_boxed=is_boxed) == []
    assert read_values(f"{text} 7", is_boxed=is_boxed) == [{7}]


@pytest.mark.parametrize(
    "text",
    [
        r"\textcolor{red}{7}",
        r"\mathbf{7}",
        r"7 \text{ m}^2",
        "7 m²",
        "7 CO2 bottles",
        r"7^{\text{th}}",
        r"7^\circ C",
        "#7",
        "**7** cats",
        "Day 3: 7",
        "Total: $7",
        "7 cats (3 of them black)",
        "$7 for 2 hats",
        "7 miles per 3 hours",
        "7 km/h",
        "3 + 4 = 7",
        "cost = 3, total = 7",
        "cats = 7, dogs = 7",
        r"\[7\]",
        "Rs.7",
        r"7\ \text{cats}",
        "7 = 7.0",
    ],
)
def test_what_stands_around_a_quantity_is_left_out(text):
    assert set(map(frozenset, read_values(text))) == {frozenset({7})}


@pytest.mark.parametrize(
    "text",
    [r"\sqrt{49}", "3 + 4", r"3 \cdot 4", "7!", "7^2", "3 x 4", "x + 7", "±7", r"\pm 7", "7 = 3 + 4", "--7"],
)
def test_an_expression_in_a_box_is_no_quantity(text):
    assert read_values(text) == []


@pytest.mark.parametrize(
    "text", [r"\sqrt{49}", "√49", "3 + 4", r"3 \cdot 4", "7^2", "x + 7", "±7", "so 3 + 4"]
)
def test_an_expression_in_tags_is_no_quantity(text):
    assert read_values(text, is_boxed=False) == []


@pytest.mark.parametrize(
    ("text", "values"),
    [
        pytest.param("He has 3 bags of 2, so 6.", [{6}], id="so"),
        pytest.param("3 weeks of 5 days is 15 days", [{15}], id="is"),
        pytest.param("First 3 + 4, then 7", [{7}], id="then"),
        pytest.param("7 cats and 4 dogs", [{7}, {4}], id="two things"),
        pytest.param("7 or 8", [{7}, {8}], id="a choice"),
        pytest.param("- 7", [{7, -7}], id="an item or a negative number"),
        pytest.param("- $7", [{7, -7}], id="an item or a debt"),
        pytest.param("Change - 7 dollars", [{7}], id="a dash"),
    ],
)
def test_of_a_sentence_in_tags_the_result_counts(text, values):
    assert read_values(text, is_boxed=False) == values
