from pathlib import Path

import pytest
import torch
from peft import LoraConfig

from tests.support.models import tiny_model
from weft import loading
from weft.errors import CheckpointError, DataError
from weft.loading import find_checkpoint, load_model, load_tokenizer
from weft.model import save_model
from weft.training.adapters import add_adapters

pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")


@pytest.fixture(scope="module")
def folder(tokenizer, tmp_path_factory):
    folder = tmp_path_factory.mktemp("loading")
    save_model(tiny_model(tokenizer, seed=5), folder / "base")
    tokenizer.save_pretrained(str(folder / "base"))
    torch.manual_seed(1)
    adapted = add_adapters(tiny_model(tokenizer, seed=5), LoraConfig(r=2, init_lora_weights=False))
    adapted.save_pretrained(str(folder / "adapter"))
    return folder


def test_a_model_is_loaded_with_and_without_its_adapter(folder, tokenizer):
    ids = torch.tensor([[5, 6, tokenizer.mask_token_id]])
    base, adapted = load_model(folder / "base"), load_model(folder / "base", adapter=folder / "adapter")
    assert not torch.allclose(base(input_ids=ids).logits, adapted(input_ids=ids).logits)
    assert load_model(folder / "base", torch.bfloat16).dtype == torch.bfloat16
    assert load_tokenizer(folder / "base").mask_token_id == tokenizer.mask_token_id


def test_an_adapter_is_no_model(folder):
    with pytest.raises(CheckpointError, match=r"got the adapter .*load_model\(base, adapter="):
        load_model(folder / "adapter")


def test_arguments_of_other_libraries_are_explained(folder):
    with pytest.raises(CheckpointError, match="here it is dtype"):
        load_model(folder / "base", torch_dtype=torch.float32)


@pytest.mark.parametrize("path", ["nowhere", "./owner/name", "a/b/c", "/tmp/no such model"])
def test_a_path_that_does_not_exist_is_named(path):
    with pytest.raises(CheckpointError, match="does not exist"):
        find_checkpoint(path)


def test_a_file_is_not_taken_for_a_repository(tmp_path, monkeypatch):
    (tmp_path / "experiments").mkdir()
    (tmp_path / "experiments/mine.yaml").touch()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CheckpointError, match=r"experiments/mine\.yaml is a file; give its folder"):
        find_checkpoint("experiments/mine.yaml")


def test_the_hub_is_asked_for_a_name_and_a_local_copy_of_that_name_is_used(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        DataError,
        match="path: there is no directory owner/name, and model owner/name at v1 cannot be downloaded",
    ):
        find_checkpoint("owner/name", revision="v1")
    (tmp_path / "owner/name").mkdir(parents=True)
    assert find_checkpoint("owner/name").is_dir()


def test_a_file_is_no_checkpoint(folder):
    with pytest.raises(CheckpointError, match=r"^adapter must be .*config\.json is a file"):
        find_checkpoint(folder / "base/config.json", argument="adapter")


def test_the_shipped_base_is_found_in_every_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert find_checkpoint("experiments/tiny-base").is_dir()


def test_a_repository_is_fetched_at_its_revision(monkeypatch):
    monkeypatch.setattr(loading, "fetch_hub_model", lambda source, **_: Path(source.revision, source.repo))
    assert find_checkpoint("owner/name", revision="v1") == Path("v1/owner/name")
    assert find_checkpoint("owner/name") == Path("main/owner/name")


@pytest.mark.usefixtures("without_type_checks")
def test_a_path_of_another_type_is_refused():
    with pytest.raises(CheckpointError, match="got int"):
        find_checkpoint(3)
