"""A server that lies about hashes, commits, sizes and addresses, against the real client of the hub."""

from pathlib import Path

import huggingface_hub
import pytest
from huggingface_hub import HfApi, file_download

from tests.support.hub import COMMIT, Hub, point_client, serve
from weft.config.sources import HubDataset, HubFile, HubModel
from weft.data.hub import fetch_hub_file, fetch_hub_model, list_hub_dataset
from weft.data.hub_answers import METADATA, checked_answers
from weft.errors import DataError

CONTENT = b'{"question": "1+1?"}\n'
OUTSIDE = "../../../../outside"
TINY_BASE = Path("experiments/tiny-base")


@pytest.fixture
def hub(tmp_path, monkeypatch):
    hub = Hub()
    hub.put("datasets/owner/set", "train.jsonl", CONTENT)
    hub.put("datasets/owner/set", "README.md", b"card\n")
    for file in TINY_BASE.iterdir():
        hub.put("owner/model", file.name, file.read_bytes())
    monkeypatch.setattr("time.sleep", lambda _: None)
    with serve(hub) as address:
        point_client(monkeypatch, address, tmp_path / "deep/within/cache")
        yield hub


def fetch(what):
    if what == "file":
        source = HubFile(repo="owner/set", file="train.jsonl", revision="main")
        return fetch_hub_file(source, offline=[])
    if what == "listing":
        return list_hub_dataset(HubDataset(source="hub", dataset="owner/set"), offline=[])
    return fetch_hub_model(HubModel(source="hub", repo="owner/model", revision="main"), offline=[])


def files_outside(tmp_path):
    cache = tmp_path / "deep/within/cache"
    return [path for path in tmp_path.rglob("*") if path.is_file() and cache not in path.parents]


@pytest.mark.parametrize("what", ["file", "listing", "model"])
def test_an_honest_server_is_believed(hub, what):
    assert fetch(what)


@pytest.mark.parametrize("what", ["file", "listing", "model"])
@pytest.mark.parametrize(
    "lies",
    [
        {"ETag": f'"{OUTSIDE}"'},
        {"ETag": '"/tmp/outside"'},
        {"ETag": '".."'},
        {"ETag": '"a/b"'},
        {"ETag": '"' + "a" * 5000 + '"'},
        {"X-Repo-Commit": OUTSIDE},
        {"X-Repo-Commit": "."},
        {"X-Repo-Commit": "main"},
    ],
    ids=["outside", "absolute", "folder above", "folder", "long", "commit outside", "this folder", "branch"],
)
def test_a_hash_or_a_commit_that_is_a_path_writes_nothing_outside_the_cache(hub, tmp_path, what, lies):
    hub.lies = lies
    with pytest.raises(DataError, match="cannot be downloaded: the hub must name a") as caught:
        fetch(what)
    assert len(str(caught.value)) < 600
    assert files_outside(tmp_path) == []


@pytest.mark.parametrize("what", ["listing", "model"])
def test_a_commit_in_a_listing_that_is_a_path_is_refused(hub, tmp_path, what):
    hub.lies = {"sha": OUTSIDE}
    with pytest.raises(DataError, match=r"must name a commit of 40 hexadecimal digits, got '\.\./"):
        fetch(what)
    assert files_outside(tmp_path) == []


@pytest.mark.parametrize(
    "lies",
    [{"Content-Length": "10"}, {"ETag": f'"{"0" * 64}"'}, {"X-Linked-ETag": f'"{OUTSIDE}"'}],
    ids=["size", "hash", "hash of an address"],
)
def test_another_size_or_hash_is_refused(hub, tmp_path, lies):
    hub.lies, hub.stored_from = lies, 1 if "X-Linked-ETag" in lies else None
    with pytest.raises(DataError):
        fetch("file")
    assert files_outside(tmp_path) == []


@pytest.mark.parametrize("location", ["file:///etc/passwd", "http://127.0.0.1:9/x", "https://"])
def test_a_redirect_to_nowhere_is_refused(hub, tmp_path, location):
    hub.lies, hub.stored_from = {"Location": location}, 1
    with pytest.raises(DataError):
        fetch("file")
    assert files_outside(tmp_path) == []


def test_the_client_is_as_before_afterwards(hub):
    before = getattr(file_download, METADATA), HfApi.repo_info
    with checked_answers(), checked_answers():
        assert getattr(file_download, METADATA) is not before[0]
    assert (getattr(file_download, METADATA), HfApi.repo_info) == before
    assert fetch("file").parent.name == COMMIT


def test_a_client_that_cannot_be_checked_is_not_used(hub, monkeypatch):
    monkeypatch.delattr(file_download, METADATA)
    with pytest.raises(DataError, match=f"got {huggingface_hub.__version__}; install huggingface_hub==2.4.0"):
        fetch("file")
    assert hub.requests == []
