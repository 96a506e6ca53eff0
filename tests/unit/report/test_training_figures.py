import re

import numpy as np
import pandas as pd
import pytest

from weft.report import training_figures as module
from weft.report.results import load_results


def test_each_loss_panel_has_the_seeds_and_their_mean(experiment, results):
    fig = module.draw_training_loss(experiment, results)
    assert [len(ax.lines) for ax in fig.axes] == [4, 4]
    assert [ax.get_title(loc="left") for ax in fig.axes] == [
        "SFT: sum / answer tokens",
        "WeFT: sum / masked tokens",
    ]


@pytest.mark.parametrize("value", ["NaN", "Infinity"])
def test_a_loss_that_is_not_finite_is_a_gap_and_a_cross(write, experiment, tmp_path, value):
    layout = write(experiment, tmp_path)
    log = layout.history("weft-worked-seed2")
    lines = log.read_text().splitlines()
    for index in (9, 10):
        lines[index] = re.sub(r'"loss": [^,]*', f'"loss": {value}', lines[index])
    log.write_text("\n".join(lines) + "\n")
    _, ax = module.draw_training_loss(experiment, load_results(experiment, layout)).axes
    (crosses,) = [line for line in ax.lines if line.get_marker() == "x"]
    assert list(crosses.get_xdata()) == [10, 11]
    assert [text.get_text() for text in ax.texts] == ["seed 2: loss not finite in 2 of 40 steps, first 10"]
    mean = next(line for line in ax.lines if line.get_linewidth() == 2)
    assert np.isfinite(mean.get_ydata()).tolist() == [not 10 <= step <= 11 for step in range(1, 41)]


def probe(**words):
    rows = [(word, entropy, False) for word, entropies in words.items() for entropy in entropies]
    return pd.DataFrame([*rows, ("pad", 0.0, True)], columns=["word", "entropy", "is_padding"])


def test_words_are_ranked_by_their_mean_entropy():
    ranked = module.rank_words(probe(a=[1, 3], b=[5, 5], c=[0, 1], d=[9]), min_occurrences=2)
    assert ranked.index.tolist() == ["b", "a", "c"]
    assert ranked["entropy"].tolist() == [5, 2, 0.5]
    assert ranked["is_uncertain"].tolist() == [True, True, False]


def test_both_ends_are_kept_and_no_word_stands_twice():
    words = {f"w{index:02}": [index, index] for index in range(40)}
    ranked = module.rank_words(probe(**words), min_occurrences=1)
    assert len(ranked) == 2 * module.NUM_WORDS
    assert ranked.index.is_unique
    assert (ranked.index[0], ranked.index[-1]) == ("w39", "w00")


def test_padding_is_not_ranked():
    assert "pad" not in module.rank_words(probe(a=[1]), min_occurrences=1).index


def test_rare_words_leave_a_note_instead_of_bars(experiment, results, monkeypatch):
    monkeypatch.setattr(module, "rank_words", lambda probe: pd.DataFrame({"entropy": [], "is_uncertain": []}))
    fig = module.draw_token_entropy(experiment, results)
    assert len(fig.axes[1].texts) == 1
    assert not fig.axes[1].axison
