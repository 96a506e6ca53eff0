"""Read generation files, in the form of weft or of d1.

weft's form is JSON Lines with a `weft.records.Generation` on each line::

    {"example_id": "...", "benchmark": "gsm8k", "question": "...", "reference": 18.0, "generation": "..."}

d1's form is a single JSON object, written by eval/eval.py of dllm-reasoning/d1 @ 837888f::

    {"generations": [{"question": "...", "generations": "...", "ground_truth": 18.0}], "gen_length": 256}

Blank lines are skipped, and objects of either form may be indented over several lines, as jq writes them.
The whole file is checked before anything is scored.
"""

import hashlib
import json
import re
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from pydantic import ConfigDict, JsonValue

from weft.benchmarks import Scorer
from weft.benchmarks.references import find_problem
from weft.errors import ScoringError
from weft.records import Count, Generation, Record
from weft.records.files import numbered_lines, parse_json, parse_record, read_text, stream_lines
from weft.records.ids import stored_question_id

REMEDY = (
    "a generation file must be weft's JSON Lines or d1's JSON; if it is incomplete, run the sampling again, "
    "which resumes where it stopped, or fetch the file again"
)
IDS_AT_ONCE = 1 << 17
"""Number of ids among which a repeated one is looked for at a time, which limits the memory."""
_NOT_SPACE = re.compile(r"[^ \t\r\n]")
_LINE_END = re.compile(r"[ \t\r]*+(?:\n|\Z)")


class _D1Generation(Record):
    """A generation in d1's form."""

    model_config = ConfigDict(allow_inf_nan=True)

    question: str
    """Text of the question."""
    generations: str
    """Text of the answer, special tokens included."""
    ground_truth: JsonValue
    """The right answer."""


class _D1File(Record):
    """A file in d1's form."""

    generations: list[_D1Generation]
    """The answers, in file order."""
    gen_length: Count | None = None
    """Length of each canvas, in tokens."""
    diffusion_steps: Count | None = None
    """Denoising steps of each answer."""
    model_path: str | None = None
    """Name or path of the model."""


class GenerationFile:
    """The generations of a file, which is read again for each iteration.

    The constructor reads and checks the whole file. Of a file in weft's form with an object on each line, a
    single generation is in memory at a time. Other files, and pipes, which cannot be read twice, are kept in
    memory as a whole.

    Args:
        path: the file, in weft's form or in d1's.
        benchmark: name of the benchmark that the file must belong to; d1's form does not name it.
        scorer: scorer whose requirements the questions and references must meet; None checks no references.

    Raises:
        ScoringError: see `read_generations`.
    """

    def __init__(self, path: Path, benchmark: str, *, scorer: Scorer | None = None) -> None:
        self.path, self.benchmark = path, benchmark
        self._kept: list[Generation] | None = None
        checked = _check_generations(path, benchmark, scorer)
        if _has_object_per_line(path):
            self._count = sum(1 for _ in checked)
        else:
            self._kept = list(checked)
            self._count = len(self._kept)

    def __len__(self) -> int:
        """Return the number of generations."""
        return self._count

    def __iter__(self) -> Iterator[Generation]:
        """Yield the generations, in file order.

        Raises:
            ScoringError: the file has changed since it was checked.
        """
        if self._kept is not None:
            yield from self._kept
            return
        count = 0
        for count, (_, generation) in enumerate(_read(self.path, self.benchmark), start=1):  # noqa: B007
            yield generation
        if count != self._count:
            raise ScoringError(
                f"{self.path}: expected {self._count} generations as in the check before, got {count}; "
                "do not write to the file while it is scored"
            )


def read_generations(path: Path, benchmark: str, *, scorer: Scorer | None = None) -> list[Generation]:
    """Read a generation file, in file order.

    Args:
        path: the file, in weft's form or in d1's.
        benchmark: name of the benchmark that the file must belong to; d1's form does not name it.
        scorer: scorer whose requirements the questions and references must meet; None checks no references.

    Returns:
        At least one generation.

    Raises:
        ScoringError: the file cannot be read, is damaged, has another form, repeats an example, belongs
            to another benchmark or is empty, or a question or reference has another form.
    """
    return list(_check_generations(path, benchmark, scorer))


def _check_generations(path: Path, benchmark: str, scorer: Scorer | None) -> Iterator[Generation]:
    """Yield the generations of a file; all exceptions of `read_generations` are raised by the end."""
    is_empty = True
    for place, generation in _read(path, benchmark):
        is_empty = False
        if scorer is not None:
            _check_reference(scorer, generation, place)
        yield generation
    if is_empty:
        raise ScoringError(f"{path}: expected at least one generation, got none; run the sampling again")


def _read(path: Path, benchmark: str) -> Iterator[tuple[str, Generation]]:
    """Yield the place and the content of each generation of a file."""
    if _has_object_per_line(path):
        yield from _read_objects(lambda: _stream_pieces(path), benchmark)
        return
    text = read_text(path, error=ScoringError, remedy=REMEDY)
    pieces = [piece for piece in numbered_lines(path, text) if piece[1].strip()]
    if pieces and _parse(pieces[0][1]) is None:
        pieces = list(_split_objects(path, text))
    if pieces and _is_d1_form(_parse(pieces[0][1])):
        yield from _read_d1_form(text, benchmark, path)
    else:
        yield from _read_objects(lambda: pieces, benchmark)


def _has_object_per_line(path: Path) -> bool:
    """Return True if a file that can be read twice begins with an object of weft's form on a single line."""
    if not path.is_file():
        return False
    first = next((_parse(text) for _, text in _stream_pieces(path)), None)
    return first is not None and not _is_d1_form(first)


def _stream_pieces(path: Path) -> Iterator[tuple[str, str]]:
    """Yield the place and the text of each line of a file that is not blank."""
    lines = stream_lines(path, error=ScoringError, remedy=REMEDY)
    return ((place, text) for place, text in lines if text.strip())


def _is_d1_form(first: Any) -> bool:
    """Return True if the first JSON value of a file is an object in d1's form."""
    return isinstance(first, dict) and "generations" in first and "example_id" not in first


def _parse(text: str) -> Any:
    """Return the JSON value of a text; None if the text is damaged."""
    try:
        return parse_json(text, allow_nan=True)
    except (ValueError, RecursionError):
        return None


def _split_objects(path: Path, text: str) -> Iterator[tuple[str, str]]:
    """Yield the place, "FILE, line N", and the text of each object of a file with indented objects.

    A part that is no object, or that is not followed by the end of a line, is yielded with all that follows,
    behind as many line ends as are before it, so that a parser's message has the right line.
    """
    decoder = json.JSONDecoder()
    end, line = 0, 1
    while True:
        beginning = _NOT_SPACE.search(text, end)
        if beginning is None:
            return
        start = beginning.start()
        line += text.count("\n", end, start)
        try:
            _, end = decoder.raw_decode(text, start)
            is_whole = _LINE_END.match(text, end) is not None
        except (ValueError, RecursionError):
            is_whole = False
        if not is_whole:
            rest = "\n" * (line - 1) + text[start:]
            yield str(path) if "\n" in rest else f"{path}, line 1", rest
            return
        yield f"{path}, line {line}", text[start:end]
        line += text.count("\n", start, end)


def _check_reference(scorer: Scorer, generation: Generation, place: str) -> None:
    """Raise ScoringError if a scorer does not accept the question or the reference of a generation."""
    if generation.reference is None and generation.benchmark == "gsm8k":
        return  # d1 has no reference for questions with a negative answer
    problem = find_problem(scorer, question=generation.question, reference=generation.reference)
    if problem is not None:
        raise ScoringError(f"{place}: {problem}")


def _read_objects(
    pieces: Callable[[], Iterable[tuple[str, str]]], benchmark: str
) -> Iterator[tuple[str, Generation]]:
    """Yield the generations of a file in weft's form.

    Args:
        pieces: returns the place and the text of each object, each time anew.
        benchmark: name of the benchmark.

    Yields:
        The place and the content of each generation.
    """
    digests = array("Q")
    for place, text in pieces():
        generation = parse_record(
            text, Generation, place=place, error=ScoringError, remedy=REMEDY, allow_nan=True
        )
        if generation.benchmark != benchmark:
            raise ScoringError(
                f"{place}: benchmark: expected {benchmark!a}, got {generation.benchmark!a}; "
                "score the files of each benchmark separately"
            )
        digests.append(_short_digest(generation.example_id))
        yield place, generation
    repeated = find_repeated(digests)
    if repeated:
        _refuse_repeated_ids(pieces(), repeated)


def find_repeated(numbers: Sequence[int]) -> set[int]:
    """Return the numbers that occur more than once, in little memory."""
    repeated: set[int] = set()
    num_parts = len(numbers) // IDS_AT_ONCE + 1
    for part in range(num_parts):
        seen: set[int] = set()
        for number in numbers:
            if number % num_parts == part:
                (repeated if number in seen else seen).add(number)
    return repeated


def _short_digest(example_id: str) -> int:
    """Return 64 bits that depend on an id; ids of millions of answers would take much more memory."""
    content = example_id.encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(content, digest_size=8).digest())


def _refuse_repeated_ids(pieces: Iterable[tuple[str, str]], digests: set[int]) -> None:
    """Raise ScoringError for the first repeated id; only ids with the given digests can be repeated."""
    seen: set[str] = set()
    for place, text in pieces:
        example_id = parse_json(text, allow_nan=True)["example_id"]
        if example_id in seen:
            raise ScoringError(
                f"{place}: example_id: expected an id that the file has not used, got {example_id!a} again; "
                "remove one of the two"
            )
        if _short_digest(example_id) in digests:
            seen.add(example_id)


def _read_d1_form(text: str, benchmark: str, path: Path) -> Iterator[tuple[str, Generation]]:
    """Yield the generations of a file in d1's form; the place of a generation is its index."""
    file = parse_record(text, _D1File, place=str(path), error=ScoringError, remedy=REMEDY, allow_nan=True)
    for index, item in enumerate(file.generations):
        generation = Generation(
            example_id=stored_question_id(item.question),
            benchmark=benchmark,
            question=item.question,
            reference=item.ground_truth,
            generation=item.generations,
            gen_length=file.gen_length,
            diffusion_steps=file.diffusion_steps,
            num_forward=file.diffusion_steps,  # d1's sampler takes all steps for every answer
            model=file.model_path,
        )
        yield f"{path}: generations.{index}", generation
