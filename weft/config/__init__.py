"""Settings: experiment files and run settings, read into typed models and checked before a job starts."""

from weft.config.experiment import (
    BASE_RUN,
    CUSTOM_SCORING,
    PUBLISHED_RUN,
    Evaluation,
    Experiment,
    FineTuning,
    Run,
    Sampled,
    StoredGenerations,
    load_experiment,
)
from weft.config.methods import Method
from weft.config.settings import Settings, find_experiment, read_settings, resolve_settings

__all__ = [
    "BASE_RUN",
    "CUSTOM_SCORING",
    "PUBLISHED_RUN",
    "Evaluation",
    "Experiment",
    "FineTuning",
    "Method",
    "Run",
    "Sampled",
    "Settings",
    "StoredGenerations",
    "find_experiment",
    "load_experiment",
    "read_settings",
    "resolve_settings",
]
