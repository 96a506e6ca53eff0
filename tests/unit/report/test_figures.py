import pandas as pd
import pytest

from weft.errors import DataError
from weft.report import figures as module
from weft.report.load import load_timings
from weft.report.outputs import figure_files


def test_exactly_the_listed_files_are_written_and_hold_something(experiment, figures):
    assert sorted(path.name for path in figures.iterdir()) == sorted(figure_files(experiment))
    for path in figures.iterdir():
        assert path.stat().st_size > 10_000, path
        assert path.read_bytes().startswith(b"\x89PNG" if path.suffix == ".png" else b"%PDF"), path


def test_the_same_numbers_give_the_same_bytes(experiment, root, tables, figures):
    module.make_figures(experiment, root, tables, root / "again")
    for name in figure_files(experiment):
        assert (root / "again" / name).read_bytes() == (figures / name).read_bytes(), name


def test_stored_generations_have_the_accuracy_only(stored, stored_root, stored_tables):
    module.make_figures(stored, stored_root, stored_tables, stored_root / "figures")
    assert sorted(path.name for path in (stored_root / "figures").iterdir()) == [
        "accuracy.pdf",
        "accuracy.png",
    ]


def test_losses_of_different_divisors_are_said_not_to_be_comparable(experiment, describe, root, tables):
    fig = module.draw_training_loss(experiment, root, tables)
    footer = " ".join(fig._supxlabel.get_text().split())
    assert "cannot be compared" in footer
    assert [len(ax.lines) for ax in fig.axes] == [4, 4]  # three seeds and their mean
    same = describe(
        methods={"sft": {"preset": "sft"}, "weft": {"preset": "weft", "divisor": "answer_tokens"}}
    )
    assert "cannot be compared" not in module.draw_training_loss(same, root, tables)._supxlabel.get_text()


def test_time_ratio_divides_treatment_by_control(experiment, root):
    timings = load_timings(experiment, root)
    assert module.time_ratio(experiment, timings, "worked") == pytest.approx(0.64 / 0.52)


def probe(**words):
    rows = [(word, entropy, False) for word, entropies in words.items() for entropy in entropies]
    return pd.DataFrame([*rows, ("pad", 0.0, True)], columns=["word", "entropy", "is_padding"])


def test_words_are_ranked_by_their_mean_entropy():
    ranked = module.rank_words(probe(a=[1, 3], b=[5, 5], c=[0, 1], d=[9]), min_occurrences=2)
    assert ranked.index.tolist() == ["b", "a", "c"]
    assert ranked["entropy"].tolist() == [5, 2, 0.5]
    assert ranked["is_uncertain"].tolist() == [True, True, False]


def test_only_both_ends_are_kept_and_no_word_stands_twice():
    words = {f"w{index:02}": [index, index] for index in range(40)}
    ranked = module.rank_words(probe(**words), min_occurrences=1)
    assert len(ranked) == 2 * module.NUM_WORDS
    assert ranked.index.is_unique
    assert (ranked.index[0], ranked.index[-1]) == ("w39", "w00")


def test_padding_is_no_word():
    assert "pad" not in module.rank_words(probe(a=[1]), min_occurrences=1).index


def test_rare_words_leave_a_note_instead_of_bars(experiment, root, tables, monkeypatch):
    monkeypatch.setattr(module, "rank_words", lambda probe: pd.DataFrame({"entropy": [], "is_uncertain": []}))
    fig = module.draw_token_entropy(experiment, root, tables)
    assert "often enough" in fig.axes[1].texts[0].get_text()


def test_a_missing_probe_is_named(experiment, root, tables):
    (root / "probe/worked.parquet").unlink()
    with pytest.raises(DataError, match=r"probe/worked\.parquet"):
        module.make_figures(experiment, root, tables, root / "figures")
