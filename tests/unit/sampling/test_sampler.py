import copy
import itertools
import json
import re
import runpy
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from peft import LoraConfig, get_peft_model

from tests.support.models import ScriptedModel
from tests.unit.sampling.conftest import PROMPTS
from weft.errors import SamplingError
from weft.sampling import generate

MASK = 9
SMALL = {"gen_length": 4, "block_length": 2, "diffusion_steps": 4, "mask_token_id": MASK}
SETTINGS = {
    "one token a step": {"diffusion_steps": 12},
    "two tokens a step": {"diffusion_steps": 6},
    "uneven shares": {"diffusion_steps": 9},
    "a block at once": {"diffusion_steps": 3},
    "more steps than tokens": {"diffusion_steps": 21},
    "one block": {"block_length": 12, "diffusion_steps": 5},
    "random": {"diffusion_steps": 6, "remasking": "random"},
    "random, uneven": {"diffusion_steps": 9, "remasking": "random"},
    "temperature": {"diffusion_steps": 6, "temperature": 0.7},
    "high temperature, random": {"diffusion_steps": 12, "temperature": 2.0, "remasking": "random"},
    "guidance": {"diffusion_steps": 6, "cfg_scale": 1.3},
    "guidance, temperature, random": {
        "diffusion_steps": 6,
        "cfg_scale": 0.5,
        "temperature": 1.0,
        "remasking": "random",
    },
}


def scripted(best, confidence):
    """A table in which position i predicts best[i], the surer the higher confidence[i]."""
    logits = torch.zeros(len(best), 10)
    logits[torch.arange(len(best)), torch.tensor(best)] = torch.tensor(confidence)
    return ScriptedModel(logits)


def settings_of(tokenizer, **change):
    return {"gen_length": 12, "block_length": 4, "mask_token_id": tokenizer.mask_token_id} | change


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("maker", ["model", "dream", "stuck_model", "certain_model"])
def test_tokens_equal_the_plain_loop_in_any_batch_and_order(request, tokenizer, judge, maker, name):
    predictor = request.getfixturevalue(maker)
    settings = settings_of(tokenizer, seed=3, **SETTINGS[name])
    expected = judge(predictor, PROMPTS, **settings)
    assert generate(predictor, PROMPTS, **settings) == expected
    assert generate(predictor, PROMPTS, batch_size=2, **settings) == expected
    assert generate(predictor, PROMPTS[::-1], batch_size=3, **settings) == expected[::-1]


@pytest.mark.parametrize("change", [{"diffusion_steps": 6}, {"diffusion_steps": 6, "cfg_scale": 1.0}])
@pytest.mark.parametrize("maker", ["model", "dream", "stuck_model"])
def test_masks_in_a_prompt_are_filled_in_as_the_plain_loop_does(request, tokenizer, judge, maker, change):
    predictor, mask = request.getfixturevalue(maker), tokenizer.mask_token_id
    prompts = [[11, mask, 13, 14], [14], [mask, 16, mask, 18, 19, 20], [31, 32, 33]]
    settings = settings_of(tokenizer, **change)
    assert generate(predictor, prompts, **settings) == judge(predictor, prompts, **settings)


@pytest.mark.parametrize("maker", ["model", "dream"])
def test_an_empty_prompt_is_answered(request, tokenizer, judge, maker):
    # Nothing but masks: all positions see the same, so that in fp32 rounding decides who is the surest.
    predictor = request.getfixturevalue(maker).double()
    settings = settings_of(tokenizer, diffusion_steps=6)
    prompts = [[], [11, 12], []]
    try:
        assert generate(predictor, prompts, **settings) == judge(predictor, prompts, **settings)
    finally:
        predictor.float()


def test_the_cases_include_positions_that_stay_masked(stuck_model, tokenizer):
    answers = generate(stuck_model, PROMPTS, **settings_of(tokenizer, diffusion_steps=6))
    assert sum(answer.count(tokenizer.mask_token_id) for answer in answers) > 3


def test_the_most_confident_positions_of_a_block_are_revealed_first():
    model = scripted([0, 1, 2, 3, 4], [0.0, 1.0, 5.0, 9.0, 2.0])
    assert generate(model, [[7]], **SMALL) == [[1, 2, 3, 4]]
    seen = [call[0, 1:].tolist() for call in model.calls]
    assert seen == [[MASK] * 4, [MASK, 2, MASK, MASK], [1, 2, MASK, MASK], [1, 2, 3, MASK]]


def test_equal_confidences_are_resolved_by_position():
    model = scripted([0, 1, 2], [0.0, 3.0, 3.0])
    generate(model, [[7]], **SMALL | {"gen_length": 2, "diffusion_steps": 2})
    assert model.calls[1][0].tolist() == [7, 1, MASK]


def test_a_position_that_predicts_the_mask_stays_masked():
    model = scripted([0, MASK, 2], [0.0, 9.0, 3.0])
    assert generate(model, [[7]], **SMALL | {"gen_length": 2, "diffusion_steps": 1}) == [[MASK, 2]]


@pytest.mark.parametrize("steps", [2, 7, 10**9])
def test_steps_that_reveal_nothing_do_not_call_the_model(steps):
    model = scripted([0, 1, 2], [0.0, 3.0, 3.0])
    generate(model, [[7]], **SMALL | {"gen_length": 2, "diffusion_steps": steps})
    assert len(model.calls) == 2


@pytest.mark.parametrize(
    "change", [SETTINGS["temperature"], SETTINGS["random"]], ids=["temperature", "random"]
)
def test_random_numbers_depend_on_seed_and_keys(model, tokenizer, change):
    settings = settings_of(tokenizer, **change)
    first = generate(model, PROMPTS, seed=1, **settings)
    assert generate(model, PROMPTS, seed=1, **settings) == first
    assert generate(model, PROMPTS, seed=2, **settings) != first
    same, other = generate(model, [PROMPTS[0]] * 2, seed=1, example_keys=[5, 6], **settings)
    assert same != other


def test_an_early_stop_is_exact_up_to_the_first_end_of_text(model, tokenizer):
    settings = settings_of(tokenizer, diffusion_steps=6)
    whole = generate(model, PROMPTS, **settings)
    end = Counter(itertools.chain(*whole)).most_common(1)[0][0]  # whatever the model says most often
    stopped = generate(model, PROMPTS, eos_token_id=end, early_stop=True, batch_size=2, **settings)
    assert stopped != whole
    for long, short in zip(whole, stopped, strict=True):
        length = long.index(end) + 1 if end in long else len(long)
        assert short[:length] == long[:length]


def test_attended_padding_is_a_longer_prompt(model, tokenizer, judge):
    settings = settings_of(tokenizer, diffusion_steps=6)
    answers = generate(model, PROMPTS, batch_size=2, attend_padding=True, eos_token_id=7, **settings)
    padded = [PROMPTS[0], [7, 7, *PROMPTS[1]], PROMPTS[2], [7, 7, 7, 7, *PROMPTS[3]], PROMPTS[4]]
    assert answers == judge(model, padded, **settings)
    assert answers != generate(model, PROMPTS, batch_size=2, **settings)


@pytest.mark.parametrize("change", [
    {"kv_cache": "prefix"},
    {"kv_cache": "dual"},
    {"confidence_threshold": 0.2},
    {"confidence_threshold": 0.2, "kv_cache": "prefix"},
    {"confidence_threshold": 0.2, "kv_cache": "dual", "temperature": 0.5},
], ids=str)  # fmt: skip
@pytest.mark.parametrize("maker", ["model", "dream", "stuck_model"])
def test_approximate_answers_do_not_depend_on_the_batch_either(request, tokenizer, maker, change):
    predictor = request.getfixturevalue(maker)
    settings = settings_of(tokenizer, diffusion_steps=6, **change)
    alone = [generate(predictor, [prompt], **settings)[0] for prompt in PROMPTS]
    assert generate(predictor, PROMPTS, **settings) == alone
    assert generate(predictor, PROMPTS[::-1], batch_size=2, **settings) == alone[::-1]


def cached_plainly(model, prompt, *, gen_length, block_length, diffusion_steps, mask_token_id, kv_cache):
    """Decode one prompt with whole canvases, putting old keys and values where a cache would keep them."""
    kept, is_new = {}, None

    def renew(name):
        def hook(module, args, output):
            if is_new is None:
                kept[name] = output
                return output
            return torch.where(is_new[:, None], output, kept[name])

        return hook

    hooks = [
        getattr(layer.self_attn, kind).register_forward_hook(renew((number, kind)))
        for number, layer in enumerate(model.model.layers)
        for kind in ("k_proj", "v_proj")
    ]
    canvas = torch.tensor([prompt + [mask_token_id] * gen_length])
    position = torch.arange(canvas.shape[1])
    per_step = gen_length // diffusion_steps
    try:
        for start in range(len(prompt), canvas.shape[1], block_length):
            end, is_new = start + block_length, None
            while mask_token_id in canvas[0, start:end]:
                with torch.no_grad():
                    logits = model(input_ids=canvas).logits[0]
                confidence, best = logits.softmax(dim=-1).max(dim=-1)
                is_open = (canvas[0] == mask_token_id) & (position >= start) & (position < end)
                chosen = confidence.masked_fill(~is_open, -1).argsort(descending=True, stable=True)[:per_step]
                canvas[0, chosen] = best[chosen]
                is_new = position >= start - model.logit_shift
                if kv_cache == "dual":
                    is_new &= position < end
    finally:
        for hook in hooks:
            hook.remove()
    return canvas[0, len(prompt) :].tolist()


@pytest.mark.parametrize("kv_cache", ["prefix", "dual"])
@pytest.mark.parametrize("maker", ["model", "dream"])
def test_a_cache_keeps_entries_outside_its_window(request, tokenizer, maker, kv_cache):
    predictor = request.getfixturevalue(maker)
    settings = settings_of(tokenizer, diffusion_steps=6, kv_cache=kv_cache)
    expected = [cached_plainly(predictor, prompt, **settings) for prompt in PROMPTS]
    assert generate(predictor, PROMPTS, **settings) == expected
    exact = generate(predictor, PROMPTS, **settings_of(tokenizer, diffusion_steps=6))
    assert exact != expected


@pytest.mark.parametrize("kv_cache", ["prefix", "dual"])
@pytest.mark.parametrize("maker", ["model", "dream"])
def test_rows_in_different_blocks_share_a_cache(request, tokenizer, maker, kv_cache):
    predictor = request.getfixturevalue(maker)
    plain = settings_of(tokenizer, diffusion_steps=6, kv_cache=kv_cache)
    whole = generate(predictor, PROMPTS, **plain)
    starts = Counter(itertools.chain(*(answer[:4] for answer in whole)))
    end = next(token for token, _ in starts.most_common() if any(token not in answer for answer in whole))
    settings = plain | {"eos_token_id": end, "early_stop": True}
    alone = [generate(predictor, [prompt], **settings)[0] for prompt in PROMPTS]
    assert alone != whole  # some rows do end early and make room
    assert generate(predictor, PROMPTS, batch_size=2, **settings) == alone
    assert generate(predictor, PROMPTS[::-1], batch_size=3, **settings) == alone[::-1]


@pytest.mark.parametrize("make", [torch.tensor, np.array, tuple], ids=["torch", "numpy", "tuple"])
def test_any_sequence_of_ids_is_a_prompt(model, tokenizer, make):
    settings = settings_of(tokenizer, diffusion_steps=6, temperature=0.7)
    assert generate(model, [make(p) for p in PROMPTS], **settings) == generate(model, PROMPTS, **settings)


@pytest.mark.parametrize("prompts", [[1, 2], ["ab"], [[1.5]], [None]], ids=str)
def test_invalid_prompt_types_are_refused(model, tokenizer, prompts):
    with pytest.raises(SamplingError, match="every prompt must be a list of token ids"):
        generate(model, prompts, **settings_of(tokenizer, diffusion_steps=6))


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning")  # PEFT's about our base model
@pytest.mark.parametrize("family", ["model", "dream"])
@pytest.mark.parametrize("task", [None, "CAUSAL_LM"])
def test_adapters_may_be_on_the_model(request, tokenizer, family, task):
    adapted = get_peft_model(
        copy.deepcopy(request.getfixturevalue(family)),
        LoraConfig(
            r=2, target_modules=["q_proj", "v_proj", "up_proj"], init_lora_weights=False, task_type=task
        ),
    ).eval()
    merged = copy.deepcopy(adapted).merge_and_unload().eval()
    for change in ({}, {"kv_cache": "dual"}, {"kv_cache": "prefix"}):
        settings = settings_of(tokenizer, diffusion_steps=6, **change)
        assert generate(adapted, PROMPTS, **settings) == generate(merged, PROMPTS, **settings)


def test_without_prompts_there_are_no_answers():
    model = ScriptedModel(torch.zeros(1, 10))
    assert generate(model, [], **SMALL) == []
    assert generate(model, [], attend_padding=True, eos_token_id=1, **SMALL) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"gen_length": 5}, "gen_length .* block_length=2, got 5"),
        ({"block_length": 8}, "gen_length .* block_length=8, got 4"),
        ({"diffusion_steps": 3}, "diffusion_steps .* 2, got 3"),
        ({"diffusion_steps": 10**30}, "diffusion_steps .* less than or equal to 1000000000"),
        ({"temperature": -0.5}, "temperature .* got -0.5"),
        ({"mask_token_id": None}, "mask_token_id .* got None"),
        ({"batch_size": 0}, "batch_size .* got 0"),
        ({"batch_size": 0, "attend_padding": True, "eos_token_id": 1}, "batch_size .* got 0"),
        ({"example_keys": [1, 2]}, "example_keys .* got 2 keys for 1 prompts"),
        ({"attend_padding": True}, "eos_token_id .* got None"),
        ({"attend_padding": "yes"}, "attend_padding must be True or False, got 'yes'"),
        ({"early_stop": "yes"}, "early_stop .* got 'yes'"),
        ({"gen_length": "4"}, "gen_length .* got '4'"),
        ({"gen_length": np.float64(4)}, "gen_length .* got 4.0"),
        ({"mask_token_id": "9"}, "mask_token_id .* got '9'"),
        ({"mask_token_id": -1}, "mask_token_id .* got -1"),
        ({"batch_size": "2"}, "batch_size must be a whole number, got '2'"),
        ({"batch_size": 2.0}, "batch_size must be a whole number, got 2.0"),
        ({"seed": "0"}, "seed must be a whole number, got '0'"),
        ({"seed": 0.5}, "seed must be a whole number, got 0.5"),
        ({"seed": True}, "seed must be a whole number, got True"),
        ({"seed": [1]}, r"seed must be a whole number, got \[1\]"),
        ({"seed": None, "temperature": 1.0}, "seed must be a whole number, got None"),
        ({"seed": "0", "remasking": "random"}, "seed must be a whole number, got '0'"),
        ({"example_keys": 5}, "example_keys must be a list of integers, got 5"),
        ({"example_keys": [1.5]}, "example_keys must be a whole number, got 1.5"),
        ({"steps": 4}, r"no argument 'steps' \(here it is diffusion_steps\)"),
        ({"mask_id": 9}, "no argument 'mask_id' .*mask_token_id"),
        ({"temprature": 0.0}, "no argument 'temprature' .*temperature"),
        ({"logits_eos_inf": True}, "no argument 'logits_eos_inf' .*there are model, prompts, gen_length"),
    ],
    ids=str,
)
@pytest.mark.usefixtures("without_type_checks")
def test_settings_that_do_not_fit_are_refused(change, message):
    with pytest.raises(SamplingError, match=message):
        generate(ScriptedModel(torch.zeros(5, 10)), [[1]], **SMALL | change)


def test_an_argument_that_is_missing_or_not_named_is_explained():
    model = ScriptedModel(torch.zeros(5, 10))
    with pytest.raises(SamplingError, match="missing: diffusion_steps"):
        generate(model, [[1]], gen_length=4, block_length=2, mask_token_id=MASK)
    with pytest.raises(SamplingError, match="only model and prompts by position, got 3 arguments"):
        generate(model, [[1]], None, **SMALL)


@pytest.mark.parametrize("prompts", [None, 5, torch.tensor(3)], ids=str)
@pytest.mark.usefixtures("without_type_checks")
def test_prompts_that_are_no_list_are_refused(model, tokenizer, prompts):
    with pytest.raises(SamplingError, match="prompts must be a list"):
        generate(model, prompts, **settings_of(tokenizer, diffusion_steps=6))


@pytest.mark.parametrize("make", [np.int64, np.int32, np.array, torch.tensor], ids=lambda make: make.__name__)
@pytest.mark.usefixtures("without_type_checks")
def test_numbers_of_numpy_and_torch_are_settings(model, tokenizer, make):
    settings = settings_of(tokenizer, diffusion_steps=6, batch_size=2, seed=3)
    numbers = {name: make(value) for name, value in settings.items()}
    wanted = generate(model, PROMPTS, temperature=0.5, **settings)
    assert generate(model, PROMPTS, temperature=np.float32(0.5), **numbers) == wanted


@pytest.mark.usefixtures("without_type_checks")
def test_a_seed_and_a_key_may_be_any_integer(model, tokenizer):
    settings = settings_of(tokenizer, diffusion_steps=6, temperature=1.0)
    answers = [generate(model, PROMPTS, seed=seed, **settings) for seed in (-1, 2**64 - 1, 10**30, 0)]
    assert answers[0] == answers[1]
    assert answers[0] != answers[2] != answers[3]
    keys = [[-1, 2, 3, 4, 5], [2**64 - 1, 2, 3, 4, 5], np.array([-1, 2, 3, 4, 5])]
    first, *others = [generate(model, PROMPTS, example_keys=given, **settings) for given in keys]
    assert others == [first, first]


def test_without_noise_no_seed_is_needed(model, tokenizer):
    settings = settings_of(tokenizer, diffusion_steps=6)
    assert generate(model, PROMPTS, seed=None, **settings) == generate(model, PROMPTS, **settings)


def test_tokens_equal_the_published_loop(shared_data):
    from weft.model import load_model

    folder = shared_data / "reference" / "llada_small"
    model = load_model(folder)
    for case in json.loads((folder / "d1_generate.json").read_text()):
        answers = generate(
            model,
            case["prompt"],
            gen_length=case["gen_length"],
            block_length=case["block_length"],
            diffusion_steps=case["steps"],
            cfg_scale=case["cfg_scale"],
            mask_token_id=model.config.mask_token_id,
        )
        assert answers == case["output"]


def test_the_documented_example_runs(tmp_path, monkeypatch, capsys):
    repository = Path(__file__).resolve().parents[3]
    code = re.search(r"```python\n(.*?)```", (repository / "docs/sampling.md").read_text(), re.DOTALL)[1]
    (tmp_path / "example.py").write_text(code)
    monkeypatch.chdir(repository)
    runpy.run_path(str(tmp_path / "example.py"))
    assert "<answer>" in capsys.readouterr().out
