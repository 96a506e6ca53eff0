"""The training losses of the named methods, written plainly: Python loops over examples and tokens.

Nothing here shares code with `weft.diffusion` or `weft.training`. Every function takes one micro-batch and
the random numbers, computes in double precision, and follows the formulas of docs/method.md.
"""

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from torch import Tensor

from weft.verify.plain.networks import PredictLogits

T_MIN = 1e-3
MIN_RATE = 1e-6
CART_P = 0.1
WEFT_METHODS = ("weft", "weft-raw", "weft-nll", "weft-sw", "weft-elbo", "weft-noweight", "gift-lift")
METHODS = ("sft", "sft-2x", *WEFT_METHODS, "cart", "cart-lift")
PER_ANSWER_TOKEN = ("sft", "sft-2x", "weft-elbo", "cart-lift")
"""Methods whose loss is divided by all answer tokens; the others divide by the masked tokens."""


@dataclass(frozen=True)
class Case:
    """A micro-batch with its random numbers.

    Attributes:
        ids: clean token ids, batch x length; each sequence is prompt, answer, padding.
        prompt_lengths: tokens of each prompt.
        num_padding: padding tokens at the end of each sequence.
        mask_id: id of the mask token.
        time_uniforms: a number in [0, 1) for each example.
        mask_uniforms: a number in [0, 1) for each token.
    """

    ids: Tensor
    prompt_lengths: Sequence[int]
    num_padding: Sequence[int]
    mask_id: int
    time_uniforms: Sequence[float]
    mask_uniforms: Sequence[Sequence[float]]

    @property
    def length(self) -> int:
        """Number of tokens of each sequence."""
        return self.ids.shape[1]

    def positions(self, row: int, *, with_padding: bool) -> range:
        """Return the positions behind the prompt of a sequence."""
        end = self.length - (0 if with_padding else self.num_padding[row])
        return range(self.prompt_lengths[row], end)

    def masked_ids(self, masked: Sequence[Iterable[int]]) -> Tensor:
        """Put the mask token at some positions, given for each sequence."""
        ids = self.ids.clone()
        for row, positions in enumerate(masked):
            ids[row, list(positions)] = self.mask_id
        return ids


def uncertainties(predict: PredictLogits, case: Case, method: str) -> list[dict[int, float]]:
    """Compute entropy or negative log-likelihood in nats of each answer token, with the whole answer masked.

    Args:
        predict: function from token ids to logits.
        case: the micro-batch.
        method: name of the method.

    Returns:
        For each sequence a dictionary from position to uncertainty; padding has none.
    """
    with_padding = method != "gift-lift"  # GIFT shows the padding to the probe
    rows = range(len(case.ids))
    log_p = predict(case.masked_ids([case.positions(row, with_padding=with_padding) for row in rows]))
    log_p = log_p.double().log_softmax(-1)
    result = []
    for row in rows:
        values: dict[int, float] = {}
        for i in case.positions(row, with_padding=False):
            if method == "weft-nll":
                values[i] = -log_p[row, i, case.ids[row, i]].item()
            else:
                values[i] = -sum(math.exp(x) * x for x in log_p[row, i].tolist())
        result.append(values)
    return result


def relative_rates(predict: PredictLogits, case: Case, method: str) -> list[dict[int, float]]:
    """Compute r_i = beta_i / beta_ref of each answer token; other tokens are left out, their r is 1."""
    if method not in WEFT_METHODS:
        return [{} for _ in case.ids]
    power = 1.0 if method == "weft-raw" else 0.5
    betas = [{i: h**power for i, h in row.items()} for row in uncertainties(predict, case, method)]
    if method == "gift-lift":  # one reference for the whole micro-batch
        all_betas = [beta for row in betas for beta in row.values()]
        references = [sum(all_betas) / len(all_betas)] * len(betas)
    else:
        references = [sum(row.values()) / len(row) for row in betas]
    return [
        {i: beta / reference for i, beta in row.items()}
        for row, reference in zip(betas, references, strict=True)
    ]


def masking_rates(case: Case, relative: Sequence[dict[int, float]], method: str) -> list[dict[int, float]]:
    """Compute t_i = 1 - (1-t)^r_i of each token behind the prompt, or t itself where masks are uniform."""
    result = []
    for row, of_row in enumerate(relative):
        t = (1 - T_MIN) * case.time_uniforms[row] + T_MIN
        rates = dict.fromkeys(case.positions(row, with_padding=method != "gift-lift"), t)
        if method != "weft-sw":
            rates |= {i: max(1 - (1 - t) ** r, MIN_RATE) for i, r in of_row.items()}
        result.append(rates)
    return result


def context_weight(case: Case, i: int, masked: Collection[int]) -> float:
    """Compute half the sum of p (1-p)^(d-1) over the visible positions at distance d."""
    visible = (j for j in range(case.length) if j not in masked)
    return 0.5 * sum(CART_P * (1 - CART_P) ** (abs(i - j) - 1) for j in visible)


def loss_weight(
    case: Case, method: str, *, t: float, r: float, rate: float, i: int, masked: Collection[int]
) -> float:
    """Compute the loss weight of a masked token."""
    match method:
        case "weft-sw":
            return r / t
        case "weft-elbo":
            return r * (1 - t) ** (r - 1) / rate
        case "weft-noweight":
            return 1.0
        case "cart":
            return context_weight(case, i, masked)
        case "cart-lift":
            return context_weight(case, i, masked) / t
        case _:
            return 1 / rate


def plain_loss(predict: PredictLogits, case: Case, method: str) -> float:
    """Compute the loss of a method over one micro-batch.

    Args:
        predict: function from token ids to logits, batch x length x vocabulary.
        case: the micro-batch.
        method: one of `METHODS`.

    Returns:
        The weighted sum of cross entropies over the number of tokens, in nats.
    """
    relative = relative_rates(predict, case, method)
    rates = masking_rates(case, relative, method)
    total, num_tokens = 0.0, 0
    for copy in range(2 if method == "sft-2x" else 1):
        masked = [
            {i for i, rate in of_row.items() if abs(copy - case.mask_uniforms[row][i]) < rate}
            for row, of_row in enumerate(rates)
        ]
        log_p = predict(case.masked_ids(masked)).double().log_softmax(-1)
        for row, positions in enumerate(masked):
            t = (1 - T_MIN) * case.time_uniforms[row] + T_MIN
            for i in sorted(positions):
                r, rate = relative[row].get(i, 1.0), rates[row][i]
                weight = loss_weight(case, method, t=t, r=r, rate=rate, i=i, masked=positions)
                total -= weight * log_p[row, i, case.ids[row, i]].item()
            num_tokens += len(rates[row]) if method in PER_ANSWER_TOKEN else len(positions)
    return total / num_tokens
