"""Check that the working tree gives the same numbers as an earlier commit, for `make same-results`.

Three groups of results are compared:

1. the results of a whole experiment: tables, training histories, adapters, generations and scores;
2. verdicts, credits and weights of stored generations, by `weft score`;
3. logits and tokens of checkpoints, by `tools/contract_numbers.py`.

The earlier commit is checked out in a git worktree below ``.same-results``, and its own ``make setup``
creates its environment. The working tree is copied there as well, so that its results are computed anew.
Each tree runs its own experiment files. Test data beside the repository is used if present.
"""

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tools.compare import Comparison, compare_csv, compare_json_lines, compare_tensors

REPOSITORY = Path(__file__).resolve().parent.parent
CACHE = REPOSITORY / ".same-results"
SCORINGS = ("d1", "strict")
BENCHMARKS = ("sudoku", "countdown", "gsm8k", "math500")
SCORE_FIELDS = ("example_id", "verdict", "credit", "weight")
TIME_TABLES = frozenset({"costs.csv"})
"""Tables that contain only times."""


@dataclass(frozen=True)
class Tree:
    """A checkout with the Python interpreter of its environment.

    Attributes:
        folder: root of the checkout.
        python: interpreter; the environment's commands lie beside it.
    """

    folder: Path
    python: Path

    def run(self, *arguments: str | Path) -> None:
        """Run a command of the environment in this tree; its output goes to the standard error stream."""
        path = f"{self.python.parent}{os.pathsep}{os.environ['PATH']}"
        command = [str(argument) for argument in arguments]
        environment = {**os.environ, "PATH": path, "PYTHONPATH": str(self.folder)}
        subprocess.run(command, cwd=self.folder, env=environment, stdout=sys.stderr, check=True)

    def run_python(self, *arguments: str | Path) -> None:
        """Run the interpreter in this tree."""
        self.run(self.python, *arguments)


def main() -> int:
    """Compare the trees; print a line for each comparison.

    Returns:
        Exit status: 0 if all numbers are the same, 1 if any differs.
    """
    options = _parse_options()
    _link_shared_data(options.shared)
    base = _existing_tree(options.base_tree) if options.base_tree else _checkout(options.base)
    comparisons: list[Comparison] = []
    groups = [_compare_scores(base, options.shared), _compare_models(base, options.shared)]
    if options.quick:
        print("skipped    results of the whole experiment: QUICK is set")
    else:
        groups.insert(0, _compare_results(base, options.experiment))
    for group in groups:
        for comparison in group:
            print(comparison.line(), flush=True)
            comparisons.append(comparison)
    num_different = sum(bool(comparison.differences) for comparison in comparisons)
    num_compared = sum(comparison.num_compared for comparison in comparisons)
    print(f"{len(comparisons)} comparisons of {num_compared} numbers, {num_different} with differences")
    return int(num_different > 0)


def _parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--base", default="HEAD", help="commit to compare with")
    parser.add_argument("--base-tree", type=Path, help="checkout of that commit that is already set up")
    parser.add_argument("--experiment", default="tiny", help="experiment to run in both trees")
    parser.add_argument("--quick", action="store_true", help="do not run the experiment")
    default = Path(os.environ.get("WEFT_SHARED", REPOSITORY.parent / "shared"))
    parser.add_argument("--shared", type=Path, default=default, help="folder whose data/ holds test data")
    return parser.parse_args()


def _link_shared_data(shared: Path) -> None:
    """Link the test data beside the trees, where experiments look for it (``offline`` in config.yaml)."""
    link = CACHE / "shared"
    if shared.is_dir() and not link.exists():
        CACHE.mkdir(exist_ok=True)
        link.symlink_to(shared.resolve(), target_is_directory=True)


def _existing_tree(folder: Path) -> Tree:
    python = folder.resolve() / ".venv/bin/python"
    if not python.exists():
        raise SystemExit(f"--base-tree must be a checkout with an environment in .venv, got {folder}")
    return Tree(folder.resolve(), python)


def _checkout(commit: str) -> Tree:
    """Check out a commit below the cache folder and set it up, once per commit."""
    name = _git("rev-parse", "--verify", f"{commit}^{{commit}}")
    folder = CACHE / name[:12]
    if not folder.exists():
        _git("worktree", "prune")
        _git("worktree", "add", "--detach", str(folder), name)
    tree = Tree(folder, folder / ".venv/bin/python")
    tree.run("make", "setup")
    return tree


def _copy_of_working_tree() -> Tree:
    """Copy the files that git tracks or does not ignore to a folder whose name contains their digest.

    Earlier copies are removed.
    """
    listed = _git("ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0")
    files = sorted(name for name in listed if name and (REPOSITORY / name).is_file())
    digest = hashlib.sha256()
    for name in files:
        digest.update(name.encode() + b"\0" + hashlib.sha256((REPOSITORY / name).read_bytes()).digest())
    folder = CACHE / f"working-{digest.hexdigest()[:12]}"
    for other in CACHE.glob("working-*"):
        if other != folder:
            shutil.rmtree(other)
    for name in files:
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(REPOSITORY / name, target)
    return Tree(folder, Path(sys.executable))


def _git(*arguments: str) -> str:
    command = ["git", *arguments]
    return subprocess.run(
        command, cwd=REPOSITORY, check=True, stdout=subprocess.PIPE, text=True
    ).stdout.strip()


def _compare_results(base: Tree, experiment: str) -> Iterator[Comparison]:
    """Run the experiment in both trees and compare its files."""
    folders = []
    for tree in (base, _copy_of_working_tree()):
        folder = tree.folder / "results" / experiment
        if not (folder / "tables/headline.csv").exists():
            tree.run("snakemake", "--cores", "all", "--config", f"experiment={experiment}")
        folders.append(folder)
    yield from compare_folders(*folders)


def compare_folders(base: Path, current: Path) -> Iterator[Comparison]:
    """Compare the results of an experiment, file by file.

    Args:
        base: its results before the change.
        current: its results after the change.

    Yields:
        A comparison for each table, history, adapter, file of generations and file of scores.
    """
    for name in _paths(base, current, "tables/*.csv"):
        if Path(name).name not in TIME_TABLES:
            yield _compare_files(name, base, current, compare_csv)
    for name in _paths(base, current, "runs/*/*.safetensors"):
        yield _missing(name, base, current) or compare_tensors(name, base / name, current / name)
    for pattern in ("runs/*/history.jsonl", "samples/*/*/*.jsonl", "scores/*/*/*/*.jsonl"):
        for name in _paths(base, current, pattern):
            yield _compare_files(name, base, current, compare_json_lines)


def _paths(base: Path, current: Path, pattern: str) -> list[str]:
    paths = {
        file.relative_to(folder).as_posix() for folder in (base, current) for file in folder.glob(pattern)
    }
    return sorted(paths)


def _missing(name: str, base: Path, current: Path) -> Comparison | None:
    states = [(folder / name).exists() for folder in (base, current)]
    return (
        None if all(states) else Comparison(name, 0, ["the file is " + ("missing" if states[0] else "new")])
    )


def _compare_files(
    name: str, base: Path, current: Path, compare: Callable[[str, str, str], Comparison]
) -> Comparison:
    missing = _missing(name, base, current)
    return missing or compare(name, (base / name).read_text(), (current / name).read_text())


def _compare_scores(base: Tree, shared: Path) -> Iterator[Comparison]:
    """Score stored generations by both scorings in both trees, and compare every line."""
    files = {f"reference answers, {name}": group for name, group in _reference_answers().items()}
    if not files:
        print("skipped    reference answers: tests/reference has no answers")
    published = shared / "data/d1_baselines"
    for benchmark in BENCHMARKS:
        group = sorted(published.glob(f"{benchmark}_*_generations.json"))
        if group:
            files[f"published generations, {benchmark}"] = group
    if not published.is_dir():
        print(f"skipped    published generations: there is no folder {published}")
    with tempfile.TemporaryDirectory() as folder:
        for name, group in files.items():
            for scoring in SCORINGS:
                comparison = _score_in_both(base, group, scoring, name, Path(folder))
                if comparison.differences:  # a busy machine may exceed a time limit of a comparison
                    comparison = _score_in_both(base, group, scoring, name, Path(folder))
                yield comparison


def _score_in_both(base: Tree, group: list[Path], scoring: str, name: str, folder: Path) -> Comparison:
    benchmark = name.rpartition(" ")[2]
    outs = [folder / f"{side}.jsonl" for side in ("base", "current")]
    for tree, out in zip((base, _here()), outs, strict=True):
        options = ("--benchmark", benchmark, "--rules", scoring)
        tree.run_python("-m", "weft", "score", *options, "--out", out, *group)
    before, after = (out.read_text() for out in outs)
    return compare_json_lines(f"{name}, {scoring}", before, after, only=SCORE_FIELDS)


def _reference_answers() -> dict[str, list[Path]]:
    """Find the shipped answers of each benchmark, in files such as answers-gsm8k.jsonl."""
    groups: dict[str, list[Path]] = {}
    for file in sorted((REPOSITORY / "tests/reference").rglob("*.jsonl")):
        with file.open() as lines:
            first = json.loads(next(lines, "{}"))
        if {"benchmark", "generation"} <= first.keys():
            groups.setdefault(first["benchmark"], []).append(file)
    return groups


def _compare_models(base: Tree, shared: Path) -> Iterator[Comparison]:
    """Compare logits and tokens of the shipped model and of the reference checkpoints."""
    checkpoints = [REPOSITORY / "experiments/tiny-base"]
    reference = shared / "data/reference"
    checkpoints += sorted(folder.parent for folder in reference.glob("*/model.safetensors"))
    if not reference.is_dir():
        print(f"skipped    reference checkpoints: there is no folder {reference}")
    driver = REPOSITORY / "tools/contract_numbers.py"
    with tempfile.TemporaryDirectory() as folder:
        outs = [Path(folder) / side for side in ("base", "current")]
        for tree, out in zip((base, _here()), outs, strict=True):
            out.mkdir()
            tree.run_python(driver, out, *checkpoints)
        for checkpoint in checkpoints:
            before, after = ((out / f"{checkpoint.name}.jsonl").read_text() for out in outs)
            yield compare_json_lines(f"logits and tokens, {checkpoint.name}", before, after)


def _here() -> Tree:
    return Tree(REPOSITORY, Path(sys.executable))


if __name__ == "__main__":
    sys.exit(main())
