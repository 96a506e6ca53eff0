"""Answer one benchmark with one model, record by record."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from weft.config.experiment import Sampling
from weft.data.benchmarks import read_jsonl
from weft.data.examples import encode_prompt
from weft.model import load_tokenizer
from weft.sampling.records import RecordWriter, in_batches
from weft.sampling.sampler import generate


@dataclass(frozen=True, kw_only=True)
class SamplingJob:
    """What one job does.

    Attributes:
        sampling: the experiment's sampling section.
        gen_length: length of the answers, in tokens.
        model_name: name written into the records.
        seed: training seed of the model; None for the base model.
        digest: of everything that the records depend on; a resumed job must have the same.
    """

    sampling: Sampling
    gen_length: int
    model_name: str
    seed: int | None
    digest: str

    @property
    def diffusion_steps(self) -> int:
        """Forward passes for one canvas."""
        return self.gen_length // self.sampling.tokens_per_step


def run_job(job: SamplingJob, model: Any, *, tokenizer_folder: Path, questions: Path, out: Path) -> None:
    """Generate answers in batches and write a record per question, in file order.

    Args:
        job: what to do.
        model: the mask predictor, adapter included.
        tokenizer_folder: checkpoint directory with the tokenizer.
        questions: JSONL with example_id, benchmark, question, prompt and reference.
        out: JSONL to write; until it is complete the records lie in a hidden file beside it.
    """
    tokenizer = load_tokenizer(tokenizer_folder, mask_token_id=model.config.mask_token_id)
    rows = read_jsonl(questions)
    size = job.sampling.batch_size
    writer = RecordWriter(out, digest=job.digest, batch_size=size)
    todo = rows[len(writer.done) :]
    with tqdm(total=len(rows), initial=len(writer.done), unit="answer", file=sys.stderr) as progress:
        for batch in in_batches(todo, size):
            prompts = [encode_prompt(tokenizer, r["prompt"], prefill=job.sampling.prefill) for r in batch]
            answers = generate(
                model,
                prompts,
                gen_length=job.gen_length,
                block_length=job.sampling.block_length,
                diffusion_steps=job.diffusion_steps,
                mask_token_id=tokenizer.mask_token_id,
                eos_token_id=tokenizer.eos_token_id,
                temperature=job.sampling.temperature,
            )
            texts = tokenizer.batch_decode(answers, skip_special_tokens=False)
            writer.append(_record(job, row, text) for row, text in zip(batch, texts, strict=True))
            progress.update(len(batch))
    writer.finish()


def _record(job: SamplingJob, row: dict[str, Any], text: str) -> dict[str, Any]:
    return {
        "example_id": row["example_id"],
        "benchmark": row["benchmark"],
        "question": row["question"],
        "reference": row["reference"],
        "generation": text,
        "gen_length": job.gen_length,
        "diffusion_steps": job.diffusion_steps,
        "block_length": job.sampling.block_length,
        "num_forward": job.diffusion_steps,
        "seed": job.seed,
        "model": job.model_name,
    }
