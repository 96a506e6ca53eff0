"""Ratios that determine the masking rate of each answer token, with and without padding in their mean.

    t_i = 1 - (1 - t)^r_i,   r_i = sqrt(H_i) / mean sqrt(H)

H_i is the entropy of token i under the base model. The mean is over the answer tokens of the example,
or over the answer tokens and the padding after them. The entropy of padding is almost zero, so that
including padding lowers the mean and raises the ratios of all answer tokens.
"""

import pandas as pd

from weft.config import FineTuning
from weft.report.results import Results

EXPONENT = 0.5
"""Power of the entropy, as in the paper."""
LARGE = 2.0
"""Ratio above which a token is masked much more often than the other tokens."""
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
REFERENCES = {"answer": "answer tokens", "all": "answer tokens and padding"}
"""Name of the reference -> description of the tokens over which the mean is taken."""
RATIO_COLUMNS = (
    "dataset", "kind", "reference", "num_tokens", "mean",
    *(f"q{100 * quantile:02.0f}" for quantile in QUANTILES), "share_large",
)  # fmt: skip


def compute_ratios(probe: pd.DataFrame) -> pd.DataFrame:
    """Divide the root entropy of each token by the mean root entropy of its example.

    Args:
        probe: one row per token with example_id, entropy (nats) and is_padding.

    Returns:
        The same rows with is_padding and one column of ratios per reference in `REFERENCES`. Ratios are
        1 where the mean of an example is 0, as in training.

    Source:
        `weft.diffusion.relative_rates`, for a single example.
    """
    beta = probe["entropy"].clip(lower=0) ** EXPONENT
    ratios = pd.DataFrame({"is_padding": probe["is_padding"]})
    for reference in REFERENCES:
        in_mean = beta if reference == "all" else beta.where(~probe["is_padding"])
        mean = in_mean.groupby(probe["example_id"]).transform("mean")
        ratios[reference] = (beta / mean).where(mean > 0, 1.0)
    return ratios


def summarise_ratios(experiment: FineTuning, results: Results) -> pd.DataFrame:
    """Summarise the ratios of each training set.

    Args:
        experiment: the experiment.
        results: its results.

    Returns:
        One row per data set, kind of token (answer or padding) and reference (answer or all) with
        num_tokens, the mean and the quantiles of the ratios, and share_large, the share of ratios above
        `LARGE`, from 0 to 1.
    """
    rows = []
    for dataset in experiment.dataset_names:
        ratios = compute_ratios(results.probes[dataset])
        for kind in ("answer", "padding"):
            of_kind = ratios[ratios["is_padding"] == (kind == "padding")]
            for reference in REFERENCES if len(of_kind) else ():
                values = of_kind[reference]
                numbers = (len(values), values.mean(), *values.quantile(QUANTILES), (values > LARGE).mean())
                rows.append((dataset, kind, reference, *numbers))
    return pd.DataFrame(rows, columns=list(RATIO_COLUMNS))
