import json
import re

import pytest

from weft.errors import CheckpointError
from weft.model.adapter_config import ADAPTER_CONFIG, lora_settings, read_adapter_config

PLAIN = {"peft_type": "LORA", "r": 4, "lora_alpha": 8, "lora_dropout": 0.05, "target_modules": ["q_proj"]}


@pytest.fixture
def read(tmp_path):
    def call(text):
        (tmp_path / ADAPTER_CONFIG).write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_adapter_config(tmp_path)

    return call


def described(**changes):
    return json.dumps(PLAIN | changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"lora_alpha": 8.5},
        {"lora_dropout": 0},
        {"lora_dropout": 1},
        {"use_rslora": None},
        {"use_rslora": True},
        {"target_modules": r".*\.q_proj"},
        {"modules_to_save": []},
        {"modules_to_save": None, "rank_pattern": {}, "bias": "none"},
        {"init_lora_weights": "gaussian"},
        {"not_known_yet": None},
        {"not_known_yet": False},
    ],
    ids=str,
)
def test_fields_of_plain_lora_are_read(read, changes):
    assert read(described(**changes)) == PLAIN | changes


def test_a_byte_order_mark_and_the_line_ends_of_windows_are_read(read):
    text = json.dumps(PLAIN, indent=2).replace("\n", "\r\n")
    assert read(b"\xef\xbb\xbf" + text.encode()) == PLAIN


def test_fields_that_are_absent_are_left_to_peft(read):
    fields = read('{"peft_type": "LORA", "r": 2, "target_modules": ["v_proj"], "use_rslora": null}')
    assert lora_settings(fields) == {"r": 2, "use_rslora": False}


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        *[("lora_alpha", value, "a finite number above 0") for value in
          (None, "16", [16], {"q_proj": 16}, True, 0, -16, float("nan"), float("inf"), 10**400)],
        *[("r", value, "a whole number of at least 1") for value in
          (None, "8", 8.0, True, 0, -1, [8], {"q_proj": 8})],
        *[("lora_dropout", value, "a number from 0 to 1") for value in
          (None, "0.1", False, -0.1, 1.5, float("nan"))],
        *[("use_rslora", value, "true or false") for value in (0, 1, "false", "true", [], 1.0)],
        *[("target_modules", value, "a list of module names") for value in
          (None, [], "", 7, True, {"q_proj": 1}, ["q_proj", None], ["q_proj", 3], [["q_proj"]], [""], "q(")],
    ],
    ids=str,
)  # fmt: skip
def test_a_value_of_the_wrong_kind_is_refused_with_file_and_field(read, tmp_path, field, value, expected):
    with pytest.raises(CheckpointError) as caught:
        read(described(**{field: value}))
    assert str(caught.value).startswith(f"{tmp_path / ADAPTER_CONFIG}: {field} must be {expected}")
    shown = json.dumps(value)
    assert f"got {shown[:120]}" in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"use_dora": True}, "plain LoRA.*'use_dora': True"),
        ({"fan_in_fan_out": 1}, "plain LoRA.*'fan_in_fan_out': 1"),
        ({"rank_pattern": {"q_proj": 5}}, "plain LoRA.*'rank_pattern'"),
        ({"alpha_pattern": "q_proj"}, "plain LoRA.*'alpha_pattern'"),
        ({"layers_to_transform": [0]}, "plain LoRA.*'layers_to_transform'"),
        ({"modules_to_save": ["lm_head"]}, "plain LoRA.*'modules_to_save'"),
        ({"bias": "all"}, "plain LoRA.*'bias': 'all'"),
        ({"bias": 1}, "plain LoRA.*'bias': 1"),
        ({"init_lora_weights": "pissa"}, "plain LoRA.*'init_lora_weights': 'pissa'"),
        ({"init_lora_weights": ["pissa"]}, "plain LoRA.*'init_lora_weights'"),
        ({"something_new": True}, "plain LoRA.*'something_new': True"),
        ({"something_new": float("nan")}, "plain LoRA.*'something_new': nan"),
        ({"peft_type": "IA3"}, 'peft_type must be "LORA", got "IA3"'),
        ({"peft_type": None}, 'peft_type must be "LORA", got null'),
        ({"peft_type": ["LORA"]}, re.escape('peft_type must be "LORA", got ["LORA"]')),
    ],
    ids=str,
)
def test_configurations_beyond_plain_lora_are_refused(read, changes, message):
    with pytest.raises(CheckpointError, match=message):
        read(described(**changes))


@pytest.mark.parametrize("missing", ["r", "target_modules"])
def test_a_missing_field_is_named(read, missing):
    rest = {name: value for name, value in PLAIN.items() if name != missing}
    with pytest.raises(CheckpointError, match=f"must contain r and target_modules, but .*'{missing}'"):
        read(json.dumps(rest))


@pytest.mark.parametrize("text", ["", "{", "[]", '"LORA"', "[" * 100_000, described().encode("utf-16")])
def test_a_file_that_holds_no_json_object_is_refused(read, text):
    with pytest.raises(
        CheckpointError,
        match=f"{ADAPTER_CONFIG}(, line 1: expected UTF-8| must (be JSON|contain a JSON object))",
    ):
        read(text)
