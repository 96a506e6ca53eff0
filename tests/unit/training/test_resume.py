from weft.training.resume import Software, latest_checkpoint


def test_the_newest_checkpoint_with_digests_is_the_latest(tmp_path):
    for step, name in ((9, "digests.json"), (10, "digests.json"), (20, "trainer_state.json")):
        (tmp_path / f"checkpoint-{step}").mkdir()
        (tmp_path / f"checkpoint-{step}" / name).write_text("{}")
    assert latest_checkpoint(tmp_path) == tmp_path / "checkpoint-10"


def test_without_a_checkpoint_the_result_is_none(tmp_path):
    assert latest_checkpoint(tmp_path / "absent") is None


def test_code_and_libraries_are_compared_and_the_commit_is_only_named():
    current = Software.current()
    assert {"torch", "transformers", "deepspeed"} <= current.versions.keys()
    assert current.differences(current.model_copy(update={"commit": "another"})) == []
    other = current.model_copy(update={"code": "x", "commit": None, "versions": {"torch": "1.0"}})
    assert current.differences(other) == ["another version of weft's code", "torch 1.0"]
