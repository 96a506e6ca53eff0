"""Accuracy during fine-tuning."""

from weft.records.base import Count, Record


class CurvePoint(Record):
    """The accuracy of a run on the validation questions of a benchmark after some optimiser steps."""

    benchmark: str
    """Name of the benchmark."""
    gen_length: Count
    """Length of the answers, in tokens."""
    optimizer_step: Count
    """Number of optimiser steps; 0 for the base model."""
    accuracy: float
    """Accuracy by the experiment's first scoring rules, between 0 and 1."""
    num_questions: Count
    """Number of validation questions."""
