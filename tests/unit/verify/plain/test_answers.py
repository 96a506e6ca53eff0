from weft.verify.network import Shape, random_network
from weft.verify.plain.answers import Counted, answer_plainly

SHAPE = Shape(width=32, num_layers=2, vocab_size=64)
SETTINGS = {"gen_length": 8, "block_length": 4, "diffusion_steps": 4, "mask_token_id": SHAPE.mask_token_id}
PROMPTS = [[1, 2, 3], [4], [5, 6], [7, 8, 9, 10]]


def test_padding_changes_no_answer():
    model = random_network(SHAPE, spread=2.0)
    together, alone = (
        answer_plainly(model, PROMPTS, batch_size=size, pad_token_id=SHAPE.eos_token_id, **SETTINGS)
        for size in (3, 1)
    )
    assert together == alone
    assert [len(answer) for answer in together] == [8] * 4


def test_passes_are_counted_by_row_and_position():
    counted = Counted(random_network(SHAPE, spread=2.0))
    answer_plainly(counted, PROMPTS, batch_size=3, pad_token_id=SHAPE.eos_token_id, **SETTINGS)
    assert counted.num_passes == 4 * 4
    assert counted.num_positions == 4 * (3 * 11 + 12)
    assert counted.config.vocab_size == 64
