from weft.config.offline import find_offline, offline_places


def test_the_first_folder_that_has_it_wins(tmp_path):
    for folder in ("b", "c"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "x").touch()
    folders = [str(tmp_path / name) for name in "abc"]
    assert find_offline("x", folders) == tmp_path / "b" / "x"
    assert find_offline("y", folders) is None


def test_places_are_listed_for_a_message():
    assert offline_places("x", ["a", "b"]) == "a/x or b/x"
