"""What is known of models, training sets and benchmarks before anything is downloaded."""

import json

import pytest

from weft.config import load_experiment
from weft.config.sources import (
    CustomBenchmark,
    FileData,
    HubData,
    HubDataset,
    HubFile,
    HubModel,
    LocalModel,
    PublishedBenchmark,
    WebFile,
)
from weft.costs import PUBLISHED_NETWORKS
from weft.plan.material import count_examples, count_questions, describe_material, find_network
from weft.verify.formula import formula_fields

LLADA = PUBLISHED_NETWORKS["GSAI-ML/LLaDA-8B-Instruct"]


def test_the_papers_material_is_known_without_a_file():
    found = describe_material(load_experiment("experiments/paper.yaml"), offline=[])
    assert found.assumptions == ()
    assert found.material.num_examples == {"s1k": 990, "s1k.1.1": 990, "openr1": 2970}
    assert found.material.num_questions == {"sudoku": 256, "countdown": 256, "gsm8k": 1319, "math500": 500}
    assert {*found.material.networks.values()} == {LLADA}


def test_what_is_assumed_is_named(tmp_path):
    described = load_experiment("experiments/paper.yaml")
    model = HubModel(source="hub", repo="me/my-llada", revision="main")
    data = HubDataset(source="hub", dataset="me/mine")
    found = describe_material(
        described.model_copy(update={"base_model": model, "datasets": {"mine": data}}), offline=[]
    )
    assert found.assumptions == (
        "the model of base has the size of GSAI-ML/LLaDA-8B-Instruct",
        "mine has 1,000 examples",
    )


def test_a_checkpoint_at_hand_is_read(tmp_path):
    folder = tmp_path / "me/my-llada"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(formula_fields("llada")))
    hub = HubModel(source="hub", repo="me/my-llada", revision="main")
    assert find_network(hub) is None
    assert find_network(hub, offline=[str(tmp_path)]) == find_network(
        LocalModel(source="path", path=str(folder))
    )
    assert find_network(hub, offline=[str(tmp_path)]).vocab_size == formula_fields("llada")["vocab_size"]


def test_an_adapter_has_the_network_of_its_base():
    evaluation = load_experiment("experiments/published-s1k.yaml")
    networks = describe_material(evaluation, offline=[]).material.networks
    assert networks["dream-s1k"] == networks["dream"] != networks["llada"]


def test_each_model_of_an_evaluation_is_counted_once():
    evaluation = load_experiment("experiments/published-s1k.yaml")
    networks = describe_material(evaluation, offline=[]).base_networks
    assert [networks.count(network) for network in dict.fromkeys(networks)] == [2, 2]
    adapter = evaluation.models["llada-s1k"].model_copy(update={"base": "llada"})
    models = evaluation.models | {"llada-s1k": adapter}
    changed = evaluation.model_copy(update={"models": models})
    assert len(describe_material(changed, offline=[]).base_networks) == 3


SHARD = "data/train-00000-of-00010.parquet"


def hub_data(*files, num_examples=None):
    return HubData(
        source="hub",
        files=[HubFile(repo=repo, file=file, revision="main") for repo, file in files],
        question="q",
        trajectory="t",
        attempt="a",
        num_examples=num_examples,
        instruction="none",
    )


@pytest.mark.parametrize(
    ("source", "count"),
    [
        (hub_data(("open-r1/OpenR1-Math-220k", SHARD), ("simplescaling/s1K", "x.parquet")), 10_373),
        (hub_data(("open-r1/OpenR1-Math-220k", SHARD), num_examples=3000), 3000),
        (hub_data(("open-r1/OpenR1-Math-220k", SHARD), ("me/mine", "x.parquet")), None),
        (HubDataset(source="hub", dataset="simplescaling/s1K"), 1000),
        (HubDataset(source="hub", dataset="simplescaling/s1K[train:100]"), None),
        (HubDataset(source="hub", dataset="me/mine", num_examples=7), 7),
    ],
)
def test_examples_are_counted(source, count):
    assert count_examples(source) == count


def test_lines_of_a_file_are_counted(tmp_path):
    file = tmp_path / "mine.jsonl"
    assert count_examples(FileData(source="file", path=str(file))) is None
    file.write_text("{}\n\n{}\n")
    assert count_examples(FileData(source="file", path=[str(file), str(file)])) == 4
    file.write_bytes(b"\xff\n")
    assert count_examples(FileData(source="file", path=str(file))) is None


def test_questions_are_counted():
    paper = load_experiment("experiments/paper.yaml").benchmarks
    tiny = load_experiment("experiments/tiny.yaml").benchmarks
    assert count_questions(paper["gsm8k"]) == 1319
    assert count_questions(paper["sudoku"]) == 256
    assert count_questions(tiny["sudoku"]) == 250
    assert count_questions(CustomBenchmark(source="custom", path="mine.py")) is None
    unknown = WebFile(url="https://example.org/x", sha256="0" * 64, offline="other/x.jsonl")
    assert count_questions(PublishedBenchmark(source="published", file=unknown, instruction="none")) is None
