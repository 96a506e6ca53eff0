"""Files of a split: configurations of a README.md, names of files, and what is refused."""

import pytest
import yaml

from weft.data.folders import find_files, list_names
from weft.errors import DataError


def card(*configs):
    block = yaml.safe_dump({"license": "mit", "configs": list(configs)})
    return f"---\n{block}---\n# A data set\n"


MAIN = {"config_name": "main", "data_files": [{"split": "train", "path": "main/train-*"},
                                              {"split": "test", "path": "main/test-*"}]}  # fmt: skip
SOCRATIC = {"config_name": "socratic", "data_files": "socratic/*.json"}
GSM8K = [
    "main/train-0.parquet",
    "main/train-1.parquet",
    "main/test-0.parquet",
    "socratic/a.json",
    "README.md",
]


@pytest.mark.parametrize(
    ("names", "text", "options", "found"),
    [
        (["MetaMathQA-395K.json", "README.md"], "", {}, ["MetaMathQA-395K.json"]),
        (["data/train-00001.parquet", "data/train-00000.parquet", "data/test-0.parquet"], "", {},
         ["data/train-00000.parquet", "data/train-00001.parquet"]),
        (["train.jsonl.gz", "test.jsonl.gz"], "", {"split": "test"}, ["test.jsonl.gz"]),
        (["train.csv", "images/train.zip", "train.py", "../train.csv", "/train.csv"], "", {}, ["train.csv"]),
        (GSM8K, card(MAIN, SOCRATIC), {"config": "main"}, ["main/train-0.parquet", "main/train-1.parquet"]),
        (GSM8K, card(MAIN, SOCRATIC), {"config": "main", "split": "test"}, ["main/test-0.parquet"]),
        (GSM8K, card(MAIN, SOCRATIC), {"config": "socratic"}, ["socratic/a.json"]),
        (GSM8K, card(MAIN, SOCRATIC | {"default": True}), {}, ["socratic/a.json"]),
        (GSM8K, card(SOCRATIC), {}, ["socratic/a.json"]),
        (["train.jsonl", "dataset_infos.json"], "", {}, ["train.jsonl"]),
        (["a.json"], "No block\n---\nconfigs: 3\n", {}, ["a.json"]),
    ],
)  # fmt: skip
def test_the_files_of_a_split_are_found(names, text, options, found):
    assert find_files(names, text, place="owner/set", **options) == found


@pytest.mark.parametrize(
    ("names", "text", "options", "message"),
    [
        (GSM8K, card(MAIN, SOCRATIC), {}, r"config must be one of \['main', 'socratic'\], got none"),
        (GSM8K, card(MAIN), {"config": "mian"}, r"config must be one of \['main'\], got mian"),
        (["a.json"], "", {"config": "main"}, "config must be left out"),
        (GSM8K, card(MAIN), {"split": "dev"}, r"split must be one of \['test', 'train'\], got dev"),
        (["gsm8k.py", "README.md"], "", {}, "a script, which is not run; .*refs/convert/parquet"),
        (["gsm8k.py", "dataset_infos.json"], "", {}, "got 0 and a script, which is not run"),
        (["train.zip", "x.arrow"], "", {}, "got 0 among train.zip, x.arrow; name the files"),
        ([], "", {}, "got 0 in an empty folder"),
        (["a.json"], card(SOCRATIC), {}, "in a layout of the library datasets, got .*name the files"),
        (["a.json"], card({"config_name": "a", "data_files": "https://x.example/a.json"}), {}, "https"),
        (["a.json"], card({"config_name": "a", "data_files": "../../etc/*"}), {}, r"got '../../etc/\*'"),
        (["a.json"], card({"config_name": "a", "data_dir": "/etc"}), {}, "got '/etc'"),
        (["a.json"], "---\n: : [\n---\n", {}, "expected YAML at the beginning of README.md"),
    ],
)
def test_what_is_not_there_or_lies_elsewhere_is_refused(names, text, options, message):
    with pytest.raises(DataError, match=rf"owner/set: .*{message}"):
        find_files(names, text, place="owner/set", **options)


def test_references_to_the_same_list_are_refused():
    lists = "".join(f"    - &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 60))
    text = f"---\nconfigs:\n- config_name: a\n  data_files:\n    - &a0 [x]\n{lists}---\n"
    with pytest.raises(DataError, match="must not refer to the same YAML list twice"):
        find_files(["a.json"], text, place="owner/set")


def test_hidden_files_are_not_listed(tmp_path):
    for name in ("b/a.json", "a.json", ".git/a.json", ".hidden"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert list_names(tmp_path) == ["a.json", "b/a.json"]
