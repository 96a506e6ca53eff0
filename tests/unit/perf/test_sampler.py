import pytest

from perf import sampler
from perf.sampler import Setup, run_sides
from weft.errors import SamplingError
from weft.verify.network import Shape

SETUP = Setup(
    shape=Shape(width=32, num_layers=1, vocab_size=64),
    prompt_lengths=(4, 6),
    batch_size=2,
    gen_length=64,
    tokens_per_step=16,
)


def test_both_sides_make_the_same_tokens_and_are_counted():
    sides = run_sides(SETUP.model(), {"plain": SETUP.plainly, "ours": SETUP.ours}, rounds=1)
    plain, ours = sides["plain"], sides["ours"]
    assert plain.answers == ours.answers
    assert (plain.num_passes, plain.num_positions) == (2 * 4, 2 * 4 * 70)
    assert ours.num_passes == plain.num_passes


def test_a_sampler_that_makes_other_tokens_stops_the_measurement(monkeypatch):
    honest = sampler.generate

    def forged(*arguments, **settings):
        answers = honest(*arguments, **settings)
        answers[1][3] += 1
        return answers

    monkeypatch.setattr(sampler, "generate", forged)
    with pytest.raises(SamplingError, match=r"title: .* answer 1 has .* at token 3"):
        sampler._exact_line("title", SETUP)


def test_a_line_contains_ratios_of_time_passes_and_memory():
    line = sampler._exact_line("title", SETUP)
    assert line.startswith("  title, 16 a step ")
    assert "passes 1.00" in line
    memory = float(line.rpartition("peak memory ")[2])
    assert 0 < memory < 1


@pytest.mark.slow
def test_the_whole_comparison_runs_on_a_very_small_network():
    lines = list(sampler.bench_sampler(threads=1, device="cpu", quick=True))
    assert sum("time" in line for line in lines) >= 12
    assert any(line.startswith("APPROXIMATE") for line in lines)
