from pathlib import Path

from tools.config_docs import render_settings


def test_docs_config_md_is_current():
    assert Path("docs/config.md").read_text() == render_settings(), "run make config-docs"


def test_every_setting_has_a_meaning():
    rows = [line for line in render_settings().splitlines() if line.startswith("| `")]
    bare = [row for row in rows if row.rstrip(" |").endswith(("required", "`None`"))]
    assert not bare
