"""Ratios of the masking rates: each token's root entropy over the mean of its example.

    t_i = 1 - (1 - t)^r_i,   r_i = sqrt(H_i) / mean sqrt(H)

The mean may be over the answer tokens, or over them and the padding behind them.  Padding is nearly
certain, so that with it the mean is smaller and all other ratios are larger.
"""

from pathlib import Path

import pandas as pd

from weft.config import FineTuning
from weft.report.load import load_probe

EXPONENT = 0.5  # of the entropy, as in the paper
LARGE = 2.0  # ratio above which a token counts as masked much more often
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
REFERENCES = {"answer": "answer tokens", "all": "answer tokens and padding"}
"""What the mean is over -> how it is called."""
RATIO_COLUMNS = (
    "dataset", "kind", "reference", "num_tokens", "mean", *(f"q{100 * one:02.0f}" for one in QUANTILES),
    "share_large",
)  # fmt: skip


def compute_ratios(probe: pd.DataFrame) -> pd.DataFrame:
    """Divide each token's root entropy by the mean of its example.

    Args:
        probe: a row per answer token: example_id, entropy (nats), is_padding.

    Returns:
        The same rows: is_padding, and a column per reference of `REFERENCES`; 1 where an example's mean
        is 0, as in training.

    Source:
        `weft.diffusion.relative_rates`, with the reference of a single example.
    """
    beta = probe["entropy"].clip(lower=0) ** EXPONENT
    ratios = pd.DataFrame({"is_padding": probe["is_padding"]})
    for reference in REFERENCES:
        in_mean = beta if reference == "all" else beta.where(~probe["is_padding"])
        mean = in_mean.groupby(probe["example_id"]).transform("mean")
        ratios[reference] = (beta / mean).where(mean > 0, 1.0)
    return ratios


def summarise_ratios(experiment: FineTuning, root: Path) -> pd.DataFrame:
    """Summarise the ratios of every training set.

    Args:
        experiment: the experiment.
        root: its results folder, with probe/.

    Returns:
        A row per data set, kind (answer or padding) and reference (answer or all): num_tokens, mean,
        quantiles (q05 is exceeded by 95 %), and share_large, the share of ratios above 2, 0 to 1.

    Raises:
        DataError: a probe file is missing or cut off.
    """
    rows = []
    for dataset in experiment.datasets:
        ratios = compute_ratios(load_probe(root, dataset))
        for kind in ("answer", "padding"):
            of_kind = ratios[ratios["is_padding"] == (kind == "padding")]
            for reference in REFERENCES if len(of_kind) else ():
                values = of_kind[reference]
                numbers = (len(values), values.mean(), *values.quantile(QUANTILES), (values > LARGE).mean())
                rows.append((dataset, kind, reference, *numbers))
    return pd.DataFrame(rows, columns=list(RATIO_COLUMNS))
