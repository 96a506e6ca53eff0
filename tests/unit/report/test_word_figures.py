import io
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from matplotlib.font_manager import FontProperties, findfont
from PIL import Image, ImageDraw, ImageFont

from weft.report import word_figures as module
from weft.report.results import Results

COMMON = [f"{first}{second}rd" for first in "abcdef" for second in "aeiou"]


@pytest.fixture
def worded():
    """Results of a data set with 31 words, whose entropy rises from aard to fuurd, with "first" on top."""
    words = [*COMMON, "first"]
    rows = [("e", f" {word}", float(number), False) for number, word in enumerate(words)] * 25
    return Results(
        [], probes={"worked": pd.DataFrame(rows, columns=["example_id", "token", "entropy", "is_padding"])}
    )


def labels(ax):
    return [label.get_text() for label in ax.get_yticklabels()]


def test_both_ends_are_bars_with_their_counts(experiment, worded):
    high, low = module.draw_entropy_words(experiment, worded).axes
    assert labels(high)[:2] == ["first", COMMON[-1]]
    assert labels(low)[:2] == COMMON[:2]
    assert (len(high.patches), len(low.patches)) == (12, 12)
    assert [text.get_text() for text in low.texts][:2] == ["below 0.01 (n = 25)", "1.00 (n = 25)"]
    assert [high.get_title(loc="left"), low.get_title(loc="left")] == [
        "Words with the highest entropy (12 of 31)",
        "Words with the lowest entropy (12 of 31)",
    ]
    assert high.get_xlim() == low.get_xlim()


def test_both_ends_differ_without_colour(experiment, worded):
    high, low = (ax.patches[0] for ax in module.draw_entropy_words(experiment, worded).axes)
    lightness = [np.dot(bar.get_facecolor()[:3], (0.2, 0.7, 0.1)) for bar in (high, low)]
    assert lightness[1] - lightness[0] > 0.4
    assert (high.get_hatch(), low.get_hatch()) == (None, "////")


def test_words_that_the_paper_names_are_bold_and_have_their_rank_below(experiment, worded):
    fig = module.draw_entropy_words(experiment, worded)
    assert [label.get_weight() for label in fig.axes[0].get_yticklabels()][:2] == ["bold", "normal"]
    assert "among the 31 of worked: first 1 (high entropy in the paper)." in " ".join(
        fig.get_supxlabel().split()
    )


def test_symbols_are_called_by_their_name_and_rare_words_leave_a_note(experiment, worded):
    sums = worded.probes["worked"].assign(token=" 7")
    fig = module.draw_word_cloud(experiment, replace(worded, probes={"worked": sums}))
    assert fig.axes[0].get_title(loc="left") == "Numbers and signs with the highest entropy (1 of 1)"
    rare = replace(worded, probes={"worked": sums.head(3)})
    for draw in (module.draw_entropy_words, module.draw_word_cloud):
        panels = draw(experiment, rare).axes
        assert [text.get_text() for ax in panels for text in ax.texts] == ["nothing occurs 20 times"] * 2


def test_a_cloud_shows_each_word_once_and_larger_the_farther_from_the_median(experiment, worded):
    high, low = module.draw_word_cloud(experiment, worded).axes
    shown = {text.get_text(): text.get_fontsize() for ax in (high, low) for text in ax.texts}
    assert sorted(shown) == sorted([*COMMON, "first"])
    assert shown["first"] > shown[COMMON[-8]] > shown[COMMON[-14]]
    assert shown[COMMON[0]] > shown[COMMON[7]] > shown[COMMON[13]]
    assert min(shown.values()) / max(shown.values()) == pytest.approx(module.LEAST_SIZE, abs=0.03)
    assert {text.get_weight() for text in high.texts} == {"bold"}
    assert {text.get_weight() for text in low.texts} == {"normal"}


def test_words_of_a_cloud_have_their_sizes_and_do_not_overlap():
    font = FontProperties(family="DejaVu Sans", weight="bold")
    sizes = {f"word{'gly'[number % 3]}{number}": 1 - number / 60 for number in range(40)}
    placed = module._arrange(sizes, font)
    assert {word: size for word, size, _, _ in placed} == {
        word: round(placed[0][1] * size) for word, size in sizes.items()
    }
    ink = np.zeros(module.CANVAS[::-1])
    for word, size, left, top in placed:
        picture = Image.new("L", module.CANVAS)
        letters = ImageFont.TransposedFont(ImageFont.truetype(findfont(font), size))
        ImageDraw.Draw(picture).text((left, top), word, fill="white", font=letters)
        ink += np.asarray(picture) > 0
    assert ink.max() == 1


def test_letters_lie_where_the_layout_has_placed_them(experiment, worded):
    fig = module.draw_word_cloud(experiment, worded)
    fig.draw_without_rendering()
    ax = fig.axes[0]
    boxes = [text.get_window_extent() for text in ax.texts]
    assert all(ax.bbox.x0 < box.x0 and box.x1 < ax.bbox.x1 for box in boxes)
    assert sum(box.width for box in boxes) > ax.bbox.width


def test_letters_that_the_font_lacks_are_escaped(experiment, worded):
    words = worded.probes["worked"].replace({"token": {" first": " 第二"}})
    fig = module.draw_word_cloud(experiment, replace(worded, probes={"worked": words}))
    assert fig.axes[0].texts[0].get_text() == r"\u7b2c\u4e8c"


def test_the_same_words_give_the_same_bytes(experiment, worded):
    def draw():
        out = io.BytesIO()
        module.draw_word_cloud(experiment, worded).savefig(out, dpi=50, metadata={"Software": None})
        return out.getvalue()

    assert draw() == draw()
