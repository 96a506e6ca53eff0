import functools
import json
import re
import zlib
from collections import Counter

import pandas as pd
import pytest
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers

from weft.report.words import MIN_OCCURRENCES, SYMBOL, WORD, find_units, least_count, rank_words
from weft.training.probe_table import token_texts

COLUMNS = ["example_id", "token", "entropy", "is_padding"]
QWEN_PIECES = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
"""Pieces that no token of the vocabulary crosses, as published with it."""


def probe(*tokens, example="e"):
    """Return the rows of tokens that are given with their entropies."""
    return pd.DataFrame([(example, text, entropy, False) for text, entropy in tokens], columns=COLUMNS)


def words_of(text):
    return [text[start:end] for kind, start, end in find_units(text) if kind == WORD]


def ranking(*tokens, min_count=1):
    return rank_words(probe(*tokens), min_count=min_count).words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("First, let's see: (x1, 2nd) a well-known naïve O’Brien!", ["First", "let's", "see", "well", "known",
         "naïve", "O’Brien"]),
        ("<reasoning>Two</reasoning>\n<answer >ok< / b", ["Two", "ok"]),
        ("done<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n<|endoftext|>", ["done"]),
        ("<|im_start|>assistant\nyes<|im_end|> [MASK] [CLS] [such]", ["yes", "such"]),
        (r"so \( ab + \text{speed} \) is $xy$ and \[ \begin{aligned} ab \end{aligned} \] here", ["so", "is",
         "and", "here"]),
        (r"\begin{align*} ab \boxed{yes} \frac12 \end{align*}", ["ab", "yes"]),
        ("from $5 to $6 and \\$7 or $8", ["from", "to", "and", "or"]),
        ("if a<b and c>d then", ["if", "and", "then"]),
        ("snake_case x_1 3x caf\N{REPLACEMENT CHARACTER} 第二 हिन्दी", ["第二", "हिन्दी"]),
        (r"next row \\[2em] such \]", ["next", "row", "such"]),
    ],
)  # fmt: skip
def test_words_of_a_text(text, words):
    assert words_of(text) == words


def test_numbers_and_operation_signs_are_symbols():
    text = "3.14 + 1,000 = x2"
    assert [text[a:b] for kind, a, b in find_units(text) if kind == SYMBOL] == ["3.14", "+", "1,000", "="]


def test_the_entropy_of_a_word_is_the_mean_over_its_tokens():
    found = ranking((" al", 1.0), ("tern", 2.0), ("atively", 6.0), (", ", 50.0), ("then", 4.0), (".", 70.0))
    assert found["word"].tolist() == ["then", "alternatively"]
    assert found["mean_entropy"].tolist() == [4, 3]


def test_a_token_of_two_words_counts_for_both():
    assert ranking((" of the", 2.0), (" day", 1.0))["mean_entropy"].tolist() == [2, 2, 1]


def test_tokens_without_text_belong_to_the_character_before_them():
    assert ranking((" caf", 1.0), ("é", 2.0), ("", 6.0), (" is", 5.0))["mean_entropy"].tolist() == [5, 3]
    assert ranking((" é", 2.0), ("", 6.0), ("té", 1.0), ("", 3.0))["mean_entropy"].tolist() == [3]


def test_words_are_counted_regardless_of_case_and_kind_of_apostrophe():
    found = ranking(("It's", 1.0), (" it’s", 3.0), (" IT'S", 5.0), (" e\u0301té", 0.0), (" ÉTÉ", 0.0))
    assert found[["rank", "word", "count", "mean_entropy"]].to_numpy().tolist() == [
        [1, "it's", 3, 3],
        [2, "été", 2, 0],
    ]


def test_words_do_not_reach_into_the_next_example():
    both = pd.concat([probe(("to", 1.0)), probe(("day", 3.0), example="f")])
    assert rank_words(both, min_count=1).words["word"].tolist() == ["day", "to"]


def test_padding_is_no_part_of_a_word():
    rows = pd.concat([probe(("end", 1.0)), probe(("ing", 9.0)).assign(is_padding=True)])
    assert rank_words(rows, min_count=1).words["word"].tolist() == ["end"]


def test_equal_entropies_are_in_alphabetical_order_and_rounding_noise_is_no_difference():
    found = ranking((" bb", 0.3), (" cc", 0.1 + 0.2), (" aa", 0.3), (" dd", -1e-9))
    assert found["word"].tolist() == ["aa", "bb", "cc", "dd"]
    assert found["mean_entropy"].tolist() == [0.3, 0.3, 0.3, 0]


def test_rare_words_are_not_ranked():
    rows = probe(*[(" often", 1.0)] * MIN_OCCURRENCES, *[(" rare", 2.0)] * (MIN_OCCURRENCES - 1))
    assert rank_words(rows).words["word"].tolist() == ["often"]
    assert rank_words(rows).least_count == MIN_OCCURRENCES
    assert [least_count(number) for number in (0, 40_000, 40_001)] == [20, 20, 21]


def test_symbols_take_the_place_of_words_only_if_no_word_is_frequent():
    sums = probe(*[("7", 1.0), (" + ", 0.0)] * MIN_OCCURRENCES)
    found = rank_words(pd.concat([sums, probe((" so", 3.0))]))
    assert (found.kind, found.words["word"].tolist()) == (SYMBOL, ["7", "+"])
    words = rank_words(pd.concat([sums, probe(*[(" so", 3.0)] * MIN_OCCURRENCES)]))
    assert (words.kind, words.words["word"].tolist()) == (WORD, ["so"])


def test_nothing_is_ranked_where_nothing_is_frequent():
    found = rank_words(probe(("?", 1.0)))
    assert found.words.empty
    assert list(found.words.columns) == ["rank", "word", "count", "mean_entropy"]


@pytest.mark.parametrize(("size", "expected"), [(1, ("a", "e")), (2, ("ab", "ed")), (9, ("abc", "ed"))])
def test_the_ends_of_the_ranking_share_no_word(size, expected):
    words = [(f" {letter * 2}", 9.0 - number) for number, letter in enumerate("abcde")]
    ends = rank_words(probe(*words), min_count=1).ends(size)
    assert tuple("".join(word[0] for word in end["word"]) for end in ends) == expected


def real_vocabulary(shared_data):
    """Return a byte-level tokenizer with a published vocabulary of 151,643 tokens."""
    folder = shared_data / "qwen2.5_tokenizer"
    tokenizer = Tokenizer(models.BPE.from_file(str(folder / "vocab.json"), str(folder / "merges.txt")))
    pieces = pre_tokenizers.Split(Regex(QWEN_PIECES), behavior="isolated")
    as_bytes = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pieces, as_bytes])
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def given_entropy(token):
    """Return an entropy that depends on the text of a token only."""
    return zlib.crc32(token.encode()) % 6000 / 1000


@functools.cache
def read_traces(folder):
    """Return long reasoning traces as texts, and the rows of their tokens with given entropies."""
    path = folder / "long_reasoning_standin/skythought_long_traces.jsonl"
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()[:60]]
    texts = [f"<reasoning>\n{row['thought'][:5000]}</reasoning>\n<answer>次🧮</answer>" for row in rows]
    tokenizer = real_vocabulary(folder)
    frames = []
    for number, text in enumerate(texts):
        ids = tokenizer.encode(text).ids
        tokens = token_texts(functools.cache(lambda part: tokenizer.decode(list(part))), ids)
        frames.append(probe(*((token, given_entropy(token)) for token in tokens), example=str(number)))
    return texts, pd.concat(frames, ignore_index=True)


def without_formulas(text):
    """Remove formulas step by step, in a way that has nothing in common with the module."""
    for start, end in (("\\(", "\\)"), ("\\[", "\\]")):
        head, *parts = text.split(start)
        text = head + "".join("=" + part.split(end, 1)[-1] for part in parts)
    return text


def test_words_of_reasoning_traces_in_a_real_vocabulary(shared_data):
    texts, rows = read_traces(shared_data)
    assert "".join(rows["token"]) == "".join(texts)
    counts = rank_words(rows, min_count=1).words.set_index("word")["count"]
    plain = re.sub("</?(reasoning|answer)>", " ", " ".join(map(without_formulas, texts)))
    plain = plain.lower().replace("’", "'")
    expected = Counter(re.findall(r"(?<![\w\\'])[a-z]{2,}(?:'[a-z]+)*(?!\w)", plain))
    assert {word: count for word, count in counts.items() if word.isascii() and word[1] != "'"} == expected
    assert min(expected[word] for word in ("first", "second", "all", "such")) > 50
    frequent = rank_words(rows)
    assert frequent.words["count"].tolist() == [
        count for count in counts[frequent.words["word"]] if count >= least_count(sum(counts))
    ]


def test_entropies_of_words_in_a_real_vocabulary(shared_data):
    texts, rows = read_traces(shared_data)
    found = rank_words(rows).words.set_index("word")["mean_entropy"]
    token_of, entropies = [], rows["entropy"].tolist()  # token of each character
    for number, token in enumerate(rows["token"]):
        token_of += [number] * len(token)
    text = "".join(texts)
    for word in ("wait", "alternatively", "tetrahedron"):
        places = [match.span() for match in re.finditer(rf"(?<![\w\\]){word}(?![\w'])", text, re.IGNORECASE)]
        tokens = [range(token_of[start], token_of[end - 1] + 1) for start, end in places]
        means = [sum(entropies[number] for number in part) / len(part) for part in tokens]
        assert found[word] == pytest.approx(sum(means) / len(means), abs=1e-6)
