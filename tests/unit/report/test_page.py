import re

import pandas as pd
import pytest

from weft.errors import DataError
from weft.report.figures import make_figures
from weft.report.load import Sample
from weft.report.page import PageTable, make_page
from weft.report.presentation import Table
from weft.report.tables import make_tables

ATTACK = "<script>alert('x')</script>\x00\ud800<img src=https://example.org/x onerror=alert(1)>"


@pytest.fixture
def page(experiment, root, tables, figures):
    """Make the page and return its text."""

    def make(samples=()):
        out = root / "report/index.html"
        make_page(experiment, root, tables, figures, out, samples=samples)
        return out.read_text(encoding="utf-8")

    return make


def test_everything_is_inside(page):
    text = page()
    assert len(re.findall(r'src="data:image/png;base64,', text)) == 4
    assert not re.findall(r'(?:src|href)="(?!data:|#)', text)
    assert "default-src 'none'" in text
    assert "<script" not in text
    assert "@import" not in text
    assert "url(" not in text


def test_title_caption_verdict_and_tables_are_there(page):
    text = page()
    assert "<h1>A small comparison</h1>" in text
    assert "Made-up numbers for tests &amp; nothing else" in text
    assert re.search(r'<p class="verdict">WeFT minus SFT on average: [+−]\d', text)
    assert '<td class="text">WeFT, worked</td>' in text
    assert '<td class="text">weft-worked-seed3</td>' in text
    assert "1.23 times as long as one of SFT" in text


def test_a_wide_headline_is_turned():
    cells = pd.DataFrame({"method": ["SFT", "WeFT"]} | {f"c{index}": ["1", "2"] for index in range(9)})
    turned = PageTable.of(Table("headline", "E", "accuracy", cells, caption=""))
    assert turned.headings == ["method", "SFT", "WeFT"]
    assert turned.rows[0] == ["c0", "1", "2"]
    assert turned.title == "Accuracy"


def test_provenance_is_grouped(page):
    row = re.search(r"<td class=\"text\">0123456789ab</td>.*", page())[0]
    assert "ffffffffffff" in row
    assert "1, 2, 3" in row
    assert "torch 2.13.0" in row


def test_text_of_a_model_is_escaped(page):
    text = page([Sample("gsm8k", ATTACK, ATTACK, ATTACK, "wrong", "weft-worked-seed1")])
    assert "<script" not in text
    assert "onerror=alert" in text
    assert "<img src=https" not in text
    assert text.count("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;\N{REPLACEMENT CHARACTER}") == 3
    assert "\x00" not in text


def test_samples_show_what_was_read(page):
    text = page([Sample("sudoku", "Q", "G", None, "unscorable"), Sample("gsm8k", "Q", "G", "7", "correct")])
    assert '<span class="tag unscorable">unscorable</span>' in text
    assert "Read as the answer: nothing" in text
    assert "Read as the answer: <code>7</code>" in text


def test_without_samples_there_is_no_such_section(page):
    assert 'id="samples"' not in page()


def test_the_same_results_give_the_same_bytes(page):
    assert page() == page()


def test_a_missing_figure_is_named(page, figures):
    (figures / "token_entropy.png").unlink()
    with pytest.raises(DataError, match=r"token_entropy\.png"):
        page()


def test_tables_stand_in_reading_order_and_both_rules_are_summed_up(describe, write, tmp_path):
    both = describe(rules=["d1", "strict"])
    root = write(both, tmp_path)
    make_tables(both, root, root / "tables")
    make_figures(both, root, root / "tables", root / "figures")
    make_page(both, root, root / "tables", root / "figures", root / "report.html")
    text = (root / "report.html").read_text(encoding="utf-8")
    assert re.findall("<h3>(.*)</h3>", text) == [
        "Accuracy by the rules d1",
        "Accuracy by the rules strict",
        "Paired comparison",
        "How the answers end",
        "Accuracy of every method over training seeds",
    ]
    assert "Of 336 answers" in text
    assert '<td class="text">Sudoku 4×4 (boards)</td>' in text[text.index('id="runs"') :]


def test_stored_generations_have_a_page_too(stored, stored_root, stored_tables):
    make_figures(stored, stored_root, stored_tables, stored_root / "figures")
    out = stored_root / "report/index.html"
    make_page(stored, stored_root, stored_tables, stored_root / "figures", out)
    text = out.read_text(encoding="utf-8")
    assert "of 4 accuracies equal the published ones" in text
    assert 'id="cost"' not in text
    assert "No provenance files were found" in text
