import json

import pytest

from weft.config.sources import FileData, HubData
from weft.data.datasets import find_leaks, load_dataset
from weft.errors import DataError
from weft.records import Example, Message

S, U, A = ("system", "Be short."), ("user", "2+2?"), ("assistant", "4")


def chat(*turns, **more):
    return {"messages": [{"role": role, "content": text} for role, text in turns]} | more


def load_custom(tmp_path, *rows, **options):
    path = tmp_path / "custom.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows))
    return load_dataset("mine", FileData(source="jsonl", path=str(path), **options), offline=[])


def load_hub(tmp_path, rows, **changes):
    folder = tmp_path / "owner" / "set"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    fields = {
        "source": "hub",
        "files": [{"repo": "owner/set", "file": "train.jsonl", "revision": "main"}],
        "question": "question",
        "trajectory": "thinking",
        "attempt": "attempt",
        "instruction": "none",
    }
    return load_dataset("s", HubData.model_validate(fields | changes), offline=[str(tmp_path)]).records


def test_a_pair_may_have_reasoning(tmp_path):
    first, second = load_custom(
        tmp_path,
        {"question": "1+1?", "answer": 2, "reasoning": ""},
        {"question": "2+2?", "answer": "4", "reasoning": "2+2=4"},
    ).records
    assert first.answer == "2"
    assert second.answer == "<reasoning>2+2=4</reasoning>\n<answer>4</answer>"


def test_the_last_answer_of_a_conversation_is_trained_and_the_rest_is_its_prompt(tmp_path):
    short, long = load_custom(
        tmp_path, chat(U, A), chat(S, U, A, ("user", "3+3?"), ("assistant", "6"))
    ).records
    assert (short.question, short.answer, short.history) == ("2+2?", "4", ())
    assert (long.question, long.answer) == ("3+3?", "6")
    assert [(turn.role, turn.content) for turn in long.history] == [S, U, A]
    assert "history" not in short.as_object()


def test_a_pair_and_a_conversation_of_one_turn_are_the_same_example(tmp_path):
    pair = {"question": "2+2?", "answer": 4}
    (from_pair,) = load_custom(tmp_path, pair).records
    loaded = load_custom(tmp_path, chat(U, A), pair, chat(S, U, A))
    assert loaded.records[0].example_id == from_pair.example_id
    assert len(loaded.records) == 2
    assert loaded.num_repeated == loaded.notes["num_repeated"] == 1


def test_the_first_of_equal_examples_is_kept(tmp_path):
    loaded = load_custom(tmp_path, *(chat(("user", q), A) for q in ("b", "a", "b", "c", "b")))
    assert [example.question for example in loaded.records] == ["b", "a", "c"]
    assert loaded.num_repeated == 2
    assert [path.name for path in loaded.inputs] == ["custom.jsonl"]


def test_the_instruction_precedes_the_last_question(tmp_path):
    row = chat(U, A, ("user", "3+3?"), ("assistant", "6"))
    (example,) = load_custom(tmp_path, row, instruction="format").records
    assert example.question.startswith("Answer in this form:")
    assert example.history[0].content == "2+2?"


@pytest.mark.parametrize(
    ("row", "field", "value"),
    [
        (chat(U, ("bot", "4")), "messages.1.role", "bot"),
        (chat(U, ("assistant", " ")), "messages.1.content", "' '"),
        (chat(U, ("assistant", None)), "messages.1.content", "none"),
        (chat(U, (["user"], "4")), "messages.1.role", "user"),
        (chat(U, A, U), "messages", r"\['user', 'assistant', 'user'\]"),
        (chat(U, U, A), "messages", r"\['user', 'user', 'assistant'\]"),
        (chat(A, U, A), "messages", r"\['assistant', 'user', 'assistant'\]"),
        (chat(U, A, S), "messages", r"\['user', 'assistant', 'system'\]"),
        (chat(S, A), "messages", r"\['system', 'assistant'\]"),
        (chat(S), "messages", r"\['system'\]"),
        (chat(), "messages", r"\[\]"),
        ({"messages": {"role": "user"}}, "messages", "user"),
        ({"messages": ["2+2?"]}, "messages.0", r"2\+2\?"),
        ({"messages": [{"role": "user"}]}, "messages.0.content", "none"),
        ({"question": 3, "answer": "4"}, "question", "3"),
        ({"question": "q", "answer": True}, "answer", "True"),
        ({"question": "q", "answer": ""}, "answer", "''"),
        ({"question": "q", "answer": "\ud800"}, "answer", "ud800"),
        (chat(("user", "\udfff"), A), "messages.0.content", "udfff"),
        ({"question": "q", "answer": "4", "reasoning": ["a", "b"]}, "reasoning", "a"),
        ({"question": "q", "answer": None}, "answer", "none"),
        ({"question": "q", "answer": "\u200b\ufeff"}, "answer", "u200b"),
    ],
)
def test_a_malformed_line_is_named_with_field_and_value(tmp_path, row, field, value):
    with pytest.raises(DataError, match=f"custom.jsonl, line 2: .*{field}.*{value}.*correct the (line|file)"):
        load_custom(tmp_path, chat(U, A), row)


def test_a_missing_or_empty_file_is_an_error(tmp_path):
    with pytest.raises(DataError, match=r"nowhere.jsonl.*datasets.mine.path"):
        load_dataset("mine", FileData(source="jsonl", path="nowhere.jsonl"), offline=[])
    with pytest.raises(
        DataError, match=r"'mine' must have at least one example, got none in .*custom.jsonl; check"
    ):
        load_custom(tmp_path)
    with pytest.raises(DataError, match=f"custom.jsonl .*{'0' * 64}"):
        load_custom(tmp_path, chat(U, A), sha256="0" * 64)


def test_hub_rows_are_mapped_and_the_first_trajectory_is_taken(tmp_path):
    rows = [{"question": "q", "thinking": ["first", "second"], "attempt": "a"}]
    (example,) = load_hub(tmp_path, rows, instruction="format")
    assert example.answer == "<reasoning>first</reasoning>\n<answer>a</answer>"
    assert example.question.startswith("Answer in this form:")


def test_one_field_may_hold_reasoning_and_answer(tmp_path):
    rows = [{"question": "q", "text": "<think>\nendless"}, {"question": "q", "text": "<think>so</think>4"}]
    fields = {"trajectory": "text", "attempt": "text", "split_trajectory_at": "</think>"}
    (example,) = load_hub(tmp_path, rows, **fields, trajectory_prefix="<think>")
    assert example.answer == "<reasoning>so</reasoning>\n<answer>4</answer>"


@pytest.mark.parametrize("row", [{"thinking": None}, {"thinking": []}, {"thinking": ""}, {"thinking": 3}, {}])
def test_a_hub_row_without_text_is_refused(tmp_path, row):
    with pytest.raises(DataError, match=r"'s'.*'thinking'.*\['attempt', 'question'"):
        load_hub(tmp_path, [{"question": "q", "attempt": "a"} | row])


def test_the_shuffle_is_seeded_and_comes_before_the_cut(tmp_path):
    rows = [{"question": str(n), "thinking": "t", "attempt": "a"} for n in range(20)]
    first, again = (load_hub(tmp_path, rows, num_examples=5) for _ in range(2))
    assert first == again
    assert [example.question for example in first] != [str(n) for n in range(5)]


def test_more_examples_than_hub_rows_are_an_error(tmp_path):
    rows = [{"question": str(n), "thinking": "t</think>a", "attempt": "a"} for n in range(3)]
    assert len(load_hub(tmp_path, rows, num_examples=3)) == 3
    with pytest.raises(DataError, match=r"datasets.s.num_examples must be at most .*got 4 for 3 of 3 rows"):
        load_hub(tmp_path, rows, num_examples=4)
    unfinished = [*rows, {"question": "q", "thinking": "endless", "attempt": "a"}]
    fields = {"attempt": "thinking", "split_trajectory_at": "</think>"}
    with pytest.raises(DataError, match=r"got 4 for 3 of 4 rows"):
        load_hub(tmp_path, unfinished, num_examples=4, **fields)


@pytest.mark.parametrize(
    ("question", "leaks"),
    [("And 3+3?", True), ("What is 2+2? ", True), ("4", False), ("Be short.", False), ("2+3?", False)],
)
def test_a_test_question_in_any_user_turn_is_a_leak(question, leaks):
    turns = [S, ("user", "Do it.\n\nWhat is 2+2?"), A]
    history = tuple(Message(role=role, content=content) for role, content in turns)
    example = Example(example_id="c", question="And 3+3?", answer="6", source="mine", history=history)
    assert find_leaks([example], [question, "other"]) == (["c"] if leaks else [])
    assert find_leaks([example], []) == []
