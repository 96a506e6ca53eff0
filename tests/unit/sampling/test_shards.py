import json

import pytest

from weft.errors import DataError, SamplingError
from weft.sampling.shards import Shard, find_rank, merge_shards, parse_shard, read_questions

ROWS = [
    {"example_id": f"q{n}", "benchmark": "b", "question": f"{n}?", "prompt": f"{n}?", "reference": n}
    for n in range(7)
]


def record(row, **changes):
    made = {
        "benchmark": "b", "model": "m", "seed": None, "gen_length": 8, "diffusion_steps": 4,
        "block_length": 4, "digest": "abc",
    }  # fmt: skip
    return {"example_id": row["example_id"], "generation": f"{row['question']} \ud800"} | made | changes


def write(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture
def questions(tmp_path):
    return write(tmp_path / "questions.jsonl", ROWS)


def shards(folder, count, **changes):
    return [
        write(folder / f"{n}.jsonl", [record(row, **changes) for row in Shard(n, count).take(ROWS)])
        for n in range(1, count + 1)
    ]


@pytest.mark.parametrize("count", [1, 2, 3, 9])
def test_shards_divide_the_questions(count):
    parts = [Shard(number, count).take(range(7)) for number in range(1, count + 1)]
    assert sorted(number for part in parts for number in part) == list(range(7))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_the_second_of_four_takes_every_fourth_from_the_second():
    assert list(parse_shard("2/4", {}).take(range(10))) == [1, 5, 9]


@pytest.mark.parametrize("text", ["0/4", "5/4", "1", "1/0", "a/b", "-1/4", "1/4/2", ""])
def test_other_shards_are_refused(text):
    with pytest.raises(SamplingError, match="a shard must be"):
        parse_shard(text, {})


@pytest.mark.parametrize(
    ("environment", "shard"),
    [
        ({"RANK": "1", "WORLD_SIZE": "4"}, Shard(2, 4)),
        ({"SLURM_PROCID": "0", "SLURM_NTASKS": "3"}, Shard(1, 3)),
        ({"RANK": "0", "WORLD_SIZE": "2", "SLURM_PROCID": "5", "SLURM_NTASKS": "9"}, Shard(1, 2)),
        ({"RANK": "0", "WORLD_SIZE": "1"}, Shard(1, 1)),
        ({"RANK": "3"}, Shard(1, 1)),
        ({}, Shard(1, 1)),
    ],
    ids=["torchrun", "Slurm", "torchrun within Slurm", "alone", "half", "none"],
)
def test_auto_is_the_place_among_the_ranks(environment, shard):
    assert parse_shard("auto", environment) == shard
    assert parse_shard("1/1", environment) == Shard()
    assert find_rank(environment) == (shard if shard.count > 1 else None)


def test_a_senseless_rank_is_refused():
    with pytest.raises(SamplingError, match="RANK and WORLD_SIZE must be numbers"):
        find_rank({"RANK": "one", "WORLD_SIZE": "2"})
    with pytest.raises(SamplingError, match="got 5/2"):
        find_rank({"RANK": "4", "WORLD_SIZE": "2"})


def test_a_path_names_its_shard(tmp_path):
    assert Shard(2, 4).fill_in(tmp_path / "{shard}of{shards}.jsonl") == tmp_path / "2of4.jsonl"


@pytest.mark.parametrize("count", [1, 2, 3, 9])
def test_merged_shards_are_the_file_of_a_single_job(tmp_path, questions, count):
    (whole,) = shards(tmp_path, 1)
    expected, out = whole.read_bytes(), tmp_path / "merged.jsonl"
    assert merge_shards(questions, list(reversed(shards(tmp_path, count))), out) == 7
    assert out.read_bytes() == expected


def test_a_missing_shard_is_told_by_its_questions(tmp_path, questions):
    first, _ = shards(tmp_path, 2)
    with pytest.raises(SamplingError, match="must be answered, got nothing for q1, q3, q5;"):
        merge_shards(questions, [first], tmp_path / "out")
    with pytest.raises(SamplingError, match="nothing for q0, q1, q2 and 4 more"):
        merge_shards(questions, [write(tmp_path / "empty", [])], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_overlap_is_told(tmp_path, questions):
    parts = [*shards(tmp_path, 2), write(tmp_path / "more.jsonl", [record(ROWS[4])])]
    with pytest.raises(SamplingError, match="answered once, got several of q4;"):
        merge_shards(questions, parts, tmp_path / "out")


def test_answers_to_other_questions_are_told(tmp_path, questions):
    parts = [
        *shards(tmp_path, 2),
        write(tmp_path / "more.jsonl", [record({"example_id": "x", "question": ""})]),
    ]
    with pytest.raises(SamplingError, match=r"to one of .*questions.jsonl, got x;"):
        merge_shards(questions, parts, tmp_path / "out")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("model", "n"), ("seed", 2), ("gen_length", 16), ("diffusion_steps", 8),
        ("block_length", 8), ("approximate", "dual cache"), ("digest", "abd"),
    ],
)  # fmt: skip
def test_records_that_were_made_differently_are_not_merged(tmp_path, questions, field, value):
    first, second = shards(tmp_path, 2)
    write(second, [record(row, **{field: value}) for row in Shard(2, 2).take(ROWS)])
    with pytest.raises(SamplingError, match=f"the same {field}, got .*1.jsonl and {value!r} in .*2.jsonl"):
        merge_shards(questions, [first, second], tmp_path / "out")


def test_what_is_no_shard_is_named(tmp_path, questions):
    with pytest.raises(SamplingError, match=r"questions.jsonl must hold generation records"):
        merge_shards(questions, [questions, tmp_path / "x"], tmp_path / "out")
    with pytest.raises(SamplingError, match="nowhere must be a readable file"):
        merge_shards(questions, [tmp_path / "nowhere"], tmp_path / "out")
    (tmp_path / "torn").write_text('{"example_id": "q0"')
    with pytest.raises(DataError, match="torn, line 1"):
        merge_shards(questions, [tmp_path / "torn"], tmp_path / "out")


def test_what_is_read_is_not_written_over(tmp_path, questions):
    parts = shards(tmp_path, 2)
    for out in (*parts, questions):
        before = out.read_bytes()
        with pytest.raises(SamplingError, match="another than those that are read"):
            merge_shards(questions, parts, out)
        assert out.read_bytes() == before


def test_questions_are_whole_and_different(tmp_path):
    with pytest.raises(SamplingError, match="must stand there once, got 'q1' again"):
        read_questions(write(tmp_path / "q", [*ROWS, ROWS[1]]))
    with pytest.raises(SamplingError, match="every question must have prompt, reference, got"):
        read_questions(write(tmp_path / "q", [{"example_id": "1", "benchmark": "b", "question": "?"}]))
