"""A fine-tuning method is a row of settings; the named rows stand here, each as its differences."""

from collections.abc import Callable
from typing import Any, Literal

from pydantic import Field, model_validator

from weft.config.base import Section

PresetName = Literal[
    "sft",
    "sft-2x",
    "weft",
    "weft-raw",
    "weft-nll",
    "weft-sw",
    "weft-frozen",
    "weft-refreshed",
    "weft-elbo",
    "weft-noweight",
    "weft-permuted",
    "cart",
    "cart-lift",
    "gift-lift",
]


class Method(Section):
    """How answer tokens are masked and weighted.

    A preset names a row; any other key given beside ``preset`` replaces that value of the row.  A
    value that differs from the row's and has no effect beside the others is refused.
    """

    preset: PresetName
    """Row that supplies the values not given here (docs/method.md lists the rows)."""
    rate_source: Literal["none", "entropy", "nll"]
    """What beta is made of: nothing, the entropy of the probe pass, or its negative log-likelihood (nats)."""
    exponent: float = Field(ge=0)
    """p in beta = H^p (paper: 0.5)."""
    probe_model: Literal["live", "frozen", "refreshed"]
    """Which model is asked: the one in training at every step, the base model once, or the one in training at
    the beginning of every ``refresh_epochs``-th epoch."""
    refresh_epochs: int = Field(gt=0)
    """Epochs between two probes of a refreshed probe model."""
    probe_dropout: bool
    """Leave dropout on in the live probe pass (a re-implementation does)."""
    reference: Literal["example", "micro_batch", "dataset"]
    """Tokens whose mean beta is the reference rate beta_ref."""
    permuted: bool
    """Control: give every answer token the uncertainty of another token of its example."""
    masking: Literal["uniform", "token"]
    """One rate t for all tokens, or t_i = 1 - (1-t)^(beta_i/beta_ref)."""
    weight: Literal["inverse_rate", "elbo", "relative", "cart", "cart_inverse_rate", "none"]
    """Loss weight of a masked token: (1/t_i)^``weight_power``; the exact bound's r (1-t)^(r-1) / t_i; r/t_i,
    with r = beta_i/beta_ref; Dream's context weight alone or times 1/t_i; or 1."""
    weight_power: float = Field(ge=0)
    """a in (1/t_i)^a."""
    max_weight: float | None = Field(gt=0)
    """Larger weights are cut to this; none are when empty."""
    cart_p: float = Field(gt=0, lt=1)
    """p of the geometric distribution in Dream's context weight."""
    divisor: Literal["answer_tokens", "masked_tokens"]
    """Which tokens the summed loss is divided by the number of."""
    divisor_scope: Literal["batch", "micro_batch", "example"]
    """Where they are counted: over the whole batch of an optimiser step, over each micro-batch, or over each
    example; the parts are then averaged."""
    t_sampling: Literal["uniform", "stratified", "antithetic", "complementary"]
    """How times are drawn: independently; one per stratum of the batch; in pairs t, 1-t; or with a second
    mask that is the complement of the first."""
    masks_per_example: int = Field(gt=0, le=8)
    """Masks drawn of every example in every step."""
    nothing_masked: Literal["zero", "uniform"]
    """If no token of a micro-batch is masked: no loss, or a mask at the one rate t."""
    padding_masked: bool
    """Whether padding is masked like the answer (d1: yes)."""
    padding_in_loss: bool
    """Whether masked padding is predicted and counted (d1: yes)."""
    padding_probed: bool
    """Whether padding is masked in the probe pass; if it is not, the model sees where the answer ends."""
    padding_reference: bool
    """Whether padding has rates of its own and takes part in the reference rate; if not, it is masked at
    rate t."""
    min_token_masking_rate: float = Field(ge=0, lt=1)
    """Lower bound of t_i, which bounds the weight 1/t_i."""

    @model_validator(mode="before")
    @classmethod
    def _fill_from_preset(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        row = PRESETS.get(str(values.get("preset")))
        if row is None:
            return (
                SFT | values
            )  # so that the preset alone is complained of, and not all that it would fill in
        whole = row | values
        without_effect = sorted(
            key
            for key, has_effect in NEEDS.items()
            if key in values and values[key] != row[key] and not has_effect(whole)
        )
        if without_effect:
            raise ValueError(f"only settings that have an effect beside the others, not {without_effect}")
        return whole

    @model_validator(mode="after")
    def _consistent(self) -> "Method":
        is_needed = self.masking == "token" or self.weight == "relative"
        if is_needed and self.rate_source == "none":
            raise ValueError("a rate_source when masking is 'token' or weight is 'relative'")
        if self.rate_source != "none" and not is_needed:
            raise ValueError("rate_source 'none' when masking is 'uniform' and weight not 'relative'")
        if self.weight == "elbo" and self.masking == "uniform":
            raise ValueError("weight 'inverse_rate' when masking is 'uniform': there 'elbo' is the same")
        if self.padding_in_loss and not self.padding_masked:
            raise ValueError("padding_masked where padding_in_loss: only masked tokens are predicted")
        if self.padding_reference and not (self.padding_masked and self.padding_probed):
            raise ValueError("padding_masked and padding_probed where padding_reference")
        if self.reference == "dataset" and self.probe_model == "live":
            raise ValueError("probe_model 'frozen' or 'refreshed' when reference is 'dataset'")
        if self.probe_dropout and self.probe_model != "live":
            raise ValueError("probe_model 'live' when probe_dropout")
        if self.t_sampling == "complementary" and self.masks_per_example != 2:
            raise ValueError("masks_per_example: 2 when t_sampling is 'complementary'")
        return self

    @property
    def has_probe(self) -> bool:
        """Whether the method asks a model how unsure it is."""
        return self.rate_source != "none"


NEEDS: dict[str, Callable[[dict[str, Any]], bool]] = {
    "exponent": lambda row: row["rate_source"] != "none",
    "probe_model": lambda row: row["rate_source"] != "none",
    "refresh_epochs": lambda row: row["probe_model"] == "refreshed",
    "probe_dropout": lambda row: row["rate_source"] != "none",
    "reference": lambda row: row["rate_source"] != "none",
    "permuted": lambda row: row["rate_source"] != "none",
    "padding_probed": lambda row: row["rate_source"] != "none",
    "padding_reference": lambda row: row["rate_source"] != "none",
    "min_token_masking_rate": lambda row: row["masking"] == "token",
    "nothing_masked": lambda row: row["masking"] == "token",
    "weight_power": lambda row: row["weight"] == "inverse_rate",
    "max_weight": lambda row: row["weight"] != "none",
    "cart_p": lambda row: str(row["weight"]).startswith("cart"),
}
"""Setting -> whether it has an effect in a row."""

SFT: dict[str, Any] = {
    "rate_source": "none",
    "exponent": 0.5,
    "probe_model": "live",
    "refresh_epochs": 1,
    "probe_dropout": False,
    "reference": "example",
    "permuted": False,
    "masking": "uniform",
    "weight": "inverse_rate",
    "weight_power": 1.0,
    "max_weight": None,
    "cart_p": 0.1,  # Dream's shipped configuration
    "divisor": "answer_tokens",
    "divisor_scope": "batch",
    "t_sampling": "uniform",
    "masks_per_example": 1,
    "nothing_masked": "zero",
    "padding_masked": True,
    "padding_in_loss": True,
    "padding_probed": True,
    "padding_reference": False,
    "min_token_masking_rate": 1e-6,
}
WEFT: dict[str, Any] = SFT | {"rate_source": "entropy", "masking": "token", "divisor": "masked_tokens"}
PRESETS: dict[str, dict[str, Any]] = {
    "sft": SFT,
    # compute-matched and more: two masks of every example in every step
    "sft-2x": SFT | {"masks_per_example": 2},
    "weft": WEFT,
    "weft-raw": WEFT | {"exponent": 1.0},
    "weft-nll": WEFT | {"rate_source": "nll"},
    # "simple weights": ordinary masks, the entropy only in the weight
    "weft-sw": WEFT | {"masking": "uniform", "weight": "relative"},
    "weft-frozen": WEFT | {"probe_model": "frozen"},
    "weft-refreshed": WEFT | {"probe_model": "refreshed"},
    # the exact bound for unequal rates; its divisor is the one that the bound has
    "weft-elbo": WEFT | {"weight": "elbo", "divisor": "answer_tokens"},
    "weft-noweight": WEFT | {"weight": "none"},
    "weft-permuted": WEFT | {"permuted": True},
    # Dream's context weights replace 1/t; LIFT multiplies them with it
    "cart": SFT | {"weight": "cart", "divisor": "masked_tokens"},
    "cart-lift": SFT | {"weight": "cart_inverse_rate"},
    # GIFT as LIFT @ a95b858 reads it, quirks included
    "gift-lift": WEFT
    | {
        "probe_dropout": True,
        "reference": "micro_batch",
        "divisor_scope": "micro_batch",
        "nothing_masked": "uniform",
        "padding_masked": False,
        "padding_in_loss": False,
        "padding_probed": False,
        "min_token_masking_rate": 0.0,
    },
}
