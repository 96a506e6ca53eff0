"""The real client of the hub uploads to a server on this machine."""

import http.server
import threading

import huggingface_hub
import pytest
from huggingface_hub import ModelCard
from peft import LoraConfig, get_peft_model
from typer.testing import CliRunner

from tests.support.hub import NEXT_COMMIT
from tests.support.models import tiny_model
from tests.unit.sharing.upload_hub import TOKEN, UploadHub, upload_handler
from weft.cli import app
from weft.errors import ConfigError, DataError
from weft.model import save_model
from weft.sharing.hub import push_folder, require_repository

pytestmark = pytest.mark.filterwarnings(
    "ignore::UserWarning", "ignore::FutureWarning", "ignore:Use .content=:DeprecationWarning"
)


@pytest.fixture
def hub():
    return UploadHub()


@pytest.fixture
def address(hub, monkeypatch):
    addresses = []
    handler = upload_handler(hub, lambda: addresses[0])
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True).start()
        addresses.append(f"http://127.0.0.1:{running.server_port}")
        monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", addresses[0])
        monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_DISABLE_XET", True)
        monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        yield addresses[0]
        running.shutdown()


@pytest.fixture
def folders(tokenizer, tmp_path):
    """Write a base model and an adapter; return their folders."""
    model = tiny_model(tokenizer)
    save_model(model, tmp_path / "base")
    tokenizer.save_pretrained(tmp_path / "base")
    config = LoraConfig(r=2, target_modules=["q_proj"], init_lora_weights=False)
    get_peft_model(model, config).save_pretrained(tmp_path / "adapter")
    return tmp_path / "base", tmp_path / "adapter"


def export(folders, *arguments):
    base, adapter = folders
    out = base.parent / "out"
    given = ["--base", base, "--finetuned", adapter, "--form", "adapter", "--out", out, *arguments]
    return CliRunner().invoke(app, ["export", *map(str, given)]), out


@pytest.mark.parametrize("private", [True, False])
def test_an_export_is_uploaded_file_by_file(hub, address, folders, private):
    result, out = export(folders, "--push", "me/mine", *(["--private"] if private else []))
    assert result.exit_code == 0, result.output
    assert f"uploaded -> {address}/me/mine/commit/{NEXT_COMMIT}" in result.output
    (created,) = hub.created
    assert (created["organization"], created["name"]) == ("me", "mine")
    assert created.get("visibility") == ("private" if private else "public")
    stored = hub.files["me/mine"][NEXT_COMMIT]
    assert stored == {file.name: file.read_bytes() for file in out.iterdir()}
    assert set(stored) == {"README.md", "adapter_config.json", "adapter_model.safetensors"}
    assert ModelCard(stored["README.md"].decode()).data.library_name == "peft"
    assert hub.authorization == {f"Bearer {TOKEN}"}
    assert TOKEN not in result.output


def test_nothing_is_uploaded_unless_asked(hub, address, folders):
    result, _ = export(folders)
    assert result.exit_code == 0
    assert not hub.requests


@pytest.mark.parametrize(
    ("status", "cause"), [(401, "does not accept the token"), (403, "may not write"), (400, "400")]
)
def test_a_refusal_is_explained_without_the_token_and_the_export_stays(hub, address, folders, status, cause):
    hub.status = status
    result, out = export(folders, "--push", "me/mine")
    assert isinstance(result.exception, DataError)
    message = str(result.exception)
    assert message.startswith(f"{out} is complete, but cannot be uploaded to me/mine: ")
    assert cause in message
    assert TOKEN not in message
    assert (out / "adapter_model.safetensors").exists()


def test_without_a_network_the_export_stays(address, folders, monkeypatch):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    result, out = export(folders, "--push", "me/mine")
    assert isinstance(result.exception, DataError)
    assert "cannot be uploaded to me/mine: " in str(result.exception)
    assert (out / "README.md").exists()


def test_name_and_token_are_checked_before_any_work(folders, monkeypatch):
    monkeypatch.delenv("HF_TOKEN", raising=False)
    result, out = export(folders, "--push", "me/mine")
    assert isinstance(result.exception, ConfigError)
    assert "HF_TOKEN" in str(result.exception)
    for name in ("mine", "me/mine/yours", "me/", "../mine"):
        with pytest.raises(ConfigError, match="OWNER/NAME"):
            require_repository("--push", name)
    assert not out.exists()


def test_hidden_files_stay_on_this_machine(hub, address, tmp_path):
    for name in (".secret", "sub/.env", "sub/shown.txt", "README.md"):
        (tmp_path / "folder" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "folder" / name).write_text(name)
    push_folder(tmp_path / "folder", "me/mine", token=TOKEN, private=True)
    assert set(hub.files["me/mine"][NEXT_COMMIT]) == {"sub/shown.txt", "README.md"}
