"""Small checkpoint directories of both families."""

import json

import pytest
from safetensors.torch import load_file, save_file

from tests.support.models import tiny_dream, tiny_model
from weft.model import save_model

MAKERS = {"llada": tiny_model, "dream": tiny_dream}


@pytest.fixture(scope="session")
def dream(tokenizer):
    return tiny_dream(tokenizer)


@pytest.fixture(params=list(MAKERS))
def family(request):
    return request.param


@pytest.fixture
def predictor(family, tokenizer):
    """A model of its own for each test, so that it may be changed."""
    return MAKERS[family](tokenizer)


@pytest.fixture
def directory(predictor, tokenizer, tmp_path):
    folder = tmp_path / "checkpoint"
    save_model(predictor, folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture
def edit_json():
    def edit(file, **changes):
        file.write_text(json.dumps(json.loads(file.read_text()) | changes))

    return edit


@pytest.fixture
def edit_tensors():
    def edit(file, change):
        tensors = load_file(file)
        change(tensors)
        file.unlink()
        save_file(tensors, file)

    return edit
