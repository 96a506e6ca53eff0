"""Fetch an experiment from a hub on this machine, and use the folder without any network."""

import contextlib
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import yaml

from tests.support.hub import COMMIT, NEXT_COMMIT, Hub, point_client, serve
from weft.__main__ import main
from weft.config import find_experiment, load_experiment
from weft.data.base_model import locate_base
from weft.data.carried import MANIFEST
from weft.data.datasets import load_dataset
from weft.data.fetch import fetch_experiment
from weft.data.pins import pins_path
from weft.data.questions import load_questions
from weft.errors import ConfigError, DataError

NOWHERE = "http://127.0.0.1:9"
QUESTION = {"problem": "What is $1+1$?", "answer": "2"}
BASE = {"config.json": b"{}", "tokenizer.json": b"[]", "model.safetensors": b"weights" * 100}
CODE = b'TEXT = "Think first."\n'


def rows(*questions):
    return "".join(json.dumps({"question": q, "answer": "so: 4"}) + "\n" for q in questions).encode()


@pytest.fixture
def hub():
    hub = Hub()
    for name, content in BASE.items():
        hub.put("owner/base", name, content)
    hub.put("owner/base", "modeling.py", b"raise SystemExit")
    hub.put("datasets/owner/named", "README.md", b"# A data set\n")
    hub.put("datasets/owner/named", "train-00000-of-00002.jsonl", rows("2+2?", "1+3?"))
    hub.put("datasets/owner/named", "train-00001-of-00002.jsonl", rows("5-1?"))
    hub.put("datasets/owner/tests", "test.jsonl", (json.dumps(QUESTION) + "\n").encode())
    hub.mirror["texts/prompt.py"] = CODE
    return hub


@pytest.fixture
def address(hub):
    with serve(hub) as address:
        yield address


@pytest.fixture
def online(address, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(time, "sleep", lambda _: None)  # the client's pauses between its attempts
    point_client(monkeypatch, address, tmp_path / "cache")
    return address


def describe(folder, address, **changes):
    """Write an experiment with files from the hub, from the web and of the user."""
    (folder / "mine").mkdir(exist_ok=True)
    (folder / "mine/own.jsonl").write_bytes(rows("3+1?"))
    (folder / "mine/bench.py").write_text(
        "from weft.benchmarks import Score\n"
        "INSTRUCTION = ''\n"
        "QUESTIONS = [('2?', '2')]\n"
        "def score(generation, *, question, reference):\n"
        "    return Score.from_credit(None, 0.0, reason='other')\n"
    )
    text = {
        "url": f"{address}/mirror/texts/prompt.py",
        "constant": "TEXT",
        "sha256": hashlib.sha256(b"Think first.").hexdigest(),
        "offline": "texts/prompt.py",
    }
    file = {"repo": "owner/tests", "file": "test.jsonl", "revision": "main"}
    content = {
        "extends": "tiny.yaml",
        "name": "mine",
        "base_model": {"source": "hub", "repo": "owner/base", "revision": "main"},
        "datasets": {
            "named": {"source": "hub", "dataset": "owner/named", "num_examples": 2},
            "own": {"source": "file", "path": "own.jsonl"},
        },
        "benchmarks": {
            "math500": {"source": "published", "file": file, "instruction": text},
            "bench": {"source": "custom", "path": "bench.py"},
        },
        "learning_curve": None,
    } | changes
    path = folder / "mine/mine.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


@pytest.fixture
def fetch(monkeypatch, capsys):
    """Run the command in this process; return its exit code and its output."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["weft", "data", "fetch", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        return ended.value.code or 0, printed.out + printed.err

    return run


def bodies(hub):
    """Return the files whose content was requested."""
    return [
        path
        for method, path, _ in hub.requests
        if method == "GET" and ("/resolve/" in path or "mirror" in path)
    ]


def test_a_fetched_folder_serves_the_experiment_without_a_network(hub, online, fetch, tmp_path, monkeypatch):
    code, output = fetch(describe(tmp_path, online), "--out", "carried")
    assert code == 0, output
    assert output.startswith("to download: 4 files and repositories, 0.0000 GB and 2 of unknown size; free: ")
    files = {str(path.relative_to("carried")) for path in Path("carried").rglob("*") if path.is_file()}
    assert {name for name in files if not Path(name).name.startswith(".")} == {
        MANIFEST,
        *(f"owner/base/{name}" for name in BASE),
        "owner/named/README.md",
        "owner/named/train-00000-of-00002.jsonl",
        "owner/tests/test.jsonl",
        "texts/prompt.py",
        "experiments/mine.yaml",
        "experiments/tiny.yaml",
        "experiments/mine.lock.json",
        "experiments/mine.files.json",
        "experiments/own.jsonl",
        "experiments/bench.py",
    }
    # To another machine: another folder, no cache, no network, no folder of the experiment.
    away = tmp_path / "away"
    away.mkdir()
    shutil.move("carried", away / "media")
    shutil.rmtree(tmp_path / "mine")
    shutil.rmtree(tmp_path / "cache")
    monkeypatch.chdir(away)
    point_client(monkeypatch, NOWHERE, away / "cache", is_offline=True)
    requests = len(hub.requests)
    assert fetch("--check", "media")[0] == 0
    file = find_experiment("media/experiments/mine.yaml")
    experiment, places = load_experiment(file), {"offline": ["media"], "pins": pins_path(file)}
    base = locate_base(experiment.base_model, **places)
    assert {path.name: path.read_bytes() for path in base.iterdir()} == BASE
    sets = {name: load_dataset(name, source, **places) for name, source in experiment.datasets.items()}
    assert [example.question for example in sets["named"].records] == ["2+2?", "1+3?"]
    assert [example.question for example in sets["own"].records] == ["3+1?"]
    asked = {
        name: load_questions(name, source, away / f"{name}.jsonl", **places).records
        for name, source in experiment.benchmarks.items()
    }
    assert asked["math500"][0].prompt == "Think first.\n\nWhat is $1+1$?"
    assert asked["bench"][0].question == "2?"
    assert len(hub.requests) == requests
    pins = json.loads(pins_path(file).read_text())
    assert {pin["commit"] for pin in pins.values()} == {COMMIT}


def test_again_nothing_is_downloaded_and_a_damaged_file_is_fetched_anew(hub, online, fetch, tmp_path):
    file = describe(tmp_path, online)
    assert fetch(file, "--out", "carried")[0] == 0
    first = len(hub.requests)
    code, output = fetch(file, "--out", "carried")
    assert (code, len(hub.requests)) == (0, first)
    assert output.startswith("everything is in carried already")
    target = Path("carried/texts/prompt.py")
    target.unlink()
    assert fetch("--check", "carried")[0] == 2
    assert fetch(file, "--out", "carried")[0] == 0
    assert [path for path in bodies(hub) if path.endswith("prompt.py")] == ["/mirror/texts/prompt.py"] * 2
    assert fetch("--check", "carried")[0] == 0


def test_after_a_failure_it_goes_on_with_what_is_missing(hub, online, fetch, tmp_path):
    file = describe(tmp_path, online)
    hub.broken.add("model.safetensors")
    code, output = fetch(file, "--out", "carried")
    assert (code, "model owner/base" in output) == (2, True)
    assert not Path("carried/owner/base").exists()
    before = set(bodies(hub))
    hub.broken.clear()
    assert fetch(file, "--out", "carried")[0] == 0
    assert [path.rpartition("/")[2] for path in bodies(hub) if path not in before] == ["model.safetensors"]
    assert [len(hub.fetched(name)) for name in ("tokenizer.json", "test.jsonl")] == [1, 1]
    assert fetch("--check", "carried")[0] == 0


def test_after_a_kill_it_goes_on_and_is_complete(hub, online, fetch, tmp_path):
    file = describe(tmp_path, online)
    hub.stalled["model.safetensors"] = threading.Event()
    settings = {"HF_ENDPOINT": online, "HF_HUB_CACHE": str(tmp_path / "cache")}
    settings |= {"HF_HUB_OFFLINE": "0", "HF_HUB_DISABLE_XET": "1"}
    command = [sys.executable, "-m", "weft", "data", "fetch", str(file), "--out", "carried"]
    with subprocess.Popen(
        command, cwd=tmp_path, env=os.environ | settings, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        while process.poll() is None and not hub.fetched("model.safetensors"):
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(0.05)
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    hub.stalled.pop("model.safetensors").set()
    assert not Path("carried/owner/base").exists()
    assert not Path("carried", MANIFEST).exists()
    assert fetch(file, "--out", "carried")[0] == 0
    assert len(hub.fetched("tokenizer.json")) == 1
    assert len(hub.fetched("model.safetensors")) == 2
    assert Path("carried/owner/base/model.safetensors").read_bytes() == BASE["model.safetensors"]
    assert fetch("--check", "carried")[0] == 0


def test_files_of_an_offline_folder_are_taken_from_there(hub, online, fetch, tmp_path):
    for name, content in BASE.items():
        (tmp_path / "copies/owner/base" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "copies/owner/base" / name).write_bytes(content)
    code, output = fetch(describe(tmp_path, online), "--out", "carried", "--offline", "copies")
    assert (code, output.startswith("to download: 3 files")) == (0, True), output
    assert hub.fetched("model.safetensors") == []
    assert Path("carried/owner/base/model.safetensors").read_bytes() == BASE["model.safetensors"]


def test_the_pinned_commit_is_fetched_although_the_branch_moved(hub, online, tmp_path):
    file = describe(tmp_path, online)
    experiment = load_experiment(file)
    fetch_experiment(experiment, file, tmp_path / "first", offline=[])
    hub.put("owner/base", "model.safetensors", b"newer", commit=NEXT_COMMIT)
    shutil.rmtree(tmp_path / "cache")
    fetch_experiment(experiment, file, tmp_path / "second", offline=[])
    assert (tmp_path / "second/owner/base/model.safetensors").read_bytes() == BASE["model.safetensors"]


def test_another_split_of_a_data_set_in_the_folder_does_not_stand_for_this(hub, online, tmp_path):
    all_rows = {"named": {"source": "hub", "dataset": "owner/named"}}
    first = describe(tmp_path, online)
    fetch_experiment(load_experiment(first), first, tmp_path / "carried", offline=[])
    second = describe(tmp_path, online, datasets=all_rows)
    fetched = fetch_experiment(load_experiment(second), second, tmp_path / "carried", offline=[])
    assert "owner/named/train-00001-of-00002.jsonl" in fetched.files


def test_two_revisions_of_a_repository_are_refused(online, tmp_path):
    file = {"repo": "owner/named", "file": "train-00000-of-00002.jsonl", "revision": COMMIT}
    benchmarks = {"math500": {"source": "published", "file": file, "instruction": "none"}}
    path = describe(tmp_path, online, benchmarks=benchmarks)
    with pytest.raises(ConfigError, match=f"needs owner/named at main and at {COMMIT}"):
        fetch_experiment(load_experiment(path), path, tmp_path / "carried", offline=[])


def test_an_edit_in_the_folder_changes_no_file_of_the_user(online, fetch, tmp_path):
    path = describe(tmp_path, online)
    mine = {
        file: file.read_bytes() for file in (path, *path.parent.glob("*.py"), *path.parent.glob("*.jsonl"))
    }
    code, output = fetch(path, "--out", "carried")
    assert code == 0, output
    for file, content in mine.items():
        (copy,) = (tmp_path / "carried/experiments").rglob(file.name)
        with copy.open("ab") as opened:
            opened.write(b"edited")
        assert copy.read_bytes() != content
    assert all(file.read_bytes() == content for file, content in mine.items())


def test_a_file_named_by_an_absolute_path_is_reported(online, fetch, tmp_path):
    (tmp_path / "far.jsonl").write_bytes(rows("3+1?"))
    datasets = {"own": {"source": "file", "path": str(tmp_path / "far.jsonl")}}
    code, output = fetch(describe(tmp_path, online, datasets=datasets), "--out", "carried")
    assert (code, f"by a relative path: {tmp_path / 'far.jsonl'}" in output) == (0, True), output


@pytest.mark.parametrize("place", ["../prompt.py", "/elsewhere/prompt.py"])
def test_nothing_is_written_outside_the_folder(online, tmp_path, place):
    text = {
        "url": f"{online}/mirror/texts/prompt.py",
        "constant": "TEXT",
        "sha256": "0" * 64,
        "offline": place,
    }
    file = {"repo": "owner/tests", "file": "test.jsonl", "revision": "main"}
    benchmarks = {"math500": {"source": "published", "file": file, "instruction": text}}
    path = describe(tmp_path, online, benchmarks=benchmarks)
    with pytest.raises(ConfigError, match="must be a path below it"):
        fetch_experiment(load_experiment(path), path, tmp_path / "carried", offline=[])


def test_published_generations_are_copied_from_an_offline_folder(online, fetch, tmp_path):
    content = yaml.safe_load(find_experiment("d1-baselines").read_text())
    source, benchmark, length = content["generations"], content["benchmarks"][0], content["gen_lengths"][0]
    file = tmp_path / "published.yaml"
    content |= {"name": "published", "benchmarks": [benchmark], "gen_lengths": [length]}
    file.write_text(yaml.safe_dump(content))
    name = source["pattern"].format(benchmark=benchmark, gen_length=length, shard=0)
    (tmp_path / "copies" / source["folder"]).mkdir(parents=True)
    (tmp_path / "copies" / source["folder"] / name).write_text("{}")
    assert fetch(file, "--out", "carried", "--offline", "copies")[0] == 0
    assert (tmp_path / "carried" / source["folder"] / name).read_text() == "{}"
    shutil.rmtree(tmp_path / "copies")
    assert fetch(file, "--out", "carried")[0] == 0


def test_a_model_without_its_instruction_text_is_not_downloaded(hub, online, tmp_path):
    hub.mirror["texts/prompt.py"] = b'TEXT = "Another text."\n'
    file = describe(tmp_path, online)
    with pytest.raises(DataError, match=r"TEXT in .* must have sha256"):
        fetch_experiment(load_experiment(file), file, tmp_path / "carried", offline=[])
    assert hub.fetched("model.safetensors") == []
    assert not (tmp_path / "carried/texts/prompt.py").exists()


@pytest.mark.parametrize(
    "arguments", [[], ["tiny"], ["tiny", "--check", "x"], ["--check", "x", "--out", "y"]]
)
def test_options_that_do_not_fit_together(fetch, tmp_path, monkeypatch, arguments):
    monkeypatch.chdir(tmp_path)
    code, output = fetch(*arguments)
    assert (code, "--out" in output) == (2, True)


def test_an_experiment_that_needs_no_file_gives_a_folder_with_its_file(online, fetch, hub):
    code, output = fetch("tiny", "--out", "carried")
    assert code == 0, output
    assert hub.requests == []
    assert Path("carried/experiments/tiny.yaml").is_file()
