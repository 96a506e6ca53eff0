"""The plan of an experiment: what it runs, downloads and costs, and the resources of its jobs."""

from weft.plan.cost_lines import choose_gpus
from weft.plan.lines import plan_lines
from weft.plan.material import describe_material
from weft.plan.resources import JobResources, list_memory_warnings
from weft.plan.slurm import StatusChecks, check_cluster, read_cluster

__all__ = [
    "JobResources",
    "StatusChecks",
    "check_cluster",
    "choose_gpus",
    "describe_material",
    "list_memory_warnings",
    "plan_lines",
    "read_cluster",
]
