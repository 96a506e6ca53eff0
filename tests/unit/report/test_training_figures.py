import re

import numpy as np
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


def test_the_histogram_shows_padding_apart_from_the_answer(experiment, results):
    fig = module.draw_token_entropy(experiment, results)
    legend = [text.get_text() for text in fig.axes[0].get_legend().get_texts()]
    num_padding = int(results.probes["worked"]["is_padding"].sum())
    assert len(fig.axes) == 1
    assert legend == [f"padding (n = {num_padding})", f"answer tokens (n = {900 - num_padding})"]
