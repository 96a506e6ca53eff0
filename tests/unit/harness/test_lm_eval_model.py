import pytest
import torch

from tests.conftest import REPOSITORY
from weft.errors import ConfigError, SamplingError
from weft.sampling import generate

pytest.importorskip("lm_eval")
pytestmark = pytest.mark.filterwarnings("ignore")  # of the harness and its libraries

BASE = str(REPOSITORY / "experiments/tiny-base")
QUESTION = "Question: What is 12 plus 30?\nAnswer:"
TASK = {"until": ["Question:"], "do_sample": False}


def make(**arguments):
    from weft.harness.lm_eval_model import WeftLM

    return WeftLM(
        **{"pretrained": BASE, "device": "cpu", "batch_size": 4, "gen_length": 16, "mc_num": 4} | arguments
    )


@pytest.fixture(scope="module")
def language_model():
    return make()


def requests(kind, *arguments):
    from lm_eval.api.instance import Instance

    return [
        Instance(request_type=kind, doc={}, arguments=pair, idx=0, metadata=("task", number, 1))
        for number, pair in enumerate(arguments)
    ]


def answers(language_model, *arguments):
    return language_model.generate_until(requests("generate_until", *arguments))


def test_answers_are_those_of_the_sampler(language_model):
    tokenizer = language_model.tokenizer
    ids = tokenizer(QUESTION)["input_ids"]
    [token_ids] = generate(
        language_model.loaded.model,
        [ids],
        gen_length=16,
        block_length=16,
        diffusion_steps=8,
        mask_token_id=tokenizer.mask_token_id,
    )
    expected = tokenizer.decode(token_ids).split("<|e")[0]
    assert answers(language_model, (QUESTION, TASK)) == [expected]


def test_answers_do_not_depend_on_order_or_batch(language_model):
    texts = [QUESTION, "How many?", f"{QUESTION} 42\n\n{QUESTION}", "How many?"]
    noisy = {"do_sample": True, "temperature": 1.0}
    for settings in (TASK, noisy):
        pairs = [(text, settings) for text in texts[:3]]
        found = answers(language_model, *pairs)
        assert answers(make(batch_size=1), *pairs[::-1]) == found[::-1]


def test_copies_of_a_request_differ_only_if_random_numbers_are_used(language_model):
    assert len(set(answers(language_model, *[(QUESTION, TASK)] * 4))) == 1
    noisy = {"do_sample": True, "temperature": 2.0}
    found = answers(language_model, *[(QUESTION, noisy)] * 4)
    assert len(set(found)) == 4
    assert found == answers(language_model, *[(QUESTION, noisy)] * 4)
    assert found != answers(language_model, *[(QUESTION, noisy | {"seed": 1})] * 4)


def test_likelihoods_prefer_what_the_model_has_learned(language_model):
    prompt = language_model.apply_chat_template([{"role": "user", "content": "What is 12 plus 30?"}])
    options = requests("loglikelihood", (prompt, "<reasoning>"), (prompt, "zebra fish"))
    (likely, _), (unlikely, is_greedy) = language_model.loglikelihood(options)
    assert unlikely < likely < 0
    assert is_greedy is False


def test_likelihoods_do_not_depend_on_order_or_batch(language_model):
    pairs = [(QUESTION, " 42"), (QUESTION, " forty and two more"), ("", "42"), ("One, two,", " three")]
    found = language_model.loglikelihood(requests("loglikelihood", *pairs))
    again = make(batch_size=1).loglikelihood(requests("loglikelihood", *pairs[::-1]))[::-1]
    for first, second in zip(found, again, strict=True):
        assert first[0] == pytest.approx(second[0], abs=1e-4)
        assert first[1] == second[1]


def test_the_sampled_answer_is_reported_as_greedy_only_on_request(language_model):
    tokenizer = language_model.tokenizer
    prompt = tokenizer(QUESTION)["input_ids"]
    settings = {"gen_length": 1, "block_length": 1, "diffusion_steps": 1}
    [ids] = generate(language_model.loaded.model, [prompt], mask_token_id=tokenizer.mask_token_id, **settings)
    pair = requests("loglikelihood", (QUESTION, tokenizer.decode(ids)))
    assert language_model.loglikelihood(pair)[0][1] is True
    assert make(is_check_greedy=False).loglikelihood(pair)[0][1] is False


def test_finished_requests_are_cached_one_by_one(language_model, monkeypatch):
    class Hook:
        def __init__(self):
            self.stored = []

        def add_partial(self, kind, arguments, result):
            self.stored.append((kind, arguments, result))

    hook = Hook()
    monkeypatch.setattr(language_model, "cache_hook", hook)
    [answer] = answers(language_model, (QUESTION, TASK))
    [value] = language_model.loglikelihood(requests("loglikelihood", (QUESTION, " 42")))
    assert hook.stored == [
        ("generate_until", (QUESTION, TASK), answer),
        ("loglikelihood", (QUESTION, " 42"), value),
    ]


def test_long_prompts_are_an_error_or_cut_at_their_beginning(caplog):
    long = "one two three four five six seven " * 60 + QUESTION
    with pytest.raises(SamplingError, match="1 of 1 requests that are longer, such as document 0 of task"):
        answers(make(), (long, TASK))
    with pytest.raises(SamplingError, match="at most 100 tokens together"):
        make(max_length=100).loglikelihood(requests("loglikelihood", (long, "x")))
    cutting = make(too_long="truncate", max_length=40)
    ids = cutting.tokenizer(long)["input_ids"]
    assert answers(cutting, (long, TASK)) == answers(cutting, (cutting.tokenizer.decode(ids[-24:]), TASK))
    assert "the beginning of these prompts is cut off" in caplog.text
    with pytest.raises(SamplingError, match="requests that are longer"):
        cutting.loglikelihood(requests("loglikelihood", ("", long)))


def test_perplexity_tasks_are_refused(language_model):
    with pytest.raises(ConfigError, match=r"loglikelihood_rolling\), such as task"):
        language_model.loglikelihood_rolling(requests("loglikelihood_rolling", ("text",)))


def test_the_context_of_the_model_is_the_longest_length():
    with pytest.raises(ConfigError, match="max_length must be at most 256"):
        make(max_length=257)


def test_what_the_results_say_about_the_model(language_model):
    info = language_model.get_model_info()
    assert info["model_num_parameters"] == sum(p.numel() for p in language_model.loaded.model.parameters())
    assert info["weft_arguments"]["mc_num"] == 4
    assert language_model.chat_template(True) == language_model.tokenizer.chat_template
    assert language_model.chat_template(False) == ""
    assert "/" not in language_model.tokenizer_name
    assert language_model.eot_token_id == language_model.tokenizer.eos_token_id


def test_arguments_can_be_one_text():
    from weft.harness.lm_eval_model import WeftLM

    made = WeftLM.create_from_arg_string(
        f"pretrained={BASE},mc_num=3", {"batch_size": "auto", "device": "cpu", "max_batch_size": None}
    )
    assert (made.arguments.mc_num, made.batch_size) == (3, 16)


def test_a_single_process_gathers_its_own_values(language_model):
    value = torch.tensor([1, 2])
    assert language_model.all_gather(value) is value
    assert language_model.gather_object("x") == ["x"]
    language_model.barrier()


def test_several_processes_share_the_requests(monkeypatch):
    class Two:
        device, process_index, num_processes = torch.device("cpu"), 1, 2

        def __init__(self, cpu):
            assert cpu

        def gather(self, tensor):
            return torch.cat([tensor, tensor])

        def wait_for_everyone(self):
            self.has_waited = True

    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setattr("accelerate.Accelerator", Two)
    second = make()
    assert (second.rank, second.world_size) == (1, 2)
    assert second.all_gather(torch.tensor([3])).tolist() == [3, 3]
    second.barrier()
    assert second.accelerator.has_waited
