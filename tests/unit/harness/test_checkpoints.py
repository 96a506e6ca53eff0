import pytest
import torch

from tests.conftest import REPOSITORY
from weft.errors import CheckpointError, ConfigError
from weft.harness import checkpoints
from weft.harness.checkpoints import choose_device, choose_dtype, load
from weft.harness.settings import read_model_arguments

BASE = REPOSITORY / "experiments/tiny-base"


def test_a_checkpoint_is_loaded_with_its_tokenizer_and_context():
    arguments = read_model_arguments({"pretrained": str(BASE)})
    loaded = load(arguments, torch.device("cpu"))
    assert (loaded.context, loaded.dtype, loaded.commit) == (256, torch.float32, None)
    assert loaded.tokenizer.mask_token_id == loaded.model.config.mask_token_id


def test_a_fine_tuned_checkpoint_takes_the_place_of_the_base():
    arguments = read_model_arguments({"pretrained": str(BASE), "adapter": str(BASE), "merge_adapter": True})
    assert load(arguments, torch.device("cpu")).adapter_commit is None


def test_a_name_that_is_neither_folder_nor_repository_is_an_error(tmp_path):
    arguments = read_model_arguments({"pretrained": str(BASE), "adapter": str(tmp_path / "missing")})
    with pytest.raises(CheckpointError, match=r"^adapter must be .*missing does not exist"):
        load(arguments, torch.device("cpu"))


def test_types_of_the_parameters():
    assert choose_dtype("bfloat16", BASE, torch.device("cpu")) == torch.bfloat16
    assert choose_dtype("auto", BASE, torch.device("cpu")) == torch.float32


def test_the_type_of_the_checkpoint_is_kept_on_a_gpu(monkeypatch):
    monkeypatch.setattr(checkpoints, "stored_dtype", lambda folder: torch.bfloat16)
    assert choose_dtype("auto", BASE, torch.device("cuda")) == torch.bfloat16
    assert choose_dtype("auto", BASE, torch.device("cpu")) == torch.float32


def test_devices(monkeypatch, caplog):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_device(None) == choose_device("cpu") == torch.device("cpu")
    assert not caplog.records
    assert choose_device("cuda:0") == torch.device("cpu")  # what the harness passes if nothing is given
    assert "no GPU" in caplog.text
    with pytest.raises(ConfigError, match="requires a GPU"):
        choose_device("cuda")
    with pytest.raises(ConfigError, match="must be cpu, cuda or cuda:N, got 'mps'"):
        choose_device("mps")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert choose_device(None) == torch.device("cuda")
    assert choose_device("cuda:1") == torch.device("cuda:1")
