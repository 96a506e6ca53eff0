from weft.records.files import read_json, write_json
from weft.verify.page import format_measurement, write_page
from weft.verify.records import Machine, Measurement, PartResult, Skipped, VerifyReport

MACHINE = Machine(
    device="A GPU",
    num_devices=2,
    memory_gib=79.2,
    matrix_tflops=612.4,
    driver="13.0",
    versions={"python": "3.12.3"},
)
ITEMS = [
    Measurement(subject="x", quantity="time", value=0.5, unit="s", planned=(0.4, 0.6)),
    Measurement(subject="x", quantity="speed", value=1234.5, unit="tokens/s"),
    Measurement(subject="y", quantity="time", value=0.123456, unit="s"),
    Measurement(subject="y", quantity="time / x", value=0.8, unit="ratio", goal=0.75),
    Measurement(subject="z", quantity="difference", value=2e-3, unit="1", limit=1e-3),
]


def report(*parts):
    return VerifyReport(weft="1.0", size="8b", weights="random", machine=MACHINE, parts=list(parts))


def part(name="step", measurements=ITEMS, skipped=()):
    return PartResult(
        part=name, subject="a network", seconds=12.4, measurements=measurements, skipped=list(skipped)
    )


def test_the_page_shows_verdicts_and_planned_values_beside_the_measured_ones():
    page = write_page(report(part(skipped=[Skipped(what="ZeRO", why="deepspeed not installed")])))
    assert "# weft 1.0 on 2 x A GPU, 79.2 GiB" in page
    assert "Failed checks: z: difference." in page
    assert "| y: time / x | 0.8 ratio | goal 0.75 | not reached |" in page
    assert "| z: difference | 0.002 | limit 0.001 | FAILED |" in page
    assert (
        "| what | time, s | speed, tokens/s |\n| --- | --- | --- |\n| x | 0.5 (0.4 to 0.6) | 1234 |" in page
    )
    assert "| y | 0.123 |  |" in page
    assert "- ZeRO: deepspeed not installed" in page


def test_a_measurement_is_a_line_of_text():
    assert format_measurement(ITEMS[0]) == "x: time: 0.5 s; plan 0.4 to 0.6"
    assert format_measurement(ITEMS[3]) == "y: time / x: 0.8 ratio; goal 0.75: not reached"


def test_a_later_result_of_a_part_takes_the_place_of_the_earlier_one():
    first, second = part("sample"), part("parity", ITEMS[:1])
    joined = report().with_part(first).with_part(second).with_part(part("sample", ITEMS[:2]))
    assert [(item.part, len(item.measurements)) for item in joined.parts] == [("parity", 1), ("sample", 2)]


def test_a_report_is_read_back_as_it_was_written(tmp_path):
    written = report(part(skipped=[Skipped(what="ZeRO", why="deepspeed not installed")]))
    write_json(tmp_path / "report.json", written)
    assert read_json(tmp_path / "report.json", VerifyReport) == written
