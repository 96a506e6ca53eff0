import pytest

from weft.config import load_experiment
from weft.config.published import find_generations
from weft.errors import DataError

SOURCE = load_experiment("experiments/d1-baselines.yaml").generations


def test_shards_come_in_the_order_of_their_numbers(tmp_path):
    folder = tmp_path / "d1_baselines"
    folder.mkdir()
    for shard in (10, 2, 1):
        (folder / f"gsm8k_instruct_128_64_{shard}_generations.json").touch()
    (folder / "gsm8k_instruct_256_128_1_generations.json").touch()
    files = find_generations(SOURCE, "gsm8k", 128, ["absent", str(tmp_path)])
    assert [file.name.split("_")[4] for file in files] == ["1", "2", "10"]


def test_a_missing_folder_says_where_to_put_it():
    with pytest.raises(DataError, match="must exist as offline/d1_baselines"):
        find_generations(SOURCE, "gsm8k", 128, ["offline"])


def test_a_folder_without_matching_files_names_the_pattern(tmp_path):
    (tmp_path / "d1_baselines").mkdir()
    with pytest.raises(DataError, match=r"gsm8k_instruct_128_\*_generations.json, none found"):
        find_generations(SOURCE, "gsm8k", 128, [str(tmp_path)])
