from weft.config import load_experiment
from weft.config.plan import plan_lines


def plan(name, offline=()):
    return "\n".join(plan_lines(load_experiment(f"experiments/{name}.yaml"), offline=list(offline)))


def test_the_papers_grid_is_counted():
    text = plan("paper")
    assert "6 training runs" in text
    assert "84 sampling jobs" in text
    assert "to download: GSAI-ML/LLaDA-8B-Instruct" in text


def test_the_tiny_experiment_needs_nothing_from_outside():
    assert "download" not in plan("tiny")


def test_missing_generations_are_told_not_raised():
    assert "missing: generations.folder" in plan("d1-baselines")
