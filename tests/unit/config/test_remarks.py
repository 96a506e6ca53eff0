from pathlib import Path

import pytest

from weft.config import load_experiment
from weft.config.places import CHECKOUT
from weft.config.remarks import list_remarks

SHIPPED = CHECKOUT / "experiments"
OWN_DATA = "datasets: {mine: {source: jsonl, path: train.jsonl}}\n"


@pytest.fixture
def remarks(tmp_path, monkeypatch):
    """Return a function that returns the remarks on an experiment that extends a shipped one."""
    monkeypatch.chdir(tmp_path)
    Path("study").mkdir()

    def remarks(changes, extends="tiny"):
        file = Path("study/mine.yaml")
        text = (SHIPPED / f"{extends}.yaml").read_text().replace(f"name: {extends}", "name: base")
        Path("study/base.yaml").write_text(text)
        file.write_text(f"extends: base.yaml\nname: mine\n{changes}")
        return list(list_remarks(load_experiment(file), file))

    return remarks


def test_a_caption_of_a_shipped_experiment_over_other_data_is_pointed_out(remarks):
    (found,) = remarks(OWN_DATA)
    assert found.startswith("study/mine.yaml: the caption is that of the experiment 'tiny', ")
    assert "although datasets is not the same" in found


def test_an_added_sentence_and_other_line_ends_hide_no_copied_caption(remarks):
    caption = load_experiment(SHIPPED / "tiny.yaml").caption.replace(" generated ", "  generated\\n ")
    assert remarks(OWN_DATA + f'caption: "{caption} On my data."\n')
    assert not remarks(OWN_DATA + "caption: My model on my data.\n")


def test_another_base_model_is_named(remarks):
    (found,) = remarks("base_model: {source: path, path: models/mine}\n" + OWN_DATA, extends="paper")
    assert "although base_model and datasets are not the same" in found


def test_a_caption_fits_fewer_data_sets_other_sizes_and_other_methods(remarks):
    assert not remarks("datasets: {w: {source: generated, seed: 7, tasks: {gsm8k: 3}}}\nseeds: [9]\n")
    content = (SHIPPED / "paper.yaml").read_text()
    part = content[content.index("datasets:") : content.index("  openr1:")]
    assert not remarks(part, extends="paper")


@pytest.mark.parametrize("file", sorted(SHIPPED.glob("*.yaml")), ids=lambda file: file.stem)
def test_there_is_nothing_to_remark_on_shipped_experiments_and_their_copies(file, tmp_path):
    assert not list(list_remarks(load_experiment(file), file))
    copied = tmp_path / file.name
    text = file.read_text()
    copied.write_text(text.replace("extends: ", f"extends: {SHIPPED}/"))
    assert not list(list_remarks(load_experiment(copied), copied))


def test_two_different_files_of_a_name_are_pointed_out(remarks):
    changes = OWN_DATA + "caption: mine\n"
    Path("train.jsonl").write_text("1")
    assert not remarks(changes)
    Path("study/train.jsonl").write_text("1")
    assert not remarks(changes)
    Path("study/train.jsonl").write_text("2")
    (found,) = remarks(changes)
    assert "two places have train.jsonl; study/train.jsonl, in the folder" in found
    assert "is used, and train.jsonl is not" in found
