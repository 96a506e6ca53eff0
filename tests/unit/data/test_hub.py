"""The real client of the hub against a server on this machine, through the command line."""

import hashlib
import json
import os
import random
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import huggingface_hub
import pyarrow as pa
import pyarrow.parquet
import pytest
import yaml

from tests.support.hub import COMMIT, NEXT_COMMIT, Hub, point_client, serve
from weft.__main__ import main
from weft.config.sources import HubFile, HubModel
from weft.data.hub import cached_commit, fetch_hub_file, fetch_hub_model
from weft.errors import DataError


def rows(*questions):
    lines = ({"question": q, "thinking_trajectories": ["so"], "attempt": "4"} for q in questions)
    return "".join(json.dumps(line) + "\n" for line in lines).encode()


GOOD, OTHER = rows("2+2?", "1+3?"), rows("5-1?")
SHA256 = hashlib.sha256(GOOD).hexdigest()
TINY_BASE = Path("experiments/tiny-base")


@pytest.fixture
def hub():
    hub = Hub()
    hub.put("datasets/owner/set", "train.jsonl", GOOD)
    return hub


@pytest.fixture
def address(hub):
    with serve(hub) as address:
        yield address


@pytest.fixture
def online(address, tmp_path, monkeypatch):
    """Point the client, which has read its environment already, to the server and to an empty cache."""

    def ask(address):
        point_client(monkeypatch, address, tmp_path / "cache")

    ask(address)
    return ask


@pytest.fixture
def describe(tmp_path):
    """Write an experiment whose data set and model come from the hub."""

    def write(*, model=None, **file):
        content = yaml.safe_load(Path("experiments/tiny.yaml").read_text())
        file = {"repo": "owner/set", "file": "train.jsonl", "revision": "main"} | file
        content |= {"name": "mine", "caption": "Mine."}
        content["datasets"] = {
            "set": {
                "source": "hub",
                "files": [file],
                "question": "question",
                "trajectory": "thinking_trajectories",
                "attempt": "attempt",
                "instruction": "none",
            }
        }
        content["base_model"] = {"source": "hub", "repo": "owner/model", "revision": "main"} | (model or {})
        (tmp_path / "mine.yaml").write_text(yaml.safe_dump(content))

    write()
    return write


@pytest.fixture
def weft(tmp_path, monkeypatch, capsys):
    """Run a data command in this process; return its exit code and its output."""

    def run(*arguments):
        options = ["--experiment", str(tmp_path / "mine.yaml"), "--offline", str(tmp_path / "offline")]
        monkeypatch.setattr(
            sys, "argv", ["weft", "data", *arguments, *options, "--out", str(tmp_path / "out")]
        )
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        return ended.value.code or 0, printed.out + printed.err

    return run


@pytest.fixture
def lock(tmp_path):
    return tmp_path / "mine.lock.json"


@pytest.fixture
def _no_pauses(monkeypatch):
    monkeypatch.setattr(time, "sleep", lambda _: None)


def test_the_first_use_of_a_branch_pins_commit_and_hash(online, describe, weft, lock, tmp_path):
    code, output = weft("dataset", "set")
    assert (code, output) == (0, f"set: 2 examples -> {tmp_path / 'out'}\n")
    pinned = {"commit": COMMIT, "files": {"train.jsonl": SHA256}}
    assert json.loads(lock.read_text()) == {"datasets/owner/set@main": pinned}
    used = json.loads((tmp_path / "out.provenance.json").read_text())["files"]
    assert used == [{"file": "train.jsonl", "commit": COMMIT, "sha256": SHA256}]


def test_later_uses_take_the_pinned_commit_although_the_branch_moved(hub, online, describe, weft, tmp_path):
    weft("dataset", "set")
    first = (tmp_path / "out").read_bytes()
    hub.put("datasets/owner/set", "train.jsonl", OTHER, commit=NEXT_COMMIT)
    (tmp_path / "cache").rename(tmp_path / "old cache")
    assert weft("dataset", "set")[0] == 0
    assert (tmp_path / "out").read_bytes() == first
    assert f"/datasets/owner/set/resolve/{COMMIT}/train.jsonl" in hub.requests[-1][1]


def test_without_its_lock_file_the_branch_is_followed(hub, online, describe, weft, lock, tmp_path):
    weft("dataset", "set")
    hub.put("datasets/owner/set", "train.jsonl", OTHER, commit=NEXT_COMMIT)
    lock.unlink()
    weft("dataset", "set")
    assert json.loads(lock.read_text())["datasets/owner/set@main"]["commit"] == NEXT_COMMIT


def test_content_that_differs_from_the_pinned_hash_is_refused(hub, online, describe, weft, lock, tmp_path):
    weft("dataset", "set")
    (tmp_path / "out").unlink()
    pinned = lock.read_bytes()
    hub.put("datasets/owner/set", "train.jsonl", OTHER)  # history rewritten under the same commit
    (tmp_path / "cache").rename(tmp_path / "old cache")
    code, output = weft("dataset", "set")
    assert code == 2
    assert f"train.jsonl, as pinned in {lock}, must have sha256 {SHA256}, got " in output
    assert not (tmp_path / "out").exists()
    assert lock.read_bytes() == pinned


def test_an_offline_copy_is_checked_against_the_pinned_hash(online, describe, weft, tmp_path):
    weft("dataset", "set")
    copy = tmp_path / "offline" / "owner" / "set"
    copy.mkdir(parents=True)
    (copy / "train.jsonl").write_bytes(OTHER)
    assert "as pinned in" in weft("dataset", "set")[1]
    (copy / "train.jsonl").write_bytes(GOOD)
    assert weft("dataset", "set")[0] == 0


def test_the_first_use_of_an_offline_copy_pins_its_hash(hub, online, describe, weft, lock, tmp_path):
    online("http://127.0.0.1:9")
    copy = tmp_path / "offline" / "owner" / "set"
    copy.mkdir(parents=True)
    (copy / "train.jsonl").write_bytes(GOOD)
    assert weft("dataset", "set")[0] == 0
    pinned = {"commit": None, "files": {"train.jsonl": SHA256}}
    assert json.loads(lock.read_text()) == {"datasets/owner/set@main": pinned}
    (copy / "train.jsonl").write_bytes(OTHER)
    assert "as pinned in" in weft("dataset", "set")[1]


def test_a_download_after_an_offline_copy_is_checked_and_adds_the_commit(
    hub, online, describe, weft, lock, tmp_path
):
    copy = tmp_path / "offline" / "owner" / "set"
    copy.mkdir(parents=True)
    (copy / "train.jsonl").write_bytes(OTHER)
    weft("dataset", "set")
    (tmp_path / "offline").rename(tmp_path / "away")
    assert "as pinned in" in weft("dataset", "set")[1]
    hub.put("datasets/owner/set", "train.jsonl", OTHER, commit=NEXT_COMMIT)
    assert weft("dataset", "set")[0] == 0
    assert json.loads(lock.read_text())["datasets/owner/set@main"]["commit"] == NEXT_COMMIT


def test_the_files_of_an_offline_model_are_pinned(online, describe, weft, lock, tmp_path):
    online("http://127.0.0.1:9")
    shutil.copytree(TINY_BASE, tmp_path / "offline/owner/model")
    assert weft("base")[0] == 0
    pinned = json.loads(lock.read_text())["models/owner/model@main"]
    assert pinned["commit"] is None
    assert pinned["files"].keys() == {file.name for file in (tmp_path / "out").iterdir()}
    config = tmp_path / "offline/owner/model/config.json"
    content = config.read_text()
    assert not (tmp_path / "out/config.json").samefile(config), "files of the user are copied"
    config.write_text(content + " ")
    assert "config.json, as pinned in" in weft("base")[1]


def test_a_hash_in_the_experiment_refuses_other_content_and_names_what_to_delete(
    hub, online, describe, weft, lock, tmp_path
):
    describe(sha256=SHA256)
    hub.put("datasets/owner/set", "train.jsonl", OTHER)
    code, output = weft("dataset", "set")
    assert code == 2
    assert re.search(
        rf"train.jsonl must have sha256 {SHA256}, got [0-9a-f]{{64}}; the file is damaged", output
    )
    assert not (tmp_path / "out").exists()
    assert not lock.exists()
    hub.put("datasets/owner/set", "train.jsonl", GOOD, commit=NEXT_COMMIT)
    Path(re.search(r"delete (\S+) and fetch it again", output)[1]).unlink()
    assert weft("dataset", "set")[0] == 0
    assert not lock.exists(), "a hash in the experiment needs no second one"


def test_a_damaged_copy_in_the_cache_is_fetched_again_once_deleted(hub, online, describe, weft):
    weft("dataset", "set")
    blob = huggingface_hub.hf_hub_download("owner/set", "train.jsonl", repo_type="dataset")
    Path(blob).resolve().write_bytes(GOOD[:-9])
    code, output = weft("dataset", "set")
    assert code == 2
    Path(re.search(r"delete (\S+) and fetch it again", output)[1]).unlink()
    assert weft("dataset", "set")[0] == 0
    assert hub.fetched("train.jsonl") == [None, None]


def test_content_with_another_hash_than_on_the_hub_is_refused(hub, online, describe, weft, lock):
    hub.promised["train.jsonl"] = "0" * 64
    code, output = weft("dataset", "set")
    assert code == 2
    assert re.search("train.jsonl, .* hub .*must have sha256 0000", output)
    assert not lock.exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"file": "absent.jsonl"},
            "absent.jsonl of data set owner/set at main .*no such file",
        ),
        ({"repo": "owner/absent"}, "data set owner/absent at main .*private: set HF_TOKEN"),
        ({"revision": "absent"}, "data set owner/set at absent .*no such revision"),
    ],
)
def test_a_missing_file_on_the_hub_is_named_without_a_retry(
    online, describe, weft, tmp_path, monkeypatch, changes, message
):
    monkeypatch.setattr(time, "sleep", lambda _: pytest.fail("a retry"))
    describe(**changes)
    code, output = weft("dataset", "set")
    assert code == 2
    assert re.match(f"weft: error: .*{message}.*; or put it at {tmp_path}/offline/owner/.*\n$", output)


def test_an_interrupted_download_resumes(hub, online):
    content = random.Random(1).randbytes(11_000_000)
    hub.put("datasets/owner/set", "large.bin", content)
    hub.cut_after = [10_800_000]
    path = fetch_hub_file(HubFile(repo="owner/set", file="large.bin", revision="main"), offline=[])
    assert hub.fetched("large.bin") == [None, "bytes=10485760-"]  # the client writes in pieces of 10 MiB
    assert path.read_bytes() == content


@pytest.mark.usefixtures("_no_pauses")
def test_a_connection_that_always_breaks_is_given_up(hub, online, describe, weft, lock, tmp_path):
    hub.cut_after = [20] * 50
    code, output = weft("dataset", "set")
    assert code == 2
    assert "train.jsonl of data set owner/set at main cannot be downloaded (RemoteProtocolError" in output
    assert len(hub.fetched("train.jsonl")) == 6
    assert not lock.exists()
    assert not list((tmp_path / "cache").rglob("train.jsonl"))
    assert not list((tmp_path / "cache").rglob("*.incomplete"))


@pytest.mark.usefixtures("_no_pauses")
def test_a_hub_that_does_not_answer_is_an_error_with_the_reason(online, describe, weft):
    online("http://127.0.0.1:9")
    code, output = weft("dataset", "set")
    assert code == 2
    assert re.search(
        r"cannot be downloaded \(ConnectError: .*Connection refused.*\); .*/offline/owner/set/train.jsonl",
        output,
    )


@pytest.mark.parametrize("name", ["train.jsonl", "train.parquet"])
def test_garbage_is_refused_and_not_pinned(hub, online, describe, weft, lock, tmp_path, name):
    describe(file=name)
    hub.put("datasets/owner/set", name, b"<html>Please log in</html>")
    code, output = weft("dataset", "set")
    assert code == 2
    assert name in output
    assert not lock.exists()
    assert not (tmp_path / "out").exists()
    good = tmp_path / "good.parquet"
    pyarrow.parquet.write_table(pa.Table.from_pylist([json.loads(line) for line in GOOD.splitlines()]), good)
    content = GOOD if name == "train.jsonl" else good.read_bytes()
    hub.put("datasets/owner/set", name, content)
    Path(re.search(r"delete (\S+) and fetch it again", output)[1]).unlink()
    assert weft("dataset", "set") == (0, f"set: 2 examples -> {tmp_path / 'out'}\n")


@pytest.fixture
def model_on_hub(hub):
    for file in TINY_BASE.iterdir():
        hub.put("owner/model", file.name, file.read_bytes())
    hub.put("owner/model", "modeling_llada.py", b"raise SystemExit('run')")
    hub.put("owner/model", "pytorch_model.bin", b"pickle")


def test_a_model_is_fetched_without_code_and_pinned(
    hub, online, describe, weft, lock, tmp_path, model_on_hub
):
    code, output = weft("base")
    assert code == 0, output
    names = {file.name for file in (tmp_path / "out").iterdir()}
    assert names == {file.name for file in TINY_BASE.iterdir()} - {"README.md"}
    for name in ("modeling_llada.py", "pytorch_model.bin"):
        assert hub.fetched(name) == []
    pinned = json.loads(lock.read_text())["models/owner/model@main"]
    assert pinned["commit"] == COMMIT
    weights = (TINY_BASE / "model.safetensors").read_bytes()
    assert pinned["files"]["model.safetensors"] == hashlib.sha256(weights).hexdigest()
    assert pinned["files"].keys() == names


def test_a_model_of_an_evaluation_is_fetched_with_its_merges_and_pinned(
    hub, online, weft, lock, tmp_path, model_on_hub
):
    hub.put("owner/model", "merges.txt", b"a b\n")  # without which Dream's tokenizer cannot be loaded
    tiny = yaml.safe_load(Path("experiments/tiny.yaml").read_text())
    content = {"name": "mine", "kind": "evaluation", "title": "Models", "caption": "Models."}
    content |= {key: tiny[key] for key in ("benchmarks", "sampling", "scoring", "statistics")}
    content["models"] = {"one": {"source": "hub", "repo": "owner/model", "revision": "main"}}
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(content))
    code, output = weft("model", "one")
    assert code == 0, output
    assert (tmp_path / "out/merges.txt").read_bytes() == b"a b\n"
    pinned = json.loads(lock.read_text())["models/owner/model@main"]
    assert {"merges.txt", "model.safetensors"} <= pinned["files"].keys()
    recorded = json.loads((tmp_path / "out.provenance.json").read_text())
    assert (recorded["source"]["repo"], recorded["commit_used"]) == ("owner/model", COMMIT)


def test_code_that_somebody_else_put_into_the_cache_is_not_copied(
    hub, online, describe, weft, tmp_path, model_on_hub
):
    huggingface_hub.snapshot_download("owner/model")
    assert weft("base")[0] == 0
    assert not list((tmp_path / "out").glob("*.py")) + list((tmp_path / "out").glob("*.bin"))


def test_a_model_file_that_changed_since_is_refused(
    hub, online, describe, weft, lock, tmp_path, model_on_hub
):
    weft("base")
    hub.put("owner/model", "tokenizer_config.json", b"{}")
    (tmp_path / "cache").rename(tmp_path / "old cache")
    code, output = weft("base")
    assert code == 2
    assert f"tokenizer_config.json, as pinned in {lock}, must have sha256" in output


def test_a_hash_in_the_experiment_takes_precedence_over_the_lock_file(
    hub, online, describe, weft, lock, tmp_path, model_on_hub
):
    config = hashlib.sha256((TINY_BASE / "config.json").read_bytes()).hexdigest()
    describe(model={"sha256": {"config.json": config}})
    assert weft("base")[0] == 0
    assert "config.json" not in json.loads(lock.read_text())["models/owner/model@main"]["files"]
    describe(model={"sha256": {"config.json": "0" * 64}})
    code, output = weft("base")
    assert code == 2
    assert re.search(r"config.json must have sha256 0000.*delete \S+/blobs/\w+ and fetch it again", output)
    describe(model={"sha256": {"absent.json": config}})
    assert "absent.json must have sha256" in weft("base")[1]


@pytest.mark.parametrize("name", ["tokenizer.json", "absent.json"])
def test_a_wrong_tokenizer_is_found_before_the_weights_are_downloaded(
    hub, online, describe, weft, model_on_hub, name
):
    describe(model={"sha256": {name: "0" * 64}})
    assert f"{name} must have sha256 0000" in weft("base")[1]
    assert hub.fetched("tokenizer.json") == [None]
    assert hub.fetched("model.safetensors") == []
    describe()
    assert weft("base")[0] == 0
    assert hub.fetched("tokenizer.json") == hub.fetched("model.safetensors") == [None]


def test_weights_are_those_of_the_commit_of_the_tokenizer(
    hub, online, describe, weft, lock, model_on_hub, monkeypatch
):
    """The branch moves between the two downloads."""
    original = huggingface_hub.snapshot_download
    new = dict(hub.files["owner/model"][COMMIT])

    def download(*arguments, **options):
        folder = original(*arguments, **options)
        for name, content in new.items():
            hub.put("owner/model", name, content, commit=NEXT_COMMIT)
        return folder

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    assert weft("base")[0] == 0
    assert json.loads(lock.read_text())["models/owner/model@main"]["commit"] == COMMIT


def test_large_files_come_from_their_storage_address_and_small_ones_have_the_hash_of_git(
    hub, online, describe, weft, lock, model_on_hub
):
    hub.stored_from = 100_000
    assert weft("base")[0] == 0
    files = [path for method, path, _ in hub.requests if method == "GET" and "/storage/" in path]
    assert [path.rpartition("/")[2] for path in files] == ["model.safetensors"]
    weights = (TINY_BASE / "model.safetensors").read_bytes()
    pinned = json.loads(lock.read_text())["models/owner/model@main"]["files"]
    assert pinned["model.safetensors"] == hashlib.sha256(weights).hexdigest()


def test_an_absent_model_is_named(online, describe, weft):
    code, output = weft("base")
    assert code == 2
    assert re.search("model owner/model at main cannot be downloaded: .*HF_TOKEN", output)


def test_the_command_line_reads_its_endpoint_from_the_environment(hub, address, describe, lock, tmp_path):
    """The only test in a fresh process: there the client reads HF_ENDPOINT and HF_HOME itself."""
    own = {"HF_ENDPOINT": address, "HF_HOME": str(tmp_path / "home"), "HF_HUB_OFFLINE": "0"}
    command = [sys.executable, "-m", "weft", "data", "dataset", "set", "--offline", str(tmp_path / "none")]
    files = ["--experiment", str(tmp_path / "mine.yaml"), "--out", str(tmp_path / "out")]
    done = subprocess.run(
        [*command, *files], env=os.environ | own, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(lock.read_text())["datasets/owner/set@main"]["commit"] == COMMIT
    assert hub.fetched("train.jsonl") == [None]


def test_a_malformed_lock_file_is_refused(online, describe, weft, lock):
    lock.write_text("[]")
    code, output = weft("dataset", "set")
    assert code == 2
    assert re.search(f"{lock} .*restore or delete it", output)


def test_an_offline_copy_needs_no_hub(online, tmp_path, describe):
    online("http://127.0.0.1:9")
    folder = tmp_path / "owner" / "set"
    folder.mkdir(parents=True)
    (folder / "x.jsonl").write_bytes(GOOD)
    source = HubFile(repo="owner/set", file="x.jsonl", revision="main", sha256=SHA256)
    assert fetch_hub_file(source, offline=[str(tmp_path)]) == folder / "x.jsonl"
    model = HubModel(source="hub", repo="owner/set", revision="r")
    assert fetch_hub_model(model, offline=[str(tmp_path)]) == folder
    (folder / "x.jsonl").write_bytes(OTHER)
    with pytest.raises(DataError, match=f"x.jsonl must have sha256 {SHA256}"):
        fetch_hub_file(source, offline=[str(tmp_path)])


def test_the_offline_mode_of_the_client_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    file = HubFile(repo="owner/set", file="data/x.parquet", revision="main")
    with pytest.raises(DataError, match=r"OfflineModeIsEnabled.*offline/owner/set/data/x.parquet"):
        fetch_hub_file(file, offline=["offline"])
    model = HubModel(source="hub", repo="owner/model", revision="main")
    with pytest.raises(DataError, match=r"model owner/model .*offline/owner/model"):
        fetch_hub_model(model, offline=["offline"])


def test_the_commit_is_read_from_the_path_in_the_cache():
    assert cached_commit(Path("cache/models--a--b/snapshots/0123abcd/config.json")) == "0123abcd"
    assert cached_commit(Path("offline/a/b/config.json")) is None


# Data sets by their name


def pairs(*questions):
    return "".join(json.dumps({"question": q, "answer": "4"}) + "\n" for q in questions).encode()


@pytest.fixture
def named(hub, describe, tmp_path):
    """Write an experiment with a data set of two splits and three files by its name."""
    for name, content in (
        ("data/train-0.jsonl", pairs("1+3?", "2+2?")),
        ("data/train-1.jsonl", pairs("5-1?")),
        ("data/test-0.jsonl", pairs("8/2?")),
        ("README.md", b"---\nlicense: mit\n---\n"),
        ("script.py", b"raise SystemExit"),
    ):
        hub.put("datasets/owner/named", name, content)

    def write(dataset="owner/named", **more):
        content = yaml.safe_load((tmp_path / "mine.yaml").read_text())
        content["datasets"] = {"set": {"source": "hub", "dataset": dataset, **more}}
        (tmp_path / "mine.yaml").write_text(yaml.safe_dump(content))

    write()
    return write


def examples(tmp_path):
    return [json.loads(line) for line in (tmp_path / "out").read_text().splitlines()]


def test_a_data_set_is_read_and_pinned_by_its_name(hub, online, named, weft, lock, tmp_path):
    code, output = weft("dataset", "set")
    assert code == 0
    assert "set: rows in the form question_answer: question, answer\n" in output
    assert "the first example, owner/named/data/train-0.jsonl, line 1:\n" in output
    assert [example["question"] for example in examples(tmp_path)] == ["1+3?", "2+2?", "5-1?"]
    assert examples(tmp_path)[2]["origin"] == "owner/named/data/train-1.jsonl, line 1"
    pin = json.loads(lock.read_text())["datasets/owner/named@main"]
    assert pin["commit"] == COMMIT
    assert list(pin["files"]) == ["data/train-0.jsonl", "data/train-1.jsonl"]
    hub.put("datasets/owner/named", "data/train-2.jsonl", pairs("0+4?"), commit=NEXT_COMMIT)
    (tmp_path / "cache").rename(tmp_path / "old cache")
    assert weft("dataset", "set")[0] == 0
    assert len(examples(tmp_path)) == 3
    assert not hub.fetched("script.py")


@pytest.mark.parametrize(
    ("options", "questions", "files"),
    [
        ({"dataset": "owner/named[train:1]"}, ["1+3?"], ["data/train-0.jsonl"]),
        ({"dataset": "owner/named[train[:2]]"}, ["1+3?", "2+2?"], ["data/train-0.jsonl"]),
        ({"split": "train[2:]"}, ["5-1?"], ["data/train-0.jsonl", "data/train-1.jsonl"]),
        ({"split": "train[:34%]"}, ["1+3?"], ["data/train-0.jsonl", "data/train-1.jsonl"]),
        ({"num_examples": 2}, ["1+3?", "2+2?"], ["data/train-0.jsonl"]),
        ({"split": "test"}, ["8/2?"], ["data/test-0.jsonl"]),
    ],
)
def test_only_the_files_of_the_rows_are_downloaded(
    hub, online, named, weft, lock, tmp_path, options, questions, files
):
    named(**options)
    assert weft("dataset", "set")[0] == 0
    assert [example["question"] for example in examples(tmp_path)] == questions
    assert list(json.loads(lock.read_text())["datasets/owner/named@main"]["files"]) == files
    assert [name for name in hub.files["datasets/owner/named"][COMMIT] if hub.fetched(name)] == [
        *files,
        "README.md",
    ]


def test_pinned_files_in_the_cache_need_no_hub(online, named, weft, lock, tmp_path):
    assert weft("dataset", "set")[0] == 0
    first = (tmp_path / "out").read_bytes()
    online("http://127.0.0.1:9")
    assert weft("dataset", "set")[0] == 0
    assert (tmp_path / "out").read_bytes() == first
    lock.unlink()
    code, output = weft("dataset", "set")
    assert code == 2
    assert "data set owner/named at main cannot be downloaded" in output


def test_a_data_set_in_an_offline_folder_is_found_by_its_name(named, weft, tmp_path):
    folder = tmp_path / "offline/owner/named"
    folder.mkdir(parents=True)
    (folder / "train.csv").write_text("question,answer\n2+2?,4\n")
    named("owner/named[train:1]")
    assert weft("dataset", "set")[0] == 0
    assert examples(tmp_path)[0]["origin"] == "owner/named/train.csv, line 2"
    named(sha256={"train.csv": "0" * 64})
    assert "train.csv must have sha256 000" in weft("dataset", "set")[1]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"dataset": "owner/nothing"},
            "data set owner/nothing at main cannot be downloaded: the repository does",
        ),
        ({"revision": "v9"}, "has no such revision"),
        ({"split": "dev"}, "data set owner/named: split must be one of ['test', 'train'], got dev"),
        ({"config": "main"}, "config must be left out"),
        ({"dataset": "owner/named[train:4]"}, "data set owner/named: split expected at least 4 rows, got 3"),
        ({"num_examples": 4}, "datasets.set.num_examples must be at most"),
        (
            {"columns": {"answer": "solution"}},
            "train-0.jsonl, line 1: columns.answer must be the name of a column",
        ),
    ],
)
def test_what_a_data_set_does_not_have_is_named(online, named, weft, lock, options, message):
    named(**options)
    code, output = weft("dataset", "set")
    assert code == 2
    assert message in output.replace("\n", " ")
    assert not lock.exists()
