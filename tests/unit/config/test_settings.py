import datetime
from pathlib import Path

import pytest

from tests.support.gpus import simulate_gpus
from weft.config import find_experiment, read_settings, resolve_settings
from weft.config.yaml_file import read_yaml
from weft.errors import ConfigError

DEFAULT = Path("config.yaml").resolve()
EXPERIMENTS = DEFAULT.with_name("experiments")


def resolve(overlays=(), **changes):
    return resolve_settings(read_yaml(DEFAULT) | changes, default=DEFAULT, overlays=overlays)


def test_config_yaml_is_valid_and_names_an_experiment():
    assert read_settings(DEFAULT).experiment == "tiny"
    assert resolve().experiment == "experiments/tiny.yaml"


def test_no_folder_outside_of_the_working_directory_is_searched_by_default():
    assert read_settings(DEFAULT).offline
    assert not any(Path(folder).is_absolute() or ".." in folder for folder in read_settings(DEFAULT).offline)


def test_without_config_yaml_the_message_says_where_commands_run(tmp_path):
    with pytest.raises(ConfigError, match="expected a file, got none; run the command in the root"):
        read_settings(tmp_path / "config.yaml")


def test_an_experiment_file_as_configfile_is_taken_by_itself():
    paper = EXPERIMENTS / "paper.yaml"
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
        match=r"'ablations', 'd1-baselines', 'few-shot', .*'paper', .*'tiny'.*got 'big'",
    ):
        find_experiment("big")


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    (tmp_path / "experiments").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_shipped_experiments_and_config_yaml_are_found_from_every_directory(elsewhere):
    assert find_experiment("tiny") == find_experiment("experiments/tiny.yaml") == EXPERIMENTS / "tiny.yaml"
    Path("config.yaml").write_text("samples: 5\n")  # of another program
    assert read_settings().experiment == "tiny"
    Path("experiments/tiny.yaml").write_text("")
    assert find_experiment("tiny") == Path("experiments/tiny.yaml")  # the working directory comes first


@pytest.mark.parametrize("ending", [".yaml", ".yml"])
@pytest.mark.parametrize("folder", ["experiments", ".", "my {exp} ü"])
def test_an_experiment_is_named_with_or_without_folder_and_ending(elsewhere, folder, ending):
    file = Path(folder, f"mine{ending}")
    file.parent.mkdir(exist_ok=True)
    file.write_text("")
    names = [f"{folder}/mine", f"{folder}/mine{ending}", str(elsewhere / file)]
    names += ["mine", f"mine{ending}"] if folder in ("experiments", ".") else []
    assert {find_experiment(name) for name in names} == {file}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("2024_01", 202401),
        ("007", 7),
        ("12_3", 123),
        ("1e5", 1e5),
        ("nan", float("nan")),
        ("1.0", 1.0),
        ("0x10", 16),  # as YAML reads it, in a file given with --configfile
        ("true", True),
        ("2025-10-10", datetime.date(2025, 10, 10)),
    ],
)
@pytest.mark.parametrize("folder", ["experiments", "."])
def test_a_name_that_snakemake_reads_as_a_number_is_found(elsewhere, name, value, folder):
    Path(folder, f"{name}.yaml").write_text("")
    assert Path(resolve(experiment=value).experiment) == Path(folder, f"{name}.yaml")


def test_two_names_that_snakemake_reads_alike_are_not_guessed_between(elsewhere):
    for name in ("7", "007"):
        Path("experiments", f"{name}.yaml").write_text("")
    with pytest.raises(
        ConfigError, match=r"\['007', '7'\] alike, as 7; give the path .*experiments/007.yaml"
    ):
        resolve(experiment=7)
    assert resolve(experiment="experiments/7.yaml").experiment == "experiments/7.yaml"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("papre", "got 'papre'; did you mean 'paper'"),
        ("TINY", "got 'TINY'; did you mean 'tiny'"),
        ("experiments", "got 'experiments', which is a folder"),
        ("mine.json", r"got 'mine.json'; the name of the file must end in .yaml or .yml"),
        ("~/mine.yaml", "got '~/mine.yaml' .searched from "),
        (5, "got '5'"),
        (None, "experiment: expected a valid string; got None"),
        ("", "experiment: expected String should have at least 1 character"),
    ],
)
def test_an_experiment_that_does_not_exist_is_explained(elsewhere, name, message):
    Path("mine.json").write_text("{}")
    with pytest.raises(ConfigError, match=message):
        resolve(experiment=name)


def test_offline_folders_may_be_given_with_commas(elsewhere):
    assert resolve(offline="a, b,c").offline == ["a", "b", "c"]
    Path("a,b").mkdir()
    assert resolve(offline="a,b").offline == ["a,b"]


def test_keys_that_a_module_lacks_have_the_values_of_config_yaml():
    settings = resolve_settings({"experiment": "tiny", "sample_shards": 4}, default=DEFAULT, overlays=[])
    assert settings.sample_shards == 4
    assert settings.offline == read_settings(DEFAULT).offline


def test_auto_is_refused_for_jobs_on_other_machines():
    with pytest.raises(ConfigError, match=r"device must be cuda or cpu if an executor .* add device=cuda"):
        resolve(device="auto").gpus(1, is_remote=True)
    assert resolve(device="cpu").gpus(1, is_remote=True) == 0
    assert resolve(device="cuda").gpus(4, is_remote=True) == 4


def test_jobs_need_as_many_visible_gpus_as_processes_unless_they_are_only_planned(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", simulate_gpus(tmp_path, count=2))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    settings = resolve(device="cuda")
    assert settings.gpus(1, is_dry=False) == 1
    assert settings.gpus(2) == settings.gpus(2, is_remote=True, is_dry=False) == 2
    with pytest.raises(ConfigError, match="2 processes must have a GPU each, but there are 1 visible GPU "):
        settings.gpus(2, is_dry=False)
