"""Ways to falsify a finished experiment, each with the result that must be named."""

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from weft.layout import digests_file, provenance_file
from weft.provenance import digest, file_sha256
from weft.records.files import write_json

RUNS = ("sft-worked-seed1", "weft-worked-seed1")
CELL = "gsm8k/32.jsonl"


@dataclass(frozen=True)
class Tampering:
    """A change of a results folder.

    Attributes:
        name: what is changed.
        change: function that changes the folder.
        named: what the findings must name.
    """

    name: str
    change: Callable[[Path], None]
    named: str


def flip(name, position=None):
    """Change one byte of a file and put its dates back; the page and the tables stay readable."""

    def change(root):
        file = root / name
        status, content = file.stat(), bytearray(file.read_bytes())
        place = len(content) // 2 if position is None else position
        content[place] ^= 1
        replace(file, bytes(content))
        os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))

    return change


def replace(file, content):
    """Write another file in the place of one that may have hard links, which are left as they are."""
    file.unlink()
    file.write_bytes(content)


def edit(name, function):
    def change(root):
        file = root / name
        lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
        replace(file, "".join(function(lines)).encode())

    return change


def swap(first, second, *, with_provenance=False):
    def change(root):
        pairs = [(root / first, root / second)]
        if with_provenance:
            pairs += [(provenance_file(a), provenance_file(b)) for a, b in pairs]
            pairs += [(digests_file(a), digests_file(b)) for a, b in pairs[:1] if a.is_dir()]
        for a, b in pairs:
            aside = a.with_name("aside")
            a.rename(aside)
            b.rename(a)
            aside.rename(b)

    return change


def remove(name):
    def change(root):
        path = root / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()

    return change


def remove_with_provenance(name):
    def change(root):
        remove(name)(root)
        provenance_file(root / name).unlink()

    return change


def bless(name, change):
    """Change a result, and then its provenance too, so that only the results made from it can tell."""

    def change_both(root):
        change(root)
        result = root / name
        record = json.loads(provenance_file(result).read_text(encoding="utf-8"))
        record["sha256"] = file_sha256(result)
        if record.get("content"):
            record["content"] = {file: file_sha256(result / file) for file in record["content"]}
            record["sha256"] = digest(record["content"])
        write_json(provenance_file(result), record)

    return change_both


def flip_verdict(lines):
    record = json.loads(lines[0])
    record["verdict"] = "wrong" if record["verdict"] == "correct" else "correct"
    return [json.dumps(record) + "\n", *lines[1:]]


def cut(lines):
    return [lines[0], lines[1][:6]]


def first_half(lines):
    return lines[: len(lines) // 2]


SFT, WEFT = (f"runs/{run}" for run in RUNS)
ADAPTER = "adapter_model.safetensors"
ARROW = "data/prepared/worked/data-00000-of-00001.arrow"
SCORES = [f"scores/d1/{run}/{CELL}" for run in ("base", WEFT.removeprefix("runs/"))]
SAMPLES = f"samples/{RUNS[1]}/{CELL}"

ONE_BYTE = [
    "base/model.safetensors", "base/tokenizer.json", ARROW, f"{WEFT}/{ADAPTER}", f"{WEFT}/history.jsonl",
    f"{WEFT}/adapter_config.json", f"{WEFT}/snapshots/8/{ADAPTER}", "data/questions/gsm8k.jsonl",
    "data/validation/gsm8k.jsonl", "data/examples/worked.jsonl", SAMPLES, SCORES[0], "tables/headline.csv",
    "tables/scores.md", "figures/accuracy.pdf", "probe/worked.parquet", "checks/worked.json",
    f"curves/{RUNS[0]}.jsonl", f"curves/{RUNS[0]}/8/gsm8k/32.jsonl", f"report/traces/{RUNS[0]}.html",
    "report/index.html", "report/examples.jsonl.gz", "report/verification.json",
    "pretrained/model.safetensors",
]  # fmt: skip
"""Files of all kinds of results."""
OWNERS = {name: "/".join(name.split("/")[:length]) for length, names in {
    1: [name for name in ONE_BYTE if name.startswith(("base/", "pretrained/", "tables/", "figures/"))],
    2: [name for name in ONE_BYTE if name.startswith("runs/")] + [f"curves/{RUNS[0]}/8/gsm8k/32.jsonl"],
    3: [ARROW],
}.items() for name in names}  # fmt: skip
"""File in a folder with provenance -> this folder; a finding names both."""

TAMPERINGS = [
    *(Tampering(f"one byte of {name}", flip(name), OWNERS.get(name, name)) for name in ONE_BYTE),
    *(Tampering(f"{name} missing", remove(name), name) for name in ONE_BYTE),
    Tampering("two adapters swapped", swap(f"{SFT}/{ADAPTER}", f"{WEFT}/{ADAPTER}"), SFT),
    Tampering("two runs swapped", swap(SFT, WEFT), WEFT),
    Tampering("two runs swapped with provenance", swap(SFT, WEFT, with_provenance=True), WEFT),
    Tampering("answers of another run", swap(SAMPLES, f"samples/base/{CELL}"), SAMPLES),
    Tampering(
        "answers of another run with provenance",
        swap(SAMPLES, f"samples/base/{CELL}", with_provenance=True),
        SAMPLES,
    ),
    Tampering("scores of another run with provenance", swap(*SCORES, with_provenance=True), SCORES[0]),
    Tampering("a flipped verdict", bless(SCORES[0], edit(SCORES[0], flip_verdict)), SCORES[0]),
    Tampering("a table cut short", edit("tables/headline.csv", cut), "tables"),
    Tampering(
        "half a history", bless(WEFT, edit(f"{WEFT}/history.jsonl", first_half)), f"{WEFT}: history.jsonl"
    ),
    Tampering("a line of answers missing", bless(SAMPLES, edit(SAMPLES, lambda lines: lines[:-1])), SAMPLES),
    Tampering("scores missing with provenance", remove_with_provenance(SCORES[0]), SCORES[0]),
    Tampering("a run missing with provenance", remove_with_provenance(WEFT), WEFT),
    Tampering("no page", remove_with_provenance("report/index.html"), "report/index.html"),
    *(
        Tampering(f"{name} blessed", bless(OWNERS.get(name, name), flip(name)), OWNERS.get(name, name))
        for name in ONE_BYTE
        if name != "report/index.html"  # nothing is made from it
    ),
]  # fmt: skip
"""All changes; the blessed ones are changes of a result and of the provenance beside it."""
