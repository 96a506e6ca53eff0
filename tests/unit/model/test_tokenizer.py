import json
import re
import shutil

import pytest

from weft.errors import CheckpointError
from weft.model import load_tokenizer


@pytest.fixture
def folder(tokenizer, tmp_path):
    tokenizer.save_pretrained(tmp_path)
    return tmp_path


@pytest.fixture
def dream_folder(shared_data, tmp_path):
    """Qwen's vocabulary with Dream's added tokens, and a tokenizer class that must not be run."""
    source = shared_data / "qwen2.5_tokenizer"
    for name in ("vocab.json", "merges.txt"):
        shutil.copyfile(source / name, tmp_path / name)
    settings = json.loads((source / "tokenizer_config.json").read_text())
    added = {i: token for i, token in settings["added_tokens_decoder"].items() if int(i) < 151665}
    special = added["151643"]
    added |= {"151665": special | {"content": "<|beginoftext|>"}, "151666": special | {"content": "<|mask|>"}}
    settings |= {
        "added_tokens_decoder": added,
        "additional_special_tokens": ["<|beginoftext|>", "<|mask|>"],
        "auto_map": {"AutoTokenizer": ["tokenization_dream.DreamTokenizer", None]},
        "bos_token": "<|beginoftext|>",
        "eos_token": "<|endoftext|>",
        "mask_token": "<|mask|>",
        "pad_token": "<|endoftext|>",
        "tokenizer_class": "DreamTokenizer",
    }
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(settings))
    (tmp_path / "tokenization_dream.py").write_text("raise SystemExit(3)\n")
    return tmp_path


def test_a_tokenizer_without_mask_token_takes_it_from_the_configuration(tokenizer, folder):
    file = folder / "tokenizer_config.json"
    settings = json.loads(file.read_text())
    settings.pop("mask_token")
    file.write_text(json.dumps(settings))
    with pytest.raises(CheckpointError, match="mask token, got none; add mask_token_id"):
        load_tokenizer(folder)
    assert load_tokenizer(folder, mask_token_id=tokenizer.mask_token_id).mask_token == tokenizer.mask_token


def test_tokenizer_and_configuration_must_agree(tokenizer, folder):
    with pytest.raises(CheckpointError, match="must name the same mask token"):
        load_tokenizer(folder, mask_token_id=tokenizer.mask_token_id + 1)


def test_an_empty_directory_is_refused(tmp_path):
    for folder, found in ((tmp_path, "a folder without it"), (tmp_path / "absent", "no such folder")):
        message = (
            rf"^{folder} must contain a tokenizer \(tokenizer.json\), got {found}; correct the path or fetch"
        )
        with pytest.raises(CheckpointError, match=message):
            load_tokenizer(folder)


def test_a_vocabulary_without_merges_is_refused(tmp_path):
    (tmp_path / "vocab.json").write_text("{}")
    with pytest.raises(CheckpointError, match=r"merges\.txt"):
        load_tokenizer(tmp_path)


def test_dreams_tokenizer_is_qwens_with_further_tokens_and_no_code_of_its_own(dream_folder):
    tokenizer = load_tokenizer(dream_folder, mask_token_id=151666)
    assert (tokenizer.mask_token_id, tokenizer.bos_token_id) == (151666, 151665)
    assert tokenizer.eos_token_id == tokenizer.pad_token_id == 151643
    # Qwen's ids, as its own tests state them: "Hello world!"; digits one by one; the mask as one token.
    assert tokenizer("Hello world!").input_ids == [9707, 1879, 0]
    assert tokenizer("12<|mask|>").input_ids == [16, 17, 151666]
    text = "Wörter,  it's 3.5\n\n\tx² = ½"
    assert tokenizer.decode(tokenizer(text).input_ids) == text


HEADER = "<|start_header_id|>assistant<|end_header_id|>\n\n"
TURNS = (
    "{% for m in messages %}<|start_header_id|>{{ m.role }}<|end_header_id|>\n\n{{ m.content }}<|eot_id|>"
    "{% endfor %}"
)


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        ("{% for message in messages %}", "TemplateSyntaxError"),
        ("{{ messages[0].content", "TemplateSyntaxError"),
        (TURNS + "{{ raise_exception('never') }}", "TemplateError: never"),
        (TURNS + "{% for tool in tools %}{{ tool.name }}{% endfor %}", "got (UndefinedError|TypeError)"),
        (TURNS + "{{ user.name.first }}", "UndefinedError: 'user' is undefined"),
        (TURNS + "{{ 1 / 0 }}", "ZeroDivisionError"),
        ("{% if messages|length != 3 %}{{ raise_exception('three turns!') }}{% endif %}", "three turns!"),
        ("", "texts of all turns"),
        (" \n", "texts of all turns"),
        ("{{ bos_token }}" + HEADER, "texts of all turns"),
        (TURNS.replace("m.content", "m.text"), "texts of all turns"),
        (TURNS.replace("m.content", "m.content if m.role == 'user'"), "texts of all turns"),
        (TURNS, "assistant header with add_generation_prompt"),
        ("{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}", "assistant header"),
    ],
)
def test_a_chat_template_that_cannot_be_used_is_refused_with_its_file(folder, template, reason):
    (folder / "chat_template.jinja").write_text(template)
    with pytest.raises(CheckpointError, match=rf"chat_template.jinja: the chat template must .*{reason}"):
        load_tokenizer(folder)


@pytest.mark.parametrize(
    "template",
    [
        TURNS + HEADER,  # LLaDA's appends the header always
        TURNS + "{% if add_generation_prompt %}" + HEADER + "{% endif %}",
        (TURNS + "{% if add_generation_prompt %}" + HEADER + "{% endif %}").replace("\n", "\r\n"),
        # Plain turns without any header: an answer simply follows.
        "{% for m in messages %}{{ m.content }}\n{% endfor %}",
        # A template that keeps the end of an earlier answer only.
        TURNS.replace("m.content", "m.content.split('</think>')[-1] | trim") + HEADER,
        # A thought that the template adds to a given answer only.
        "{% for m in messages %}{% if m.role == 'assistant' %}A: <think></think>{% else %}U: {% endif %}"
        "{{ m.content }}\n{% endfor %}{% if add_generation_prompt %}A: {% endif %}",
        "{% if tools is defined and tools %}{{ tools[0].name }}{% endif %}" + TURNS + HEADER,
        TURNS.replace("{{ m.content }}", "{% generation %}{{ m.content }}{% endgeneration %}") + HEADER,
    ],
)
def test_other_templates_are_accepted(folder, template):
    (folder / "chat_template.jinja").write_text(template, newline="")
    assert load_tokenizer(folder).chat_template


@pytest.mark.parametrize(
    ("named", "error"),
    [
        (
            [{"name": "default", "template": TURNS + HEADER}, {"name": "tool_use", "template": "{{ x }}"}],
            None,
        ),
        ([{"name": "default", "template": "{% for"}], "TemplateSyntaxError"),
        ([{"name": "tool_use", "template": TURNS + HEADER}], "ValueError"),
        ("{% for", "TemplateSyntaxError"),
        (7, ""),
    ],
)
def test_a_template_in_the_configuration_of_the_tokenizer_is_checked(folder, named, error):
    (folder / "chat_template.jinja").unlink(missing_ok=True)
    file = folder / "tokenizer_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"chat_template": named}))
    if error is None:
        load_tokenizer(folder)
        return
    with pytest.raises(CheckpointError, match=f"tokenizer_config.json|must contain a tokenizer.*{error}"):
        load_tokenizer(folder)


@pytest.mark.parametrize("name", ["tokenizer.json", "tokenizer_config.json"])
@pytest.mark.parametrize("content", ["", "{", "[]", '{"version": 7}', "\x00"])
def test_a_damaged_tokenizer_is_one_error(folder, name, content):
    (folder / name).write_text(content)
    with pytest.raises(CheckpointError, match=re.escape(str(folder))):
        load_tokenizer(folder)


def test_the_model_must_have_an_embedding_for_the_padding(folder, model):
    from weft.model.checkpoint import save_model

    save_model(model, folder)
    load_tokenizer(folder)
    file = folder / "tokenizer_config.json"
    tokenizer = load_tokenizer(folder)
    tokenizer.add_special_tokens({"pad_token": "<|a new padding token|>"})
    tokenizer.save_pretrained(folder)
    assert file.exists()
    with pytest.raises(CheckpointError, match=r"id of the padding token must be from 0 to 399, .* got 400"):
        load_tokenizer(folder)


@pytest.mark.parametrize("value", [-1, 400, 10**9, "1", 1.5, True, [1]])
@pytest.mark.parametrize("name", ["pad_token_id", "mask_token_id"])
def test_ids_of_tokens_in_the_configuration_are_in_the_vocabulary(folder, model, name, value):
    from weft.model.checkpoint import read_config, save_model

    save_model(model, folder)
    file = folder / "config.json"
    fields = json.loads(file.read_text())
    for allowed in (None, 0, 399):
        file.write_text(json.dumps(fields | {name: allowed}))
        read_config(folder)
    file.write_text(json.dumps(fields | {name: value}))
    with pytest.raises(CheckpointError, match=rf"config.json: ids of tokens .* 0 to 399, .*{name}"):
        read_config(folder)
