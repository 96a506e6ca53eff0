import logging
import os
import threading
from pathlib import Path

import pytest

from weft import provenance
from weft.config import FineTuning, load_experiment
from weft.layout import provenance_file
from weft.provenance import stored_digest, write_provenance
from weft.records.files import lock_output, read_text
from weft.training.kept import kept_result, lock_training, place_finished, training_key

TINY = load_experiment("experiments/tiny.yaml")
RUN = TINY.find_run("weft-worked-seed1")
KEY = "0123456789abcdef"


def key(section=None, *, run="weft-worked-seed1", inputs=("base", "prepared"), **changes):
    content = TINY.model_dump(mode="json")
    (content if section is None else content[section]).update(changes)
    changed = FineTuning.model_validate(content)
    return training_key(changed, changed.find_run(run), inputs)


def test_the_key_stands_for_everything_that_determines_the_result(monkeypatch):
    weft = {**TINY.model_dump(mode="json")["methods"]["weft"], "exponent": 0.25}
    curve = {**TINY.model_dump(mode="json")["learning_curve"], "num_points": 3}
    others = [
        key("training", epochs=1),
        key("training", micro_batch_size=2),
        key("methods", weft=weft),
        key(learning_curve=curve),
        key(run="weft-worked-seed2"),
        key(run="sft-worked-seed1"),
        key(inputs=("base", "other")),
        key(inputs=("prepared", "base")),
    ]
    monkeypatch.setattr("weft.training.kept.source_digest", lambda *rooms: "other code")
    others.append(key())
    monkeypatch.undo()
    monkeypatch.setattr("weft.training.kept.installed_versions", lambda: {"torch": "1"})
    others.append(key())
    monkeypatch.undo()
    assert len({key(), *others}) == len(others) + 1


def test_the_key_stands_for_nothing_else():
    sft = {**TINY.model_dump(mode="json")["methods"]["sft"], "learning_rate": 0.5}
    assert key() == training_key(TINY, RUN, ["base", "prepared"])
    assert key() == key("training", save_every=7) == key(name="other", title="Other")
    assert key() == key("methods", sft=sft) == key("benchmarks", sudoku=TINY.benchmarks["gsm8k"].model_dump())


@pytest.fixture
def finish(tmp_path):
    """Return a function that leaves the kept result of a finished training, and returns its folder."""

    def call(key=KEY, text="weights"):
        result = kept_result(tmp_path / "runs/a", key)
        (result / "snapshots/4").mkdir(parents=True)
        (result / "adapter.safetensors").write_text(text)
        (result / "snapshots/4/adapter.safetensors").write_text("early")
        write_provenance(result, settings={}, experiment="tiny", seed=1)
        return result

    return call


def test_a_finished_result_becomes_the_output_without_a_copy(finish, tmp_path, monkeypatch):
    result, out = finish(), tmp_path / "runs/a"
    other = finish("fedcba9876543210", "older")
    out.mkdir()
    (out / "partial").write_text("")
    assert place_finished(out, KEY)
    names = sorted(str(path.relative_to(out)) for path in out.rglob("*") if path.is_file())
    assert names == ["adapter.safetensors", "snapshots/4/adapter.safetensors"]
    assert all((out / name).samefile(result / name) for name in names)
    assert read_text(provenance_file(out)) == read_text(provenance_file(result))
    assert not other.parent.exists(), "the result of another key is removed"
    expected = provenance.file_sha256(out)
    monkeypatch.setattr(provenance, "file_sha256", lambda path: pytest.fail(f"{path} is read again"))
    assert stored_digest(out) == expected


def test_files_are_copied_where_links_are_not_supported(finish, tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError("not supported")

    result, out = finish(), tmp_path / "runs/a"
    monkeypatch.setattr(Path, "hardlink_to", refuse)
    assert place_finished(out, KEY)
    assert not (out / "adapter.safetensors").samefile(result / "adapter.safetensors")
    assert stored_digest(out) == provenance.file_sha256(out)


def test_what_is_not_finished_is_not_used(finish, tmp_path):
    out = tmp_path / "runs/a"
    assert not place_finished(out, KEY)
    result = finish()
    provenance_file(result).unlink()
    assert not place_finished(out, KEY)
    assert not place_finished(out, KEY[::-1])
    assert not out.exists()


@pytest.mark.parametrize("place", ["output", "result"])
def test_a_changed_result_is_not_used(finish, tmp_path, caplog, place):
    result, out = finish(), tmp_path / "runs/a"
    assert place_finished(out, KEY)
    changed = (out if place == "output" else result) / "adapter.safetensors"
    status = changed.stat()
    changed.write_text("WEIGHTS")
    os.utime(changed, ns=(status.st_atime_ns, status.st_mtime_ns))
    with caplog.at_level(logging.WARNING, logger="weft"):
        assert not place_finished(out, KEY)
    assert f"{result} is not the result that was stored there" in caplog.text


def test_a_training_waits_for_another_one_of_the_same_output_and_for_its_ranks(tmp_path):
    out, order = tmp_path / "runs/a", []

    def train():
        with lock_training(out):
            order.append("second")

    with lock_training(out), lock_output(out):  # the first rank locks the output of its launcher
        second = threading.Thread(target=train)
        second.start()
        second.join(0.2)
        order.append("first")
    second.join()
    assert order == ["first", "second"]
    with lock_output(out):  # a rank whose launcher was killed
        second = threading.Thread(target=train)
        second.start()
        second.join(0.2)
        order.append("rank")
    second.join()
    assert order == ["first", "second", "rank", "second"]
