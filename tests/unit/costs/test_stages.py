import pytest

from weft.config import load_experiment
from weft.config.methods import Method
from weft.config.training import GradientStudy
from weft.costs import PUBLISHED_NETWORKS
from weft.costs.gpus import GPUS, gpu_hours
from weft.costs.memory import training_memory
from weft.costs.operations import Pass, sampling_operations, training_operations
from weft.costs.stages import PROMPT_TOKENS, Material, checkpoint_bytes, list_jobs, trained_bytes

NETWORK = PUBLISHED_NETWORKS["GSAI-ML/LLaDA-8B-Instruct"]
PAPER = load_experiment("experiments/paper.yaml")
MATERIAL = Material(
    networks=dict.fromkeys(PAPER.run_ids, NETWORK),
    num_examples={"s1k": 990, "s1k.1.1": 990, "openr1": 2970},
    num_questions={"sudoku": 256, "countdown": 256, "gsm8k": 1319, "math500": 500},
)


def jobs_of(experiment=PAPER, material=MATERIAL, num_processes=1):
    jobs = list_jobs(experiment, material, num_processes=num_processes)
    return {(job.stage, job.name): job for job in jobs}


def test_every_job_that_computes_with_a_model_is_listed():
    stages = [stage for stage, _ in jobs_of()]
    assert {stage: stages.count(stage) for stage in stages} == {
        "probe": 3,
        "train": 6,
        "sample": 7,
        "trace": 3,
    }


def test_a_training_costs_its_epochs_and_examples():
    job = jobs_of(num_processes=4)["train", "weft-s1k-seed1"]
    one = training_operations(NETWORK, PAPER.training, PAPER.methods["weft"])
    assert job.operations == 20 * 990 * one
    assert job.num_steps == 20 * 62
    assert job.num_tokens == 20 * 990 * 4096
    assert job.memory == training_memory(NETWORK, PAPER.training, num_processes=4)
    assert job.num_processes == 4
    assert job.disk_bytes == 4 * NETWORK.adapter_parameters(PAPER.training.lora)


def test_sft_on_s1k_takes_as_long_as_calculated_by_hand():
    """8 N operations per token with checkpointing, less what frozen weights save."""
    job = jobs_of()["train", "sft-s1k-seed1"]
    assert job.operations == pytest.approx(4.2e18, rel=0.05)
    best, worst = gpu_hours(job.operations, GPUS["h100"])
    assert 2.7 < best < 3.1 < 4.3 < worst < 4.8


def test_a_refreshed_probe_costs_one_pass_per_refresh():
    methods = {"weft": Method.model_validate({"preset": "weft-refreshed"})}
    changed = PAPER.model_copy(update={"methods": methods, "contrast": None})
    material = Material(
        dict.fromkeys(changed.run_ids, NETWORK), MATERIAL.num_examples, MATERIAL.num_questions
    )
    refreshed = jobs_of(changed, material)["train", "weft-s1k-seed1"]
    sft = jobs_of()["train", "sft-s1k-seed1"]
    passes = 20 * 990 * Pass(NETWORK, 4096, PAPER.training.lora).forward(4096)
    assert refreshed.operations - sft.operations == pytest.approx(passes)


def test_early_stop_denoises_the_share_of_the_published_answers():
    job = jobs_of()["sample", "base"]
    assert job.num_questions == 3 * 2331
    assert job.num_steps == 2331 * (64 + 128 + 256)
    assert 0.7 < job.operations / job.without_stop < 0.85
    whole = PAPER.model_copy(update={"sampling": PAPER.sampling.model_copy(update={"early_stop": False})})
    plain = jobs_of(whole)["sample", "base"]
    assert plain.operations == job.without_stop
    assert plain.without_stop is None


def test_adapters_cost_operations_unless_they_are_merged():
    one = PAPER.model_copy(update={"benchmarks": {"gsm8k": PAPER.benchmarks["gsm8k"]}})
    merged = one.model_copy(update={"sampling": one.sampling.model_copy(update={"merge_adapters": True})})
    base, unmerged = jobs_of(one)["sample", "base"], jobs_of(one)["sample", "sft-s1k-seed1"]
    assert unmerged.operations > base.operations
    assert jobs_of(merged)["sample", "sft-s1k-seed1"].operations == base.operations
    sizes = {"prompt_length": PROMPT_TOKENS, "lora": PAPER.training.lora}
    lengths = [
        sampling_operations(NETWORK, PAPER.sampling, gen_length=length, **sizes) for length in (128, 256, 512)
    ]
    assert unmerged.without_stop == pytest.approx(1319 * sum(lengths))


def test_gradient_studies_and_learning_curves_are_listed():
    tiny = load_experiment("experiments/tiny.yaml")
    study = GradientStudy(num_examples=8, num_draws=16, seed=1)
    changed = tiny.model_copy(update={"gradient_study": study})
    material = Material(
        dict.fromkeys(tiny.run_ids, NETWORK), {"worked": 1000}, dict.fromkeys(tiny.benchmark_names, 250)
    )
    jobs = jobs_of(changed, material)
    assert jobs["gradients", "worked"].num_tokens == 8 * 16 * 2 * tiny.training.max_length
    curve = jobs["curve", "sft-worked-seed1"]
    assert curve.num_questions == 4 * tiny.learning_curve.num_points * tiny.learning_curve.num_examples


def test_an_evaluation_trains_nothing_and_stored_generations_need_no_model():
    evaluation = load_experiment("experiments/published-s1k.yaml")
    material = Material(dict.fromkeys(evaluation.run_ids, NETWORK), num_questions=MATERIAL.num_questions)
    assert {stage for stage, _ in jobs_of(evaluation, material)} == {"sample", "trace"}
    stored = load_experiment("experiments/d1-baselines.yaml")
    assert list_jobs(stored, Material(networks={}), num_processes=1) == []


def test_sizes_on_disk():
    full = PAPER.training.model_copy(update={"lora": None})
    assert trained_bytes(NETWORK, full) == 2 * NETWORK.num_parameters
    adapters = NETWORK.adapter_parameters(PAPER.training.lora)
    # As measured on small networks: the files of transformers, those of DeepSpeed, the states of AdamW.
    assert checkpoint_bytes(NETWORK, full) == (2 + 2 + 12) * NETWORK.num_parameters
    assert checkpoint_bytes(NETWORK, PAPER.training) == (4 + 4 + 12) * adapters
    plain = PAPER.training.model_copy(update={"zero_stage": 0})
    assert checkpoint_bytes(NETWORK, plain) == (4 + 4 + 8) * adapters
