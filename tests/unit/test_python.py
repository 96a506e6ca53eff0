"""The interface of `import weft`, and the examples of docs/python.md."""

import pydoc
import re
import subprocess
import sys
from pathlib import Path

import pytest

import weft

REPOSITORY = Path(__file__).resolve().parents[2]
PAGE = (REPOSITORY / "docs/python.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```$", PAGE, flags=re.MULTILINE | re.DOTALL)
MAX_LINES = 30


def test_all_names_can_be_imported_and_are_listed_and_described():
    assert all(getattr(weft, name).__doc__ for name in weft.__all__)
    assert set(weft.__all__) <= set(dir(weft))
    described = set(re.findall(r"^(\w+)  +", weft.__doc__ or "", flags=re.MULTILINE))
    assert described == set(weft.__all__) == set(re.findall(r"`weft\.(\w+)`", PAGE)) & set(weft.__all__)


def test_help_shows_the_interface():
    shown = pydoc.plain(pydoc.render_doc(weft))
    assert "class DiffusionTrainer" in shown
    assert "objective(model" in shown


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'trainer'"):
        _ = weft.trainer


@pytest.mark.parametrize(
    "code",
    [
        "import weft; dir(weft)",
        r"import weft; assert weft.score('gsm8k', [r'\boxed{3}'], [3])[0].verdict == 'correct'",
    ],
)
def test_importing_and_scoring_load_no_heavy_library(code):
    heavy = "assert not {'torch', 'transformers', 'datasets', 'peft'} & set(__import__('sys').modules)"
    run = subprocess.run(
        [sys.executable, "-c", f"{code}; {heavy}"], check=False, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr


@pytest.mark.filterwarnings("ignore:'pin_memory' argument is set:UserWarning")
@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")
def test_the_examples_of_the_page_run(tmp_path, monkeypatch):
    (tmp_path / "experiments").mkdir()
    (tmp_path / "experiments/tiny-base").symlink_to(REPOSITORY / "experiments/tiny-base")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    names = {}
    for block in BLOCKS:
        exec(compile(block, "docs/python.md", "exec"), names)
    assert names["accuracy"] >= 0.5  # 0 before the training
    assert names["scores"][0].verdict == "correct"


def test_the_first_example_is_short():
    lines = [line for line in BLOCKS[0].splitlines() if line.strip()]
    assert len(lines) <= MAX_LINES
