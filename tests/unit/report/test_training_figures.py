import pandas as pd

from weft.report import training_figures as module


def test_each_loss_panel_has_the_seeds_and_their_mean(experiment, results):
    fig = module.draw_training_loss(experiment, results)
    assert [len(ax.lines) for ax in fig.axes] == [4, 4]
    assert [ax.get_title(loc="left") for ax in fig.axes] == [
        "SFT: sum / answer tokens",
        "WeFT: sum / masked tokens",
    ]


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
