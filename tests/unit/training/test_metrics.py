import re
from pathlib import Path

import pytest
import torch

from tests.support.batches import MASK, batch, method, noisy_batch, random_model, uniforms
from weft.records import StepMetrics
from weft.training.metrics import METRICS, TRACKED, metric_means, tracked_values
from weft.training.probe import probe_uncertainty
from weft.verify.uniforms import GivenUniforms


def test_the_metrics_are_fields_of_the_training_history():
    assert set(METRICS) < set(StepMetrics.model_fields)


def test_metrics_of_a_step():
    noisy = noisy_batch(random_model(), method())
    metrics = metric_means(noisy.metric_sums)
    assert list(metrics) == list(METRICS)
    assert metrics["masked_share"] == pytest.approx(noisy.is_predicted.sum().item() / 7)
    assert metrics["mean_t"] == pytest.approx(uniforms().times.mean().item(), abs=2e-3)
    assert 0 < metrics["mean_uncertainty"] < 2.4
    without_probe = metric_means(noisy_batch(random_model(), method("sft")).metric_sums)
    assert without_probe["mean_uncertainty"] is without_probe["bounded_share"] is None


def test_the_mean_time_is_over_all_masks():
    class OtherTimes(GivenUniforms):
        def time(self, copy):
            return torch.tensor([0.2, 0.4]) + 0.4 * copy

    given = OtherTimes(torch.zeros(2), torch.rand(2, 5))
    metrics = metric_means(noisy_batch(random_model(), method("sft-2x"), given=given).metric_sums)
    assert metrics["mean_t"] == pytest.approx(0.5, abs=1e-3)


def test_rates_and_uncertainties_are_averaged_over_the_tokens_with_a_rate():
    first, second = (uniforms().times * (1 - 1e-3) + 1e-3).tolist()
    metrics = metric_means(noisy_batch(random_model(), method("sft")).metric_sums)
    assert metrics["mean_rate"] == pytest.approx((3 * first + second) / 4)
    entropy = probe_uncertainty(random_model(), batch(), method=method(), mask_token_id=MASK)
    metrics = metric_means(noisy_batch(random_model(), method()).metric_sums)
    assert metrics["mean_uncertainty"] == pytest.approx(entropy.sum().item() / 4)
    assert metrics["bounded_share"] == 0
    metrics = metric_means(
        noisy_batch(random_model(), method(min_token_masking_rate=1 - 2.0**-10)).metric_sums
    )
    assert metrics["bounded_share"] == 1


def test_the_page_lists_what_trackers_show_with_its_units():
    page = Path("docs/trackers.md").read_text("utf-8")
    rows = re.findall(r"^\| `([a-z_]+)` \| (.+?) \| (.+?) \|$", page, flags=re.MULTILINE)
    assert [row for row in rows if len(row) == 3][-len(TRACKED) :] == [
        (metric.name, metric.unit, metric.meaning) for metric in TRACKED
    ]


def test_trackers_show_all_metrics_of_the_training_history():
    names = {metric.name for metric in TRACKED}
    assert set(StepMetrics.model_fields) - {"optimizer_step"} < names


def test_undefined_values_are_not_shown():
    entry = {"loss": 2.0, "grad_norm": None, "seconds": 0.5, "step": 7}
    values = {"loss": 2.0, "seconds_per_step": 0.5, "tokens_per_second": 40.0}
    assert tracked_values(entry, tokens_per_step=20) == values
    assert tracked_values({"loss": 1}, tokens_per_step=20) == {"loss": 1.0}
