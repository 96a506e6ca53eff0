"""Experiment files and run settings made to occupy, confuse or crash the program that reads them."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from weft.cli import app
from weft.config.settings import read_settings
from weft.config.yaml_file import MAX_BYTES
from weft.errors import MESSAGE_CHARACTERS, ConfigError, exit_on_error

RUN = CliRunner()
TINY = Path("experiments/tiny.yaml").read_text("utf-8")
MAX_EXTRA = 300
"""Characters around the description of an offence: the paths of the file, and what to do."""


def bomb(levels, width=10):
    """Return a list of lists whose aliases stand for ``width ** levels`` values."""
    lines = [f"  - &a0 [{', '.join('x' * width)}]"]
    lines += [f"  - &a{level} [{', '.join([f'*a{level - 1}'] * width)}]" for level in range(1, levels)]
    return "\n".join(lines)


def merge_bomb(levels):
    """Return mappings, each of which merges the one before ten times."""
    lines = ["x-0: &m0 {a: 1, b: 2}"]
    lines += [
        f"x-{level}: &m{level} {{<<: [{', '.join([f'*m{level - 1}'] * 10)}]}}" for level in range(1, levels)
    ]
    return "\n".join(lines)


def changed(key, value):
    """Return the shipped experiment with another value of the first key of that name."""
    text, count = re.subn(rf"(?m)^( *{key}:) .*$", lambda match: f"{match[1]} {value}", TINY, count=1)
    assert count == 1, key
    return text


BOMBS = {
    "bomb under an unknown key": TINY + f"colour:\n{bomb(9)}\n",
    "small bomb under an unknown key": TINY + f"colour:\n{bomb(4)}\n",
    "bomb under a private key": TINY + f"x-bomb:\n{bomb(12)}\n",
    "bomb as seeds": changed("seeds", f"\n{bomb(9)}"),
    "bomb as a title": changed("title", "*a8").replace("name: tiny", f"x-t:\n{bomb(9)}\nname: tiny"),
    "bomb of texts": TINY + f"x-a: &a {'y' * 200_000}\nx-b: [{', '.join(['*a'] * 9000)}]\n",
    "bomb of merge keys": TINY + merge_bomb(9) + "\ncolour: *m8\n",
    "bomb of keys": TINY + f"colour:\n{bomb(9)}\n  - {{*a8 : 1}}\n",
    "list in itself": TINY + "colour: &a [*a]\n",
    "mapping in itself": TINY + "colour: &a {b: {c: *a}}\n",
    "merge of itself": TINY + "colour: &a {<<: *a}\n",
    "nested lists": TINY + f"colour: {'[' * 1000}{']' * 1000}\n",
    "nested lists without an end": TINY + f"colour: {'[' * 100_000}\n",
    "nested mappings": TINY + f"colour: {'{a: ' * 1000}1{'}' * 1000}\n",
    "nested block lists": TINY + f"colour:\n  {'- ' * 40_000}x\n",
    "nested block mappings": TINY + "".join(f"{' ' * level}k:\n" for level in range(600)),
    "integer of 5,000 digits": changed("learning_rate", "9" * 5000),
    "integer of 200,000 digits": changed("seeds", f"[{'9' * 200_000}]"),
    "hexadecimal integer of 100,000 digits": TINY + f"colour: 0x{'f' * 100_000}\n",
    "number of 200,000 digits with a point": changed("learning_rate", f"{'9' * 200_000}.0"),
    "10,000 unknown keys": TINY + "".join(f"unknown-{number}: 1\n" for number in range(10_000)),
    "10,000 wrong seeds": changed("seeds", f"[{', '.join(['x'] * 10_000)}]"),
    "very many trainings": changed("seeds", f"[{', '.join(map(str, range(20_000)))}]"),
    "large file": TINY + f"# {'x' * MAX_BYTES}\n",
}
"""Files that might occupy memory or processor; they are read in one process with limits."""

TEXTS = {
    "surrogate in prefill": changed("prefill", '"\\ud800"'),
    "surrogate in title": changed("title", '"\\udfff"'),
    "NUL in title": changed("title", '"a\\0b"'),
    "escape in caption": changed("shipped", '"\\e[2J"'),
    "NUL in the file": TINY + "colour: \0\n",
    "long text as a number": changed("learning_rate", "x" * 50_000),
    "long text as a choice": changed("lr_scheduler", "x" * 50_000),
    "long unknown key": TINY + f"? {'k' * 50_000}\n: 1\n",
    "long key given twice": TINY + f"? {'k' * 50_000}\n: 1\n? {'k' * 50_000}\n: 1\n",
    "long name": changed("name", "n" * 50_000),
    "long name of another form": changed("name", "N " * 20_000),
    "long kind": changed("kind", "k" * 50_000),
    "kind of lists": changed("kind", f"[{', '.join(['[]'] * 5000)}]"),
    "long extends": TINY + f"extends: {'e' * 50_000}\n",
    "extends a device": TINY + "extends: /dev/zero\n",
    "extends a list": TINY + f"extends: [{', '.join('x' * 5000)}]\n",
    "long typographic quotes": TINY + f"colour: “{'q' * 50_000}”\n",
    "long tag": TINY + f"colour: !{'t' * 5000} x\n",
    "tag of Python": TINY + 'colour: !!python/object/apply:os.system ["true"]\n',
    "name of Python": TINY + "colour: !!python/name:os.system\n",
    "long alias without anchor": TINY + f"colour: *{'a' * 5000}\n",
    "long anchor given twice": TINY + f"x-a: [&{'a' * 500} 1, &{'a' * 500} 2]\n",
    "two documents": TINY + "---\nname: other\n",
    "tabs": TINY + "colour:\n\tx: 1\n",
    "no end of quotes": TINY + f'colour: "{"x" * 50_000}\n',
    "key that is a list": TINY + f"? [{', '.join('x' * 5000)}]\n: 1\n",
    "list": "[1, 2, 3]\n",
    "text": "hello\n",
    "nothing": "",
    "only a comment": "# nothing\n",
    "long repetition of an item": changed("seeds", f"[{', '.join(['7'] * 9000)}]"),
}

VALUES = {
    f"{key}: {value}": changed(key, value)
    for key, value in [
        ("seeds", "[4294967296]"),
        ("seeds", "[-1]"),
        ("seeds", "[1.0]"),
        ("seeds", "[true]"),
        ("seeds", f"[{10**30}]"),
        ("seeds", "[1_0:30]"),
        ("learning_rate", "1:30"),
        ("learning_rate", "190:20:30.15"),
        ("learning_rate", "010"),
        ("learning_rate", ".nan"),
        ("learning_rate", ".inf"),
        ("learning_rate", "1e400"),
        ("learning_rate", "0,004"),
        ("learning_rate", "2024-01-01"),
        ("epochs", f"{10**30}"),
        ("epochs", "1000000001"),
        ("epochs", "08"),
        ("max_length", f"{10**18}"),
        ("batch_size", f"-{10**50}"),
        ("rank", f"{2**63}"),
        ("seed", "4294967296"),
        ("seed", "-1"),
        ("num_examples", f"{10**18}"),
        ("vocab_size", f"{10**12}"),
        ("confidence", "1:00"),
    ]
}

READ_ALL = """
import resource, sys
from pathlib import Path
from weft.config import load_experiment
from weft.errors import WeftError
resource.setrlimit(resource.RLIMIT_AS, (2**30, 2**30))
resource.setrlimit(resource.RLIMIT_CPU, (60, 60))
for folder in sorted(Path(sys.argv[1]).iterdir(), key=lambda path: int(path.name)):
    try:
        load_experiment(folder / "tiny.yaml")
        outcome = "accepted"
    except WeftError as error:
        outcome = "refused " + str(error).replace("\\n", "|")
    print(folder.name, outcome)
"""
"""Reads every file in one process with 1 GiB of memory and 60 s of processor time in all."""


def num_offences(message):
    return max(1, message.count("\n  "))


def is_short(message):
    return len(message) <= MAX_EXTRA + MESSAGE_CHARACTERS * num_offences(message)


def test_there_are_many_hostile_files():
    assert len(BOMBS) + len(TEXTS) + len(VALUES) >= 80


def test_files_that_would_fill_memory_are_refused_within_limits(tmp_path):
    for number, text in enumerate(BOMBS.values()):
        folder = tmp_path / "files" / str(number)
        folder.mkdir(parents=True)
        (folder / "tiny.yaml").write_text(text, "utf-8")
    result = subprocess.run(
        [sys.executable, "-c", READ_ALL, str(tmp_path / "files")],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},
    )
    outcomes = [line.partition(" ")[2] for line in result.stdout.splitlines()]
    assert (result.returncode, result.stderr) == (0, "")
    for name, outcome in zip(BOMBS, outcomes, strict=True):
        assert outcome.startswith("refused"), name
        assert is_short(outcome.replace("|", "\n")), name
        assert "tiny.yaml" in outcome, name


def refuse(path, capsys):
    """Run a command on an experiment file as a person does, and return what it prints before it exits."""
    with pytest.raises(SystemExit) as caught, exit_on_error():
        app(["config", "show", str(path)], standalone_mode=False)
    printed = capsys.readouterr()
    assert (caught.value.code, printed.out) == (2, "")
    return printed.err


@pytest.mark.parametrize("text", [*TEXTS.values(), *VALUES.values()], ids=[*TEXTS, *VALUES])
def test_a_hostile_file_gives_one_short_message(tmp_path, capsys, text):
    path = tmp_path / "tiny.yaml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    message = refuse(path, capsys)
    assert is_short(message)
    assert "tiny.yaml" in message


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (
            VALUES["learning_rate: 1:30"],
            "line 90, training.learning_rate: expected a valid number; got '1:30'",
        ),
        (VALUES["seeds: [4294967296]"], "line 13, seeds.0: expected less than or equal to 4294967295"),
        (TEXTS["surrogate in prefill"], "tiny.yaml, line 129: expected a text without control characters"),
    ],
)
def test_line_and_key_are_named(tmp_path, capsys, text, place):
    (tmp_path / "tiny.yaml").write_text(text)
    assert place in refuse(tmp_path / "tiny.yaml", capsys)


def test_aliases_that_stand_for_little_are_allowed(tmp_path):
    path = tmp_path / "tiny.yaml"
    path.write_text(changed("seeds", "&seeds [1, 2, 3]\nx-same: [*seeds, *seeds]"))
    assert RUN.invoke(app, ["config", "show", str(path)]).exit_code == 0


@pytest.mark.parametrize("kind", ["device", "pipe", "folder"])
def test_only_regular_files_are_read(tmp_path, kind):
    path = tmp_path / "config.yaml"
    if kind == "device":
        path.symlink_to("/dev/zero")
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.mkdir()
    with pytest.raises(ConfigError, match="expected a regular file"):
        read_settings(path)


def test_run_settings_are_bounded_as_well(tmp_path):
    path = tmp_path / "config.yaml"
    text = Path("config.yaml").read_text("utf-8")
    path.write_text(text + f"colour:\n{bomb(9)}\n")
    with pytest.raises(ConfigError, match="counting what aliases"):
        read_settings(path)
    path.write_text(text.replace("sample_shards: 1", f"sample_shards: {10**12}"))
    with pytest.raises(ConfigError, match="sample_shards: expected less than or equal to 1000000000"):
        read_settings(path)
