import json

from weft.sampling.records import RecordWriter, in_batches, partial_path, read_complete, to_line


def test_a_resumed_file_has_the_same_bytes(tmp_path):
    out, records = tmp_path / "a.jsonl", [{"n": n, "text": "\ud800 é"} for n in range(5)]
    first = RecordWriter(out, digest="d" * 64, batch_size=2)
    first.append(records[:2])
    with partial_path(out, "d" * 64).open("a") as file:
        file.write('{"n": 2, "te')  # killed in the middle of a line
    second = RecordWriter(out, digest="d" * 64, batch_size=2)
    assert [record["n"] for record in second.done] == [0, 1]
    second.append(records[2:4])
    second.append(records[4:])
    second.finish()
    assert out.read_text() == "".join(to_line(record) for record in records)
    assert list(tmp_path.iterdir()) == [out]


def test_half_a_batch_is_made_again(tmp_path):
    file = tmp_path / "x"
    file.write_text("".join(to_line({"n": n}) for n in range(3)))
    assert len(read_complete(file, batch_size=2)) == 2


def test_other_settings_start_afresh(tmp_path):
    out = tmp_path / "a.jsonl"
    RecordWriter(out, digest="1" * 64, batch_size=1).append([{"n": 0}])
    assert RecordWriter(out, digest="2" * 64, batch_size=1).done == []


def test_strange_text_survives(tmp_path):
    text = "\x00 \u202e \ud800 \u2028"
    assert json.loads(to_line({"t": text}))["t"] == text
    assert to_line({"t": text}).count("\n") == 1


def test_batches_keep_order():
    assert [list(batch) for batch in in_batches([1, 2, 3], 2)] == [[1, 2], [3]]
