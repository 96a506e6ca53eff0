import pytest

from tests.support.batches import method, noisy_batch, random_model, uniforms
from weft.records import StepMetrics
from weft.training.metrics import METRICS, metric_means


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
