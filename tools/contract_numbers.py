"""Write tokens and logits of fixed cases, using only the public interface of `weft`.

The script runs in two commits of the repository (see `tools.same_results`), so it uses only
`weft.model.load_model`, the call of a model and `weft.sampling.generate`.  Usage:

    python contract_numbers.py OUT CHECKPOINT...

It writes ``OUT/<name of the checkpoint>.jsonl``, one line for each case.
"""

import json
import sys
from pathlib import Path
from typing import Any

import torch

from weft.model import load_model
from weft.sampling import generate

PROMPT_LENGTHS = (9, 5, 12)
LENGTHS = {"gen_length": 32, "block_length": 8, "diffusion_steps": 16}
CASES: dict[str, dict[str, Any]] = {
    "exact": {},
    "a step per token": {"diffusion_steps": 32},
    "batches of two": {"batch_size": 2},
    "early stop": {"early_stop": True},
    "guidance": {"cfg_scale": 0.5},
    "temperature": {"temperature": 0.7, "seed": 3},
    "random remasking": {"remasking": "random", "seed": 3},
    "attended padding": {"attend_padding": True, "batch_size": 2},
    "prefix cache": {"kv_cache": "prefix"},
    "dual cache": {"kv_cache": "dual"},
    "confidence threshold": {"confidence_threshold": 0.6},
}


def prompts_for(vocab_size: int, mask_token_id: int) -> list[list[int]]:
    """Make prompts by a formula, without the mask token."""
    allowed = [token for token in range(vocab_size) if token != mask_token_id]
    return [
        [allowed[(37 * row + 11 * index * index + 5 * index) % len(allowed)] for index in range(length)]
        for row, length in enumerate(PROMPT_LENGTHS)
    ]


@torch.no_grad()
def lines_for(checkpoint: Path) -> list[dict[str, Any]]:
    """Compute logits in two precisions and the tokens of all cases.

    Args:
        checkpoint: directory of the model.

    Returns:
        An object for each case; logits are written exactly.
    """
    lines = []
    for dtype in (torch.float32, torch.bfloat16):
        model: Any = load_model(checkpoint, dtype)
        config = model.config
        prompts = prompts_for(config.vocab_size, config.mask_token_id)
        for prompt in prompts:
            ids = torch.tensor([prompt + [config.mask_token_id] * 7])
            logits = model(input_ids=ids).logits
            lines.append({"case": f"logits {dtype}", "logits": logits.double().flatten().tolist()})
    model = load_model(checkpoint, torch.float32)
    eos_token_id = config.eos_token_id
    if eos_token_id is None:  # any token can take its place
        eos_token_id = prompts[0][0]
    for name, settings in CASES.items():
        answers = generate(
            model,
            prompts,
            mask_token_id=config.mask_token_id,
            eos_token_id=eos_token_id,
            **{**LENGTHS, **settings},
        )
        lines.append({"case": f"tokens, {name}", "tokens": answers})
    return lines


def main(arguments: list[str]) -> None:
    """Write a file for each checkpoint."""
    torch.set_num_threads(1)
    out = Path(arguments[0])
    for checkpoint in map(Path, arguments[1:]):
        lines = lines_for(checkpoint)
        (out / f"{checkpoint.name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


if __name__ == "__main__":
    main(sys.argv[1:])
