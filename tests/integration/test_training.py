"""Training through PyTorch's launcher: ranks, ZeRO stages, offload, types, all parameters or adapters."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file

from tests.support.disks import enlarge, small_disk
from tests.support.ports import free_port
from weft.model import load_model

pytestmark = pytest.mark.slow
REPOSITORY = Path(__file__).resolve().parents[2]
WEFT = [sys.executable, "-m", "weft"]
METHODS = {name: {"preset": name} for name in ("sft", "weft", "weft-refreshed", "weft-frozen")}
FULL = {"lora": None}
BF16 = {"dtype": "bfloat16"}


class Workshop:
    """A folder with base model, prepared examples, and runs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.content = yaml.safe_load((REPOSITORY / "tests/workflow/micro.yaml").read_text())
        self.content["methods"] = METHODS
        self.content["datasets"]["worked"]["tasks"] = {"sudoku": 9, "gsm8k": 9}  # the last batch is filled up
        self.content["training"]["epochs"] = 2
        del self.content["learning_curve"]  # which requires adapters
        self.base, self.prepared = folder / "base", folder / "prepared"
        shutil.copytree(REPOSITORY / "experiments/tiny-base", self.base)
        soften(self.base / "model.safetensors")
        file = self.write("data", {})
        examples = folder / "examples.jsonl"
        self.call("data", "dataset", "--experiment", file, "--out", examples, "worked")
        self.call(
            "data", "prepare", "--experiment", file, "--examples", examples, "--base", self.base,
            "--out", self.prepared,
        )  # fmt: skip

    def write(self, name, changes):
        file = self.folder / f"{name}.yaml"
        training = self.content["training"] | changes
        file.write_text(yaml.safe_dump(self.content | {"name": name, "training": training}))
        return file

    def call(self, *arguments):
        result = subprocess.run(
            [*WEFT, *map(str, arguments)], capture_output=True, text=True, timeout=500, check=False
        )
        assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-6000:]
        return result.stdout + result.stderr

    def train(self, name, *, method="weft", ranks=1, workers=0, **changes):
        arguments, out = self.training(name, method, changes)
        log = self.call(*arguments, "--processes", ranks, "--workers", workers)
        assert "mismatch" not in log, "a batch size that looks wrong alarms whoever reads the log"
        return out

    def training(self, name, method, changes):
        """Return the arguments of a training, and its result."""
        file, out = self.write(name, changes), self.folder / "runs" / name
        arguments = [
            "train", "--experiment", file, "--run", f"{method}-worked-seed1", "--base", self.base,
            "--prepared", self.prepared, "--out", out, "--device", "cpu",
        ]  # fmt: skip
        return arguments, out


def soften(weights):
    """Make the predictions of a model less certain, so that rounding to bf16 moves its losses little."""
    tensors = load_file(weights)
    tensors["model.transformer.ln_f.weight"] *= 0.2
    save_file(tensors, weights, metadata={"format": "pt"})


@pytest.fixture(scope="module")
def workshop(tmp_path_factory):
    return Workshop(tmp_path_factory.mktemp("training"))


@pytest.fixture(scope="module")
def plain(workshop):
    return {
        "adapters": history(workshop.train("plain")),
        "full": history(workshop.train("plain-full", **FULL, learning_rate=1e-4)),
    }


def buffers():
    return set(Path("/dev/shm").glob("deepspeed_allreduce_buffer_*"))


def history(run):
    return [json.loads(line) for line in (run / "history.jsonl").read_text().splitlines()]


def assert_close(rows, expected, rel=1e-4):
    assert len(rows) == len(expected) == 6
    for row, other in zip(rows, expected, strict=True):
        # Without ZeRO, DeepSpeed does not report the norm of the gradient.
        present = [
            n for n in ("loss", "grad_norm", "masked_share", "mean_rate", "mean_uncertainty") if row[n]
        ]
        assert {"loss", "masked_share"} <= set(present)
        for name in present:
            assert row[name] == pytest.approx(other[name], rel=rel), name


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({"ranks": 2, "zero_stage": 0}, id="two ranks, no ZeRO"),
        pytest.param({"ranks": 2, "zero_stage": 1}, id="two ranks, ZeRO-1"),
        pytest.param({"ranks": 2}, id="two ranks, ZeRO-2"),
        pytest.param({"ranks": 2, "zero_stage": 3}, id="two ranks, ZeRO-3"),
        pytest.param({"ranks": 2, "offload_optimizer": True}, id="two ranks, optimiser offloaded"),
        pytest.param(
            {"ranks": 2, "zero_stage": 3, "offload_optimizer": True, "offload_parameters": True},
            id="two ranks, all offloaded",
        ),
        pytest.param({"micro_batch_size": 8}, id="one micro-batch"),
        pytest.param({"micro_batch_size": 1, "ranks": 2}, id="two ranks, one example each"),
        pytest.param({"gradient_checkpointing": True}, id="gradient checkpointing"),
        pytest.param({"workers": 2}, id="two workers"),
    ],
)
def test_the_history_is_that_of_one_rank(workshop, plain, changed, request):
    run = workshop.train(f"n{abs(hash(request.node.callspec.id)) % 10**8}", **changed)
    assert_close(history(run), plain["adapters"])
    adapters = load_file(run / "adapter_model.safetensors")
    assert len(adapters) == 4 * 3 * 2
    assert all(tensor.dtype == torch.float32 and tensor.numel() > 0 for tensor in adapters.values())


def test_two_machines_train_as_one(workshop, plain):
    arguments, out = workshop.training("machines", "weft", {})
    common = ["--nodes", "2", "--rendezvous", f"127.0.0.1:{free_port()}"]
    machines = [
        subprocess.Popen(
            [*WEFT, *map(str, arguments), *common],
            env=os.environ | {"SLURM_NODEID": rank},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for rank in "01"
    ]  # fmt: skip
    outputs = [machine.communicate(timeout=500) for machine in machines]
    assert [machine.returncode for machine in machines] == [0, 0], outputs
    assert_close(history(out), plain["adapters"])
    assert not [path for path in out.parent.glob(f".{out.name}.*") if path.suffix == ".state"]


def test_training_on_the_cpu_leaves_no_files_and_ignores_the_visible_gpus(workshop, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-1a2b3c4d,3")
    before = buffers()
    workshop.train("tidy", ranks=2)
    for _ in range(120):  # another training on this machine keeps its names for moments
        if not buffers() - before:
            return
        time.sleep(0.5)
    pytest.fail(f"shared memory is left behind: {buffers() - before}")


def test_the_remains_of_a_killed_training_are_not_part_of_the_result(workshop):
    remains = workshop.folder / "runs/.again.new"
    remains.mkdir(parents=True)
    (remains / "model.safetensors").write_text("half")
    run = workshop.train("again")
    assert not remains.exists()
    assert (run / "adapter_model.safetensors").exists()
    assert not (run / "model.safetensors").exists()


@pytest.mark.parametrize("stage", [2, 3])
def test_all_parameters_may_be_trained_on_two_ranks(workshop, plain, stage):
    run = workshop.train(f"full{stage}", ranks=2, zero_stage=stage, learning_rate=1e-4, **FULL)
    assert_close(history(run), plain["full"])
    model, base = load_model(run), load_model(workshop.base)
    changed = [not torch.equal(a, b) for a, b in zip(model.parameters(), base.parameters(), strict=True)]
    assert all(changed)


def assert_follows(rows, expected, rel=0.1):
    """Rounding to bf16 moves the losses of single steps, and gradients near zero by more."""
    for row, other in zip(rows, expected, strict=True):
        assert row["loss"] == pytest.approx(other["loss"], rel=rel, abs=0.02)
        assert row["masked_share"] == pytest.approx(other["masked_share"], abs=0.03)


@pytest.mark.parametrize("stage", [1, 2, 3])
def test_adapters_of_a_bf16_model_stay_in_fp32_and_follow_the_fp32_run(workshop, plain, stage):
    run = workshop.train(f"bf16-{stage}", ranks=2, zero_stage=stage, **BF16)
    assert_follows(history(run), plain["adapters"])
    adapters = load_file(run / "adapter_model.safetensors")
    assert {tensor.dtype for tensor in adapters.values()} == {torch.float32}
    rounded = [torch.equal(t, t.bfloat16().float()) for name, t in adapters.items() if "lora_B" in name]
    assert not any(rounded), "updates smaller than the spacing of bf16 are kept"


@pytest.mark.parametrize("stage", [1, 3])
def test_all_parameters_of_a_bf16_model_may_be_trained(workshop, plain, stage):
    run = workshop.train(f"full-bf16-{stage}", ranks=2, zero_stage=stage, learning_rate=1e-4, **FULL, **BF16)
    # The forward pass sees parameters rounded to bf16, by more than a step changes them.
    assert_follows(history(run), plain["full"], rel=0.2)
    assert load_model(run, torch.bfloat16).lm_head.weight.dtype == torch.bfloat16


@pytest.mark.parametrize("method", ["weft-refreshed", "weft-frozen"])
@pytest.mark.parametrize("stage", [2, 3])
def test_cached_probes_are_shared_by_ranks(workshop, method, stage):
    one = workshop.train(f"{method}{stage}-1", method=method, zero_stage=stage)
    two = workshop.train(f"{method}{stage}-2", method=method, zero_stage=stage, ranks=2)
    assert_close(history(two), history(one))


def test_the_frozen_probe_is_kept_for_other_runs(workshop):
    workshop.train("kept-1", method="weft-frozen")
    kept = {file: file.stat().st_mtime_ns for file in (workshop.folder / "runs/.probes").iterdir()}
    workshop.train("kept-2", method="weft-frozen", learning_rate=5e-4)
    assert {file: file.stat().st_mtime_ns for file in (workshop.folder / "runs/.probes").iterdir()} == kept


def test_a_loss_that_is_not_finite_ends_all_ranks_with_one_message(workshop):
    broken = workshop.folder / "broken"
    shutil.copytree(workshop.base, broken)
    tensors = load_file(broken / "model.safetensors")
    tensors["model.transformer.ln_f.weight"][:] = 3e38  # finite, but not the logits
    save_file(tensors, broken / "model.safetensors")
    file = workshop.write("broken", {})
    result = subprocess.run(
        [*WEFT, "train", "--experiment", str(file), "--run", "sft-worked-seed1", "--base", str(broken),
         "--prepared", str(workshop.prepared), "--out", str(workshop.folder / "runs/broken"),
         "--processes", "2", "--device", "cpu"],
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert result.returncode != 0
    assert "the loss must be finite, got nan after optimiser step 0 on examples" in result.stderr
    assert "Traceback" not in result.stderr


def interrupt(workshop, name, *, ranks, after, **changes):
    """Train until a checkpoint is written, kill the training, and return its state folder and output."""
    arguments, out = workshop.training(name, "weft", changes)
    command = [*WEFT, *map(str, arguments), "--processes", str(ranks)]
    started = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not (found := list(out.parent.glob(f".{name}.*.state/checkpoint-{after}/digests.json"))):
        assert started.poll() is None, "training ended before it could be killed"
        time.sleep(0.01)
    started.kill()  # the ranks end with their launcher
    started.wait()
    return found[0].parents[1]


class Planted:
    """An object whose unpickling creates a file, as a command of an attacker would."""

    def __init__(self, file):
        self.file = file

    def __reduce__(self):
        return os.mknod, (str(self.file),)


def flip_bit(file):
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


@pytest.mark.parametrize(
    ("ranks", "stage", "damaged"), [(1, 2, [4]), (2, 2, [4]), (2, 3, [4]), (1, 2, [4, 2])], ids=str
)
def test_a_training_resumes_from_the_checkpoint_before_a_damaged_one(workshop, ranks, stage, damaged):
    given = {"ranks": ranks, "zero_stage": stage, "save_every": 2}
    name = f"damaged{ranks}{stage}{len(damaged)}"
    expected = workshop.train(f"{name}-whole", **given)
    state = interrupt(workshop, name, after=4, **given)
    for step in damaged:
        states = sorted((state / f"checkpoint-{step}").rglob(f"*_rank_{ranks - 1}_*optim_states.pt"))
        flip_bit(states[0])
    arguments, out = workshop.training(
        name, "weft", {key: given[key] for key in ("zero_stage", "save_every")}
    )
    log = workshop.call(*arguments, "--processes", ranks)
    for step in damaged:
        assert f"checkpoint-{step} is not used and renamed to damaged-checkpoint-{step}: " in log
    for file in ("adapter_model.safetensors", "history.jsonl"):
        assert (out / file).read_bytes() == (expected / file).read_bytes(), file


def test_a_planted_command_does_not_run_even_with_the_digest_of_its_file(workshop, tmp_path):
    """DeepSpeed would unpickle the file; the digest is forged, as an attacker would."""
    expected = workshop.train("planted-whole", save_every=2)
    state = interrupt(workshop, "planted", after=4, ranks=1, save_every=2)
    (file,) = state.glob("checkpoint-4/*/*optim_states.pt")
    digests = state / "checkpoint-4/digests.json"
    before = hashlib.sha256(file.read_bytes()).hexdigest()
    torch.save({"states": Planted(tmp_path / "ran")}, file)
    digests.write_text(digests.read_text().replace(before, hashlib.sha256(file.read_bytes()).hexdigest()))
    arguments, out = workshop.training("planted", "weft", {"save_every": 2})
    log = workshop.call(*arguments, "--processes", 1)
    assert not (tmp_path / "ran").exists()
    assert "optim_states.pt names posix.mknod, which could run code, and is not read" in log
    assert (out / "history.jsonl").read_bytes() == (expected / "history.jsonl").read_bytes()


def test_a_training_on_a_full_disk_says_so_and_resumes_when_there_is_room(workshop):
    arguments, whole = workshop.training("undisturbed", "weft", {})
    workshop.call(*arguments)
    small = workshop.folder / "small"
    small.mkdir()
    arguments = [*arguments[:-3], small / "run", *arguments[-2:]]
    with small_disk(small, 320) as disk:  # one checkpoint fits, and not two
        command = [*WEFT, *map(str, arguments)]
        run = subprocess.run(command, capture_output=True, text=True, timeout=500, check=False)
        log = run.stdout + run.stderr
        assert run.returncode == 2, log[-3000:]
        state = next(disk.glob(".run.*.state"))
        assert f"weft: error: no space left on the device that holds {state} (" in log
        assert "free space and run the same command again" in log
        assert [path.name for path in state.glob("checkpoint-*")] == ["checkpoint-2"]
        assert not (disk / "run").exists()
        enlarge(disk, 4096)
        workshop.call(*arguments)
        for name in ("adapter_model.safetensors", "history.jsonl"):
            assert (disk / "run" / name).read_bytes() == (whole / name).read_bytes()
