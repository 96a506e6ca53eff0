"""Which jobs of a finished experiment run again after an edit; nothing is run here, only planned."""

import os
import re
import shutil
from pathlib import Path

import pytest
import yaml

from tests.support.micro import REPOSITORY, run

pytestmark = pytest.mark.slow
REPORT = {"tables": 1, "figures": 1, "page": 1, "verify": 1}
SCORED = {"score": 6} | REPORT
SAMPLED = {"check": 1, "sample": 3} | SCORED
NEW_RUN = {"train": 1, "sample": 1, "score": 2, "curve": 1} | REPORT


@pytest.fixture
def plan(finished, tmp_path):
    """Return a function that plans the finished experiment after an edit, and returns the jobs by rule."""
    content = yaml.safe_load((REPOSITORY / "tests/workflow/micro.yaml").read_text())
    file = tmp_path / "micro.yaml"

    def call(edit=lambda content: None, *settings, text=None):
        edit(content)
        file.write_text(text or yaml.safe_dump(content, sort_keys=False))
        return count_jobs(finished, file, settings=settings)[0]

    return call


def count_jobs(folder, file, settings=()):
    """Return the planned jobs by rule, and the messages of the plan."""
    given = f"experiment={file}"
    result = run(folder, "-n", "--quiet", "rules", experiment=given, settings=settings)
    assert result.returncode == 0, result.stdout + result.stderr
    counts = re.findall(r"^(\w+)\s+(\d+)$", result.stdout, flags=re.M)
    return {rule: int(count) for rule, count in counts if rule not in {"all", "total"}}, result.stdout


def set_in(*keys, value):
    def edit(content):
        for key in keys[:-1]:
            content = content[key]
        content[keys[-1]] = value

    return edit


def test_nothing_runs_again_after_no_edit(plan):
    assert plan() == {}


def test_more_questions_are_sampled_and_scored(plan):
    expected = {"questions": 1, "trace": 3} | SAMPLED
    assert plan(set_in("benchmarks", "sudoku", "num_examples", value=8)) == expected


def test_a_new_benchmark_is_sampled_scored_and_shown(plan):
    new = {"source": "generated", "num_examples": 4, "seed": 22}
    assert plan(set_in("benchmarks", "countdown", value=new)) == SAMPLED | {
        "questions": 1, "validation": 1, "curve": 3, "trace": 3,
    }  # fmt: skip


@pytest.mark.parametrize("is_older", [False, True], ids=["newer", "older"])
@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('reason="no answer is stated"', 'reason="nothing is stated"', SCORED),
        ("of Kenya", "of Kenya today", {"questions": 1, "trace": 3} | SAMPLED),
    ],
    ids=["scoring", "question"],
)
def test_a_word_of_a_custom_benchmark(plan, finished, tmp_path, old, new, expected, is_older):
    file = finished / "examples/custom_benchmark.py"
    shutil.copy2(file, tmp_path / "before.py")
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))
    if is_older:
        os.utime(file, (0, 0))
    try:
        assert plan() == expected
    finally:
        shutil.copy2(tmp_path / "before.py", file)


@pytest.mark.parametrize("name", ["name", "relative", "absolute", "link"])
def test_the_experiment_may_be_named_in_any_way(finished, tmp_path, name):
    copy = finished / "experiments/micro.yaml"
    copy.parent.mkdir(exist_ok=True)
    shutil.copy2(REPOSITORY / "tests/workflow/micro.yaml", copy)
    (tmp_path / "link").symlink_to(finished)
    names = {
        "name": "micro",
        "relative": "experiments/micro.yaml",
        "absolute": copy,
        "link": tmp_path / "link/experiments/micro.yaml",
    }
    result = run(finished, "-n", experiment=f"experiment={names[name]}")
    assert "Nothing to be done" in result.stdout, result.stdout + result.stderr


@pytest.mark.parametrize(
    "setting",
    [
        "offline=[offline]", "offline=[offline, more, elsewhere]", "device=cpu", "threads_per_process=2",
        "train_processes=2", "report_to=tensorboard",
    ],
)  # fmt: skip
def test_a_run_setting_runs_nothing_again(plan, setting):
    assert plan(lambda content: None, setting) == {}


def test_comments_and_the_order_of_keys_run_nothing_again(plan):
    content = yaml.safe_load((REPOSITORY / "tests/workflow/micro.yaml").read_text())
    lines = yaml.safe_dump(content, sort_keys=True).splitlines()
    assert plan(text="\n".join(f"{line}  # why" if line.endswith(":") else line for line in lines)) == {}


def test_the_interval_of_checkpoints_runs_nothing_again_but_the_page(plan):
    assert plan(set_in("training", "save_every", value=5)) == {"page": 1, "verify": 1}


def test_a_title_changes_the_report_only(plan):
    assert plan(set_in("title", value="Another title")) == REPORT


def test_forbidden_test_questions_are_looked_for_again(plan):
    assert plan(set_in("forbid_test_questions", value=False)) == SAMPLED | {"sample": 2, "score": 4}


def test_a_new_length_is_sampled_and_measured(plan):
    assert plan(set_in("sampling", "gen_lengths", value=[32, 48])) == SAMPLED | {"curve": 3}


def test_a_new_method_is_trained_and_the_others_are_not(plan):
    new = {"preset": "sft", "learning_rate": 2.0e-3}
    assert plan(set_in("methods", "fast", value=new)) == NEW_RUN


def test_a_new_seed_is_trained_and_the_others_are_not(plan):
    expected = {rule: 1 if rule in REPORT else 2 * count for rule, count in NEW_RUN.items()}
    assert plan(set_in("seeds", value=[1, 2])) == expected


def test_a_learning_rate_trains_all_runs_again(plan):
    expected = {"train": 2, "sample": 2, "score": 4, "curve": 2, "trace": 2} | REPORT
    assert plan(set_in("training", "learning_rate", value=2.0e-3)) == expected


def test_two_edits_run_what_both_concern(plan):
    def edit(content):
        content["benchmarks"]["sudoku"]["num_examples"] = 8
        content["methods"]["sft"] |= {"learning_rate": 2.0e-3}

    assert plan(edit) == {"questions": 1, "train": 1, "curve": 1, "trace": 3} | SAMPLED


def flip_byte(file, *, keeps_time):
    status, content = file.stat(), bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    if keeps_time:
        os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))


def swap(first, second):
    between = first.with_name("between")
    first.rename(between)
    second.rename(first)
    between.rename(second)


TRAINED = {"train": 2, "probe": 1, "sample": 2, "score": 4, "curve": 2, "trace": 2} | REPORT
WEIGHTS = "adapter_model.safetensors"


@pytest.mark.parametrize(
    ("edit", "edited", "expected"),
    [
        (
            lambda root: flip_byte(root / "base/model.safetensors", keeps_time=False),
            ["base: model.safetensors"],
            {"prepare": 1} | TRAINED | SAMPLED | {"curve": 3, "trace": 3},
        ),
        (
            lambda root: flip_byte(next(root.glob("data/prepared/worked/*.arrow")), keeps_time=True),
            ["data/prepared/worked: data-00000-of-00001.arrow"],
            TRAINED,
        ),
        (
            lambda root: swap(*(root / f"runs/{name}-worked-seed1/{WEIGHTS}" for name in ("sft", "weft"))),
            [f"runs/{name}-worked-seed1: {WEIGHTS}" for name in ("sft", "weft")],
            {"sample": 2, "score": 4, "curve": 2, "trace": 2} | REPORT,
        ),
    ],
    ids=["base", "prepared, time kept", "adapters swapped"],
)
def test_an_edited_file_in_a_folder_runs_what_follows_again(finished, tmp_path, edit, edited, expected):
    """A copy of the finished experiment is edited; a copy alone runs nothing again."""
    copy, file = tmp_path / "copy", REPOSITORY / "tests/workflow/micro.yaml"
    shutil.copytree(finished, copy)
    assert count_jobs(copy, file)[0] == {}
    edit(copy / "results/micro")
    ending = "was changed since the folder was made; the jobs that read the folder run again"
    jobs, messages = count_jobs(copy, file)
    assert jobs == expected
    assert re.findall(rf"results/micro/(.+) {ending}", messages) == edited
    jobs, messages = count_jobs(copy, file)
    assert jobs == expected, "the plan stays after the edit was noticed"
    assert ending not in messages


def test_touched_code_runs_nothing_again(plan):
    Path(REPOSITORY / "weft/training/objective.py").touch()
    assert plan() == {}
