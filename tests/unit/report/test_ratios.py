from dataclasses import replace

import pandas as pd
import pytest

from weft.report.ratios import RATIO_COLUMNS, compute_ratios, summarise_ratios


def probe(*rows):
    return pd.DataFrame(rows, columns=["example_id", "entropy", "is_padding"])


def test_ratios_are_root_entropies_over_the_mean_of_the_example():
    """Roots 1 and 3, padding 0 and 0: means 2 without and 1 with padding; another example changes nothing."""
    found = compute_ratios(
        probe(("a", 1, False), ("b", 25, False), ("a", 9, False), ("a", 0, True), ("a", 0, True))
    )
    assert found["answer"].tolist() == [0.5, 1, 1.5, 0, 0]
    assert found["all"].tolist() == [1, 1, 3, 0, 0]
    assert found["is_padding"].tolist() == [False, False, False, True, True]


def test_padding_is_measured_against_the_answer_tokens_too():
    found = compute_ratios(probe(("a", 4, False), ("a", 1, True)))
    assert found["answer"].tolist() == [1, 0.5]
    assert found["all"].tolist() == pytest.approx([4 / 3, 2 / 3])


def test_certain_examples_have_ratio_one():
    assert compute_ratios(probe(("a", 0, False), ("a", 0, False)))["answer"].tolist() == [1, 1]


def test_a_negative_entropy_from_rounding_counts_as_zero():
    assert compute_ratios(probe(("a", 1, False), ("a", -1e-8, False)))["answer"].tolist() == [2, 0]


def test_the_summary_has_both_kinds_by_both_references(experiment, results):
    tokens = [(1.0, False)] * 3 + [(25.0, False)] + [(0.0, True)] * 4
    probes = {"worked": probe(*(("a", entropy, is_padding) for entropy, is_padding in tokens))}
    found = summarise_ratios(experiment, replace(results, probes=probes))
    assert list(found.columns) == list(RATIO_COLUMNS)
    cells = found.set_index(["kind", "reference"])
    assert cells.index.tolist() == [
        ("answer", "answer"), ("answer", "all"), ("padding", "answer"), ("padding", "all"),
    ]  # fmt: skip
    names = ["num_tokens", "mean", "q05", "q50", "q95", "share_large"]
    assert cells.loc[("answer", "answer"), names].tolist() == pytest.approx([4, 1, 0.5, 0.5, 2.2, 0.25])
    assert cells.loc[("answer", "all"), names].tolist() == pytest.approx([4, 2, 1, 1, 4.4, 0.25])
    assert cells.loc[("padding", "answer"), "mean"] == 0


def test_without_padding_there_are_no_padding_rows(experiment, results):
    frame = results.probes["worked"]
    found = summarise_ratios(experiment, replace(results, probes={"worked": frame[~frame["is_padding"]]}))
    assert found["kind"].tolist() == ["answer", "answer"]
    assert found["mean"].tolist() == pytest.approx([1, 1])
