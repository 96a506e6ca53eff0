import json
import shutil
from pathlib import Path

import pytest
import yaml

from weft.config import Evaluation, load_experiment
from weft.config.sources import HubModel, LocalModel
from weft.data.context import check_before_jobs, read_context, require_room_for_answers
from weft.errors import ConfigError, SamplingError
from weft.provenance import write_provenance

HUB = HubModel(source="hub", repo="owner/name", revision="main")


def copy_base(folder, **fields):
    """Copy the shipped base model, with other fields in its configuration."""
    shutil.copytree("experiments/tiny-base", folder)
    (folder / "config.json").write_text(json.dumps(fields))
    return folder


@pytest.fixture
def folder(tmp_path):
    """A checkpoint directory whose context is 64 tokens."""
    return copy_base(tmp_path / "owner/name", model_type="llada", max_sequence_length=64)


def described(source, *, max_length=62, gen_lengths=(32,), **training):
    tiny = load_experiment("experiments/tiny.yaml")
    return tiny.model_copy(
        update={
            "base_model": source,
            "training": tiny.training.model_copy(update={"max_length": max_length, **training}),
            "sampling": tiny.sampling.model_copy(update={"gen_lengths": list(gen_lengths)}),
        }
    )


def check(experiment, num_processes=1, **further):
    check_before_jobs(experiment, num_processes=num_processes, **further)


def test_lengths_within_the_context_of_a_local_model_pass(folder):
    check(described(LocalModel(source="path", path=str(folder)), max_length=64, gen_lengths=(32, 63)))


@pytest.mark.parametrize(
    ("lengths", "messages"),
    [
        ({"max_length": 65}, ["training.max_length must be at most 64, .* got 65"]),
        ({"gen_lengths": (32, 64, 128)}, ["sampling.gen_lengths must be below 64, .* got 64, 128"]),
        (
            {"max_length": 512, "gen_lengths": (512,)},
            ["training.max_length must be at most 64, .* got 512", "sampling.gen_lengths .* got 512"],
        ),
    ],
)
def test_lengths_beyond_the_context_of_a_local_model_are_refused(folder, lengths, messages):
    experiment = described(LocalModel(source="path", path=str(folder)), **lengths)
    for message in messages:
        whole = rf"'tiny' with the base model {folder} is not valid:\n(.*\n)?.*{message}"
        with pytest.raises(ConfigError, match=whole):
            check(experiment)


def test_a_model_of_the_hub_is_checked_if_it_is_offline(folder, tmp_path):
    experiment = described(HUB, max_length=65)
    check(experiment)
    with pytest.raises(ConfigError, match=f"base model {folder} is not valid"):
        check(experiment, offline=[str(tmp_path / "absent"), str(tmp_path)])


def test_a_model_of_the_hub_is_checked_if_it_was_placed_before(folder):
    experiment = described(HUB, max_length=65)
    notes = {"source": HUB.model_dump(mode="json")}
    check(experiment, placed=folder)
    write_provenance(folder, settings={}, experiment="tiny", notes=notes)
    with pytest.raises(ConfigError, match="max_length must be at most 64"):
        check(experiment, placed=folder)
    other = HubModel(source="hub", repo="owner/other", revision="main")
    check(described(other, max_length=65), placed=folder)


@pytest.mark.parametrize(("num_processes", "batch_size"), [(3, 32), (4, 32), (64, 32), (5, 48)])
def test_processes_that_do_not_divide_the_batch_are_refused(num_processes, batch_size):
    experiment = described(HUB, batch_size=batch_size, micro_batch_size=16)
    message = rf"batch_size={batch_size} must be .* 16 x {num_processes}; train_processes may be 1, [23], or"
    with pytest.raises(ConfigError, match=message):
        check(experiment, num_processes)
    check(experiment, batch_size // 16)


def evaluation(tmp_path, **models):
    tiny = yaml.safe_load(Path("experiments/tiny.yaml").read_text())
    content = {"name": "mine", "kind": "evaluation", "title": "Models", "caption": "Models."}
    content |= {key: tiny[key] for key in ("benchmarks", "sampling", "scoring", "statistics")}
    content["models"] = {
        name: {"source": "path", "path": str(path)} | further for name, (path, further) in models.items()
    }
    return Evaluation.model_validate(content | {"sampling": tiny["sampling"] | {"gen_lengths": [64]}})


def test_each_checkpoint_of_an_evaluation_has_its_own_context(folder, tmp_path):
    large = copy_base(tmp_path / "large", model_type="Dream", max_position_embeddings=4096)
    check(evaluation(tmp_path, large=(large, {})))
    with pytest.raises(ConfigError, match=rf"(?s)model {folder} is not valid.*must be below 64") as caught:
        check(evaluation(tmp_path, large=(large, {}), small=(folder, {})))
    assert "training.max_length" not in str(caught.value)
    base = {"source": "path", "path": str(folder)}
    with pytest.raises(ConfigError, match="must be below 64"):
        check(evaluation(tmp_path, tuned=(large, {"base": base})))
    with pytest.raises(ConfigError, match=r"models.tuned.base.path: expected a directory; got nowhere"):
        check(evaluation(tmp_path, tuned=(large, {"base": base | {"path": "nowhere"}})))
    with pytest.raises(ConfigError, match=r"models.one.path: expected a directory; got nowhere"):
        check(evaluation(tmp_path, one=("nowhere", {})))


def test_stored_generations_need_neither_model_nor_processes():
    check(load_experiment("experiments/d1-baselines.yaml"), 3)


@pytest.mark.parametrize(
    ("content", "context"),
    [
        ({"model_type": "llada", "max_sequence_length": 4096}, 4096),
        ({"model_type": "Dream", "max_position_embeddings": 131072}, 131072),
        ({"model_type": "llada", "max_sequence_length": "4096"}, None),
        ({"model_type": "llada"}, None),
        ({"model_type": ["llada"], "max_sequence_length": 4096}, None),
        ({"model_type": "llama", "max_position_embeddings": 4096}, None),
        ([4096], None),
    ],
    ids=str,
)
def test_the_context_is_read_from_the_configuration(tmp_path, content, context):
    assert read_context(tmp_path) is None
    (tmp_path / "config.json").write_text(json.dumps(content))
    assert read_context(tmp_path) == context


def test_an_invalid_configuration_is_left_to_the_job_that_loads_it(tmp_path):
    (tmp_path / "config.json").write_text("{")
    assert read_context(tmp_path) is None


def test_the_shipped_model_has_the_context_that_its_recipe_states():
    recipe = load_experiment("experiments/tiny.yaml").base_model.recipe
    assert read_context(Path("experiments/tiny-base")) == recipe.architecture.max_length


def test_prompts_that_leave_no_room_are_counted_and_named(tmp_path):
    lengths = {"a": 32, "b": 33, "c": 10, "d": 64}
    require_room_for_answers(lengths, 0, context=64, source=tmp_path)
    message = "got 2 of 4 prompts .* gen_length 32, such as example_id b with 33, d with 64 tokens"
    with pytest.raises(SamplingError, match=message):
        require_room_for_answers(lengths, 32, context=64, source=tmp_path)
