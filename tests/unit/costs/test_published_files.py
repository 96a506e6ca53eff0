import pytest

from weft.costs.published_files import find_published


@pytest.mark.parametrize("name", ["gsm8k/test.jsonl", "math500/test.jsonl", "d1_dataset/4x4_test_sudoku.csv"])
def test_the_sizes_of_files_at_hand(shared_data, name):
    known, path = find_published(name), shared_data / name
    assert known.megabytes == pytest.approx(path.stat().st_size / 1e6, abs=0.006)
    header = 1 if path.suffix == ".csv" else 0
    assert known.num_rows == len(path.read_text().splitlines()) - header


def test_a_file_has_the_numbers_of_its_folder():
    assert find_published("open-r1/OpenR1-Math-220k/data/train-00003-of-00010.parquet").num_rows == 9373
    assert find_published("simplescaling/s1K/data/train.parquet").num_rows == 1000
    assert find_published("simplescaling/s1K-1.1/data/train.parquet").megabytes == 46
    assert find_published("simplescaling/s1K-2") is None
