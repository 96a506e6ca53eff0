"""What differs from ``paper.yaml``, the hub that serves the rest, and the experiment file."""

import copy
import hashlib
from pathlib import Path
from typing import Any

import yaml

from tests.support.hub import Hub
from tests.support.rehearsal.checkpoints import dream_files, llada_files
from tests.support.rehearsal.contents import benchmark_files, instruction_source, open_r1, s1k, s1k_1_1
from weft.config.instructions import D1_TEXTS

PAPER = Path(__file__).resolve().parents[3] / "experiments" / "paper.yaml"
LLADA, DREAM = "GSAI-ML/LLaDA-8B-Instruct", "Dream-org/Dream-v0-Instruct-7B"
DREAM_COMMIT = "d" * 40
S1K_COMMIT = "5" * 40

TEXTS = {
    name: f"Instruction {number}: think inside <reasoning> tags, and answer inside <answer> tags.\n"
    for number, name in enumerate(D1_TEXTS)
}
"""Name of a text of d1 -> the text that stands in its place."""

Key = tuple[str, ...]


def _sha256(content: bytes | str) -> str:
    return hashlib.sha256(content.encode() if isinstance(content, str) else content).hexdigest()


def _instruction(name: str) -> dict[str, str]:
    """Return address and constant of a text of d1 with the hash of the text in its place."""
    return D1_TEXTS[name].model_dump() | {"sha256": _sha256(TEXTS[name])}


def differences() -> dict[Key, Any]:
    """Return every difference of the rehearsal from ``paper.yaml``: keys -> value."""
    tokenizer_files = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json")
    return {
        ("name",): "rehearsal",
        ("title",): "A rehearsal of the paper's grid",
        ("caption",): "Random networks and a few examples; the numbers mean nothing.",
        # Our own files have other hashes. Repositories, revisions, addresses and columns are the same.
        **{("base_model", "sha256", name): _sha256(llada_files()[name]) for name in tokenizer_files},
        **{
            ("datasets", name, "instruction"): _instruction("d1/sft") for name in ("s1k", "s1k.1.1", "openr1")
        },
        **{("benchmarks", name, "instruction"): _instruction(f"d1/{name}") for name in benchmark_files()},
        **{("benchmarks", name, "file", "sha256"): _sha256(file) for name, file in benchmark_files().items()},
        # Few and short examples.
        ("datasets", "openr1", "num_examples"): 16,
        ("benchmarks", "sudoku", "num_examples"): 2,
        ("benchmarks", "countdown", "num_examples"): 2,
        ("training", "epochs"): 1,
        ("training", "max_length"): 512,
    }


def dream_differences() -> dict[Key, Any]:
    """Return the further differences of a rehearsal with Dream."""
    return {
        ("name",): "rehearsal-dream",
        ("base_model", "repo"): DREAM,
        ("base_model", "revision"): DREAM_COMMIT,
        ("base_model", "sha256"): {"merges.txt": _sha256(dream_files()["merges.txt"])},
    }


def smaller_differences() -> dict[Key, Any]:
    """Return the further differences of a rehearsal that takes seconds: one training set, short answers."""
    paper = yaml.safe_load(PAPER.read_text("utf-8"))
    s1k_alone = paper["datasets"]["s1k"] | {"instruction": _instruction("d1/sft")}
    return {
        ("datasets",): {"s1k": s1k_alone},
        ("datasets", "s1k", "num_examples"): 16,  # one optimiser step
        ("training", "max_length"): 192,
        ("sampling", "gen_lengths"): [32],
    }


def write_experiment(folder: Path, *changes: dict[Key, Any]) -> Path:
    """Write an experiment that extends ``paper.yaml`` with these changes, of which later ones count."""
    paper = yaml.safe_load(PAPER.read_text("utf-8"))
    content = copy.deepcopy(paper)
    for keys, value in {key: value for change in changes for key, value in change.items()}.items():
        section = content
        for key in keys[:-1]:
            section = section[key]
        section[keys[-1]] = value
    changed = {key: value for key, value in content.items() if value != paper[key]}
    file = folder / f"{content['name']}.yaml"
    file.write_text(yaml.safe_dump({"extends": "paper.yaml"} | changed, sort_keys=False), "utf-8")
    return file


def rehearsal_hub() -> Hub:
    """Return a hub that serves everything that ``paper.yaml`` and its Dream variant download."""
    hub = Hub(stored_from=1_000_000)
    paper = yaml.safe_load(PAPER.read_text("utf-8"))
    for name, content in llada_files().items():
        hub.put(LLADA, name, content, commit=paper["base_model"]["revision"])
    for name, content in dream_files().items():
        hub.put(DREAM, name, content, commit=DREAM_COMMIT)
    for name, content in {"s1k": s1k(), "s1k.1.1": s1k_1_1(), "openr1": open_r1()}.items():
        (file,) = paper["datasets"][name]["files"]
        commit = S1K_COMMIT if file["revision"] == "main" else file["revision"]
        hub.put(f"datasets/{file['repo']}", file["file"], content, commit=commit)
    for name, content in benchmark_files().items():
        hub.mirror[paper["benchmarks"][name]["file"]["offline"]] = content
    for name, source in D1_TEXTS.items():
        hub.mirror[source.offline] = instruction_source(source.constant, TEXTS[name])
    return hub
