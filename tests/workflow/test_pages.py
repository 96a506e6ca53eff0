"""The code blocks of the tutorial and of the guides run as they are written."""

import re

import pytest

from tests.support.pages import REPOSITORY, RUN, SHOWN, Block, read_blocks, run_blocks

TUTORIAL = REPOSITORY / "docs/tutorial.md"
GUIDES = sorted((REPOSITORY / "docs/guides").glob("*.md"))
PAGES = [TUTORIAL, *GUIDES]
SHORTEST_REASON = 20  # characters
SAME_RESULT = 15  # percentage points, which are six of 40 questions


def accuracies(text):
    """Return the percentages of the table with the accuracies."""
    rows = re.findall(r"^\| (base model|SFT|WeFT)[^|]*\| ([\d.]+) \|$", text, flags=re.MULTILINE)
    return {method: float(value) for method, value in rows}


def name(page):
    return page.stem


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_block_is_run_or_a_file_or_has_a_reason(page):
    text = page.read_text("utf-8")
    blocks = read_blocks(text)
    assert len(re.findall(r"^ *```", text, flags=re.MULTILINE)) == 2 * len(blocks)
    assert text.count("<!-- not run") == sum(block.reason is not None for block in blocks)
    for block in blocks:
        if block.reason is not None:
            assert len(block.reason) >= SHORTEST_REASON, block
        else:
            assert block.language in SHOWN or block.title or block.language in RUN, block


@pytest.mark.parametrize("page", GUIDES, ids=name)
def test_the_blocks_of_a_guide_run(page, tmp_path):
    run_blocks(page, tmp_path)


@pytest.mark.slow
def test_the_tutorial_fine_tunes_a_model_that_learns_its_task(tmp_path):
    printed = run_blocks(TUTORIAL, tmp_path)
    shown = [block.code for block in read_blocks(TUTORIAL.read_text()) if block.language == "text"]
    assert shown[0].strip() in printed
    assert (tmp_path / "results/garden/report/index.html").is_file()
    measured, stated = accuracies(printed), accuracies(TUTORIAL.read_text())
    assert measured.keys() == stated.keys() == {"base model", "SFT", "WeFT"}
    for method, accuracy in stated.items():  # another processor rounds in another way
        assert abs(measured[method] - accuracy) <= SAME_RESULT, (method, measured)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("```sh\nls\n```", "ls\n"),
        ("```text\nout\n```", ""),
        ("<!-- not run: needs a GPU -->\n\n```sh\nls\n```", ""),
        ("```python\nprint(1)\n```", "python - <<'END_OF_BLOCK'\nprint(1)\nEND_OF_BLOCK\n"),
        (
            '```yaml title="a/b.yaml"\nx: 1\n```',
            "mkdir -p $(dirname a/b.yaml); cat > a/b.yaml <<'END_OF_BLOCK'\nx: 1\nEND_OF_BLOCK\n",
        ),
    ],
)
def test_blocks_become_commands(text, expected):
    (block,) = read_blocks(text)
    assert block.script == expected


def test_a_failing_block_fails_the_page(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("```sh\ntrue\nfalse\necho not reached\n```\n")
    with pytest.raises(AssertionError, match="not reached"):
        run_blocks(page, tmp_path / "copy")


def test_a_block_without_language_is_found():
    assert read_blocks("```\nls\n```") == [Block("", None, None, "ls\n")]
