import json

from weft.provenance import (
    digest,
    file_sha256,
    git_state,
    installed_versions,
    is_sidecar,
    merge_sidecars,
    sidecar_path,
    source_digest,
    write_sidecar,
)


def test_digests_do_not_depend_on_the_order_of_keys():
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
    assert digest({"a": 1}) != digest({"a": 2})


def test_a_directory_is_hashed_by_content_without_sidecars(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x").write_text("same")
    (tmp_path / "two" / "x.provenance.json").write_text("machine")
    assert file_sha256(tmp_path / "one") == file_sha256(tmp_path / "two")
    (tmp_path / "two" / "x").write_text("other")
    assert file_sha256(tmp_path / "one") != file_sha256(tmp_path / "two")


def test_the_source_digest_is_about_the_named_rooms():
    assert source_digest("stats") == source_digest("stats")
    assert source_digest("stats") != source_digest("report")


def test_a_sidecar_says_where_a_result_comes_from(tmp_path):
    result = tmp_path / "x.jsonl"
    result.write_text("{}\n")
    write_sidecar(result, settings={"a": 1}, experiment="tiny", seed=3, inputs=[result], notes={"more": True})
    record = json.loads(sidecar_path(result).read_text())
    assert record["experiment_digest"] == digest({"a": 1})
    assert record["inputs"] == {str(result): file_sha256(result)}
    assert (record["seed"], record["more"]) == (3, True)
    assert record["versions"]["torch"].startswith("2.13.0")
    assert is_sidecar(sidecar_path(result))


def test_a_merged_result_comes_from_where_its_parts_come_from(tmp_path):
    question, *parts, merged, bare = (tmp_path / name for name in ("q", "1", "2", "all", "bare"))
    for file in (question, *parts, merged, bare):
        file.write_text(file.name)
    for number, part in enumerate(parts, start=1):
        settings = {"settings": {}, "experiment": "tiny", "seed": 3, "inputs": [question]}
        write_sidecar(part, **settings, notes={"shard": f"{number}/2"})
    merge_sidecars([bare, *parts], merged)
    record = json.loads(sidecar_path(merged).read_text())
    assert record["sha256"] == file_sha256(merged)
    assert record["parts"] == [file_sha256(part) for part in parts]
    assert (record["seed"], record["inputs"]) == (3, {str(question): file_sha256(question)})
    assert "shard" not in record
    merge_sidecars([bare], question)
    assert not sidecar_path(question).exists()


def test_the_commit_is_forty_hex_digits_or_unknown():
    commit, _ = git_state()
    assert commit is None or len(commit) == 40


def test_versions_are_those_installed():
    assert "transformers" in installed_versions()
