import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from weft.config import find_experiment, load_experiment
from weft.data.pins import pins_path
from weft.doctor.material import (
    Folders,
    check_disk,
    check_files,
    check_generations,
    check_pins,
    list_downloads,
)
from weft.plan import DiskNeed

REPOSITORY = Path(__file__).resolve().parents[3]


@pytest.fixture
def folders(tmp_path):
    return Folders(tmp_path / "results/tiny", tmp_path / "cache", tmp_path)


def test_more_space_than_any_disk_has(folders):
    (finding,) = check_disk(folders, DiskNeed(models=0, results=0, states=2**60))
    assert finding.level == "problem"
    assert f"may take {(2**60 + 4e8) / 1e9:.1f} GB more" in finding.text


def test_results_that_are_there_need_no_space_again(folders, tmp_path):
    free = shutil.disk_usage(tmp_path).free
    need = DiskNeed(models=free, results=0, states=0)
    (finding,) = check_disk(folders, need)
    assert finding.level == "problem"
    folders.results.mkdir(parents=True)
    with (folders.results / "base").open("wb") as file:
        file.truncate(free)  # a sparse file
    (finding,) = check_disk(folders, need)
    assert finding.level == "ok"


def test_disks_are_checked_one_by_one(tmp_path):
    """A tmpfs of 64 MiB for the cache of the hub, and the download is larger."""
    cache = tmp_path / "cache"
    cache.mkdir()
    code = (
        "import sys; from pathlib import Path; from weft.doctor.material import Folders, check_disk\n"
        "folders = Folders(Path(sys.argv[1]) / 'results', Path(sys.argv[1]) / 'cache', Path(sys.argv[1]))\n"
        "print(*[f.as_text() for f in check_disk(folders, None, download_bytes=1e8)], sep='\\n')"
    )
    script = 'mount -t tmpfs -o size=64m tmpfs "$1/cache" && exec "$2" -c "$3" "$1"'
    unshare = shutil.which("unshare")
    result = unshare and subprocess.run(
        [unshare, "-rm", "sh", "-c", script, "sh", str(tmp_path), sys.executable, code],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if not result or result.returncode:
        pytest.skip("no small file system can be mounted here")
    first, second = result.stdout.splitlines()
    assert first.startswith("ok")
    assert "results and temporary files" in first
    assert second.startswith(f"problem  disk: {cache} has 0.1 GB free, and hub cache may take 0.1 GB more")


def edited(tmp_path, **changes):
    content = yaml.safe_load((REPOSITORY / "experiments/tiny.yaml").read_text()) | changes
    file = tmp_path / "mine.yaml"
    file.write_text(yaml.safe_dump(content | {"name": "mine"}))
    return load_experiment(file), file


def test_missing_files_of_the_user_are_named(tmp_path):
    experiment, file = edited(
        tmp_path, base_model={"source": "path", "path": "no/base"},
        datasets={"worked": {"source": "file", "path": "no/data.jsonl"}},
    )  # fmt: skip
    needs = list_downloads(experiment, offline=[], pins=pins_path(file), placed=tmp_path / "base")
    findings = list(check_files(needs))
    assert [finding.level for finding in findings] == ["problem", "problem"]
    assert "missing: no/base" in findings[0].text
    assert "missing: no/data.jsonl" in findings[1].text


def test_downloads_are_a_warning_and_without_network_a_problem(tmp_path):
    experiment = load_experiment(find_experiment("paper"))
    needs = list_downloads(experiment, offline=[], pins=None, placed=tmp_path / "base")
    (finding,) = check_files(needs, {})
    assert finding.level == "warning"
    assert "GSAI-ML/LLaDA-8B-Instruct" in finding.text
    assert "16.3 GB" in finding.text
    (finding,) = check_files(needs, {"HF_HUB_OFFLINE": "1"})
    assert finding.level == "problem"
    assert "HF_HUB_OFFLINE forbids it" in finding.text


def test_offline_copies_are_found(tmp_path):
    experiment = load_experiment(find_experiment("paper"))
    needs = list_downloads(experiment, offline=[str(tmp_path)], pins=None, placed=tmp_path / "base")
    for name in needs.downloads:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).mkdir()
    needs = list_downloads(experiment, offline=[str(tmp_path)], pins=None, placed=tmp_path / "base")
    (finding,) = check_files(needs)
    assert finding.level == "ok"


def test_a_damaged_lock_file_is_named(tmp_path):
    experiment = load_experiment(find_experiment("paper"))
    pins = tmp_path / "paper.lock.json"
    needs = list_downloads(experiment, offline=[], pins=pins, placed=tmp_path / "base")
    (finding,) = check_pins(pins, needs)
    assert finding.level == "ok"
    pins.write_text(json.dumps({"models/x@main": {"commit": "no hash", "files": {}}}))
    (finding,) = check_pins(pins, needs)
    assert finding.level == "problem"
    assert finding.remedy == "restore or delete it"


def test_missing_generations_are_named(tmp_path):
    experiment = load_experiment(find_experiment("d1-baselines"))
    (finding,) = check_generations(experiment, [str(tmp_path)])
    assert finding.level == "problem"
    assert "generations.folder" in finding.text
