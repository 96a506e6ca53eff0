from weft.training.resume import latest_checkpoint


def checkpoint(state, step, text):
    folder = state / f"checkpoint-{step}"
    folder.mkdir()
    if text is not None:
        (folder / "trainer_state.json").write_text(text)
    return str(folder)


def test_the_newest_complete_checkpoint_is_taken(tmp_path):
    checkpoint(tmp_path, 9, "{}")
    expected = checkpoint(tmp_path, 10, "{}")
    checkpoint(tmp_path, 20, None)
    checkpoint(tmp_path, 30, "")
    checkpoint(tmp_path, 40, '{"step": ')
    assert latest_checkpoint(tmp_path) == expected


def test_without_a_checkpoint_the_result_is_none(tmp_path):
    assert latest_checkpoint(tmp_path / "absent") is None
