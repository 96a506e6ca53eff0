"""Typed records: everything that weft writes to a file and reads back.

========================  =====================================================================
`Question`                a test question of a benchmark
`Example`                 a training example as text
`LengthSummary`           lengths of a prepared data set
`Generation`              what a model answered to one question
`Score`, `ScoredExample`  the outcome of one answer; the same with the example it belongs to
`StepMetrics`             one optimiser step of a training run
`Timing`                  wall times of a training run
`Provenance`              where a result comes from, in a file beside it
`FileDigests`             digests of the files of a large result, so that jobs need not hash them again
========================  =====================================================================

All are frozen pydantic models, so that a field that is missing or has another type is found when the
file is read. `weft.records.files` reads, appends and writes them.
"""

from weft.records.base import JsonObject, Record
from weft.records.examples import Example, LengthSummary, Message, Question
from weft.records.generations import Generation
from weft.records.provenance import FileDigest, FileDigests, Provenance
from weft.records.scores import Score, ScoredExample, Verdict
from weft.records.training import StepMetrics, Timing

__all__ = [
    "Example",
    "FileDigest",
    "FileDigests",
    "Generation",
    "JsonObject",
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
]
