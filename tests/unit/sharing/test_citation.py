import pytest

import weft
from weft.errors import DataError
from weft.sharing.citation import read_citation


def test_the_citation_of_weft():
    citation = read_citation()
    assert (citation.version, citation.license) == (weft.__version__, "Apache-2.0")
    assert [(author.full_name, author.kind) for author in citation.authors] == [
        ("The weft authors", "Organization")
    ]
    paper = citation.references[0]
    assert paper.title.startswith("WeFT: Weighted Entropy-driven Fine-Tuning")
    assert (paper.authors[0].full_name, paper.authors[0].kind) == ("Guowei Xu", "Person")
    assert paper.identifiers[0].value == "arXiv:2509.20863"


def test_a_file_without_authors_is_refused(tmp_path):
    file = tmp_path / "CITATION.cff"
    file.write_text("title: weft\nversion: 0.1.0\nlicense: MIT\n")
    with pytest.raises(DataError, match="authors: expected a value, got none"):
        read_citation(file)
