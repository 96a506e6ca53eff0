"""Pack a finished experiment as a zip file that is a Workflow Run RO-Crate.

The same results give the same bytes: the times in the metadata are those of the results, and the zip file
has fixed times and sorted names.
"""

import json
import re
import socket
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from weft.config import Experiment, load_experiment
from weft.config.places import CHECKOUT
from weft.errors import ConfigError, DataError, name_some
from weft.layout import PROVENANCE_ENDING, RESULTS, SHIPPED_FILES, ResultLayout, provenance_file
from weft.provenance import PACKAGE_ROOT, digest, source_digest
from weft.records import Provenance
from weft.records.files import parse_record, read_json
from weft.sharing.citation import read_citation
from weft.sharing.contents import (
    EXPERIMENTS,
    Contents,
    Weights,
    bytes_member,
    find_machine_texts,
    list_contents,
    provenance_names,
)
from weft.sharing.crate import METADATA_FILE, Run, build_metadata
from weft.sharing.zip_file import Member, write_zip

SHOWN = 5
"""Number of files that a message names."""
WIDTH = 100
"""Columns of the text of README.md."""
MAKE_AGAIN = "run the experiment again with this version of weft"


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What is packed, and how.

    Attributes:
        root: results folder of the experiment.
        experiment_file: its experiment file.
        weights: weights that are packed.
        authors: names of those who made the results.
        licence: licence of the archive, as SPDX names it; None for that of weft.
        keep_paths: whether files that hold paths of this machine are packed.
    """

    root: Path
    experiment_file: Path
    weights: Weights = "adapters"
    authors: Sequence[str] = ()
    licence: str | None = None
    keep_paths: bool = False


def pack_experiment(wanted: Wanted, out: Path, *, verify: Callable[[Path], None]) -> Contents:
    """Pack a finished experiment.

    Args:
        wanted: what is packed.
        out: zip file to write.
        verify: function that raises a DataError unless the results in a folder hold, such as one that calls
            `weft.audit.verify_results`.

    Returns:
        The files of the archive.

    Raises:
        ConfigError: the experiment file is not the one that made the results.
        DataError: the experiment is not finished, a result does not agree with its provenance, or a file
            holds a path of this machine.
    """
    experiment = load_experiment(wanted.experiment_file)
    require_finished(wanted.root, experiment)
    verify(wanted.root)
    contents = list_contents(wanted.root, experiment, wanted.experiment_file, weights=wanted.weights)
    if not wanted.keep_paths:
        _require_no_places(contents, wanted.root)
    citation = read_citation()
    run = Run(
        experiment=experiment,
        file=f"{EXPERIMENTS}/{wanted.experiment_file.name}",
        contents=contents,
        provenance=_read_provenance(contents),
        times=_read_times(wanted.root, experiment),
        authors=wanted.authors,
        licence=wanted.licence or citation.license,
        citation=citation,
    )
    readme = bytes_member("README.md", _write_readme(run, wanted.weights).encode())
    metadata = json.dumps(build_metadata(run, readme), indent=1) + "\n"
    write_zip(out, [*contents.members, readme, bytes_member(METADATA_FILE, metadata.encode())])
    return contents


def require_finished(root: Path, experiment: Experiment) -> None:
    """Check that an experiment is finished, and that its file is the one that made the results.

    Args:
        root: results folder of the experiment.
        experiment: the experiment, as its file describes it now.

    Raises:
        ConfigError: the file is not the one that made the results.
        DataError: the page or its provenance is missing.
    """
    page = ResultLayout(root).page
    if not page.is_file():
        raise DataError(
            f"{root} must be the results folder of a finished experiment, but {page} does not exist; "
            "give the folder, such as results/tiny, or run the experiment to its end"
        )
    made_by = read_json(provenance_file(page), Provenance, remedy=MAKE_AGAIN)
    if (made_by.experiment, made_by.experiment_digest) != (
        experiment.name,
        digest(experiment.model_dump(mode="json")),
    ):
        raise ConfigError(
            f"the experiment file must be the one that made {root}, but the settings of "
            f"{made_by.experiment!r} there and those of {experiment.name!r} differ; name the file with "
            "--experiment, or run the experiment again"
        )


def _require_no_places(contents: Contents, root: Path) -> None:
    """Raise a DataError if a result or an input holds the path of a folder of this machine, or its name."""
    guilty = find_machine_texts((*contents.results, *contents.inputs), _machine_texts(root))
    if guilty:
        raise DataError(
            f"the archive must not name folders of this machine, but {name_some(guilty, SHOWN)} does; "
            "give paths relative to the experiment file and run the experiment again, or pack it as it is "
            "with --keep-paths"
        )


def _machine_texts(root: Path) -> Iterator[str]:
    """Yield folders of this machine that a result might name, and the name of the machine."""
    for place in (Path.cwd(), CHECKOUT, PACKAGE_ROOT.parent, root.resolve().parent, Path.home()):
        if len(place.parts) > 1:  # not the root of the file system
            yield f"{place}/"
            yield f"{place.resolve()}/"
    host = socket.gethostname()
    if re.search(r"[0-9.-]", host):  # a plain word may stand in any text
        yield host


def _read_times(root: Path, experiment: Experiment) -> Mapping[str, datetime]:
    """Return when each result with provenance was finished, by its name in the archive, in whole seconds."""
    home = ResultLayout.of(experiment.name).root
    files = {
        file.relative_to(root).as_posix(): file.stat().st_mtime
        for file in root.rglob(f"*{PROVENANCE_ENDING}")
    }
    return {
        (home / name.removesuffix(PROVENANCE_ENDING)).as_posix(): datetime.fromtimestamp(int(time), tz=UTC)
        for name, time in files.items()
    }


def _read_provenance(contents: Contents) -> Mapping[str, Provenance]:
    """Return the provenance of the results by their names in the archive."""
    members = {member.name: member for member in contents.results}
    return {
        result: _parse(members[name]) for result, name in sorted(provenance_names(contents.results).items())
    }


def _parse(member: Member) -> Provenance:
    assert isinstance(member.content, bytes), "provenance files are rewritten"
    return parse_record(
        member.content.decode(), Provenance, place=member.name, error=DataError, remedy=MAKE_AGAIN
    )


def _write_readme(run: Run, weights: Weights) -> str:
    """Return README.md of the archive."""
    name = run.experiment.name
    paragraphs = [
        f"{run.experiment.caption}",
        "This archive is a Workflow Run RO-Crate (https://w3id.org/ro/wfrun/workflow/0.5) of an experiment "
        f"with weft {run.citation.version}. `{METADATA_FILE}` lists every file with its SHA-256, and the "
        "inputs of every result.",
        _table(
            ("path", "content"),
            (f"`{RESULTS}/{name}/report/index.html`", "the page with all results; begin here"),
            (f"`{RESULTS}/{name}/`", "data, runs, answers, scores, tables and figures"),
            (f"`{run.file}`", "the experiment file, which holds every number that changes a result"),
            ("`Snakefile`, `workflow/`, `weft/`", "the workflow and the package"),
            ("`envs/weft.lock.txt`", "the packages with their exact versions"),
            ("`LICENSE`, `CITATION.cff`", "licence of weft, and how it is cited"),
        ),
        f"{_describe_source(run)} Beside a result `NAME` lies `NAME{PROVENANCE_ENDING}`: commit, versions, "
        "seed, device, and the SHA-256 of the result and of its inputs. Logs are not packed.",
        "To check the results, install weft and give, in this folder:",
        f"```sh\nweft verify {RESULTS}/{name}\n```",
        *_describe_weights(run, weights),
        f"Licence of the archive: {run.licence}. Questions and training examples keep the licences of their "
        "sources, which the page names.",
    ]
    text = "\n\n".join(
        part if part.startswith(("|", "```")) else textwrap.fill(part, WIDTH, break_on_hyphens=False)
        for part in paragraphs
    )
    return f"# {name}: {run.experiment.title}\n\n{text}\n"


def _describe_source(run: Run) -> str:
    """Return whether the packed source is the one that made the results."""
    rooms = {room.stem for room in PACKAGE_ROOT.iterdir()} - {SHIPPED_FILES.name}
    packed = source_digest(*sorted(rooms))
    digests = sorted({provenance.source_digest for provenance in run.provenance.values()})
    if digests == [packed]:
        return "The package in `weft/` is the source that made every result."
    return (
        f"The package in `weft/` (digest {packed}) is not the source of all results (digests "
        f"{', '.join(digests)}); the provenance file of a result names its commit."
    )


def _table(*rows: Sequence[str]) -> str:
    """Return a table in Markdown; the first row is the head."""
    head, *rest = rows
    lines = [head, ["---"] * len(head), *rest]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _describe_weights(run: Run, weights: Weights) -> list[str]:
    """Return the paragraphs about the weights that are not packed."""
    if not run.contents.left_out:
        return []
    rows = [
        (f"`{file.name}`", f"{file.size:,}", f"`{file.sha256}`", file.address or "not published")
        for file in run.contents.left_out
    ]
    return [
        f"Weights that are not packed (`--weights {weights}`); put them there before the check:",
        _table(("file", "bytes", "SHA-256", "address"), *rows),
    ]
