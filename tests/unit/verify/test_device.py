import torch

from weft.verify.device import describe_machine, measure_matrix_rate


def test_a_processor_is_described_with_its_packages():
    machine = describe_machine(torch.device("cpu"), torch.float32)
    assert (machine.num_devices, machine.memory_gib, machine.driver) == (1, None, "")
    assert {"python", "torch", "transformers", "peft"} <= machine.versions.keys()
    assert machine.matrix_tflops > 0


def test_the_rate_counts_two_operations_for_each_product(monkeypatch):
    monkeypatch.setattr("weft.verify.device.time_in_turns", lambda *args, **kwargs: {"product": 2.0})
    assert measure_matrix_rate(torch.device("cpu"), torch.float32, size=4) == 10 * 2 * 64 / 2.0
