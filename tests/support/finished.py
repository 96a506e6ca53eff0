"""A finished experiment of a few small files, with the provenance that the commands write."""

import json
import shutil
from pathlib import Path

from weft.config import load_experiment
from weft.layout import ResultLayout, provenance_file
from weft.provenance import write_provenance

REPOSITORY = Path(__file__).resolve().parents[2]


def write_result(layout, experiment, path, content, *, inputs=()):
    """Write a file of a result, or the files of a folder, and its provenance."""
    if isinstance(content, dict):
        for name, part in content.items():
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            (path / name).write_bytes(part)
    else:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    settings = experiment.model_dump(mode="json")
    write_provenance(path, settings=settings, experiment=experiment.name, inputs=inputs)


def finish(folder, file=REPOSITORY / "experiments/tiny.yaml"):
    """Write the results of an experiment below a folder, which must be the working directory."""
    experiment = load_experiment(file)
    layout = ResultLayout.of(experiment.name)
    questions, run = layout.questions("sudoku"), layout.run("sft-worked-seed1")
    samples, scores = (
        layout.samples(run.name, "sudoku", 32),
        layout.scores("strict", run.name, "sudoku", 32),
    )
    weights = {"config.json": b"{}\n", "model.safetensors": b"weights of the base model"}
    write_result(layout, experiment, layout.base, weights)
    write_result(layout, experiment, questions, b'{"question": "1+1"}\n')
    adapter = {"adapter_config.json": b"{}\n", "adapter_model.safetensors": b"weights of the adapter"}
    write_result(layout, experiment, run, adapter | {"history.jsonl": b"{}\n"}, inputs=[layout.base])
    write_result(layout, experiment, samples, b'{"generation": "2"}\n', inputs=[questions, layout.base, run])
    write_result(layout, experiment, scores, b'{"credit": 1.0}\n', inputs=[samples])
    write_result(layout, experiment, layout.page, b"<html>1.0</html>\n", inputs=[layout.all_scores])
    layout.log("train", run.name).parent.mkdir(parents=True)
    layout.log("train", run.name).write_text(f"training in {folder}\n")
    (layout.root / ".base.digests.json").touch()
    return layout


def write_experiment(folder, name="mine", **keys):
    """Write an experiment file that extends tiny, and return its path."""
    file = Path(folder) / f"{name}.yaml"
    file.write_text(json.dumps({"extends": "tiny.yaml", "name": name, **keys}))
    return file


def copy_results(layout, folder):
    """Copy the results elsewhere, and return the layout of the copy."""
    shutil.copytree(layout.root, folder)
    return ResultLayout(folder)


def forget(result):
    """Delete the provenance of a result."""
    provenance_file(result).unlink()
