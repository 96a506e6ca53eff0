"""Typed records: everything that weft writes to a file and reads back.

========================  =====================================================================
`Question`                a test question of a benchmark
`Example`                 a training example as text
`LengthSummary`           lengths of a prepared data set
`DataCheck`               comparison of a training set with the test questions
`Generation`              the answer of a model to a test question
`Score`, `ScoredExample`  the score of an answer; a line of a score file
`StepMetrics`             an optimiser step of a training run
`Timing`                  wall times of a training run
`CurvePoint`              the accuracy of a run on validation questions during training
`Provenance`              the origin of a result
`FileDigests`             digests of the files of a large result, so that jobs need not hash them again
`Verification`            the outcome of verifying all results of an experiment
========================  =====================================================================

All records are frozen pydantic models, so that a missing field or a wrong type is detected when the file
is read. `weft.records.files` reads, appends and writes them.
"""

from weft.records.base import Count, JsonObject, Record
from weft.records.checks import DataCheck
from weft.records.curves import CurvePoint
from weft.records.examples import Example, LengthSummary, Message, Question
from weft.records.generations import Generation
from weft.records.provenance import FileDigest, FileDigests, Provenance
from weft.records.scores import TIMED_OUT, Score, ScoredExample, Verdict
from weft.records.training import JobTime, StepMetrics, Timing
from weft.records.verification import Finding, KindSummary, Verification

__all__ = [
    "TIMED_OUT",
    "Count",
    "CurvePoint",
    "DataCheck",
    "Example",
    "FileDigest",
    "FileDigests",
    "Finding",
    "Generation",
    "JobTime",
    "JsonObject",
    "KindSummary",
    "LengthSummary",
    "Message",
    "Provenance",
    "Question",
    "Record",
    "Score",
    "ScoredExample",
    "StepMetrics",
    "Timing",
    "Verdict",
    "Verification",
]
