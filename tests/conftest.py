"""Shared fixtures: a tiny model, its tokenizer, and the shared test data where there is any."""

import os
from pathlib import Path

import jaxtyping
import pytest
import torch
from hypothesis import settings

from tests.support import micro
from tests.support.models import tiny_model
from weft.data.tasks.examples import generate_examples
from weft.data.tokenizer import train_tokenizer

REPOSITORY = Path(__file__).resolve().parent.parent

# By default, Hypothesis fails a test whose single example takes more than 200 ms, as on a busy machine.
settings.register_profile("weft", deadline=None)
settings.load_profile("weft")


@pytest.fixture(autouse=True)
def _quiet_and_seeded(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    torch.manual_seed(0)
    torch.set_num_threads(1)


@pytest.fixture
def without_type_checks():
    """Switch off the checks of arguments' types, which users of the package do not have either."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


@pytest.fixture(scope="session")
def tokenizer():
    examples = generate_examples({"sudoku": 125, "countdown": 125, "gsm8k": 125, "math500": 125}, seed=1)
    return train_tokenizer(
        (f"user\n\n{e.question}\nassistant\n\n{e.answer}" for e in examples), vocab_size=400
    )


@pytest.fixture(scope="session")
def model(tokenizer):
    return tiny_model(tokenizer)


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """Folder in which the smallest experiment has been run to its end; tests leave it as it is.

    Each process of pytest-xdist makes its own, because Snakemake locks the folder while it runs.
    """
    directory = tmp_path_factory.mktemp("micro")
    result = micro.run(directory)
    assert result.returncode == 0, result.stdout + result.stderr
    return directory


@pytest.fixture(scope="session")
def shared_data():
    folder = Path(os.environ.get("WEFT_SHARED", REPOSITORY.parent / "shared")) / "data"
    if not folder.is_dir():
        pytest.skip(f"shared test data not found at {folder}; set WEFT_SHARED to the folder that holds data/")
    return folder
