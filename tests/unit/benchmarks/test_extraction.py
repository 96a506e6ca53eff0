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
        pytest.param(r"\boxed{18}</reasoning><answer>19</answer>", "18", id="a box before tags"),
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
    ],
)
def test_a_broken_box_alone_in_tags_states_what_is_in_it(text):
    assert read_stated_answer(text) == ("18", True)


@pytest.mark.parametrize("content", [r"so \boxed{18", r"\boxed{\frac{1}{2}", "boxed 18", "boxed{18} or 19"])
def test_other_malformed_boxes_in_tags_are_not_repaired(content):
    assert read_stated_answer(f"<answer>{content}</answer>") == (content, False)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "18",
        "<answer>boxed{?}</answer>",
        r"\boxed{}",
        r"\boxed{...}",
        "<answer></answer>",
        "<answer>\n...</answer>",
        "<answer>18",
        "}{",
    ],
)
def test_a_text_may_state_no_answer(text):
    assert read_stated_answer(text) is None
