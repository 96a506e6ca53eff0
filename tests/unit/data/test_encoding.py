import copy
import json

import pytest

from weft.data.collate import PadToLength
from weft.data.encoding import encode_example, encode_prompt, turn_end_id
from weft.data.instructions import with_instruction
from weft.data.tasks.examples import generate_examples
from weft.data.tokenizer import train_tokenizer
from weft.errors import DataError
from weft.records import Example, Message

HEADER = "<|start_header_id|>assistant<|end_header_id|>\n\n"
ALWAYS_A_HEADER = (
    "{{ bos_token }}{% for turn in messages %}"
    "<|start_header_id|>{{ turn.role }}<|end_header_id|>\n\n{{ turn.content | trim }}<|eot_id|>"
    f"{{% endfor %}}{{{{ {HEADER!r} }}}}"
)
"""A template that, like LLaDA's, always appends the assistant header."""
CHAT = Example(
    example_id="c",
    question="And 3+3?",
    answer="6",
    source="mine",
    history=(
        Message(role="system", content="Be short."),
        Message(role="user", content="What is 2+2?"),
        Message(role="assistant", content="4"),
    ),
)


@pytest.fixture(params=["ours", "llada"])
def stubborn(request, tokenizer):
    """A tokenizer with a template that always appends the header: the one above, and LLaDA's if available."""
    stubborn = copy.deepcopy(tokenizer)
    stubborn.chat_template = ALWAYS_A_HEADER
    if request.param == "llada":
        file = request.getfixturevalue("shared_data") / "llada_tokenizer" / "tokenizer_config.json"
        stubborn.chat_template = json.loads(file.read_text())["chat_template"]
    return stubborn


def d1_row(tokenizer, example, max_length):
    """Return the tokens of a row, and how many belong to the prompt, by the steps of d1's code."""
    user = [{"role": "user", "content": example.question}]
    assistant = [{"role": "assistant", "content": example.answer}]
    text = tokenizer.apply_chat_template(user + assistant, tokenize=False)
    prompt = tokenizer.apply_chat_template(user, tokenize=False) + "\n"
    row = tokenizer(text, truncation=True, max_length=max_length, padding="max_length")["input_ids"]
    return row, len(tokenizer(prompt, truncation=True, max_length=max_length)["input_ids"])


def test_decoded_prompt_and_answer_equal_the_conversation(tokenizer):
    example = generate_examples({"gsm8k": 1}, seed=3)[0]
    encoded = encode_example(tokenizer, example)
    text = tokenizer.decode(encoded["prompt_ids"] + encoded["answer_ids"])
    assert text == (
        f"<|startoftext|><|start_header_id|>user<|end_header_id|>\n\n{example.question}<|eot_id|>"
        f"<|start_header_id|>assistant<|end_header_id|>\n\n{example.answer}<|eot_id|>"
    )


def test_the_prefill_is_the_beginning_of_the_trained_answer(tokenizer):
    example = generate_examples({"math500": 1}, seed=3)[0]
    encoded = encode_example(tokenizer, example)
    prefilled = encode_prompt(tokenizer, example.question, prefill="<reasoning>")
    assert prefilled == (encoded["prompt_ids"] + encoded["answer_ids"])[: len(prefilled)]


def test_a_prompt_under_lladas_own_template_is_d1s(tokenizer, shared_data):
    """The prompt is a user turn, an assistant header that was not requested, and the prefill."""
    ours = copy.deepcopy(tokenizer)
    published = json.loads((shared_data / "llada_tokenizer" / "tokenizer_config.json").read_text())
    ours.chat_template = published["chat_template"]
    silent = ours.apply_chat_template(
        [{"role": "user", "content": "x"}], tokenize=False, add_generation_prompt=False
    )
    assert silent.endswith("<|start_header_id|>assistant<|end_header_id|>\n\n"), "the trap"
    prompt = encode_prompt(ours, with_instruction("Solve it.", "Puzzle: 12\n"), prefill="<reasoning>")
    assert ours.decode(prompt) == (
        "<|startoftext|><|start_header_id|>user<|end_header_id|>\n\nSolve it.\n\nPuzzle: 12<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\n<reasoning>"
    )


@pytest.mark.parametrize("max_length", [40, 80, 200])
def test_the_d1_layout_trains_the_very_row_of_d1(stubborn, max_length):
    examples = generate_examples({"gsm8k": 10, "math500": 10}, seed=3)
    collate = PadToLength(max_length=max_length, pad_token_id=stubborn.pad_token_id)
    for example in examples:
        row, num_prompt = d1_row(stubborn, example, max_length)
        if num_prompt >= max_length:
            continue
        batch = collate([encode_example(stubborn, example, layout="d1")])
        assert batch["clean_ids"][0].tolist() == row
        assert batch["is_maskable"][0].tolist() == [index >= num_prompt for index in range(max_length)]


def test_the_d1_layout_ends_with_a_second_header_and_the_exact_one_with_the_turn(stubborn):
    example = generate_examples({"math500": 1}, seed=3)[0]
    ends = {}
    for layout in ("exact", "d1"):
        encoded = encode_example(stubborn, example, layout=layout)
        ends[layout] = stubborn.decode(encoded["prompt_ids"] + encoded["answer_ids"])
    assert ends["d1"] == ends["exact"] + HEADER
    assert ends["exact"].endswith(f"{HEADER}{example.answer}<|eot_id|>")


def test_the_boundary_of_d1_is_off_by_one_where_three_newlines_are_two_tokens(stubborn):
    example = generate_examples({"math500": 1}, seed=3)[0]
    assert len(stubborn("\n\n\n")["input_ids"]) == len(stubborn("\n\n")["input_ids"]) + 1
    exact, d1 = (encode_example(stubborn, example, layout=layout) for layout in ("exact", "d1"))
    assert stubborn.decode(exact["prompt_ids"]).endswith(HEADER)
    assert stubborn.decode(exact["answer_ids"]).startswith("<reasoning>")
    assert d1["prompt_ids"] == exact["prompt_ids"] + exact["answer_ids"][:1]  # the tag is never masked
    assert d1["answer_ids"][: len(exact["answer_ids"]) - 1] == exact["answer_ids"][1:]


def test_the_boundary_of_d1_is_right_where_three_newlines_are_one_token():
    merging = train_tokenizer(["user\n\nx\n\n\ny 12 <reasoning>"] * 50, vocab_size=330)
    merging.chat_template = ALWAYS_A_HEADER
    assert len(merging("\n\n\n")["input_ids"]) == len(merging("\n\n")["input_ids"]) == 1
    example = generate_examples({"gsm8k": 1}, seed=3)[0]
    exact, d1 = (encode_example(merging, example, layout=layout) for layout in ("exact", "d1"))
    assert d1["prompt_ids"] == exact["prompt_ids"]


def test_a_template_with_add_generation_prompt_gives_the_same_layouts(tokenizer, stubborn):
    example = generate_examples({"gsm8k": 1}, seed=3)[0]
    for layout in ("exact", "d1"):
        assert encode_example(tokenizer, example, layout=layout) == encode_example(
            stubborn, example, layout=layout
        )


@pytest.mark.parametrize("layout", ["exact", "d1"])
def test_only_the_last_turn_of_a_conversation_is_trained(stubborn, layout):
    encoded = encode_example(stubborn, CHAT, layout=layout)
    whole = stubborn.decode(encoded["prompt_ids"] + encoded["answer_ids"])
    turns = [("system", "Be short."), ("user", "What is 2+2?"), ("assistant", "4"), ("user", "And 3+3?")]
    prompt = "<|startoftext|>" + "".join(
        f"<|start_header_id|>{role}<|end_header_id|>\n\n{text}<|eot_id|>" for role, text in turns
    )
    assert whole.startswith(f"{prompt}{HEADER}6<|eot_id|>")
    assert encoded["prompt_ids"][: len(encode_prompt(stubborn, CHAT.question, history=CHAT.history))] == (
        encode_prompt(stubborn, CHAT.question, history=CHAT.history)
    )


def test_any_text_survives_the_tokenizer(tokenizer):
    text = "Ünïcode \U0001f642 1234567890 \\frac{1}{2}\n\n\ttabs"
    assert tokenizer.decode(tokenizer(text)["input_ids"]) == text


def test_a_tokenizer_without_end_of_turn_is_refused():
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast

    bare = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.BPE()))
    with pytest.raises(DataError, match="end an answer"):
        turn_end_id(bare)


def test_the_turns_before_a_question_may_be_dictionaries(tokenizer):
    turns = [{"role": "system", "content": "Be brief."}]
    expected = encode_prompt(tokenizer, "What?", history=[Message(**turn) for turn in turns])
    assert encode_prompt(tokenizer, "What?", history=turns) == expected != encode_prompt(tokenizer, "What?")


@pytest.mark.usefixtures("without_type_checks")
@pytest.mark.parametrize(
    ("question", "history"), [([], []), (None, []), ("?", [{"role": "tool", "content": ""}])]
)
def test_what_is_no_turn_is_refused(tokenizer, question, history):
    with pytest.raises(DataError, match="a turn must have a role"):
        encode_prompt(tokenizer, question, history=history)


@pytest.mark.parametrize(
    "template",
    ["", "{% for turn in messages %}{{ turn.role }}{% endfor %}", "{{ messages[0].content }}"],
    ids=["empty", "roles only", "first turn only"],
)
def test_a_prompt_without_its_question_is_refused(tokenizer, template):
    deaf = copy.deepcopy(tokenizer)
    deaf.chat_template = template
    history = [{"role": "user", "content": "Hello."}, {"role": "assistant", "content": "Hi."}]
    with pytest.raises(
        DataError, match=r"must write the text of every turn, got a prompt of .* restore the tem"
    ):
        encode_prompt(deaf, "What is 2+2?", history=history)


def test_a_template_may_remove_space_around_a_question(tokenizer):
    trimming = copy.deepcopy(tokenizer)
    trimming.chat_template = ALWAYS_A_HEADER
    assert encode_prompt(trimming, "  2+2? \n") == encode_prompt(trimming, "2+2?")
