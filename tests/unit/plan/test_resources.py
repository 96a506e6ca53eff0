"""The resources that the rules request follow from the costs of the experiment."""

from pathlib import Path

import pytest
import yaml

from weft.config import load_experiment, read_settings
from weft.costs import GPUS, gpu_hours
from weft.costs.stages import list_jobs
from weft.plan import JobResources, describe_material, list_memory_warnings
from weft.plan.resources import BASE_MB, MIN_MINUTES

PAPER, TINY = (load_experiment(f"experiments/{name}.yaml") for name in ("paper", "tiny"))
WEIGHTS_MB = 16_031


def settings(**changes):
    return read_settings().model_copy(update={"device": "cuda", "offline": []} | changes)


def resources(experiment=PAPER, **changes):
    return JobResources(experiment, describe_material(experiment, offline=[]).material, settings(**changes))


@pytest.mark.parametrize("stage", ["sample", "trace", "probe", "train", "gradients"])
def test_every_job_that_loads_the_8b_model_requests_its_memory(stage):
    name = "s1k" if stage in ("probe", "gradients") else "base" if stage != "train" else "sft-s1k-seed1"
    assert WEIGHTS_MB * 1.2 < resources().mem_mb(stage, name) < 3 * WEIGHTS_MB
    assert resources().mem_mb(stage, name, attempt=2) == 2 * resources().mem_mb(stage, name)


def test_each_process_of_a_training_loads_the_model():
    alone, four = (resources(train_processes=count).mem_mb("train", "sft-s1k-seed1") for count in (1, 4))
    assert four == pytest.approx(4 * alone, abs=4)


@pytest.mark.parametrize("offloads", [False, True])
def test_each_process_loads_the_whole_model_also_if_zero_divides_it_later(offloads):
    changes = {"zero_stage": 3, "offload_optimizer": offloads, "offload_parameters": offloads}
    divided = PAPER.model_copy(update={"training": PAPER.training.model_copy(update=changes)})
    assert resources(divided, train_processes=8).mem_mb("train", "sft-s1k-seed1") > 8 * WEIGHTS_MB


def test_offloaded_states_are_requested():
    changes = {"lora": None, "offload_optimizer": True}
    full = PAPER.model_copy(update={"training": PAPER.training.model_copy(update=changes)})
    assert resources(full).mem_mb("train", "sft-s1k-seed1") > 8 * WEIGHTS_MB


def test_the_time_of_a_training_is_divided_by_its_processes():
    jobs = list_jobs(PAPER, describe_material(PAPER, offline=[]).material, num_processes=1)
    (job,) = (job for job in jobs if job.name == "weft-openr1-seed1" and job.stage == "train")
    worst = gpu_hours(job.operations, GPUS["a100-80"])[1]
    assert resources().runtime("train", job.name) == pytest.approx(1.5 * 60 * worst, abs=1)
    assert resources(train_processes=4).runtime("train", job.name) == pytest.approx(
        1.5 * 60 * worst / 4, abs=1
    )


def test_the_time_of_sampling_suffices_without_early_stop_and_is_divided_by_the_shards():
    jobs = list_jobs(PAPER, describe_material(PAPER, offline=[]).material, num_processes=1)
    (job,) = (job for job in jobs if job.name == "base" and job.stage == "sample")
    longest = 60 * gpu_hours(job.without_stop, GPUS["a100-80"])[1]
    whole = resources().runtime("sample", "base")
    assert whole >= longest
    assert resources(sample_shards=4).runtime("sample", "base") == pytest.approx(whole / 4, abs=1)


def test_small_networks_on_the_processor_request_little():
    on_cpu = resources(TINY, device="cpu")
    for stage, name in [("train", "sft-worked-seed1"), ("sample", "base"), ("curve", "base")]:
        assert BASE_MB < on_cpu.mem_mb(stage, name) < BASE_MB + 200
        assert on_cpu.runtime(stage, name) == MIN_MINUTES
    assert BASE_MB < on_cpu.weights_mb() < BASE_MB + 10 < 40_000 < resources().weights_mb()


def test_a_target_that_is_no_job_of_the_experiment_requests_as_much_as_one():
    assert resources().mem_mb("trace", "weft-openr1-seed1") == resources().mem_mb("trace", "weft-s1k-seed1")


def test_a_training_that_fits_no_gpu_is_warned_of():
    full = PAPER.model_copy(update={"training": PAPER.training.model_copy(update={"lora": None})})
    (warning,) = list_memory_warnings(full, describe_material(full, offline=[]), settings())
    assert warning.startswith("experiment paper: training needs about 1")
    assert not [*list_memory_warnings(full, describe_material(full, offline=[]), settings(train_processes=8))]
    assert not [*list_memory_warnings(full, describe_material(full, offline=[]), settings(device="cpu"))]
    assert not [*list_memory_warnings(PAPER, describe_material(PAPER, offline=[]), settings())]


def test_no_profile_repeats_a_number_of_the_plan():
    for file in Path("profiles").glob("*/*.yaml"):
        content = yaml.safe_load(file.read_text())
        for rule, requested in content.get("set-resources", {}).items():
            assert not requested.keys() & {"mem_mb", "runtime", "gpu"}, f"{file}: {rule}"
