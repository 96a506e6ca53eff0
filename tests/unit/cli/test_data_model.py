"""``weft data model``: the models of an evaluation are placed and checked."""

import json
import sys
from pathlib import Path

import pytest
import yaml

from weft.__main__ import main

TINY = Path("experiments/tiny-base")


@pytest.fixture
def place(tmp_path, monkeypatch, capsys):
    """Place the model of an evaluation; return the exit code and the output."""

    def run(model, *options, name="mine"):
        tiny = yaml.safe_load(Path("experiments/tiny.yaml").read_text())
        content = {"name": "models", "kind": "evaluation", "title": "Models", "caption": "Models."}
        content |= {key: tiny[key] for key in ("benchmarks", "sampling", "scoring", "statistics")}
        (tmp_path / "models.yaml").write_text(yaml.safe_dump(content | {"models": {name: model}}))
        given = ["--experiment", str(tmp_path / "models.yaml"), "--out", str(tmp_path / "out"), *options]
        monkeypatch.setattr(sys, "argv", ["weft", "data", "model", "mine", *given])
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        return ended.value.code or 0, printed.out + printed.err

    return run


@pytest.fixture
def adapter(tmp_path):
    """A folder with the configuration of an adapter and with what a run has beside it."""
    folder = tmp_path / "adapter"
    folder.mkdir()
    for name in ("adapter_config.json", "timing.json"):
        (folder / name).write_text("{}")
    return folder


def test_a_checkpoint_is_placed_with_its_provenance(place, tmp_path):
    code, output = place({"source": "path", "path": str(TINY)})
    assert (code, output) == (0, f"model {TINY} -> {tmp_path / 'out'}\n")
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= {
        path.name for path in (tmp_path / "out").iterdir()
    }
    recorded = json.loads((tmp_path / "out.provenance.json").read_text())
    assert recorded["source"] == {"source": "path", "path": str(TINY), "base": None}


def test_an_adapter_without_a_base_is_refused_with_the_key_to_add(place, adapter):
    code, output = place({"source": "path", "path": str(adapter)})
    assert code == 2
    assert f"models.mine must be a checkpoint, got the adapter {adapter}" in output
    assert "give its base model as models.mine.base" in output


def test_an_adapter_that_does_not_fit_its_base_is_refused(place, adapter, tmp_path):
    base = {"source": "path", "path": str(TINY)}
    code, output = place({"source": "path", "path": str(adapter), "base": base}, "--base", str(TINY))
    assert code == 2
    assert "adapter_config.json" in output
    assert not (tmp_path / "out").exists()
    assert place({"source": "path", "path": str(adapter), "base": base}, "--is-base")[0] == 0
    assert (tmp_path / "out/tokenizer.json").exists()


def test_options_that_do_not_fit_the_model_are_refused(place, adapter):
    base = {"source": "path", "path": str(TINY)}
    assert "--base must be given" in place({"source": "path", "path": str(adapter), "base": base})[1]
    assert "models.mine.base must be a source" in place({"source": "path", "path": str(TINY)}, "--is-base")[1]
    assert "the model" in place({"source": "path", "path": str(TINY)}, name="other")[1]
