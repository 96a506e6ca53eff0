import json
import zipfile
from urllib.parse import unquote

import pytest

from tests.support.finished import REPOSITORY, finish
from weft.sharing.archive import Wanted, pack_experiment

PAGE = "results/tiny/report/index.html"
RUN = "results/tiny/runs/sft-worked-seed1/"


@pytest.fixture(scope="module")
def entities(tmp_path_factory):
    """Return the entities of the metadata by their identifiers."""
    folder = tmp_path_factory.mktemp("crate")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        layout = finish(folder)
        wanted = Wanted(
            root=layout.root, experiment_file=REPOSITORY / "experiments/tiny.yaml", authors=["Jane Doe"]
        )
        pack_experiment(wanted, folder / "out.zip", verify=lambda root: None)
    with zipfile.ZipFile(folder / "out.zip") as archive:
        metadata = json.loads(archive.read("ro-crate-metadata.json"))
        names = set(archive.namelist())
    assert metadata["@context"] == [
        "https://w3id.org/ro/crate/1.1/context",
        "https://w3id.org/ro/terms/workflow-run/context",
    ]
    entities = {entity["@id"]: entity for entity in metadata["@graph"]}
    assert len(entities) == len(metadata["@graph"])
    return entities | {"names": names}


def references(value):
    """Yield the identifiers to which a value refers."""
    for item in value if isinstance(value, list) else [value]:
        if isinstance(item, dict):
            yield item["@id"]


def test_every_file_is_an_entity_with_its_hash_and_a_part_of_the_crate(entities):
    files = {name for name, entity in entities.items() if name != "names" and "File" in entity["@type"]}
    assert set(map(unquote, files)) == entities["names"] - {"ro-crate-metadata.json"}
    assert files <= set(references(entities["./"]["hasPart"]))
    assert all(len(entities[name]["sha256"]) == 64 for name in files)


def test_the_root_conforms_to_the_profiles_and_names_licence_author_and_citation(entities):
    root = entities["./"]
    assert set(references(root["conformsTo"])) == {
        "https://w3id.org/ro/wfrun/process/0.5",
        "https://w3id.org/ro/wfrun/workflow/0.5",
        "https://w3id.org/workflowhub/workflow-ro-crate/1.0",
    }
    assert entities[root["license"]["@id"]]["name"] == "Apache-2.0"
    assert entities[root["author"]["@id"]]["name"] == "Jane Doe"
    assert set(references(root["citation"])) == {
        "https://doi.org/10.48550/arXiv.2509.20863", "CITATION.cff",
    }  # fmt: skip
    workflow = entities[root["mainEntity"]["@id"]]
    assert workflow["@id"] == "Snakefile"
    assert workflow["@type"] == ["File", "SoftwareSourceCode", "ComputationalWorkflow"]
    assert entities[workflow["programmingLanguage"]["@id"]]["name"] == "Snakemake"


def test_the_run_and_each_result_are_actions_with_inputs(entities):
    run = entities["#run"]
    assert run["instrument"] == {"@id": "Snakefile"}
    assert run["object"] == {"@id": "experiments/tiny.yaml"}
    assert run["startTime"] <= run["endTime"]
    assert {PAGE, RUN} <= set(references(run["result"]))
    job = entities["#job/results/tiny/samples/sft-worked-seed1/sudoku/32.jsonl"]
    questions = "results/tiny/data/questions/sudoku.jsonl"
    assert list(references(job["object"])) == [questions, "results/tiny/base/", RUN]
    assert job["subjectOf"]["@id"] in entities["names"]
    page = entities[f"#job/{PAGE}"]
    assert page["object"] == {"@id": "results/tiny/scores/"}
    assert len([name for name in entities if name.startswith("#job/")]) == 6
    assert f"{RUN}adapter_model.safetensors" in set(references(entities[RUN]["hasPart"]))


def test_every_reference_inside_the_crate_leads_to_an_entity(entities):
    for name, entity in entities.items():
        if name != "names":
            for value in entity.values():
                inside = [target for target in references(value) if not target.startswith("http")]
                assert set(inside) <= set(entities), name
