from weft.training.callbacks import HISTORY_FIELDS, history_rows, timing_summary

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
    assert [row["optimizer_step"] for row in rows] == [1, 2]
    assert all(set(row) == set(HISTORY_FIELDS) for row in rows)


def test_timing_is_the_median_step():
    summary = timing_summary(LOG, num_processes=2, device="cpu")
    assert (summary["seconds_per_step"], summary["num_steps"], summary["train_seconds"]) == (2.0, 2, 4.0)
