import pytest

from weft.cli.shared import load_fine_tuning
from weft.costs import GPUS, PUBLISHED_NETWORKS
from weft.model import LladaConfig
from weft.verify import planned
from weft.verify.records import Machine

LLADA = LladaConfig(
    vocab_size=126464,
    hidden_size=4096,
    intermediate_size=12288,
    num_hidden_layers=32,
    num_attention_heads=32,
    num_key_value_heads=32,
)


def machine(device, memory_gib):
    return Machine(
        device=device, num_devices=1, memory_gib=memory_gib, matrix_tflops=2.0, driver="", versions={}
    )


@pytest.mark.parametrize(
    ("device", "memory", "name"),
    [
        ("NVIDIA H100 80GB HBM3", 79.2, "h100"),
        ("NVIDIA A100-SXM4-80GB", 79.3, "a100-80"),
        ("NVIDIA A100-SXM4-40GB", 39.4, "a100-40"),
        ("NVIDIA GeForce RTX 4090", 23.6, "4090"),
        ("NVIDIA GeForce RTX 3090", 23.7, None),
        ("NVIDIA H100 PCIe", 79.2, None),
        ("NVIDIA H200", 139.8, None),
        ("x86_64", None, None),
    ],
)
def test_the_gpus_of_the_plan_are_recognised(device, memory, name):
    assert planned.find_gpu(machine(device, memory)) == (None if name is None else GPUS[name])


def test_the_peak_of_an_unknown_device_is_the_measured_rate():
    peak = planned.find_peak(machine("x86_64", None))
    assert peak.flops == 2e12
    assert peak.seconds(1e12) is None


def test_the_expected_time_lies_between_the_assumed_shares_of_the_peak():
    low, high = planned.find_peak(machine("NVIDIA H100 80GB HBM3", 79.2)).seconds(989e12)
    assert (low, high) == pytest.approx((1 / 0.4, 1 / 0.25))


def test_the_network_is_that_of_the_plan():
    assert planned.network_of(LLADA) == PUBLISHED_NETWORKS["GSAI-ML/LLaDA-8B-Instruct"]


def test_a_step_of_the_paper_is_in_the_expected_range():
    experiment = load_fine_tuning("paper")
    sft, weft = (
        planned.step_operations(LLADA, experiment.training, experiment.methods[name], answer_tokens=4096)
        for name in ("sft", "weft")
    )
    assert 2e14 < sft < 2.6e14  # about three passes of 8e9 parameters over 4,096 tokens
    assert 1.25 < weft / sft < 1.4
    assert 16 < planned.step_gib(LLADA, experiment.training, num_processes=1) < 40


def test_the_sampler_computes_less_than_the_plain_loop():
    sampling = load_fine_tuning("paper").sampling
    plain = planned.plain_operations(LLADA, [200] * 8, gen_length=512, num_steps=256)
    exact = planned.answer_operations(LLADA, sampling, [200] * 8, gen_length=512)
    half = planned.answer_operations(LLADA, sampling, [200] * 8, gen_length=512, share_of_blocks=0.5)
    assert 0.85 < exact / plain < 1
    assert half == pytest.approx(exact / 2)
