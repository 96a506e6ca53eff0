import json

import pytest

from weft.errors import DataError
from weft.layout import provenance_file
from weft.provenance import write_provenance
from weft.records.files import write_json
from weft.sharing.facts import FACTS_FILE, RunFacts, describe_run, read_facts

COMMIT = "0123456789abcdef0123456789abcdef01234567"
HUB = {"source": "hub", "repo": "owner/base", "revision": "main", "sha256": {}}


def with_sources(experiment, *, base=None, data=None):
    content = experiment.model_dump(mode="json")
    content["base_model"] = base or content["base_model"]
    content["datasets"] = {"worked": data or content["datasets"]["worked"]}
    return type(experiment).model_validate(content)


def facts_of(experiment, base):
    return describe_run(experiment, experiment.find_run("weft-worked-seed1"), base)


def test_the_facts_are_those_of_the_run(experiment, facts):
    assert (facts.experiment, facts.run, facts.method, facts.dataset, facts.seed) == (
        "tiny", "weft-worked-seed1", "weft", "worked", 1,
    )  # fmt: skip
    assert facts.settings["exponent"] == 0.5
    assert facts.training["learning_rate"] == 0.004
    assert "not the paper's numbers" in facts.caption
    assert facts.benchmarks["gsm8k"] == "arithmetic (GSM8K rules), generated questions"
    assert facts.base_repository is None


def test_the_learning_rate_is_that_of_the_method(experiment, tmp_path):
    content = experiment.model_dump(mode="json")
    content["methods"]["weft"] = {"preset": "weft", "learning_rate": 0.125}
    changed = type(experiment).model_validate(content)
    assert facts_of(changed, tmp_path).training["learning_rate"] == 0.125


@pytest.mark.parametrize(("recorded", "revision"), [(True, "main"), (False, COMMIT)])
def test_the_commit_of_the_base_is_that_of_its_provenance_or_its_revision(
    experiment, tmp_path, recorded, revision
):
    base = tmp_path / "base"
    base.mkdir()
    if recorded:
        write_provenance(base, settings={}, experiment="tiny", notes={"commit_used": COMMIT})
    else:
        assert not provenance_file(base).exists()
    facts = facts_of(with_sources(experiment, base=HUB | {"revision": revision}), base)
    assert (facts.base_repository, facts.base_commit) == ("owner/base", COMMIT)


def test_no_place_on_this_machine_is_published(experiment, tmp_path):
    changed = with_sources(
        experiment,
        base={"source": "path", "path": "/srv/someone/models/mine"},
        data={"source": "jsonl", "path": "~/secret/data.jsonl"},
    )
    text = json.dumps(facts_of(changed, tmp_path).as_object())
    assert "someone" not in text
    assert "secret" not in text
    assert '"path": "mine"' in text
    assert '"path": ["data.jsonl"]' in text


def test_repositories_of_the_data_are_found_in_every_form():
    facts = RunFacts.model_construct(
        data={"source": "hub", "name": "owner/set[train:10]", "files": [{"repo": "a/b"}, {"repo": "a/b"}]}
    )
    assert facts.data_repositories == ["owner/set", "a/b"]
    assert RunFacts.model_construct(data={"source": "generated", "name": "a/b"}).data_repositories == []


def test_facts_survive_their_file_and_may_be_missing(facts, tmp_path):
    assert read_facts(tmp_path) is None
    write_json(tmp_path / FACTS_FILE, facts)
    assert read_facts(tmp_path) == facts
    (tmp_path / FACTS_FILE).write_text("{}")
    with pytest.raises(DataError, match=FACTS_FILE):
        read_facts(tmp_path)
