"""Checkpoint and adapter directories made to run code, crash, stop or occupy the program that loads them.

Every form goes through all functions that look at a directory: the checks before any job, the plan, and what
`weft sample` and `weft.load_model` do. Each function accepts the directory or raises an error of weft with a
short message; a directory that is damaged is refused by at least one of them.
"""

import json
import os
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

import weft
from tests.support.models import tiny_model
from weft.costs.networks import read_network
from weft.data.checkpoint_files import check_checkpoint_files
from weft.data.context import read_context
from weft.data.encoding import encode_prompt
from weft.errors import WeftError
from weft.model import load_adapter, load_model, save_model
from weft.model.adapters import check_finetuned
from weft.model.checkpoint import check_weights, stored_dtype

MAX_CHARACTERS = 1500
"""Length of the longest message; the paths of these tests have 150 characters."""
LINEAR = "base_model.model.model.layers.{}.self_attn.q_proj.lora_{}.weight"
DEEP = "[" * 100_000
DEEPER_THAN_ALLOWED = '{"a":' * 70 + "1" + "}" * 70


def make_checkpoint(folder, tokenizer):
    save_model(tiny_model(tokenizer), folder)
    tokenizer.save_pretrained(folder)
    return folder


def make_adapter(folder):
    folder.mkdir()
    tensors = {}
    for layer in range(2):
        tensors[LINEAR.format(layer, "A")] = torch.ones(2, 32)
        tensors[LINEAR.format(layer, "B")] = torch.ones(32, 2)
    save_file(tensors, folder / "adapter_model.safetensors")
    fields = {"peft_type": "LORA", "r": 2, "lora_alpha": 4, "lora_dropout": 0.0, "target_modules": ["q_proj"]}
    (folder / "adapter_config.json").write_text(json.dumps(fields))
    return folder


def edit_json(name, **changes):
    def change(folder):
        fields = json.loads((folder / name).read_text())
        for key, value in changes.items():
            if value is ...:
                fields.pop(key, None)
            else:
                fields[key] = value
        (folder / name).write_text(json.dumps(fields))

    return change


def write(name, content):
    def change(folder):
        (folder / name).unlink(missing_ok=True)
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())

    return change


def replace(name, make):
    def change(folder):
        (folder / name).unlink(missing_ok=True)
        make(folder / name)

    return change


def edit_header(name, change_header):
    def change(folder):
        content = (folder / name).read_bytes()
        length = int.from_bytes(content[:8], "little")
        header = json.loads(content[8 : 8 + length])
        text = change_header(header)
        text = json.dumps(header) if text is None else text
        (folder / name).write_bytes(struct.pack("<Q", len(text)) + text.encode() + content[8 + length :])

    return change


def edit_bytes(name, change_content):
    return lambda folder: (folder / name).write_bytes(change_content((folder / name).read_bytes()))


def with_tensors(name, change_tensors):
    def change(folder):
        tensors = load_file(folder / name)
        (folder / name).unlink()
        save_file(change_tensors(tensors), folder / name)

    return change


def with_index(weight_map):
    return write("model.safetensors.index.json", json.dumps({"weight_map": weight_map}))


def set_first(key, value):
    def change(header):
        next(entry for name, entry in header.items() if name != "__metadata__")[key] = value

    return change


def tokenizer_json(change_fields):
    def change(folder):
        fields = json.loads((folder / "tokenizer.json").read_text())
        change_fields(fields)
        (folder / "tokenizer.json").write_text(json.dumps(fields))

    return change


def template(text):
    return write("chat_template.jinja", text)


def split_by(pattern):
    return tokenizer_json(
        lambda fields: fields.update(
            pre_tokenizer={
                "type": "Split",
                "pattern": {"Regex": pattern},
                "behavior": "Isolated",
                "invert": False,
            }
        )
    )


WEIGHTS, ADAPTER = "model.safetensors", "adapter_model.safetensors"
REFUSED = {
    **{
        f"config {key} {value!r:.40}": edit_json("config.json", **{key: value})
        for key, value in [
            ("n_layers", 1.5), ("n_layers", 10**7), ("n_layers", "2"), ("n_layers", -1), ("n_layers", True),
            ("n_layers", [2]), ("n_layers", None), ("n_layers", 10**400), ("n_layers", 3), ("n_layers", ...),
            ("d_model", 10**8), ("d_model", 33), ("d_model", 0.5), ("d_model", {}), ("n_heads", 3),
            ("n_heads", 0), ("n_kv_heads", 10**6), ("n_kv_heads", "x" * 10_000), ("vocab_size", 10**30),
            ("embedding_size", 7), ("embedding_size", float("nan")), ("mlp_hidden_size", float("inf")),
            ("rms_norm_eps", "1e-5"), ("rms_norm_eps", -1.0), ("rms_norm_eps", float("nan")),
            ("rope_theta", 10**400), ("rope_theta", "a"), ("rope_theta", float("inf")),
            ("max_sequence_length", 10**18), ("max_sequence_length", 2.5), ("mask_token_id", 10**9),
            ("mask_token_id", -1), ("mask_token_id", "2"), ("pad_token_id", 1.5), ("pad_token_id", [1]),
            ("model_type", "x" * 100_000), ("model_type", ["llada"]), ("model_type", None),
            ("model_type", {"a": 1}), ("block_type", "sequential"), ("block_type", ["llama"] * 10_000),
            ("alibi", True), ("weight_tying", True),
        ]
    },
    "config nested deep": write("config.json", '{"a": ' + DEEP),
    "config nested more than allowed": write("config.json", DEEPER_THAN_ALLOWED),
    "config a list": write("config.json", "[1]"),
    "config of 5,000 digits": write("config.json", '{"model_type": "llada", "n_layers": ' + "9" * 5000 + "}"),
    "config not Unicode": write("config.json", b"\xff\xfe{"),
    "config empty": write("config.json", ""),
    "config too large": write("config.json", '{"a": "' + "x" * 2**24 + '"}'),
    "config a folder": replace("config.json", Path.mkdir),
    "config a broken link": replace("config.json", lambda path: path.symlink_to("nowhere")),
    "config of Dream": edit_json("config.json", model_type="Dream"),
    "index outside": with_index({"x": "../other.safetensors"}),
    "index of dots": with_index({"x": ".."}),
    "index absolute": with_index({"x": "/etc/passwd"}),
    "index of numbers": with_index({"x": 5}),
    "index of lists": with_index({"x": ["model.safetensors"]}),
    "index empty": with_index({}),
    "index a list": with_index(["model.safetensors"]),
    "index nested deep": write("model.safetensors.index.json", '{"weight_map": ' + DEEP),
    "index of a file that is missing": with_index({"x": "model-9.safetensors"}),
    "index of a tensor that is missing": with_index({"x" * 10_000: "model.safetensors"}),
    "index of a pickle": with_index({"x": "pytorch_model.bin"}),
    "weights a folder": replace(WEIGHTS, Path.mkdir),
    "weights empty": write(WEIGHTS, b""),
    "weights cut": edit_bytes(WEIGHTS, lambda content: content[:-100]),
    "weights with more bytes": edit_bytes(WEIGHTS, lambda content: content + b"x" * 100),
    "weights a pickle": write(WEIGHTS, b"\x80\x04\x95cos\nsystem\n"),
    "header of 2^63 bytes": edit_bytes(WEIGHTS, lambda content: struct.pack("<Q", 2**63) + content[8:]),
    "header of 10^8 bytes": edit_bytes(WEIGHTS, lambda content: struct.pack("<Q", 10**8) + content[8:]),
    "header of no bytes": edit_bytes(WEIGHTS, lambda content: struct.pack("<Q", 0) + content[8:]),
    "header nested deep": edit_header(WEIGHTS, lambda _: '{"a": ' + DEEP),
    "header a list": edit_header(WEIGHTS, lambda _: "[]"),
    "header not Unicode": edit_bytes(WEIGHTS, lambda content: content[:9] + b"\xff" + content[10:]),
    "offsets that overlap": edit_header(WEIGHTS, set_first("data_offsets", [0, 4])),
    "offsets backwards": edit_header(WEIGHTS, set_first("data_offsets", [100, 0])),
    "offsets negative": edit_header(WEIGHTS, set_first("data_offsets", [-4, 0])),
    "offsets beyond the file": edit_header(WEIGHTS, set_first("data_offsets", [0, 2**62])),
    "offsets of text": edit_header(WEIGHTS, set_first("data_offsets", ["a", "b"])),
    "shape too large": edit_header(WEIGHTS, set_first("shape", [2**40, 2**40])),
    "shape negative": edit_header(WEIGHTS, set_first("shape", [-1])),
    "shape nested": edit_header(WEIGHTS, set_first("shape", [[1]])),
    "dtype unknown": edit_header(WEIGHTS, set_first("dtype", "X99")),
    "dtype of other size": edit_header(WEIGHTS, set_first("dtype", "F64")),
    "dtype of integers": edit_header(WEIGHTS, set_first("dtype", "I32")),
    "tensor of another name": with_tensors(WEIGHTS, lambda t: {"x" * 5000: torch.ones(1), **t}),
    "tensor left out": with_tensors(WEIGHTS, lambda t: dict(list(t.items())[1:])),
    "tensor of another shape": with_tensors(WEIGHTS, lambda t: {k: x[:-1].clone() for k, x in t.items()}),
    "tensors of bytes": with_tensors(WEIGHTS, lambda t: {k: x.to(torch.uint8) for k, x in t.items()}),
    "tensor twice": lambda folder: (
        shutil.copyfile(folder / WEIGHTS, folder / "b.safetensors"),
        with_index({"x": WEIGHTS, "y": "b.safetensors"})(folder),
    ),
    "only a pickle": lambda folder: (folder / WEIGHTS).rename(folder / "pytorch_model.bin"),
    "tokenizer an empty object": write("tokenizer.json", "{}"),
    "tokenizer a list": write("tokenizer.json", "[]"),
    "tokenizer empty": write("tokenizer.json", ""),
    "tokenizer nested deep": write("tokenizer.json", '{"a": ' + DEEP),
    "tokenizer a folder": replace("tokenizer.json", Path.mkdir),
    "tokenizer without a model": tokenizer_json(lambda fields: fields.pop("model")),
    "tokenizer with a model of another type": tokenizer_json(lambda fields: fields["model"].update(type="X")),
    "tokenizer with ids beyond the model": tokenizer_json(
        lambda fields: fields["added_tokens"].append(
            fields["added_tokens"][0] | {"id": 9999, "content": "<x>"}
        )
    ),
    "tokenizer with a broken pattern": split_by("((("),
    "tokenizer with negative ids": tokenizer_json(lambda fields: fields["added_tokens"][0].update(id=-1)),
    "tokenizer settings empty": write("tokenizer_config.json", ""),
    "tokenizer settings a list": write("tokenizer_config.json", "[]"),
    "tokenizer settings nested deep": write("tokenizer_config.json", '{"a": ' + DEEP),
    "tokenizer settings with a number as token": edit_json("tokenizer_config.json", eos_token=5),
    "tokenizer settings without end": edit_json("tokenizer_config.json", eos_token=...),
    "tokenizer settings with another mask": edit_json("tokenizer_config.json", mask_token="<other>"),
    "template empty": template(""),
    "template of spaces": template("  \n"),
    "template with a fault": template("{% for m in messages %}"),
    "template with an unknown name": template("{{ nothing.here.at_all }}"),
    "template that divides by zero": template("{{ 1 // 0 }}"),
    "template that raises": template("{{ raise_exception('x' * 5000) }}"),
    "template with a wrong filter": template("{{ messages | nothing }}"),
    "template that drops the texts": template("hello"),
    "template that reaches for the classes": template("{{ ''.__class__.__mro__[1].__subclasses__() }}"),
    "template that reaches for the system": template("{{ cycler.__init__.__globals__.os.system('true') }}"),
    "template that calls itself": template("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}"),
    "template not Unicode": template(b"\xff\xfe"),
    "template a folder": replace("chat_template.jinja", Path.mkdir),
}  # fmt: skip
ADAPTERS = {
    **{
        f"adapter {key} {value!r:.40}": edit_json("adapter_config.json", **{key: value})
        for key, value in [
            ("lora_alpha", "4"), ("lora_alpha", float("nan")), ("lora_alpha", 10**400), ("lora_alpha", -1),
            ("lora_alpha", [4]), ("lora_dropout", 5), ("lora_dropout", "0"), ("lora_dropout", float("nan")),
            ("r", 0), ("r", 2.0), ("r", 10**12), ("r", "2"), ("r", 3), ("use_rslora", "false"),
            ("target_modules", []), ("target_modules", 5), ("target_modules", "((("),
            ("target_modules", ["x" * 100_000]), ("target_modules", "q_proj|" * 20_000),
            ("target_modules", ["k_proj"]), ("peft_type", "IA3"), ("peft_type", ["LORA"]),
            ("use_dora", True), ("modules_to_save", ["lm_head"] * 10_000), ("rank_pattern", {"q_proj": 8}),
            ("alpha_pattern", {"q_proj": 8}), ("init_lora_weights", "pissa"), ("bias", "all"),
            ("something_new", {"a": [1] * 10_000}),
        ]
    },
    "adapter nested deep": write("adapter_config.json", DEEP),
    "adapter a list": write("adapter_config.json", "[]"),
    "adapter a folder": replace("adapter_config.json", Path.mkdir),
    "adapter weights empty": write(ADAPTER, b""),
    "adapter weights a folder": replace(ADAPTER, Path.mkdir),
    "adapter weights missing": lambda folder: (folder / ADAPTER).unlink(),
    "adapter weights a pickle": lambda folder: (folder / ADAPTER).rename(folder / "adapter_model.bin"),
    "adapter weights cut": edit_bytes(ADAPTER, lambda content: content[:-4]),
    "adapter without a side": with_tensors(ADAPTER, lambda t: dict(list(t.items())[1:])),
    "adapter of other modules": with_tensors(ADAPTER, lambda t: {"x" * 5000: torch.ones(1)}),
    "adapter of integers": with_tensors(ADAPTER, lambda t: {k: x.to(torch.int64) for k, x in t.items()}),
    "adapter of the head": with_tensors(
        ADAPTER, lambda t: {f"base_model.model.lm_head.lora_{s}.weight": torch.ones(2, 2) for s in "AB"}
    ),
    "adapter without tensors": with_tensors(ADAPTER, lambda t: {}),
}  # fmt: skip
HARMLESS = {
    "nothing": lambda folder: None,
    "classes of its own": lambda folder: (
        edit_json("config.json", auto_map={"AutoModel": "evil.Model", "AutoConfig": "evil.Config"})(folder),
        edit_json("tokenizer_config.json", auto_map={"AutoTokenizer": ["evil.T", None]})(folder),
        plant(folder, "evil.py"),
    ),
    "another class of tokenizer": lambda folder: (
        edit_json("tokenizer_config.json", tokenizer_class="EvilTokenizer")(folder),
        plant(folder, "tokenization_evil.py"),
    ),
    "a pickle beside": lambda folder: (folder / "pytorch_model.bin").write_bytes(b"cos\nsystem\n"),
    "generation of its own": lambda folder: (
        (folder / "custom_generate").mkdir(),
        plant(folder / "custom_generate", "generate.py"),
    ),
    "setup beside": lambda folder: plant(folder, "setup.py"),
    "unknown fields": edit_json("config.json", surprise={"a": [1, 2, 3]}),
}
BURNING = {
    "config a device": replace("config.json", lambda path: path.symlink_to("/dev/zero")),
    "config a pipe": replace("config.json", os.mkfifo),
    "index a pipe": replace("model.safetensors.index.json", os.mkfifo),
    "weights a pipe": replace(WEIGHTS, os.mkfifo),
    "weights a device": replace(WEIGHTS, lambda path: path.symlink_to("/dev/zero")),
    "tokenizer a pipe": replace("tokenizer.json", os.mkfifo),
    "tokenizer settings a device": replace(
        "tokenizer_config.json", lambda path: path.symlink_to("/dev/zero")
    ),
    "template a pipe": replace("chat_template.jinja", os.mkfifo),
    "vocabulary a pipe": replace("vocab.json", os.mkfifo),
    "very many layers": edit_json("config.json", n_layers=10**7),
    "template with loops": template(
        "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
    ),
    "template with a long text": template("{{ 'x' * 10000000000 }}"),
    "template with a large result": template("{{ messages[0].content * 10000000 }}"),
    "tokenizer with a slow pattern": split_by(r"(a|a|a)*b|(1+)+x|( +)+y"),
}  # fmt: skip
BURNING_ADAPTERS = {
    "adapter a pipe": replace("adapter_config.json", os.mkfifo),
    "adapter a device": replace("adapter_config.json", lambda path: path.symlink_to("/dev/zero")),
    "adapter weights a pipe": replace(ADAPTER, os.mkfifo),
    "adapter with a slow pattern": edit_json("adapter_config.json", target_modules=r"(\w|\w|\.)*!"),
}


def plant(folder, name):
    """Write a module that leaves a mark in its folder when it is run."""
    mark = folder / "it-was-run"
    (folder / name).write_text(f"open({str(mark)!r}, 'w')\nraise SystemExit(3)\n")


def sample_path(folder):
    """Do what ``weft sample`` does until the first prompt."""
    weft.load_model(folder)
    encode_prompt(weft.load_tokenizer(folder), "What is 1 and 1?", prefill="<reasoning>")


CHECKPOINT_PATHS = (
    check_checkpoint_files, check_weights, stored_dtype, read_network, read_context, load_model, sample_path,
)  # fmt: skip


def complaints(functions, *arguments):
    """Return the messages of the functions that refuse a directory; errors of other kinds are raised."""
    messages = []
    for function in functions:
        try:
            function(*arguments)
        except WeftError as error:
            messages.append(str(error))
    assert all(len(message) <= MAX_CHARACTERS for message in messages), max(messages, key=len)[:2000]
    return messages


def checkpoint_complaints(folder):
    return complaints(CHECKPOINT_PATHS, folder)


def adapter_complaints(base, adapter):
    return complaints(
        (check_finetuned, lambda base, adapter: load_adapter(load_model(base), adapter)), base, adapter
    )


@pytest.fixture(scope="module")
def base(tmp_path_factory, tokenizer):
    return make_checkpoint(tmp_path_factory.mktemp("hostile") / "base", tokenizer)


def copy(base, tmp_path):
    return Path(shutil.copytree(base, tmp_path / "model"))


def test_there_are_at_least_101_forms():
    assert len(REFUSED) + len(ADAPTERS) + len(HARMLESS) + len(BURNING) + len(BURNING_ADAPTERS) >= 101


@pytest.mark.parametrize("name", HARMLESS)
def test_what_is_not_used_is_ignored_and_not_run(base, tmp_path, name):
    folder = copy(base, tmp_path)
    HARMLESS[name](folder)
    assert checkpoint_complaints(folder) == []
    assert not list(tmp_path.rglob("it-was-run"))


@pytest.mark.parametrize("name", REFUSED)
def test_a_damaged_checkpoint_is_refused_with_a_short_message(base, tmp_path, name):
    folder = copy(base, tmp_path)
    REFUSED[name](folder)
    messages = checkpoint_complaints(folder)
    assert messages
    assert all(str(tmp_path) in message for message in messages)


def test_the_adapter_itself_is_accepted(base, tmp_path):
    assert adapter_complaints(base, make_adapter(tmp_path / "adapter")) == []


@pytest.mark.parametrize("name", ADAPTERS)
def test_a_damaged_adapter_is_refused_with_a_short_message(base, tmp_path, name):
    folder = make_adapter(tmp_path / "adapter")
    ADAPTERS[name](folder)
    messages = adapter_complaints(base, folder)
    assert messages
    assert all(str(tmp_path) in message for message in messages)


IN_ONE_PROCESS = """
import json, resource, sys
from pathlib import Path
from tests.unit.model.test_hostile_checkpoints import adapter_complaints, checkpoint_complaints
resource.setrlimit(resource.RLIMIT_CPU, (120, 120))
root = Path(sys.argv[1])
for kind, names in json.loads(sys.argv[2]).items():
    for name in names:
        if kind == "models":
            messages = checkpoint_complaints(root / kind / name)
        else:
            messages = adapter_complaints(root / "base", root / kind / name)
        print(json.dumps([name, messages]), flush=True)
"""
"""Loads directories that might never end, in one process with limited processor time."""


@pytest.mark.slow
def test_directories_that_would_never_end_are_refused(base, tmp_path):
    shutil.copytree(base, tmp_path / "base")
    for name, change in BURNING.items():
        change(Path(shutil.copytree(base, tmp_path / "models" / name)))
    (tmp_path / "adapters").mkdir()
    for name, change in BURNING_ADAPTERS.items():
        change(make_adapter(tmp_path / "adapters" / name))
    names = json.dumps({"models": [*BURNING], "adapters": [*BURNING_ADAPTERS]})
    result = subprocess.run(
        [sys.executable, "-c", IN_ONE_PROCESS, str(tmp_path), names],
        capture_output=True,
        text=True,
        check=False,
        timeout=1800,  # only a pipe that is read for ever takes this long
    )
    outcomes = dict(json.loads(line) for line in result.stdout.splitlines())
    assert result.returncode == 0, result.stderr[-2000:]
    assert [*outcomes] == [*BURNING, *BURNING_ADAPTERS]
    assert all(outcomes.values()), [name for name, messages in outcomes.items() if not messages]
