from pathlib import Path

from weft.config.document import document


def test_docs_config_md_is_current():
    assert Path("docs/config.md").read_text() == document(), "run make config-docs"


def test_every_setting_has_a_meaning():
    rows = [line for line in document().splitlines() if line.startswith("| `")]
    bare = [row for row in rows if row.rstrip(" |").endswith(("required", "`None`"))]
    assert not bare
