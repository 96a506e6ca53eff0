"""Write the stored numbers of weft/verify/reference: `python -m tests.reference.write`.

All numbers come from the plain implementations of `weft.verify.plain`, in double precision, for the networks
of `weft.verify.formula`.
"""

import json

import torch

from weft.verify.formula import (
    FAMILIES,
    MASK_ID,
    SAMPLED,
    SAMPLING_CASES,
    formula_case,
    formula_ids,
    formula_prompts,
    plain_predictor,
)
from weft.verify.plain.loop import generate_plainly
from weft.verify.plain.objective import METHODS, masking_rates, plain_loss, relative_rates
from weft.verify.stored import FOLDER


def logits():
    positions = [0, 1, 5, 11]
    rows = {family: plain_predictor(family)(formula_ids())[:, positions, :6].tolist() for family in FAMILIES}
    return {"positions": positions, "num_entries": 6} | rounded(rows)


def losses():
    case = formula_case()
    result = {}
    for family in FAMILIES:
        predict = plain_predictor(family)
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
                plain_predictor(family), formula_prompts(), mask_token_id=MASK_ID, **SAMPLED, **settings
            ).tolist()
            for name, settings in SAMPLING_CASES.items()
        }
        for family in FAMILIES
    }


def rounded(value):
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [rounded(item) for item in value]
    return round(value, 9)


def text_of(numbers):
    return json.dumps(numbers, indent=1) + "\n"


if __name__ == "__main__":
    torch.set_num_threads(1)
    for write in (logits, losses, tokens):
        (FOLDER / f"{write.__name__}.json").write_text(text_of(write()))
