"""The page of ``weft verify-gpu`` in Markdown, which can be posted as it is."""

from collections.abc import Iterable, Iterator

from weft.verify.records import Measurement, PartResult, VerifyReport

TITLES = {
    "parity": "Parity: logits, losses and tokens",
    "step": "Training steps",
    "sample": "Sampling against the plain published loop",
}


def write_page(report: VerifyReport) -> str:
    """Return the page.

    Args:
        report: the joined results.

    Returns:
        Markdown: the machine; for each part a table of the checks and goals with their verdicts, and a table
        of the other measurements with a row for each subject, where the plan's values are in parentheses.
    """
    return "\n".join([*_head(report), *(line for part in report.parts for line in _part(part))]) + "\n"


def format_measurement(item: Measurement) -> str:
    """Return a measurement with what it is compared with, in one line of text."""
    notes = [f"{item.name}: {_value(item)}"]
    if item.verdict:
        notes.append(f"{_bound(item)}: {item.verdict}")
    if item.planned is not None:
        notes.append(f"plan {_planned(item)}")
    return "; ".join(notes)


def _head(report: VerifyReport) -> Iterator[str]:
    machine = report.machine
    memory = "" if machine.memory_gib is None else f", {machine.memory_gib:.1f} GiB"
    driver = f"CUDA {machine.driver}, " if machine.driver else ""
    yield f"# weft {report.weft} on {machine.num_devices} x {machine.device}{memory}"
    yield ""
    versions = ", ".join(f"{name} {version}" for name, version in machine.versions.items())
    yield f"Size `{report.size}`, weights: {report.weights}. {driver}{versions}."
    yield f"A large matrix product runs at {_number(machine.matrix_tflops)} TFLOP/s."
    failures = [name for part in report.parts for name in part.failures]
    yield f"Failed checks: {'; '.join(failures) if failures else 'none'}."


def _part(part: PartResult) -> Iterator[str]:
    yield from ("", f"## {TITLES[part.part]}", "", f"{part.subject}; {part.seconds:.0f} s.")
    if compared := [item for item in part.measurements if item.verdict]:
        yield from ("", *_table(["what", "measured", "limit or goal", "verdict"], map(_compared, compared)))
    if others := [item for item in part.measurements if not item.verdict]:
        quantities = list(dict.fromkeys(f"{item.quantity}, {item.unit}" for item in others))
        cells = {(item.subject, f"{item.quantity}, {item.unit}"): _cell(item) for item in others}
        subjects = dict.fromkeys(item.subject for item in others)
        rows = [[subject, *(cells.get((subject, name), "") for name in quantities)] for subject in subjects]
        yield from ("", *_table(["what", *quantities], rows))
    if part.skipped:
        yield from ("", "Not measured:", "", *(f"- {item.what}: {item.why}" for item in part.skipped))


def _table(header: list[str], rows: Iterable[list[str]]) -> Iterator[str]:
    for cells in (header, ["---"] * len(header), *rows):
        yield f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"


def _compared(item: Measurement) -> list[str]:
    return [item.name, _value(item), _bound(item), item.verdict]


def _cell(item: Measurement) -> str:
    return _number(item.value) + (f" ({_planned(item)})" if item.planned else "")


def _value(item: Measurement) -> str:
    return _number(item.value) + (f" {item.unit}" if item.unit != "1" else "")


def _number(value: float) -> str:
    """Return a number in full if it is whole or at least 100, else with three significant digits."""
    return f"{value:.0f}" if value == round(value) or abs(value) >= 100 else f"{value:.3g}"


def _bound(item: Measurement) -> str:
    if item.limit is not None:
        return f"limit {_number(item.limit)}"
    return "" if item.goal is None else f"goal {_number(item.goal)}"


def _planned(item: Measurement) -> str:
    if item.planned is None:
        return ""
    low, high = map(_number, item.planned)
    return low if low == high else f"{low} to {high}"
