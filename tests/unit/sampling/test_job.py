import dataclasses
import json
from pathlib import Path

import pytest
import torch
from peft import LoraConfig, get_peft_model

from weft.config import load_experiment
from weft.config.sampling import Sampling
from weft.config.sources import GeneratedBenchmark
from weft.data.questions import generate_questions
from weft.errors import CheckpointError, DataError, SamplingError
from weft.layout import answer_store
from weft.model import load_adapter, load_model, merge_adapter
from weft.provenance import write_provenance
from weft.records import Generation, Question
from weft.records.files import write_lines
from weft.sampling.job import SamplingJob, require_room, run_job
from weft.sampling.shards import Shard, merge_shards
from weft.sampling.stored import StoredAnswer, tokens_source
from weft.sampling.stream import stream_answers

BASE = Path("experiments/tiny-base")
SAMPLING = load_experiment("experiments/tiny.yaml").sampling.model_dump() | {"tokens_per_step": 2}
NOISY = {"temperature": 0.7, "remasking": "random", "seed": 3}


@pytest.fixture(scope="module")
def base():
    torch.set_num_threads(1)
    return load_model(BASE)


@pytest.fixture(scope="module")
def questions(tmp_path_factory):
    return write_questions(tmp_path_factory.mktemp("questions") / "questions.jsonl", "gsm8k", "sudoku")


def write_questions(path, *benchmarks, count=6):
    source = GeneratedBenchmark(source="generated", num_examples=count, seed=1)
    write_lines(path, [row for name in benchmarks for row in generate_questions(name, source)])
    return path


def described(shard="1/1", gen_length=16, **changes):
    number, count = map(int, shard.split("/"))
    return SamplingJob(
        sampling=Sampling.model_validate(SAMPLING | {"batch_size": 5} | changes),
        gen_length=gen_length,
        model_name="tiny/base",
        seed=None,
        inputs=["prompts", "model"],
        shard=Shard(number, count),
    )


def answer(job, model, questions, out, tokenizer_folder=BASE):
    run_job(job, lambda: model, tokenizer_folder=tokenizer_folder, questions=questions, out=out)
    return out


def records_of(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


class Dying:
    """The model, until it has been called often enough."""

    def __init__(self, model, num_calls):
        self.model, self.num_calls = model, num_calls
        self.config, self.device = model.config, model.device

    def __call__(self, **inputs):
        self.num_calls -= 1
        if self.num_calls < 0:
            raise KeyboardInterrupt
        return self.model(**inputs)


def test_a_generation_contains_question_answer_and_steps(base, questions, tmp_path):
    job = described()
    records = records_of(answer(job, base, questions, tmp_path / "a.jsonl"))
    rows = [json.loads(line) for line in questions.read_text().splitlines()]
    for record, row in zip(records, rows, strict=True):
        assert {name: record[name] for name in ("example_id", "benchmark", "question", "reference")} == {
            name: row[name] for name in ("example_id", "benchmark", "question", "reference")
        }
        assert (record["gen_length"], record["diffusion_steps"], record["block_length"]) == (16, 8, 8)
        assert (record["seed"], record["model"]) == (None, "tiny/base")
        assert record["digest"] == job.answers_digest[:12]
        assert record["num_forward"] == (4 if record["ended_early"] else 8)
        assert "approximate" not in record
    assert len({record["generation"] for record in records}) > 1


def test_a_finished_job_is_not_done_again(base, questions, tmp_path, caplog):
    out = tmp_path / "a.jsonl"
    whole = answer(described(), base, questions, out).read_bytes()
    write_provenance(out, settings={}, experiment="test")  # as weft sample does
    with caplog.at_level("INFO", logger="weft.sampling"):
        answer(described(), Dying(base, 0), questions, out)
    assert out.read_bytes() == whole
    assert f"{out} already contains these answers" in caplog.text
    with pytest.raises(KeyboardInterrupt):  # another model's answers are no reason to stop
        answer(dataclasses.replace(described(), inputs=["other"]), Dying(base, 0), questions, out)


@pytest.mark.parametrize("gone", ["output", "nothing"])
def test_new_questions_are_asked_and_no_others(base, questions, tmp_path, caplog, gone):
    rows = [json.loads(line) for line in questions.read_text().splitlines()]
    fewer, out = tmp_path / "questions.jsonl", tmp_path / "a.jsonl"
    fewer.write_text("".join(json.dumps(row) + "\n" for row in [*rows[:4], *rows[6:]]))
    answer(described(), base, fewer, out)
    if gone == "output":
        out.unlink()
    asked = []

    def prompts(model, remaining, *arguments, **settings):
        asked.extend(prompt.name for prompt in remaining)
        return stream_answers(model, remaining, *arguments, **settings)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("weft.sampling.job.stream_answers", prompts)
        answer(described(), base, questions, out)
        assert asked == [row["example_id"] for row in rows[4:6]]
        assert out.read_bytes() == answer(described(), base, questions, tmp_path / "b.jsonl").read_bytes()
    run_job(described(), never, tokenizer_folder=BASE, questions=fewer, out=out)
    assert [record["example_id"] for record in records_of(out)] == [
        row["example_id"] for row in [*rows[:4], *rows[6:]]
    ]


def test_a_corrected_reference_needs_no_model(base, questions, tmp_path):
    rows = [json.loads(line) for line in questions.read_text().splitlines()]
    out, corrected = answer(described(), base, questions, tmp_path / "a.jsonl"), tmp_path / "questions.jsonl"
    rows[0]["reference"] = 7.0
    corrected.write_text("".join(json.dumps(row) + "\n" for row in rows))
    run_job(described(), never, tokenizer_folder=BASE, questions=corrected, out=out)
    assert [record["reference"] for record in records_of(out)] == [row["reference"] for row in rows]


def never():
    raise AssertionError("no model is needed")


@pytest.mark.parametrize("shard", ["1/1", "2/3"])
def test_a_deleted_output_is_restored_from_its_store_without_a_model(base, questions, tmp_path, shard):
    out, job = tmp_path / "a.jsonl", described(shard)
    whole = answer(job, base, questions, out).read_bytes()
    out.unlink()
    run_job(job, never, tokenizer_folder=BASE, questions=questions, out=out)
    assert out.read_bytes() == whole
    out.unlink()
    with pytest.raises(AssertionError, match="no model"):  # the store of another model is not used
        run_job(
            dataclasses.replace(job, inputs=["other"]), never,
            tokenizer_folder=BASE, questions=questions, out=out,
        )  # fmt: skip
    run_job(job, never, tokenizer_folder=BASE, questions=questions, out=out)  # and the first one is kept


def test_a_question_that_cannot_be_asked_or_written_is_refused(base, questions, tmp_path):
    rows = [json.loads(line) for line in questions.read_text().splitlines()]
    for change in ({"prompt": 7}, {"example_id": ["a"]}, {"reference": float("nan")}, {"prompt": "\ud800"}):
        wrong = tmp_path / "questions.jsonl"
        wrong.write_text(json.dumps(rows[0] | change) + "\n")
        with pytest.raises(SamplingError, match=r"expected|must be"):
            answer(described(), base, wrong, tmp_path / "a.jsonl")


def test_a_special_token_in_a_question_is_refused_or_plain_text(tokenizer):
    row = Question(example_id="q", benchmark="b", question="", prompt="a <|mdm_mask|>", reference=1)
    with pytest.raises(DataError, match=r"b, example_id q: the question must not contain special tokens"):
        described().make_prompts(tokenizer, [row])
    plain = dataclasses.replace(described(), special_tokens="plain_text")
    (prompt,) = plain.make_prompts(tokenizer, [row])
    assert tokenizer.mask_token_id not in prompt.token_ids
    assert plain.answers_digest != described().answers_digest


@pytest.mark.parametrize(
    ("changes", "num_calls"),
    [
        pytest.param({}, 9, id="plain"),
        pytest.param(NOISY, 9, id="noise"),
        pytest.param({"attend_padding": True}, 9, id="padding"),
        pytest.param({"early_stop": False, "cfg_scale": 0.5}, 17, id="guidance"),
    ],
)
def test_shards_sizes_and_interruptions_change_no_byte(base, questions, tmp_path, changes, num_calls):
    expected = answer(described(**changes), base, questions, tmp_path / "whole.jsonl").read_bytes()
    for count in (2, 3):
        parts = [
            answer(described(f"{n}/{count}", **changes), base, questions, tmp_path / f"{n}of{count}.jsonl")
            for n in range(1, count + 1)
        ]
        assert merge_shards(questions, parts, tmp_path / "merged.jsonl") == 12
        assert (tmp_path / "merged.jsonl").read_bytes() == expected
    if "attend_padding" not in changes:
        other = answer(described(batch_size=3, **changes), base, questions, tmp_path / "other.jsonl")
        assert other.read_bytes() == expected
    out, job, done = tmp_path / "killed.jsonl", described(**changes), [0]
    for calls in (num_calls, num_calls, 1000):
        try:
            answer(job, Dying(base, calls), questions, out)
        except KeyboardInterrupt:
            done.append(len(answer_store(out, job.digest).read_text().splitlines()))
    assert 0 < done[1] < 12
    assert out.read_bytes() == expected


def test_attended_padding_changes_answers(base, tmp_path):
    """Prompts of different lengths stand in one batch, so that most of them are padded."""
    questions = write_questions(tmp_path / "questions.jsonl", "gsm8k", "sudoku", "countdown", count=20)
    changes = {"batch_size": 60, "tokens_per_step": 8}
    jobs = [described(**changes, attend_padding=attended) for attended in (False, True)]
    hidden, attended = (
        records_of(answer(job, base, questions, tmp_path / f"{number}.jsonl"))
        for number, job in enumerate(jobs)
    )
    assert [record["generation"] for record in hidden] != [record["generation"] for record in attended]


def test_existing_answers_are_not_sampled_again(base, questions, tmp_path):
    out, job = tmp_path / "a.jsonl", described()
    with pytest.raises(KeyboardInterrupt):
        answer(job, Dying(base, 9), questions, out)
    store = answer_store(out, job.digest)
    kept = [Generation.model_validate(record) for record in records_of(store)]
    assert kept
    marked = [record.model_copy(update={"generation": "kept"}) for record in kept]
    write_lines(store, [StoredAnswer.seal(record, tokens_source()) for record in marked])
    records = records_of(answer(job, base, questions, out))
    assert {r["example_id"] for r in records if r["generation"] == "kept"} == {r.example_id for r in kept}


def test_answers_that_the_job_cannot_have_made_are_asked_again(base, questions, tmp_path, caplog):
    """They have their digests, but not the fields of the job, or those of other settings."""
    expected = answer(described(), base, questions, tmp_path / "whole.jsonl").read_bytes()
    out, job = tmp_path / "a.jsonl", described()
    with pytest.raises(KeyboardInterrupt):
        answer(job, Dying(base, 9), questions, out)
    store = answer_store(out, job.digest)
    changes = [{"num_forward": None}, {"ended_early": None}, {"digest": "0" * 12}, {"gen_length": 4}]
    records = [Generation.model_validate(record) for record in records_of(store)]
    changed = [record.model_copy(update=change) for record, change in zip(records, changes, strict=False)]
    assert len(changed) >= 2
    write_lines(store, [StoredAnswer.seal(record, tokens_source()) for record in changed])
    assert answer(job, base, questions, out).read_bytes() == expected
    assert f"{len(changed)} of {len(changed)} answers are not those" in caplog.text


def test_the_digest_stands_for_everything_but_the_batch_size():
    assert described().digest == described(batch_size=2).digest == described(gen_lengths=[16, 32]).digest
    others = [
        described(early_stop=False), described(**NOISY), described(**NOISY | {"seed": 4}), described("1/2"),
        described(gen_length=32), described(attend_padding=True),
        described(attend_padding=True, batch_size=2),
    ]  # fmt: skip
    assert len({described().digest, *(other.digest for other in others)}) == len(others) + 1
    assert described("1/2").answers_digest == described("2/2").answers_digest


def test_every_setting_reaches_the_decoding():
    for changes in (
        {"block_length": 4, "tokens_per_step": 1, "early_stop": False, "cfg_scale": 0.5} | NOISY,
        {"kv_cache": "prefix", "confidence_threshold": 0.7, "tokens_per_step": None},
    ):
        job = described(**changes)
        config = job.config(mask_token_id=3, eos_token_id=4)
        assert config.options() == job.sampling.options()
        assert (config.mask_token_id, config.eos_token_id) == (3, 4)
        assert (config.gen_length, config.diffusion_steps) == (16, 16)


def test_an_approximate_answer_says_so(base, questions, tmp_path):
    job = described(kv_cache="dual", confidence_threshold=0.9, tokens_per_step=None)
    records = records_of(answer(job, base, questions, tmp_path / "a.jsonl"))
    assert {record["approximate"] for record in records} == {"dual cache, threshold 0.9"}
    assert {record["diffusion_steps"] for record in records} == {16}
    assert min(record["num_forward"] for record in records) < 16


def test_a_prompt_that_leaves_no_room_is_named_before_any_work(base, questions, tmp_path):
    out = tmp_path / "a.jsonl"
    rows = [json.loads(line) for line in questions.read_text().splitlines()]
    rows[7]["prompt"] *= 20
    write_lines(tmp_path / "long.jsonl", [Question(**row) for row in rows])
    message = rf"at most 256 tokens .*got \d+ \+ 16 for example '{rows[7]['example_id']}'"
    with pytest.raises(SamplingError, match=message):
        answer(described(), Dying(base, 0), tmp_path / "long.jsonl", out)
    answer(described("1/2"), base, tmp_path / "long.jsonl", out)  # it is not in this shard


def test_a_length_that_does_not_fit_is_refused_before_a_model_is_needed():
    for length, message in ((0, "got 0"), (-8, "got -8"), (20, "got 20")):
        with pytest.raises(SamplingError, match=f"gen_length .* {message}"):
            described(gen_length=length)


def test_a_checkpoint_without_mask_token_is_refused(questions, tmp_path):
    copy = json.loads((BASE / "tokenizer_config.json").read_text())
    for file in BASE.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    copy.pop("mask_token", None)
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(copy))
    config = json.loads((tmp_path / "config.json").read_text())
    config.pop("mask_token_id", None)
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match=r"mask token, got none; add mask_token_id to config.json"):
        answer(described(), load_model(tmp_path), questions, tmp_path / "a", tokenizer_folder=tmp_path)


@pytest.fixture
def adapter(base, tmp_path):
    """An adapter of the tiny base that turns its answers around."""
    torch.manual_seed(5)
    config = LoraConfig(r=8, lora_alpha=16, target_modules=["q_proj", "v_proj", "up_proj"])
    adapted = get_peft_model(load_model(BASE), config)
    with torch.no_grad():
        for name, parameter in adapted.named_parameters():
            if "lora_B" in name:
                parameter.normal_(std=0.05)
    adapted.save_pretrained(tmp_path / "adapter")
    return tmp_path / "adapter"


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning")
def test_adapters_answer_the_same_merged_and_unmerged(base, adapter, questions, tmp_path):
    """In fp32; in bf16 the sum is rounded, see the docs of merge_adapters."""
    apart = load_adapter(load_model(BASE), adapter)
    merged = merge_adapter(load_adapter(load_model(BASE), adapter))
    ids = torch.randint(0, base.config.vocab_size, (4, 48), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        logits, merged_logits, base_logits = (one(input_ids=ids).logits for one in (apart, merged, base))
    assert (logits - merged_logits).abs().max() < 1e-4
    assert (logits - base_logits).abs().max() > 1
    answers = [
        records_of(answer(described(), one, questions, tmp_path / f"{name}.jsonl"))
        for name, one in (("apart", apart), ("merged", merged), ("base", base))
    ]
    texts = [[record["generation"] for record in records] for records in answers]
    assert texts[0] == texts[1] != texts[2]


def test_a_prompt_that_is_too_long_for_a_later_length_is_found_before_the_first_answer(
    base, questions, tmp_path
):
    short, long = described(gen_length=16), described(gen_length=240)
    jobs = {tmp_path / "16": (short, questions), tmp_path / "240": (long, questions)}
    with pytest.raises(SamplingError, match=r"prompt and answer must have at most 256 .* 240"):
        require_room(jobs, BASE)
    require_room({tmp_path / "16": (short, questions)}, BASE)


def test_jobs_that_are_done_are_not_checked_again(base, questions, tmp_path):
    job, out = described(), tmp_path / "16"
    answer(job, base, questions, out)
    require_room({out: (job, questions)}, tmp_path / "absent")
    with pytest.raises(CheckpointError):
        require_room({tmp_path / "other": (job, questions)}, tmp_path / "absent")
