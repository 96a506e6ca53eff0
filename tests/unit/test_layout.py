"""Names of results: with values and with Snakemake's wildcards."""

from pathlib import Path

from weft.layout import ResultLayout, provenance_file


def test_names_hold_wildcards_or_values():
    pattern = ResultLayout.of("{experiment}").scores("{scoring}", "{run}", "{benchmark}", "{gen_length}")
    wanted = "results/tiny/scores/d1/base/gsm8k/64.jsonl"
    values = {"experiment": "tiny", "scoring": "d1", "run": "base", "benchmark": "gsm8k", "gen_length": 64}
    assert str(pattern).format(**values) == wanted
    assert ResultLayout.of("tiny").scores("d1", "base", "gsm8k", 64) == Path(wanted)


def test_provenance_lies_beside_the_result():
    assert provenance_file(Path("results/tiny/runs/a")) == Path("results/tiny/runs/a.provenance.json")
