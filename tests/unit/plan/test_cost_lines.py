"""What the plan says of hours, memory, disk space and early stop."""

import re

import pytest

from weft.config import load_experiment
from weft.costs import GPUS
from weft.costs.memory import MemoryParts
from weft.costs.stages import Job
from weft.errors import ConfigError
from weft.plan.cost_lines import choose_gpus, cost_lines, num_ranks, wall_hours, warn_of_memory
from weft.plan.material import describe_material

PAPER = load_experiment("experiments/paper.yaml")


def lines_of(experiment, gpu=None, num_gpus=1):
    found = describe_material(experiment, offline=[])
    return "\n".join(cost_lines(experiment, found, choose_gpus(gpu), num_gpus=num_gpus))


def test_the_hours_of_the_paper():
    text = lines_of(PAPER)
    assert "if 40 to 25 % of the peak performance in bfloat16 are reached" in text
    assert "training: 6 jobs, 12,400 steps, 811 million tokens; 34 to 54 H100 hours, 106 to 170 A100" in text
    assert "sampling: 7 jobs, 7,310,016 steps, 48,951 answers, 14.6 million tokens; 34 to 54 H100" in text
    assert "early stop saves 21 % of the sampling, 8.7 to 14 H100 hours" in text
    assert "assumed: a prompt has 200 tokens" in text


def test_the_memory_of_the_paper():
    text = lines_of(PAPER)
    assert "peak memory of a GPU in GiB, with 1 GPU for a training" in text
    assert re.search(r"training: 22\.6 \(weights 15\.3, gradients 0\.4, .*\): fits H100 \(79\.1\)", text)
    assert "disk: 16.0 GB of base models, 2.4 GB of results, 4.0 GB for each training that runs" in text


def test_all_parameters_do_not_fit_one_gpu():
    full = PAPER.model_copy(update={"training": PAPER.training.model_copy(update={"lora": None})})
    assert re.search(r"training: 1\d\d\.\d .*DOES NOT FIT H100", lines_of(full))
    assert re.search(r"with 8 GPUs for a training:(\n.*)*training: .*: fits H100", lines_of(full, num_gpus=8))
    found = describe_material(full, offline=[])
    (warning,) = warn_of_memory(full, found, choose_gpus("h100"), num_processes=1)
    assert "training needs about" in warning
    assert "zero_stage 3 or offload_optimizer" in warning
    assert not [*warn_of_memory(full, found, choose_gpus("h100"), num_processes=8)]


def test_offloaded_states_are_named():
    changes = {"lora": None, "offload_optimizer": True}
    full = PAPER.model_copy(update={"training": PAPER.training.model_copy(update=changes)})
    assert "CPU memory for offloaded states: 119 GiB" in lines_of(full)


def test_one_kind_of_gpu_and_several_of_them():
    text = lines_of(PAPER, gpu="4090", num_gpus=8)
    assert "H100" not in text
    assert "tight on RTX 4090 (23.6)" in text
    assert re.search(r"with 8 RTX 4090: \d+ to \d+ hours, 8 for a training", text)


def test_more_gpus_than_jobs_are_of_no_use():
    many = lines_of(PAPER, gpu="h100", num_gpus=10**9)
    hours = re.findall(r"H100: (.*) hours, 16 for a training \(train_processes=16\)", many)
    assert hours == re.findall(r"H100: (.*) hours, 16 ", lines_of(PAPER, gpu="h100", num_gpus=16 * 7))


def test_the_steps_of_a_confidence_threshold_are_assumed():
    modes = {"kv_cache": "dual", "confidence_threshold": 0.9, "tokens_per_step": None}
    sampling = PAPER.sampling.model_copy(update=modes)
    assert "a sampling step reveals one token" in lines_of(PAPER.model_copy(update={"sampling": sampling}))
    assert "a sampling step" not in lines_of(PAPER)


def test_an_unknown_gpu_is_an_error_that_lists_the_known_ones():
    with pytest.raises(ConfigError, match="a100-40"):
        choose_gpus("a1000")


def test_a_model_from_scratch_takes_no_time_worth_naming():
    text = lines_of(load_experiment("experiments/tiny.yaml"))
    assert "all: under 0.01 H100 hours" in text
    assert "early stop" not in text


def test_an_evaluation_has_no_training():
    text = lines_of(load_experiment("experiments/published-s1k.yaml"), num_gpus=4)
    assert "training" not in text
    assert "disk: 62.5 GB of base models" in text  # four models of two sizes
    assert re.search(r"with 4 H100: \d\.\d to \d\.\d hours\n", text)


def test_stored_generations_cost_nothing():
    assert lines_of(load_experiment("experiments/d1-baselines.yaml")) == ""


@pytest.mark.parametrize(("num_gpus", "ranks"), [(1, 1), (3, 2), (8, 8), (12, 8), (64, 16)])
def test_the_ranks_divide_the_batch(num_gpus, ranks):
    assert num_ranks(PAPER, num_gpus) == ranks
    assert num_ranks(load_experiment("experiments/published-s1k.yaml"), num_gpus) == 1


def test_stages_run_one_after_another_with_their_jobs_side_by_side():
    gpu = GPUS["h100"]
    hour = gpu.peak_flops * 3600 * 0.25

    def jobs(stage, hours, num_processes=1):
        memory = MemoryParts(weights=0)
        return [Job(stage, str(n), n * hour, memory, num_processes=num_processes) for n in hours]

    stages = [jobs("train", [4, 4], num_processes=2), jobs("sample", [3, 2, 2])]
    assert wall_hours(stages, gpu, 1)[1] == pytest.approx(2 + 2 + 7)
    assert wall_hours(stages, gpu, 2)[1] == pytest.approx(2 + 2 + 4)
    assert wall_hours(stages, gpu, 4)[1] == pytest.approx(2 + 3)
