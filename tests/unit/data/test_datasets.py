import json

import pytest

from weft.config.sources import HubData, JsonlData
from weft.data.datasets import load_examples
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
