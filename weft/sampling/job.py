"""Sampling jobs: answer a file of questions with a model, and write a file of generations."""

import logging
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm
from transformers import PreTrainedTokenizerBase

from weft.config.sampling import Sampling
from weft.config.sources import SpecialTokens
from weft.data.context import require_room_for_answers
from weft.data.encoding import encode_question
from weft.errors import DataError
from weft.model import Predictor, load_tokenizer, read_config
from weft.provenance import digest, file_sha256, recorded_digest
from weft.records import Generation, Question
from weft.records.files import read_lines
from weft.sampling.config import SamplingConfig
from weft.sampling.denoise import Prompt
from weft.sampling.files import GenerationWriter, read_questions
from weft.sampling.noise import HashedNoise, key_of_name
from weft.sampling.padding import pad_batchwise
from weft.sampling.shards import WHOLE, Shard
from weft.sampling.stream import Answer, stream_answers

LOG = logging.getLogger(__name__)
SECONDS_BETWEEN_LOG_LINES = 30.0


@dataclass(frozen=True, kw_only=True)
class SamplingJob:
    """Settings of a sampling job.

    Attributes:
        sampling: the experiment's sampling section.
        gen_length: length of the answers, in tokens.
        model_name: name of the model in the generations.
        seed: training seed of the model; None for the base model.
        inputs: digests of the model and of what the prompts have in common.
        shard: the shard of the questions that the job answers.
        special_tokens: what to do with special tokens in prompts, as the experiment says.

    Raises:
        SamplingError: the length does not fit the other settings.
    """

    sampling: Sampling
    gen_length: int
    model_name: str = ""
    seed: int | None = None
    inputs: Sequence[str] = ()
    shard: Shard = WHOLE
    special_tokens: SpecialTokens = "error"

    def __post_init__(self) -> None:
        self.config(mask_token_id=0, eos_token_id=1)  # raises if the length does not fit

    @property
    def noise(self) -> HashedNoise | None:
        """Random numbers if the settings use any, otherwise None."""
        return None if self.sampling.seed is None else HashedNoise(self.sampling.seed)

    @property
    def answers_digest(self) -> str:
        """Digest of all but the question on which an answer depends; equal for all shards."""
        rule = [] if self.special_tokens == "error" else [self.special_tokens]
        return digest([self.sampling.decisive(), self.gen_length, *self.inputs, *rule])

    @property
    def digest(self) -> str:
        """Digest of everything that the output depends on; equal when an interrupted job is resumed."""
        return digest([self.answers_digest, self.model_name, str(self.shard)])

    def config(self, *, mask_token_id: int, eos_token_id: int | None) -> SamplingConfig:
        """Return the settings of the sampler for the token ids of a model."""
        return SamplingConfig(
            **self.sampling.options(),
            gen_length=self.gen_length,
            diffusion_steps=self.sampling.diffusion_steps(self.gen_length),
            mask_token_id=mask_token_id,
            eos_token_id=eos_token_id,
        )

    def make_prompts(self, tokenizer: PreTrainedTokenizerBase, questions: Sequence[Question]) -> list[Prompt]:
        """Tokenise all questions of a file, and pad them batch by batch with ``attend_padding``."""
        prompts: Sequence[Sequence[int]] = [
            encode_question(
                tokenizer, question, prefill=self.sampling.prefill, special_tokens=self.special_tokens
            )
            for question in questions
        ]
        if self.sampling.attend_padding:
            prompts = pad_batchwise(
                prompts, batch_size=self.sampling.batch_size, pad_token_id=tokenizer.pad_token_id
            )
        return [
            Prompt(index, ids, key_of_name(question.example_id), question.example_id)
            for index, (ids, question) in enumerate(zip(prompts, questions, strict=True))
        ]


def require_room(jobs: Mapping[Path, tuple[SamplingJob, Path]], base: Path) -> None:
    """Check that the prompts of all jobs are short enough, before the first question is answered.

    Args:
        jobs: output -> job and its file of questions; jobs that are done are not checked.
        base: checkpoint directory of the base model.

    Raises:
        SamplingError: prompt and answer of a job are together longer than the model's context.
        CheckpointError: the directory has no valid configuration or tokenizer.
    """
    context: int | None = None
    for out, (job, questions) in jobs.items():
        rows = list(read_questions(questions).values())
        if is_done(job, out, job.shard.take(rows)):
            continue
        if context is None:
            config = read_config(base)
            context = config.max_position_embeddings
            tokenizer = load_tokenizer(base, mask_token_id=config.mask_token_id)
        lengths = {prompt.name: len(prompt) for prompt in job.shard.take(job.make_prompts(tokenizer, rows))}
        require_room_for_answers(lengths, job.gen_length, context=context, source=questions)


def run_job(
    job: SamplingJob, load: Callable[[], Predictor], *, tokenizer_folder: Path, questions: Path, out: Path
) -> None:
    """Answer the questions of a job's shard, except those whose answers are in the output or in its store.

    An output is used as it is if its provenance records its content. Otherwise it may have been changed, or
    the job was killed before it could write the provenance.

    Args:
        job: settings.
        load: returns the mask predictor, adapter included; called only if an answer is missing.
        tokenizer_folder: checkpoint directory with the tokenizer.
        questions: file of `weft.records.Question`.
        out: file of `weft.records.Generation` to write; its store is a hidden file in the same folder.

    Raises:
        SamplingError: a question is malformed, occurs twice, or is too long for the model.
        CheckpointError: neither the model nor the tokenizer declares a mask token.
    """
    rows = list(read_questions(questions).values())
    asked = job.shard.take(rows)
    names = [question.example_id for question in asked]
    if is_done(job, out, asked):
        if recorded_digest(out) == file_sha256(out):
            LOG.info("%s already contains these answers", out)
            return
        LOG.warning(
            "%s contains these answers, but its provenance does not prove that they are unchanged; it is "
            "written again from the stored answers, and answers that are not stored are sampled again",
            out,
        )
    writer = GenerationWriter(
        out,
        digest=job.digest,
        questions=dict(zip(names, asked, strict=True)),
        is_valid=lambda generation: _is_made_by(job, generation),
    )
    with writer:
        if all(name in writer.done for name in names):
            LOG.info("%s: all answers were stored before", out)
        else:
            _answer_questions(job, load(), tokenizer_folder, rows, writer)
        writer.finish(names)
    if generations := list(writer.done.values()):
        LOG.info(
            "%d answers, %.1f of %d denoising steps on average, %d ended early",
            len(generations),
            sum(generation.num_forward or 0 for generation in generations) / len(generations),
            generations[0].diffusion_steps,
            sum(generation.ended_early or False for generation in generations),
        )


def _answer_questions(
    job: SamplingJob,
    model: Predictor,
    tokenizer_folder: Path,
    rows: Sequence[Question],
    writer: GenerationWriter,
) -> None:
    """Answer the questions of a job's shard that are not in its store."""
    known_mask = getattr(getattr(model, "config", None), "mask_token_id", None)
    tokenizer = load_tokenizer(tokenizer_folder, mask_token_id=known_mask)
    config = job.config(mask_token_id=tokenizer.mask_token_id, eos_token_id=tokenizer.eos_token_id)
    prompts = job.shard.take(job.make_prompts(tokenizer, rows))
    remaining = [prompt for prompt in prompts if prompt.name not in writer.done]
    answers = stream_answers(model, remaining, config, batch_size=job.sampling.batch_size, noise=job.noise)
    for answer in tqdm(
        answers,
        desc=f"{job.model_name}, {writer.out}",
        total=len(prompts),
        initial=len(writer.done),
        unit="answer",
        mininterval=0.1 if sys.stderr.isatty() else SECONDS_BETWEEN_LOG_LINES,
    ):
        text = str(tokenizer.decode(answer.token_ids, skip_special_tokens=False))
        writer.append(_generation(job, rows[answer.index], answer, text))


def is_done(job: SamplingJob, out: Path, questions: Sequence[Question]) -> bool:
    """Return True if the output exists and contains what this job would write for its questions."""
    try:
        generations = read_lines(out, Generation)
    except DataError:
        return False
    made_by = job.answers_digest[:12], job.model_name, job.seed
    expected = [(row.example_id, row.benchmark, row.question, row.reference, *made_by) for row in questions]
    return expected == [
        (row.example_id, row.benchmark, row.question, row.reference, row.digest, row.model, row.seed)
        for row in generations
    ]


def _is_made_by(job: SamplingJob, generation: Generation) -> bool:
    """Return True if a generation has all fields that the job writes, with the values of its settings."""
    given, expected = generation.as_object(), _settings(job)
    is_counted = generation.num_forward is not None and generation.ended_early is not None
    return is_counted and {name: given.get(name) for name in expected} == expected


def _settings(job: SamplingJob) -> dict[str, str | int | None]:
    """Return the fields of a generation that are the same for all questions of a job."""
    approximation = job.sampling.approximation
    return {
        "gen_length": job.gen_length,
        "diffusion_steps": job.sampling.diffusion_steps(job.gen_length),
        "block_length": job.sampling.block_length,
        "seed": job.seed,
        "model": job.model_name,
        "digest": job.answers_digest[:12],
        **({} if approximation is None else {"approximate": approximation}),
    }


def _generation(job: SamplingJob, question: Question, answer: Answer, text: str) -> Generation:
    return Generation.model_validate(
        {
            "example_id": question.example_id,
            "benchmark": question.benchmark,
            "question": question.question,
            "reference": question.reference,
            "generation": text,
            "num_forward": answer.num_forward,
            "ended_early": answer.ended_early,
            **_settings(job),
        }
    )
