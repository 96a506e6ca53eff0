import pytest

from weft.config import load_experiment
from weft.data.encoding import encode_prompt
from weft.errors import SamplingError
from weft.records import Question
from weft.sampling.denoise import Prompt
from weft.sampling.job import SamplingJob
from weft.sampling.noise import HashedNoise, key_of_name
from weft.sampling.stream import stream_answers
from weft.trace.job import custom_question, trace_questions

TINY = load_experiment("experiments/tiny.yaml").sampling
ROWS = [
    Question.model_validate(
        {
            "example_id": f"e{n}",
            "benchmark": "gsm8k",
            "question": f"{n}?",
            "prompt": "x " * n + "?",
            "reference": n,
        }
    )
    for n in (1, 5, 3)
]


def job_of(*, gen_length=16, **changes):
    sampling = TINY.model_copy(update=changes)
    return SamplingJob(sampling=sampling, gen_length=gen_length)


def test_the_chosen_questions_are_answered_in_the_order_asked_for(model, tokenizer):
    first, second = trace_questions(job_of(), model, tokenizer, ROWS, [2, 1])
    assert (first.question.example_id, second.question.example_id) == ("e3", "e5"), (
        "the longest is finished first"
    )
    assert (first.question.question, first.question.reference, first.question.benchmark) == ("3?", 3, "gsm8k")
    assert first.prompt.endswith(TINY.prefill)
    assert "x x x ?" in first.prompt


@pytest.mark.parametrize(
    "changes", [{}, {"temperature": 0.7, "seed": 3}, {"confidence_threshold": 0.1, "tokens_per_step": None}]
)
def test_the_answer_is_the_one_that_sampling_gives(model, tokenizer, changes):
    job = job_of(**changes)
    (trace,) = trace_questions(job, model, tokenizer, ROWS, [1])
    config = job.config(mask_token_id=tokenizer.mask_token_id, eos_token_id=tokenizer.eos_token_id)
    prompt = encode_prompt(tokenizer, ROWS[1].prompt, prefill=TINY.prefill)
    (answer,) = stream_answers(
        model, [Prompt(0, prompt, key_of_name("e5"))], config, batch_size=1, noise=HashedNoise(3)
    )
    assert trace.token_ids == answer.token_ids
    assert len(trace.steps) == answer.num_forward
    revealed = [token for token in trace.tokens if token.step is not None]
    assert [token.token_id for token in revealed] == [answer.token_ids[token.column] for token in revealed]


def test_padding_is_part_of_the_prompt_where_it_is_attended_to(model, tokenizer):
    (padded,) = trace_questions(job_of(attend_padding=True), model, tokenizer, ROWS, [0])
    longest = encode_prompt(tokenizer, ROWS[1].prompt)
    own = encode_prompt(tokenizer, ROWS[0].prompt)
    assert padded.prompt.startswith(tokenizer.pad_token * (len(longest) - len(own)))


def test_a_custom_question_has_no_reference(model, tokenizer):
    (trace,) = trace_questions(job_of(), model, tokenizer, [custom_question("Why?")], [0])
    assert (trace.question.question, trace.question.example_id, trace.question.reference) == (
        "Why?",
        "",
        None,
    )


def test_a_question_that_is_too_long_is_refused(model, tokenizer):
    with pytest.raises(SamplingError, match=r"at most 256 tokens .* for example 'e1'"):
        trace_questions(job_of(gen_length=256), model, tokenizer, ROWS, [0])
