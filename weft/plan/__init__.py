"""The plan of an experiment: what it runs, downloads and costs, and the resources of its jobs."""

from weft.plan.cost_lines import DiskNeed, choose_gpus, disk_need, warn_of_memory
from weft.plan.lines import plan_lines
from weft.plan.material import describe_material
from weft.plan.needs import Need, Needs, find_needs
from weft.plan.resources import JobMemory, JobResources, list_memory_warnings
from weft.plan.slurm import StatusChecks, check_cluster, keep_jobs_without_answer, read_cluster

__all__ = [
    "DiskNeed",
    "JobMemory",
    "JobResources",
    "Need",
    "Needs",
    "StatusChecks",
    "check_cluster",
    "choose_gpus",
    "describe_material",
    "disk_need",
    "find_needs",
    "keep_jobs_without_answer",
    "list_memory_warnings",
    "plan_lines",
    "read_cluster",
    "warn_of_memory",
]
