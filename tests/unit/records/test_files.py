"""The file layer: whole files or none, one form of error, growing files that survive a kill."""

import logging
import os
import subprocess
import sys
import threading

import pytest

from weft.errors import DataError, ScoringError
from weft.provenance import is_content
from weft.records import Example, Generation, Message, Score, ScoredExample, Verdict, files


def make_generation(**changes):
    values = {"example_id": "a", "benchmark": "b", "question": "q", "reference": 18.0, "generation": "x"}
    return Generation(**(values | changes))


def test_lines_come_back_as_they_were_written(tmp_path):
    records = [make_generation(generation="line\u2028 \ud800 end"), make_generation(reference=[[1, 2], 3])]
    files.write_lines(tmp_path / "deep/g.jsonl", records)
    assert files.read_lines(tmp_path / "deep/g.jsonl", Generation) == records


def test_only_given_fields_are_written():
    assert "gen_length" not in make_generation().as_object()
    assert make_generation(seed=None).as_object()["seed"] is None


def test_history_is_absent_where_there_is_none():
    example = Example(example_id="a", question="q", answer="a", source="s")
    assert list(example.as_object()) == ["example_id", "question", "answer", "source"]
    turn = Message(role="system", content="c")
    longer = Example(example_id="a", question="q", answer="a", source="s", history=(turn,))
    assert Example.model_validate(longer.as_object()) == longer


@pytest.mark.parametrize(
    ("line", "field", "came"),
    [
        ('{"example_id": "a"}', "benchmark", "none"),
        ('{"example_id": 3}', "example_id", "3"),
        ("[1]", "JSON object", "[1]"),
        ("nope", "JSON object", "nope"),
        ('{"example_id": NaN}', "JSON object", "NaN"),
        ("[" * 100_000, "JSON object", "["),
        (make_generation(reference="@").as_line().strip().replace('"@"', "[" * 300 + "]" * 300), "list", "["),
    ],
)
def test_an_error_names_file_line_field_and_value(tmp_path, line, field, came):
    path = tmp_path / "g.jsonl"
    path.write_text(f"{make_generation().as_line()}{line}\n")
    with pytest.raises(ScoringError) as caught:
        files.read_lines(path, Generation, error=ScoringError, remedy="try this")
    for part in (str(path), "line 2", field, came, "try this"):
        assert part in str(caught.value)
    assert len(str(caught.value)) < 400


def test_missing_and_binary_files_are_errors(tmp_path):
    with pytest.raises(DataError, match="none"):
        files.read_text(tmp_path / "none")
    (tmp_path / "binary").write_bytes(b"ab\xff")
    with pytest.raises(DataError, match="0xff"):
        files.read_text(tmp_path / "binary")


def test_a_failed_writer_leaves_the_old_file_and_nothing_else(tmp_path):
    out = tmp_path / "out.txt"
    files.write_text(out, "old")

    def write_half():
        with files.atomic_file(out) as temporary:
            temporary.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_half()
    assert out.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["out.txt"]


KILLED = """
import os, signal, sys
from pathlib import Path
from weft.records.files import atomic_file
with atomic_file(Path(sys.argv[1])) as temporary:
    temporary.write_bytes(b"half")
    print(temporary.name, flush=True)
    if sys.argv[2] == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    sys.stdin.read()
"""


@pytest.mark.parametrize(("state", "is_kept"), [("killed", False), ("running", True)])
def test_the_temporary_file_of_a_killed_writer_is_removed_by_the_next(tmp_path, state, is_kept):
    out = tmp_path / "figure[1].pdf"
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, str(out), state],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as writer:  # fmt: skip
        temporary = tmp_path / writer.stdout.readline().strip()
        if state == "killed":
            writer.wait()
        assert temporary.exists()
        assert not is_content(temporary.relative_to(tmp_path)), "no digest of a folder counts it"
        files.write_bytes(tmp_path / "figure1.pdf", b"another file")
        assert temporary.exists()
        files.write_bytes(out, b"whole")
        assert temporary.exists() == is_kept
    assert sorted(path.name for path in tmp_path.iterdir()) == ["figure1.pdf", "figure[1].pdf"]


def test_a_directory_is_written_atomically(tmp_path):
    out = tmp_path / "out"
    for content in ("first", "second"):
        with files.atomic_directory(out) as folder:
            (folder / content).touch()
            assert not (out / content).exists()
    assert [path.name for path in out.iterdir()] == ["second"]


def test_appending_goes_on_after_the_last_whole_line(tmp_path):
    path = tmp_path / "growing"
    with files.LineAppender(path, Generation) as appender:
        appender.append(make_generation(example_id="1"))
    whole = path.read_bytes()
    for torn in (b'{"example_id": "2"', b"\xff\xfe", make_generation().as_line().encode()[:-1]):
        path.write_bytes(whole + torn)
        with files.LineAppender(path, Generation) as appender:
            assert [one.example_id for one in appender.records] == ["1"]
        assert path.read_bytes() == whole


def test_a_damaged_line_is_counted_and_takes_no_other_with_it(tmp_path):
    path = tmp_path / "growing"
    first, last = (make_generation(example_id=name).as_line().encode() for name in "12")
    for damaged in (b"\xff\xfe\n", b"\n", b"[]\n", b"[" * 100_000 + b"\n", b'{"example_id": "3"}\n'):
        content = first + damaged + last
        path.write_bytes(content)
        with files.LineAppender(path, Generation) as appender:
            assert [one.example_id for one in appender.records] == ["1", "2"]
            assert appender.num_damaged == 1
        assert path.read_bytes() == content


def test_a_score_with_contradictory_verdict_and_credit_is_refused():
    with pytest.raises(ValueError, match="credit"):
        Score(extracted=None, verdict=Verdict.CORRECT, credit=0.5)
    assert Score.from_credit("x", 1.0, reason="r").reason == ""


def test_a_scored_example_is_written_under_the_key_rules():
    score = ScoredExample(
        example_id="a", benchmark="b", scoring="d1", extracted="1", verdict=Verdict.WRONG, credit=0.5,
        weight=3, reason="", details={"is_closed": True, "num_cells": 2},
    )  # fmt: skip
    written = score.as_object()
    assert (written["rules"], written["verdict"]) == ("d1", "wrong")
    back = ScoredExample.model_validate(written)
    assert back == score
    assert back.details["is_closed"] is True


def test_a_process_that_waits_for_an_output_says_so(tmp_path, caplog):
    out, is_locked, may_end = tmp_path / "a.jsonl", threading.Event(), threading.Event()

    def work():
        with files.lock_output(out):
            is_locked.set()
            may_end.wait(20)

    class EndOnMessage(logging.Handler):
        def emit(self, record):
            may_end.set()

    handler = EndOnMessage()
    files.LOG.addHandler(handler)
    worker = threading.Thread(target=work)
    worker.start()
    try:
        assert is_locked.wait(20)
        with files.lock_output(out):
            assert str(out) in caplog.text
    finally:
        files.LOG.removeHandler(handler)
        worker.join()


@pytest.mark.parametrize("is_supported", [True, False])
def test_a_copy_has_content_and_time_and_is_not_linked(tmp_path, monkeypatch, is_supported):
    if not is_supported:
        calls = []

        def refuse(source, target, count):
            if calls:
                raise OSError("not supported")
            calls.append(os.write(target, os.read(source, 100)))  # a part is copied before it fails
            return calls[0]

        monkeypatch.setattr(os, "copy_file_range", refuse)
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(bytes(range(256)) * 1000)
    os.utime(source, (5, 5))
    files.copy_file(source, target)
    assert target.read_bytes() == source.read_bytes()
    assert target.stat().st_mtime == 5
    assert not target.samefile(source)


def test_a_move_renames_a_folder(tmp_path):
    (tmp_path / "a").mkdir()
    files.move(tmp_path / "a", tmp_path / "b")
    assert [path.name for path in tmp_path.iterdir()] == ["b"]
