from pathlib import Path

import yaml

from tools.config_schema import render_schema
from weft.config.settings import Settings


def test_the_schema_of_the_workflow_is_current():
    assert Path("workflow/schemas/config.schema.yaml").read_text() == render_schema(), "run make config-docs"


def test_every_setting_has_the_default_of_config_yaml_and_a_description():
    keys = yaml.safe_load(render_schema())["properties"]
    assert {name: key["default"] for name, key in keys.items()} == yaml.safe_load(
        Path("config.yaml").read_text()
    )
    assert keys.keys() == Settings.model_fields.keys()
    assert all(key["description"].endswith(".") for key in keys.values())
