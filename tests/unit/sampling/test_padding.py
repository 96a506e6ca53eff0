from weft.sampling.padding import pad_batchwise


def test_prompts_are_padded_on_the_left_to_the_longest_of_their_batch():
    prompts = [[1], [2, 3, 4], [5, 6], [7], [8, 9]]
    padded = pad_batchwise(prompts, batch_size=2, pad_token_id=0)
    assert padded == [[0, 0, 1], [2, 3, 4], [5, 6], [0, 7], [8, 9]]


def test_a_batch_of_one_has_no_padding():
    assert pad_batchwise([[1], [2, 3]], batch_size=1, pad_token_id=0) == [[1], [2, 3]]
    assert pad_batchwise([], batch_size=3, pad_token_id=0) == []
