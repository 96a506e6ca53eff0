from pathlib import Path

import pytest

from weft.config import load_experiment
from weft.data.offline import find_generations, find_offline, list_places
from weft.errors import DataError

SOURCE = load_experiment("experiments/d1-baselines.yaml").generations


def test_the_first_folder_with_the_file_is_used(tmp_path):
    for folder in ("b", "c"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "x").touch()
    folders = [str(tmp_path / name) for name in "abc"]
    assert find_offline("x", folders) == tmp_path / "b" / "x"
    assert find_offline("y", folders) is None
    assert list_places("x", ["a", "b"]) == "a/x or b/x"


def test_published_generations_are_ordered_by_their_numbers(tmp_path):
    folder = tmp_path / "d1_baselines"
    folder.mkdir()
    for shard in (10, 2, 1):
        (folder / f"gsm8k_instruct_128_64_{shard}_generations.json").touch()
    (folder / "gsm8k_instruct_256_128_1_generations.json").touch()
    files = find_generations(SOURCE, "gsm8k", 128, ["absent", str(tmp_path)])
    assert [file.name.split("_")[4] for file in files] == ["1", "2", "10"]


def test_generations_beside_the_experiment_come_before_the_offline_folders(tmp_path, monkeypatch):
    content = Path("experiments/d1-baselines.yaml").read_text()
    monkeypatch.chdir(tmp_path)
    file = Path("study/d1-baselines.yaml")
    file.parent.mkdir()
    file.write_text(content)
    name = "gsm8k_instruct_128_64_1_generations.json"
    for parent in (Path("offline"), Path("study")):
        (parent / "d1_baselines").mkdir(parents=True)
        (parent / "d1_baselines" / name).touch()
        source = load_experiment(file).generations
        found = find_generations(source, "gsm8k", 128, ["offline"])
        assert found == [parent / "d1_baselines" / name]


def test_missing_generations_are_named(tmp_path):
    with pytest.raises(DataError, match="offline/d1_baselines"):
        find_generations(SOURCE, "gsm8k", 128, ["offline"])
    (tmp_path / "d1_baselines").mkdir()
    with pytest.raises(DataError, match=r"gsm8k_instruct_128_\*_generations.json.*generations.pattern"):
        find_generations(SOURCE, "gsm8k", 128, [str(tmp_path)])
