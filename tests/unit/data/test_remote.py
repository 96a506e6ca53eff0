import hashlib
import socket
import threading
from pathlib import Path

import huggingface_hub
import pytest

from weft.config.sources import HubFile, HubModel, WebFile
from weft.data.remote import (
    fetch_hub_file,
    fetch_hub_model,
    fetch_web_file,
    read_web_file,
    resolved_commit,
)
from weft.errors import DataError

CONTENT = b"question,answer\n"
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def server(server, served):
    (served / "good.csv").write_bytes(CONTENT)
    return server


def web(url, sha256=SHA256):
    return WebFile(url=url, sha256=sha256, offline="d1/good.csv")


def test_a_file_is_downloaded_and_checked(server, tmp_path):
    fetch_web_file(web(f"{server}/good.csv"), tmp_path / "out.csv", offline=[])
    assert (tmp_path / "out.csv").read_bytes() == CONTENT


def test_the_offline_copy_comes_first(tmp_path):
    (tmp_path / "d1").mkdir()
    (tmp_path / "d1" / "good.csv").write_bytes(CONTENT)
    fetch_web_file(web("http://127.0.0.1:9/nowhere"), tmp_path / "out.csv", offline=["absent", str(tmp_path)])
    assert (tmp_path / "out.csv").read_bytes() == CONTENT


def test_a_wrong_hash_is_refused_and_leaves_nothing(server, tmp_path):
    with pytest.raises(DataError, match=r"must have sha256 0000.*delete it and fetch it again"):
        fetch_web_file(web(f"{server}/good.csv", "0" * 64), tmp_path / "out.csv", offline=[])
    assert not (tmp_path / "out.csv").exists()


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/nowhere", "missing"])
def test_an_unreachable_file_says_where_to_put_it(server, tmp_path, url):
    address = f"{server}/absent.csv" if url == "missing" else url
    with pytest.raises(DataError, match=r"cannot be downloaded .*offline, put it at my/d1/good.csv"):
        fetch_web_file(web(address), tmp_path / "out.csv", offline=["my"])


def test_a_small_file_is_read_offline_first_and_says_where_it_was(server, tmp_path):
    (tmp_path / "d1").mkdir()
    (tmp_path / "d1" / "good.csv").write_bytes(b"local")
    address = f"{server}/good.csv"
    found = read_web_file(address, "d1/good.csv", offline=[str(tmp_path)], max_bytes=100)
    assert found == (b"local", f"{tmp_path}/d1/good.csv")
    assert read_web_file(address, "d1/good.csv", offline=[], max_bytes=100) == (CONTENT, address)


def test_a_file_of_the_allowed_size_passes_and_a_byte_more_does_not(server):
    address = f"{server}/good.csv"
    assert read_web_file(address, "x", offline=[], max_bytes=len(CONTENT))[0] == CONTENT
    with pytest.raises(DataError, match=f"{address} must have at most {len(CONTENT) - 1} bytes"):
        read_web_file(address, "x", offline=[], max_bytes=len(CONTENT) - 1)


def test_a_server_that_does_not_speak_http_is_unreachable(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer():
            connection, _ = listener.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(b"HTTP/1.1 abc\r\n\r\n")

        threading.Thread(target=answer, daemon=True).start()
        address = f"http://127.0.0.1:{listener.getsockname()[1]}/x"
        with pytest.raises(DataError, match=r"cannot be downloaded .BadStatusLine"):
            fetch_web_file(web(address), tmp_path / "out.csv", offline=["my"])


def test_hub_files_and_models_say_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    file = HubFile(repo="simplescaling/s1K", file="data/train.parquet", revision="main")
    with pytest.raises(
        DataError,
        match=r"OfflineModeIsEnabled.*; offline, put it at offline/simplescaling/s1K/data/train.parquet",
    ):
        fetch_hub_file(file, offline=["offline"])
    model = HubModel(source="hub", repo="GSAI-ML/LLaDA-8B-Instruct", revision="main")
    with pytest.raises(DataError, match="offline, put it at offline/GSAI-ML/LLaDA-8B-Instruct"):
        fetch_hub_model(model, offline=["offline"])


def test_the_commit_is_read_from_the_clients_cache():
    assert resolved_commit(Path("cache/models--a--b/snapshots/0123abcd/config.json")) == "0123abcd"
    assert resolved_commit(Path("offline/a/b/config.json")) is None


def test_offline_hub_files_are_found_and_checked(tmp_path):
    folder = tmp_path / "owner" / "set"
    folder.mkdir(parents=True)
    (folder / "x.jsonl").write_bytes(CONTENT)
    source = HubFile(repo="owner/set", file="x.jsonl", revision="main", sha256=SHA256)
    assert fetch_hub_file(source, offline=[str(tmp_path)]) == folder / "x.jsonl"
    assert (
        fetch_hub_model(HubModel(source="hub", repo="owner/set", revision="r"), offline=[str(tmp_path)])
        == folder
    )
    (folder / "x.jsonl").write_bytes(b"changed")
    with pytest.raises(DataError, match="damaged or another version"):
        fetch_hub_file(source, offline=[str(tmp_path)])
