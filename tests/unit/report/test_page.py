import json
import re
from dataclasses import replace

import pytest

from weft.layout import provenance_file
from weft.records import Provenance
from weft.report.outputs import list_figures
from weft.report.page import render_page

ATTACK = "<script>alert('x')</script>\x00\ud800<img src=https://example.org/x onerror=alert(1)>"


def render(experiment, results, tables):
    return render_page(experiment, results, tables, dict.fromkeys(list_figures(experiment), b"PNG"))


def section(page, name):
    return page.split(f'<h2 id="{name}">')[1].split("<h2")[0]


@pytest.fixture
def page(experiment, results, tables):
    return render(experiment, results, tables)


def test_the_page_is_self_contained(page):
    assert len(re.findall(r'src="data:image/png;base64,', page)) == 6
    assert not re.findall(r'(?:src|href)="(?!data:|#)', page)
    assert "default-src 'none'" in page
    for word in ("<script", "@import", "url("):
        assert word not in page


def test_title_caption_verdict_and_tables_are_there(page):
    assert "<h1>A small comparison</h1>" in page
    assert "Made-up numbers for tests &amp; nothing else" in page
    assert re.search(r'<p class="verdict">WeFT minus SFT on average: [+−]\d', page)
    assert '<td class="text">WeFT, worked</td>' in page
    assert '<td class="text">weft-worked-seed3</td>' in page
    for name in ("traces", "ablations", "data"):
        assert f'id="{name}"' not in page


def test_provenance_is_grouped(page):
    rows = section(page, "provenance").split("<tbody>")[1]
    assert rows.count("<tr>") == 1
    for text in ("0123456789ab", "ffffffffffff", "1, 2, 3", "torch 2.13.0", "<td>6</td>"):
        assert text in rows


def test_text_of_a_model_is_escaped(experiment, results, tables):
    sample = results.samples[0]
    attack = replace(
        sample,
        generation=sample.generation.model_copy(update={"question": ATTACK, "generation": ATTACK}),
        score=sample.score.model_copy(update={"extracted": ATTACK}),
    )
    page = render(experiment, replace(results, samples=[attack]), tables)
    assert "<script" not in page
    assert "<img src=https" not in page
    assert page.count("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;\N{REPLACEMENT CHARACTER}") == 3
    assert "\x00" not in page


def test_samples_show_the_verdict_and_the_extracted_answer(experiment, results, tables):
    sample = results.samples[0]
    unscorable = sample.score.model_copy(update={"verdict": "unscorable", "extracted": None})
    samples = [sample, replace(sample, score=unscorable)]
    text = section(render(experiment, replace(results, samples=samples), tables), "samples")
    assert '<span class="tag unscorable">unscorable</span>' in text
    assert text.count("<code>7</code>") == 1
    assert text.count("Extracted answer: nothing") == 1
    assert 'id="samples"' not in render(experiment, replace(results, samples=[]), tables)


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
        "Accuracy by the rules d1",
        "Accuracy by the rules strict",
        "Gain over the base model",
        "Paired comparison",
        "Differences by training seed",
        "Costs",
        "Format and length of the answers",
        "Masking-rate ratios",
        "Words with the highest and the lowest entropy",
        "Accuracy of every method over training seeds",
    ]
    assert '<td class="text">Sudoku 4×4 (boards)</td>' in section(text, "runs")


def test_ablations_have_a_section_with_their_tables_and_figures(ablations, ablated, ablated_tables):
    text = render(ablations, ablated, ablated_tables)
    part = section(text, "ablations")
    assert re.findall("<h3>(.*)</h3>", part) == [
        "Paired comparisons on the average",
        "Origin of the gradient",
        "Masking-rate ratios",
        "Costs",
    ]
    assert re.findall('<img alt="([^"]*)"', part) == [
        "Differences of accuracy",
        "Origin of the gradient",
        "Noise of the gradient",
        "Masking-rate ratios",
    ]
    averages = part.split("Paired comparisons on the average")[1].split("</table>")[0]
    assert averages.count("<tr>") == 1 + 5
    assert re.findall(r"<th(?: class=\"text\")?>(.*?)</th>", averages) == [
        "contrast", "difference, points", "95 % interval", "p", "p, Holm", "detectable, points",
        "conclusion",
    ]  # fmt: skip
    after = text.split('<h2 id="tables">')[1]
    assert "Noise of the gradient" not in after
    assert after.count("<h3>Paired comparison</h3>") == 1, "all benchmarks"


def test_lengths_of_the_training_data_are_shown(experiment, results, tables, summary):
    text = section(render(experiment, replace(results, summaries={"worked": summary}), tables), "data")
    rows = dict(re.findall('<td class="text">(.*?)</td><td>(.*?)</td>', text))
    assert rows["examples"] == "1,536"
    assert rows["examples cut off, %"] == "3.1"
    assert "of these the tag is cut off, %" not in rows, "no example has a tag"


def test_stored_generations_have_a_page_too(stored, stored_results, stored_tables):
    text = render(stored, stored_results, stored_tables)
    assert "of 4 published accuracies equal ours" in text
    assert 'id="cost"' not in text
    assert "No provenance files" in text


def test_the_head_of_the_page_says_that_sampling_is_approximate(approximate, results, tables):
    text = render(approximate, results, tables)
    note = "approximate sampling: dual cache, threshold 0.9"
    assert note in text[: text.index("<h2")]
    assert text.count(note) > 1 + text.count("<figure>")


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
    for path in (layout.table("headline"), layout.figure("accuracy"), layout.page):
        provenance = Provenance.model_validate_json(provenance_file(path).read_text())
        assert str(layout.root / "scores") in provenance.inputs
    assert "0 results" not in layout.page.read_text()
