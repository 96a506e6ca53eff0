import os
import re
import shutil
import subprocess
import sys
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
                "check_first": 1,
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
                "check_first": 3,
                "train": 6,
                "sample": 7,
                "score": 14,
                "trace": 3,
                "page": 1,
            },
        ),
        ("gift", {"place_base": 1, "prepare": 2, "train": 4, "sample": 5, "score": 10, "page": 1}),
        ("gift-dream", {"place_base": 1, "prepare": 2, "train": 4, "sample": 5, "score": 10, "page": 1}),
        ("lora-r8", {"place_base": 1, "prepare": 3, "train": 6, "sample": 7, "score": 14, "page": 1}),
    ],
)
def test_the_whole_grid_is_planned(snakemake, name, expected):
    result = snakemake("-n", "--quiet", "rules", "--config", experiment(name))
    assert result.returncode == 0, result.stderr
    assert jobs(result.stdout).items() >= expected.items()
    assert "pretrain" not in jobs(result.stdout)


def test_make_plan_prints_the_table_of_jobs_once_and_fails_with_snakemake():
    """The variables stand for the environment that ``make setup`` would create."""
    command = ["make", "-s", "plan", "STAMP=", f"BIN={Path(sys.executable).parent}"]
    options = {"cwd": REPOSITORY, "capture_output": True, "text": True}
    plan = subprocess.run([*command, "EXPERIMENT=paper"], check=False, **options)
    assert plan.returncode == 0, plan.stderr
    assert len(re.findall(r"^train +6$", plan.stdout, flags=re.M)) == 1
    assert plan.stdout.count("Job stats:") == 1
    assert "dry-run" in plan.stdout
    assert subprocess.run([*command, "EXPERIMENT=absent"], check=False, **options).returncode != 0


EVALUATION = {
    "name": "models",
    "kind": "evaluation",
    "title": "Models",
    "caption": "Models.",
    "models": {
        "tiny": {"source": "path", "path": "experiments/tiny-base"},
        "one": {"source": "path", "path": "one", "base": "tiny"},
        "two": {"source": "path", "path": "two", "base": {"source": "path", "path": "experiments/tiny-base"}},
    },
}


def test_an_evaluation_places_every_model_and_trains_none(snakemake, tmp_path):
    tiny = yaml.safe_load((REPOSITORY / "experiments" / "tiny.yaml").read_text())
    shared = {key: tiny[key] for key in ("benchmarks", "sampling", "scoring", "statistics")}
    (tmp_path / "models.yaml").write_text(yaml.safe_dump(EVALUATION | shared))
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    result = snakemake("-n", "--quiet", "rules", "--config", f"experiment={tmp_path / 'models.yaml'}")
    assert jobs(result.stdout) == {
        "all": 1, "questions": 4, "place_model": 3, "place_model_base": 1, "sample": 3, "score": 6,
        "trace": 3, "tables": 1, "figures": 1, "page": 1, "verify": 1, "total": 25,
    }, result.stdout  # fmt: skip


def test_a_fine_tuning_without_benchmarks_ends_with_models_and_a_page(snakemake, tmp_path):
    content = yaml.safe_load((REPOSITORY / "experiments" / "tiny.yaml").read_text())
    for key in ("contrast", "benchmarks", "sampling", "scoring", "statistics", "learning_curve"):
        del content[key]
    content["seeds"] = [1]
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(content))
    result = snakemake("-n", "--quiet", "rules", "--config", f"experiment={tmp_path / 'tiny.yaml'}")
    assert jobs(result.stdout) == {
        "all": 1, "place_base": 1, "examples": 1, "prepare": 1, "probe": 1, "train": 2, "tables": 1,
        "figures": 1, "page": 1, "verify": 1, "total": 11,
    }, result.stdout  # fmt: skip


def test_shards_are_separate_jobs(snakemake):
    result = snakemake("-n", "--quiet", "rules", "--config", experiment("tiny"), "sample_shards=3")
    assert result.returncode == 0, result.stderr
    planned, runs = jobs(result.stdout), len(load_experiment("experiments/tiny.yaml").run_ids)
    assert (
        planned.items() >= {"sample_shard": 3 * runs, "merge": 4 * runs, "score": 2 * runs, "page": 1}.items()
    )
    assert "sample" not in planned
    assert "sample_shards: expected greater than 0" in snakemake("-n", "--config", "sample_shards=0").stdout


def test_jobs_request_memory_and_time_for_the_model(snakemake):
    result = snakemake("-n", "--config", experiment("paper"), "device=cuda", "train_processes=4")
    assert result.returncode == 0, result.stderr
    for rule, number in {"train": 6, "sample": 7, "trace": 3, "probe": 3}.items():
        found = re.findall(rf"^rule {rule}:\n(?:.+\n)*? +resources: (.+)$", result.stdout, flags=re.M)
        assert len(found) == number
        for text in found:
            memory, minutes = (int(re.search(rf"{key}=(\d+)", text)[1]) for key in ("mem_mb", "runtime"))
            assert memory >= 20_000 * (4 if rule == "train" else 1), text
            assert minutes >= 120


def test_a_training_that_fits_no_gpu_gives_a_warning(snakemake, tmp_path):
    content = yaml.safe_load((REPOSITORY / "experiments" / "paper.yaml").read_text())
    content["training"]["lora"] = None
    (tmp_path / "paper.yaml").write_text(yaml.safe_dump(content))
    target = ("-n", "--quiet", "rules", "--config", f"experiment={tmp_path / 'paper.yaml'}", "device=cuda")
    alone, eight = (snakemake(*target, f"train_processes={count}") for count in (1, 8))
    assert "training needs about 1" in alone.stdout + alone.stderr
    assert eight.returncode == 0
    assert "needs about" not in eight.stdout + eight.stderr


def test_the_tracker_is_handed_to_the_trainings_without_being_tracked(snakemake):
    target = "results/tiny/runs/weft-worked-seed1"
    result = snakemake("-n", "-p", target, "--config", experiment("tiny"), "report_to=trackio")
    assert f"--report-to trackio --out {target}" in result.stdout, result.stderr
    rule = (REPOSITORY / "workflow/rules/train.smk").read_text().split("rule ")[1]
    params = rule.partition("params:")[2].partition("shell:")[0]
    assert "report_to" not in params, "a change of a parameter would train every run again"


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


def test_processes_that_do_not_divide_the_batch_stop_the_dry_run(snakemake):
    result = snakemake("-n", "--config", experiment("paper"), "train_processes=3")
    assert result.returncode != 0
    assert "training.batch_size=16 must be a multiple" in result.stdout
    assert "= 1 x 3; train_processes may be 1, 2, 4, 8, 16, or" in result.stdout
    assert "Traceback" not in result.stdout + result.stderr


@pytest.mark.parametrize("profile", ["slurm", "workstation"])
def test_the_device_must_be_named_for_a_cluster(snakemake, profile):
    options = ("-n", "--quiet", "rules", "--workflow-profile", REPOSITORY / "profiles" / profile)
    result = snakemake(*options, "--config", experiment("tiny"), "device=auto")
    message = "device must be cuda or cpu if an executor sends jobs to other machines"
    assert (message in result.stdout + result.stderr) == (profile == "slurm")
    named = snakemake(*options, "--config", experiment("tiny"), "device=cuda")
    assert named.returncode == 0, named.stdout + named.stderr


@pytest.mark.parametrize(("processes", "nodes"), [(4, 2), (2, 4)])
def test_a_training_on_several_nodes_is_started_once_on_each(snakemake, processes, nodes):
    result = snakemake(
        "-n", "-p", "--config", experiment("paper"), "device=cuda", f"train_processes={processes}",
        "--set-resources", f"train:nodes={nodes}", "train:mpi=srun", "train:tasks_per_node=2",
        "--", "results/paper/runs/weft-s1k-seed1",
    )  # fmt: skip
    output = result.stdout + result.stderr
    if processes < nodes:
        assert "train_processes must be a multiple of the 4 nodes of a training, got 2" in output
    else:
        (command,) = re.findall(r"srun .* -m weft train .*", output)
        assert "--nodes=2 --ntasks-per-node=1 --gpus-per-node=2" in command
        assert "--processes 2 --nodes 2 " in command


def test_lengths_beyond_the_context_of_a_local_model_stop_the_dry_run(snakemake, tmp_path):
    content = yaml.safe_load((REPOSITORY / "experiments" / "tiny.yaml").read_text())
    content["base_model"] = {"source": "path", "path": str(REPOSITORY / "experiments" / "tiny-base")}
    content["training"]["max_length"] = 512
    content["sampling"]["gen_lengths"] = [32, 512]
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(content))
    result = snakemake("-n", "--config", f"experiment={tmp_path / 'tiny.yaml'}")
    assert result.returncode != 0
    assert "training.max_length must be at most 256" in result.stdout
    assert "sampling.gen_lengths must be below 256" in result.stdout
    assert "Traceback" not in result.stdout + result.stderr


def test_all_files_of_a_local_model_are_inputs(snakemake, tmp_path):
    base = shutil.copytree(REPOSITORY / "experiments" / "tiny-base", tmp_path / "base")
    (base / "merges.txt").write_text("#version: 0.2\n")
    content = yaml.safe_load((REPOSITORY / "experiments" / "tiny.yaml").read_text())
    content["base_model"] = {"source": "path", "path": str(base)}
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(content))
    result = snakemake("-n", "results/tiny/base", "--config", f"experiment={tmp_path / 'tiny.yaml'}")
    inputs = re.search(r"^rule place_base:\n +input: (.+)$", result.stdout, flags=re.M)[1]
    for name in ("merges.txt", "chat_template.jinja", "tokenizer.json", "model.safetensors"):
        assert str(base / name) in inputs


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


def test_the_default_experiment_runs_from_every_directory(snakemake, tmp_path):
    assert snakemake("results/tiny/base").returncode == 0
    assert (tmp_path / "results/tiny/base/model.safetensors").is_file()


def test_paths_may_contain_braces_and_names_may_look_like_numbers(snakemake, tmp_path):
    content = yaml.safe_load((REPOSITORY / "experiments/tiny.yaml").read_text())
    content["name"] = "2024_01"
    content["datasets"] = {"mine": {"source": "jsonl", "path": "my {seed} ü's/data{1}.jsonl"}}
    content["benchmarks"] |= {"own": {"source": "custom", "path": "my {seed} ü's/{x}.py"}}
    content["benchmarks"] |= {"shipped": {"source": "custom", "path": "examples/custom_benchmark.py"}}
    folder = tmp_path / "my {seed} ü's"
    folder.mkdir()
    shutil.copy(REPOSITORY / "examples/custom_benchmark.py", folder / "{x}.py")
    data, file = folder / "data{1}.jsonl", folder / "2024_01.yml"
    data.write_text('{"question": "2+3", "answer": "5"}\n')
    file.write_text(yaml.safe_dump(content))
    (tmp_path / "experiments").mkdir()
    shutil.copy(file, tmp_path / "experiments")
    planned = snakemake("-n", "--quiet", "rules", "--config", "experiment=2024_01")
    assert jobs(planned.stdout).items() >= {"examples": 1, "questions": 6}.items(), planned.stdout

    target = "results/2024_01/data/examples/mine.jsonl"
    made = snakemake(target, "--config", f"experiment={file.relative_to(tmp_path)}", "offline=my{1}")
    assert made.returncode == 0, made.stdout + made.stderr
    settings = ["-n", target, "--config", f"experiment={file}", "offline=my{1}"]  # another spelling
    assert "Nothing to be done" in snakemake(*settings).stdout
    data.write_text('{"question": "2+3", "answer": "6"}\n')
    assert jobs(snakemake(*settings).stdout)["examples"] == 1
    data.unlink()
    assert "data{1}.jsonl, got none" in snakemake(*settings).stdout


def test_files_that_are_replaced_by_older_ones_are_noticed(snakemake, tmp_path):
    base, data = tmp_path / "model", tmp_path / "train.jsonl"
    shutil.copytree(REPOSITORY / "experiments/tiny-base", base)
    data.write_text('{"question": "2+3", "answer": "5"}\n')
    content = yaml.safe_load((REPOSITORY / "experiments/tiny.yaml").read_text())
    content["name"], content["base_model"] = "own", {"source": "path", "path": "model"}
    content["datasets"] = {"mine": {"source": "file", "path": "train.jsonl"}}
    (tmp_path / "own.yaml").write_text(yaml.safe_dump(content))
    targets = ("results/own/data/examples/mine.jsonl", "results/own/base")
    made = snakemake(*targets, "--config", "experiment=own.yaml")
    assert made.returncode == 0, made.stdout + made.stderr

    def plan():
        result = snakemake("-n", *targets, "--config", "experiment=own.yaml")
        assert result.returncode == 0, result.stdout + result.stderr
        return jobs(result.stdout)

    assert plan() == {}
    replaced = {}
    for file, end in ((data, b'"6"}\n'), (base / "model.safetensors", bytes(5))):
        replaced[file] = file.read_bytes(), file.stat().st_mtime
        file.unlink()  # otherwise the placed file, which may be a hard link, changes as well
        file.write_bytes(replaced[file][0][: -len(end)] + end)
        os.utime(file, (0, 0))
    assert plan() == {"examples": 1, "place_base": 1, "total": 2}
    for file, (before, time) in replaced.items():
        file.write_bytes(before)
        os.utime(file, (time, time))
    (base / "chat_template.jinja").write_text("{{ messages }}")
    assert plan() == {"place_base": 1, "total": 1}


def test_a_checkout_with_braces_in_its_path_is_refused_in_one_sentence(snakemake, tmp_path):
    checkout = tmp_path / "a{b}c"
    for name in ("weft", "workflow"):
        shutil.copytree(REPOSITORY / name, checkout / name)
    for name in ("Snakefile", "config.yaml"):
        shutil.copy(REPOSITORY / name, checkout)
    result = snakemake("-n", repository=checkout)
    assert result.returncode != 0
    assert "the path of the checkout must not contain braces" in result.stdout
    assert "Traceback" not in result.stdout + result.stderr


def test_a_checkout_with_automatic_line_ends_has_line_feeds(tmp_path):
    if not (REPOSITORY / ".git").exists():
        pytest.skip("the repository is not a clone")
    clone = ["git", "clone", "--quiet", "--config", "core.autocrlf=true", str(REPOSITORY), str(tmp_path)]
    subprocess.run(clone, check=True)
    listing = subprocess.run(
        ["git", "ls-files", "--eol"], cwd=tmp_path, check=True, capture_output=True, text=True
    )
    ends = {line.split()[1] for line in listing.stdout.splitlines()}
    assert ends <= {"w/lf", "w/-text", "w/none", "w/"}, ends  # "w/" stands for a symbolic link
    shipped = Path("experiments/tiny-base/config.json")
    assert (tmp_path / shipped).read_bytes() == (REPOSITORY / shipped).read_bytes()
