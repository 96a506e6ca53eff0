"""The table of answer lengths is computed again from the generations that d1 published."""

import csv
import json
import math
from collections import defaultdict
from pathlib import Path

import pytest

import weft.costs
from weft.costs.answer_lengths import BLOCK_LENGTH, denoised_share

END = "<|endoftext|>"


def rows():
    with (Path(weft.costs.__file__).parent / "answer_lengths.csv").open() as file:
        return list(csv.DictReader(file))


def num_tokens(answer, gen_length):
    """Return the number of tokens before the first end of text, after which there is nothing else.

    The tokenizer is not needed: the end-of-text tokens at the end are counted. Seven of 3,381 answers have
    text behind one, for which this is an upper bound.
    """
    return gen_length - answer.count(END)


def test_the_table_is_that_of_the_published_generations(shared_data):
    tokens = defaultdict(list)
    for file in sorted((shared_data / "d1_baselines").glob("*_generations.json")):
        benchmark, _, length = file.name.split("_")[:3]
        answers = json.loads(file.read_text())["generations"]
        tokens[benchmark, length] += [num_tokens(item["generations"], int(length)) for item in answers]
    assert sum(map(len, tokens.values())) == 3381
    table = rows()
    assert len(table) == len(tokens) == 12
    for row in table:
        found, length = tokens[row["benchmark"], row["gen_length"]], int(row["gen_length"])
        blocks = [min(math.ceil((count + 1) / BLOCK_LENGTH), length // BLOCK_LENGTH) for count in found]
        assert int(row["num_answers"]) == len(found)
        assert float(row["mean_tokens"]) == pytest.approx(sum(found) / len(found), abs=0.051)
        share = sum(blocks) / len(blocks) / (length // BLOCK_LENGTH)
        assert float(row["denoised_percent"]) == pytest.approx(100 * share, abs=0.0051)


def test_a_length_between_two_published_ones_takes_the_shorter():
    assert denoised_share("gsm8k", 512) == pytest.approx(0.5858)
    assert denoised_share("gsm8k", 384) == denoised_share("gsm8k", 256) == pytest.approx(0.9242)
    assert denoised_share("gsm8k", 64) is None
    assert denoised_share("aime", 512) is None
