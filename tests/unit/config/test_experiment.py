from pathlib import Path

import pytest
import yaml

from weft.config import load_experiment
from weft.errors import ConfigError

TINY = yaml.safe_load(Path("experiments/tiny.yaml").read_text())


def write(tmp_path, edit):
    content = yaml.safe_load(yaml.safe_dump(TINY))
    edit(content)
    file = tmp_path / "tiny.yaml"
    file.write_text(yaml.safe_dump(content))
    return file


def set_in(*path, to):
    def edit(content):
        for key in path[:-1]:
            content = content[key]
        content[path[-1]] = to

    return edit


@pytest.mark.parametrize("name", ["tiny", "paper", "ablations", "d1-baselines"])
def test_shipped_experiments_are_valid(name):
    assert load_experiment(f"experiments/{name}.yaml").name == name


def test_an_experiment_may_extend_another(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(TINY))
    file = tmp_path / "folder" / "mine.yaml"
    file.write_text("extends: ../tiny.yaml\nname: mine\nsampling:\n  gen_lengths: [64]\n")
    with pytest.raises(ConfigError, match=r"sampling.block_length"):
        load_experiment(file)  # whole keys are replaced
    file.write_text("extends: ../tiny.yaml\nname: mine\nseeds: [7]\n")
    expected = load_experiment(tmp_path / "tiny.yaml").model_dump() | {"name": "mine", "seeds": [7]}
    assert load_experiment(file).model_dump() == expected


@pytest.mark.parametrize("extended", ["nowhere.yaml", 3, None, "second.yaml", "mine.yaml"])
def test_an_experiment_extends_one_file_that_extends_none(tmp_path, extended):
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(TINY))
    (tmp_path / "second.yaml").write_text("extends: tiny.yaml\nname: second\n")
    file = tmp_path / "mine.yaml"
    file.write_text(yaml.safe_dump({"extends": extended, "name": "mine"}))
    with pytest.raises(ConfigError, match=rf"mine.yaml is not valid:\n  extends: .*got {extended!r}"):
        load_experiment(file)


def test_the_ablations_differ_from_the_tiny_experiment_in_the_methods():
    tiny, ablations = (load_experiment(f"experiments/{name}.yaml") for name in ("tiny", "ablations"))
    changed = {key for key, value in ablations.model_dump().items() if value != tiny.model_dump()[key]}
    assert changed == {"name", "title", "methods", "further_contrasts", "scoring", "gradient_study"}
    assert ablations.methods.items() > tiny.methods.items()


def test_both_kinds_of_experiment_describe_themselves():
    tiny, stored = (load_experiment(f"experiments/{name}.yaml") for name in ("tiny", "d1-baselines"))
    assert (tiny.dataset_names, stored.dataset_names) == (["worked"], [])
    assert tiny.benchmark_names == stored.benchmark_names == ["sudoku", "countdown", "gsm8k", "math500"]
    assert [run.run_id for run in tiny.trained_runs] == tiny.run_ids[1:]
    assert (stored.run_ids, stored.trained_runs, stored.traced_runs) == (["published"], [], [])
    assert (tiny.contrasts, stored.contrasts) == ([("weft", "sft")], [])
    assert (tiny.num_questions("gsm8k"), stored.num_questions("gsm8k")) == (192, None)


def test_runs_are_the_base_and_the_whole_grid():
    runs = load_experiment("experiments/tiny.yaml").run_ids
    assert runs[:3] == ["base", "sft-worked-seed1", "sft-worked-seed2"]
    assert len(runs) == 7


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        pytest.param(
            set_in("training", "epochs", to=True), r"training.epochs: .*integer; got True", id="bool"
        ),
        pytest.param(
            set_in("training", "learning_rate", to=float("inf")), r"learning_rate: .*finite", id="inf"
        ),
        pytest.param(set_in("training", "max_length", to=9000), r"max_length=256, got 9000", id="too long"),
        pytest.param(set_in("training", "lora", "target_modules", to=["nose"]), r"got 'nose'", id="lora"),
        pytest.param(
            set_in("sampling", "gen_lengths", to=[32, 32]), r"different gen_lengths", id="same length"
        ),
        pytest.param(
            set_in("base_model", "recipe", "architecture", "hidden_size", to=129),
            r"multiple of 2 x num_heads",
            id="heads",
        ),
        pytest.param(
            set_in("training", "learning_rat", to=1), r"training.learning_rat: unknown key", id="typo"
        ),
        pytest.param(
            set_in("training", "epochs", to="many"), r"training.epochs: .*integer.*got 'many'", id="type"
        ),
        pytest.param(
            set_in("training", "epochs", to=0), r"training.epochs: expected greater than 0; got 0", id="zero"
        ),
        pytest.param(set_in("training", "zero_stage", to=7), r"training.zero_stage: .*got 7", id="stage"),
        pytest.param(
            set_in("methods", "weft", "preset", to="wef"),
            r"preset: expected 'sft', .*; got 'wef'\nCorrect",
            id="preset",
        ),
        pytest.param(
            set_in("methods", "weft", "masking", to="uniform"), r"rate_source 'none'", id="no effect"
        ),
        pytest.param(
            set_in("sampling", "gen_lengths", to=[30]), r"multiples of block_length=8, got 30", id="block"
        ),
        pytest.param(
            set_in("sampling", "temperature", to=-0.7), r"sampling.temperature: .*got -0.7", id="temperature"
        ),
        pytest.param(
            set_in("seeds", to=[1, 1]), r"seeds: expected different seeds; got \[1, 1\]", id="seeds"
        ),
        pytest.param(set_in("seeds", to=[]), r"seeds: .*at least 1 item", id="no seeds"),
        pytest.param(
            set_in("contrast", to=["weft", "dpo"]), r"contrast to name two of the methods", id="contrast"
        ),
        pytest.param(
            set_in("further_contrasts", to=[["weft", "dpo"]]),
            r"further_contrasts\[0\] to name two of the methods",
            id="further contrast",
        ),
        pytest.param(
            set_in("further_contrasts", to=[["sft", "weft"]]),
            r"further_contrasts\[0\] to be another pair than those before it",
            id="contrast again",
        ),
        pytest.param(
            set_in("benchmarks", "chess", to={"source": "generated", "num_examples": 1, "seed": 1}),
            r"benchmarks: expected 'chess' to be one of .*'math500'\], or to have source: custom",
            id="benchmark",
        ),
        pytest.param(
            set_in("benchmarks", "chess", to={}),
            r"benchmarks.chess.source: this key is required",
            id="no kind",
        ),
        pytest.param(
            set_in("benchmarks", "average", to={"source": "custom", "path": "x.py"}),
            r"another name for the custom benchmark 'average', which is taken",
            id="reserved name",
        ),
        pytest.param(
            set_in("benchmarks", "gsm8k", to={"source": "custom", "path": "x.py"}),
            r"another name for the custom benchmark 'gsm8k', which is taken",
            id="taken name",
        ),
        pytest.param(
            set_in(
                "benchmarks", "gsm8k", to={"source": "published", "instruction": "none", "file": {"repo": 1}}
            ),
            r"benchmarks.gsm8k.published.file.hub.repo: .*got 1",
            id="hub file",
        ),
        pytest.param(
            set_in("base_model", "source", to="ftp"),
            r"base_model.source: expected one of 'scratch', 'hub', 'path'; got 'ftp'",
            id="source",
        ),
        pytest.param(
            set_in("base_model", "shipped_sha256", to="abc"), r"shipped_sha256: .*got 'abc'", id="hash"
        ),
        pytest.param(
            set_in("training", "micro_batch_size", to=5),
            r"batch_size to be a multiple of micro_batch_size=5, got 32",
            id="micro",
        ),
        pytest.param(set_in("name", to="other"), r"name: .*'tiny'.* got 'other'", id="name"),
        pytest.param(set_in("rules", to=["d1"]), r"rules: .*'scoring'", id="old name of a key"),
        pytest.param(
            set_in("benchmarks", "chess", to={"source": "own", "path": "x.py"}),
            r"benchmarks.chess.source: 'own' .*'custom'",
            id="old name of a source",
        ),
        pytest.param(set_in("kind", to="finetuning"), r"kind: .*'fine-tuning'; got 'finetuning'", id="kind"),
        pytest.param(
            lambda content: content.pop("sampling"), r"sampling: this key is required", id="missing"
        ),
    ],
)
def test_offences_name_key_expectation_and_value(tmp_path, edit, message):
    with pytest.raises(ConfigError, match=message):
        load_experiment(write(tmp_path, edit))


def change_sampling(**changes):
    def edit(content):
        content["sampling"] |= changes

    return edit


THRESHOLD = {"confidence_threshold": 0.9, "tokens_per_step": None}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        pytest.param({"remasking": "worst"}, r"remasking: .*'random'; got 'worst'", id="remasking"),
        pytest.param({"cfg_scale": -1.0}, r"cfg_scale: .*equal to 0; got -1", id="guidance"),
        pytest.param({"temperature": 0.5}, r"a seed, since temperature is above 0", id="no seed"),
        pytest.param({"remasking": "random"}, r"a seed, since .* remasking is random", id="no seed, random"),
        pytest.param({"seed": 3}, r"no seed, which has no effect .* got 3", id="idle seed"),
        pytest.param({"kv_cache": "all"}, r"kv_cache: .*'dual'; got 'all'", id="cache"),
        pytest.param(
            {"kv_cache": "dual", "cfg_scale": 0.5}, r"cfg_scale: 0 with a kv_cache, got 0.5", id="both"
        ),
        pytest.param(THRESHOLD | {"confidence_threshold": 0.0}, r"threshold: .*got 0.0", id="threshold 0"),
        pytest.param(THRESHOLD | {"confidence_threshold": 1.5}, r"threshold: .*got 1.5", id="threshold"),
        pytest.param(
            THRESHOLD | {"tokens_per_step": 2},
            r"no tokens_per_step together .* got 2 and 0.9",
            id="idle pace",
        ),
        pytest.param({"tokens_per_step": None}, r"a tokens_per_step, since .* got neither", id="no pace"),
        pytest.param(
            THRESHOLD | {"remasking": "random", "seed": 1},
            r"low_confidence with a confidence_threshold, got 'random'",
            id="random threshold",
        ),
        pytest.param(
            {"attend_padding": True, "batch_size": 1}, r"a batch_size above 1 with attend_padding", id="alone"
        ),
        pytest.param({"early_stop": "yes"}, r"early_stop: .*boolean; got 'yes'", id="early stop"),
    ],
)
def test_sampling_settings_that_are_wrong_or_do_nothing_are_refused(tmp_path, changes, message):
    with pytest.raises(ConfigError, match=message):
        load_experiment(write(tmp_path, change_sampling(**changes)))


def test_early_stop_has_no_default(tmp_path):
    with pytest.raises(ConfigError, match=r"sampling.early_stop: this key is required"):
        load_experiment(write(tmp_path, lambda content: content["sampling"].pop("early_stop")))


def test_adapters_are_merged_only_where_there_are_some(tmp_path):
    def edit(content):
        content["sampling"]["merge_adapters"] = True
        content["training"] |= {"lora": None, "zero_stage": 2}

    with pytest.raises(ConfigError, match=r"training.lora when sampling.merge_adapters is set"):
        load_experiment(write(tmp_path, edit))


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({}, None),
        ({"remasking": "random", "temperature": 0.7, "seed": 1, "cfg_scale": 1.0}, None),
        ({"kv_cache": "prefix"}, "prefix cache"),
        (THRESHOLD, "threshold 0.9"),
        (THRESHOLD | {"kv_cache": "dual"}, "dual cache, threshold 0.9"),
        (THRESHOLD | {"confidence_threshold": 0.99999999}, "threshold 0.99999999"),
        (THRESHOLD | {"confidence_threshold": 1.0}, "threshold 1"),
    ],
)
def test_what_is_approximate_has_a_name(tmp_path, changes, name):
    assert load_experiment(write(tmp_path, change_sampling(**changes))).sampling.approximation == name


def test_the_batch_size_is_decisive_only_where_padding_is_attended_to(tmp_path):
    settings = load_experiment(write(tmp_path, change_sampling(attend_padding=True))).sampling.decisive()
    plain = load_experiment(write(tmp_path, change_sampling())).sampling.decisive()
    assert set(settings) - set(plain) == {"batch_size"}
    assert "gen_lengths" not in settings


def test_all_offences_are_told_at_once(tmp_path):
    def edit(content):
        content["training"]["epochs"] = -1
        content["sampling"]["batch_size"] = 0

    with pytest.raises(ConfigError, match=r"(?s)training.epochs.*sampling.batch_size"):
        load_experiment(write(tmp_path, edit))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: [", "must be YAML"),
        ("- a\n- b\n", "must be a mapping"),
        ("name: tiny\nname: tiny\n", r"key given twice: \['name'\]"),
    ],
)
def test_files_that_are_no_settings(tmp_path, text, message):
    (tmp_path / "tiny.yaml").write_text(text)
    with pytest.raises(ConfigError, match=message):
        load_experiment(tmp_path / "tiny.yaml")


def test_a_missing_file_is_named():
    with pytest.raises(ConfigError, match=r"nowhere.yaml must be readable"):
        load_experiment("nowhere.yaml")


def test_scientific_notation_without_a_point_is_a_number(tmp_path):
    file = write(tmp_path, lambda content: None)
    file.write_text(
        file.read_text().replace("  learning_rate: 0.002\n  lora", "  learning_rate: 1e-3\n  lora")
    )
    assert load_experiment(file).training.learning_rate == 1e-3


def test_published_generations_need_their_fields(tmp_path):
    content = yaml.safe_load(Path("experiments/d1-baselines.yaml").read_text())
    content["generations"]["pattern"] = "{benchmark}.json"
    (tmp_path / "d1-baselines.yaml").write_text(yaml.safe_dump(content))
    with pytest.raises(ConfigError, match="exactly the fields"):
        load_experiment(tmp_path / "d1-baselines.yaml")
