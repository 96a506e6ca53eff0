"""``weft export``: what other tools get."""

import json

import pytest
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file
from typer.testing import CliRunner

from tests.support.models import tiny_dream, tiny_model
from weft.cli import app
from weft.errors import CheckpointError, ConfigError
from weft.model import load_adapter, load_finetuned, load_model, load_tokenizer, save_model
from weft.model.checkpoint import stored_dtype

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning")
MAKERS = {"llada": tiny_model, "dream": tiny_dream}


def export(*arguments):
    result = CliRunner().invoke(app, ["export", *map(str, arguments)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


def logits_of(model):
    with torch.no_grad():
        return model(input_ids=torch.arange(20).reshape(2, 10)).logits


@pytest.fixture
def adapter(family, tokenizer, tmp_path):
    config = LoraConfig(r=2, target_modules=["q_proj", "down_proj"], init_lora_weights=False)
    get_peft_model(MAKERS[family](tokenizer), config).save_pretrained(tmp_path / "adapter")
    return tmp_path / "adapter"


def test_an_adapter_is_merged_into_a_whole_checkpoint_with_its_tokenizer(
    directory, adapter, family, tmp_path
):
    line = export("--base", directory, "--finetuned", adapter, "--out", tmp_path / "out")
    assert line.startswith(f"{family}: checkpoint of ")
    assert " parameters in float32 -> " in line
    merged = load_model(tmp_path / "out")
    torch.testing.assert_close(
        logits_of(merged), logits_of(load_finetuned(directory, adapter)), atol=1e-4, rtol=1e-4
    )
    tokenizer = load_tokenizer(tmp_path / "out", mask_token_id=merged.config.mask_token_id)
    assert tokenizer.chat_template == load_tokenizer(directory).chat_template
    assert (tmp_path / "out.provenance.json").exists()


def test_a_base_in_bf16_stays_in_bf16(directory, adapter, tmp_path):
    save_model(load_model(directory, torch.bfloat16), tmp_path / "base")
    assert "in bfloat16" in export(
        "--base", tmp_path / "base", "--finetuned", adapter, "--out", tmp_path / "out"
    )
    assert stored_dtype(tmp_path / "out") == torch.bfloat16


def test_a_whole_checkpoint_is_written_as_it_is(directory, family, tokenizer, tmp_path):
    save_model(MAKERS[family](tokenizer, seed=4), tmp_path / "tuned")
    export("--base", directory, "--finetuned", tmp_path / "tuned", "--out", tmp_path / "out")
    made, wanted = (load_file(tmp_path / name / "model.safetensors") for name in ("out", "tuned"))
    assert made.keys() == wanted.keys()
    assert all(torch.equal(made[name], wanted[name]) for name in wanted)
    export("--base", directory, "--out", tmp_path / "copy")
    assert torch.equal(logits_of(load_model(tmp_path / "copy")), logits_of(load_model(directory)))


def test_an_adapter_is_written_under_published_names(directory, adapter, predictor, tmp_path):
    arguments = ("--base", directory, "--finetuned", adapter, "--form", "adapter", "--out", tmp_path / "out")
    assert "adapter of 4 modules" in export(*arguments)
    expected = logits_of(load_finetuned(directory, adapter))
    assert torch.equal(logits_of(load_adapter(predictor, tmp_path / "out")), expected)
    assert json.loads((tmp_path / "out" / "adapter_config.json").read_text())["r"] == 2


def test_an_impossible_export_is_refused_and_keeps_existing_files(directory, adapter, tmp_path):
    with pytest.raises(ConfigError, match="--finetuned"):
        export("--base", directory, "--form", "adapter", "--out", tmp_path / "out")
    for out in (directory, directory.parent, adapter):
        with pytest.raises(ConfigError, match="--out must"):
            export("--base", directory, "--finetuned", adapter, "--out", out)
    with pytest.raises(CheckpointError, match=r"adapter_config\.json, but the file is missing"):
        export("--base", directory, "--finetuned", directory, "--form", "adapter", "--out", tmp_path / "out")
    assert not (tmp_path / "out").exists()
    load_finetuned(directory, adapter)


def test_an_export_replaces_only_what_an_earlier_one_wrote(directory, adapter, tmp_path):
    arguments = ("--base", directory, "--finetuned", adapter, "--form", "adapter", "--out")
    mine = tmp_path / "mine" / "thesis.tex"
    mine.parent.mkdir()
    mine.write_text("precious")
    (tmp_path / "link").symlink_to(mine.parent)
    for out in (mine.parent, mine, tmp_path / "link"):
        with pytest.raises(ConfigError, match="--out must be a new folder or one with an earlier export"):
            export(*arguments, out)
    assert mine.read_text() == "precious"
    (tmp_path / "out").mkdir()
    for _ in range(2):  # an empty folder, and an earlier export
        export(*arguments, tmp_path / "out")
    (tmp_path / "out" / "modeling.py").touch()
    with pytest.raises(ConfigError, match="with other files"):
        export(*arguments, tmp_path / "out")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--license", "Apache 2.0"], "such as apache-2.0 or other, got 'Apache 2.0'"),
        (["--private"], "--push must be given with --private"),
    ],
)
def test_options_of_publishing_are_checked_before_any_work(directory, adapter, tmp_path, options, message):
    with pytest.raises(ConfigError, match=message):
        export("--base", directory, "--finetuned", adapter, "--out", tmp_path / "out", *options)
    assert not (tmp_path / "out").exists()
