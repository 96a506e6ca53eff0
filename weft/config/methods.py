"""A fine-tuning method is a row of settings; the named rows of the paper stand here."""

from typing import Any, Literal

from pydantic import Field, model_validator

from weft.config.base import Section


class Method(Section):
    """How answer tokens are masked and weighted.

    ``sft`` and ``weft`` name the two rows of the paper; any other key given beside ``preset``
    replaces that value of the row.
    """

    preset: Literal["sft", "weft"]
    """Row that supplies the values not given here."""
    rate_source: Literal["none", "entropy"]
    """What gives a token its own masking rate: nothing, or the entropy of the probe pass."""
    exponent: float = Field(gt=0)
    """p in beta = H^p (paper: 0.5)."""
    reference: Literal["example", "batch"]
    """Tokens whose mean beta is the reference rate: those of the example or of the micro-batch."""
    masking: Literal["uniform", "token"]
    """One rate t for all tokens, or t_i = 1 - (1-t)^(beta_i/beta_ref)."""
    weight: Literal["inverse_rate", "none"]
    """Loss weight of a masked token: one over the rate that masked it, or 1."""
    divisor: Literal["answer_tokens", "masked_tokens"]
    """What the summed loss of a micro-batch is divided by."""
    padding_reference: bool
    """Whether trained padding takes part in the entropy scheme; if not, it is masked at rate t."""
    min_token_masking_rate: float = Field(gt=0, lt=1)
    """Lower bound of t_i, which bounds the weight 1/t_i."""

    @model_validator(mode="before")
    @classmethod
    def _fill_from_preset(cls, values: Any) -> Any:
        if isinstance(values, dict) and values.get("preset") in PRESETS:
            return PRESETS[values["preset"]] | values
        return values

    @model_validator(mode="after")
    def _no_setting_without_effect(self) -> "Method":
        if self.masking == "token" and self.rate_source == "none":
            raise ValueError("a rate_source other than 'none' when masking is 'token'")
        if self.masking == "uniform" and self.rate_source != "none":
            raise ValueError("rate_source 'none' when masking is 'uniform', since it would have no effect")
        return self


SFT: dict[str, Any] = {
    "rate_source": "none",
    "exponent": 0.5,
    "reference": "example",
    "masking": "uniform",
    "weight": "inverse_rate",
    "divisor": "answer_tokens",
    "padding_reference": False,
    "min_token_masking_rate": 1e-6,
}
WEFT: dict[str, Any] = SFT | {"rate_source": "entropy", "masking": "token", "divisor": "masked_tokens"}
PRESETS: dict[str, dict[str, Any]] = {"sft": SFT, "weft": WEFT}
