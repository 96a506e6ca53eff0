from weft.records import StepMetrics
from weft.training.callbacks import history_rows, timing_summary

LOG = [
    {
        "step": 1,
        "epoch": 0.5,
        "loss": 2.0,
        "grad_norm": 1.0,
        "learning_rate": 0.1,
        "seconds": 3.0,
        "mean_t": 0.4,
    },
    {
        "step": 2,
        "epoch": 1.0,
        "loss": 1.0,
        "grad_norm": 1.0,
        "learning_rate": 0.05,
        "seconds": 1.0,
        "mean_t": 0.6,
    },
    {"step": 2, "train_runtime": 4.0},
]


def test_history_holds_no_wall_times():
    rows = history_rows(LOG)
    assert [row.optimizer_step for row in rows] == [1, 2]
    assert all(list(row.as_object()) == list(StepMetrics.model_fields) for row in rows)


def test_timing_is_the_median_step():
    summary = timing_summary(LOG, num_processes=2, device="cpu", setup_seconds=5.0)
    assert summary.as_object() == {
        "seconds_per_step": 2.0,
        "num_steps": 2,
        "train_seconds": 4.0,
        "num_processes": 2,
        "device": "cpu",
        "setup_seconds": 5.0,
    }
