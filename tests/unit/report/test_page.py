import json
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
    assert len(re.findall(r'src="data:image/png;base64,', text)) == 5
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


def test_a_wide_headline_is_turned_unless_it_is_longer_than_wide():
    cells = pd.DataFrame({"method": ["SFT", "WeFT"]} | {f"c{index}": ["1", "2"] for index in range(9)})
    turned = PageTable.of(Table("headline", "E", "accuracy", cells, caption=""))
    assert turned.headings == ["method", "SFT", "WeFT"]
    assert turned.rows[0] == ["c0", "1", "2"]
    assert turned.title == "Accuracy"
    long = pd.concat([cells] * 6)
    assert PageTable.of(Table("headline", "E", "accuracy", long, caption="")).headings[1] == "c0"


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


def test_answers_step_by_step_are_linked_where_there_are_some(page, root):
    assert 'id="traces"' not in page()
    traces = root / "report/traces"
    traces.mkdir()
    for run in ("base", "weft-worked-seed1", "weft-worked-seed2"):
        (traces / f"{run}.html").write_text("")
    text = page()
    section = text.split('<h2 id="traces">')[1].split("<h2")[0]
    assert re.findall(r'<a href="(.*?)">(.*?)</a>', section) == [
        ("traces/base.html", "base model"),
        ("traces/weft-worked-seed1.html", "WeFT, worked, seed 1"),
    ]
    assert '<a href="#traces">' in text


def test_without_samples_there_is_no_such_section(page):
    assert 'id="samples"' not in page()


def test_the_same_results_give_the_same_bytes(page):
    assert page() == page()


def test_a_missing_figure_is_named(page, figures):
    (figures / "token_entropy.png").unlink()
    with pytest.raises(DataError, match=r"token_entropy\.png"):
        page()


def test_tables_stand_in_reading_order_and_both_rules_are_summed_up(describe, write, tmp_path):
    both = describe(scoring=["d1", "strict"])
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
        "Masking-rate ratios",
        "Accuracy of every method over training seeds",
    ]
    assert "Of 336 answers" in text
    assert '<td class="text">Sudoku 4×4 (boards)</td>' in text[text.index('id="runs"') :]


@pytest.fixture
def ablation_page(ablations, ablated):
    make_figures(ablations, ablated, ablated / "tables", ablated / "figures")
    make_page(ablations, ablated, ablated / "tables", ablated / "figures", ablated / "report.html")
    return (ablated / "report.html").read_text(encoding="utf-8")


def test_ablations_have_a_section_with_their_tables_and_figures(ablation_page):
    section = ablation_page.split('<h2 id="ablations">')[1].split('<h2 id="tables">')[0]
    assert re.findall("<h3>(.*)</h3>", section) == [
        "Paired comparisons on the average",
        "Where the gradient comes from",
        "Masking-rate ratios",
        "Cost of an optimiser step",
    ]
    assert re.findall('<img alt="([^"]*)"', section) == [
        "Differences of accuracy",
        "Where the gradient comes from",
        "Noise of the gradient",
        "Masking-rate ratios of the answer tokens",
    ]
    averages = section.split("Paired comparisons on the average")[1].split("</table>")[0]
    assert averages.count("<tr>") == 1 + 3
    assert re.findall(r"<th(?: class=\"text\")?>(.*?)</th>", averages) == [
        "contrast", "difference, points", "95 % interval", "p", "p, Holm", "reading",
    ]  # fmt: skip
    assert "CART minus SFT on average: " in section.split("<details>")[1].split("</details>")[0]
    after = ablation_page.split('<h2 id="tables">')[1]
    assert "Noise of the gradient" not in after
    assert "Masking-rate ratios" not in after
    assert after.count("<h3>Paired comparison</h3>") == 1, "all benchmarks"


def test_captions_say_what_the_numbers_are(ablation_page):
    captions = re.findall("<figcaption>(.*?)</figcaption>", ablation_page)
    assert len(captions) == 8
    assert "Corrected for their number" in captions[0]
    assert "lies below that of SFT" in captions[2]


def test_without_further_contrasts_there_is_no_such_section(page):
    text = page()
    assert 'id="ablations"' not in text
    assert "With padding in the mean" in text


def test_what_is_known_about_training_data_is_shown(page, root):
    assert 'id="data"' not in page()
    folder = root / "data/prepared/worked"
    folder.mkdir(parents=True)
    summary = {"num_examples": 1536, "share_cut_off": 0.0313, "num_odd_ones": 2, "layout": "exact"}
    (folder / "summary.json").write_text(json.dumps(summary | {"share_answer_tag_cut_off": None}))
    rows = page().split('<h2 id="data">')[1].split("</table>")[0]
    assert re.findall('<td class="text">(.*?)</td><td>(.*?)</td>', rows) == [
        ("examples", "1,536"),
        ("examples cut off, %", "3.1"),
        ("num odd ones", "2"),
    ]


def test_stored_generations_have_a_page_too(stored, stored_root, stored_tables):
    make_figures(stored, stored_root, stored_tables, stored_root / "figures")
    out = stored_root / "report/index.html"
    make_page(stored, stored_root, stored_tables, stored_root / "figures", out)
    text = out.read_text(encoding="utf-8")
    assert "of 4 accuracies equal the published ones" in text
    assert 'id="cost"' not in text
    assert "No provenance files were found" in text


def test_the_head_of_the_page_says_that_sampling_is_approximate(approximate, root, figures):
    make_tables(approximate, root, root / "tables")
    out = root / "report/index.html"
    make_page(approximate, root, root / "tables", figures, out)
    text = out.read_text(encoding="utf-8")
    head = text[: text.index("<h2")]
    assert "approximate sampling: dual cache, threshold 0.9" in head
    assert text.count("approximate sampling: dual cache") > 1 + text.count("<figure>")
