"""Description of the machine, and compilation of DeepSpeed's extension for CPUs."""

import os
import platform
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import torch

from weft.config.places import find_path
from weft.errors import TrainingError
from weft.provenance import git_state, installed_versions


def extensions_folder() -> Path:
    """Return the folder of compiled extensions, in which torch also makes a lock.

    It is inside the Python environment. If this cannot be written, as in a container or an environment of
    several users, it is in the user's cache.
    """
    if given := os.environ.get("TORCH_EXTENSIONS_DIR"):
        return Path(given)
    environment = Path(sys.prefix) / "torch_extensions"
    folders = [environment, *environment.glob("*")] if environment.exists() else [environment.parent]
    if all(os.access(folder, os.W_OK) for folder in folders):
        return environment
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "weft" / f"torch_extensions_{sys.version_info[0]}.{sys.version_info[1]}"


def build_extensions() -> None:
    """Compile DeepSpeed's shared-memory communication for CPU ranks, before the first training needs it.

    Raises:
        TrainingError: there is no C++ compiler.
    """
    if torch.cuda.is_available():
        return
    if shutil.which("c++") is None and shutil.which("g++") is None:
        raise TrainingError("DeepSpeed on the CPU requires a C++ compiler, found none; install g++")
    os.environ["TORCH_EXTENSIONS_DIR"] = str(extensions_folder())
    os.environ["DS_ACCELERATOR"] = "cpu"
    from deepspeed.ops.op_builder.cpu import ShareMemCommBuilder

    ShareMemCommBuilder().load(verbose=False)


def machine_lines(offline: list[str]) -> Iterator[str]:
    """Describe the machine, the installed versions and the offline folders.

    Args:
        offline: folders that are searched before a download.

    Yields:
        Lines of text.
    """
    commit, dirty = git_state()
    yield f"python {platform.python_version()} on {platform.machine()}, {os.cpu_count()} cores"
    yield f"commit {commit or 'unknown'}{' with uncommitted changes' if dirty else ''}"
    gpus = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    yield f"GPUs: {', '.join(gpus) or 'none, everything runs on the CPU'}"
    yield f"C++ compiler: {shutil.which('c++') or shutil.which('g++') or 'none'}"
    yield from (f"{name} {version}" for name, version in installed_versions().items())
    for folder in offline:
        yield f"offline folder {folder}: {'present' if find_path(folder).is_dir() else 'absent'}"
