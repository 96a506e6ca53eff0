import json
import re

import pytest
import torch

from weft.errors import SamplingError
from weft.sampling import generate
from weft.verify.imposed import (
    NUM_ENDING,
    ImposedLengths,
    cut_behind_end,
    require_equal,
    share_of_equal,
    typical_blocks,
)
from weft.verify.network import Shape, random_network
from weft.verify.plain.answers import Counted, answer_plainly

SHAPE = Shape(width=32, num_layers=2, vocab_size=64)
EOS = SHAPE.eos_token_id
PROMPTS = [[0, 5, 6], [1, 7], [2, 8, 9, 10]]
LENGTHS = [5, 17, 12]
SETTINGS = {"gen_length": 24, "block_length": 8, "diffusion_steps": 12, "mask_token_id": SHAPE.mask_token_id}


@pytest.fixture(scope="module")
def imposed():
    ends = {prompt[0]: len(prompt) + length for prompt, length in zip(PROMPTS, LENGTHS, strict=True)}
    return ImposedLengths(random_network(SHAPE, spread=2.0), eos_token_id=EOS, ends=ends)


@pytest.mark.parametrize(
    "mode", [{}, {"early_stop": True}, {"kv_cache": "dual"}, {"kv_cache": "prefix"}], ids=str
)
@pytest.mark.parametrize("batch_size", [1, 2, 3])
def test_every_answer_has_its_length_in_every_way_of_decoding(imposed, mode, batch_size):
    answers = generate(imposed, PROMPTS, eos_token_id=EOS, batch_size=batch_size, **SETTINGS, **mode)
    assert [answer.index(EOS) for answer in answers] == LENGTHS
    assert all(set(answer[length:]) == {EOS} for answer, length in zip(answers, LENGTHS, strict=True))


def test_the_plain_loop_gets_the_same_lengths(imposed):
    answers = answer_plainly(imposed, PROMPTS, batch_size=3, pad_token_id=EOS, **SETTINGS)
    assert [answer.index(EOS) for answer in answers] == LENGTHS


def test_a_row_without_an_imposed_end_has_none(imposed):
    (answer,) = generate(imposed, [[3, 5]], eos_token_id=EOS, **SETTINGS)
    assert EOS not in answer


def test_early_stop_skips_the_blocks_after_the_end(imposed):
    counted = Counted(imposed)
    generate(counted, PROMPTS, eos_token_id=EOS, early_stop=True, batch_size=1, **SETTINGS)
    assert counted.num_passes == 4 * (1 + 3 + 2)  # four steps a block; the ends lie in blocks 1, 3 and 2


def test_only_the_logit_of_end_of_text_is_changed(imposed):
    ids = torch.tensor([[0, 5, 6, *[SHAPE.mask_token_id] * 8]])
    where = {"input_ids": ids, "position_ids": torch.arange(11)[None]}
    with torch.no_grad():
        own, made = imposed.model(**where).logits, imposed(**where).logits
    assert (own != made).nonzero()[:, 1:].tolist() == [[position, EOS] for position in (8, 9, 10)]


def test_typical_blocks_stand_for_equal_shares_of_the_answers():
    for gen_length, ending in NUM_ENDING.items():
        assert len(ending) == gen_length // 32
        many = typical_blocks(gen_length, 1000)
        mean = sum(block * number for block, number in enumerate(ending)) / sum(ending)
        assert sum(many) / len(many) == pytest.approx(mean, abs=0.02)
    assert typical_blocks(128, 2) == [3, 3]


def test_the_table_is_that_of_the_stored_answers(shared_data):
    for gen_length, expected in NUM_ENDING.items():
        ending = [0] * len(expected)
        for file in (shared_data / "d1_baselines").glob(f"gsm8k_instruct_{gen_length}_*.json"):
            for row in json.loads(file.read_text())["generations"]:
                num_ends = len(re.search(r"(<\|endoftext\|>)*$", row["generations"]).group()) // 13
                ending[min((gen_length - num_ends) // 32, len(ending) - 1)] += 1
        assert tuple(ending) == expected


def test_text_after_the_end_is_cut():
    assert cut_behind_end([1, 2, EOS, 3, EOS], EOS) == [1, 2, EOS]
    assert cut_behind_end([1, 2], EOS) == [1, 2]


def test_equal_tokens_are_required():
    require_equal([[1, 2], [3]], [[1, 2], [3]], title="t")
    with pytest.raises(SamplingError, match=r"t: .*answer 1 has 4 at token 1 where the reference has 5"):
        require_equal([[1], [3, 4]], [[1], [3, 5]], title="t")
    with pytest.raises(SamplingError, match="answer 0 has 2 at token 1 where the reference has None"):
        require_equal([[1, 2]], [[1]], title="t")
    with pytest.raises(SamplingError, match="got 1 and 2"):
        require_equal([[1]], [[1], [2]], title="t")


def test_the_share_of_equal_tokens_is_counted_where_the_exact_answer_has_tokens():
    assert share_of_equal([[1, 2, 3], [4]], [[1, 2], [5, 6]]) == pytest.approx(2 / 4)
