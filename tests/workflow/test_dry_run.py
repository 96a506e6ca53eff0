import re
import shutil
from pathlib import Path

import pytest
import yaml

from weft.config import load_experiment

REPOSITORY = Path(__file__).resolve().parents[2]


def jobs(output):
    return {rule: int(count) for rule, count in re.findall(r"^(\w+)\s+(\d+)$", output, flags=re.M)}


def experiment(name):
    return f"experiment={REPOSITORY / 'experiments' / name}.yaml"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "tiny",
            {
                "place_base": 1,
                "questions": 4,
                "prepare": 1,
                "train": 10,
                "sample": 11,
                "score": 22,
                "trace": 3,
                "page": 1,
            },
        ),
        (
            "paper",
            {
                "place_base": 1,
                "questions": 4,
                "prepare": 3,
                "train": 6,
                "sample": 7,
                "score": 14,
                "trace": 3,
                "page": 1,
            },
        ),
    ],
)
def test_the_whole_grid_is_planned(snakemake, name, expected):
    result = snakemake("-n", "--quiet", "rules", "--config", experiment(name))
    assert result.returncode == 0, result.stderr
    assert jobs(result.stdout).items() >= expected.items()
    assert "pretrain" not in jobs(result.stdout)


def test_shards_are_separate_jobs(snakemake):
    result = snakemake("-n", "--quiet", "rules", "--config", experiment("tiny"), "sample_shards=3")
    assert result.returncode == 0, result.stderr
    planned, runs = jobs(result.stdout), len(load_experiment("experiments/tiny.yaml").run_ids)
    assert (
        planned.items() >= {"sample_shard": 3 * runs, "merge": 4 * runs, "score": 2 * runs, "page": 1}.items()
    )
    assert "sample" not in planned
    assert "sample_shards: expected greater than 0" in snakemake("-n", "--config", "sample_shards=0").stdout


def test_an_experiment_file_may_be_given_as_configfile(snakemake):
    result = snakemake("-n", "--quiet", "rules", "--configfile", REPOSITORY / "experiments" / "paper.yaml")
    assert jobs(result.stdout)["sample"] == 7, result.stderr


def test_base_trains_the_small_model(snakemake):
    result = snakemake("base", "-n", "--quiet", "rules", "--config", experiment("tiny"))
    assert jobs(result.stdout) == {"base": 1, "pretrain": 1, "total": 2}, result.stderr


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (("training", "learning_rat", 1), "training.learning_rat: unknown key"),
        (("training", "epochs", "many"), "training.epochs: expected"),
        (("training", "lora", {"rank": 0}), "training.lora.rank: expected"),
        (("sampling", "block_length", 7), "block_length=7"),
        (("statistics", "confidence", 95), "statistics.confidence: expected less than 1; got 95"),
    ],
)
def test_a_broken_experiment_stops_the_dry_run(snakemake, tmp_path, edit, message):
    section, key, value = edit
    content = yaml.safe_load((REPOSITORY / "experiments" / "tiny.yaml").read_text())
    content[section][key] = content[section][key] | value if isinstance(value, dict) else value
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(content))
    result = snakemake("-n", "--config", f"experiment={tmp_path / 'tiny.yaml'}")
    assert result.returncode != 0
    assert message in result.stdout
    assert "Traceback" not in result.stdout + result.stderr


def test_unknown_run_settings_and_experiments_stop_too(snakemake):
    assert "sedes: unknown key" in snakemake("-n", "--config", "sedes=3").stdout
    assert "got 'big'" in snakemake("-n", "--config", "experiment=big").stdout


def with_custom_benchmark(tmp_path):
    """Write the tiny experiment with the example's questions beside the four benchmarks."""
    shutil.copy(REPOSITORY / "examples" / "custom_benchmark.py", tmp_path / "capitals.py")
    content = yaml.safe_load((REPOSITORY / "experiments" / "tiny.yaml").read_text())
    content["benchmarks"]["capitals"] = {"source": "custom", "path": "capitals.py", "num_examples": 3}
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(content))
    return f"experiment={tmp_path / 'tiny.yaml'}"


def test_a_custom_benchmark_is_planned_like_the_others(snakemake, tmp_path):
    result = snakemake("-n", "--quiet", "rules", "--config", with_custom_benchmark(tmp_path))
    assert jobs(result.stdout).items() >= {"questions": 5, "sample": 11, "score": 22}.items(), result.stderr


def test_questions_of_a_custom_benchmark_are_written_again_when_its_file_changes(snakemake, tmp_path):
    target, settings = (
        "results/tiny/data/questions/capitals.jsonl",
        ["--config", with_custom_benchmark(tmp_path)],
    )
    assert snakemake(target, *settings).returncode == 0
    assert len((tmp_path / target).read_text().splitlines()) == 3
    assert "Nothing to be done" in snakemake(target, "-n", *settings).stdout
    file = tmp_path / "capitals.py"
    file.write_text(file.read_text().replace("Kenya", "Kenya today"))
    assert snakemake(target, *settings).returncode == 0
    assert "Kenya today" in (tmp_path / target).read_text()


def test_a_missing_custom_benchmark_stops_the_dry_run(snakemake, tmp_path):
    settings = with_custom_benchmark(tmp_path)
    (tmp_path / "capitals.py").unlink()
    result = snakemake("-n", "--config", settings)
    assert result.returncode != 0
    assert "capitals.py" in result.stdout + result.stderr


def test_missing_generations_stop_with_one_sentence(snakemake):
    result = snakemake("-n", "--config", experiment("d1-baselines"), "offline=nowhere")
    assert result.returncode != 0
    assert "generations.folder must be a folder at nowhere/d1_baselines" in result.stdout


def test_a_failed_download_names_the_file_and_its_place(snakemake, tmp_path):
    target = "results/paper/data/examples/s1k.jsonl"
    result = snakemake(target, "--config", experiment("paper"), "offline=offline")
    assert result.returncode != 0
    log = (tmp_path / "results/paper/logs/examples/s1k.log").read_text()
    assert "offline, put it at offline/simplescaling/s1K/data/train-00000-of-00001.parquet" in log
    assert "Traceback" not in log


def test_a_changed_time_stamp_of_the_package_runs_no_job_again(snakemake, tmp_path):
    target = "results/tiny/data/questions/sudoku.jsonl"
    settings = ["--config", experiment("tiny")]
    assert snakemake(target, *settings).returncode == 0
    shutil.copystat(__file__, tmp_path)
    module = REPOSITORY / "weft/data/questions.py"
    assert module.exists()
    module.touch()
    assert "Nothing to be done" in snakemake(target, "-n", *settings).stdout
