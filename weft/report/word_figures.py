"""The words with the highest and the lowest entropy, as ranked bars and as clouds."""

import itertools
from random import Random

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont
from matplotlib.textpath import TextPath
from wordcloud import WordCloud

from weft.config import FineTuning
from weft.report.drawing import STYLE, Options, printable, titled_figure
from weft.report.results import Results
from weft.report.words import NUM_IN_CLOUD, NUM_SHOWN, WORD, WordRanking

NAMED_BY_PAPER = {"high": ("first", "second"), "low": ("all", "such")}
"""Words that are known to be in the clouds of the paper, by their entropy."""
HIGH_BARS: Options = {"facecolor": "#5b2a86", "edgecolor": "#5b2a86"}
LOW_BARS: Options = {"facecolor": "#dcefe8", "edgecolor": "#14735c", "hatch": "////"}
HIGH_TEXT: Options = {"color": "#4a1d73", "weight": "bold"}
LOW_TEXT: Options = {"color": "#14735c", "weight": "normal"}
"""Styles of both ends; they differ in lightness, and in hatching or weight, as well as in colour."""
CANVAS = 410, 280
"""Width and height of a cloud, in units of its layout."""
LARGEST, SMALLEST, SIZE_STEP = 100, 6, 2
"""Font sizes that are tried for the first word of a cloud, in the same units."""
LEAST_SIZE = 0.4
"""Minimum size of a word, relative to the first word."""
MARGIN = 8
"""Distance of the words of a cloud, in units of its layout."""
SEEDS = (1, 2, 3, 4)
"""Seeds of the positions that are tried with each font size."""


def draw_entropy_words(experiment: FineTuning, results: Results) -> Figure:
    """Draw the words with the highest and the lowest mean entropy as bars, with their counts."""
    rankings = results.word_rankings
    num_bars = max(len(ranking.ends(NUM_SHOWN)[0]) for ranking in rankings.values())
    largest = pd.concat([ranking.words["mean_entropy"] for ranking in rankings.values()]).max()
    size = 8.5, 1.4 + len(rankings) * (0.6 + 0.21 * max(3, num_bars))
    note = " ".join(filter(None, (_place_named(*item) for item in rankings.items())))
    with titled_figure(experiment, results, "entropy_words", size=size, note=note) as fig:
        axes = fig.subplots(len(rankings), 2, squeeze=False)
        for row, (dataset, ranking) in zip(axes, rankings.items(), strict=True):
            _set_titles(experiment, row, dataset, ranking, NUM_SHOWN)
            for ax, words, style in zip(row, ranking.ends(NUM_SHOWN), (HIGH_BARS, LOW_BARS), strict=True):
                _draw_bars(ax, words, style)
                ax.set_xlim(0, 1.4 * largest if largest > 0 else 1)  # with space for the counts
        for ax in axes[-1]:
            ax.set_xlabel("mean entropy, nats")
    return fig


def draw_word_cloud(experiment: FineTuning, results: Results) -> Figure:
    """Draw the words with the highest and the lowest mean entropy as clouds side by side."""
    rankings = results.word_rankings
    size = 8.5, 1.1 + 3.0 * len(rankings)
    with titled_figure(experiment, results, "word_cloud", size=size) as fig:
        axes = fig.subplots(len(rankings), 2, squeeze=False)
        for row, (dataset, ranking) in zip(axes, rankings.items(), strict=True):
            _set_titles(experiment, row, dataset, ranking, NUM_IN_CLOUD)
            for ax in row:
                ax.set(xlim=(0, CANVAS[0]), ylim=(CANVAS[1], 0), aspect="equal", xticks=[], yticks=[])
                ax.grid(visible=False)
                ax.spines[:].set_visible(False)
        fig.draw_without_rendering()  # the size of the panels determines that of the letters
        for row, ranking in zip(axes, rankings.values(), strict=True):
            for ax, words, style in zip(row, ranking.ends(NUM_IN_CLOUD), (HIGH_TEXT, LOW_TEXT), strict=True):
                _draw_cloud(ax, _relative_sizes(words, ranking), style)
    return fig


def _set_titles(
    experiment: FineTuning, row: np.ndarray, dataset: str, ranking: WordRanking, num_shown: int
) -> None:
    kind = "Words" if ranking.kind == WORD else "Numbers and signs"
    place = "" if len(experiment.dataset_names) == 1 else f"{dataset}, "
    for ax, words, level in zip(row, ranking.ends(num_shown), ("highest", "lowest"), strict=True):
        number = f"{len(words)} of {len(ranking.words):,}"
        ax.set_title(f"{kind} with the {level} entropy ({place}{number})")
        if words.empty:
            text = f"nothing occurs {ranking.least_count:,} times"
            ax.text(0.5, 0.5, text, ha="center", va="center", transform=ax.transAxes)


def _draw_bars(ax: Axes, words: pd.DataFrame, style: Options) -> None:
    heights = range(len(words))
    ax.barh(heights, words["mean_entropy"], height=0.72, linewidth=0.8, **style)
    ax.set_yticks(heights, [printable(word) for word in words["word"]])
    named = {word for words in NAMED_BY_PAPER.values() for word in words}
    for label, word in zip(ax.get_yticklabels(), words["word"], strict=True):
        label.set(parse_math=False, weight="bold" if word in named else "normal")
    for height, entropy, count in zip(heights, words["mean_entropy"], words["count"], strict=True):
        value = f"{entropy:.2f}" if entropy >= 0.01 else "below 0.01"
        place: Options = {"xytext": (4, 0), "textcoords": "offset points", "va": "center", "fontsize": 7.5}
        ax.annotate(f"{value} (n = {count:,})", (entropy, height), **place)
    ax.set_ylim(len(words) - 0.4, -0.6)
    ax.grid(visible=False, axis="y")


def _place_named(dataset: str, ranking: WordRanking) -> str:
    """Return a sentence with the ranks of the words that the paper names, if any of them is ranked."""
    ranks = dict(zip(ranking.words["word"], ranking.words["rank"], strict=True))
    ends = []
    for level, words in NAMED_BY_PAPER.items():
        named = [f"{word} {ranks[word]}" for word in words if word in ranks]
        ends += [f"{' and '.join(named)} ({level} entropy in the paper)"] if named else []
    ranked = f"among the {len(ranks):,} of {dataset}: {', '.join(ends)}"
    return f"Ranks of words in the paper's Figure 2 (bold) {ranked}." if ends else ""


def _relative_sizes(words: pd.DataFrame, ranking: WordRanking) -> dict[str, float]:
    """Return the size of each word: the distance of its entropy from the median, relative to the largest."""
    distances = (words["mean_entropy"] - ranking.words["mean_entropy"].median()).abs()
    sizes = (distances / max(1e-6, distances.max())).clip(lower=LEAST_SIZE)
    return {printable(word): size for word, size in zip(words["word"], sizes, strict=True)}


def _draw_cloud(ax: Axes, sizes: dict[str, float], style: Options) -> None:
    font = FontProperties(family=STYLE["font.family"], weight=style["weight"])
    points = 72 / ax.figure.dpi * ax.bbox.width / CANVAS[0]  # per unit of the layout
    for word, size, left, top in _arrange(sizes, font):
        height = TextPath((0, 0), word, size=size, prop=font).get_extents().y1  # above the baseline
        text = ax.text(
            left, top + height, word, fontsize=size * points, va="baseline", parse_math=False, **style
        )
        text.set_in_layout(False)


def _arrange(sizes: dict[str, float], font: FontProperties) -> list[tuple[str, int, float, float]]:
    """Return the font size, the left end and the top of each word, with letters as large as possible."""
    columns, rows = (np.linspace(-1, 1, num) for num in CANVAS)
    is_outside = columns[None, :] ** 2 + rows[:, None] ** 2 > 1
    placed: list[tuple[str, int, float, float]] = []
    for largest, seed in itertools.product(range(LARGEST, SMALLEST - 1, -SIZE_STEP), SEEDS):
        if len(placed) == len(sizes):
            break
        # The library multiplies and rounds from word to word, which is exact for whole numbers.
        whole = {word: max(1, round(largest * size)) for word, size in sizes.items()}
        cloud = WordCloud(
            font_path=findfont(font),
            mask=np.where(is_outside, 255, 0).astype(np.uint8),
            margin=MARGIN,
            prefer_horizontal=1,
            relative_scaling=1,
            font_step=LARGEST,  # a word that finds no place ends the layout
            min_font_size=1,
            random_state=Random(seed),
        )
        cloud.generate_from_frequencies(whole, max_font_size=max(whole.values()))
        placed = [(word, size, float(x), float(y)) for (word, _), size, (y, x), _, _ in cloud.layout_]
    return placed
