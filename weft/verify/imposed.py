"""A wrapper that makes a network with random weights end its answers at given lengths.

The gain of early stop depends on the lengths of the answers. A network with random weights never predicts
end-of-text, so the wrapper makes it predict end-of-text with certainty beyond a given length. The sampler has
to detect the end as usual. The lengths are those of LLaDA-8B's published answers.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from weft.axes import TokenMask
from weft.errors import SamplingError
from weft.model.head import LogitsFn

BLOCK_LENGTH = 32
NUM_ENDING = {
    128: (0, 2, 15, 599),
    256: (0, 0, 6, 18, 37, 47, 54, 433),
    512: (0, 1, 6, 18, 32, 43, 77, 93, 79, 76, 52, 39, 27, 17, 15, 41),
}
"""Number of LLaDA-8B-Instruct's answers to GSM8K that end in each block of 32 tokens, by answer length.

Source:
    The generations published with d1 @ 837888f, eval/eval_baselines, gsm8k_instruct_*: 616, 595 and 616
    of the 1,130 answers at each length; an answer without an end is counted in the last block.
"""

SURE = 100.0
"""Logit that is larger than all others."""


def typical_blocks(gen_length: int, count: int) -> list[int]:
    """Return the blocks in which ``count`` typical answers end, counted from 0.

    Args:
        gen_length: length of the answers, in tokens; a key of `NUM_ENDING`.
        count: number of answers.

    Returns:
        The blocks at the midpoints of ``count`` quantile ranges of the published answers.
    """
    ending = NUM_ENDING[gen_length]
    cumulative = torch.tensor(ending).cumsum(0)
    wanted = (torch.arange(count) + 0.5) / count * cumulative[-1]
    return torch.searchsorted(cumulative.double(), wanted.double()).tolist()


class ImposedLengths:
    """Mask predictor that predicts end-of-text with certainty beyond the given length of each answer.

    A sequence is identified by the first token of its prompt.

    Args:
        model: the network.
        eos_token_id: id of end-of-text.
        ends: first token of a prompt -> first position with end-of-text, counted from the beginning of the
            prompt.
    """

    def __init__(self, model: Any, *, eos_token_id: int, ends: Mapping[int, int]) -> None:
        self.model = model
        self.eos_token_id = eos_token_id
        beyond = torch.iinfo(torch.long).max
        self._ends = torch.full((model.config.vocab_size,), beyond, device=model.device)
        for first, end in ends.items():
            self._ends[first] = end
        self._cache: Any = None
        self._ends_of_rows: Tensor | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.model, name)

    def __call__(
        self,
        *,
        input_ids: Tensor,
        position_ids: Tensor,
        logits_positions: Tensor | None = None,
        logits_fn: LogitsFn | None = None,
        cache: Any = None,
        **kwargs: Any,
    ) -> Any:
        """Return the prediction of the network with end-of-text imposed; see `weft.model.predictor`."""
        is_behind = self._find_behind(input_ids, position_ids, cache)
        if cache is not None:
            kwargs["cache"] = cache
        asked = {"input_ids": input_ids, "position_ids": position_ids, **kwargs}
        if logits_positions is None:
            return self._impose(self.model(**asked), is_behind)
        flat = is_behind.gather(1, logits_positions).flatten()
        if logits_fn is None:
            return self._impose(self.model(logits_positions=logits_positions, **asked), flat)

        def imposed_logits_fn(logits: Tensor, part: slice) -> Tensor:
            logits[:, self.eos_token_id].masked_fill_(flat[part], SURE)
            return logits_fn(logits, part)

        return self.model(logits_positions=logits_positions, logits_fn=imposed_logits_fn, **asked)

    def _impose(self, output: Any, is_behind: Tensor) -> Any:
        output.logits[..., self.eos_token_id].masked_fill_(is_behind, SURE)
        return output

    def _find_behind(self, input_ids: Tensor, position_ids: Tensor, cache: Any) -> TokenMask:
        """Return True where a column lies after the end; the first call with a cache has whole sequences."""
        if cache is None or cache is not self._cache:
            self._cache = cache
            num_hidden = (position_ids == 0).sum(dim=1, keepdim=True) - 1  # padding has position 0 too
            self._ends_of_rows = self._ends[input_ids.gather(1, num_hidden)]
        assert self._ends_of_rows is not None, "the first call has whole sequences"
        return position_ids >= self._ends_of_rows


def cut_behind_end(answer: Sequence[int], eos_token_id: int) -> list[int]:
    """Return the tokens of an answer up to and including its first end-of-text."""
    ids = list(answer)
    return ids[: ids.index(eos_token_id) + 1] if eos_token_id in ids else ids


def require_equal(ours: Sequence[Sequence[int]], reference: Sequence[Sequence[int]], *, title: str) -> None:
    """Check that two samplers returned the same tokens.

    Args:
        ours: answers of the sampler.
        reference: answers of the reference.
        title: name of the comparison, for the message.

    Raises:
        SamplingError: they differ; the message names the first difference.
    """
    if len(ours) != len(reference):
        raise SamplingError(
            f"{title}: there must be an answer to each prompt, got {len(ours)} and {len(reference)}"
        )
    for number, (answer, expected) in enumerate(zip(ours, reference, strict=True)):
        if list(answer) != list(expected):
            pairs = zip([*answer, None], [*expected, None], strict=False)
            column, pair = next((i, pair) for i, pair in enumerate(pairs) if pair[0] != pair[1])
            raise SamplingError(
                f"{title}: the sampler must return the reference's tokens, because times of unequal work "
                f"cannot be compared, but answer {number} has {pair[0]} at token {column} where the "
                f"reference has {pair[1]}; check whether two predictions are equal to within rounding there"
            )


def share_of_equal(ours: Sequence[Sequence[int]], exact: Sequence[Sequence[int]]) -> float:
    """Return the share of the exact tokens that our answers have at the same position."""
    pairs = [
        (index < len(answer) and answer[index]) == token
        for answer, expected in zip(ours, exact, strict=True)
        for index, token in enumerate(expected)
    ]
    return sum(pairs) / len(pairs)
