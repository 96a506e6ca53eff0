import base64
import hashlib
import itertools
import json
import re
from dataclasses import replace

import pandas as pd
import pytest

from tests.unit.report.conftest import SVG
from weft.layout import provenance_file
from weft.records import Example, Provenance
from weft.report.browser import make_browser
from weft.report.outputs import list_figures, list_tables
from weft.report.page import render_page

ATTACK = "<script>alert('x')</script>\x00\ud800<img src=https://example.org/x onerror=alert(1)>"


def render(experiment, results, tables, browser=None):
    return render_page(experiment, results, tables, dict.fromkeys(list_figures(experiment), SVG), browser)


def section(page, name):
    return page.split(f'<h2 id="{name}">')[1].split("<h2")[0]


@pytest.fixture
def page(experiment, results, tables):
    return render(experiment, results, tables)


def rows_of(text):
    """Return the cells of the rows of a table, given its HTML."""
    rows = re.findall("<tr>(.*?)</tr>", text)
    return [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in rows]


def test_the_page_is_self_contained(page):
    assert len(re.findall(r'src="data:image/svg.xml;base64,', page)) == 8
    assert not re.findall(r'src="(?!data:)', page)
    assert not re.findall(r'href="(?!#|\.\./(?:tables|figures)[/.])', page)
    assert "default-src 'none'; img-src data:; style-src 'unsafe-inline'" in page
    for word in ("<script", "@import", "url("):
        assert word not in page


def test_the_caption_of_the_experiment_stands_once(page):
    assert page.count("Made-up numbers for tests &amp; nothing else") == 1 + 1, "also among the settings"
    head = page[: page.index("<h2")]
    assert "<h1>A small comparison</h1>" in head
    assert "Made-up numbers for tests &amp; nothing else" in head


def test_the_first_screen_has_sentence_figure_table_and_reservations_in_this_order(page):
    first = page.split('<h2 id="result"')[1].split("<h2")[0]
    places = [
        re.search(pattern, first).start()
        for pattern in (
            r'<p class="verdict">WeFT minus SFT on average: [+−]\d',
            r'<img alt="Differences and gains\. ',
            r'<th scope="row" class="text">base model</th>',
            r"<li>The intervals cover",
        )
    ]
    assert places == sorted(places)
    assert page.count('<img alt="Differences and gains. ') == 1, "the figure is not repeated"


def test_all_cells_are_headed(page):
    assert '<th scope="row" class="text">WeFT, worked</th>' in page
    assert '<th scope="row" class="text">weft-worked-seed3</th>' in page
    assert page.count("<th ") == page.count("<th scope=")
    assert "<th>" not in page
    assert page.count("<table>") == page.count("<caption ")
    assert (
        re.findall('<div class="scroll"(?! tabindex="0" role="group" aria-label="(?:Table|Figure): )', page)
        == []
    )


def test_headings_leave_out_no_level(page):
    levels = [int(level) for level in re.findall(r"<h(\d)", page)]
    assert levels[0] == 1
    assert all(level <= before + 1 for before, level in itertools.pairwise(levels))


def test_long_tables_are_folded(experiment, results, tables):
    text = section(render(experiment, results, tables), "tables")
    folded = re.findall('<details class="rows printed"><summary>Show all ([0-9]+) rows</summary>', text)
    assert folded == [str(len(tables["scores"]))] if len(tables["scores"]) > 16 else folded == []
    long = pd.concat([tables["scores"]] * 5)
    text = section(render(experiment, results, tables | {"scores": long}), "tables")
    assert f'<details class="rows"><summary>Show all {len(long)} rows' in text
    assert f"The {len(long)} rows of this table are not printed." in text


def test_sections_without_content_are_left_out(page, stored, stored_results, stored_tables):
    assert 'id="traces"' not in page
    text = render(stored, stored_results, stored_tables)
    links = re.findall('<a href="#([a-z]+)">', text.split("<nav")[1].split("</nav>")[0])
    assert links == ["result", "figures", "tables", "settings", "provenance", "downloads"]
    assert all(f'id="{name}"' in text for name in links)


def test_figures_have_their_width_in_pixels(page):
    assert '" width="880" src="data:image/svg+xml' in page


def test_provenance_is_grouped(page):
    [_, row] = rows_of(section(page, "provenance"))
    assert row == [
        "0123456789ab",
        "ffffffffffff",
        "cpu",
        "3.11.9",
        "1, 2, 3",
        "6: runs 6",
        "weft 0.1.0, torch 2.13.0",
    ]


def test_the_script_of_the_examples_is_the_only_one_and_allowed_by_its_hash(experiment, results, tables):
    browser = make_browser(experiment, results, lambda file: None)
    text = render(experiment, results, tables, browser)
    policy = re.search('Content-Security-Policy" content="(.*?)"', text).group(1)
    (allowed,) = re.findall("script-src '(.*?)'", policy)
    scripts = re.findall("<script(.*?)>(.*?)</script", text, flags=re.S)
    assert [attributes for attributes, _ in scripts] == [' type="text/plain" id="example-data"', ""]
    digest = hashlib.sha256(scripts[1][1].encode()).digest()
    assert allowed == f"sha256-{base64.b64encode(digest).decode()}"
    assert "unsafe-inline" not in policy.partition("script-src")[2]
    assert not re.findall(r"<[^>]*\son\w+=", text.replace(scripts[1][1], ""))
    assert '<a href="examples.jsonl.gz">' in section(text, "examples")
    assert '<a href="#examples">' in text


def test_a_page_without_examples_has_no_script(page):
    for text in ("script", 'id="examples"', 'href="#examples"'):
        assert text not in re.sub("<style>.*?</style>", "", page, flags=re.S)


def test_answers_step_by_step_are_linked(experiment, results, tables):
    text = render(experiment, replace(results, traces=experiment.traced_runs), tables)
    assert re.findall(r'<a href="(.*?)">(.*?)</a>', section(text, "traces")) == [
        ("traces/base.html", "base model"),
        ("traces/sft-worked-seed1.html", "SFT, worked, seed 1"),
        ("traces/weft-worked-seed1.html", "WeFT, worked, seed 1"),
    ]


def test_the_same_results_give_the_same_text(experiment, results, tables, page):
    assert render(experiment, results, tables) == page


def test_tables_stand_in_reading_order(describe, compute):
    both = describe(scoring=["d1", "strict"])
    text = render(both, *compute(both))
    assert re.findall("<h3>(.*)</h3>", section(text, "tables")) == [
        "Accuracy and gain",
        "Accuracy (d1 scoring)",
        "Accuracy (strict scoring)",
        "Gain over the base model",
        "Paired comparison",
        "Differences by training seed",
        "Format and length of the answers",
        "Accuracy of every method over training seeds",
        "Accuracy of every run",
    ]
    assert '<td class="text">Sudoku 4×4 (boards)</td>' in section(text, "tables")
    assert re.findall("<h3>(.*)</h3>", section(text, "training")) == [
        "Masking-rate ratios",
        "Words with the highest and the lowest entropy",
    ]
    assert "Costs" in re.findall("<h3>(.*)</h3>", section(text, "cost"))


def test_ablations_add_their_comparisons_figures_and_tables(ablations, ablated, ablated_tables):
    text = render(ablations, ablated, ablated_tables)
    part = section(text, "figures")
    assert re.findall('<img alt="(.*?)\\.', part) == ["Accuracy", "Differences of accuracy"]
    headings, *rows = rows_of(part)
    assert len(rows) == 5
    assert headings == [
        "contrast", "difference, points", "95 % interval", "p", "p, Holm", "detectable, points",
        "conclusion",
    ]  # fmt: skip
    training = section(text, "training")
    assert re.findall('<img alt="(.*?)\\.', training) == [
        "Learning curves",
        "Training loss",
        "Token entropy",
        "Words with high and low entropy",
        "Clouds of words with high and low entropy",
        "Masking-rate ratios",
        "Origin of the gradient",
        "Noise of the gradient",
    ]
    assert "Costs" in re.findall("<h3>(.*)</h3>", section(text, "cost"))


def test_the_training_data_are_described(experiment, results, tables, summary):
    attacked = Example(example_id="e", question=ATTACK, answer="<b>7</b>", source="generated/sudoku")
    changed = replace(results, summaries={"worked": summary}, examples={"worked": attacked})
    text = section(render(experiment, changed, tables), "data")
    assert "<dt>examples</dt><dd>1,536 for training, 8 held out</dd>" in text
    assert "<pre>&lt;b&gt;7&lt;/b&gt;</pre>" in text
    assert "<script" not in text
    rows = {row[0]: row[1:] for row in rows_of(text)}
    assert rows["examples cut off, %"] == ["3.1"]
    assert rows["Sudoku 4×4"][0] == "generated, test problems, seed 1"


def test_settings_and_deviations_are_folded(page):
    text = section(page, "settings")
    assert "name: small\n" in text
    assert "warmup_steps: 0\n" in text
    assert "<strong>1. Lower bound of the rate.</strong>" in text
    assert "<details open" not in text


def test_every_table_and_figure_leads_to_its_files_and_its_provenance(experiment, page):
    num_tables = 0
    for name in list_tables(experiment):
        count = 3 if name == "gains" else 2  # beside the tables with these numbers, and among the downloads
        assert page.count(f'href="../tables/{name}.csv"') == count
        num_tables += count
    assert page.count('href="../tables.provenance.json"') == num_tables
    for name in list_figures(experiment):
        assert page.count(f'href="../figures/{name}.pdf"') == 2
    assert page.count('href="../figures.provenance.json"') == 2 * len(list_figures(experiment))
    assert "@misc{xu2025weft" in section(page, "downloads")


def test_stored_generations_have_a_page_too(stored, stored_results, stored_tables):
    text = render(stored, stored_results, stored_tables)
    assert "of 4 published accuracies equal ours" in text
    assert 'id="cost"' not in text
    assert "No provenance files" in text


def test_the_head_of_the_page_says_that_sampling_is_approximate(approximate, results, tables):
    text = render(approximate, results, tables)
    note = "approximate sampling: dual cache, threshold 0.9"
    assert note in text[: text.index("<h2")]


def test_the_commands_write_all_files_with_provenance(write, tmp_path, describe_stored, monkeypatch):
    from typer.testing import CliRunner

    from weft.cli import app

    monkeypatch.chdir(tmp_path)
    experiment = describe_stored()
    layout = write(experiment, tmp_path / "results/d1-small")
    (tmp_path / "d1-small.yaml").write_text(json.dumps(experiment.model_dump(mode="json")))
    common = ["--experiment", "d1-small.yaml", str(layout.root)]
    for command in (
        ["tables", "--out", str(layout.root / "tables")],
        ["figures", "--out", str(layout.root / "figures")],
        ["page", "--figures", str(layout.root / "figures"), "--out", str(layout.page)],
    ):
        found = CliRunner().invoke(app, ["report", *command, *common], catch_exceptions=False)
        assert found.exit_code == 0
    scores = {str(file) for file in layout.all_scores.rglob("*.jsonl")}
    for path in (layout.tables, layout.figures, layout.page, layout.all_answers, layout.verification):
        provenance = Provenance.model_validate_json(provenance_file(path).read_text())
        assert scores
        assert scores <= provenance.inputs.keys()
    assert {str(layout.tables), str(layout.figures)} <= Provenance.model_validate_json(
        provenance_file(layout.page).read_text()
    ).inputs.keys()
    page = layout.page.read_text()
    assert "0 results" not in page
    assert "answers to a benchmark at one length were not found in 4 cases" in page
