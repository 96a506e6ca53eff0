import json
import os
import subprocess

import pytest
from typer.testing import CliRunner

from weft import provenance
from weft.cli import app
from weft.errors import DataError
from weft.layout import digests_file, provenance_file
from weft.provenance import (
    digest,
    file_sha256,
    git_state,
    merge_provenance,
    recorded_digest,
    require_same_answers,
    source_digest,
    stored_digest,
    write_provenance,
)
from weft.records.files import write_text


def test_digests_do_not_depend_on_the_order_of_keys():
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
    assert digest({"a": 1}) != digest({"a": 2})


def test_a_directory_is_hashed_by_its_content(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x").write_text("same")
    (tmp_path / "two/.cache").mkdir()
    for name in ("x.provenance.json", ".snakemake_timestamp", "timing.json", ".cache/x"):
        (tmp_path / "two" / name).write_text("not part of the content")
    assert file_sha256(tmp_path / "one") == file_sha256(tmp_path / "two")
    (tmp_path / "two" / "x").write_text("other")
    assert file_sha256(tmp_path / "one") != file_sha256(tmp_path / "two")


def test_the_source_digest_is_about_the_named_rooms():
    assert source_digest("stats") == source_digest("stats")
    assert source_digest("stats") != source_digest("report")


@pytest.fixture
def checkpoint(tmp_path):
    folder = tmp_path / "base"
    (folder / "parts").mkdir(parents=True)
    for name in ("a", "parts/b"):
        (folder / name).write_text(name)
    write_provenance(folder, settings={}, experiment="tiny")
    return folder


@pytest.fixture
def files_read(monkeypatch):
    """Names of the files whose content is hashed, in order, as in a process that did not write them."""
    names = []
    monkeypatch.setattr(provenance, "_HASHED", {})
    hash_file = provenance.file_sha256

    def counting(path):
        if path.is_file():
            names.append(path.name)
        return hash_file(path)

    monkeypatch.setattr(provenance, "file_sha256", counting)
    return names


def test_jobs_do_not_read_again_what_is_unchanged(checkpoint, files_read):
    assert stored_digest(checkpoint) == json.loads(provenance_file(checkpoint).read_text())["sha256"]
    assert files_read == []
    assert provenance.file_sha256(checkpoint) == stored_digest(checkpoint)
    assert files_read == ["a", "b"], "file_sha256 always reads"


@pytest.mark.parametrize("content", ["longer", "A"])
def test_a_file_with_another_size_or_time_is_read(checkpoint, files_read, content):
    file, before = checkpoint / "a", stored_digest(checkpoint)
    status = file.stat()
    file.write_text(content)
    # Only one of size and time differs.
    later = status.st_mtime_ns + (1 if len(content) == status.st_size else 0)
    os.utime(file, ns=(status.st_atime_ns, later))
    assert stored_digest(checkpoint) == file_sha256(checkpoint) != before
    assert files_read[0] == "a"
    files_read.clear()
    provenance._HASHED.clear()
    stored_digest(checkpoint)
    assert files_read == ["a"], "the stored digest is that of the file as it was made"


def test_a_file_with_its_old_time_is_read_and_its_new_time_is_stored(checkpoint, files_read):
    file, before = checkpoint / "a", stored_digest(checkpoint)
    status = file.stat()
    file.write_text("A")
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert (file.stat().st_size, file.stat().st_mtime_ns) == (status.st_size, status.st_mtime_ns)
    assert stored_digest(checkpoint) == file_sha256(checkpoint) != before
    file.write_text("a")
    provenance._HASHED.clear()
    assert stored_digest(checkpoint) == before
    files_read.clear()
    provenance._HASHED.clear()
    stored_digest(checkpoint)
    assert files_read == [], "the time of the same content is stored"


def test_added_and_removed_files_are_noticed(checkpoint, files_read):
    before = stored_digest(checkpoint)
    (checkpoint / "c").write_text("c")
    assert stored_digest(checkpoint) != before
    (checkpoint / "c").unlink()
    assert stored_digest(checkpoint) == before
    assert files_read == ["c"]


def test_a_process_reads_a_file_and_its_links_once(tmp_path, files_read):
    first, link, copy = (tmp_path / name for name in ("first", "link", "copy"))
    first.write_text("weights")
    link.hardlink_to(first)
    copy.write_text("weights")
    assert len({provenance.sha256_once(path) for path in (first, first, link, copy, copy)}) == 1
    assert files_read == ["first", "copy"]
    link.write_text("others")
    assert provenance.sha256_once(first) == file_sha256(link)
    assert files_read == ["first", "copy", "first"], "a change is noticed"


def test_a_base_model_is_read_once_to_be_checked_and_once_when_it_was_copied(tmp_path, files_read):
    out = tmp_path / "base"
    result = CliRunner().invoke(app, ["data", "base", "--experiment", "tiny", "--out", str(out)])
    assert result.exit_code == 0, result.output
    shipped = provenance.PACKAGE_ROOT.parent / "experiments/tiny-base/model.safetensors"
    assert not (out / "model.safetensors").samefile(shipped), "an edit must not change the shipped model"
    assert files_read.count("model.safetensors") == 2
    provenance._HASHED.clear()  # as in the processes that train and sample
    assert stored_digest(out) == json.loads(provenance_file(out).read_text())["sha256"]
    assert files_read.count("model.safetensors") == 2


@pytest.mark.parametrize("damaged", [None, "{", '{"files": {"a": 1}}'])
def test_without_stored_digests_everything_is_read(checkpoint, files_read, damaged):
    stored = digests_file(checkpoint)
    stored.unlink() if damaged is None else stored.write_text(damaged)
    assert stored_digest(checkpoint) == file_sha256(checkpoint)
    assert files_read[:2] == ["a", "b"]


def test_no_digests_are_stored_for_a_directory_without_provenance(checkpoint):
    provenance_file(checkpoint).unlink()
    digests_file(checkpoint).unlink()
    stored_digest(checkpoint)
    assert not digests_file(checkpoint).exists()


def test_file_sha256_always_reads_the_content(tmp_path):
    file = tmp_path / "x.jsonl"
    file.write_text("{}")
    write_provenance(file, settings={}, experiment="tiny")
    status = file.stat()
    file.write_text("[]")
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert stored_digest(file) == file_sha256(file) == digest([])


def test_provenance_states_the_origin_of_a_result(tmp_path):
    result = tmp_path / "x.jsonl"
    result.write_text("{}\n")
    write_provenance(
        result, settings={"a": 1}, experiment="tiny", seed=3, inputs=[result], notes={"more": True}
    )
    content = json.loads(provenance_file(result).read_text())
    assert content["experiment_digest"] == digest({"a": 1})
    assert content["inputs"] == {str(result): file_sha256(result)}
    assert (content["sha256"], content["seed"], content["more"]) == (file_sha256(result), 3, True)
    assert {"torch", "transformers"} <= content["versions"].keys()


def test_merged_provenance_has_the_inputs_of_all_parts(tmp_path):
    question, *parts, merged, bare = (tmp_path / name for name in ("q", "1", "2", "all", "bare"))
    for file in (question, *parts, merged, bare):
        file.write_text(file.name)
    for number, part in enumerate(parts, start=1):
        settings = {"settings": {}, "experiment": "tiny", "seed": 3, "inputs": [question, part]}
        write_provenance(part, **settings, notes={"shard": f"{number}/2"})
    merge_provenance([bare, *parts], merged)
    content = json.loads(provenance_file(merged).read_text())
    assert content["sha256"] == file_sha256(merged)
    assert content["parts"] == [file_sha256(part) for part in parts]
    assert content["inputs"] == {str(file): file_sha256(file) for file in (question, *parts)}
    assert (content["seed"], "shard" in content) == (3, False)
    merge_provenance([bare], question)
    assert not provenance_file(question).exists()


def test_the_commit_is_forty_hex_digits_or_unknown():
    commit, _ = git_state()
    assert commit is None or len(commit) == 40


@pytest.mark.parametrize(
    ("changed", "is_dirty"),
    [("weft/a.py", True), ("experiments/tiny.yaml", True), ("docs/results/run.parquet", False)],
)
def test_changed_files_count_unless_no_result_depends_on_them(tmp_path, monkeypatch, changed, is_dirty):
    for name in ("weft/a.py", "experiments/tiny.yaml", "docs/results/run.parquet"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("1")
    author = ["-c", "user.name=a", "-c", "user.email=a@b"]
    for command in (["init", "-q"], ["add", "."], [*author, "commit", "-q", "-m", "first"]):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    monkeypatch.setattr(provenance, "PACKAGE_ROOT", tmp_path / "weft")
    read = git_state.__wrapped__  # without its cache
    assert read()[1] is False
    (tmp_path / changed).write_text("longer")
    assert read()[1] is is_dirty


def test_the_remains_of_a_killed_writer_do_not_change_the_hash_of_a_folder(tmp_path):
    (tmp_path / "a.jsonl").write_text("x")
    expected = file_sha256(tmp_path)
    (tmp_path / ".a.jsonl.99.new").write_text("half")
    assert file_sha256(tmp_path) == expected


def test_the_files_of_a_folder_are_recorded_and_those_of_an_earlier_version_deleted(tmp_path):
    folder = tmp_path / "tables"
    for name in ("a.csv", "b.csv", "mine.txt"):
        write_text(folder / name, name)
    kept = {name: file_sha256(folder / name) for name in ("a.csv", "b.csv")}
    files = [folder / name for name in kept]
    recorded = write_provenance(folder, settings={}, experiment="tiny", files=files)
    assert (recorded.content, recorded.sha256) == (kept, digest(kept))
    assert recorded_digest(folder / "a.csv") == kept["a.csv"]
    assert recorded_digest(folder / "mine.txt") is None
    write_provenance(folder, settings={}, experiment="tiny", files=files[:1])
    assert sorted(path.name for path in folder.iterdir()) == ["a.csv", "mine.txt"]


def test_a_changed_part_is_not_merged(tmp_path):
    part, merged = tmp_path / "1", tmp_path / "all"
    part.write_text("1")
    merged.write_text("1")
    write_provenance(part, settings={}, experiment="tiny")
    part.write_text("2")
    with pytest.raises(DataError, match=r"whose SHA-256 is in 1\.provenance\.json"):
        merge_provenance([part], merged)
    assert not provenance_file(merged).exists()


def test_stored_answers_must_be_those_of_the_same_origin(tmp_path):
    answers, question = tmp_path / "answers", tmp_path / "question"
    for file in (answers, question):
        file.write_text(file.name)
    require_same_answers(answers, {"a": 1}, inputs=[question])
    write_provenance(answers, settings={"a": 1}, experiment="tiny", inputs=[question])
    require_same_answers(answers, {"a": 1}, inputs=[question])
    answers.write_text("other")
    require_same_answers(answers, {"a": 2}, inputs=[question])
    with pytest.raises(DataError, match=r"whose SHA-256 is in answers\.provenance\.json"):
        require_same_answers(answers, {"a": 1}, inputs=[question])


def test_a_checkout_whose_commit_git_does_not_tell_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(provenance, "PACKAGE_ROOT", tmp_path / "weft")
    monkeypatch.setattr(provenance, "git_state", lambda: (None, None))
    assert provenance.explain_unknown_commit() is None, "no checkout"
    (tmp_path / ".git").mkdir()
    assert f"safe.directory {tmp_path}" in provenance.explain_unknown_commit()
    monkeypatch.setattr(provenance, "git_state", lambda: ("0" * 40, False))
    assert provenance.explain_unknown_commit() is None
