"""Verifying a small results folder, written by hand: what holds, fails, is missing, or belongs to nothing."""

import json
import os
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.support.tampering import bless, edit, flip, remove, remove_with_provenance, swap
from weft.audit import verify_results
from weft.audit.tree import kind_of
from weft.cli import app
from weft.errors import DataError
from weft.layout import ResultLayout, provenance_file
from weft.provenance import write_provenance
from weft.records import CurvePoint, DataCheck, Generation, ScoredExample, StepMetrics, Timing
from weft.records.files import write_json, write_lines, write_text

RUN = "sft-worked-seed1"
IDS = ("a", "b", "c")
SCORES = {run: f"scores/d1/{run}/gsm8k/8.jsonl" for run in ("base", RUN)}
SAMPLES = {run: f"samples/{run}/gsm8k/8.jsonl" for run in ("base", RUN)}


def generation(name, run):
    return Generation(
        example_id=name, benchmark="gsm8k", question=name, reference="1", generation="1", model=f"small/{run}"
    )


def score(name, run):
    return ScoredExample(
        example_id=name, benchmark="gsm8k", rules="d1", extracted=run, verdict="correct", credit=1.0,
        weight=1, reason="",
    )  # fmt: skip


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Write the results of an experiment with a base model and a trained run."""
    folder, before = tmp_path_factory.mktemp("work"), Path.cwd()
    os.chdir(folder)  # the inputs of results are recorded as paths below results/
    try:
        write(ResultLayout.of("small"))
    finally:
        os.chdir(before)
    return folder / "results/small"


def write(layout):
    def record(result, *inputs, run=None, **more):
        notes = (more.pop("notes", {})) | ({"run": run} if run else {})
        write_provenance(result, settings={}, experiment="small", inputs=inputs, notes=notes, **more)

    ids = "".join(json.dumps({"example_id": name}) + "\n" for name in IDS)
    questions, examples = layout.questions("gsm8k"), layout.examples("worked")
    write_text(layout.base / "model.safetensors", "weights")
    write_text(layout.base / "config.json", "{}")
    record(layout.base)
    for file in (questions, layout.validation("gsm8k"), examples):
        write_text(file, ids)
        record(file)
    prepared, run_folder = layout.prepared("worked"), layout.run(RUN)
    summary = json.loads(SUMMARY)
    write_json(prepared / "summary.json", summary)
    write_text(prepared / "data.arrow", "tokens")
    record(prepared, examples, layout.base)
    counts = {"num_examples": 3, "num_questions": {"gsm8k": 3}, "num_with_test_question": 0}
    check = DataCheck(dataset="worked", longest_prompts={}, **counts)
    write_json(layout.check("worked"), check)
    record(layout.check("worked"), examples, questions, layout.base)
    write_text(layout.probe("worked"), "entropies")
    record(layout.probe("worked"), layout.base, prepared)
    write_text(run_folder / "adapter_model.safetensors", "adapter")
    steps = [
        StepMetrics(optimizer_step=step, epoch=step / 4, loss=1, learning_rate=1) for step in range(1, 5)
    ]
    write_lines(layout.history(RUN), steps)
    timing = Timing(seconds_per_step=1.0, num_steps=4, train_seconds=4.0, num_processes=1, device="cpu")
    write_json(layout.timing(RUN), timing)
    record(run_folder, layout.base, prepared, run=RUN)
    write_text(run_folder / ".snakemake_timestamp", "")
    answers = layout.curve(RUN).with_suffix("") / "4/gsm8k/8.jsonl"
    write_lines(answers, [generation(name, f"{RUN} after 4 steps") for name in IDS])
    from_run = (layout.validation("gsm8k"), layout.base, run_folder)
    record(layout.curve(RUN).with_suffix(""), *from_run, run=RUN, files=[answers])
    point = CurvePoint(benchmark="gsm8k", gen_length=8, optimizer_step=4, accuracy=1.0, num_questions=3)
    write_lines(layout.curve(RUN), [point])
    record(layout.curve(RUN), *from_run, layout.curve(RUN).with_suffix(""), run=RUN)
    for run, added in (("base", ()), (RUN, (run_folder,))):
        samples, scores = layout.samples(run, "gsm8k", 8), layout.scores("d1", run, "gsm8k", 8)
        write_lines(samples, [generation(name, run) for name in IDS])
        record(samples, questions, layout.base, *added, run=run)
        write_lines(scores, [score(name, run) for name in IDS])
        record(scores, samples, run=run)
    shown = [layout.scores("d1", run, "gsm8k", 8) for run in SCORES]
    shown += [layout.history(RUN), layout.timing(RUN), layout.curve(RUN), layout.probe("worked")]
    write_text(layout.table("headline"), "a,b\n1,2\n")
    record(layout.tables, *shown)
    write_text(layout.figure("accuracy"), "drawn")
    record(layout.figures, *shown)
    write_text(layout.log("score"), "a log")
    for file in (layout.all_answers, layout.verification):
        write_text(file, "{}")
        record(file, *shown)
    write_text(layout.page, "<html>")
    further = (layout.all_answers, layout.verification, layout.check("worked"), examples)
    record(layout.page, *shown, layout.tables, layout.figures, *further)


SUMMARY = """{"num_examples": 3, "mean_length": 1.0, "median_length": 1.0, "p95_length": 1.0, "max_length": 1,
"mean_prompt_length": 1.0, "median_prompt_length": 1.0, "max_prompt_length": 1, "length_limit": 8,
"num_tokens": 3, "num_tokens_cut": 0, "num_cut_off": 0, "share_tokens_cut": 0.0, "share_cut_off": 0.0,
"share_end_of_turn_cut_off": 0.0, "num_with_answer_tag": 3, "share_answer_tag_cut_off": 0.0, "num_heldout": 0,
"layout": "exact"}"""


@pytest.fixture
def root(written, tmp_path):
    """Copy the results elsewhere, under another name."""
    return Path(shutil.copytree(written, tmp_path / "copy"))


def findings(root, **options):
    return [finding for finding in verify_results(root, **options).findings if finding.status != "note"]


def names(root):
    """Results that are named, or that are inputs of the results that are named."""
    return [f"{finding.status} {finding.result}: {finding.text}" for finding in findings(root)]


def test_a_finished_experiment_verifies_wherever_it_lies(root, written):
    for folder in (written, root):
        outcome = verify_results(folder)
        assert outcome.holds
        assert not findings(folder)
    assert outcome.experiment == "small"
    assert outcome.kinds["scores"].num_results == 2
    assert outcome.num_results == 19
    assert outcome.num_checks > 100


BLESSED = [
    "base", "data/questions/gsm8k.jsonl", "data/validation/gsm8k.jsonl", "data/examples/worked.jsonl",
    "data/prepared/worked", f"runs/{RUN}", *SAMPLES.values(), *SCORES.values(), "checks/worked.json",
    "probe/worked.parquet", f"curves/{RUN}.jsonl", f"curves/{RUN}", "tables", "figures",
    "report/examples.jsonl.gz", "report/verification.json",
]  # fmt: skip
FILES = {
    "base": "model.safetensors", "data/prepared/worked": "data.arrow",
    f"runs/{RUN}": "adapter_model.safetensors", f"curves/{RUN}": "4/gsm8k/8.jsonl",
    "tables": "headline.csv", "figures": "accuracy.png",
}  # fmt: skip


@pytest.mark.parametrize("name", [*BLESSED, "report/index.html"])
@pytest.mark.parametrize("change", [flip, remove], ids=lambda change: change.__name__)
def test_a_changed_or_missing_file_is_named(root, name, change):
    file = "/".join(filter(None, [name, FILES.get(name)]))
    change(file)(root)
    assert any(name in line and file.removeprefix(f"{name}/") in line for line in names(root)), names(root)


@pytest.mark.parametrize("name", BLESSED)
def test_a_change_of_a_result_and_of_its_provenance_is_noticed_by_what_was_made_from_it(root, name):
    file = "/".join(filter(None, [name, FILES.get(name)]))
    bless(name, flip(file, position=-2 if file.endswith("json") else None))(root)
    assert any(f"its input {name} has another content" in line for line in names(root)), names(root)


@pytest.mark.parametrize("name", [*SCORES.values(), f"runs/{RUN}", "base"])
def test_a_result_that_is_missing_with_its_provenance_is_named(root, name):
    remove_with_provenance(name)(root)
    assert [finding.status for finding in findings(root) if finding.result == name] == ["missing"]


def test_results_of_another_run_are_named(root):
    swap(*SCORES.values(), with_provenance=True)(root)
    assert {finding.result for finding in findings(root)} >= set(SCORES.values())


def change_first(**values):
    return lambda lines: [json.dumps(json.loads(lines[0]) | values) + "\n", *lines[1:]]


@pytest.mark.parametrize(
    ("name", "file", "change", "message"),
    [
        (SCORES[RUN], "", change_first(verdict="wrong"), "line 1: record: expected a credit that fits"),
        (SCORES[RUN], "", lambda lines: lines[1:], "expected a line for each of the 3 lines of samples"),
        (SCORES[RUN], "", lambda lines: lines[::-1], "the same in another order"),
        (SCORES[RUN], "", change_first(benchmark="sudoku"), "expected scores of the benchmark gsm8k"),
        (SAMPLES[RUN], "", lambda lines: lines[:-1], "of the 3 lines of data/questions/gsm8k.jsonl, got 2"),
        (SAMPLES[RUN], "", change_first(model="small/base"), f"expected answers of small/{RUN}"),
        (f"runs/{RUN}", "history.jsonl", lambda lines: lines[:2], "expected 4 optimiser steps"),
        (f"runs/{RUN}", "history.jsonl", lambda lines: lines[1:], "expected the steps 1 to 3"),
        (f"curves/{RUN}.jsonl", "", change_first(num_questions=4), "expected 4 answers"),
        ("data/examples/worked.jsonl", "", lambda lines: lines[1:], "expected 3 lines in data/examples"),
        ("data/questions/gsm8k.jsonl", "", lambda lines: [*lines, '{"example_id": "d"}\n'], "got 4"),
    ],
)  # fmt: skip
def test_lines_are_counted_even_if_the_provenance_was_changed_too(root, name, file, change, message):
    bless(name, edit(f"{name}/{file}" if file else name, change))(root)
    assert any(message in line for line in names(root)), names(root)


def test_files_that_belong_to_nothing_are_named_and_are_no_fault(root):
    write_text(root / "notes.txt", "mine")
    (finding,) = findings(root)
    assert (finding.status, finding.result) == ("extra", "notes.txt")
    assert verify_results(root).holds


def test_a_file_added_to_a_folder_is_a_fault(root):
    write_text(root / "base/extra.safetensors", "more")
    assert any("files that are not part of it: extra.safetensors" in line for line in names(root))


def test_a_damaged_provenance_file_is_named(root):
    write_text(provenance_file(root / "probe/worked.parquet"), "{")
    assert any(
        line.startswith("fails probe/worked.parquet: its provenance file is damaged") for line in names(root)
    )


def rewrite(root, name, **values):
    file = provenance_file(root / name)
    write_json(file, json.loads(file.read_text()) | values)


def test_a_result_of_another_experiment_is_named(root):
    rewrite(root, SCORES["base"], experiment="other")
    assert any("a result of the experiment 'other', not of 'small'" in line for line in names(root))


def test_scores_by_different_scorers_are_a_fault_and_other_differences_of_the_source_are_notes(root):
    def notes():
        return [finding.text for finding in verify_results(root).findings if finding.status == "note"]

    code = json.loads(provenance_file(root / SCORES["base"]).read_text())["code"]
    assert not any("versions of the source" in text for text in notes())
    rewrite(root, SAMPLES["base"], code=code | {"sampling": "0"}, source_digest="0")
    assert any("made by 2 versions of the source" in text for text in notes())
    assert verify_results(root).holds
    rewrite(root, SCORES["base"], code=code | {"benchmarks": "0"})
    assert any("made by another version of weft.benchmarks than" in line for line in names(root))
    rewrite(root, SCORES[RUN], code=code | {"benchmarks": "0"})
    assert verify_results(root).holds, "all scores were made by the same scorers"
    assert "scores: made by another version of weft than this one" in notes()


def test_a_shipped_base_model_must_be_the_pinned_one(root):
    rewrite(root, "base", source={"use": "shipped", "shipped_sha256": "0" * 64})
    assert any("model.safetensors is not the model that the experiment pins" in line for line in names(root))


def test_before_the_page_is_made_it_is_not_expected(root):
    for name in ("report/index.html", "report/examples.jsonl.gz", "report/verification.json"):
        remove_with_provenance(name)(root)
    assert verify_results(root, page_inputs=[root / "tables", root / "figures"]).holds
    assert [finding.status for finding in findings(root)] == ["missing"] * 3


def test_results_that_the_page_does_not_use_are_no_fault(root):
    unused = "samples/base/gsm8k/16.jsonl"
    for name in (SAMPLES["base"], f"{SAMPLES['base']}.provenance.json"):
        shutil.copy2(root / name, root / name.replace("/8.", "/16."))
    assert not findings(root)
    edit(unused, lambda lines: lines[1:])(root)
    assert {(finding.status, finding.result) for finding in findings(root)} == {("extra", unused)}
    assert verify_results(root).holds


def test_results_without_a_page_are_all_checked(root):
    remove_with_provenance("report/index.html")(root)
    flip(SAMPLES["base"])(root)
    assert any(line.startswith(f"fails {SAMPLES['base']}: ") for line in names(root))


def test_provenance_of_earlier_versions_is_read(root):
    for file in root.rglob("*.provenance.json"):
        record = json.loads(file.read_text())
        write_json(file, {key: value for key, value in record.items() if key not in {"content", "code"}})
    assert verify_results(root).holds
    flip("base/model.safetensors")(root)
    assert any(line.startswith("fails base: it has another content") for line in names(root))


def test_the_command_ends_with_1_unless_all_holds(root):
    result = CliRunner().invoke(app, ["verify", str(root)])
    assert result.exit_code == 0
    assert result.output.rstrip().endswith("checks: all hold")
    flip(SCORES["base"])(root)
    result = CliRunner().invoke(app, ["verify", str(root)])
    assert result.exit_code == 1
    assert f"FAILS    {SCORES['base']}: " in result.output
    outcome = json.loads(CliRunner().invoke(app, ["verify", str(root), "--json"]).output)
    assert outcome["kinds"]["scores"]["num_failed"] >= 1


def test_a_folder_without_results_is_refused(tmp_path):
    with pytest.raises(DataError, match="expected results with provenance files, got none"):
        verify_results(tmp_path)
    with pytest.raises(DataError, match="expected the folder of an experiment's results, got none"):
        verify_results(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("base", "base"),
        ("data/prepared/worked", "data/prepared"),
        ("scores/d1/base/gsm8k/8.jsonl", "scores"),
        ("report/index.html", "report"),
        ("report/traces/base.html", "report/traces"),
        ("base.stored", "base"),
    ],
)
def test_kinds_of_results(name, kind):
    assert kind_of(name) == kind


@pytest.mark.parametrize(
    "result", ["base", f"runs/{RUN}", SAMPLES[RUN], SCORES["base"], "tables", "checks/worked.json"]
)
@pytest.mark.parametrize("as_folder", [False, True])
def test_a_result_without_its_provenance_file_is_a_fault(root, result, as_folder):
    provenance_file(root / result).unlink()
    if as_folder:
        provenance_file(root / result).mkdir()
    assert any(f"missing {result}.provenance.json" in line for line in names(root))
    inputs = [root / SCORES[run] for run in SCORES] + [root / "tables", root / "checks/worked.json"]
    assert not verify_results(root, page_inputs=inputs).holds


def test_answers_cannot_be_declared_as_stored_elsewhere(root):
    result = SAMPLES[RUN]
    provenance_file(root / result).rename(provenance_file(root / f"{result}.stored"))
    assert any(f"fails {result}.stored: expected the provenance of a folder" in line for line in names(root))


def test_results_of_which_only_the_provenance_is_there_are_counted(root):
    provenance_file(root / "base").rename(provenance_file(root / "base.stored"))
    notes = [finding.text for finding in verify_results(root).findings if finding.status == "note"]
    assert any("of 1 results only the provenance was stored" in text for text in notes)


@pytest.mark.parametrize(
    "path",
    [
        "/dev/zero",
        "results/small/../../../../../../../../../dev/zero",
        "a\0b",
        "/" + "a" * 5000,
        "\ud800",
        "a/\ud800",
    ],
)
def test_no_recorded_input_makes_verifying_hang_or_fail(root, path):
    file = provenance_file(root / SAMPLES[RUN])
    record = json.loads(file.read_text())
    record["inputs"][path] = "0" * 64
    file.write_text(json.dumps(record))
    notes = [finding.text for finding in verify_results(root).findings if finding.status == "note"]
    assert any("lies outside of this folder and is not at hand" in text for text in notes)


@pytest.mark.parametrize(
    "name", [SAMPLES[RUN], f"{SAMPLES[RUN]}.provenance.json", f"runs/{RUN}/history.jsonl"]
)
def test_a_pipe_is_a_missing_file(root, name):
    (root / name).unlink()
    os.mkfifo(root / name)
    assert any(line.startswith(f"missing {name}") for line in names(root))


def test_a_folder_of_results_may_lie_on_another_disk(root, tmp_path):
    shutil.move(root / "data", tmp_path / "data")
    (root / "data").symlink_to(tmp_path / "data")
    (root / "data/again").symlink_to(root)
    assert not findings(root)
    flip("data/examples/worked.jsonl")(root)
    assert any(line.startswith("fails data/examples/worked.jsonl") for line in names(root))
