import json

import pytest

from weft.config.sources import HubData, JsonlData
from weft.data.datasets import drop_repeats, load_examples
from weft.errors import DataError


def own(tmp_path, *lines):
    (tmp_path / "own.jsonl").write_text("\n".join(lines))
    return JsonlData(source="jsonl", path=str(tmp_path / "own.jsonl"))


def hub(**changes):
    fields = {
        "source": "hub",
        "files": [{"repo": "owner/set", "file": "train.jsonl", "revision": "main"}],
        "question": "question",
        "trajectory": "thinking",
        "attempt": "attempt",
        "instruction": "none",
    }
    return HubData.model_validate(fields | changes)


def put(tmp_path, rows):
    folder = tmp_path / "owner" / "set"
    folder.mkdir(parents=True)
    (folder / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return [str(tmp_path)]


def test_own_data_with_and_without_reasoning(tmp_path):
    source = own(
        tmp_path,
        json.dumps({"question": "1+1?", "answer": "2"}),
        json.dumps({"question": "2+2?", "answer": "4", "reasoning": "2+2=4"}),
    )
    first, second = load_examples("mine", source, offline=[])
    assert first.answer == "2"
    assert second.answer == "<reasoning>2+2=4</reasoning>\n<answer>4</answer>"
    assert first.example_id != second.example_id


def test_own_data_without_a_field_names_the_line(tmp_path):
    with pytest.raises(DataError, match=r"own.jsonl, line 1: .*\['answer'\] missing"):
        load_examples("mine", own(tmp_path, json.dumps({"question": "1+1?"})), offline=[])


def chat(*turns, **more):
    return json.dumps({"messages": [{"role": role, "content": text} for role, text in turns]} | more)


S, U, A = ("system", "Be short."), ("user", "2+2?"), ("assistant", "4")


def test_a_conversation_has_its_last_answer_trained_and_the_rest_as_prompt(tmp_path):
    source = own(tmp_path, chat(U, A), chat(S, U, A, ("user", "3+3?"), ("assistant", "6")))
    short, long = load_examples("mine", source, offline=[])
    assert (short.question, short.answer, short.history) == ("2+2?", "4", ())
    assert (long.question, long.answer) == ("3+3?", "6")
    assert [turn["role"] for turn in long.history] == ["system", "user", "assistant"]
    assert [turn["content"] for turn in long.history] == ["Be short.", "2+2?", "4"]


def test_a_pair_and_a_conversation_of_one_turn_are_the_same_example(tmp_path):
    source = own(tmp_path, chat(U, A), json.dumps({"question": "2+2?", "answer": 4}), chat(S, U, A))
    first, second, third = load_examples("mine", source, offline=[])
    assert first == second
    assert first.example_id != third.example_id


def test_the_instruction_stands_in_front_of_the_last_question(tmp_path):
    source = own(tmp_path, chat(U, A, ("user", "3+3?"), ("assistant", "6")))
    example = load_examples("mine", source.model_copy(update={"instruction": "format"}), offline=[])[0]
    assert example.question.startswith("Answer in this form:")
    assert example.history[0]["content"] == "2+2?"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (chat(U, ("bot", "4")), r"messages\[1\] must have role system, user or assistant, got 'bot'"),
        (chat(U, ("assistant", " ")), r"messages\[1\].content must hold text, got nothing"),
        (chat(U, ("assistant", None)), r"messages\[1\].content must be text, got NoneType"),
        (chat(U, ("assistant", ["4"])), r"messages\[1\].content must be text, got list"),
        (chat(U, (["user"], "4")), r"messages\[1\] must have role system, user or assistant, got"),
        (chat(U, A, U), r"the last of the messages must be the assistant's, got 'user'"),
        (chat(U, U, A), r"messages\[1\] must have role 'assistant', got 'user'; turns of user and"),
        (chat(A, U, A), r"messages\[0\] must have role 'user', got 'assistant'"),
        (chat(U, A, S), r"messages\[2\] must have role 'user', got 'system'"),
        (chat(U), r"messages must have a user turn and its answer, got \['user'\]"),
        (chat(S, A), r"messages must have a user turn and its answer, got \['system', 'assistant'\]"),
        (chat(), r"messages must have a user turn and its answer, got \[\]"),
        (
            chat(U, A, question="2+2?"),
            r"either messages or question and answer, got messages and \['question'\]",
        ),
        ('{"messages": {"role": "user"}}', "messages must be a list of turns, got dict"),
        ('{"messages": ["2+2?"]}', r"messages\[0\] must be an object with role and content, got \"2\+2\?\""),
        ('{"messages": [{"role": "user"}]}', r"messages\[0\] must be an object with role and content"),
        ('{"question": 3, "answer": "4"}', "question must be text, got int"),
        ('{"question": "q", "answer": true}', "answer must be text, got bool"),
        ('{"question": "q", "answer": ""}', "answer must hold text, got nothing"),
        ('{"question": "q", "answer": "4", "reasoning": ["a"]}', "reasoning must be text, got list"),
        ('{"answer": "4"}', r"must have question and answer, or messages; \['question'\] missing"),
        ('{"prompt": "q"}', r"missing, got \['prompt'\]"),
    ],
)
def test_what_is_wrong_with_a_line_is_said_with_file_and_line(tmp_path, line, message):
    with pytest.raises(DataError, match=rf"own.jsonl, line 2: .*{message}.*; correct the line"):
        load_examples("mine", own(tmp_path, chat(U, A), line), offline=[])


def test_of_equal_examples_the_first_is_kept_and_the_others_counted(tmp_path):
    lines = [chat(("user", q), A) for q in ("b", "a", "b", "c", "b")]
    examples = load_examples("mine", own(tmp_path, *lines), offline=[])
    kept, num_repeated = drop_repeats(examples)
    assert [example.question for example in kept] == ["b", "a", "c"]
    assert num_repeated == 2


def test_a_missing_file_is_named():
    with pytest.raises(DataError, match=r"nowhere.jsonl must exist"):
        load_examples("mine", JsonlData(source="jsonl", path="nowhere.jsonl"), offline=[])


def test_no_examples_is_an_error(tmp_path):
    with pytest.raises(DataError, match="at least one example"):
        load_examples("mine", own(tmp_path), offline=[])


def test_hub_rows_are_mapped_and_the_first_trajectory_is_taken(tmp_path):
    offline = put(tmp_path, [{"question": "q", "thinking": ["first", "second"], "attempt": "a"}])
    example = load_examples("s1k", hub(instruction="format"), offline=offline)[0]
    assert example.answer == "<reasoning>first</reasoning>\n<answer>a</answer>"
    assert example.question.startswith("Answer in this form:")


def test_one_field_can_hold_reasoning_and_answer(tmp_path):
    offline = put(tmp_path, [{"question": "q", "text": "so</think>42"}])
    source = hub(trajectory="text", attempt="text", split_trajectory_at="</think>")
    assert (
        load_examples("r1", source, offline=offline)[0].answer
        == "<reasoning>so</reasoning>\n<answer>42</answer>"
    )


def test_rows_cut_off_before_their_answer_are_left_out(tmp_path):
    offline = put(
        tmp_path,
        [{"question": "q", "text": "<think>\nendless"}, {"question": "q", "text": "<think>so</think>4"}],
    )
    source = hub(
        trajectory="text", attempt="text", split_trajectory_at="</think>", trajectory_prefix="<think>"
    )
    examples = load_examples("r1", source, offline=offline)
    assert [example.answer for example in examples] == ["<reasoning>so</reasoning>\n<answer>4</answer>"]


@pytest.mark.parametrize("value", [None, [], "", 3])
def test_a_field_without_text_is_refused(tmp_path, value):
    offline = put(tmp_path, [{"question": "q", "thinking": value, "attempt": "a"}])
    with pytest.raises(DataError, match="'thinking' must hold text"):
        load_examples("s", hub(), offline=offline)


def test_the_shuffle_is_seeded_and_cut(tmp_path):
    rows = [{"question": str(n), "thinking": "t", "attempt": "a"} for n in range(20)]
    offline = put(tmp_path, rows)
    first, again = (load_examples("s", hub(num_examples=5), offline=offline) for _ in range(2))
    assert first == again
    assert [e.question for e in first] != [str(n) for n in range(5)]


def test_a_missing_field_lists_what_is_there(tmp_path):
    offline = put(tmp_path, [{"question": "q", "other": 1}])
    with pytest.raises(DataError, match=r"field 'thinking', got \['other', 'question'\]"):
        load_examples("s", hub(), offline=offline)
