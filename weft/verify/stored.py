"""The stored logits, losses and tokens of the small networks of `weft.verify.formula`.

The plain implementations of `weft.verify.plain` computed them in double precision on a CPU;
``python -m tests.reference.write`` writes the files.
"""

from pathlib import Path

import torch
from torch import Tensor

from weft.records.base import Record
from weft.records.files import read_json
from weft.verify.formula import Family

FOLDER = Path(__file__).resolve().parent / "reference"


class StoredLogits(Record):
    """Logits at some positions and entries of the vocabulary, for the two sequences of `formula_ids`."""

    positions: list[int]
    """Positions of the sequences, from 0."""
    num_entries: int
    """Number of entries of the vocabulary, from the first on."""
    llada: list[list[list[float]]]
    """Logits of LLaDA, sequences x positions x entries."""
    dream: list[list[list[float]]]
    """Logits of Dream, likewise."""

    def of_family(self, family: Family) -> Tensor:
        """Return the logits of a family, sequences x positions x entries, in double precision."""
        return torch.tensor(getattr(self, family), dtype=torch.float64)

    def select(self, logits: Tensor) -> Tensor:
        """Return the stored positions and entries of logits, batch x length x vocabulary."""
        return logits[:, self.positions, : self.num_entries]


class FamilyLosses(Record):
    """Losses of one family for the micro-batch of `formula_case`."""

    losses: dict[str, float]
    """Loss in nats per counted token, by method."""
    weft_masking_rates: list[list[float]]
    """Masking rate of WeFT for each answer token of each sequence."""


class StoredLosses(Record):
    """Losses of both families."""

    llada: FamilyLosses
    """Losses of LLaDA."""
    dream: FamilyLosses
    """Losses of Dream."""

    def of_family(self, family: Family) -> FamilyLosses:
        """Return the losses of a family."""
        losses: FamilyLosses = getattr(self, family)
        return losses


class StoredTokens(Record):
    """Answers to the two prompts of `formula_prompts`, by the names of `SAMPLING_CASES`."""

    llada: dict[str, list[list[int]]]
    """Answers of LLaDA."""
    dream: dict[str, list[list[int]]]
    """Answers of Dream."""

    def of_family(self, family: Family) -> dict[str, list[list[int]]]:
        """Return the answers of a family."""
        answers: dict[str, list[list[int]]] = getattr(self, family)
        return answers


def stored_logits() -> StoredLogits:
    """Read the stored logits."""
    return read_json(FOLDER / "logits.json", StoredLogits)


def stored_losses() -> StoredLosses:
    """Read the stored losses."""
    return read_json(FOLDER / "losses.json", StoredLosses)


def stored_tokens() -> StoredTokens:
    """Read the stored answers."""
    return read_json(FOLDER / "tokens.json", StoredTokens)
