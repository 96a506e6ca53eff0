import json

import pytest

from weft.errors import SamplingError
from weft.records import Generation
from weft.sampling.shards import Shard, find_rank, merge_shards, parse_shard

ROWS = [
    {"example_id": f"q{n}", "benchmark": "b", "question": f"{n}?", "prompt": f"{n}?", "reference": n}
    for n in range(7)
]


def record(row, **changes):
    settings = {
        "gen_length": 8,
        "diffusion_steps": 4,
        "block_length": 4,
        "seed": None,
        "model": "m",
        "digest": "abc",
    }
    content = {"benchmark": "b", "question": "?", "reference": 1, "generation": f"{row['question']} \ud800"}
    return Generation(**{"example_id": row["example_id"]} | content | settings | changes).as_object()


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


def test_a_shard_takes_every_nth_question():
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


def test_an_invalid_rank_is_refused():
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


def test_missing_doubled_and_foreign_answers_are_named(tmp_path, questions):
    first, second = shards(tmp_path, 2)
    empty, more = write(tmp_path / "empty", []), write(tmp_path / "more", [record(ROWS[4])])
    foreign = write(tmp_path / "foreign", [record({"example_id": "x", "question": ""})])
    for parts, message in (
        ([first], "must be answered; .* q1, q3, q5;"),
        ([empty], "must be answered; .* q0, q1, q2 and 4 more;"),
        ([first, second, more], "only once; .* q4;"),
        ([first, second, foreign], "belong to a question; .* x;"),
    ):
        with pytest.raises(SamplingError, match=message):
            merge_shards(questions, parts, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("model", "n"), ("seed", 2), ("gen_length", 16), ("diffusion_steps", 8),
        ("block_length", 8), ("approximate", "dual cache"), ("digest", "abd"),
    ],
)  # fmt: skip
def test_answers_sampled_with_other_settings_are_not_merged(tmp_path, questions, field, value):
    first, second = shards(tmp_path, 2)
    write(second, [record(row, **{field: value}) for row in Shard(2, 2).take(ROWS)])
    with pytest.raises(SamplingError, match=f"{field} .* got .*1.jsonl and {value!r} in .*2.jsonl"):
        merge_shards(questions, [first, second], tmp_path / "out")


def test_a_file_that_is_not_a_shard_is_named(tmp_path, questions):
    (tmp_path / "torn").write_text('{"example_id": "q0"')
    for path, message in (
        (questions, r"questions.jsonl, line 1: generation: expected"),
        (tmp_path / "nowhere", "nowhere: expected a file"),
        (tmp_path / "torn", "torn, line 1"),
    ):
        with pytest.raises(SamplingError, match=message):
            merge_shards(questions, [path], tmp_path / "out")


def test_the_output_must_not_overwrite_an_input(tmp_path, questions):
    parts = shards(tmp_path, 2)
    for out in (*parts, questions):
        before = out.read_bytes()
        with pytest.raises(SamplingError, match=f"--out .* got .*{out.name}"):
            merge_shards(questions, parts, out)
        assert out.read_bytes() == before
