import shutil
from collections import namedtuple

import pytest

from tests.support.hub import NEXT_COMMIT, Hub, point_client, serve
from weft.config import load_experiment
from weft.data.sizes import Download, describe_downloads, list_downloads
from weft.errors import DataError

Usage = namedtuple("Usage", ["total", "used", "free"])
GB = 10**9


@pytest.fixture
def online(tmp_path, monkeypatch):
    hub = Hub()
    hub.put("GSAI-ML/LLaDA-8B-Instruct", "model.safetensors", b"x" * 3000)
    hub.put("GSAI-ML/LLaDA-8B-Instruct", "config.json", b"x" * 200)
    hub.put("GSAI-ML/LLaDA-8B-Instruct", "modeling_llada.py", b"x" * 10_000)
    with serve(hub) as address:
        point_client(monkeypatch, address, tmp_path / "cache")
        yield hub


def test_sizes_of_the_paper(online, tmp_path):
    experiment = load_experiment("experiments/paper.yaml")
    (files,) = online.files.values()
    files[experiment.base_model.revision] = files.popitem()[1]
    downloads = {download.name: download.size for download in list_downloads(experiment, offline=[])}
    assert downloads["GSAI-ML/LLaDA-8B-Instruct"] == 3200  # what is used, and no code
    assert downloads["d1_code/eval/gsm8k.py"] is not None  # from the table of known files
    assert downloads["simplescaling/s1K/data/train-00000-of-00001.parquet"] is None  # not on this hub
    (tmp_path / "offline/GSAI-ML/LLaDA-8B-Instruct").mkdir(parents=True)
    rest = list_downloads(experiment, offline=[str(tmp_path / "offline")])
    assert downloads.keys() - {download.name for download in rest} == {"GSAI-ML/LLaDA-8B-Instruct"}


def test_nothing_is_known_without_the_hub(online):
    online.branches["GSAI-ML/LLaDA-8B-Instruct"] = NEXT_COMMIT
    experiment = load_experiment("experiments/paper.yaml")
    assert list_downloads(experiment, offline=[])[0] == Download("GSAI-ML/LLaDA-8B-Instruct", None)


def test_the_line_and_the_room(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(100 * GB, 80 * GB, 20 * GB))
    downloads = [Download("a/model", 16 * GB), Download("a/set", 40_000_000), Download("text.py", None)]
    line = describe_downloads(downloads, [tmp_path / "new/folder"])
    assert line == (
        "to download: 3 files and repositories, 16.0 GB and 1 of unknown size; free: 20.0 GB in "
        f"{tmp_path / 'new/folder'}"
    )
    with pytest.raises(DataError, match=r"must have room for 32\.0 GB of downloads, got 20\.0 GB"):
        describe_downloads([Download("a", 16 * GB), Download("b", 16 * GB)], [tmp_path])
