from pathlib import Path
from typing import get_args

from weft.config import load_experiment
from weft.config.instructions import D1_COMMIT, D1_TEXTS, InstructionName
from weft.data.instructions import INSTRUCTIONS


def test_every_name_is_one_of_our_texts_or_one_of_d1s():
    assert sorted(get_args(InstructionName)) == sorted([*INSTRUCTIONS, *D1_TEXTS])


def test_d1s_texts_are_pinned_to_one_commit_and_lie_offline_as_they_lie_there():
    assert len({text.sha256 for text in D1_TEXTS.values()}) == len(D1_TEXTS)
    for text in D1_TEXTS.values():
        path = text.offline.removeprefix("d1_code/")
        assert text.url == f"https://raw.githubusercontent.com/dllm-reasoning/d1/{D1_COMMIT}/{path}"


def test_the_documentation_lists_the_addresses_and_offline_names_of_d1s_texts():
    page = Path("docs/data.md").read_text("utf-8")
    for name, text in D1_TEXTS.items():
        path = text.offline.removeprefix("d1_code/")
        assert f"| `{name}` | `{text.offline}` | [{path}]({text.url}) |" in page


def test_the_paper_is_run_with_d1s_texts_everywhere():
    paper = load_experiment("experiments/paper.yaml")
    assert {name: source.instruction for name, source in paper.benchmarks.items()} == {
        "sudoku": "d1/sudoku",
        "countdown": "d1/countdown",
        "gsm8k": "d1/gsm8k",
        "math500": "d1/math500",
    }
    assert {source.instruction for source in paper.datasets.values()} == {"d1/sft"}
