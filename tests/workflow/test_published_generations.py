import csv
import json
import zipfile
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]


def test_d1_baselines_print_the_published_accuracies(snakemake, tmp_path, shared_data):
    expected = json.loads((shared_data / "d1_baselines" / "expected_scores.json").read_text())["totals"]
    experiment = REPOSITORY / "experiments" / "d1-baselines.yaml"
    settings = f"experiment={experiment}", f"offline={shared_data}"
    result = snakemake("--config", *settings)
    assert result.returncode == 0, result.stderr
    with (tmp_path / "results/d1-baselines/tables/scores.csv").open() as file:
        both = list(csv.DictReader(file))
    rows, strict = (
        {f"{row['benchmark']}_{row['gen_length']}": row for row in both if row["rules"] == rules}
        for rules in ("d1", "strict")
    )
    assert strict.keys() == expected.keys()
    assert rows.keys() == expected.keys()
    for cell, total in expected.items():
        assert float(rows[cell]["accuracy"]) * 100 == pytest.approx(total["accuracy"], abs=1e-4), cell
        assert int(rows[cell]["n"]) == total["examples"]
    assert f"{expected['gsm8k_512']['accuracy']:.1f}" in result.stdout  # the headline table is printed
    page = tmp_path / "results/d1-baselines/report/index.html"
    assert page.exists()
    archive = tmp_path / "report.zip"
    result = snakemake("--report", archive, "--config", *settings)
    assert result.returncode == 0, result.stderr
    with zipfile.ZipFile(archive) as content:
        contents = {Path(name).name: content.read(name) for name in content.namelist()}
    assert contents["index.html"] == page.read_bytes()
    assert {"report.html", "accuracy.png", "headline.csv", "scores.csv"} < contents.keys()
