"""Where the compiled extension of DeepSpeed is."""

import os
import sys
from pathlib import Path

from weft.training.environment import extensions_folder


def test_extensions_are_in_the_environment_or_where_the_user_can_write(tmp_path, monkeypatch):
    monkeypatch.delenv("TORCH_EXTENSIONS_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "venv"))
    inside = tmp_path / "venv" / "torch_extensions"
    (tmp_path / "venv").mkdir()
    assert extensions_folder() == inside
    (inside / "deepspeed_shm_comm").mkdir(parents=True)
    assert extensions_folder() == inside
    for locked in (inside, inside / "deepspeed_shm_comm"):
        monkeypatch.setattr(os, "access", lambda path, mode, locked=locked: Path(path) != locked)
        assert extensions_folder().parent == tmp_path / "cache" / "weft"
    monkeypatch.setenv("TORCH_EXTENSIONS_DIR", str(tmp_path / "given"))
    assert extensions_folder() == tmp_path / "given"
