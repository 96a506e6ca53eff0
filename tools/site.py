"""What MkDocs adds to the pages in docs/ when it builds the site (`make docs`).

The Markdown files are written for readers of the repository, too. A link to a file outside docs/ therefore
becomes a link to a page of the site (README, CONTRIBUTING, CHANGELOG) or to a copy of the file. The command
line is described by its own help texts. Equations become MathML and the diagram of the packages a table, so
that pages load no script from another host.
"""

import html
import posixpath
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from latex2mathml.converter import convert
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

REPOSITORY = Path(__file__).resolve().parents[1]
DOCS = "docs/"
PAGES = {"README.md": "index.md", "CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md"}
"""Files of the repository that are pages of the site, and their names there."""
COPIES = "files/"
"""Folder of the site for other files to which pages link."""
DECISIONS = "decisions/index.md"
COMMANDS = "reference/commands.md"

LINK = re.compile(r"(\]\(|^\[[^\]]+\]: )(?!\w+:|#)([^)#\s]+)", flags=re.MULTILINE)
"""Target of a link, without its anchor, that is neither an address nor an anchor of the same page."""
COMPARISON = re.compile(r"^\[[^\]]+\]: \.\./\.\./.*\n", flags=re.MULTILINE)
"""Links of the changelog to comparisons of versions, which exist where the repository is hosted only."""

SUMMARIES = re.compile(r"^\*\*Commands\*\*:\n\n(?:\* .*\n)+\n", flags=re.MULTILINE)
"""Lists of subcommands in which Typer cuts the sentences off; the site has a list of its own."""


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Add the pages and files that are not in docs/: those to which pages link, and generated ones.

    Args:
        files: files in docs/.
        config: settings of the site.

    Returns:
        The files of the site.
    """
    for name, page in PAGES.items():
        files.append(_generated(config, page, (REPOSITORY / name).read_text("utf-8")))
    files.append(_generated(config, DECISIONS, list_decisions()))
    files.append(_generated(config, COMMANDS, describe_commands()))
    known = {file.src_uri for file in files}
    for file in list(files.documentation_pages()):
        for target in _targets(file.content_string, _place(file.src_uri)):
            uri = site_uri(target)
            if uri not in known and (REPOSITORY / target).is_file():
                known.add(uri)
                files.append(File.generated(config, uri, abs_src_path=str(REPOSITORY / target)))
    return files


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Adapt the links of a page to the site.

    Args:
        markdown: text of the page.
        page: the page.
        config: settings of the site.
        files: files of the site.

    Returns:
        The text with links to pages and files of the site.
    """
    return adapt_links(markdown, page.file.src_uri)


def on_page_content(content: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    r"""Replace equations, which are marked by `\(...\)` and `\[...\]`, by MathML.

    Args:
        content: the page as HTML.
        page: the page.
        config: settings of the site.
        files: files of the site.

    Returns:
        The page with equations that browsers draw without a script.
    """
    return re.sub(
        r'<(span|div) class="arithmatex">\\([(\[])(.+?)\\[)\]]</\1>',
        lambda match: convert(html.unescape(match[3]), display="inline" if match[2] == "(" else "block"),
        content,
        flags=re.DOTALL,
    )


def adapt_links(markdown: str, page: str) -> str:
    """Return the text of a page with links to files of the site in place of files of the repository.

    Args:
        markdown: text of the page.
        page: name of the page in the site.

    Returns:
        The text; links to comparisons of versions are left out.
    """
    place = _place(page)

    def adapt(match: re.Match[str]) -> str:
        uri = site_uri(posixpath.normpath(posixpath.join(posixpath.dirname(place), match[2])))
        return match[1] + posixpath.relpath(uri, posixpath.dirname(page) or ".")

    return LINK.sub(adapt, COMPARISON.sub("", markdown))


def site_uri(path: str) -> str:
    """Return the name in the site of a file or folder of the repository.

    Args:
        path: its path in the repository.

    Returns:
        Name of the page, or of the copy of the file.
    """
    if path == "docs/decisions":
        return DECISIONS
    return PAGES.get(path) or (path.removeprefix(DOCS) if path.startswith(DOCS) else COPIES + path)


def list_decisions() -> str:
    """Return a page with links to all decisions."""
    lines = ["# Decisions", "", "Choices that shaped weft, with their reasons and alternatives.", ""]
    for file in sorted((REPOSITORY / "docs/decisions").glob("[0-9]*.md")):
        number, _, title = file.read_text("utf-8").partition("\n")[0].removeprefix("# ").partition(". ")
        lines.append(f"- {number}: [{title}]({file.name})")
    return "\n".join(lines) + "\n"


def describe_commands() -> str:
    """Return a page with the help texts of all subcommands of `weft`, as Typer writes them."""
    command = [sys.executable, "-m", "typer", "weft.cli", "utils", "docs", "--name", "weft"]
    text = subprocess.run(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True, check=True).stdout
    text = SUMMARIES.sub("", text).replace("&#x27;", "'")
    return "# Command line\n\n" + text.partition("\n")[2]


def format_layers(
    source: str, language: str, css_class: str, options: dict[str, Any], md: object, **kwargs: object
) -> str:
    """Format the diagram of the packages as a table with a row for each layer.

    Args:
        source: a Mermaid flowchart whose subgraphs are the layers.
        language: name of the language of the fence.
        css_class: class for the HTML.
        options: options of the fence.
        md: the Markdown converter.
        **kwargs: further attributes of the fence.

    Returns:
        The table as HTML.
    """
    rows = []
    for number, layer in enumerate(source.split("subgraph ")[1:], start=1):
        nodes = re.findall(r'\w+\["(\w+): ([^"]+)"\]', layer)
        cells = "<br>".join(f"<code>{name}</code>: {html.escape(meaning)}" for name, meaning in nodes)
        rows.append(f"<tr><td>{number}</td><td>{cells}</td></tr>")
    return f"<table><thead><tr><th>layer</th><th>packages</th></tr></thead>{''.join(rows)}</table>"


def _generated(config: MkDocsConfig, name: str, content: str) -> File:
    return File.generated(config, name, content=content)


def _place(page: str) -> str:
    """Return the path in the repository of a page of the site."""
    originals = {page: name for name, page in PAGES.items()}
    return originals.get(page, DOCS + page)


def _targets(markdown: str, place: str) -> Iterator[str]:
    """Yield the paths in the repository to which a page links."""
    for match in LINK.finditer(markdown):
        yield posixpath.normpath(posixpath.join(posixpath.dirname(place), match[2]))
