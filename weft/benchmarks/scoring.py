"""Scoring of whole generation files: files in, score records out, and their summary.

    {"example_id": "…", "benchmark": "gsm8k", "rules": "d1", "extracted": "18.0", "verdict": "correct",
     "credit": 1.0, "weight": 1, "reason": "", "details": {"effective_length": 93, "has_end": true, …}}

Score records are JSON lines in the order of the files.  Where the generation says that sampling was
approximate, the field ``approximate`` says it too, as the last one.  Intervals and tests are left to
`weft.stats`.
"""

import contextlib
import json
import math
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from weft.benchmarks import Score, Verdict, find_scorer
from weft.benchmarks.endings import describe_ending
from weft.benchmarks.generations import Generation, read_generations
from weft.errors import ConfigError, ScoringError, ScoringSetupError, describe_error


def read_files(paths: Iterable[str | os.PathLike[str]], benchmark: str) -> list[Generation]:
    """Read generation files of one benchmark, one after the other.

    Raises:
        ScoringError: one of them cannot be read, see `read_generations`.
    """
    return [generation for path in paths for generation in read_generations(path, benchmark)]


def score_generations(
    generations: Iterable[Generation], *, scorer: Callable[..., Score], rules: str
) -> Iterator[dict[str, Any]]:
    """Score generations.

    Args:
        generations: of one benchmark.
        scorer: one of `weft.benchmarks.SCORERS`, or that of an own benchmark.
        rules: name of the set of rules, written into the records.

    Yields:
        The score records, in order.  A scorer that fails gives an unscorable record with the failure
        as its reason.

    Raises:
        ScoringSetupError: the machine lacks something that every verdict needs.
        ConfigError: an own benchmark's function is not what it should be.
    """
    for generation in generations:
        yield _make_record(generation, rules, _score_or_report(scorer, generation))


def score_file(
    paths: Iterable[str | os.PathLike[str]], *, benchmark: str, rules: str
) -> Iterator[dict[str, Any]]:
    """Score the generations of one or more files.

    Args:
        paths: generation files of one benchmark; all are read before the first example is scored.
        benchmark: a key of `weft.benchmarks.SCORERS`.
        rules: a key of the benchmark's entry.

    Returns:
        The score records, in file order, made as they are asked for.

    Raises:
        ScoringError: there is no such scorer, or a file cannot be read (at once).
    """
    scorer = find_scorer(benchmark, rules)
    return score_generations(read_files(paths, benchmark), scorer=scorer, rules=rules)


def require_harmless(out_path: str | os.PathLike[str], in_paths: Iterable[str | os.PathLike[str]]) -> None:
    """Check, before anything is scored, that writing the scores destroys nothing else.

    Raises:
        ScoringError: there is something else than a file, or one of the files that are read.
    """
    out_path = Path(out_path)
    try:
        if not out_path.resolve().exists():
            return
    except (OSError, RuntimeError) as error:  # a name that is too long, links in a circle
        raise ScoringError(
            f"{out_path}: scores cannot be written there ({error}); choose another path"
        ) from error
    if not out_path.is_file():
        raise ScoringError(f"{out_path}: scores cannot be written there (not a file); choose another path")
    same = [str(path) for path in in_paths if Path(path).exists() and out_path.samefile(path)]
    if same:
        raise ScoringError(
            f"{out_path}: scores must be written to another file than those that are read, got {same}; "
            "choose another path"
        )


def write_scores(records: Iterable[dict[str, Any]], out_path: str | os.PathLike[str]) -> None:
    """Write score records as JSON lines, whole or not at all.

    Args:
        records: what `score_file` gives.
        out_path: the file to write; its folder is made if need be.

    Raises:
        ScoringError: the file cannot be written; a file that was there before is left as it was, and
            so it is when making a record fails.
    """
    require_harmless(out_path, [])
    out_path = Path(out_path).resolve()
    part_path = out_path.with_name(f".{out_path.name}.{os.getpid()}.part")
    try:
        out_path.parent.mkdir(parents=True, exist_ok=True)
        with part_path.open("w", encoding="utf-8", newline="\n") as part:
            for record in records:
                part.write(json.dumps(record, ensure_ascii=True, allow_nan=False) + "\n")
            part.flush()
            os.fsync(part.fileno())
        part_path.replace(out_path)
    except OSError as error:
        raise ScoringError(
            f"{out_path}: scores cannot be written there ({error.strerror}); choose another path"
        ) from error
    finally:
        with contextlib.suppress(OSError):
            part_path.unlink(missing_ok=True)


def summarise(records: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Count verdicts and pool the accuracy.

    Args:
        records: what `score_file` gives.

    Returns:
        `n`, `num_correct` and `num_unscorable`, in examples, and `accuracy`, the share of units that
        are right, 0 to 1 (0 if there are no units).

    Source:
        dllm-reasoning/d1 @ 837888f, eval/parse_and_get_acc.py, aggregate_results, which gives percent.
    """
    records = list(records)
    num_units = sum(record["weight"] for record in records)
    num_right_units = math.fsum(record["credit"] * record["weight"] for record in records)
    return {
        "n": len(records),
        "num_correct": sum(record["verdict"] == Verdict.CORRECT for record in records),
        "num_unscorable": sum(record["verdict"] == Verdict.UNSCORABLE for record in records),
        "accuracy": num_right_units / num_units if num_units else 0.0,
    }


def describe_approximation(records: Iterable[dict[str, Any]]) -> str | None:
    """Say what made answers approximate, and how many of them if not all; None if nothing did.

    Args:
        records: what `score_file` gives.

    Returns:
        For example "dual cache; dual cache, threshold 0.9 (8 of 12 answers)", on one line.
    """
    records = list(records)
    kinds = [record["approximate"] for record in records if "approximate" in record]
    if not kinds:
        return None
    text = "; ".join(kind if kind.isprintable() else ascii(kind) for kind in dict.fromkeys(kinds))
    return text if len(kinds) == len(records) else f"{text} ({len(kinds)} of {len(records)} answers)"


def _score_or_report(scorer: Callable[..., Score], generation: Generation) -> Score:
    """Score a generation, or say how the scorer failed."""
    try:
        return scorer(generation.generation, question=generation.question, reference=generation.reference)
    except (ScoringSetupError, ConfigError):
        raise  # it would befall every example
    except (Exception, SystemExit) as error:
        return Score.unscorable(None, reason=describe_error(error))


def _make_record(generation: Generation, rules: str, score: Score) -> dict[str, Any]:
    """Make the score record of a generation."""
    approximate = generation.approximate
    return {
        "example_id": generation.example_id,
        "benchmark": generation.benchmark,
        "rules": rules,
        "extracted": score.extracted,
        "verdict": str(score.verdict),
        "credit": score.credit,
        "weight": score.weight,
        "reason": score.reason,
        "details": describe_ending(generation.generation, generation.gen_length) | dict(score.details),
    } | ({} if approximate is None else {"approximate": approximate})
