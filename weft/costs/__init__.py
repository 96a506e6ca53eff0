"""Costs of an experiment before it runs: operations, memory, hours, disk space and early stop.

The formulas are closed and need no tensor library, so that the Snakefile can request resources by them. Tests
compare them with the counter of operations of PyTorch, with the tensors that a training step saves, and with
published costs (decisions 51 and 52).
"""

from weft.costs.gpus import GPUS, Gpu, gpu_hours
from weft.costs.memory import MemoryParts, sampling_memory, training_memory
from weft.costs.networks import PUBLISHED_NETWORKS, Network, read_network
from weft.costs.operations import Pass, sampling_operations, training_operations

__all__ = [
    "GPUS",
    "PUBLISHED_NETWORKS",
    "Gpu",
    "MemoryParts",
    "Network",
    "Pass",
    "gpu_hours",
    "read_network",
    "sampling_memory",
    "sampling_operations",
    "training_memory",
    "training_operations",
]
