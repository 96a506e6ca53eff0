"""Write logits.json, losses.json and tokens.json: `python -m tests.reference.write`.

All numbers come from the plain implementations of this folder and from `perf.reference_sampler`, in double
precision, for networks whose weights a formula makes from the names of their tensors.
"""

import json
from functools import partial
from pathlib import Path

import torch

from perf.reference_sampler import generate_plainly
from tests.reference.plain_networks import formula_checkpoint, formula_ids, plain_logits
from tests.reference.plain_objective import METHODS, formula_case, masking_rates, plain_loss, relative_rates

FOLDER = Path(__file__).resolve().parent
FAMILIES = ("llada", "dream")
MASK_ID = 39
LENGTHS = {"gen_length": 16, "block_length": 8}
CASES = {
    "one token per step": {"diffusion_steps": 16},
    "two tokens per step": {"diffusion_steps": 8},
    "one step per block": {"diffusion_steps": 2},
    "guidance": {"diffusion_steps": 16, "cfg_scale": 0.5},
}


def predictor(family):
    """Return a function from token ids to logits for the formula's network of a family."""
    return partial(plain_logits, family, formula_checkpoint(family))


def formula_prompts():
    """Make two prompts of six tokens without the mask token."""
    ids = formula_ids()[:, :6]
    return ids.masked_fill(ids == MASK_ID, 1)


def logits():
    positions = [0, 1, 5, 11]
    rows = {family: predictor(family)(formula_ids())[:, positions, :6].tolist() for family in FAMILIES}
    return {"positions": positions, "num_entries": 6} | rounded(rows)


def losses():
    case = formula_case()
    result = {}
    for family in FAMILIES:
        predict = predictor(family)
        relative = relative_rates(predict, case, "weft")
        rates = [
            [of_row[i] for i in case.positions(row, with_padding=False)]
            for row, of_row in enumerate(masking_rates(case, relative, "weft"))
        ]
        of_methods = {method: plain_loss(predict, case, method) for method in METHODS}
        result[family] = {"losses": of_methods, "weft_masking_rates": rates}
    return rounded(result)


def tokens():
    return {
        family: {
            name: generate_plainly(
                predictor(family), formula_prompts(), mask_token_id=MASK_ID, **LENGTHS, **settings
            ).tolist()
            for name, settings in CASES.items()
        }
        for family in FAMILIES
    }


def rounded(value):
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [rounded(item) for item in value]
    return round(value, 9)


if __name__ == "__main__":
    torch.set_num_threads(1)
    for write in (logits, losses, tokens):
        text = json.dumps(write(), indent=1)
        (FOLDER / f"{write.__name__}.json").write_text(text + "\n")
