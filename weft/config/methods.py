"""Fine-tuning methods: the settings of a method, and the named presets of the paper and of others."""

from collections.abc import Callable
from typing import Any, Literal

from pydantic import Field, model_validator

from weft.config.numbers import Size
from weft.config.section import Section
from weft.config.training import Training

Preset = dict[str, str | float | bool | None]
"""Values of all keys of a method but the preset."""
PresetName = Literal[
    "sft", "sft-2x", "weft", "weft-raw", "weft-nll", "weft-sw", "weft-frozen", "weft-refreshed", "weft-elbo",
    "weft-noweight", "weft-permuted", "cart", "cart-lift", "gift-lift",
]  # fmt: skip


class Method(Section):
    """Masking and weighting of the answer tokens, and the method's own values of training settings.

    The preset supplies the values of all keys that are not given. A value that differs from the preset's is
    rejected if it has no effect in combination with the other values.
    """

    preset: PresetName
    """Preset that supplies the values not given here; docs/method.md lists the presets."""
    rate_source: Literal["none", "entropy", "nll"]
    """Uncertainty H from which beta is computed, in nats: none, the entropy in a probe pass, or the negative
    log-likelihood in a probe pass."""
    exponent: float = Field(ge=0)
    """p in beta = H^p (paper: 0.5)."""
    probe_model: Literal["live", "frozen", "refreshed"]
    """Model of the probe pass. live: the trained model at every step; frozen: the base model, once;
    refreshed: the trained model at the beginning of every ``refresh_epochs``-th epoch."""
    refresh_epochs: Size
    """Epochs between two probes of a refreshed probe model."""
    probe_dropout: bool
    """Keep dropout active in the live probe pass (as a re-implementation does)."""
    reference: Literal["example", "micro_batch", "dataset"]
    """Tokens whose mean beta is the reference rate beta_ref."""
    permuted: bool
    """Control: give every answer token the uncertainty of another token of its example."""
    masking: Literal["uniform", "token"]
    """uniform: one rate t for all tokens; token: t_i = 1 - (1-t)^(beta_i/beta_ref)."""
    weight: Literal["inverse_rate", "elbo", "relative", "cart", "cart_inverse_rate", "none"]
    """Loss weight of a masked token, with r = beta_i/beta_ref. inverse_rate: (1/t_i)^``weight_power``; elbo:
    r (1-t)^(r-1) / t_i, the exact bound; relative: r/t_i; cart: Dream's context weight; cart_inverse_rate:
    that times 1/t_i; none: 1."""
    weight_power: float = Field(ge=0)
    """a in (1/t_i)^a."""
    max_weight: float | None = Field(gt=0)
    """Value to which larger loss weights are clipped; null for no limit."""
    cart_p: float = Field(gt=0, lt=1)
    """p of the geometric distribution in Dream's context weight."""
    divisor: Literal["answer_tokens", "masked_tokens"]
    """Tokens whose number divides the summed loss."""
    divisor_scope: Literal["batch", "micro_batch", "example"]
    """Set in which these tokens are counted: the batch of an optimiser step, each micro-batch, or each
    example; the parts are then averaged."""
    t_sampling: Literal["uniform", "stratified", "antithetic", "complementary"]
    """How times are drawn. uniform: independently; stratified: one per stratum of the batch; antithetic: in
    pairs t, 1-t; complementary: with a second mask that is the complement of the first."""
    masks_per_example: int = Field(gt=0, le=8)
    """Number of masks drawn for every example in every step."""
    nothing_masked: Literal["zero", "uniform"]
    """Treatment of a micro-batch in which no token is masked. zero: its loss is 0; uniform: a second mask is
    drawn, with the rate t for all tokens."""
    padding_masked: bool
    """Mask padding like the answer (d1: yes)."""
    padding_in_loss: bool
    """Predict masked padding and count it in the loss (d1: yes)."""
    padding_probed: bool
    """Mask padding in the probe pass; if it is not masked, the model sees where the answer ends."""
    padding_reference: bool
    """Give padding tokens rates of their own, and count them in the reference rate; if not, padding is masked
    at the rate t."""
    min_token_masking_rate: float = Field(ge=0, lt=1)
    """Lower bound of t_i, which bounds the weight 1/t_i."""
    learning_rate: float | None = Field(gt=0)
    """Peak learning rate of AdamW for this method; null for that of ``training``."""
    max_grad_norm: float | None = Field(gt=0)
    """Norm to which gradients are clipped for this method; null for that of ``training``."""

    def adapt(self, training: Training) -> Training:
        """Return the training settings with this method's own values."""
        settings = {"learning_rate": self.learning_rate, "max_grad_norm": self.max_grad_norm}
        return training.model_copy(update={key: x for key, x in settings.items() if x is not None})

    @model_validator(mode="before")
    @classmethod
    def _fill_from_preset(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        preset = PRESETS.get(str(values.get("preset")))
        if preset is None:  # the other values are filled in, so that the only error is the preset
            return SFT | values
        merged = preset | values
        idle = sorted(
            key
            for key, has_effect in NEEDS.items()
            if key in values and values[key] != preset[key] and not has_effect(merged)
        )
        if idle:
            raise ValueError(
                f"every setting must have an effect in combination with the others, got {idle} without effect"
            )
        return merged

    @model_validator(mode="after")
    def _consistent(self) -> "Method":
        if self.has_probe != (self.masking == "token" or self.weight == "relative"):
            raise ValueError(
                "rate_source must be given with masking 'token' or weight 'relative', and must be 'none' "
                f"otherwise; got {self.rate_source!r}"
            )
        if self.weight == "elbo" and self.masking == "uniform":
            raise ValueError(
                "weight must be 'inverse_rate' with masking 'uniform', where it equals 'elbo'; got 'elbo'"
            )
        if self.padding_in_loss and not self.padding_masked:
            raise ValueError("padding_masked must be true with padding_in_loss, got false")
        if self.padding_reference and not (self.padding_masked and self.padding_probed):
            raise ValueError(
                "padding_masked and padding_probed must be true with padding_reference, "
                f"got {self.padding_masked} and {self.padding_probed}"
            )
        if self.reference == "dataset" and self.probe_model == "live":
            raise ValueError(
                "probe_model must be 'frozen' or 'refreshed' with reference 'dataset', got 'live'"
            )
        if self.probe_dropout and self.probe_model != "live":
            raise ValueError(f"probe_model must be 'live' with probe_dropout, got {self.probe_model!r}")
        if self.t_sampling == "complementary" and self.masks_per_example != 2:
            raise ValueError(
                f"masks_per_example must be 2 with t_sampling 'complementary', got {self.masks_per_example}"
            )
        return self

    @property
    def has_probe(self) -> bool:
        """True if the method needs the uncertainties of a probe pass."""
        return self.rate_source != "none"


PROBE_KEYS = (
    "exponent", "probe_model", "probe_dropout", "reference", "permuted", "padding_probed",
    "padding_reference",
)  # fmt: skip
NEEDS: dict[str, Callable[[Preset], bool]] = {
    **dict.fromkeys(PROBE_KEYS, lambda row: row["rate_source"] != "none"),
    "refresh_epochs": lambda row: row["probe_model"] == "refreshed",
    "min_token_masking_rate": lambda row: row["masking"] == "token",
    "nothing_masked": lambda row: row["masking"] == "token",
    "weight_power": lambda row: row["weight"] == "inverse_rate",
    "max_weight": lambda row: row["weight"] != "none",
    "cart_p": lambda row: str(row["weight"]).startswith("cart"),
}
"""Setting -> function that returns True if the setting has an effect in combination with the others."""

SFT: Preset = {
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
    "learning_rate": None,
    "max_grad_norm": None,
}
WEFT: Preset = SFT | {"rate_source": "entropy", "masking": "token", "divisor": "masked_tokens"}
PRESETS: dict[str, Preset] = {
    "sft": SFT,
    # two masks for every example in every step, and therefore more compute than WeFT
    "sft-2x": SFT | {"masks_per_example": 2},
    "weft": WEFT,
    "weft-raw": WEFT | {"exponent": 1.0},
    "weft-nll": WEFT | {"rate_source": "nll"},
    # "simple weights": ordinary masks, the entropy only in the weight
    "weft-sw": WEFT | {"masking": "uniform", "weight": "relative"},
    "weft-frozen": WEFT | {"probe_model": "frozen"},
    "weft-refreshed": WEFT | {"probe_model": "refreshed"},
    # the exact bound for unequal rates, with the divisor of the bound
    "weft-elbo": WEFT | {"weight": "elbo", "divisor": "answer_tokens"},
    "weft-noweight": WEFT | {"weight": "none"},
    "weft-permuted": WEFT | {"permuted": True},
    # Dream's context weights replace 1/t; LIFT multiplies the two
    "cart": SFT | {"weight": "cart", "divisor": "masked_tokens"},
    "cart-lift": SFT | {"weight": "cart_inverse_rate"},
    # GIFT as implemented by LIFT @ a95b858, quirks included
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
