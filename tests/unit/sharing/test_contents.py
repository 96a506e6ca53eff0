import gzip
import json

import pytest

from tests.support.finished import REPOSITORY, finish, write_experiment
from weft.config import load_experiment
from weft.sharing.contents import find_machine_texts, list_contents, relative_name

TINY = REPOSITORY / "experiments/tiny.yaml"
HUB_BASE = {"source": "hub", "repo": "owner/base", "revision": "main"}
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def layout(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return finish(tmp_path)


def contents(layout, file=TINY, weights="adapters"):
    return list_contents(layout.root, load_experiment(file), file, weights=weights)


def names(members):
    return {member.name for member in members}


def test_results_workflow_and_experiment_are_packed_without_logs_and_hidden_files(layout):
    packed = contents(layout)
    assert names(packed.results) == {
        "results/tiny/base/config.json",
        "results/tiny/base/model.safetensors",
        "results/tiny/base.provenance.json",
        "results/tiny/data/questions/sudoku.jsonl",
        "results/tiny/data/questions/sudoku.jsonl.provenance.json",
        "results/tiny/runs/sft-worked-seed1/adapter_config.json",
        "results/tiny/runs/sft-worked-seed1/adapter_model.safetensors",
        "results/tiny/runs/sft-worked-seed1/history.jsonl",
        "results/tiny/runs/sft-worked-seed1.provenance.json",
        "results/tiny/samples/sft-worked-seed1/sudoku/32.jsonl",
        "results/tiny/samples/sft-worked-seed1/sudoku/32.jsonl.provenance.json",
        "results/tiny/scores/strict/sft-worked-seed1/sudoku/32.jsonl",
        "results/tiny/scores/strict/sft-worked-seed1/sudoku/32.jsonl.provenance.json",
        "results/tiny/report/index.html",
        "results/tiny/report/index.html.provenance.json",
    }
    assert names(packed.inputs) == {"experiments/tiny.yaml"}
    expected = {
        "Snakefile",
        "workflow/Snakefile",
        "workflow/rules/train.smk",
        "envs/weft.lock.txt",
        "LICENSE",
    }
    expected |= {"CITATION.cff", "config.yaml", "docs/deviations.md", "weft/__init__.py"}
    expected |= {"weft/report/templates/index.html.j2"}
    assert expected <= names(packed.workflow)
    assert not [name for name in names(packed.workflow) if "__pycache__" in name or "/." in name]
    assert packed.left_out == ()


def test_weights_of_a_model_of_the_hub_are_named_by_address_and_hash(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    file = write_experiment(tmp_path, base_model=HUB_BASE)
    layout = finish(tmp_path, file)
    weights = "results/mine/base/model.safetensors"
    sha256 = {member.name: member.sha256 for member in contents(layout, file, "all").results}[weights]
    for commit in ("main", COMMIT):
        packed = contents(layout, file)
        assert weights not in names(packed.results)
        assert "results/mine/runs/sft-worked-seed1/adapter_model.safetensors" in names(packed.results)
        (left_out,) = packed.left_out
        assert (left_out.name, left_out.size, left_out.sha256) == (weights, 25, sha256)
        assert left_out.address == f"https://huggingface.co/owner/base/resolve/{commit}/model.safetensors"
        pin = {"commit": COMMIT, "files": {"model.safetensors": sha256}}
        (tmp_path / "mine.lock.json").write_text(json.dumps({"models/owner/base@main": pin}))
    assert "experiments/mine.lock.json" in names(contents(layout, file).inputs)
    assert {"experiments/mine.yaml", "experiments/tiny.yaml"} <= names(contents(layout, file).inputs)


def test_without_weights(layout):
    packed = contents(layout, weights="none")
    assert not [name for name in names(packed.results) if name.endswith(".safetensors")]
    assert [file.address for file in packed.left_out] == [None, None]


def test_a_custom_benchmark_is_packed_where_the_packed_experiment_finds_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/beside.py").touch()
    (tmp_path / "here.py").touch()
    (tmp_path / "else.py").touch()
    paths = {"a": "beside.py", "b": "here.py", "c": str(tmp_path / "else.py")}
    custom = {name: {"source": "custom", "path": path} for name, path in paths.items()}
    file = write_experiment(tmp_path / "mine", benchmarks=custom, learning_curve=None)
    layout = finish(tmp_path, file)
    packed = names(contents(layout, file).inputs)
    assert {"experiments/beside.py", "here.py", "experiments/else.py"} <= packed


def test_paths_of_this_machine_in_provenance_files_are_replaced(layout):
    file = layout.root / "report/index.html.provenance.json"
    value = json.loads(file.read_text())
    value["inputs"] = {"/srv/jane/weft/docs/deviations.md": "0", "/srv/jane/questions.csv": "1"}
    file.write_text(json.dumps(value))
    (packed,) = [member for member in contents(layout).results if member.name == str(file)]
    assert json.loads(packed.content)["inputs"] == {"docs/deviations.md": "0", "outside/questions.csv": "1"}


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("/a/b/results/tiny/base", "results/tiny/base"),
        ("/a/base/config.json", "outside/config.json"),
        ("results/tiny", "results/tiny"),
        ("/", "/"),
        ("an answer\n/with/lines", "an answer\n/with/lines"),
    ],
)
def test_names_in_the_archive(text, name):
    assert relative_name(text, ["results/tiny/base/config.json"]) == name


def test_texts_of_the_machine_are_noticed_in_compressed_files(layout):
    (layout.root / "report/examples.jsonl.gz").write_bytes(gzip.compress(b'{"a": "/srv/jane/x"}'))
    (layout.root / "timings").mkdir()
    (layout.root / "timings/a.jsonl").write_text("/srv/jane/y")
    guilty = find_machine_texts(contents(layout).results, ["/srv/jane/", "/srv/john/"])
    assert guilty == ["results/tiny/report/examples.jsonl.gz", "results/tiny/timings/a.jsonl"]
    assert find_machine_texts(contents(layout).results, ["/srv/john/"]) == []
