import hashlib
import socket
import threading

import pytest

from weft.config.sources import WebFile
from weft.data.web import fetch_web_file, read_web_file
from weft.errors import DataError

CONTENT = b"question,answer\n"
SHA256 = hashlib.sha256(CONTENT).hexdigest()
NOWHERE = "http://127.0.0.1:9/nowhere"


@pytest.fixture
def address(server, served):
    (served / "good.csv").write_bytes(CONTENT)
    return f"{server}/good.csv"


@pytest.fixture
def offline(tmp_path):
    (tmp_path / "d1").mkdir()
    (tmp_path / "d1" / "good.csv").write_bytes(CONTENT)
    return ["absent", str(tmp_path)]


def web(url, sha256=SHA256):
    return WebFile(url=url, sha256=sha256, offline="d1/good.csv")


def test_an_offline_copy_is_preferred_to_the_download(address, offline, tmp_path):
    fetch_web_file(web(NOWHERE), tmp_path / "copied.csv", offline=offline)
    fetch_web_file(web(address), tmp_path / "downloaded.csv", offline=[])
    assert (tmp_path / "copied.csv").read_bytes() == (tmp_path / "downloaded.csv").read_bytes() == CONTENT
    content, origin = read_web_file(NOWHERE, "d1/good.csv", offline=offline, max_bytes=len(CONTENT))
    assert (content, origin) == (CONTENT, f"{tmp_path}/d1/good.csv")
    assert read_web_file(address, "x", offline=[], max_bytes=len(CONTENT)) == (CONTENT, address)


def test_a_mirror_comes_in_its_place_among_the_folders(server, served, address, offline, tmp_path):
    (served / "d1").mkdir()
    (served / "d1" / "good file.csv").write_bytes(CONTENT)
    name, limit = "d1/good file.csv", len(CONTENT)
    mirrored = f"{server}/d1/good%20file.csv"
    assert read_web_file(NOWHERE, name, offline=[*offline, server], max_bytes=limit) == (CONTENT, mirrored)
    (tmp_path / name).write_bytes(CONTENT)
    before = read_web_file(NOWHERE, name, offline=[*offline, server], max_bytes=limit)
    assert before == (CONTENT, f"{tmp_path}/{name}")
    assert read_web_file(NOWHERE, name, offline=[server, *offline], max_bytes=limit) == (CONTENT, mirrored)


def test_what_a_mirror_lacks_is_fetched_from_its_address(server, address):
    found = read_web_file(address, "absent.csv", offline=[server], max_bytes=len(CONTENT))
    assert found == (CONTENT, address)


def test_a_mirror_that_does_not_answer_is_named(address, tmp_path):
    mirror = "http://127.0.0.1:9/mirror"
    with pytest.raises(DataError, match=rf"^{mirror}/d1/good.csv cannot be downloaded .* FOLDER/d1/good.csv"):
        fetch_web_file(web(address), tmp_path / "out.csv", offline=[mirror])


def test_a_wrong_hash_is_refused_and_leaves_nothing(address, tmp_path):
    out = tmp_path / "out" / "out.csv"
    with pytest.raises(DataError, match=rf"{address} .*{'0' * 64}.*{SHA256}"):
        fetch_web_file(web(address, "0" * 64), out, offline=[])
    assert list(out.parent.iterdir()) == []


def test_a_file_above_the_limit_is_refused(address):
    with pytest.raises(DataError, match=f"{address} .*{len(CONTENT) - 1} bytes"):
        read_web_file(address, "x", offline=[], max_bytes=len(CONTENT) - 1)


@pytest.mark.parametrize("kind", ["no server", "no file", "no HTTP"])
def test_a_failed_download_names_the_address_and_the_offline_place(server, tmp_path, kind):
    address = {"no server": NOWHERE, "no file": f"{server}/absent.csv"}.get(kind)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer():
            connection, _ = listener.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(b"HTTP/1.1 abc\r\n\r\n")

        if address is None:
            address = f"http://127.0.0.1:{listener.getsockname()[1]}/x"
            threading.Thread(target=answer, daemon=True).start()
        with pytest.raises(DataError, match=rf"{address} .*\(\w+: .*\).*my/d1/good.csv"):
            fetch_web_file(web(address), tmp_path / "out.csv", offline=["my"])
    assert not (tmp_path / "out.csv").exists()


def test_a_file_that_would_fill_the_disk_is_given_up_and_leaves_nothing(address, tmp_path, monkeypatch):
    monkeypatch.setattr("weft.data.web.MAX_BYTES", len(CONTENT) - 1)
    with pytest.raises(DataError, match=f"must have at most {len(CONTENT) - 1} bytes, got more"):
        fetch_web_file(web(address), tmp_path / "large.csv", offline=[])
    assert list(tmp_path.glob("*large*")) == []
