import hashlib
import os
import zipfile

import pytest

from weft.errors import DataError
from weft.sharing.zip_file import Member, write_zip


def member(name, content):
    data = content if isinstance(content, bytes) else content.read_bytes()
    return Member(name, content, hashlib.sha256(data).hexdigest(), len(data))


def test_the_bytes_depend_on_names_and_contents_only(tmp_path):
    archives = []
    for number, order in enumerate([(0, 1, 2), (2, 0, 1)]):
        file, page = tmp_path / f"{number}.txt", tmp_path / f"{number}.safetensors"
        file.write_bytes(b"text" * 1000)
        page.write_bytes(b"\0" * 1000)
        file.chmod(0o600 if number else 0o644)
        os.utime(file, (number * 10**9, number * 10**9))
        members = [member("b.txt", file), member("a/x.safetensors", page), member("c", b"written")]
        write_zip(tmp_path / f"{number}.zip", [members[index] for index in order])
        archives.append((tmp_path / f"{number}.zip").read_bytes())
    assert archives[0] == archives[1]
    with zipfile.ZipFile(tmp_path / "0.zip") as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["a/x.safetensors", "b.txt", "c"]
        assert archive.read("b.txt") == b"text" * 1000
        kinds = {entry.filename: entry.compress_type for entry in archive.infolist()}
    assert kinds["a/x.safetensors"] == zipfile.ZIP_STORED
    assert kinds["b.txt"] == zipfile.ZIP_DEFLATED


def test_a_file_that_changes_while_it_is_packed_is_refused(tmp_path):
    file = tmp_path / "history.jsonl"
    file.write_bytes(b"{}\n")
    packed = member("history.jsonl", file)
    file.write_bytes(b"[]\n")
    with pytest.raises(DataError, match=r"history\.jsonl must not change while it is packed"):
        write_zip(tmp_path / "out.zip", [packed])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["history.jsonl"]
