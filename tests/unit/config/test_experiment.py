import re
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


@pytest.mark.parametrize(
    "name", ["tiny", "paper", "ablations", "few-shot", "learning-rates", "d1-baselines", "published-s1k"]
)
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
    with pytest.raises(ConfigError, match=rf"mine.yaml is not valid:\n  line 1, extends: .*got {extended!r}"):
        load_experiment(file)


def test_the_ablations_differ_from_the_tiny_experiment_in_the_methods():
    tiny, ablations = (load_experiment(f"experiments/{name}.yaml") for name in ("tiny", "ablations"))
    changed = {key for key, value in ablations.model_dump().items() if value != tiny.model_dump()[key]}
    assert changed - {"seeds"} == {
        "name", "title", "methods", "further_contrasts", "scoring", "gradient_study", "learning_curve",
    }  # fmt: skip
    assert ablations.methods.items() > tiny.methods.items()


def test_both_kinds_of_experiment_describe_themselves():
    tiny, stored = (load_experiment(f"experiments/{name}.yaml") for name in ("tiny", "d1-baselines"))
    assert (tiny.dataset_names, stored.dataset_names) == (["worked"], [])
    assert tiny.benchmark_names == stored.benchmark_names == ["sudoku", "countdown", "gsm8k", "math500"]
    assert [run.run_id for run in tiny.trained_runs] == tiny.run_ids[1:]
    assert (stored.run_ids, stored.trained_runs, stored.traced_runs) == (["published"], [], [])
    assert (tiny.comparisons, stored.comparisons) == (
        [("weft", "sft"), ("sft", "base"), ("weft", "base")],
        [],
    )
    assert (tiny.num_questions("gsm8k"), stored.num_questions("gsm8k")) == (250, None)


EVALUATION = {
    "name": "tiny",
    "kind": "evaluation",
    "title": "Models",
    "caption": "Models.",
    "models": {
        "one": {"source": "hub", "repo": "a/b", "revision": "main"},
        "two": {"source": "path", "path": "two", "base": "one"},
        "three": {
            "source": "path",
            "path": "x",
            "base": {"source": "hub", "repo": "a/c", "revision": "main"},
        },
    },
    **{key: TINY[key] for key in ("benchmarks", "sampling", "scoring", "statistics")},
}


def evaluation(tmp_path, edit=lambda content: None):
    content = yaml.safe_load(yaml.safe_dump(EVALUATION, sort_keys=False))
    edit(content)
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    return load_experiment(tmp_path / "tiny.yaml")


def test_an_evaluation_has_a_run_per_model_and_knows_their_bases(tmp_path):
    described = evaluation(tmp_path, set_in("contrasts", to=[["two", "one"]]))
    assert described.run_ids == described.model_names == ["one", "two", "three"]
    assert (described.trained_runs, described.num_seeds) == ([], 0)
    assert [described.is_finetuned(run) for run in described.runs] == [False, True, True]
    sources = [described.base_source(name) for name in described.model_names]
    assert [getattr(source, "repo", None) for source in sources] == [None, None, "a/c"]
    assert (described.main_contrast, described.comparisons) == (("two", "one"), [("two", "one")])
    assert evaluation(tmp_path).main_contrast is None


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        ("kind", "evaluate", "kind: expected one of .*'evaluation', .*; got 'evaluate'"),
        ("models", {}, "models: expected at least one key with a value; got {}"),
        ("models.two.base", "nobody", r"models.two.base must be .*\['one'\], or .* got 'nobody'"),
        ("models.one.base", "two", r"models.one.base must be .*\[\], or .* got 'two'"),
        ("models.two.base", "a/dir", r"a source such as {source: path, path: DIRECTORY}, got 'a/dir'"),
        ("models.two.base", {"source": "hub", "repo": "a/b"}, "two.base.revision: this key is required"),
        ("models.two.base", {"repo": "a/b"}, "models.two.base.source: this key is required"),
        ("models.two.base", 3, "models.two.base: expected keys with values; got 3"),
        ("contrasts", ["two", "one"], r"contrasts.0: expected a pair .*\[first, second\]; got 'two'"),
        ("contrasts", [["two", "four"]], r"contrasts\[0\] must name two of the models .*'four'"),
        ("contrasts", [["two", "two"]], r"contrasts\[0\] must name two of the models"),
        ("contrasts", [["two", "one"], ["one", "two"]], r"contrasts\[1\] .*\('one', 'two'\) again"),
        ("benchmarks", {}, "benchmarks: expected"),
        ("sampling", None, "sampling: expected"),
        ("seeds", [1], "seeds: unknown key"),
    ],
)  # fmt: skip
def test_a_wrong_value_of_an_evaluation_is_named(tmp_path, place, value, message):
    with pytest.raises(ConfigError, match=message):
        evaluation(tmp_path, set_in(*place.split("."), to=value))


def test_the_contrast_may_be_omitted_or_with_the_base_model(tmp_path):
    def pairs(contrast, **changes):
        described = load_experiment(
            write(tmp_path, lambda content: content.update(contrast=contrast, **changes))
        )
        return described.comparisons, described.reference_method, described.gain_control

    assert pairs(["weft", "base"]) == ([("weft", "base")], "weft", None)
    assert pairs(["weft", "sft"])[1:] == ("sft", "sft")
    assert pairs(None) == ([("sft", "base"), ("weft", "base")], "sft", None)
    assert pairs(None, further_contrasts=[["weft", "sft"]])[0][-1] == ("weft", "sft")
    traced = load_experiment(write(tmp_path, set_in("contrast", to=None))).traced_runs
    assert [run.method for run in traced] == ["base", "sft"]


@pytest.mark.parametrize("benchmarks", [None, {}])
def test_without_benchmarks_a_fine_tuning_needs_no_sampling_or_scoring(tmp_path, benchmarks):
    def edit(content):
        for key in ("sampling", "scoring", "statistics", "forbid_test_questions", "learning_curve"):
            del content[key]
        content["benchmarks"] = benchmarks

    described = load_experiment(write(tmp_path, edit))
    assert described.run_ids == [run.run_id for run in described.trained_runs]
    assert (described.comparisons, described.traced_runs) == ([], [])
    assert load_experiment(write(tmp_path, edit)).model_dump() == described.model_dump()
    with pytest.raises(ConfigError, match="sampling: this key is required"):
        load_experiment(write(tmp_path, lambda content: content.pop("sampling")))


def test_runs_are_the_base_and_the_whole_grid():
    experiment = load_experiment("experiments/tiny.yaml")
    runs = experiment.run_ids
    assert runs[:3] == ["base", "sft-worked-seed1", "sft-worked-seed2"]
    assert len(runs) == 1 + 2 * len(experiment.seeds)


SOURCE = {"source": "generated", "num_examples": 1, "seed": 1}
CUSTOM = {"source": "custom", "path": "x.py"}
HUB_FILE = {"source": "published", "instruction": "none", "file": {"repo": 1}}


@pytest.mark.parametrize(
    ("place", "value", "key", "got"),
    [
        ("training.epochs", True, "training.epochs", "True"),
        ("training.epochs", "many", "training.epochs", "'many'"),
        ("training.epochs", 0, "training.epochs", "0"),
        ("training.learning_rate", float("inf"), "training.learning_rate", "inf"),
        ("training.learning_rat", 1, "training.learning_rat", "1"),
        ("training.max_length", 9000, "training.max_length must be at most 256, ", "9000"),
        ("sampling.gen_lengths", [32, 256, 512], "sampling.gen_lengths must be below 256, ", "256, 512"),
        ("training.micro_batch_size", 5, "micro_batch_size=5", TINY["training"]["batch_size"]),
        ("training.zero_stage", 7, "training.zero_stage", "7"),
        ("training.lora.target_modules", ["nose"], "training.lora.target_modules.0", "'nose'"),
        ("methods.weft.preset", "wef", "methods.weft.preset", "'wef'\nCorrect"),
        ("methods.weft.masking", "uniform", "methods.weft: rate_source", "'entropy'"),
        ("sampling.gen_lengths", [32, 32], "sampling.gen_lengths", r"\[32, 32\]"),
        ("sampling.gen_lengths", [30], "block_length=8", "30"),
        ("sampling.temperature", -0.7, "sampling.temperature", "-0.7"),
        ("seeds", [1, 1], "seeds", r"\[1, 1\]"),
        ("seeds", [], "seeds", r"\[\]"),
        ("scoring", ["d1", "d1"], "scoring", r"\['d1', 'd1'\]"),
        ("rules", ["d1"], "rules", "'scoring'"),  # the key of earlier versions
        ("contrast", ["weft", "dpo"], "contrast .* or be null, got", r"\('weft', 'dpo'\)"),
        ("further_contrasts", [["weft", "dpo"]], r"further_contrasts\[0\]", r"\('weft', 'dpo'\)"),
        ("further_contrasts", [["sft", "weft"]], r"further_contrasts\[0\]", r"\('sft', 'weft'\)"),
        ("further_contrasts", [["sft", "base"]], r"further_contrasts\[0\]", r"\('sft', 'base'\) again"),
        ("further_contrasts", [["base", "weft"]], r"further_contrasts\[0\]", r"\('base', 'weft'\)"),
        ("further_contrasts", [["weft", "weft"]], r"further_contrasts\[0\]", r"\('weft', 'weft'\)"),
        ("contrast", ["base", "sft"], "contrast must name two", r"\('base', 'sft'\)"),
        ("benchmarks.chess", SOURCE, "benchmarks", "'chess'"),
        ("benchmarks.chess", {}, "benchmarks.chess.source", "nothing"),
        ("benchmarks.average", CUSTOM, "benchmarks", "'average'"),
        ("benchmarks.gsm8k", CUSTOM, "benchmarks", "'gsm8k'"),
        ("benchmarks.chess", CUSTOM | {"source": "own"}, "benchmarks.chess.source", "'custom'"),
        ("benchmarks.gsm8k", HUB_FILE, "benchmarks.gsm8k.file.repo", "1"),
        ("base_model.recipe.architecture.hidden_size", 129, "2 x num_heads", "129"),
        ("base_model.source", "ftp", "base_model.source", "'ftp'"),
        ("base_model.shipped_sha256", "abc", "base_model.shipped_sha256", "'abc'"),
        ("name", "other", "name: .*'tiny'", "'other'"),
        ("kind", "finetuning", "kind: .*'fine-tuning'", "'finetuning'"),
    ],
)
def test_a_wrong_value_is_shown_with_its_key(tmp_path, place, value, key, got):
    with pytest.raises(ConfigError, match=rf"tiny.yaml is not valid:\n(.*\n)?  .*{key}.*{got}"):
        load_experiment(write(tmp_path, set_in(*place.split("."), to=value)))


@pytest.mark.parametrize("place", ["sampling", "sampling.early_stop", "training.lora"])
def test_keys_without_default_are_required(tmp_path, place):
    *sections, key = place.split(".")

    def edit(content):
        for section in sections:
            content = content[section]
        del content[key]

    with pytest.raises(ConfigError, match=rf"  {place}: this key is required"):
        load_experiment(write(tmp_path, edit))


def test_adapters_are_merged_only_if_there_are_some(tmp_path):
    def edit(content):
        content["sampling"]["merge_adapters"] = True
        content["training"] |= {"lora": None, "zero_stage": 2}

    with pytest.raises(ConfigError, match=r"training.lora .*sampling.merge_adapters"):
        load_experiment(write(tmp_path, edit))


def test_all_wrong_values_are_in_one_message(tmp_path):
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
        ("name: tiny\nname: tiny\n", r"tiny.yaml, line 2: key given twice: 'name', which line 1 has as well"),
    ],
)
def test_files_that_do_not_hold_settings_are_refused(tmp_path, text, message):
    (tmp_path / "tiny.yaml").write_text(text)
    with pytest.raises(ConfigError, match=message):
        load_experiment(tmp_path / "tiny.yaml")


def test_a_missing_file_is_named():
    with pytest.raises(ConfigError, match=r"nowhere.yaml: .* got none"):
        load_experiment("nowhere.yaml")


def test_scientific_notation_without_a_point_is_a_number(tmp_path):
    file = write(tmp_path, lambda content: None)
    text = re.sub(r"  learning_rate: [\d.]+\n  lora", "  learning_rate: 1e-3\n  lora", file.read_text())
    file.write_text(text)
    assert load_experiment(file).training.learning_rate == 1e-3


def test_published_generations_need_their_fields(tmp_path):
    content = yaml.safe_load(Path("experiments/d1-baselines.yaml").read_text())
    content["generations"]["pattern"] = "{benchmark}.json"
    (tmp_path / "d1-baselines.yaml").write_text(yaml.safe_dump(content))
    with pytest.raises(ConfigError, match=r"generations.pattern: .* got '{benchmark}.json'"):
        load_experiment(tmp_path / "d1-baselines.yaml")


def replace_in_tiny(tmp_path, *changes, name="tiny"):
    """Write the text of the tiny experiment with changes to a file."""
    text = Path("experiments/tiny.yaml").read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    file = tmp_path / f"{name}.yaml"
    file.write_text(text)
    return file


@pytest.mark.parametrize("name", ["2024_01", "1e5", "0x10", "007", "true", "null", "on", "2025-10-10", "1.0"])
@pytest.mark.parametrize("quote", ["", '"'])
def test_a_name_may_look_like_a_number(tmp_path, name, quote):
    file = replace_in_tiny(tmp_path, ("name: tiny", f"name: {quote}{name}{quote}"), name=name)
    assert load_experiment(file).name == name


def test_numbers_are_texts_where_texts_are_wanted(tmp_path):
    changes = [
        ("  weft: {preset", "  2024_01: {preset"),
        ("contrast: [weft, sft]", "contrast: [2024_01, sft]"),
    ]
    experiment = load_experiment(
        replace_in_tiny(tmp_path, *changes, ('prefill: "<reasoning>"', "prefill: 010"))
    )
    assert experiment.contrast == ("2024_01", "sft")
    assert experiment.run_ids[-1] == "2024_01-worked-seed5"
    assert experiment.sampling.prefill == "010"


HASH = '"487d66775dc7cce92450862dafd2c917917f6c8ff69e51661679551de5d322ee"'


@pytest.mark.parametrize("digits", ["48" * 32, "1" * 60 + "2e17", "0" * 64])
def test_a_hash_may_look_like_a_number(tmp_path, digits):
    experiment = load_experiment(replace_in_tiny(tmp_path, (HASH, digits)))
    assert experiment.base_model.shipped_sha256 == digits


RATE = "  learning_rate: 4.0e-3"
GSM8K = "  gsm8k: {source: generated, num_examples: 250, seed: 63}"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (RATE, "  learning_rate: 1e–3", "line 90, training.learning_rate: .*; write a minus sign as -"),
        (RATE, "  learning_rate: '1e-3'", "training.learning_rate: .*; write a number without quotes"),
        (RATE, "  learning_rate: 0,001", "training.learning_rate: .*; write a decimal point"),
        ("seeds: [1,", "seeds: [010,", "line 13, seeds.0: .*; write a number without leading zeros"),
        ("seeds: [1,", "seeds: [1:36,", "line 13, seeds.0: expected a valid integer; got '1:36'"),
        ("contrast: [weft, sft]", "contrast: [weft, SFT]", r"line 83, contrast must .*\['sft', 'weft'\]"),
        ("contrast: [weft, sft]", "contrast: [on, sft]", "line 83, contrast.0: .* from on; put it in quotes"),
        ("  worked:", "  GSM8K_train:", "line 75, datasets.GSM8K_train: .* such as 'gsm8k_train'"),
        ("  worked:", "  my worked:", "line 75, datasets.my worked: .*letters.*'my-worked'"),
        ("  worked:", "  a–b:", "line 75, datasets.a–b: .* such as 'a-b'"),
        ("name: tiny", "name: Mine", "line 6, name: expected lower-case letters and digits.*; got 'Mine'"),
        ("name: tiny", "name: other", "line 6, name: must be the name of the file, 'tiny', got 'other'"),
        ('prefill: "<reasoning>"', "prefill: “<reasoning>”", "line 129: expected straight quotes"),
        ('prefill: "<reasoning>"', 'prefill: "“<reasoning>”"', "line 129, sampling.prefill: must be in"),
        ('prefill: "<reasoning>"', "prefill: no", "sampling.prefill: .*reads from no; put it in quotes"),
        (HASH, "abc", "line 19, base_model.shipped_sha256: expected 64 hexadecimal digits"),
        ("  use: shipped", "  path: x", "line 17, base_model.path: unknown key"),
        (
            GSM8K,
            "  gsm8k: {source: published, instruction: none, file: {url: x, offline: y}}",
            r"(?s)line 118, benchmarks.gsm8k.file.url: .*\n  benchmarks.gsm8k.file.sha256: ",
        ),
        (GSM8K, "  gsm8k: {source: published, instruction: none, file: 5}", "gsm8k.file: expected keys with"),
        (
            GSM8K,
            "  gsm8k: {source: published, instruction: d1/x, file: {url: http://x, sha256: a, offline: y}}",
            "benchmarks.gsm8k.instruction: expected",
        ),
        (
            GSM8K,
            "  gsm8k: {source: published, instruction: {url: http://x}, file: {url: x, offline: y}}",
            "benchmarks.gsm8k.instruction.constant: this key is required",
        ),
        (GSM8K, "  gsm8k: {source: nowhere}", "line 118, benchmarks.gsm8k.source: expected one of"),
    ],
)  # fmt: skip
def test_a_message_shows_the_key_as_it_stands_in_the_file_with_its_line(tmp_path, old, new, message):
    lines = Path("experiments/tiny.yaml").read_text().splitlines()
    first = next(number for number, line in enumerate(lines, start=1) if old in line)
    # The numbers of lines in the messages are those of today's file.
    message = re.sub(r"line \d+", f"line {first}", message)
    with pytest.raises(ConfigError, match=message):
        load_experiment(replace_in_tiny(tmp_path, (old, new)))


def test_a_model_in_a_folder_is_named_by_its_keys_alone(tmp_path):
    source = {"source": "path", "folder": "x"}
    message = r"  base_model.path: this key is required, got nothing\n  line \d+, base_model.folder: "
    with pytest.raises(ConfigError, match=message):
        load_experiment(write(tmp_path, set_in("base_model", to=source)))


def test_a_wrong_value_in_the_extended_file_is_placed_there(tmp_path):
    base = replace_in_tiny(tmp_path, (RATE, "  learning_rate: fast"))
    file = tmp_path / "mine.yaml"
    file.write_text("extends: tiny.yaml\nname: mine\nseeds: [x]\n")
    number = 1 + [line[:17] for line in base.read_text().splitlines()].index("  learning_rate: ")
    with pytest.raises(ConfigError) as caught:
        load_experiment(file)
    assert f"  line {number} of {base}, training.learning_rate: expected a valid number; got 'fast'" in str(
        caught.value
    )
    assert "  line 3, seeds.0: expected a valid integer; got 'x'" in str(caught.value)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({"source": "hub", "dataset": "gsm8k"}, "datasets.mine: dataset must be owner/name or owner/name"),
        (
            {"source": "hub", "dataset": "a/b[train[:200%]]"},
            r"a split must have at most 100%, got 'train\[:200%\]'",
        ),
        ({"source": "hub", "dataset": "a/b[train:"}, "dataset must be owner/name"),
        (
            {"source": "hub", "dataset": "a/b[train]", "split": "test"},
            "split must not be given if dataset has one",
        ),
        (
            {"source": "hub", "dataset": "a/b", "split": "train+test"},
            "datasets.mine.split: a split must have a form",
        ),
        ({"source": "hub"}, "datasets.mine.dataset: this key is required"),
        ({"source": "hub", "files": []}, "datasets.mine.question: this key is required"),
        ({"source": "hub", "dataset": "a/b", "colums": {}}, "datasets.mine.colums: unknown key"),
        ({"source": "file", "path": []}, "path must name a file"),
        ({"source": "file", "path": ["a", ""]}, r"path must name a file, got \['a', ''\]"),
        ({"source": "file", "path": 3}, "datasets.mine.path: expected a valid list; got 3"),
        ({"source": "file", "path": ["a", "b"], "sha256": "0" * 64}, "sha256 is the hash of one file"),
        ({"source": "file", "path": "a", "columns": {"qestion": "q"}}, "datasets.mine.columns.qestion"),
    ],
)
def test_a_wrong_training_set_is_named_by_its_keys(tmp_path, source, message):
    with pytest.raises(ConfigError, match=message):
        load_experiment(write(tmp_path, set_in("datasets", to={"mine": source})))


def test_a_training_set_on_the_hub_has_its_split_beside_or_behind_its_name(tmp_path):
    behind, beside = (
        load_experiment(write(tmp_path, set_in("datasets", to={"mine": {"source": "hub", **keys}}))).datasets[
            "mine"
        ]
        for keys in ({"dataset": "a/b[test:5]"}, {"dataset": "a/b", "split": "test[:5]"})
    )
    assert behind.rows == beside.rows
    assert behind.repo == beside.repo == "a/b"
    assert behind.rows.name == "test"
