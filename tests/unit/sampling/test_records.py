import json

import pytest

from weft.sampling.records import RecordWriter, partial_path, read_partial, to_line, write_records

DIGEST = "d" * 64


def record(number, **fields):
    return {"example_id": f"q{number}", "text": "\ud800 é"} | fields


def test_records_lie_on_disk_as_they_come_and_are_named_in_order(tmp_path):
    out = tmp_path / "a.jsonl"
    with RecordWriter(out, digest=DIGEST) as writer:
        for number in (2, 0, 1):
            writer.append(record(number))
            on_disk = partial_path(out, DIGEST).read_text()
            assert on_disk.endswith(to_line(record(number)))
        assert not out.exists()
        writer.finish(["q0", "q1", "q2"])
    assert out.read_text() == "".join(to_line(record(number)) for number in range(3))
    assert list(tmp_path.iterdir()) == [out]


TORN = [
    pytest.param(b'{"example_id": "q9", "te', id="cut off"),
    pytest.param(to_line(record(9)).encode()[:-1], id="without its end"),
    pytest.param(b"\x00\x00\x00\n", id="zeros"),
    pytest.param(b'["q9"]\n', id="another thing"),
    pytest.param(b'{"n": 3}\n', id="without id"),
    pytest.param(b'{"example_id": []}\n', id="a list for an id"),
    pytest.param(to_line(record(0)).encode(), id="repeated"),
]


@pytest.mark.parametrize("torn", TORN)
def test_a_torn_line_is_dropped_and_the_file_goes_on_behind_the_whole_ones(tmp_path, torn):
    out = tmp_path / "a.jsonl"
    with RecordWriter(out, digest=DIGEST) as writer:
        writer.append(record(0))
        writer.append(record(1))
    partial = partial_path(out, DIGEST)
    with partial.open("ab") as file:
        file.write(torn)
    with RecordWriter(out, digest=DIGEST) as writer:
        assert list(writer.done) == ["q0", "q1"]
        writer.append(record(2))
        assert partial.read_text() == "".join(to_line(record(number)) for number in range(3))
        writer.finish(["q2", "q1", "q0"])
    assert [json.loads(line)["example_id"] for line in out.read_text().splitlines()] == ["q2", "q1", "q0"]


def test_records_of_another_digest_are_not_mixed_in_and_go_when_the_file_is_done(tmp_path):
    out = tmp_path / "a.jsonl"
    with RecordWriter(out, digest="1" * 64) as writer:
        writer.append(record(0))
    with RecordWriter(out, digest="2" * 64) as writer:
        assert writer.done == {}
        assert read_partial(partial_path(out, "1" * 64))[0] == {"q0": record(0)}
        writer.append(record(1))
        writer.finish(["q1"])
    assert list(tmp_path.iterdir()) == [out]
    assert out.read_text() == to_line(record(1))


def test_an_example_that_is_not_there_leaves_the_output_alone(tmp_path):
    out = tmp_path / "a.jsonl"
    with RecordWriter(out, digest=DIGEST) as writer:
        writer.append(record(0))
        with pytest.raises(KeyError):
            writer.finish(["q0", "q1"])
    assert not out.exists()
    assert partial_path(out, DIGEST).exists()


def test_a_file_is_replaced_whole(tmp_path):
    out = tmp_path / "deep" / "a.jsonl"
    write_records([record(0)], out)
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_records([record(1), record(2, credit=float("nan"))], out)
    assert out.read_text() == to_line(record(0))


def test_strange_text_survives(tmp_path):
    text = "\x00 \u202e \ud800 \u2028 \r"
    assert json.loads(to_line({"t": text}))["t"] == text
    assert to_line({"t": text}).count("\n") == 1
    path = tmp_path / "p"
    path.write_text(to_line({"example_id": text}))
    assert list(read_partial(path)[0]) == [text]
