import gzip
import json

import pandas as pd

from weft.records.files import write_compressed_lines
from weft.report.answer_rows import list_rows
from weft.report.results import load_results


def test_a_row_for_each_run_length_and_question(describe, write, read_answers, tmp_path):
    experiment = describe(scoring=["d1", "strict"])
    layout = write(experiment, tmp_path)
    results = load_results(experiment, layout)
    rows = list(list_rows(experiment, results, read_answers(layout)))
    assert len(rows) == 7 * 2 * 24
    row = next(row for row in rows if (row["run"], row["benchmark"]) == ("weft-worked-seed2", "gsm8k"))
    scores = {file.scoring: file.scores[0] for file in results.scores
              if (file.run.run_id, file.benchmark) == ("weft-worked-seed2", "gsm8k")}  # fmt: skip
    assert row == {
        "run": "weft-worked-seed2", "method": "weft", "dataset": "worked", "seed": 2, "benchmark": "gsm8k",
        "gen_length": 48, "example_id": "q0", "question": "Q0", "reference": "7",
        "verdict_d1": scores["d1"].verdict, "credit_d1": scores["d1"].credit,
        "extracted_d1": "7", "reason_d1": "",
        "verdict_strict": scores["strict"].verdict, "credit_strict": scores["strict"].credit,
        "extracted_strict": "7", "reason_strict": "", "answer": "G0",
    }  # fmt: skip


def test_the_file_can_be_read_and_has_the_same_bytes(experiment, results, tmp_path):
    rows = [*list_rows(experiment, results, lambda file: None), {"answer": "\ud800</script>\x00"}]
    first, second = tmp_path / "a.jsonl.gz", tmp_path / "b.jsonl.gz"
    for path in (first, second):
        write_compressed_lines(path, rows)
    assert first.read_bytes() == second.read_bytes()
    assert first.read_bytes()[3:8] == bytes(5), "the header holds neither a name nor a time"
    with gzip.open(first, "rt", encoding="ascii") as file:
        lines = [json.loads(line) for line in file]
    assert lines[-1] == rows[-1]
    assert lines[0]["answer"] is None
    assert (lines[0]["run"], lines[0]["verdict_d1"]) == ("base", results.scores[0].scores[0].verdict)
    write_compressed_lines(first, rows[:-1])
    frame = pd.read_json(first, lines=True)
    assert len(frame) == 7 * 2 * 24
    assert frame["verdict_d1"].eq("correct").sum() == sum(
        score.verdict == "correct" for file in results.scores for score in file.scores
    )
