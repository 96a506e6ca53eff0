"""Tests of the script of the example browser, in Chromium and in Node.js, where they are installed."""

import base64
import hashlib
import html
import json
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit.report.conftest import SVG
from weft.records import Generation
from weft.report.browser import make_browser
from weft.report.outputs import list_figures
from weft.report.page import render_page

SUPPORT = Path(__file__).resolve().parents[2] / "support"
DRIVER = (SUPPORT / "examples_driver.js").read_text()
ATTACK = (
    "</pre></script><script>attacked = 1</script><!--<img src=x onerror='attacked = 1'><b>\u202e\x00\ud800"
)
CHROMIUM = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--virtual-time-budget=5000",
    "--dump-dom",
]  # fmt: skip


def find_program(*names):
    found = next(filter(None, map(shutil.which, names)), None)
    if found is None:
        pytest.skip(f"{names[0]} is not installed")
    return found


def run_in_chromium(browser, page, folder):
    program = find_program("chromium", "chromium-browser", "google-chrome")
    digest = base64.b64encode(hashlib.sha256(DRIVER.encode()).digest()).decode()
    page = page.replace("script-src '", f"script-src 'sha256-{digest}' '")
    page = page.replace("</body>", f'<pre id="report"></pre><script>{DRIVER}</script></body>')
    (folder / "index.html").write_text(page)
    command = [program, *CHROMIUM, f"--user-data-dir={folder / 'profile'}", (folder / "index.html").as_uri()]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
    return html.unescape(re.search('<pre id="report">(.*?)</pre>', shown, flags=re.S).group(1))


def run_in_node(browser, page, folder):
    program = find_program("node")
    for name, text in {"data": browser.data, "script.js": browser.script, "driver.js": DRIVER}.items():
        (folder / name).write_text(text)
    command = [
        program,
        SUPPORT / "fake_page.js",
        *(folder / name for name in ("data", "script.js", "driver.js")),
    ]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout


@pytest.fixture(scope="module", params=[run_in_chromium, run_in_node])
def report(request, small, tmp_path_factory):
    """What the driver saw, together with the results; the base model's answers are attacks."""
    experiment, results, tables = small
    results = replace(results, traces=experiment.traced_runs)

    def answers(file):
        fields = {
            "benchmark": file.benchmark,
            "question": "Q",
            "reference": "7",
            "generation": file.run.run_id,
        }
        if file.run.method == "base":
            fields |= dict.fromkeys(("question", "generation"), ATTACK)
        return {score.example_id: Generation(example_id=score.example_id, **fields) for score in file.scores}

    browser = make_browser(experiment, results, answers)
    figures = dict.fromkeys(list_figures(experiment), SVG)
    page = render_page(experiment, results, tables, figures, browser)
    return json.loads(request.param(browser, page, tmp_path_factory.mktemp("page"))), results


def verdicts_of(results, run_id, benchmarks=("sudoku", "gsm8k")):
    files = [file for file in results.scores if file.run.run_id == run_id and file.benchmark in benchmarks]
    return [score.verdict == "correct" for file in files for score in file.scores]


def count(results, seed, wanted, benchmarks=("sudoku", "gsm8k")):
    pairs = zip(
        *(verdicts_of(results, f"{method}-worked-seed{seed}", benchmarks) for method in ("weft", "sft")),
        strict=True,
    )
    return sum(pair == wanted for pair in pairs)


def test_the_first_question_is_shown(report):
    shown, results = report[0]["start"], report[1]
    assert shown["place"] == "Question 1 of 48"
    assert shown["headings"] == [
        "Sudoku 4×4 (cells), example q0", "base model", "SFT, worked, seed 1", "WeFT, worked, seed 1",
    ]  # fmt: skip
    assert shown["texts"][2:] == ["sft-worked-seed1", "weft-worked-seed1"]
    assert shown["codes"] == ["7", "7", "7", "7"]
    names = ("base", "sft-worked-seed1", "weft-worked-seed1")
    assert shown["verdicts"] == ["correct" if verdicts_of(results, name)[0] else "wrong" for name in names]
    assert shown["links"][2] == "This answer step by step -> traces/weft-worked-seed1.html#q1"


def test_hostile_texts_are_shown_as_text(report):
    visible = ATTACK[:-3] + 3 * "\ufffd"
    assert report[0]["start"]["texts"][:2] == [visible, visible]
    assert all(shown["markup"] == 0 for name, shown in report[0].items() if name != "isAttacked")
    assert not report[0]["isAttacked"]


def test_keys_move_unless_a_field_has_the_focus(report):
    places = {name: shown["place"].split()[1] for name, shown in report[0].items() if name != "isAttacked"}
    assert [places[name] for name in ("two further", "one back", "not moved", "first", "next")] == [
        "3", "2", "2", "1", "2",
    ]  # fmt: skip
    assert report[0]["first"]["disabled"] == ["Previous"]
    assert report[0]["last"]["place"] == "Question 48 of 48"
    assert report[0]["last"]["disabled"] == ["Next"]
    assert report[0]["next"]["links"][0].startswith("Another answer step by step: the first question, 48")


def test_filters_count_and_choose(report):
    shown, results = report
    counts = {wanted: count(results, 1, wanted) for wanted in [(1, 0), (0, 1), (0, 0), (1, 1)]}
    assert shown["start"]["buttons"][:5] == [
        "all (48)", f"only WeFT right ({counts[1, 0]})", f"only SFT right ({counts[0, 1]})",
        f"both wrong ({counts[0, 0]})", f"both right ({counts[1, 1]})",
    ]  # fmt: skip
    assert shown["only treatment"]["place"] == f"Question 1 of {counts[1, 0]}"
    assert shown["only treatment"]["pressed"] == [f"only WeFT right ({counts[1, 0]})"]
    assert shown["only treatment"]["verdicts"][1:] == ["wrong", "correct"]
    for name, seed in (("benchmark", 1), ("seed", 2)):
        number = count(results, seed, (1, 0), ["gsm8k"])
        assert shown[name]["place"].endswith(f"of {number}")
        assert shown[name]["headings"][0].startswith("arithmetic")
        assert shown[name]["headings"][-1] == f"WeFT, worked, seed {seed}"
