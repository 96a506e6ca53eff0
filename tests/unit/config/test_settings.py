from pathlib import Path

import pytest

from weft.config import find_experiment, read_settings, resolve_settings
from weft.config.section import read_yaml
from weft.errors import ConfigError

DEFAULT = Path("config.yaml")


def resolve(overlays=(), **changes):
    return resolve_settings(read_yaml(DEFAULT) | changes, default=DEFAULT, overlays=overlays)


def test_config_yaml_is_valid_and_names_an_experiment():
    assert read_settings(DEFAULT).experiment == "tiny"
    assert resolve().experiment == "experiments/tiny.yaml"


def test_without_config_yaml_the_message_says_where_commands_run(tmp_path):
    with pytest.raises(ConfigError, match="expected a file, got none; run the command in the root"):
        read_settings(tmp_path / "config.yaml")


def test_an_experiment_file_as_configfile_is_taken_by_itself():
    paper = Path("experiments/paper.yaml")
    merged = read_yaml(DEFAULT) | read_yaml(paper)
    settings = resolve_settings(merged, default=DEFAULT, overlays=[paper])
    assert settings.experiment == "experiments/paper.yaml"


def test_run_settings_as_configfile_stay_run_settings(tmp_path):
    (tmp_path / "gpu.yaml").write_text("device: cuda\n")
    assert resolve([tmp_path / "gpu.yaml"], device="cuda").device == "cuda"


def test_jobs_on_the_cpu_occupy_no_gpu_and_so_run_side_by_side():
    assert resolve(device="cpu").gpus(2) == 0
    assert resolve(device="cuda").gpus(2) == 2


def test_one_offline_folder_may_be_given_bare():
    assert resolve(offline="my").offline == ["my"]


def test_an_unknown_key_and_an_unknown_experiment_are_refused():
    with pytest.raises(ConfigError, match="sedes: unknown key"):
        resolve(sedes=3)
    with pytest.raises(
        ConfigError,
        match=r"'ablations', 'd1-baselines', 'few-shot', 'learning-rates', 'paper', 'tiny'.*got 'big'",
    ):
        find_experiment("big")
