"""The smallest experiment that runs every step, as it is run and planned in a folder of its own."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from weft.provenance import file_sha256

REPOSITORY = Path(__file__).resolve().parents[2]
MICRO = f"experiment={REPOSITORY / 'tests' / 'workflow' / 'micro.yaml'}"


def command(directory, *arguments, processes=1, shards=1, experiment=MICRO, settings=()):
    own = Path("examples/custom_benchmark.py")
    if not (directory / own).exists():
        (directory / own).parent.mkdir(exist_ok=True)
        shutil.copy2(REPOSITORY / own, directory / own)
    return [
        sys.executable, "-m", "snakemake", "--snakefile", str(REPOSITORY / "Snakefile"),
        "--directory", str(directory),
        "--cores", "2", "--rerun-incomplete", *arguments, "--config", experiment,
        f"train_processes={processes}", f"sample_shards={shards}", *settings,
    ]  # fmt: skip


def environment():
    return os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}


def run(directory, *arguments, **settings):
    return subprocess.run(
        command(directory, *arguments, **settings),
        capture_output=True, text=True, timeout=1500, env=environment(), check=False,
    )  # fmt: skip


def digest_results(directory):
    """Return hashes of tables, answers and adapters; a model so small talks garbage, which tells every bit.

    The costs are times and differ.
    """
    root = directory / "results/micro"
    patterns = (
        "tables/*",
        "samples/*/*/*.jsonl",
        "runs/*/*.safetensors",
        "runs/*/adapter_config.json",
        "curves/*.jsonl",
    )
    files = [file for pattern in patterns for file in root.glob(pattern) if "provenance" not in file.name]
    files = [file for file in files if file.stem != "costs"]
    assert len(files) > 15
    return {str(file.relative_to(root)): file_sha256(file) for file in files}
