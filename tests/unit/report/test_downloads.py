import re
from pathlib import Path

import yaml

from weft.report.downloads import figure_files, load_bibtex, table_files


def test_links_are_relative_to_the_page():
    assert table_files("table1").formats[-1].target == "../tables/table1.tex"
    files = table_files("headline")
    assert [(link.text, link.target) for link in files.formats] == [
        ("CSV", "../tables/headline.csv"),
        ("Markdown", "../tables/headline.md"),
    ]
    assert files.provenance == "../tables.provenance.json"


def test_figures_have_the_provenance_of_their_first_format():
    assert figure_files("accuracy").provenance == "../figures.provenance.json"
    assert "../figures/accuracy.pdf" in [link.target for link in figure_files("accuracy").formats]


def test_bibtex_agrees_with_the_citation_file():
    citation = yaml.safe_load(Path("CITATION.cff").read_text(encoding="utf-8"))
    paper, software = re.findall(r"^@.*?^}", load_bibtex(), flags=re.MULTILINE | re.DOTALL)
    [reference] = citation["references"]
    assert reference["title"] in re.sub("[{}]", "", paper)
    assert reference["identifiers"][0]["value"].removeprefix("arXiv:") in paper
    for author in reference["authors"]:
        assert f"{author['family-names']}, {author['given-names']}" in paper
    for value in (
        citation["title"],
        citation["version"],
        citation["license"],
        citation["authors"][0]["name"],
    ):
        assert value in software
    assert f"year    = {{{citation['date-released'].year}}}" in software
