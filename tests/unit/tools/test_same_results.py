import pytest

from tools.same_results import compare_folders


@pytest.fixture
def results(tmp_path):
    for side in ("base", "current"):
        for name, text in {
            "tables/headline.csv": "method,accuracy\nsft,0.5\n",
            "tables/costs.csv": f"method,ratio\nsft,{len(side)}\n",
            "runs/sft/history.jsonl": '{"loss": 0.5}\n',
            "samples/sft/gsm8k/32.jsonl": '{"example_id": "a", "generation": "4"}\n',
            "scores/d1/sft/gsm8k/32.jsonl": '{"example_id": "a", "verdict": "wrong"}\n',
        }.items():
            file = tmp_path / side / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
    return tmp_path / "base", tmp_path / "current"


def differing(results):
    return {comparison.name for comparison in compare_folders(*results) if comparison.differences}


def test_equal_results_are_the_same(results):
    assert len(list(compare_folders(*results))) == 4
    assert not differing(results)


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("tables/headline.csv", "0.5", "0.6"),
        ("runs/sft/history.jsonl", "0.5", "0.6"),
        ("samples/sft/gsm8k/32.jsonl", "4", "5"),
        ("scores/d1/sft/gsm8k/32.jsonl", "wrong", "correct"),
    ],
)
def test_a_difference_in_any_file_is_found(results, name, old, new):
    file = results[1] / name
    file.write_text(file.read_text().replace(old, new))
    assert differing(results) == {name}
    file.unlink()
    assert differing(results) == {name}
