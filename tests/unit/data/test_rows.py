import pytest

from weft.data.rows import read_rows, take_text
from weft.errors import DataError


@pytest.mark.parametrize("name", ["x.parquet", "x.csv", "x.jsonl"])
def test_a_file_in_another_format_is_refused(tmp_path, name):
    (tmp_path / name).write_text('a,b\n1,"2')
    with pytest.raises(DataError, match=f"{name}.* fetch it again"):
        read_rows(tmp_path / name)


def test_values_of_a_csv_file_keep_their_leading_zeros(tmp_path):
    (tmp_path / "x.csv").write_text("a,b\n0012,\n")
    assert read_rows(tmp_path / "x.csv") == [{"a": "0012", "b": ""}]


def test_the_first_text_of_a_list_is_taken():
    assert take_text({"a": ["x", "y"]}, "a") == "x"
    with pytest.raises(ValueError, match=r"'a' .*None.*\['b'\]"):
        take_text({"b": "x"}, "a")


def test_a_row_with_more_values_than_columns_is_described(tmp_path):
    (tmp_path / "x.csv").write_text("a,b\n,1,2\n")
    with pytest.raises(ValueError, match=r"'a' .*None"):
        take_text(read_rows(tmp_path / "x.csv")[0], "a")
