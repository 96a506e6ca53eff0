"""The metadata of an archive as a Workflow Run RO-Crate: a JSON-LD graph in ``ro-crate-metadata.json``.

The graph has one entity for each file, one action for the run of the workflow, and one for each result with
provenance, which names the inputs of the result. Sources of the vocabulary: RO-Crate 1.1
(https://w3id.org/ro/crate/1.1), Workflow RO-Crate 1.0 (https://w3id.org/workflowhub/workflow-ro-crate/1.0),
Process Run Crate 0.5 and Workflow Run Crate 0.5 (https://w3id.org/ro/wfrun/workflow/0.5).
"""

import mimetypes
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import PurePosixPath
from urllib.parse import quote

from weft.config import Experiment
from weft.layout import ResultLayout
from weft.records import JsonObject, Provenance
from weft.sharing.citation import Citation
from weft.sharing.contents import Contents, LeftOut
from weft.sharing.zip_file import Member

METADATA_FILE = "ro-crate-metadata.json"
CONTEXT = ("https://w3id.org/ro/crate/1.1/context", "https://w3id.org/ro/terms/workflow-run/context")
RO_CRATE = "https://w3id.org/ro/crate/1.1"
WORKFLOW_CRATE = "https://w3id.org/workflowhub/workflow-ro-crate/1.0"
PROFILES = {
    "https://w3id.org/ro/wfrun/process/0.5": ("Process Run Crate", "0.5"),
    "https://w3id.org/ro/wfrun/workflow/0.5": ("Workflow Run Crate", "0.5"),
    WORKFLOW_CRATE: ("Workflow RO-Crate", "1.0"),
}
FORMAL_PARAMETER = "https://bioschemas.org/profiles/FormalParameter/1.0-RELEASE"
SNAKEMAKE = "https://w3id.org/workflowhub/workflow-ro-crate#snakemake"
SNAKEMAKE_ARTICLE = "https://doi.org/10.1093/bioinformatics/bts480"
COMPLETED = "http://schema.org/CompletedActionStatus"
WORKFLOW = "Snakefile"
LOCK_FILE = "envs/weft.lock.txt"
FORMATS = {
    ".jsonl": "application/jsonl",
    ".yaml": "application/yaml",
    ".md": "text/markdown",
    ".parquet": "application/vnd.apache.parquet",
    ".arrow": "application/vnd.apache.arrow.file",
    ".safetensors": "application/octet-stream",
    ".smk": "text/plain",
    ".cff": "application/yaml",
}
"""Ending -> media type, where Python's own table has none or another one."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """The run of the workflow that is described.

    Attributes:
        experiment: the experiment.
        file: name of the experiment file in the archive.
        contents: files of the archive.
        provenance: name of a result in the archive -> its provenance.
        times: name of a result in the archive -> time at which it was finished.
        authors: names of those who made the results; empty if they are not known.
        licence: licence of the archive, as SPDX names it.
        citation: how weft is cited.
    """

    experiment: Experiment
    file: str
    contents: Contents
    provenance: Mapping[str, Provenance]
    times: Mapping[str, datetime]
    authors: Sequence[str]
    licence: str
    citation: Citation


@dataclass
class _Graph:
    """Entities of a crate by their identifiers."""

    entities: dict[str, JsonObject] = field(default_factory=dict)

    def add(self, entity: str, kind: str | Sequence[str], /, **properties: object) -> JsonObject:
        """Add an entity, without the properties that are None, and return the reference to it."""
        kinds = kind if isinstance(kind, str) else list(kind)
        known = {name: _unwrapped(value) for name, value in properties.items() if value is not None}
        self.entities[entity] = {"@id": entity, "@type": kinds, **known}
        return {"@id": entity}


def _unwrapped(value: object) -> object:
    """Return the only value of a list, and other values as they are."""
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def build_metadata(run: Run, readme: Member) -> JsonObject:
    """Return the content of ``ro-crate-metadata.json``.

    Args:
        run: the run of the workflow and the files of the archive.
        readme: README.md of the archive.

    Returns:
        The JSON-LD document.
    """
    graph = _Graph()
    people = [graph.add(f"#{quote(name)}", "Person", name=name) for name in run.authors]
    makers = [
        graph.add(f"#{quote(author.full_name)}", author.kind, name=author.full_name)
        for author in run.citation.authors
    ]
    _add_profiles(graph)
    parts = [*(_add_file(graph, member) for member in (*run.contents.members, readme))]
    graph.entities[readme.name]["about"] = {"@id": "./"}
    parts += [_add_folder(graph, name) for name in _folders(run)]
    parts += [_add_left_out(graph, file) for file in run.contents.left_out if file.address is not None]
    _add_workflow(graph, run, makers)
    tool = _add_tool(graph, run, makers)
    actions = [_add_run(graph, run, people), *_add_jobs(graph, run, tool, people)]
    licence = _add_licence(graph, run.licence)
    graph.add(
        METADATA_FILE,
        "CreativeWork",
        about={"@id": "./"},
        conformsTo=[{"@id": RO_CRATE}, {"@id": WORKFLOW_CRATE}],
    )
    graph.add(
        "./",
        "Dataset",
        name=f"{run.experiment.name}: {run.experiment.title}",
        description=f"Results of the experiment {run.experiment.name} of weft. {run.experiment.caption}",
        datePublished=max(run.times.values()).isoformat(),
        license=licence,
        author=people or makers,
        citation=[_add_reference(graph, run.citation), {"@id": "CITATION.cff"}],
        conformsTo=[{"@id": profile} for profile in PROFILES],
        mainEntity={"@id": WORKFLOW},
        hasPart=parts,
        mentions=actions,
    )
    return {"@context": list(CONTEXT), "@graph": [graph.entities[name] for name in _ordered(graph)]}


def _ordered(graph: _Graph) -> list[str]:
    """Return the identifiers with the descriptor and the root first."""
    first = [METADATA_FILE, "./"]
    return [*first, *sorted(name for name in graph.entities if name not in first)]


def _add_profiles(graph: _Graph) -> None:
    for profile, (name, version) in PROFILES.items():
        graph.add(profile, "CreativeWork", name=name, version=version)


def _add_licence(graph: _Graph, licence: str) -> JsonObject:
    address = f"https://spdx.org/licenses/{quote(licence)}"
    return graph.add(
        address, "CreativeWork", name=licence, identifier=address, description=f"SPDX licence {licence}"
    )


def _add_file(graph: _Graph, member: Member) -> JsonObject:
    return graph.add(
        quote(member.name),
        "File",
        name=member.name,
        encodingFormat=_format(member.name),
        contentSize=str(member.size),
        sha256=member.sha256,
    )


def _format(name: str) -> str:
    ending = PurePosixPath(name).suffix
    return FORMATS.get(ending) or mimetypes.guess_type(name)[0] or "text/plain"


def _folders(run: Run) -> list[str]:
    """Return the results with provenance, and the inputs of results, that are folders of the archive."""
    named = {*run.provenance, *(path for provenance in run.provenance.values() for path in provenance.inputs)}
    parents = {
        str(parent) for member in run.contents.members for parent in PurePosixPath(member.name).parents
    }
    return sorted(named & parents)


def _add_folder(graph: _Graph, name: str) -> JsonObject:
    inside = [
        {"@id": identifier} for identifier in graph.entities if identifier.startswith(f"{quote(name)}/")
    ]
    return graph.add(
        f"{quote(name)}/", "Dataset", name=name, description=f"Files of the result {name}", hasPart=inside
    )


def _add_left_out(graph: _Graph, file: LeftOut) -> JsonObject:
    assert file.address is not None, "only files with an address are parts of the archive"
    return graph.add(
        file.address,
        "File",
        name=file.name,
        description=f"Weights that are not packed; the workflow placed them at {file.name}",
        encodingFormat=_format(file.name),
        contentSize=str(file.size),
        sha256=file.sha256,
    )


def _add_workflow(graph: _Graph, run: Run, makers: Sequence[JsonObject]) -> None:
    language = graph.add(
        SNAKEMAKE,
        "ComputerLanguage",
        name="Snakemake",
        identifier={"@id": SNAKEMAKE_ARTICLE},
        url={"@id": "https://snakemake.readthedocs.io"},
    )
    graph.add(
        SNAKEMAKE_ARTICLE, "ScholarlyArticle", name="Snakemake: a scalable bioinformatics workflow engine"
    )
    graph.add(FORMAL_PARAMETER, "CreativeWork", name="FormalParameter", version="1.0-RELEASE")
    page = _page(run)
    wanted = _add_parameter(graph, "experiment", run.file, "The experiment file, which defines what is run.")
    given = _add_parameter(graph, "report", page, "The page with the results of the experiment.")
    names = [member.name for member in run.contents.workflow]
    parts = [name for name in names if name.startswith("workflow/")]
    properties: JsonObject = {
        "@type": ["File", "SoftwareSourceCode", "ComputationalWorkflow"],
        "name": "weft",
        "description": run.citation.title,
        "programmingLanguage": language,
        "version": run.citation.version,
        "license": _add_licence(graph, run.citation.license),
        "author": list(makers),
        "creator": list(makers),
        "input": [wanted],
        "output": [given],
        "hasPart": [{"@id": quote(name)} for name in parts],
        "softwareRequirements": {"@id": LOCK_FILE},
    }
    graph.entities[WORKFLOW] |= {name: _unwrapped(value) for name, value in properties.items()}


def _page(run: Run) -> str:
    return ResultLayout.of(run.experiment.name).page.as_posix()


def _add_parameter(graph: _Graph, name: str, file: str, description: str) -> JsonObject:
    """Add a parameter of the workflow, and name the file that is its value in this run."""
    parameter = graph.add(
        f"#parameter/{name}",
        "FormalParameter",
        name=name,
        description=description,
        additionalType="File",
        encodingFormat=_format(file),
        valueRequired=True,
        conformsTo={"@id": FORMAL_PARAMETER},
    )
    graph.entities[quote(file)]["exampleOfWork"] = parameter
    return parameter


def _add_reference(graph: _Graph, citation: Citation) -> JsonObject:
    """Add the paper that weft reproduces."""
    paper = citation.references[0]
    writers = [
        graph.add(f"#{quote(author.full_name)}", author.kind, name=author.full_name)
        for author in paper.authors
    ]
    address = f"https://doi.org/10.48550/{quote(paper.identifiers[0].value.replace(':', '.'))}"
    return graph.add(
        address, "ScholarlyArticle", name=paper.title, author=writers, datePublished=str(paper.year)
    )


def _add_tool(graph: _Graph, run: Run, makers: Sequence[JsonObject]) -> JsonObject:
    """Add weft in the version that made the page; the lock file has the versions of all packages."""
    page = run.provenance[_page(run)]
    return graph.add(
        "#weft",
        "SoftwareApplication",
        name="weft",
        softwareVersion=page.weft_version,
        identifier=page.commit,
        description=f"{run.citation.title}; digest of the source: {page.source_digest}",
        author=list(makers),
        softwareRequirements={"@id": LOCK_FILE},
    )


def _add_run(graph: _Graph, run: Run, people: Sequence[JsonObject]) -> JsonObject:
    """Add the action that stands for the whole run of the workflow."""
    return graph.add(
        "#run",
        "CreateAction",
        name=f"Run of the experiment {run.experiment.name}",
        description="Snakemake ran the workflow from the experiment file to the page.",
        instrument={"@id": WORKFLOW},
        object=[{"@id": quote(member.name)} for member in run.contents.inputs],
        result=[_find(graph, name) for name in sorted(run.provenance)],
        startTime=min(run.times.values()).isoformat(),
        endTime=max(run.times.values()).isoformat(),
        agent=list(people) or None,
        actionStatus=COMPLETED,
    )


def _find(graph: _Graph, path: str) -> JsonObject | None:
    """Return the reference to a file or a folder of the archive, if there is one."""
    known = (name for name in (quote(path), f"{quote(path)}/") if name in graph.entities)
    return next(({"@id": name} for name in known), None)


def _add_jobs(
    graph: _Graph, run: Run, tool: JsonObject, people: Sequence[JsonObject]
) -> Iterable[JsonObject]:
    """Add an action for each result with provenance."""
    for name, provenance in sorted(run.provenance.items()):
        yield graph.add(
            f"#job/{quote(name)}",
            "CreateAction",
            name=f"Make {name}",
            description="A job of the workflow; its provenance file has commit, versions, seed and device.",
            instrument=tool,
            endTime=run.times[name].isoformat(),
            agent=list(people) or None,
            object=[_add_input(graph, path, sha256) for path, sha256 in provenance.inputs.items()] or None,
            result=_find(graph, name),
            subjectOf={"@id": f"{quote(name)}.provenance.json"},
            actionStatus=COMPLETED,
        )


def _add_input(graph: _Graph, path: str, sha256: str) -> JsonObject:
    """Return the reference to an input of a result; inputs that are not packed become entities by hash."""
    return _find(graph, path) or graph.add(
        f"#input/{sha256}", "CreativeWork", name=path, identifier=f"sha256:{sha256}"
    )
