import copy
import json
from collections import Counter

import pytest

from weft.data.examples import (
    encode_example,
    encode_prompt,
    generate_examples,
    generate_mixture,
    lay_out_answer,
    turn_end_id,
)
from weft.data.instructions import with_instruction
from weft.errors import DataError


def test_answers_have_the_papers_layout():
    assert lay_out_answer("1+1=2", "2") == "<reasoning>1+1=2</reasoning>\n<answer>2</answer>"


def test_prompt_and_answer_join_without_a_seam(tokenizer):
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


def test_a_template_that_always_adds_the_header_gives_the_same_prompt(tokenizer):
    stubborn = copy.deepcopy(tokenizer)
    stubborn.chat_template = tokenizer.chat_template.replace(
        "{% if add_generation_prompt %}", "{% if true %}"
    )
    assert encode_prompt(stubborn, "2+2?") == encode_prompt(tokenizer, "2+2?")


def test_a_prompt_under_lladas_own_template_is_d1s(tokenizer, shared_data):
    """One user turn, the assistant header though nobody asks for it, then what the answer begins with."""
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


def test_any_text_survives_the_tokenizer(tokenizer):
    text = "Ünïcode \U0001f642 1234567890 \\frac{1}{2}\n\n\ttabs"
    assert tokenizer.decode(tokenizer(text)["input_ids"]) == text


def test_examples_are_distinct_and_as_many_as_asked():
    examples = generate_examples({"sudoku": 5, "gsm8k": 7}, seed=1)
    assert Counter(example.source for example in examples) == {"generated/sudoku": 5, "generated/gsm8k": 7}
    assert len({example.question for example in examples}) == 12


def test_the_mixture_follows_its_shares():
    examples = list(
        generate_mixture({"sudoku": 3.0, "gsm8k": 1.0}, worked_share=0.0, num_examples=400, seed=1)
    )
    assert all(example.answer.startswith("<reasoning></reasoning>") for example in examples)
    assert 250 < sum("sudoku" in example.source for example in examples) < 350


def test_a_tokenizer_without_end_of_turn_is_refused():
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast

    bare = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.BPE()))
    with pytest.raises(DataError, match="end an answer"):
        turn_end_id(bare)
