"""The whole workflow on the smallest experiment: run, run again, run afresh, be killed."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from tests.support.micro import command, digest_results, environment, run
from tests.support.tampering import TAMPERINGS, flip
from weft.audit import verify_results
from weft.layout import digests_file, provenance_file
from weft.records import CurvePoint, Generation
from weft.records.files import read_lines

pytestmark = pytest.mark.slow
REPOSITORY = Path(__file__).resolve().parents[2]
TRAIN = "results/micro/runs/weft-worked-seed1"


def test_the_page_has_all_sections(finished):
    root = finished / "results/micro"
    page = root / "report/index.html"
    assert page.stat().st_size > 10_000
    for name in ("base", "sft-worked-seed1", "weft-worked-seed1"):
        assert f'href="traces/{name}.html"' in page.read_text(encoding="utf-8")
        assert (page.parent / f"traces/{name}.html").exists()
    assert (root / "pretrained/model.safetensors").exists()
    assert len((root / f"runs/{Path(TRAIN).name}/history.jsonl").read_text().splitlines()) == 12
    assert len(list((root / "samples").rglob("*.jsonl"))) == 9
    points = read_lines(root / "curves/weft-worked-seed1.jsonl", CurvePoint)
    assert [(point.optimizer_step, point.benchmark) for point in points] == [
        (step, benchmark) for step in (4, 8, 12) for benchmark in ("sudoku", "gsm8k")
    ]
    assert {point.num_questions for point in points} == {4}
    assert "Learning curves" in page.read_text(encoding="utf-8")
    kept = (".lock", ".digests.json", ".snakemake_timestamp", ".answers", ".done", ".passed", ".verified")
    hidden = [path for path in root.rglob(".*") if not path.name.endswith(kept)]
    assert not hidden, "state of finished jobs is cleared away"
    assert len(list((root / "samples").rglob(".*.answers"))) == 9, "but answers are kept"
    assert sorted(path.name for path in (root / "timings/sample").iterdir()) == [
        "base.jsonl", "sft-worked-seed1.jsonl", "weft-worked-seed1.jsonl"
    ]  # fmt: skip


def test_every_result_has_provenance_and_verifies(finished):
    outcome = verify_results(finished / "results/micro")
    assert [finding for finding in outcome.findings if finding.status != "note"] == []
    assert (finished / "results/micro/report/.verified").exists()
    page = (finished / "results/micro/report/index.html").read_text(encoding="utf-8")
    assert re.search("All [0-9,]+ checks of [0-9]+ results hold", page)
    assert "do not verify" not in page


def test_a_finished_experiment_is_packed_and_a_changed_one_is_not(finished, tmp_path):
    def pack(root):
        return subprocess.run(
            [sys.executable, "-m", "weft", "archive", str(root), "--out", str(tmp_path / "micro.zip"),
             "--experiment", str(REPOSITORY / "tests/workflow/micro.yaml"), "--keep-paths"],
            capture_output=True, text=True, check=False, env=environment(), cwd=finished,
        )  # fmt: skip

    packed = pack("results/micro")
    assert packed.returncode == 0, packed.stderr
    shutil.copytree(finished / "results/micro", tmp_path / "micro")
    flip("data/questions/gsm8k.jsonl")(tmp_path / "micro")
    refused = pack(tmp_path / "micro")
    assert refused.returncode == 2
    assert "data/questions/gsm8k.jsonl" in refused.stderr


@pytest.mark.parametrize("tampering", TAMPERINGS, ids=lambda tampering: tampering.name)
def test_whatever_is_changed_is_found_and_named(finished, tmp_path, tampering):
    root = tmp_path / "copy"
    shutil.copytree(finished / "results/micro", root, copy_function=os.link)  # changes write other files
    tampering.change(root)
    outcome = verify_results(root)
    lines = [
        f"{finding.result}: {finding.text}"
        for finding in outcome.findings
        if finding.status in {"fails", "missing"}
    ]
    assert not outcome.holds
    assert any(tampering.named in line for line in lines), lines


def test_a_page_of_changed_results_says_so_and_the_workflow_fails(finished, tmp_path):
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    flip(f"{TRAIN}/adapter_model.safetensors")(tmp_path)
    (tmp_path / "results/micro/report/index.html").unlink()
    result = run(tmp_path, "--rerun-triggers", "mtime")
    assert result.returncode == 1
    page = (tmp_path / "results/micro/report/index.html").read_text(encoding="utf-8")
    assert "These results do not verify." in page
    assert "adapter_model.safetensors has another content" in page
    log = (tmp_path / "results/micro/logs/verify.log").read_text()
    assert "FAILS    runs/weft-worked-seed1: adapter_model.safetensors has another content" in log


def test_a_second_call_does_nothing(finished):
    assert "Nothing to be done" in run(finished, "-n").stdout


def test_two_ranks_and_a_fresh_start_give_the_same_results(finished, tmp_path):
    pretrained, root = finished / "results/micro/pretrained", tmp_path / "results/micro"
    root.mkdir(parents=True)
    shutil.copytree(pretrained, root / pretrained.name)
    for file in (provenance_file(pretrained), digests_file(pretrained)):
        shutil.copy(file, root / file.name)
    result = run(tmp_path, "--rerun-triggers", "mtime", processes=2)
    assert result.returncode == 0, result.stdout + result.stderr
    assert digest_results(tmp_path) == digest_results(finished)


def test_a_changed_scorer_samples_nothing_and_changed_questions_sample_their_benchmark_only(
    finished, tmp_path
):
    directory = tmp_path / "copy"
    shutil.copytree(finished, directory)
    root, benchmark = directory / "results/micro", directory / "examples/custom_benchmark.py"
    target = "results/micro/scores/d1/base/capitals/32.jsonl"
    before = {path: path.read_bytes() for path in (root / "samples/base").glob("*/32.jsonl*")}
    assert len(before) == 6
    log, store = root / "logs/sample/base.log", root / "samples/base/capitals"
    first = log.stat().st_mtime_ns
    for old, new, num_asked in (
        ('reason="no answer is stated"', 'reason="nothing is stated"', 0),
        ("of Kenya", "of Kenya today", 1),
    ):
        benchmark.write_text(benchmark.read_text().replace(old, new))
        result = run(directory, target)
        assert result.returncode == 0, result.stdout + result.stderr
        assert (log.stat().st_mtime_ns == first) == (num_asked == 0), "only other questions are sampled"
        (answers,) = store.glob(".*.answers")
        assert len(answers.read_text().splitlines()) == 4 + num_asked
        after = {path: path.read_bytes() for path in before}
        changed = {path.parent.name for path in before if before[path] != after[path]}
        assert changed == ({"capitals"} if num_asked else set())
        assert "nothing is stated" in (directory / target).read_text()
        assert "Nothing to be done" in run(directory, target, "-n").stdout
    assert log.read_text().count("all answers were stored before") == 2
    assert len(list((root / "samples/base").rglob(".*.answers"))) == 3


def test_answers_shared_out_to_two_jobs_are_the_same(finished, tmp_path):
    for part in ("pretrained", "base", "data", "runs"):
        shutil.copytree(finished / "results/micro" / part, tmp_path / "results/micro" / part)
    target = f"results/micro/samples/{Path(TRAIN).name}/sudoku/32.jsonl"
    result = run(tmp_path, target, "--rerun-triggers", "mtime", shards=2)
    assert result.returncode == 0, result.stdout + result.stderr
    assert (tmp_path / target).read_bytes() == (finished / target).read_bytes()
    assert not list((tmp_path / "results/micro/shards").rglob("[0-9]*")), "shards are cleared away"
    assert "Nothing to be done" in run(tmp_path, target, "-n", "--rerun-triggers", "mtime", shards=2).stdout


def test_a_killed_training_resumes_to_the_same_bytes(finished, tmp_path):
    for part in ("pretrained", "base", "data"):
        shutil.copytree(finished / "results/micro" / part, tmp_path / "results/micro" / part)
    started = subprocess.Popen(
        command(tmp_path, TRAIN, "--rerun-triggers", "mtime"),
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment(), start_new_session=True,
    )  # fmt: skip
    runs = tmp_path / "results/micro/runs"
    while not list(runs.glob(".weft-worked-seed1.*.state/checkpoint-[48]/trainer_state.json")):
        assert started.poll() is None, "training ended before it could be killed"
        time.sleep(0.02)
    os.killpg(started.pid, signal.SIGKILL)
    # The launcher's children are in groups of their own: look them up by the folder they work in.
    listed = subprocess.run(
        ["pgrep", "-f", str(tmp_path)], capture_output=True, text=True, check=False
    ).stdout
    for pid in listed.split():
        os.kill(int(pid), signal.SIGKILL)
    started.wait()
    subprocess.run(command(tmp_path, "--unlock"), check=True, env=environment(), capture_output=True)
    result = run(tmp_path, TRAIN, "--rerun-triggers", "mtime")
    assert result.returncode == 0, result.stdout + result.stderr
    log = (tmp_path / "results/micro/logs/train/weft-worked-seed1.log").read_text()
    assert "resum" in log.lower() or "checkpoint" in log.lower()
    snapshots = [f"snapshots/{step}/adapter_model.safetensors" for step in (4, 8, 12)]
    for name in ("adapter_model.safetensors", "history.jsonl", *snapshots):
        assert (tmp_path / TRAIN / name).read_bytes() == (finished / TRAIN / name).read_bytes(), name


def test_a_training_that_outlives_snakemake_is_finished_once(finished, tmp_path):
    """Snakemake is killed while a job trains, and started again before the job has ended."""
    for part in ("pretrained", "base", "data", "checks"):
        shutil.copytree(finished / "results/micro" / part, tmp_path / "results/micro" / part)
    started = subprocess.Popen(
        command(tmp_path, TRAIN, "--rerun-triggers", "mtime"),
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment(), start_new_session=True,
    )  # fmt: skip
    runs, log = tmp_path / "results/micro/runs", tmp_path / "results/micro/logs/train/weft-worked-seed1.log"
    while not list(runs.glob(".weft-worked-seed1.*.state/job.json")):
        assert started.poll() is None, "the job ended before Snakemake could be killed"
        time.sleep(0.02)
    os.kill(started.pid, signal.SIGKILL)
    started.wait()
    subprocess.run(command(tmp_path, "--unlock"), check=True, env=environment(), capture_output=True)
    result = run(tmp_path, TRAIN, "--rerun-triggers", "mtime")
    assert result.returncode == 0, result.stdout + result.stderr
    assert "this training was finished before; its result is used" in log.read_text()
    for name in ("adapter_model.safetensors", "history.jsonl"):
        assert (tmp_path / TRAIN / name).read_bytes() == (finished / TRAIN / name).read_bytes(), name
    (kept,) = runs.glob(".weft-worked-seed1.*.done")
    assert (kept / "weft-worked-seed1/history.jsonl").samefile(tmp_path / TRAIN / "history.jsonl")
    shutil.rmtree(tmp_path / TRAIN)
    result = run(tmp_path, TRAIN, "--rerun-triggers", "mtime")
    assert result.returncode == 0, result.stdout + result.stderr
    assert (kept / "weft-worked-seed1/history.jsonl").samefile(tmp_path / TRAIN / "history.jsonl")


EVALUATION = {
    "name": "placed",
    "kind": "evaluation",
    "title": "A base model and the adapter that was trained on it",
    "caption": "A test of the workflow; its numbers mean nothing.",
    "models": {
        "base": {"source": "path", "path": "results/micro/base"},
        "tuned": {"source": "path", "path": TRAIN, "base": "base"},
    },
    "contrasts": [["tuned", "base"]],
}


def test_an_evaluation_of_the_trained_adapter_gives_the_answers_and_scores_of_its_training(
    finished, tmp_path
):
    for part in ("base", f"runs/{Path(TRAIN).name}"):
        shutil.copytree(finished / "results/micro" / part, tmp_path / "results/micro" / part)
    micro = yaml.safe_load((REPOSITORY / "tests/workflow/micro.yaml").read_text())
    shared = {key: micro[key] for key in ("sampling", "statistics")} | {"scoring": ["d1"]}
    shared["benchmarks"] = {"sudoku": micro["benchmarks"]["sudoku"]}
    (tmp_path / "placed.yaml").write_text(yaml.safe_dump(EVALUATION | shared))
    target = "results/placed/tables/contrasts.csv"
    result = run(tmp_path, target, experiment=f"experiment={tmp_path / 'placed.yaml'}")
    assert result.returncode == 0, result.stdout + result.stderr
    assert (tmp_path / target).read_text().splitlines()[1].startswith(",sudoku,32,d1,tuned,base,1,1,")
    assert {path.name for path in (tmp_path / "results/placed/models/tuned").glob("[!.]*")} == {
        "adapter_config.json", "adapter_model.safetensors",
    }  # fmt: skip
    for name, trained in (("base", "base"), ("tuned", Path(TRAIN).name)):
        answers = [
            [(row.example_id, row.generation) for row in read_lines(folder / "sudoku/32.jsonl", Generation)]
            for folder in (
                tmp_path / "results/placed/samples" / name,
                finished / "results/micro/samples" / trained,
            )
        ]
        assert answers[0] == answers[1], name
