import pytest

from weft.benchmarks.escapes import restore


@pytest.mark.parametrize(
    ("text", "restored"),
    [
        pytest.param(r"\\boxed{7}", r"\boxed{7}", id="a box"),
        pytest.param(r"\\boxed{\\frac{3}{4}}", r"\boxed{\frac{3}{4}}", id="all commands"),
        pytest.param(r"\boxed{\\frac{3}{4}}", r"\boxed{\frac{3}{4}}", id="a command in a plain box"),
        pytest.param(r"\\[\\boxed{7}\\]", r"\[\boxed{7}\]", id="signs of mathematics"),
        pytest.param(r"\boxed{\\pi}", r"\boxed{\pi}", id="a short name"),
        pytest.param(r"\boxed{\\$7}", r"\boxed{\$7}", id="a dollar sign"),
        pytest.param(r"\boxed{7\\%}", r"\boxed{7\%}", id="percent"),
        pytest.param(
            r"\begin{pmatrix}1\\\\2\end{pmatrix}", r"\begin{pmatrix}1\\2\end{pmatrix}", id="a row end"
        ),
        pytest.param(
            r"\\begin{pmatrix}1\\\\2\\end{pmatrix}", r"\begin{pmatrix}1\\2\end{pmatrix}", id="a whole matrix"
        ),
        pytest.param(r"\\\\boxed{7}", r"\\boxed{7}", id="a row end before a box, all doubled"),
    ],
)
def test_double_backslashes_are_halved(text, restored):
    assert restore(text) == restored


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(r"x = 7 \\ \boxed{7}", id="a row end and a space"),
        pytest.param(r"x = 7 \\\boxed{7}", id="a row end before a box"),
        pytest.param(r"\begin{pmatrix}1\\x\end{pmatrix}", id="a row that begins with a letter"),
        pytest.param(r"\begin{pmatrix}1\\index\end{pmatrix}", id="a letter more than a name"),
        pytest.param(r"\begin{array}{c}1\\\text{a}\\\end{array}", id="a row that begins with a command"),
        pytest.param(r"a\\b", id="no command at all"),
    ],
)
def test_ends_of_rows_are_kept(text):
    assert restore(text) == text


@pytest.mark.parametrize(
    ("text", "restored"),
    [
        pytest.param("\x0crac{3}{4}", r"\frac{3}{4}", id="form feed"),
        pytest.param("\x08oxed{7}", r"\boxed{7}", id="backspace"),
        pytest.param("\x08inom{4}{2}", r"\binom{4}{2}", id="backspace of another name"),
        pytest.param("\text{red}", r"\text{red}", id="tab"),
        pytest.param("\textbf{7}", r"\textbf{7}", id="tab of a bold text"),
        pytest.param("2 \times 3", r"2 \times 3", id="tab of a product"),
        pytest.param("2\times3", r"2\times3", id="tab before a digit"),
        pytest.param("\tfrac12", r"\tfrac12", id="tab of a fraction"),
        pytest.param("\theta", r"\theta", id="tab of a letter"),
        pytest.param("(3\right)", r"(3\right)", id="carriage return"),
        pytest.param("\rm{cm}", r"\rm{cm}", id="carriage return of roman type"),
        pytest.param("x\neq3", r"x\neq3", id="end of line"),
        pytest.param("\x07lpha", r"\alpha", id="bell"),
        pytest.param("\x0bec{v}", r"\vec{v}", id="vertical tab"),
    ],
)
def test_an_escape_that_was_eaten_is_restored(text, restored):
    assert restore(text) == restored


@pytest.mark.parametrize(
    "text", ["a\tb", "so\nx", "one\next", "\time", "so\r\n7", "\x0b7", "\neqn", "in \text"]
)
def test_white_space_is_kept(text):
    assert restore(text) == text


@pytest.mark.parametrize(
    ("text", "restored"),
    [
        pytest.param("3 &lt; 4 &amp; 5 &gt; 4", "3 < 4 & 5 > 4", id="signs"),
        pytest.param("20 &minus; 3 &times; 5", "20 − 3 × 5", id="operators"),
        pytest.param("&#36;7&#x2e;", "$7.", id="numbers"),
        pytest.param("&amp;lt;", "&lt;", id="only once"),
        pytest.param("1 & 2 &nothing; a&b;", "1 & 2 &nothing; a&b;", id="no entities"),
        pytest.param("\u200b7\u00ad5\ufeff", "75", id="characters without a width"),
        pytest.param("7\ufe0f\u20e3", "7", id="a digit in a frame"),
        pytest.param("", "", id="nothing"),
    ],
)
def test_entities_and_invisible_characters_are_replaced(text, restored):
    assert restore(text) == restored
