from pathlib import Path

import pytest

from perf import trained
from perf.trained import EXACT, bench_trained, describe_change, require_suitable
from weft.benchmarks import Score
from weft.config import find_experiment, load_experiment
from weft.errors import CheckpointError, ConfigError, SamplingError


def scores(*credits_):
    return {"gsm8k": [Score.from_credit(None, float(credit)) for credit in credits_]}


def test_a_change_of_accuracy_is_described_with_its_interval():
    assert describe_change(scores(1, 0, 1, 0), scores(1, 0, 1, 0)).startswith("50.0 (+0.0, -")
    assert describe_change(scores(1, 1, 1, 0), scores(1, 0, 1, 0)).startswith("75.0 (+25.0, -")


TINY = load_experiment(find_experiment("tiny"))
SHIPPED = Path(TINY.base_model.shipped)


def bench(num_examples):
    return list(bench_trained(TINY, SHIPPED, threads=1, device="cpu", num_examples=num_examples))


@pytest.fixture(scope="module")
def lines():
    return bench(2)


def test_exact_answers_of_a_trained_network_are_the_plain_loop_s(lines):
    assert "8 of 8 exact answers equal the plain loop's" in lines[0]
    exact = [line for line in lines if line.startswith("  exact")]
    assert len(exact) == 2
    assert all("equal answers 100 %, equal tokens 100.0 %" in line for line in exact)


def test_every_approximate_way_is_compared(lines):
    assert sum("cache" in line or "threshold" in line for line in lines) == 5


def test_approximate_modes_are_labelled(lines):
    label = lines.index("  APPROXIMATE:")
    assert all(line.startswith("  exact") for line in lines[2:label])
    assert len(lines[2:label]) == len(EXACT)
    assert len(lines[label + 1 :]) == 5
    assert all(line.startswith("    ") for line in lines[label + 1 :])


@pytest.mark.parametrize("name", list(EXACT))
def test_a_sampler_that_makes_other_tokens_stops_the_measurement(monkeypatch, name):
    honest = trained.generate

    def forged(*arguments, **settings):
        answers = honest(*arguments, **settings)
        if not settings.keys() & {"kv_cache", "confidence_threshold"}:
            answers[1][0] += settings.get("early_stop", False) == ("early_stop" in EXACT[name])
        return answers

    monkeypatch.setattr(trained, "generate", forged)
    with pytest.raises(SamplingError, match=rf"trained network, {name}: .* answer 1 has .* at token 0 "):
        bench(1)


def test_early_stop_is_compared_only_up_to_the_end():
    ours, plain = [[5, 9, 9, 9]], [[5, 9, 7, 8]]
    trained._require_exact("exact, early stop", ours, plain, eos=9)
    with pytest.raises(SamplingError, match="trained network, exact: "):
        trained._require_exact("exact", ours, plain, eos=9)


@pytest.mark.parametrize(
    "change",
    [
        {"confidence_threshold": 0.9, "tokens_per_step": None},
        {"temperature": 0.5, "seed": 1},
        {"remasking": "random", "seed": 1},
        {"cfg_scale": 0.5},
        {"attend_padding": True},
    ],
    ids=lambda change: next(iter(change)),
)
def test_sampling_that_the_plain_loop_does_not_do_is_refused(change):
    experiment = TINY.model_copy(update={"sampling": TINY.sampling.model_copy(update=change)})
    name, value = next(iter(change.items()))
    with pytest.raises(ConfigError, match=rf"'tiny' must reveal .* got sampling.{name}: {value};"):
        require_suitable(experiment, SHIPPED)


def test_questions_must_be_generated_and_the_network_there(tmp_path):
    with pytest.raises(ConfigError, match="a benchmark with source: generated"):
        require_suitable(TINY.model_copy(update={"benchmarks": {"own": None}}), SHIPPED)
    with pytest.raises(CheckpointError):
        require_suitable(TINY, tmp_path)
    cached = TINY.sampling.model_copy(update={"kv_cache": "dual"})
    require_suitable(TINY.model_copy(update={"sampling": cached}), SHIPPED)
