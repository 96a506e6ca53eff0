"""Reports of experiments without a contrast, without a benchmark, or without a training."""

import re

import pytest

from tests.unit.report.conftest import NUM_EXAMPLES, SAMPLING, STATISTICS, SVG
from weft.config import Evaluation
from weft.report.alt_texts import alt_text
from weft.report.browser import make_browser
from weft.report.conclusions import draw_conclusions
from weft.report.examples import list_columns, list_comparisons, list_filters
from weft.report.figures import FIGURES
from weft.report.first_screen import first_table
from weft.report.outputs import list_figures, list_tables, main_table
from weft.report.page import render_page
from weft.report.page_settings import main_settings
from weft.report.presentation import present
from weft.report.tables import write_table

GENERATED = {"source": "generated", "num_examples": NUM_EXAMPLES, "seed": 1}
HUB = {"source": "hub", "revision": "main"}
MODELS = {
    "llada": HUB | {"repo": "GSAI-ML/LLaDA-8B-Instruct"},
    "dream": HUB | {"repo": "Dream-org/Dream-v0-Instruct-7B"},
    "mine": {"source": "path", "path": "runs/mine", "base": "llada"},
}
UNSHOWN = re.compile(r"<(?:td|th|li|p)[^>]*>[^<]{0,40}\b(nan|inf|None|NaT)\b")
NO_BENCHMARK = {"benchmarks": {}, "contrast": None}


def evaluation(models=tuple(MODELS), **changes):
    content = {
        "name": "evaluated",
        "kind": "evaluation",
        "title": "Published models",
        "caption": "Made-up numbers for tests.",
        "scoring": ["d1"],
        "statistics": STATISTICS,
        "models": {name: MODELS.get(name, MODELS["llada"]) for name in models},
        "benchmarks": {"sudoku": GENERATED, "gsm8k": GENERATED},
        "sampling": SAMPLING,
    }
    return Evaluation.model_validate(content | changes)


PAIRS = {"contrasts": [["mine", "llada"], ["dream", "llada"]]}
LENGTHS = SAMPLING | {"gen_lengths": [48, 96]}
CUSTOM = {"capitals": {"source": "custom", "path": "examples/custom_benchmark.py"}}
CASES = {
    "evaluation": lambda describe: evaluation(**PAIRS),
    "models alone": lambda describe: evaluation(),
    "one model": lambda describe: evaluation(["llada"], benchmarks={"gsm8k": GENERATED}),
    "everything": lambda describe: evaluation(
        [*MODELS, "a", "b", "c", "d", "e"], **PAIRS, sampling=LENGTHS, scoring=["strict", "d1"],
        benchmarks={"sudoku": GENERATED, "gsm8k": GENERATED, **CUSTOM},
    ),
    "many models": lambda describe: evaluation([*MODELS, "a", "b", "c", "d", "e"], sampling=LENGTHS),
    "one method": lambda describe: describe(methods={"weft": {"preset": "weft"}}, contrast=None),
    "control is base": lambda describe: describe(contrast=["weft", "base"], seeds=[1]),
    "each and base": lambda describe: describe(contrast=None, sampling=LENGTHS),
    "trained only": lambda describe: describe(**NO_BENCHMARK),
    "trained with gradients": lambda describe: describe(
        **NO_BENCHMARK, gradient_study={"num_examples": 4, "num_draws": 8, "seed": 1}
    ),
}  # fmt: skip


@pytest.fixture
def case(request, describe):
    return CASES[request.param](describe)


@pytest.mark.parametrize("case", CASES, indirect=True)
def test_every_report_is_complete(case, compute, write, read_answers, tmp_path):
    results, tables = compute(case)
    layout = write(case, tmp_path / "again")
    assert list(tables) == list_tables(case)
    assert main_table(case) in tables
    for name, frame in tables.items():
        write_table(case, name, frame, tmp_path / "tables")
    for name in list_figures(case):
        FIGURES[name](case, results)
    browser = make_browser(case, results, read_answers(layout)) if results.scores else None
    images = dict.fromkeys(list_figures(case), SVG)
    page = render_page(case, results, tables, images, browser)
    assert not UNSHOWN.findall(page)
    assert ('href="#examples"' in page) == bool(case.benchmark_names)
    assert 'href="#data"' in page
    assert first_table(case, tables).rows


def lead(case, compute):
    return draw_conclusions(case, compute(case)[1])


def test_an_evaluation_is_about_its_first_contrast_without_a_word_on_seeds(compute):
    conclusions = lead(evaluation(**PAIRS), compute)
    start = r"mine minus llada on average: [+−]?[\d.]+ points \(95 % interval .* over questions; 2 × 24 quest"
    assert re.match(start, conclusions.lead)
    assert "after correction for 2 comparisons" in conclusions.lead
    assert [text.split(" on average")[0] for text in conclusions.comparisons] == [
        "mine minus llada", "dream minus llada",
    ]  # fmt: skip
    assert "these models as they are" in conclusions.reservations[0]
    assert "seed" not in " ".join([conclusions.lead, *conclusions.comparisons, *conclusions.reservations])


def test_without_a_comparison_the_accuracies_have_intervals(compute):
    conclusions = lead(evaluation(["llada"], benchmarks={"gsm8k": GENERATED}), compute)
    found = re.match(
        r"Accuracy, arithmetic \(GSM8K rules\), with 95 % intervals over questions: "
        r"llada ([\d.]+) % \(([\d.]+) to ([\d.]+)\) \(24 questions, 48 tokens\)\.$",
        conclusions.lead,
    )
    accuracy, low, high = map(float, found.groups())
    assert low < accuracy < high
    assert "No models are compared." in conclusions.reservations
    many = lead(evaluation([*MODELS, "a", "b"]), compute).lead
    assert re.match(r"Accuracy, average: [\d.]+ to [\d.]+ % for 5 models \(2 × 24", many)


def test_a_method_alone_is_compared_with_the_base_model(describe, compute):
    experiment = describe(methods={"weft": {"preset": "weft"}}, contrast=None)
    tables = compute(experiment)[1]
    assert draw_conclusions(experiment, tables).lead.startswith("WeFT minus base model on average: +")
    assert set(tables["contrasts"][["treatment", "control"]].agg(" - ".join, axis=1)) == {"weft - base"}
    for name, column in (("gains", "relative gain, %"), ("table1", "relative gain, %")):
        table = present(experiment, name, tables[name])
        assert column not in table.cells
        assert "relative gain" not in " ".join(table.notes)
        assert "gain, points" in table.cells
    costs = present(experiment, "costs", tables["costs"])
    assert "relative to WeFT" not in costs.cells
    assert "probe, % of operations" in costs.cells
    assert "The ratio" not in " ".join(costs.notes)
    two = describe()
    assert "The ratio" in " ".join(present(two, "costs", compute(two)[1]["costs"]).notes)
    assert list_columns(experiment) == ["base", "weft"]


def test_a_difference_without_an_interval_says_so(describe, compute):
    experiment = describe(methods={"weft": {"preset": "weft"}}, contrast=None)
    results, tables = compute(experiment)
    contrasts = tables["contrasts"].assign(ci_low=float("nan"), ci_high=float("nan"))
    text = alt_text(experiment, results, {**tables, "contrasts": contrasts}, "forest")
    assert text.endswith("points, no interval.")


def test_two_seeds_do_not_test_a_method_and_the_base_model(describe, compute):
    conclusions = lead(describe(contrast=["sft", "base"], seeds=[1, 2]), compute)
    assert "A comparison with the base model is tested with at least 3 training seeds." in (
        conclusions.reservations
    )
    assert "distinguishable" not in conclusions.lead


def test_without_a_contrast_all_methods_are_compared_with_the_base_model(describe, compute):
    conclusions = lead(describe(contrast=None), compute)
    assert conclusions.lead.startswith("SFT minus base model")
    assert [text[:4] for text in conclusions.comparisons] == ["SFT ", "WeFT"]


def test_without_benchmarks_the_page_says_that_there_are_models_only(describe, compute):
    experiment = describe(**NO_BENCHMARK, seeds=[1, 2])
    assert experiment.run_ids == [run.run_id for run in experiment.trained_runs]
    conclusions = lead(experiment, compute)
    assert conclusions.lead.startswith("4 models were trained. The experiment has no benchmarks")
    assert list_tables(experiment) == ["costs", "ratios", "words"]
    assert list_figures(experiment)[0] == "training_loss"
    assert "sampling" not in dict(main_settings(experiment))


def test_models_stand_side_by_side_those_of_the_main_contrast_first(compute):
    many = evaluation([*MODELS, "a", "b"], contrasts=[["a", "dream"]])
    assert list_columns(many) == ["dream", "a", "llada", "mine"]
    assert list_columns(evaluation()) == list(MODELS)
    (comparison,) = list_comparisons(many, compute(many)[0])
    assert comparison.pair == (1, 0)
    labels = [choice.label for choice in list_filters(evaluation())]
    assert labels == ["all", "llada right", "llada wrong", "llada unscorable"]
    assert [choice.label for choice in list_filters(evaluation(["llada"]))][1] == "right"


def test_published_numbers_stand_beside_a_published_model(describe_paper, compute):
    sampling, benchmarks = SAMPLING | {"gen_lengths": [256]}, describe_paper().benchmarks
    published = {name: source.model_dump() for name, source in benchmarks.items()}
    tables = compute(evaluation(sampling=sampling, benchmarks=published))[1]
    rows = tables["published"]
    known = rows[rows["d1"].notna()]
    assert set(known["method"]) == {"llada"}
    assert known.set_index("benchmark")["d1"]["gsm8k"] == pytest.approx(0.767)
