"""Answer a few questions in the same way as a sampling job, and record every denoising step."""

from collections import defaultdict
from collections.abc import Sequence

from transformers import PreTrainedTokenizerBase

from weft.model import Predictor
from weft.records import Question
from weft.sampling.job import SamplingJob
from weft.sampling.stream import StepOutput, stream_answers
from weft.trace.collect import Trace, make_trace


def custom_question(text: str) -> Question:
    """Return a question that belongs to no benchmark and has no reference."""
    return Question(example_id="", benchmark="", question=text, prompt=text, reference=None)


def trace_questions(
    job: SamplingJob,
    model: Predictor,
    tokenizer: PreTrainedTokenizerBase,
    questions: Sequence[Question],
    chosen: Sequence[int],
) -> list[Trace]:
    """Answer some questions of a file and record every denoising step.

    Args:
        job: settings.
        model: mask predictor, adapter included.
        tokenizer: tokenizer of the model.
        questions: all questions of the file, on which the padding depends with ``attend_padding``.
        chosen: indices of the questions to answer.

    Returns:
        A trace for each chosen question, in the given order.

    Raises:
        SamplingError: a question is too long for the model.
    """
    prompts = job.make_prompts(tokenizer, questions)
    config = job.config(mask_token_id=tokenizer.mask_token_id, eos_token_id=tokenizer.eos_token_id)
    steps: dict[int, list[StepOutput]] = defaultdict(list)
    answers = stream_answers(
        model,
        [prompts[index] for index in chosen],
        config,
        batch_size=job.sampling.batch_size,
        noise=job.noise,
        callback=lambda step: steps[step.index].append(step),
    )
    traces = {
        answer.index: make_trace(
            questions[answer.index],
            prompts[answer.index].token_ids,
            answer,
            steps[answer.index],
            config=config,
            tokenizer=tokenizer,
        )
        for answer in answers
    }
    return [traces[index] for index in chosen]
