import pytest

from weft.benchmarks.extraction import read_answer_tags, read_last_box, read_stated_answer


@pytest.mark.parametrize(
    ("text", "content"),
    [
        pytest.param(r"so \boxed{7}.", "7", id="plain"),
        pytest.param(r"\boxed{6} no, \boxed{7}", "7", id="the last of two"),
        pytest.param(r"\boxed{\frac{1}{2}} {x}", r"\frac{1}{2}", id="balanced braces"),
        pytest.param(r"\boxed{}", "", id="empty"),
        pytest.param(r"\boxed{\boxed{7}}", "7", id="the inner of two"),
        pytest.param(r"\boxed{7", None, id="never closed"),
        pytest.param(r"\boxed{6} then \boxed{7", None, id="only the last counts"),
        pytest.param(r"\boxed 7$ is", "7", id="space, up to the dollar sign"),
        pytest.param(r"\boxed 7$ is \boxed{8}", "7", id="space before braces"),
        pytest.param(r"\boxed 6$, \boxed 7$", "7", id="the last of two with spaces"),
        pytest.param(r"so \fbox{7}.", r"\fbox{7}", id="framed box keeps its command"),
        pytest.param(r"\fbox{7} \boxed{8}", "8", id="box before framed box"),
        pytest.param("\\boxed\n{7}", "\\boxed\n{7}", id="not a plain box"),
        pytest.param(r"\boxed}{{7}", r"\boxed}{{7}", id="closing brace first"),
        pytest.param(r"\boxed}{7}", None, id="closing brace first, then too few"),
        pytest.param("it is 7", "it is 7", id="no box: the whole text"),
        pytest.param("", "", id="nothing"),
    ],
)
def test_the_last_box_is_read(text, content):
    assert read_last_box(text) == content


@pytest.mark.parametrize(
    ("text", "content"),
    [
        pytest.param("<answer> 7\n</answer>", "7", id="stripped"),
        pytest.param("<answer>7</answer><answer>8</answer>", "7", id="the first of two"),
        pytest.param("</answer><answer>7</answer>", "7", id="the closing tag behind the opening one"),
        pytest.param("<answer>a<answer>b</answer>", "a<answer>b", id="from the first opening tag"),
        pytest.param("<answer></answer>", "", id="empty"),
        pytest.param("<answer>7", None, id="never closed"),
        pytest.param("7</answer>", None, id="never opened"),
    ],
)
def test_the_first_pair_of_answer_tags_is_read(text, content):
    assert read_answer_tags(text) == content


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        pytest.param(r"\boxed{18}", "18", id="a box"),
        pytest.param(r"\boxed{17} no, \boxed{ 18 }", "18", id="the last box"),
        pytest.param(r"\boxed{\frac{1}{2}}", r"\frac{1}{2}", id="braces inside"),
        pytest.param(r"\boxed{\{1, 2\}}", r"\{1, 2\}", id="escaped braces"),
        pytest.param(r"\boxed{\boxed{18}}", "18", id="the inner box"),
        pytest.param(r"\fbox{18}", "18", id="a framed box"),
        pytest.param("\\boxed {18}", "18", id="a space before the brace"),
        pytest.param(r"\boxed{18} \boxed{19", "18", id="a box that is never closed"),
        pytest.param(r"\boxed{18} \boxed{...}", "18", id="a box that states nothing"),
        pytest.param(r"\boxed{18}<|eot_id|>\boxed{19}", "18", id="behind the end"),
        pytest.param(r"\boxed{18}</reasoning><answer>as above</answer>", "18", id="words in later tags"),
        pytest.param(r"<answer>19</answer> \boxed{18}", "18", id="a box behind tags"),
        pytest.param(r"\boxed{18} <answer>19", "18", id="tags that may have been cut off"),
        pytest.param(r"\boxed{x = \boxed{18}}", "18", id="a box at the end of a box"),
        pytest.param(r"\boxed{18} \boxed{your answer}", "18", id="a placeholder"),
        pytest.param(r"\boxed{18} \boxed{\square}", "18", id="a square"),
        pytest.param(r"\\boxed{18}", "18", id="two backslashes"),
        pytest.param("\x08oxed{18}", "18", id="a backslash that was eaten"),
        pytest.param("\\boxed{\u200b18}&nbsp;", "18", id="invisible characters"),
        pytest.param(r"\boxed{18 \tag{3}}", "18", id="a tag of an equation"),
        pytest.param(r"\boxed{18\\}", "18", id="the end of a row"),
        pytest.param(r"\boxed{\quad 18~}", "18", id="spaces of LaTeX"),
        pytest.param(r"\boxed{18 ✓}", "18", id="a tick"),
        pytest.param(r"\boxed{18}}}", "18", id="braces behind it"),
        pytest.param(r"{\boxed{18}", "18", id="an open brace before it"),
        pytest.param(r"\boxed{∞}", "∞", id="infinity"),
        pytest.param(r"\boxed{∅}", "∅", id="nothing at all, as a set"),
    ],
)
def test_the_last_box_is_stated(text, answer):
    assert read_stated_answer(text) == (answer, True)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        pytest.param("<answer> 18 </answer>", "18", id="tags"),
        pytest.param("<answer>17</answer><answer>18</answer>", "18", id="the last tags"),
        pytest.param("<answer>18<|endoftext|>", "18", id="open tags in a text that ended by itself"),
        pytest.param(r"\boxed{5}</reasoning><answer>18</answer>", "18", id="tags behind a box"),
        pytest.param(r"\boxed{5} <answer>18<|eot_id|>", "18", id="open tags behind a box, at the end"),
        pytest.param("<answer>18</answer><answer></answer>", "18", id="empty tags behind"),
        pytest.param(r"<answer>18</answer><answer>\boxed{}</answer>", "18", id="an empty box behind"),
        pytest.param("< answer >18< / answer >", "18", id="spaces in the tags"),
        pytest.param("<Answer>18</ANSWER>", "18", id="capitals"),
        pytest.param("<answer>18</answer", "18", id="half a closing tag"),
        pytest.param(r"<answer>18<\answer>", "18", id="a backslash in the closing tag"),
        pytest.param("<answer>18<answer/>", "18", id="a stroke behind the name"),
        pytest.param("answer>18</answer>", "18", id="half an opening tag"),
        pytest.param("<answer\n18\n</answer>", "18", id="an opening tag without its bracket"),
        pytest.param("so:\n18 cats.\n</answer>", "18 cats.", id="no opening tag"),
        pytest.param(r"so \(18\).</answer>", "18", id="no opening tag, a formula"),
        pytest.param("</answer>\n18", "18", id="behind a closing tag"),
        pytest.param("Add. The answer is 18.", "18", id="a final sentence"),
        pytest.param("So the answer is: **18**\n", "18", id="a final line in bold type"),
        pytest.param("The answer is 18<|eot_id|>", "18", id="a final sentence without a full stop"),
        pytest.param("so\n#### 18\n", "18", id="the mark of GSM8K"),
    ],
)
def test_without_a_box_the_tags_state_the_answer(text, answer):
    assert read_stated_answer(text) == (answer, False)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(r"<answer>\boxed{18</answer>", id="without its end"),
        pytest.param(r"<answer>\boxed{18></answer>", id="with another end"),
        pytest.param("<answer>\nboxed{18}\n</answer>", id="without its backslash"),
        pytest.param("<answer>boxed{18</answer>", id="without both"),
        pytest.param(r"<answer>$\boxed{ 18 $</answer>", id="in mathematics"),
        pytest.param(r"<answer>\boxed{18<|eot_id|>", id="in open tags"),
        pytest.param(r"<answer>so \boxed{18</answer>", id="with words before it"),
        pytest.param("<answer>boxed{18} in all</answer>", id="with words behind it"),
        pytest.param(r"<answer>\boxed[18]</answer>", id="with square brackets"),
        pytest.param(r"<answer>\boxed(18)</answer>", id="with round brackets"),
        pytest.param(r"\boxed18</answer>", id="without braces"),
        pytest.param(r"<answer>\boxe{18}</answer>", id="without the last letter"),
        pytest.param(r"\[\boxed{18\] so", id="in a formula"),
        pytest.param("\\boxed{18\nso", id="to the end of its line"),
        pytest.param(r"\boxed{\boxed{18}</answer>", id="without one of two ends"),
    ],
)
def test_a_broken_box_alone_in_tags_states_what_is_in_it(text):
    assert read_stated_answer(text) == ("18", True)


def test_missing_braces_inside_an_open_box_are_added():
    assert read_stated_answer(r"<answer>\boxed{\frac{1}{2</answer>") == (r"\frac{1}{2}", True)
    assert read_stated_answer(r"so \boxed{\frac{1}{2}") == (r"\frac{1}{2}", True)


@pytest.mark.parametrize("content", ["boxed 18", "unboxed{18}", "box of 18"])
def test_words_are_no_boxes(content):
    assert read_stated_answer(f"<answer>{content}</answer>") == (content, False)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        pytest.param(r"\boxed{2} and \boxed{9}", "2, 9", id="and"),
        pytest.param(r"\boxed{2}, \boxed{4} and \boxed{9}.", "2, 4, 9", id="three"),
        pytest.param(r"$x = \boxed{2}$ or $x = \boxed{9}$", "2, 9", id="formulas"),
        pytest.param(r"\boxed{2} \text{ or } \boxed{9}", "2, 9", id="a word in LaTeX"),
        pytest.param(r"\boxed{2}, \boxed{2}", "2", id="twice the same"),
        pytest.param(r"\boxed{2}. Thus \boxed{9}", "9", id="two sentences"),
        pytest.param("\\boxed{2}\n\\boxed{9}", "9", id="two lines"),
        pytest.param(r"\boxed{2} and then we add seven to get \boxed{9}", "9", id="words between"),
        pytest.param(r"\boxed{1, 2} and \boxed{9}", "9", id="a list of lists"),
        pytest.param(r"\boxed{2}. Then \boxed{4} and \boxed{9}", "4, 9", id="only the last list"),
    ],
)
def test_boxes_of_a_list_count_together(text, answer):
    assert read_stated_answer(text) == (answer, True)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(r"so \boxed{1", id="a box"),
        pytest.param(r"so <answer>\boxed{1", id="a box in tags"),
        pytest.param(r"so \boxed{\frac{1}{2", id="a fraction"),
        pytest.param("The answer is 1", id="a sentence"),
        pytest.param("#### 1", id="a last line"),
    ],
)
def test_what_may_have_been_cut_off_does_not_count(text):
    assert read_stated_answer(text) is None
    assert read_stated_answer(r"\boxed{7}. Now " + text) in (None, ("7", True))
    assert read_stated_answer(text + "<|endoftext|>") is not None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "18",
        "<answer>boxed{?}</answer>",
        r"\boxed{}",
        r"\boxed{...}",
        r"\boxed{\text{answer}}",
        r"\boxed{your answer here}",
        r"\boxed{\,}",
        "The answer is not 18.",
        "The answer is 18. But",
        "</answer>",
        "<answer></answer>",
        "<answer>\n...</answer>",
        "<answer>18",
        "}{",
    ],
)
def test_a_text_may_state_no_answer(text):
    assert read_stated_answer(text) is None
