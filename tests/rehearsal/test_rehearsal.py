"""The 8B run with small networks: from the hub to prepared data, answers and, in ``make rehearse``, the page.

The hub is a server on this machine with everything that ``paper.yaml`` downloads, in its published form.
"""

import csv
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.hub import point_client, serve
from tests.support.rehearsal.checkpoints import dream_files, llada_files
from tests.support.rehearsal.experiment import (
    LLADA,
    PAPER,
    differences,
    dream_differences,
    rehearsal_hub,
    smaller_differences,
    write_experiment,
)
from weft.__main__ import main
from weft.config import load_experiment

REPOSITORY = Path(__file__).resolve().parents[2]
NOWHERE = "http://127.0.0.1:9"


def leaves(value, keys=()):
    """Return the values in nested mappings by their keys."""
    if not isinstance(value, dict):
        return {keys: value}
    return {key: leaf for name, part in value.items() for key, leaf in leaves(part, (*keys, name)).items()}


def settings(file):
    return leaves(load_experiment(file).model_dump(mode="json"))


@pytest.fixture
def hub():
    return rehearsal_hub()


@pytest.fixture
def address(hub):
    with serve(hub) as address:
        yield address


def test_nothing_differs_from_the_paper_except_what_is_listed(tmp_path):
    paper, rehearsal = settings(PAPER), settings(write_experiment(tmp_path, differences()))
    changed = {key for key in paper.keys() | rehearsal.keys() if paper.get(key) != rehearsal.get(key)}
    listed = {(*keys, *rest) for keys, value in differences().items() for rest in leaves(value)}
    # Address, constant and offline name of an instruction are those of d1; the paper has its name.
    assert {key[: key.index("instruction") + 1] if "instruction" in key else key for key in changed} == {
        key[: key.index("instruction") + 1] if "instruction" in key else key for key in listed
    }


def test_every_listed_difference_changes_something(tmp_path):
    with_all = settings(write_experiment(tmp_path, differences()))
    for key in differences().keys() - {("name",)}:
        without = {other: value for other, value in differences().items() if other != key}
        assert settings(write_experiment(tmp_path, without)) != with_all, key


def requested_code(hub):
    return [
        path for _, path, _ in hub.requests if re.search(r"\.(py|bin|md)$", path) and "/mirror/" not in path
    ]


@pytest.mark.slow
def test_data_and_model_are_the_same_from_hub_cache_and_offline_copies(
    hub, address, tmp_path, monkeypatch, capsys
):
    file = write_experiment(tmp_path, differences())
    lock = file.with_name("rehearsal.lock.json")

    def run(folder, offline, *arguments):
        options = ["--experiment", str(file), "--out", str(tmp_path / folder / arguments[-1])]
        folders = [part for place in offline for part in ("--offline", str(place))]
        monkeypatch.setattr(sys, "argv", ["weft", "data", *arguments, *options, *folders])
        with pytest.raises(SystemExit) as ended:
            main()
        return ended.value.code or 0, capsys.readouterr().err

    def provide(folder, *offline):
        for arguments in (
            ("base",),
            *(("dataset", name) for name in ("s1k", "s1k.1.1", "openr1")),
            *(("benchmark", name) for name in ("sudoku", "countdown", "gsm8k", "math500")),
        ):
            code, error = run(folder, offline, *arguments)
            assert code == 0, error
        made = (path for path in (tmp_path / folder).rglob("*") if path.is_file())
        return {
            str(path.relative_to(tmp_path / folder)): path.read_bytes()
            for path in made
            if "provenance" not in path.name and not path.name.startswith(".")  # these have times
        }

    monkeypatch.setattr(time, "sleep", lambda _: None)  # the client's pauses between its attempts
    # The second weight file cannot be had at first; what was fetched before is not fetched again.
    second = "model-00002-of-00002.safetensors"
    point_client(monkeypatch, address, tmp_path / "cache")
    hub.broken.add(second)
    code, error = run("hub", [], "base")
    assert (code, lock.exists()) == (2, False)
    assert f"model {LLADA} at 08b83a6feb34df1a6011b80c3c00c7563e963b07 cannot be downloaded" in error
    hub.broken.clear()
    from_hub = provide("hub", f"{address}/mirror")
    for name in ("tokenizer.json", "model-00001-of-00002.safetensors", second):
        assert hub.fetched(name) == [None], name
    assert requested_code(hub) == []
    published = {f"base/{name}" for name in llada_files() if not name.endswith((".py", ".md"))}
    assert {name for name in from_hub if name.startswith("base/")} == published
    pinned = json.loads(lock.read_text())

    mirror = tmp_path / "copies"
    for name, content in hub.mirror.items():
        (mirror / name).parent.mkdir(parents=True, exist_ok=True)
        (mirror / name).write_bytes(content)
    point_client(monkeypatch, NOWHERE, tmp_path / "cache", is_offline=True)
    assert provide("cached", mirror) == from_hub
    assert json.loads(lock.read_text()) == pinned

    for repo, commits in hub.files.items():
        (files,) = commits.values()
        for name, content in files.items():
            path = mirror / repo.removeprefix("datasets/") / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    point_client(monkeypatch, NOWHERE, tmp_path / "empty", is_offline=True)
    lock.unlink()
    assert provide("offline", mirror) == from_hub
    noted = json.loads(lock.read_text())
    assert {key: entry["files"] for key, entry in noted.items()} == {
        key: entry["files"] for key, entry in pinned.items()
    }
    assert {entry["commit"] for entry in noted.values()} == {None}


@pytest.mark.slow
def test_what_is_fetched_into_a_folder_prepares_everything_without_a_network(
    hub, address, tmp_path, monkeypatch, capsys
):
    file = write_experiment(tmp_path, differences())

    def weft(*arguments):
        monkeypatch.setattr(sys, "argv", ["weft", "data", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        assert not ended.value.code, printed.err
        return printed.out

    monkeypatch.setattr(time, "sleep", lambda _: None)
    point_client(monkeypatch, address, tmp_path / "cache")
    weft("fetch", file, "--out", tmp_path / "here", "--offline", f"{address}/mirror")
    assert requested_code(hub) == []
    carried = (tmp_path / "here").rename(tmp_path / "there")
    file.unlink()
    requests = len(hub.requests)
    point_client(monkeypatch, NOWHERE, tmp_path / "empty", is_offline=True)
    assert "all as in the manifest" in weft("fetch", "--check", carried)
    options = ["--experiment", carried / "experiments" / file.name, "--offline", carried, "--out"]
    weft("base", *options, tmp_path / "base")
    published = {name for name in llada_files() if not name.endswith((".py", ".md"))}
    assert {path.name for path in (tmp_path / "base").iterdir()} == published
    for name in ("s1k", "s1k.1.1", "openr1"):
        weft("dataset", name, *options, tmp_path / name)
    for name in ("sudoku", "countdown", "gsm8k", "math500"):
        weft("benchmark", name, *options, tmp_path / name)
    assert len(hub.requests) == requests


def run_workflow(folder, file, address, *targets, timeout=600):
    """Run Snakemake with the hub at the address, and return its output."""
    command = [
        sys.executable, "-m", "snakemake", "--snakefile", str(REPOSITORY / "Snakefile"),
        "--directory", str(folder), "--cores", "2", *map(str, targets),
        "--config", f"experiment={file}", f"offline={address}/mirror", "device=cpu",
    ]  # fmt: skip
    own = {"HF_ENDPOINT": address, "HF_HOME": str(folder / "home"), "HF_HUB_OFFLINE": "0"}
    environment = {key: value for key, value in os.environ.items() if not key.startswith("SLURM")} | own
    environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
    result = subprocess.run(
        command, capture_output=True, text=True, timeout=timeout, env=environment, check=False
    )
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-6000:]
    return result.stdout + result.stderr


@pytest.mark.slow
def test_dream_is_trained_and_answers_through_the_workflow(hub, address, tmp_path):
    file = write_experiment(tmp_path, differences(), dream_differences(), smaller_differences())
    results = tmp_path / "results/rehearsal-dream"
    answers = results / "samples/weft-s1k-seed1/gsm8k/32.jsonl"
    run_workflow(tmp_path, file, address, answers.relative_to(tmp_path))
    assert requested_code(hub) == []
    kept = {name for name in dream_files() if not name.endswith(".py")}
    assert {path.name for path in (results / "base").iterdir()} - {".snakemake_timestamp"} == kept
    rows = [json.loads(line) for line in answers.read_text().splitlines()]
    assert {row["question"] for row in rows} == {
        "Ida has 3 pens and buys 4. How many?",
        "A loaf costs 2 coins. What do 600 cost?",
    }
    assert all(row["generation"] and row["num_forward"] == 16 for row in rows)
    (step,) = map(json.loads, (results / "runs/weft-s1k-seed1/history.jsonl").read_text().splitlines())
    assert step["loss"] > 0


@pytest.mark.rehearsal
def test_the_whole_grid_runs_from_the_hub_to_the_page(hub, address, tmp_path):
    file = write_experiment(tmp_path, differences())
    run_workflow(tmp_path, file, address, timeout=3 * 3600)
    results = tmp_path / "results/rehearsal"
    assert requested_code(hub) == []
    with (results / "tables/scores.csv").open() as table:
        rows = list(csv.DictReader(table))
    cells = {(row["run"], row["benchmark"], row["gen_length"]) for row in rows if row["rules"] == "d1"}
    assert len(cells) == 7 * 4 * 3
    assert (results / "report/index.html").stat().st_size > 100_000
    assert "Nothing to be done" in run_workflow(tmp_path, file, address)
