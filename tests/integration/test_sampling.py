"""Sampling through the command line with the shipped base model: killed, resumed, sharded, merged."""

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from peft import LoraConfig, get_peft_model
from typer.testing import CliRunner

from weft.cli import app
from weft.cli.shared import load_for_sampling
from weft.config.sources import GeneratedBenchmark
from weft.data.questions import generate_questions
from weft.layout import provenance_file
from weft.model import load_model, merge_adapter
from weft.records.files import read_lines, write_lines
from weft.sampling.stored import StoredAnswer

NUM_QUESTIONS = 60


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with an experiment of small batches and with questions."""
    folder = tmp_path_factory.mktemp("sampling")
    content = yaml.safe_load(Path("experiments/tiny.yaml").read_text())
    content["sampling"] |= {"batch_size": 4, "temperature": 0.5, "seed": 3}
    (folder / "tiny.yaml").write_text(yaml.safe_dump(content))
    write_questions("gsm8k", NUM_QUESTIONS, folder / "questions.jsonl")
    return folder


def write_questions(benchmark, num_examples, out):
    source = GeneratedBenchmark(source="generated", num_examples=num_examples, seed=23)
    write_lines(out, generate_questions(benchmark, source))


def arguments(place, out, *more, run="base"):
    settings = ["--experiment", place / "tiny.yaml", "--run", run, "--gen-length", "32"]
    files = ["--base", "experiments/tiny-base", "--questions", place / "questions.jsonl", "--out", out]
    return ["sample", *map(str, [*settings, *files, *more])]


@pytest.fixture(scope="module")
def whole(place):
    """The file of one job that nothing disturbs."""
    result = CliRunner().invoke(app, arguments(place, place / "whole.jsonl"))
    assert result.exit_code == 0, result.output
    return (place / "whole.jsonl").read_bytes()


KILLED = """
import os, signal, sys
from weft.cli import app
from weft.sampling.files import GenerationWriter

append = GenerationWriter.append

def append_and_die(writer, record):
    append(writer, record)
    if len(writer.done) == 5:
        os.kill(os.getpid(), signal.SIGKILL)

GenerationWriter.append = append_and_die
app(sys.argv[1:])
"""


def test_a_killed_job_resumes_to_the_same_bytes(place, whole, tmp_path):
    out = tmp_path / "out.jsonl"
    command = arguments(place, out)
    killed = subprocess.run([sys.executable, "-c", KILLED, *command], capture_output=True, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert not out.exists()
    (store,) = tmp_path.glob(".out.jsonl.*.answers")
    assert store.read_bytes().count(b"\n") == 5
    with store.open("ab") as file:
        file.write(b'{"example_id": "to')
    again = subprocess.run(
        [sys.executable, "-m", "weft", *command], capture_output=True, text=True, check=False
    )
    assert again.returncode == 0, again.stderr
    assert f" 5/{NUM_QUESTIONS} " in again.stderr, "answers of the killed job count as progress"
    assert out.read_bytes() == whole
    assert sorted(path.name for path in tmp_path.iterdir() if path.suffix != ".lock") == [
        store.name, "out.jsonl", "out.jsonl.provenance.json"
    ]  # fmt: skip


def test_one_call_answers_several_benchmarks_at_several_lengths(place, whole, tmp_path, monkeypatch):
    """A finished file is restored with its provenance, and a changed one is answered again."""
    write_questions("sudoku", 4, tmp_path / "sudoku.jsonl")
    more = ["--questions", tmp_path / "sudoku.jsonl", "--gen-length", "16"]

    def call(out):
        return CliRunner().invoke(app, arguments(place, out, *more))

    result = call(tmp_path / "{benchmark}.jsonl")
    assert "--out must contain {benchmark} for several" in str(result.exception)
    names = [f"{name}/{length}.jsonl" for name in ("questions", "sudoku") for length in (16, 32)]
    out = tmp_path / "samples/{benchmark}/{gen_length}.jsonl"
    loaded = []
    monkeypatch.setattr(
        "weft.cli.sample.load_for_sampling",
        lambda *args, **options: loaded.append(1) or load_for_sampling(*args, **options),
    )
    answers = []
    for num_loads in (1, 1):
        result = call(out)
        assert result.exit_code == 0, result.output
        assert len(loaded) == num_loads, "one model for all files, and none to restore them"
        files = [tmp_path / "samples" / name for name in names]
        answers.append([file.read_bytes() for file in files])
        sidecars = [file.with_name(f"{file.name}.provenance.json").read_bytes() for file in files]
        for file in files:
            file.unlink()
    assert answers[0] == answers[1]
    assert answers[0][1] == whole
    write_questions("sudoku", 5, tmp_path / "sudoku.jsonl")
    assert call(out).exit_code == 0
    assert len(loaded) == 2
    assert [file.read_bytes() for file in files][:2] == answers[0][:2]
    assert [len(file.read_text().splitlines()) for file in files] == [NUM_QUESTIONS] * 2 + [5] * 2
    again = [file.with_name(f"{file.name}.provenance.json").read_bytes() for file in files]
    assert again[:2] == sidecars[:2]
    assert again[2] != sidecars[2]
    assert len(list((tmp_path / "samples").rglob(".*.answers"))) == 4, "one store for each file"


def test_a_changed_file_is_written_again_and_no_provenance_is_written_for_the_change(place, whole, tmp_path):
    out = tmp_path / "out.jsonl"
    sidecar, command = provenance_file(out), arguments(place, out)
    assert CliRunner().invoke(app, command).exit_code == 0
    before = sidecar.read_bytes()
    changed = whole.replace(b'"generation": "', b'"generation": "forged ', 1)
    out.write_bytes(changed)
    assert CliRunner().invoke(app, command).exit_code == 0
    assert (out.read_bytes(), sidecar.read_bytes()) == (whole, before)
    (store,) = tmp_path.glob(".out.jsonl.*.answers")
    stored = store.read_bytes()
    store.write_bytes(stored.replace(b'"generation": "', b'"generation": "forged ', 1))
    out.unlink()
    assert CliRunner().invoke(app, command).exit_code == 0, "the forged answer is sampled again"
    assert (out.read_bytes(), sidecar.read_bytes()) == (whole, before)
    answers = read_lines(store, StoredAnswer)
    forged = answers[0].answer().model_copy(update={"generation": "forged"})
    write_lines(store, [StoredAnswer.seal(forged, None), *answers[1:]])
    out.unlink()
    result = CliRunner().invoke(app, command)
    assert "expected the answers whose SHA-256 is in out.jsonl.provenance.json" in str(result.exception)
    assert sidecar.read_bytes() == before


@pytest.mark.parametrize("count", [1, 2, 3])
def test_ranks_answer_a_share_each_and_merge_to_the_same_bytes(place, whole, tmp_path, monkeypatch, count):
    monkeypatch.setenv("SLURM_NTASKS", str(count))
    out = tmp_path / "{shard}of{shards}.jsonl"
    for rank in range(count):
        monkeypatch.setenv("SLURM_PROCID", str(rank))
        result = CliRunner().invoke(app, arguments(place, out, "--shard", "auto"))
        assert result.exit_code == 0, result.output
    parts = [tmp_path / f"{number}of{count}.jsonl" for number in range(1, count + 1)]
    questions, merged = place / "questions.jsonl", tmp_path / "merged.jsonl"
    result = CliRunner().invoke(
        app, ["merge", "--questions", str(questions), "--out", str(merged), *map(str, reversed(parts))]
    )
    assert result.exit_code == 0, result.output
    assert merged.read_bytes() == whole
    sidecar = json.loads((tmp_path / "merged.jsonl.provenance.json").read_text())
    assert str(questions) in sidecar["inputs"]
    assert len(sidecar["parts"]) == count


def test_ranks_that_are_not_asked_to_share_say_so(place, whole, tmp_path, monkeypatch):
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    result = CliRunner().invoke(app, arguments(place, tmp_path / "out.jsonl"))
    assert "rank 2/2 answers all questions; --shard auto would divide them" in result.output
    assert f"{NUM_QUESTIONS} answers, " in result.output, "what the work was is told"
    assert (tmp_path / "out.jsonl").read_bytes() == whole


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning")
def test_adapters_are_merged_where_the_experiment_says_so(place, tmp_path, monkeypatch):
    merged = []

    def merge(model):
        merged.append(model)
        return merge_adapter(model)

    monkeypatch.setattr("weft.model.merge_adapter", merge)
    config = LoraConfig(r=8, lora_alpha=16, target_modules=["q_proj", "v_proj", "up_proj"])
    get_peft_model(load_model("experiments/tiny-base"), config).save_pretrained(tmp_path / "adapter")
    shutil.copy(place / "questions.jsonl", tmp_path)
    for is_merged in (False, True):
        content = yaml.safe_load((place / "tiny.yaml").read_text())
        content["sampling"]["merge_adapters"] = is_merged
        (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(content))
        more = ["--adapter", tmp_path / "adapter", "--shard", "1/3"]
        out = tmp_path / f"{is_merged}.jsonl"
        result = CliRunner().invoke(app, arguments(tmp_path, out, *more, run="weft-worked-seed1"))
        assert result.exit_code == 0, result.output
        assert len(merged) == is_merged


@pytest.mark.slow
def test_ranks_of_torchrun_share_the_questions(place, whole, tmp_path):
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command = [
        *launcher,
        "-m",
        "--",
        "weft",
        *arguments(place, tmp_path / "{shard}.jsonl", "--shard", "auto"),
    ]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert result.returncode == 0, result.stderr
    parts = [json.loads(line) for n in (1, 2) for line in (tmp_path / f"{n}.jsonl").read_text().splitlines()]
    expected = [json.loads(line) for line in whole.decode().splitlines()]
    assert parts == expected[0::2] + expected[1::2]
