"""Three faults of the drill on a part of the smallest experiment: training, sampling, everything."""

import shutil

import pytest

from tests.support.micro import REPOSITORY
from tools.drill.compare import digest_results
from tools.drill.conduct import EXPECTED, Drill, Expected
from tools.drill.faults import Fault
from tools.drill.records import is_faultless, read_faults, read_runs
from tools.drill.session import Setup
from weft.records.files import write_json

pytestmark = pytest.mark.slow
RUN = "weft-worked-seed1"
FAULTS = [
    Fault(number=0, kind="SIGKILL a training rank", num_events=3, damages=False, seed=0),
    Fault(number=1, kind="SIGKILL everything", num_events=2, damages=False, seed=1),
    Fault(number=2, kind="SIGKILL a sampler", num_events=1, damages=True, seed=2),
]


def test_three_faults_lose_nothing(finished, tmp_path):
    start = tmp_path / "start"
    for part in ("pretrained", "base", "data", "checks"):
        shutil.copytree(finished / "results/micro" / part, start / "results/micro" / part)
    setup = Setup(
        folder=tmp_path / "drill",
        experiment=REPOSITORY / "tests/workflow/micro.yaml",
        name="micro",
        targets=(f"results/micro/samples/{RUN}/sudoku/32.jsonl",),
        options=("--rerun-triggers", "mtime"),
    )
    parts = ("pretrained/", "base/", "data/", f"runs/{RUN}/", f"samples/{RUN}/", "checks/")
    digests = {
        name: sha256
        for name, sha256 in digest_results(finished / "results/micro").items()
        if name.startswith(parts)
    }
    assert len(digests) > 15
    setup.folder.mkdir()
    write_json(setup.folder / EXPECTED, Expected(digests=digests, finished={}))
    lines = []
    drill = Drill(setup, ["digests"], start=start, report=lines.append)
    drill.conduct(FAULTS)
    faults, (run,) = read_faults(setup.folder), read_runs(setup.folder)
    assert [fault.number for fault in faults] == [0, 1, 2]
    assert is_faultless([run], faults), "\n".join([*lines, *run.differences, *run.leftovers])
    assert faults[1].needed == ["--unlock"]
    assert faults[2].damage is not None
    assert run.repeated["train"] == run.repeated["sample"] == 1, "no undisturbed job is subtracted here"
    lines.clear()
    drill.conduct(FAULTS)
    assert not lines, "a drill that is done has nothing to do"
