import pytest

from weft.config import FineTuning, load_experiment
from weft.config.stages import stage_settings

TINY = load_experiment("experiments/tiny.yaml")


def test_a_training_job_depends_on_its_own_method_only():
    settings = stage_settings(TINY, "train", {"run": "weft-worked-seed1"})
    assert settings["method"]["preset"] == "weft"
    assert set(settings) == {"training", "method", "snapshots"}
    without = TINY.model_copy(update={"learning_curve": None})
    assert set(stage_settings(without, "train", {"run": "weft-worked-seed1"})) == {"training", "method"}


def test_a_longer_list_of_lengths_does_not_sample_the_others_again():
    settings = stage_settings(TINY, "sample", {})
    assert settings["early_stop"] is True
    assert not {"gen_lengths", "batch_size"} & set(settings)


def test_the_report_is_made_anew_when_sampling_becomes_approximate():
    approximate = TINY.model_copy(update={"sampling": TINY.sampling.model_copy(update={"kv_cache": "dual"})})
    for stage in ("tables", "figures"):
        assert "approximation" not in stage_settings(TINY, stage, {})
        assert stage_settings(approximate, stage, {})["approximation"] == "dual cache"


def test_the_page_is_made_anew_when_any_setting_that_it_shows_changes():
    sampling = TINY.sampling.model_copy(update={"batch_size": 3})
    changed = TINY.model_copy(update={"sampling": sampling})
    assert stage_settings(changed, "page", {}) != stage_settings(TINY, "page", {})
    assert stage_settings(changed, "tables", {}) == stage_settings(TINY, "tables", {})


def test_an_answer_step_by_step_depends_on_what_sampling_depends_on():
    settings = stage_settings(TINY, "trace", {"run": "base"})
    assert settings["sampling"] == stage_settings(TINY, "sample", {})
    assert settings["caption"] == TINY.caption


def test_only_the_preparation_depends_on_what_is_done_with_too_long_examples():
    wildcards = {"run": "sft-worked-seed1", "benchmark": "sudoku", "dataset": "worked"}
    changed = TINY.model_copy(update={"too_long": "drop"})
    assert "too_long" not in stage_settings(TINY, "prepare", {})
    assert stage_settings(changed, "prepare", {}) == stage_settings(TINY, "prepare", {}) | {
        "too_long": "drop"
    }
    for stage in ("questions", "examples", "train", "probe", "sample", "tables"):
        assert stage_settings(changed, stage, wildcards) == stage_settings(TINY, stage, wildcards)


def test_every_stage_has_settings():
    wildcards = {"run": "sft-worked-seed1", "benchmark": "sudoku", "dataset": "worked", "scoring": "strict"}
    for stage in (
        "questions", "validation", "examples", "prepare", "check", "pretrain", "base", "probe", "curve",
        "score", "tables", "page",
    ):  # fmt: skip
        assert stage_settings(TINY, stage, wildcards)


def test_a_training_depends_on_the_values_of_its_method_alone():
    content = TINY.model_dump(mode="json")
    content["methods"]["weft"] |= {"learning_rate": 0.5}
    before = FineTuning.model_validate(content)
    content["training"] |= {"learning_rate": 0.25}
    after = FineTuning.model_validate(content)
    settings = [
        [
            stage_settings(experiment, "train", {"run": f"{method}-worked-seed1"})
            for experiment in (before, after)
        ]
        for method in ("weft", "sft")
    ]
    assert settings[0][0] == settings[0][1]
    assert settings[1][0] != settings[1][1]


def test_the_gradient_study_does_not_depend_on_learning_rates():
    ablations = load_experiment("experiments/ablations.yaml")
    before = stage_settings(ablations, "gradients", {})
    content = ablations.model_dump(mode="json")
    content["methods"]["weft"] |= {"learning_rate": 0.5}
    assert stage_settings(FineTuning.model_validate(content), "gradients", {}) == before
    content["methods"]["weft"] |= {"min_token_masking_rate": 0.5}
    assert stage_settings(FineTuning.model_validate(content), "gradients", {}) != before


def test_validation_questions_do_not_depend_on_when_they_are_answered():
    curve = TINY.learning_curve
    changed = {key: curve.model_copy(update={key: value}) for key, value in [("num_points", 9), ("seed", 9)]}
    before, *after = (
        stage_settings(TINY.model_copy(update={"learning_curve": c}), "validation", {"benchmark": "sudoku"})
        for c in [curve, *changed.values()]
    )
    assert [settings == before for settings in after] == [True, False]


def test_scoring_depends_on_its_rules():
    assert stage_settings(TINY, "score", {"scoring": "d1"}) != stage_settings(
        TINY, "score", {"scoring": "strict"}
    )


def test_a_model_of_an_evaluation_depends_on_its_own_source_only():
    described = load_experiment("experiments/published-s1k.yaml")
    settings = stage_settings(described, "model", {"model": "dream"})
    assert settings["repo"] == "Dream-org/Dream-v0-Instruct-7B"
    assert settings["base"] is None
    assert stage_settings(described, "sample", {})["block_length"] == 32
    assert {"models", "contrasts"} <= set(stage_settings(described, "tables", {}))
    assert not {"models", "contrasts"} & set(stage_settings(TINY, "tables", {}))
    with pytest.raises(ValueError, match="stage must be of an experiment that trains, got 'train'"):
        stage_settings(described, "train", {})
