"""Checks of provenance: a result has the content that was recorded, and so have its inputs."""

from collections.abc import Collection, Iterator
from pathlib import Path, PurePosixPath

from weft.audit.ledger import Ledger
from weft.audit.tree import ResultTree
from weft.layout import PROVENANCE_ENDING, STORED_ENDING
from weft.provenance import digest, file_sha256
from weft.records import Provenance

AGAIN = "delete it with its provenance file, and run the workflow again"


def check_content(tree: ResultTree, ledger: Ledger, name: str, recorded: Provenance) -> None:
    """Check that a result has the content that its provenance records, file by file for a folder."""
    if name.endswith(STORED_ENDING):
        # `tools.stored_results` restores files of lines whole, with their provenance.
        ledger.check(
            name,
            not name.endswith(f".jsonl{STORED_ENDING}"),
            f"expected the provenance of a folder or of a table, got that of a file of lines; {AGAIN}",
        )
        return
    if not tree.exists(name):
        ledger.add_missing(name, user=f"{name}.provenance.json")
        return
    if not recorded.content:
        ledger.check(
            name,
            tree.digest(name) == recorded.sha256,
            f"it has another content than its provenance records; {AGAIN}",
        )
        return
    ledger.check(
        name, digest(recorded.content) == recorded.sha256, f"its provenance contradicts itself; {AGAIN}"
    )
    actual = tree.digests_below(name)
    for file, sha256 in recorded.content.items():
        if file in actual:
            ledger.check(
                name,
                actual[file] == sha256,
                f"{file} has another content than the provenance of {name} records; {AGAIN}",
            )
        else:
            ledger.add_missing(f"{name}/{file}", user=name)
    further = sorted(set(actual) - set(recorded.content))
    ledger.check(
        name, not further, f"it has files that are not part of it: {', '.join(further)}; move them elsewhere"
    )


def check_inputs(tree: ResultTree, ledger: Ledger, name: str, recorded: Provenance) -> None:
    """Check that the inputs of a result still have the content from which it was made."""
    for path, sha256 in recorded.inputs.items():
        place = tree.locate(path)
        if place is None:
            _check_from_elsewhere(ledger, name, path, sha256)
        elif f"{place}{STORED_ENDING}" in tree.provenance:
            continue  # only a part of its files was stored
        elif tree.exists(place):
            if tree.experiment and tree.owner(place) is None:
                ledger.add_missing(f"{place}{PROVENANCE_ENDING}", user=name)
            ledger.check(
                name,
                tree.digest(place) == sha256,
                f"its input {place} has another content than when it was made; make one of the two again",
            )
        elif not tree.is_stored:
            ledger.add_missing(place, user=name)


def _check_from_elsewhere(ledger: Ledger, name: str, path: str, sha256: str) -> None:
    """Note whether an input outside the results folder, such as data of the user, has changed since."""
    try:
        is_there = Path(path).is_file() or Path(path).is_dir()  # pipes and devices have no end
        actual = file_sha256(Path(path)) if is_there else None
    except (OSError, ValueError):
        actual = None
    if actual is None:
        ledger.add("note", name, f"its input {path} lies outside of this folder and is not at hand")
    elif actual != sha256:
        ledger.add("note", name, f"its input {path} lies outside of this folder and was changed since")


def check_names(tree: ResultTree, ledger: Ledger, name: str, recorded: Provenance) -> None:
    """Check that a result and its inputs belong to this experiment and to the same run."""
    ledger.check(
        name,
        recorded.experiment in {"", tree.experiment},  # no name is that of a command without an experiment
        f"it is a result of the experiment {recorded.experiment!r}, not of {tree.experiment!r}; {AGAIN}",
    )
    run, noted = _run_of(name), recorded.as_object().get("run")
    if run is not None and noted is not None:
        ledger.check(name, run == noted, f"it is a result of the run {noted}, which was moved here; {AGAIN}")
    inputs = {place for path in recorded.inputs if (place := tree.locate(path)) is not None}
    for beginning, expected in _list_expected(name.removesuffix(STORED_ENDING)):
        actual = {place for place in inputs if place.startswith(beginning)}
        required = {place for place in expected if tree.exists(place)}
        ledger.check(
            name,
            required <= actual <= set(expected),
            f"it was made from {_join(actual)}, not from {_join(expected)}; {AGAIN}",
        )


def _run_of(name: str) -> str | None:
    """Return the run to which a result belongs; None if it belongs to none or to all."""
    match name.removesuffix(STORED_ENDING).split("/"):
        case ["runs", run] | ["exports", run] | ["samples", run, _, _] | ["scores", _, run, _, _]:
            return run
        case ["curves", file] | ["report", "traces", file]:
            return file.removesuffix(".jsonl").removesuffix(".html")
    return None


def _list_expected(name: str) -> Iterator[tuple[str, list[str]]]:
    """Yield groups of inputs of a result: the beginning of their paths, and the paths in this group."""
    run = _run_of(name)
    match name.split("/"):
        case ["runs", _]:
            yield "base", ["base"]
        case ["samples", _, benchmark, _]:
            yield "data/questions/", [f"data/questions/{benchmark}.jsonl"]
            yield "runs/", [f"runs/{run}"]
        case ["scores", _, _, benchmark, file]:
            yield "samples/", [f"samples/{run}/{benchmark}/{file}"]
        case ["curves", _]:
            yield "runs/", [f"runs/{run}"]
            yield "curves/", [f"curves/{run}"] if name.endswith(".jsonl") else []
        case ["report", "traces", _]:
            yield "runs/", [f"runs/{run}"]
        case ["probe" | "gradients", file]:
            yield "data/prepared/", [f"data/prepared/{PurePosixPath(file).stem}"]
        case ["checks", file]:
            yield "data/examples/", [f"data/examples/{PurePosixPath(file).stem}.jsonl"]
        case ["data", "prepared", dataset]:
            yield "data/examples/", [f"data/examples/{dataset}.jsonl"]
        case ["report", "index.html"]:
            yield "tables", ["tables"]
            yield "figures", ["figures"]


def _join(names: Collection[str]) -> str:
    return ", ".join(sorted(names)) or "nothing of this kind"
