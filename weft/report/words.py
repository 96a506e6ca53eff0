r"""Words of the training answers, formed from their tokens and ranked by entropy, as in the paper's Figure 2.

The tokens of an answer are joined to its text, in which words are found, so that it does not matter how a
vocabulary divides them. A word is a run of at least two letters, with apostrophes inside it; upper and lower
case count as the same word. The following is left out:

- padding, special tokens, chat headers and tags such as ``<reasoning>``, because the format determines them;
- formulas between ``\(``, ``\[`` or ``$`` and their end, LaTeX commands and names of environments, because
  their letters are variables and markup;
- single letters, which are mostly variables, and runs with digits or underscores such as ``x1`` or ``2nd``;
- numbers and signs. They are ranked in place of words if a data set has no frequent word, as one that
  consists of calculations.

The paper describes neither its words nor its ranking, except that the words are frequent (deviation 51).
"""

import math
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
import regex

MIN_OCCURRENCES = 20
"""Minimum number of occurrences of a ranked word in any data set."""
MIN_SHARE = 1 / 2000
"""Minimum share of a ranked word in all occurrences of words; it decides in large data sets."""
DECIMALS = 6
"""Number of decimals of mean entropies."""
WORD, SYMBOL = "word", "symbol"
"""Kinds of ranked texts; a symbol is a number or an operation sign."""
NUM_SHOWN = 12
"""Number of words at each end of the ranking that are drawn as bars and that readers' tables show."""
NUM_IN_CLOUD = 50
"""Number of words in a cloud; those of the paper have about 100 words."""

_LEFT_OUT = (
    r"<\|start_header_id\|>\w*<\|end_header_id\|>",
    r"<\|im_start\|>\w*",
    r"<\|\w+\|>",
    r"\[(?:CLS|SEP|PAD|UNK|MASK|gMASK)\]",
    r"</?[A-Za-z][\w-]*\s*/?>",
    r"(?<!\\)\\\((?s:.)*?\\\)",
    r"(?<!\\)\\\[(?s:.)*?\\\]",
    r"(?<!\\)\$\$(?s:.)*?\$\$",
    r"(?<!\\)\$(?=\S)[^$\n]*?(?<=\S)\$(?!\d)",  # does not match the amounts in "from $5 to $6"
    r"\\(?:begin|end)\s*\{\w*\*?\}",
    r"\\\p{L}+",
)
"""Parts of an answer that contain no words."""
_UNITS = regex.compile(
    rf"(?:{'|'.join(_LEFT_OUT)})"
    r"|(?P<symbol>\d+(?:[.,]\d+)*+(?![\p{L}\p{M}_])|[=+\-−*/×÷<>])"
    # A replacement character stands for a part of a letter, so that its run is no whole word.
    r"|(?P<run>[\p{L}\p{M}\p{N}_\N{REPLACEMENT CHARACTER}]+(?:['’][\p{L}\p{M}]+)*)"
)
_LETTERS = regex.compile(r"(?:\p{L}\p{M}*){2,}(?:['’](?:\p{L}\p{M}*)+)*|\p{L}(?:['’](?:\p{L}\p{M}*)+)+")


@dataclass(frozen=True)
class WordRanking:
    """The frequent words of a data set.

    Attributes:
        kind: `WORD`, or `SYMBOL` if no word is frequent.
        least_count: minimum number of occurrences of a word in the ranking.
        words: a row per word with rank, word, count and mean_entropy (nats), the highest entropy first;
            words with equal entropy are in alphabetical order.
    """

    kind: str
    least_count: int
    words: pd.DataFrame

    def ends(self, size: int) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Return up to ``size`` words with the highest and with the lowest entropy, no word twice.

        The word with the most extreme entropy is the first of both.
        """
        num_high = min(size, (len(self.words) + 1) // 2)
        num_low = min(size, len(self.words) - num_high)
        return self.words.head(num_high), self.words.tail(num_low)[::-1]


def rank_words(probe: pd.DataFrame, *, min_count: int | None = None) -> WordRanking:
    """Rank the frequent words of a data set by their mean entropy.

    The entropy of an occurrence is the mean over its tokens, all of which are predicted at once; that of a
    word is the mean over its occurrences.

    Args:
        probe: one row per answer token, in the order of the answer, with example_id, token (text), entropy
            (nats) and is_padding.
        min_count: minimum number of occurrences; by default that of `least_count`.

    Returns:
        The ranking.
    """
    occurrences = pd.DataFrame(_list_occurrences(probe), columns=["kind", "word", "entropy"])
    words = _rank(occurrences, WORD, min_count)
    return words if len(words.words) else _rank(occurrences, SYMBOL, min_count)


def _rank(occurrences: pd.DataFrame, kind: str, min_count: int | None) -> WordRanking:
    chosen = occurrences[occurrences["kind"] == kind]
    least = least_count(len(chosen)) if min_count is None else min_count
    counted = chosen.groupby("word")["entropy"].agg(["size", "mean"]).reset_index()
    counted.columns = pd.Index(["word", "count", "mean_entropy"])
    ranked = counted[counted["count"] >= least].round({"mean_entropy": DECIMALS})  # ties as in the table
    ranked = ranked.sort_values(["mean_entropy", "word"], ascending=[False, True], ignore_index=True)
    ranked.insert(0, "rank", ranked.index + 1)
    return WordRanking(kind, least, ranked)


def least_count(num_occurrences: int) -> int:
    """Return how often a word must occur to be ranked, given the number of occurrences of all words."""
    return max(MIN_OCCURRENCES, math.ceil(MIN_SHARE * num_occurrences))


def find_units(text: str) -> Iterator[tuple[str, int, int]]:
    """Yield the kind, start and end of each word and symbol of a text."""
    for match in _UNITS.finditer(text):
        if match["symbol"]:
            yield SYMBOL, *match.span()
        elif match["run"] and _LETTERS.fullmatch(match["run"]):
            yield WORD, *match.span()


def fold(word: str) -> str:
    """Return the form in which a word is counted: lower case, composed characters, straight apostrophes."""
    return unicodedata.normalize("NFC", word).lower().replace("’", "'")


def _list_occurrences(probe: pd.DataFrame) -> Iterator[tuple[str, str, float]]:
    """Yield kind, counted form and mean entropy of each word and symbol."""
    for _, rows in probe[~probe["is_padding"]].groupby("example_id", sort=False):
        tokens = rows["token"].tolist()
        text = "".join(tokens)
        units = list(find_units(text))
        if not units:
            continue
        ends = np.cumsum([len(token) for token in tokens])
        sums = np.concatenate([[0.0], np.cumsum(rows["entropy"])])
        first = np.searchsorted(ends, [start for _, start, _ in units], side="right")
        last = np.searchsorted(ends, [end - 1 for _, _, end in units], side="right")
        # Tokens without text share a character with the token before them, and end where it ends.
        after = np.searchsorted(ends, ends[last], side="right")
        means = (sums[after] - sums[first]) / (after - first)
        for (kind, start, end), entropy in zip(units, means.tolist(), strict=True):
            yield kind, fold(text[start:end]), entropy
