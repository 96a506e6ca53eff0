import re
from pathlib import Path

import pytest

from tools.site import adapt_links as adapt
from tools.site import describe_commands, format_layers, list_decisions, on_page_content, site_uri


@pytest.mark.parametrize(
    ("page", "text", "expected"),
    [
        ("data.md", "[a](config.md#x)", "[a](config.md#x)"),
        ("data.md", "[a](../CONTRIBUTING.md#test)", "[a](contributing.md#test)"),
        ("guides/cluster.md", "[a](../../README.md)", "[a](../index.md)"),
        ("guides/cluster.md", "[a](../../profiles/x.yaml)", "[a](../files/profiles/x.yaml)"),
        ("index.md", "[a](docs/data.md), [b](docs/decisions)", "[a](data.md), [b](decisions/index.md)"),
        ("contributing.md", "[a](docs/data.md)", "[a](data.md)"),
        ("data.md", "[a](https://example.org/b.md) [c](#d)", "[a](https://example.org/b.md) [c](#d)"),
        ("changelog.md", "[0.1.0]: ../../releases/tag/v0.1.0\nText", "Text"),
    ],
)
def test_links_lead_to_pages_of_the_site(page, text, expected):
    assert adapt(text, page) == expected


def test_other_files_are_copied():
    assert site_uri("envs/weft.yaml") == "files/envs/weft.yaml"
    assert site_uri("docs/images/forest.png") == "images/forest.png"


def test_equations_become_mathml():
    html = '<p><span class="arithmatex">\\(t &lt; 1\\)</span></p><div class="arithmatex">\\[x_i\\]</div>'
    shown = on_page_content(html, page=None, config=None, files=None)
    assert 'display="inline"' in shown
    assert 'display="block"' in shown
    assert "&#x0003C;" in shown  # the sign is read, and not its name in HTML
    assert "arithmatex" not in shown


def test_all_decisions_are_listed():
    files = sorted(Path("docs/decisions").glob("*.md"))
    assert "- 46: [One text for the repository and the site" in list_decisions()
    assert re.findall(r"^- .*\]\((.+)\)$", list_decisions(), flags=re.M) == [file.name for file in files]


def test_the_command_line_is_described_by_its_help():
    page = describe_commands()
    assert page.startswith("# Command line\n")
    assert "## `weft score`" in page
    assert "**Commands**" not in page
    assert "&#x27;" not in page


def test_the_diagram_of_the_packages_becomes_a_table():
    source = (
        'flowchart TB\n subgraph a[" "]\n  x["x: one & two"]\n end\n subgraph b[" "]\n  y["y: three"]\n end'
    )
    table = format_layers(source, "mermaid", "layers", {}, None)
    assert table.count("<tr>") == 3
    assert "<code>x</code>: one &amp; two" in table
