"""Where a result comes from: commit, digests, seeds, versions and machine, in a file beside it."""

import hashlib
import importlib.metadata
import json
import platform
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import weft

PACKAGE_ROOT = Path(__file__).resolve().parent
RECORDED_PACKAGES = (
    "torch", "transformers", "deepspeed", "peft", "accelerate", "datasets", "tokenizers", "numpy", "pandas",
    "scipy", "matplotlib", "snakemake",
)  # fmt: skip


def digest(value: Any) -> str:
    """Return the SHA-256 of a JSON value, keys sorted, as 64 hex digits."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file; of a directory, that of its files' names and hashes.

    Sidecars are left out: they tell about the content and change with the machine.
    """
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.is_file() and not is_sidecar(file))
        return digest({str(file.relative_to(path)): file_sha256(file) for file in files})
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def source_digest(*rooms: str) -> str:
    """Return a digest of the source of some rooms, so that cheap steps can depend on their code."""
    files = [
        file
        for room in rooms
        for file in sorted([PACKAGE_ROOT / f"{room}.py", *(PACKAGE_ROOT / room).rglob("*")])
        if file.is_file() and "__pycache__" not in file.parts
    ]
    return digest({str(file.relative_to(PACKAGE_ROOT)): file_sha256(file) for file in files})[:16]


def sidecar_path(result: Path) -> Path:
    """Name the provenance file beside a result."""
    return result.with_name(f"{result.name}.provenance.json")


def is_sidecar(path: Path) -> bool:
    """Say whether a file is a provenance file."""
    return path.name.endswith(".provenance.json")


def write_sidecar(
    result: Path,
    *,
    settings: Mapping[str, Any],
    experiment: str,
    seed: int | None = None,
    inputs: Iterable[Path] = (),
    device: str = "cpu",
    notes: Mapping[str, Any] | None = None,
) -> None:
    """Write the provenance of a result.

    Args:
        result: the file or directory that was made.
        settings: the whole checked experiment.
        experiment: its name.
        seed: seed of the step, if it has one.
        inputs: files and directories that went in; their hashes are recorded.
        device: kind of device that computed it.
        notes: anything else worth keeping, as JSON values.
    """
    commit, dirty = git_state()
    record = {
        "weft_version": weft.__version__,
        "commit": commit,
        "dirty": dirty,
        "source_digest": source_digest(*sorted(room.stem for room in PACKAGE_ROOT.iterdir())),
        "experiment": experiment,
        "experiment_digest": digest(settings),
        "seed": seed,
        "versions": installed_versions(),
        "python": platform.python_version(),
        "machine": platform.machine(),
        "device": device,
        "inputs": {str(path): file_sha256(path) for path in inputs},
        "sha256": file_sha256(result),
    } | dict(notes or {})
    _write(record, result)


def merge_sidecars(parts: Sequence[Path], result: Path) -> None:
    """Write the provenance of a result that was put together from parts: theirs, as the first tells it.

    Args:
        parts: files with provenance beside them; those without are left out.
        result: what was made of them; gets no sidecar if no part has one.
    """
    paths = [sidecar_path(part) for part in parts]
    records = [json.loads(path.read_text()) for path in paths if path.exists()]
    if records:
        inputs = {name: found for record in records for name, found in record["inputs"].items()}
        own = {"inputs": inputs, "sha256": file_sha256(result), "parts": [one["sha256"] for one in records]}
        _write({key: value for key, value in records[0].items() if key != "shard"} | own, result)


def _write(record: Mapping[str, Any], result: Path) -> None:
    path = sidecar_path(result)
    temporary = path.with_suffix(".new")
    temporary.write_text(json.dumps(record, indent=1, sort_keys=True) + "\n")
    temporary.replace(path)


def git_state() -> tuple[str | None, bool | None]:
    """Return the commit of the source tree and whether tracked files differ; None outside of git."""
    commands = (["git", "rev-parse", "HEAD"], ["git", "status", "--porcelain", "--untracked-files=no"])
    try:
        commit, changes = (
            subprocess.run(
                command, cwd=PACKAGE_ROOT, capture_output=True, text=True, check=True, timeout=20
            ).stdout.strip()
            for command in commands
        )
    except (OSError, subprocess.SubprocessError):
        return None, None
    return commit, bool(changes)


def installed_versions() -> dict[str, str]:
    """Return the versions of the packages that can change a result, as far as installed."""
    versions = {}
    for name in RECORDED_PACKAGES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions
