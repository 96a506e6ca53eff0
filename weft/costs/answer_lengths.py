"""Lengths of the answers of LLaDA-8B-Instruct, from which follows what early stop saves.

``answer_lengths.csv`` has them for the generations that the authors of d1 published (dllm-reasoning/d1 at
commit 837888f, eval/eval_baselines): 128, 256 and 512 tokens in blocks of 32. ``mean_tokens`` is the mean
number of tokens before the first end-of-text token, and ``denoised_percent`` the mean share of the blocks up
to the one that contains it, which are the blocks that early stop denoises. A test computes both again.
"""

import csv
from functools import cache
from importlib import resources

BLOCK_LENGTH = 32
"""Tokens per block in the published generations."""


@cache
def _read_table() -> dict[tuple[str, int], float]:
    with resources.files("weft.costs").joinpath("answer_lengths.csv").open(encoding="utf-8") as file:
        return {
            (row["benchmark"], int(row["gen_length"])): float(row["denoised_percent"]) / 100
            for row in csv.DictReader(file)
        }


def denoised_share(benchmark: str, gen_length: int) -> float | None:
    """Return the mean share of the blocks that early stop denoises.

    Args:
        benchmark: name of the benchmark.
        gen_length: length of the answers, in tokens.

    Returns:
        A share above 0 and at most 1, that of the longest published answers that are not longer than
        ``gen_length``; None if no answers to the benchmark were published.
    """
    table = _read_table()
    lengths = [length for name, length in table if name == benchmark and length <= gen_length]
    return table[benchmark, max(lengths)] if lengths else None
