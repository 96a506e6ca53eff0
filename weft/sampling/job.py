"""Answer one benchmark with one model, record by record."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from weft.config.experiment import Sampling
from weft.data.benchmarks import read_jsonl
from weft.data.examples import encode_prompt
from weft.errors import DataError, SamplingError
from weft.model import load_tokenizer
from weft.provenance import digest
from weft.sampling.decoding import Decoding
from weft.sampling.noise import HashedNoise, key_of_name
from weft.sampling.padding import pad_batchwise
from weft.sampling.progress import show_progress
from weft.sampling.records import Record, RecordWriter
from weft.sampling.shards import Shard, read_questions
from weft.sampling.stream import Answer, Request, stream_answers

LOG = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class SamplingJob:
    """What one job does.

    Attributes:
        sampling: the experiment's sampling section.
        gen_length: length of the answers, in tokens.
        model_name: name written into the records.
        seed: training seed of the model; None for the base model.
        inputs: digests of questions and model.
        shard: which of the questions it answers.

    Raises:
        SamplingError: the length does not fit the other settings.
    """

    sampling: Sampling
    gen_length: int
    model_name: str
    seed: int | None
    inputs: Sequence[str]
    shard: Shard

    def __post_init__(self) -> None:
        self.decoding(mask_token_id=0, eos_token_id=1)  # checks

    @property
    def diffusion_steps(self) -> int:
        """Denoising steps of one canvas; at most, where a confidence threshold decides."""
        return self.gen_length // (self.sampling.tokens_per_step or 1)

    @property
    def noise(self) -> HashedNoise | None:
        """Random numbers, where the settings need any."""
        return None if self.sampling.seed is None else HashedNoise(self.sampling.seed)

    @property
    def answers_digest(self) -> str:
        """Digest of what an answer depends on: settings, questions and model.  Shards have it in common."""
        return digest([self.sampling.decisive(), self.gen_length, *self.inputs])

    @property
    def digest(self) -> str:
        """Digest of everything that the records depend on; a resumed job must have the same."""
        return digest([self.answers_digest, self.model_name, str(self.shard)])

    def decoding(self, *, mask_token_id: int, eos_token_id: int | None) -> Decoding:
        """Make the settings of the reverse process for a model's tokens."""
        return Decoding(
            gen_length=self.gen_length,
            block_length=self.sampling.block_length,
            diffusion_steps=self.diffusion_steps,
            mask_token_id=mask_token_id,
            eos_token_id=eos_token_id,
            temperature=self.sampling.temperature,
            cfg_scale=self.sampling.cfg_scale,
            remasking=self.sampling.remasking,
            early_stop=self.sampling.early_stop,
            kv_cache=self.sampling.kv_cache,
            confidence_threshold=self.sampling.confidence_threshold,
        )


def run_job(job: SamplingJob, model: Any, *, tokenizer_folder: Path, questions: Path, out: Path) -> None:
    """Answer the questions of a job's shard; what has been answered is not answered again.

    Args:
        job: what to do.
        model: the mask predictor, adapter included.
        tokenizer_folder: checkpoint directory with the tokenizer.
        questions: JSONL with example_id, benchmark, question, prompt and reference.
        out: JSONL to write; until it is complete the records lie in a hidden file beside it.

    Raises:
        SamplingError: a question is malformed, stands there twice, or is too long for the model.
        CheckpointError: nothing says which token is the mask.
    """
    tokenizer = load_tokenizer(tokenizer_folder, mask_token_id=getattr(model.config, "mask_token_id", None))
    rows = read_questions(questions)
    names = list(rows)
    requests = job.shard.take(make_requests(job, tokenizer, list(rows.values())))
    _require_room(job, requests, names, getattr(model.config, "max_position_embeddings", None))
    decoding = job.decoding(mask_token_id=tokenizer.mask_token_id, eos_token_id=tokenizer.eos_token_id)
    if _is_done(job, out, [names[request.index] for request in requests]):
        LOG.info("%s holds these answers already", out)
        return
    with RecordWriter(out, digest=job.digest) as writer:
        todo = [request for request in requests if names[request.index] not in writer.done]
        answers = stream_answers(
            model,
            todo,
            decoding,
            batch_size=job.sampling.batch_size,
            noise=job.noise,
        )
        with show_progress(total=len(requests), done=len(writer.done), name=job.model_name) as progress:
            for answer in answers:
                text = str(tokenizer.decode(answer.token_ids, skip_special_tokens=False))
                writer.append(_record(job, rows[names[answer.index]], answer, text))
                progress.update()
        writer.finish([names[request.index] for request in requests])
        _log_work(list(writer.done.values()))


def _is_done(job: SamplingJob, out: Path, names: Sequence[str]) -> bool:
    """Say whether a file is what this job would write; it gets its name when it is complete only."""
    if not out.is_file():
        return False
    try:
        records = read_jsonl(out)
    except DataError:
        return False
    same = {"digest": job.answers_digest[:12], "model": job.model_name, "seed": job.seed}
    return [record.get("example_id") for record in records] == list(names) and all(
        record.get(key) == value for record in records for key, value in same.items()
    )


def make_requests(job: SamplingJob, tokenizer: Any, rows: Sequence[Record]) -> list[Request]:
    """Make the prompts of all questions: padding, where it is attended to, depends on the neighbours."""
    prompts: Sequence[Sequence[int]] = [
        encode_prompt(tokenizer, row["prompt"], prefill=job.sampling.prefill) for row in rows
    ]
    if job.sampling.attend_padding:
        prompts = pad_batchwise(
            prompts, batch_size=job.sampling.batch_size, pad_token_id=tokenizer.pad_token_id
        )
    return [
        Request(index, prompt, key_of_name(row["example_id"]))
        for index, (row, prompt) in enumerate(zip(rows, prompts, strict=True))
    ]


def _require_room(
    job: SamplingJob, requests: Sequence[Request], names: Sequence[str], most: int | None
) -> None:
    """Refuse prompts that leave no room for the answer, before any work is spent."""
    for request in requests:
        length = len(request.prompt)
        if most is not None and length + job.gen_length > most:
            raise SamplingError(
                f"prompt and answer must have at most {most} tokens together (the model's "
                f"max_position_embeddings), got {length} + {job.gen_length} for example "
                f"{names[request.index]!r}; choose a smaller gen_length or leave the question out"
            )


def _record(job: SamplingJob, row: Mapping[str, Any], answer: Answer, text: str) -> Record:
    approximation = job.sampling.approximation
    return {
        "example_id": row["example_id"],
        "benchmark": row["benchmark"],
        "question": row["question"],
        "reference": row["reference"],
        "generation": text,
        "gen_length": job.gen_length,
        "diffusion_steps": job.diffusion_steps,
        "block_length": job.sampling.block_length,
        "num_forward": answer.num_forward,
        "ended_early": answer.ended_early,
        "seed": job.seed,
        "model": job.model_name,
        "digest": job.answers_digest[:12],
    } | ({} if approximation is None else {"approximate": approximation})


def _log_work(records: Sequence[Record]) -> None:
    """Say how much work the answers were."""
    if records:
        steps = sum(record["num_forward"] for record in records) / len(records)
        num_early = sum(record["ended_early"] for record in records)
        LOG.info(
            "%d answers, %.1f of %d denoising steps on average, %d ended early",
            len(records),
            steps,
            records[0]["diffusion_steps"],
            num_early,
        )
