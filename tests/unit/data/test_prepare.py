import copy
import json
import random
from pathlib import Path

import datasets
import numpy as np
import pytest

from weft.data.encoding import encode_example, turn_end_id
from weft.data.prepare import describe_summary, measure_prompts, prepare_examples
from weft.data.tasks.examples import generate_examples
from weft.errors import DataError
from weft.layout import SUMMARY_FILE
from weft.records import Example, LengthSummary, Message, Question
from weft.records.checks import join_places
from weft.records.files import read_json


def test_prepared_examples_and_their_summary(tokenizer, tmp_path):
    examples = generate_examples({"gsm8k": 10}, seed=1)
    summary = prepare_examples(examples, tokenizer, tmp_path / "p", max_length=70, heldout_share=0.1)
    stored = datasets.load_from_disk(str(tmp_path / "p"))
    assert set(stored.column_names) == {"example_id", "prompt_ids", "answer_ids", "source"}
    assert len(stored) == summary.num_examples == 9
    assert stored[0]["example_id"] == examples[1].example_id  # the first tenth is held out
    lengths = [len(row["prompt_ids"]) + len(row["answer_ids"]) for row in stored]
    assert summary.num_cut_off == sum(length > 70 for length in lengths)


@pytest.mark.parametrize("layout", ["exact", "d1"])
def test_the_vocabulary_is_not_copied_for_an_example(tokenizer, tmp_path, monkeypatch, layout):
    """A copy of LLaDA's 126,464 entries takes 0.1 s, six times as long as the rest of the work."""
    copies = []
    get_vocab = type(tokenizer).get_vocab
    monkeypatch.setattr(type(tokenizer), "get_vocab", lambda self: copies.append(1) or get_vocab(self))
    examples = generate_examples({"gsm8k": 10}, seed=1)
    options = {"max_length": 70, "heldout_share": 0.1, "layout": layout}
    prepare_examples(examples, copy.deepcopy(tokenizer), tmp_path / "p", **options)
    assert len(copies) <= 1


def test_prompts_without_room_are_counted(tokenizer, tmp_path):
    with pytest.raises(DataError, match=r"max_length=10 .*got 3 of 3 "):
        prepare_examples(
            generate_examples({"gsm8k": 3}, seed=1),
            tokenizer,
            tmp_path / "p",
            max_length=10,
            heldout_share=0.0,
        )


def test_a_prompt_without_room_and_a_text_that_is_refused_are_named_by_their_place(tokenizer, tmp_path):
    def prepare(*questions, max_length=40):
        examples = [
            Example(example_id=f"{n:x}", question=text, answer="4", source="s")
            for n, text in enumerate(questions)
        ]
        prepare_examples(
            examples, tokenizer, tmp_path / "p", max_length=max_length, heldout_share=0.0,
            name_place=lambda example: f"my.jsonl, line {1 + int(example.example_id, 16)}",
        )  # fmt: skip

    with pytest.raises(
        DataError,
        match=r"got 2 of 3 that .*: my.jsonl, lines 2, 3 \(the longest prompt has [0-9]+ tokens\).*: drop",
    ):
        prepare("2+2?", "1 " * 60, "2 " * 70)
    with pytest.raises(DataError, match=r"^my.jsonl, line 3: the question must not contain special tokens"):
        prepare("2+2?", "3+3?", "<|endoftext|>")


@pytest.fixture
def lengths_from_1_to_60(tokenizer):
    """Examples in an order of 1 (short), 2 (long answer) and 3 (long prompt)."""
    texts = {"1": ("2+2?", "4"), "2": ("2+2?", "4 " * 60), "3": ("2 " * 60, "4")}
    order = "3123111122"
    return order, [
        Example(example_id=f"{place}", question=texts[kind][0], answer=texts[kind][1], source="s")
        for place, kind in enumerate(order)
    ]


@pytest.mark.parametrize(("rule", "left_out"), [("drop", "3"), ("drop_truncated", "23")])
def test_too_long_examples_are_left_out_as_if_they_had_been_deleted(
    tokenizer, tmp_path, lengths_from_1_to_60, rule, left_out
):
    order, examples = lengths_from_1_to_60
    options = {
        "max_length": 40,
        "heldout_share": 0.2,
        "name_place": lambda e: f"my.jsonl, line {e.example_id}",
    }
    summary = prepare_examples(examples, tokenizer, tmp_path / "a", too_long=rule, **options)
    remaining = [example for kind, example in zip(order, examples, strict=True) if kind not in left_out]
    deleted = prepare_examples(remaining, tokenizer, tmp_path / "b", **options)
    one, two = (datasets.load_from_disk(str(tmp_path / name)) for name in "ab")
    assert one.to_list() == two.to_list()
    places = [place for place, kind in enumerate(order) if kind in left_out]
    assert summary.num_too_long == len(places) == len(order) - len(remaining)
    assert summary.too_long_places == tuple(f"my.jsonl, line {place}" for place in places)
    assert summary.num_heldout == int(0.2 * len(remaining))
    assert f"held out, {len(places)} left out as too long)" in describe_summary(summary)
    assert read_json(tmp_path / "a" / SUMMARY_FILE, LengthSummary) == summary
    assert summary.as_object().items() >= deleted.as_object().items()
    assert not {"num_too_long", "too_long_places"} & deleted.as_object().keys()


def test_the_limit_itself_is_not_too_long(tokenizer, tmp_path):
    example = Example(example_id="a", question="2+2?", answer="4 " * 9, source="s")
    encoded = encode_example(tokenizer, example)
    prompt, answer = len(encoded["prompt_ids"]), len(encoded["answer_ids"])

    def num_left_out(max_length, rule):
        short = Example(example_id="b", question="", answer="", source="s")
        summary = prepare_examples(
            [example, short], tokenizer, tmp_path / f"{max_length}{rule}", max_length=max_length,
            heldout_share=0.0, too_long=rule,
        )  # fmt: skip
        return summary.num_too_long or 0

    assert (num_left_out(prompt, "drop"), num_left_out(prompt + 1, "drop")) == (1, 0)
    assert num_left_out(prompt + answer - 1, "drop_truncated") == 1
    assert num_left_out(prompt + answer, "drop_truncated") == 0


def test_an_error_counts_all_too_long_examples_and_names_the_first(tokenizer, tmp_path):
    examples = [Example(example_id=f"{n:x}", question="1 " * 60, answer="4", source="s") for n in range(25)]
    options = {"max_length": 40, "heldout_share": 0.0, "name_place": lambda example: f"{example.example_id}!"}
    with pytest.raises(DataError, match=r"got 25 of 25 .*: 0!; 1!; .*; 9! and 15 more \("):
        prepare_examples(examples, tokenizer, tmp_path / "p", **options)
    with pytest.raises(DataError, match=r"leaving out 25 that are too long and holding out 0%.*max_length"):
        prepare_examples(examples, tokenizer, tmp_path / "p", too_long="drop", **options)


def test_held_out_examples_are_checked_as_well(tokenizer, tmp_path):
    texts = ["<|endoftext|>", "2+2?", "3+3?"]
    examples = [Example(example_id=text, question=text, answer="4", source="s") for text in texts]
    with pytest.raises(DataError, match=r"^example_id <.endoftext.>: the question must not contain"):
        prepare_examples(examples, tokenizer, tmp_path / "p", max_length=99, heldout_share=0.4)


@pytest.mark.parametrize(
    ("places", "total", "text"),
    [
        (["a.jsonl, line 3"], 1, "a.jsonl, line 3"),
        (
            ["a.jsonl, line 3", "b, line 1", "a.jsonl, line 17"],
            7,
            "a.jsonl, lines 3, 17; b, line 1 and 4 more",
        ),
        (["a.csv, row 3", "a.csv, row 4"], 2, "a.csv, rows 3, 4"),
        (["example_id 31", "example_id 32"], 2, "example_id 31; example_id 32"),
    ],
)
def test_places_in_the_same_file_are_joined(places, total, text):
    assert join_places(places, total=total) == text


def test_a_template_that_refuses_a_turn_is_named_with_the_example(tokenizer, tmp_path):
    refusing = copy.deepcopy(tokenizer)
    refusing.chat_template = (
        "{% if messages[0].role == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
        + tokenizer.chat_template
    )
    history = (Message(role="system", content="Be short."),)
    examples = [
        Example(example_id="a", question="2+2?", answer="4", source="s"),
        Example(example_id="b", question="2+2?", answer="4", source="s", history=history),
    ]
    for layout in ("exact", "d1"):
        with pytest.raises(
            DataError,
            match=r"^example_id b: the chat template of .* must accept turns of \['system', 'user'.*"
            "System role not supported",
        ):
            prepare_examples(
                examples, refusing, tmp_path / "p", max_length=99, heldout_share=0.0, layout=layout
            )


def test_test_questions_are_checked_before_training(tokenizer):
    texts = {"p": "2+2?", "q": "a<|mdm_mask|>"}
    rows = [
        Question(example_id=name, benchmark="b", question=text, prompt=text, reference=1)
        for name, text in texts.items()
    ]
    source = Path("b.jsonl")
    with pytest.raises(
        DataError, match=r"^b.jsonl, line 2: b, example_id q: the question must not .*mdm_mask"
    ):
        measure_prompts(rows, tokenizer, source=source, prefill="", special_tokens="error")
    lengths = measure_prompts(rows, tokenizer, source=source, prefill="", special_tokens="plain_text")
    assert 0 < lengths["p"] < lengths["q"]
    with pytest.raises(DataError, match=r"^sampling.prefill in the experiment: the prefill must not"):
        measure_prompts(rows, tokenizer, source=source, prefill="<|eot_id|>", special_tokens="error")


def test_no_remaining_example_is_an_error(tokenizer, tmp_path):
    with pytest.raises(DataError, match="at least one example"):
        prepare_examples([], tokenizer, tmp_path / "p", max_length=10, heldout_share=0.0)


def test_d1s_shuffle_and_split_hold_out_the_same_examples(tokenizer, tmp_path):
    """d1 seeds Python's generator with 42, shuffles its tokenised rows and holds out the first hundredth."""
    from weft.config.sources import HubData
    from weft.data.datasets import load_dataset

    rows = [{"question": f"q{n}", "thinking": ["t"], "attempt": "a"} for n in range(250)]
    folder = tmp_path / "owner" / "set"
    folder.mkdir(parents=True)
    (folder / "x.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    file = {"repo": "owner/set", "file": "x.jsonl", "revision": "main"}
    fields = {"question": "question", "trajectory": "thinking", "attempt": "attempt", "instruction": "none"}
    source = HubData.model_validate({"source": "hub", "files": [file], **fields})
    examples = load_dataset("s1k", source, offline=[str(tmp_path)]).records
    prepare_examples(examples, tokenizer, tmp_path / "p", max_length=99, heldout_share=0.01, layout="d1")
    stored = datasets.load_from_disk(str(tmp_path / "p"))["example_id"]

    random.seed(42)
    order = [row["question"] for row in rows]
    random.shuffle(order)
    held_out, trained = order[: int(len(order) * 0.01)], order[int(len(order) * 0.01) :]
    assert len(held_out) == 2
    questions = {example.example_id: example.question for example in examples}
    assert [questions[identity] for identity in stored] == trained


@pytest.fixture
def long_and_short(tokenizer):
    """Three answers: short, cut off before its tag, cut off behind its tag."""
    tagged = "<reasoning>{}</reasoning>\n<answer>{}</answer>"
    answers = [tagged.format("1", "2"), tagged.format("1 " * 60, "2"), tagged.format("1", "2 " * 70)]
    return [Example(example_id=f"{n:x}", question="?", answer=a, source="s") for n, a in enumerate(answers)]


@pytest.mark.parametrize("layout", ["exact", "d1"])
def test_truncated_examples_are_counted(tokenizer, tmp_path, long_and_short, layout):
    encoded = [encode_example(tokenizer, example, layout=layout) for example in long_and_short]
    lengths = [len(e["prompt_ids"]) + len(e["answer_ids"]) for e in encoded]
    summary = prepare_examples(
        long_and_short, tokenizer, tmp_path / "p", max_length=50, heldout_share=0.0, layout=layout
    )
    assert read_json(tmp_path / "p" / SUMMARY_FILE, LengthSummary) == summary
    assert summary.layout == layout
    assert (summary.num_examples, summary.num_heldout) == (3, 0)
    assert summary.length_limit == 50
    assert summary.max_length == max(lengths)
    assert summary.median_length == sorted(lengths)[1]
    assert summary.p95_length == pytest.approx(np.quantile(lengths, 0.95), abs=0.1)
    assert summary.median_prompt_length == summary.max_prompt_length == len(encoded[0]["prompt_ids"])
    assert summary.num_tokens == sum(lengths)
    assert summary.num_tokens_cut == sum(max(0, length - 50) for length in lengths)
    assert summary.share_tokens_cut == pytest.approx(summary.num_tokens_cut / sum(lengths), abs=1e-4)
    assert summary.num_cut_off == 2
    assert summary.share_cut_off == summary.share_end_of_turn_cut_off == pytest.approx(2 / 3, abs=1e-4)
    assert summary.num_with_answer_tag == 3
    assert summary.share_answer_tag_cut_off == pytest.approx(1 / 3, abs=1e-4)


def test_an_end_of_turn_inside_the_limit_is_there_although_d1s_header_is_cut(tokenizer, tmp_path):
    example = generate_examples({"gsm8k": 1}, seed=1)[0]
    encoded = encode_example(tokenizer, example, layout="d1")
    ids = encoded["prompt_ids"] + encoded["answer_ids"]
    end = len(ids) - ids[::-1].index(turn_end_id(tokenizer))
    for limit, lost in ((end, 0.0), (end - 1, 1.0)):
        summary = prepare_examples(
            [example], tokenizer, tmp_path / f"{limit}", max_length=limit, heldout_share=0.0, layout="d1"
        )
        assert (summary.share_cut_off, summary.share_end_of_turn_cut_off) == (1.0, lost)


def test_the_answer_tag_is_kept_only_if_all_of_it_fits_behind_the_prompt(tokenizer, tmp_path, long_and_short):
    example = long_and_short[2]
    encoded = encode_example(tokenizer, example)
    tag = tokenizer("<answer>")["input_ids"]
    assert len(tag) == 1
    end = len(encoded["prompt_ids"]) + encoded["answer_ids"].index(tag[0]) + 1
    for limit, lost in ((end, 0.0), (end - 1, 1.0)):
        summary = prepare_examples(
            [example], tokenizer, tmp_path / f"{limit}", max_length=limit, heldout_share=0.0
        )
        assert summary.share_answer_tag_cut_off == lost


def test_examples_without_answer_tags_have_no_lost_tags(tokenizer, tmp_path):
    plain = [Example(example_id="a", question="?", answer="4 " * 50, source="s")]
    summary = prepare_examples(plain, tokenizer, tmp_path / "p", max_length=30, heldout_share=0.0)
    assert summary.share_answer_tag_cut_off is None
    assert "answer tag" not in describe_summary(summary)


def test_the_summary_is_one_line_for_people(tokenizer, tmp_path, long_and_short):
    options = {"heldout_share": 0.0}
    cut = prepare_examples(long_and_short, tokenizer, tmp_path / "a", max_length=50, **options)
    whole = prepare_examples(long_and_short, tokenizer, tmp_path / "b", max_length=500, **options)
    assert describe_summary(cut).endswith(
        f"; 66.7 % are cut off at 50, 33.3 % lose their answer tag, "
        f"{100 * cut.share_tokens_cut:.1f} % of the tokens are lost"
    )
    assert describe_summary(whole).startswith("3 examples (0 held out), median ")
    assert describe_summary(whole).endswith("; none longer than 500")
