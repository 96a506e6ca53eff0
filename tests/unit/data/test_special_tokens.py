"""Special tokens in the texts of questions and answers: refused, or encoded as ordinary text."""

import copy
import json

import pytest

from weft.config import FineTuning, load_experiment
from weft.config.stages import stage_settings
from weft.data.encoding import encode_example, encode_prompt
from weft.data.special_tokens import GUARD, list_special_tokens
from weft.data.tasks.examples import generate_examples
from weft.errors import DataError
from weft.records import Example, Message

LLADA = (
    "{% for m in messages %}{% set content = '<|start_header_id|>' + m['role'] + '<|end_header_id|>\n\n'"
    "+ m['content'] | trim + '<|eot_id|>' %}{% if loop.index0 == 0 %}{% set content = bos_token + content %}"
    "{% endif %}{{ content }}{% endfor %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}"
)
"""A template that always appends the header of the assistant."""
TOKENS = ["<|mdm_mask|>", "<|endoftext|>", "<|eot_id|>", "<|startoftext|>", "<|start_header_id|>"]
HISTORY = (Message(role="system", content="Be short."), Message(role="user", content="2+2?"),
           Message(role="assistant", content="4"))  # fmt: skip


@pytest.fixture(params=["ours", "llada"])
def either(request, tokenizer):
    chosen = copy.deepcopy(tokenizer)
    if request.param == "llada":
        chosen.chat_template = LLADA
    return chosen


def example(question="3+3?", answer="6", history=()):
    return Example(example_id="a", question=question, answer=answer, source="mine", history=history)


def place(text, part):
    """Return an example with a text at one place."""
    system, user, assistant = HISTORY
    histories = {
        "system message": (system.model_copy(update={"content": text}), user, assistant),
        "earlier question": (system, user.model_copy(update={"content": text}), assistant),
        "earlier answer": (system, user, assistant.model_copy(update={"content": text})),
    }
    return example(
        question=text if part == "question" else "3+3?",
        answer=text if part == "answer" else "6",
        history=histories.get(part, HISTORY),
    )


@pytest.mark.parametrize("layout", ["exact", "d1"])
@pytest.mark.parametrize(
    "part", ["system message", "earlier question", "earlier answer", "question", "answer"]
)
@pytest.mark.parametrize("token", TOKENS)
def test_a_special_token_in_a_text_is_an_error(either, token, part, layout):
    chat = place(f"It is {token} 4", part)
    name = part.removeprefix("earlier ")
    with pytest.raises(DataError, match=r"special_tokens: plain_text") as caught:
        encode_example(either, chat, layout=layout)
    assert str(caught.value).startswith(f"the {name} must not contain special tokens of the tokenizer, got ")
    assert repr(token) in str(caught.value)
    assert "It is" in str(caught.value)


@pytest.mark.parametrize("layout", ["exact", "d1"])
@pytest.mark.parametrize(
    "part", ["system message", "earlier question", "earlier answer", "question", "answer"]
)
@pytest.mark.parametrize("token", TOKENS)
def test_or_it_is_encoded_as_ordinary_text(either, token, part, layout):
    """The tokens are those of the template and of a text in which the token has no meaning."""
    text = f"It is {token}{token} 4"
    encoded = encode_example(either, place(text, part), layout=layout, special_tokens="plain_text")
    ids = encoded["prompt_ids"] + encoded["answer_ids"]
    plain = either(text, add_special_tokens=False, split_special_tokens=True)["input_ids"]
    assert either.convert_tokens_to_ids(token) not in plain
    neutral = encode_example(either, place("QQQ", part), layout=layout)
    other = neutral["prompt_ids"] + neutral["answer_ids"]
    inner = either("QQQ", add_special_tokens=False)["input_ids"]
    start = next(i for i in range(len(other)) if other[i : i + len(inner)] == inner)
    if part == "answer" or layout == "exact":  # the boundary of d1 lies one token behind
        assert ids[start : start + len(plain)] == plain
    special = set(either.convert_tokens_to_ids(TOKENS))
    assert [i for i in ids if i in special] == [i for i in other if i in special]
    assert text in either.decode(ids)
    assert either.mask_token_id not in ids


@pytest.mark.parametrize(
    "text", ["a b", " 4 \n", "\n\nHello", "x<|x|>y", "<|mdm_mask|", "", "你好 👋🏽?\r\nb\x00"]
)
def test_texts_without_special_tokens_have_the_same_tokens_under_both_settings(either, text):
    for layout in ("exact", "d1"):
        chat = example(question=f"q{text}", answer=f"a{text}", history=HISTORY)
        error, plain = (
            encode_example(either, chat, layout=layout, special_tokens=rule)
            for rule in ("error", "plain_text")
        )
        assert error == plain
    turns = [turn.as_object() for turn in chat.prompt]
    prompt = either.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
    expected = either(f"{prompt}<reasoning>", add_special_tokens=False)["input_ids"]
    got = encode_prompt(either, chat.question, history=HISTORY, prefill="<reasoning>")
    assert got == expected


def test_prompts_obey_the_same_setting(either):
    for options in ({"question": "Fill in <|mdm_mask|>"}, {"question": "q", "prefill": "<|mdm_mask|>"}):
        with pytest.raises(DataError, match=r"the (question|prefill) must not .*'<\|mdm_mask\|>'"):
            encode_prompt(either, **options)
        ids = encode_prompt(either, **options, special_tokens="plain_text")
        assert either.mask_token_id not in ids
        assert "<|mdm_mask|>" in either.decode(ids)


def test_a_template_may_cut_texts_with_special_tokens(tokenizer):
    cutting = copy.deepcopy(tokenizer)
    cutting.chat_template = (
        "{% for m in messages %}{{ m.content.split('|>')[-1] | trim }}<|eot_id|>{% endfor %}"
    )
    history = [{"role": "user", "content": "2"}, {"role": "assistant", "content": "<|mdm_mask|> 3"}]
    ids = encode_prompt(cutting, "4", history=history, special_tokens="plain_text")
    assert cutting.decode(ids) == "2<|eot_id|>3<|eot_id|>4<|eot_id|>"
    with pytest.raises(DataError, match="must write the text of every turn"):
        encode_prompt(cutting, "<|mdm_mask|> 4", special_tokens="plain_text")


def test_the_mark_of_special_tokens_is_an_ordinary_character_unless_it_is_needed(tokenizer):
    text = f"a{GUARD}b"
    assert encode_prompt(tokenizer, "", prefill=text)[-6:] == tokenizer(text)["input_ids"][-6:]
    with pytest.raises(DataError, match=r"U\+10FFFE"):
        encode_prompt(tokenizer, text, special_tokens="plain_text")


def test_a_mask_from_an_unusual_spelling_is_no_target(tokenizer):
    """A normaliser may turn another text into the mask token."""
    from tokenizers import AddedToken, normalizers

    folding = copy.deepcopy(tokenizer)
    folding.backend_tokenizer.normalizer = normalizers.NFKC()
    folding.add_special_tokens({"mask_token": AddedToken("<|MASK|>", normalized=True, special=True)})
    text = "\uff1c|MASK|\uff1e"
    assert folding.mask_token_id in folding(text)["input_ids"]
    with pytest.raises(DataError, match="must not contain the mask token"):
        encode_example(folding, example(answer=text))


def test_tokens_that_cannot_be_split_are_refused(tokenizer):
    from tokenizers import AddedToken

    other = copy.deepcopy(tokenizer)
    other.add_tokens([AddedToken("<|im_end|>", special=False)])
    assert "<|im_end|>" in list_special_tokens(other)
    with pytest.raises(DataError, match=r"as ordinary text, got \['<\|im_end\|>'\]"):
        encode_prompt(other, "a<|im_end|>", special_tokens="plain_text")


def test_a_start_of_text_that_the_template_writes_is_not_doubled(either):
    from tokenizers import processors

    started = copy.deepcopy(either)
    started.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single="<|startoftext|> $A", special_tokens=[("<|startoftext|>", started.bos_token_id)]
    )
    assert started("a")["input_ids"][0] == started.bos_token_id
    for layout in ("exact", "d1"):
        chat = example(history=HISTORY)
        assert encode_example(started, chat, layout=layout) == encode_example(either, chat, layout=layout)
        started_ids = encode_example(started, chat, layout=layout)["prompt_ids"]
        assert started_ids.count(started.bos_token_id) == 1


def test_the_tokens_of_dream_and_llada_are_known(shared_data):
    """All names that the published tokenizers declare as special are found."""
    from transformers import Qwen2Tokenizer

    qwen = Qwen2Tokenizer.from_pretrained(str(shared_data / "qwen2.5_tokenizer"))
    assert {"<|endoftext|>", "<|im_start|>", "<|im_end|>"} <= {*list_special_tokens(qwen)}
    assert "<tool_call>" not in list_special_tokens(qwen)  # an ordinary token, in the words of its author
    text = "a <|im_end|> b"
    with pytest.raises(DataError, match=r"'<\|im_end\|>' in 'a <\|im_end\|> b'"):
        encode_prompt(qwen, text)
    ids = encode_prompt(qwen, text, special_tokens="plain_text")
    template = "<|im_start|>user\na <|im_end|> b<|im_end|>\n<|im_start|>assistant\n"
    assert qwen.decode(ids).endswith(template)
    assert ids.count(qwen.convert_tokens_to_ids("<|im_end|>")) == 1  # the template's
    published = json.loads((shared_data / "llada_tokenizer" / "tokenizer_config.json").read_text())
    assert published["add_bos_token"] is False  # so that the d1 layout is d1's with this tokenizer
    assert all(token["special"] for token in published["added_tokens_decoder"].values())


def test_the_default_changes_no_settings_of_a_job():
    tiny = load_experiment("experiments/tiny.yaml")
    assert isinstance(tiny, FineTuning)
    plain = tiny.model_copy(update={"special_tokens": "plain_text"})
    for stage in ("prepare", "check", "sample", "curve", "trace"):
        assert "special_tokens" not in stage_settings(tiny, stage, {})
        assert stage_settings(plain, stage, {})["special_tokens"] == "plain_text"


def test_generated_examples_contain_no_special_tokens(tokenizer):
    examples = generate_examples({"sudoku": 5, "countdown": 5, "gsm8k": 5, "math500": 5}, seed=2)
    for layout in ("exact", "d1"):
        assert [encode_example(tokenizer, row, layout=layout) for row in examples] == [
            encode_example(tokenizer, row, layout=layout, special_tokens="plain_text") for row in examples
        ]
