"""Answer a few questions as a sampling job would, and keep how it came about."""

from collections.abc import Sequence
from typing import Any

from transformers import PreTrainedTokenizerBase

from weft.sampling.job import SamplingJob, make_requests
from weft.sampling.records import Record
from weft.sampling.stream import stream_answers
from weft.trace.collect import Subject, Trace, TraceCollector, make_trace


def own_question(text: str) -> Record:
    """Make a row, as question files have them, of a question of one's own."""
    return {"example_id": "", "benchmark": "", "question": text, "prompt": text, "reference": None}


def trace_questions(
    job: SamplingJob,
    model: Any,
    tokenizer: PreTrainedTokenizerBase,
    rows: Sequence[Record],
    chosen: Sequence[int],
) -> list[Trace]:
    """Answer some questions of a file and keep every step.

    Args:
        job: settings.
        model: the mask predictor, adapter included.
        tokenizer: of the model.
        rows: all questions of the file: padding, where it is attended to, depends on the neighbours.
        chosen: places of those to answer.

    Returns:
        A trace for each, in the given order.

    Raises:
        SamplingError: a question is too long for the model.
    """
    requests = make_requests(job, tokenizer, rows)
    decoding = job.decoding(mask_token_id=tokenizer.mask_token_id, eos_token_id=tokenizer.eos_token_id)
    collector = TraceCollector()
    answers = stream_answers(
        model,
        [requests[place] for place in chosen],
        decoding,
        batch_size=job.sampling.batch_size,
        noise=job.noise,
        observe=collector,
    )
    traces = {}
    for answer in answers:
        row = rows[answer.index]
        prompt = str(tokenizer.decode(list(requests[answer.index].prompt), skip_special_tokens=False))
        subject = Subject(row["question"], prompt, row["example_id"], row["benchmark"], row["reference"])
        traces[answer.index] = make_trace(
            subject, answer, collector.steps[answer.index], decoding=decoding, tokenizer=tokenizer
        )
    return [traces[place] for place in chosen]
