import pandas as pd

from weft.report import notes

ROW = {"rules": "d1", "benchmark": "average", "num_seeds_treatment": 3, "num_seeds_control": 3, "p_holm": 0.1}
ROW |= {"ci_low": -0.01}


def test_with_a_single_seed_the_note_states_what_the_interval_omits(describe):
    (note,) = notes.table_notes(describe(seeds=[1]), "contrasts", pd.DataFrame([ROW | {"p_holm": None}] * 7))
    assert "single training seed" in note
    assert "that of two runs" in note
    covered = notes.table_notes(describe(), "contrasts", pd.DataFrame([ROW] * 7))[0]
    assert "single training seed" not in covered


def test_corrected_comparisons_are_counted(describe_ablations):
    both = describe_ablations(scoring=["d1", "strict"])
    rows = [ROW | {"p_holm": p} for p in (0.1, 1.0, None, None)]
    assert "2 comparisons of averages" in notes.table_notes(both, "contrasts", pd.DataFrame(rows))[1]
    single = pd.DataFrame(rows).assign(benchmark="gsm8k")
    (_, corrected, _) = notes.table_notes(both, "contrasts", single)
    assert "2 comparisons;" in corrected
    assert "single benchmarks" not in corrected


def test_an_empty_table_of_answers_without_a_verdict_says_so(experiment):
    nothing = pd.DataFrame({"question": []})
    assert notes.table_notes(experiment, "unscorable", nothing) == ("Every answer has a verdict.",)
    assert "without a verdict" in notes.table_notes(experiment, "unscorable", nothing.reindex([0]))[0]


def test_a_headline_names_its_scoring(experiment, describe_stored):
    assert "strict scoring" in notes.on_headline(experiment, "strict")[-1]
    both = describe_stored(scoring=["d1", "strict"])
    first, further = notes.on_headline(both, "d1"), notes.on_headline(both, "strict")
    assert "published" in first[0]
    assert "published" not in further[0]


def test_the_paper_experiment_names_the_inferred_lengths(describe_paper, experiment):
    assert (
        "512 tokens for Sudoku 4×4, 512 tokens for Countdown, 256 tokens for GSM8K"
        in notes.on_headline(describe_paper(), "d1")[-1]
    )
    assert "inferred" not in " ".join(notes.on_headline(experiment, "d1"))
