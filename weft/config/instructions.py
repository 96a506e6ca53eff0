"""Names of the instruction texts that precede a question, and the origin of d1's texts.

The repository does not contain d1's texts. They are read from d1's source at a fixed commit and checked
against the hashes given here. `weft.data.instructions` contains short texts of our own.
"""

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from weft.config.section import Section, Sha256

InstructionName = Literal[
    "none", "format", "sudoku", "countdown", "mathematics",
    "d1/gsm8k", "d1/math500", "d1/countdown", "d1/sudoku", "d1/sft",
]  # fmt: skip
"""Name of a text that weft contains or that d1 has."""


class InstructionFile(Section):
    """A text that is a constant in a Python file of another project."""

    url: str = Field(pattern=r"^https?://")
    """Address of a fixed version of the file."""
    constant: str = Field(pattern=r"^\w+$")
    """Name of the constant, assigned once at the top level of the file."""
    sha256: Sha256
    """SHA-256 of the text in UTF-8, not of the file."""
    offline: str = Field(min_length=1)
    """Path of a local copy, relative to the folders of ``offline`` in config.yaml."""


def _kind_of_instruction(value: Any) -> str:
    return "instruction_file" if isinstance(value, dict | InstructionFile) else "instruction_name"


Instruction = Annotated[
    Annotated[InstructionName, Tag("instruction_name")] | Annotated[InstructionFile, Tag("instruction_file")],
    Discriminator(_kind_of_instruction),
]
"""The text that precedes every question: its name, or the file that contains it."""

D1_COMMIT = "837888f22c21a5da91a0af2b0d7b19e81d9b47ec"


def _d1(path: str, constant: str, sha256: str) -> InstructionFile:
    url = f"https://raw.githubusercontent.com/dllm-reasoning/d1/{D1_COMMIT}/{path}"
    return InstructionFile(url=url, constant=constant, sha256=sha256, offline=f"d1_code/{path}")


# fmt: off
D1_TEXTS: dict[str, InstructionFile] = {
    "d1/gsm8k": _d1("eval/gsm8k.py", "GSM_SYSTEM_PROMPT",
        "f11d75a706090b9523845d4a5314e268dcc1bd4bb3c76fdac3377e1504c0f1c2"),
    "d1/math500": _d1("eval/math500.py", "MATH500_SYSTEM_PROMPT",
        "3e82f3bac66b3bc1c8c3e02b804c0ac8388513b60cf078a30e30c7e35e7297e8"),
    "d1/countdown": _d1("eval/countdown.py", "CTD_SYSTEM_PROMPT",
        "a303f737bca286cbdcc4b6e837caa783665115cc2fb96d3a25a4e68d7a1d4fd1"),
    "d1/sudoku": _d1("eval/sudoku.py", "SUDOKU_SYSTEM_PROMPT",
        "758dc4e1b10cba4dca68348f590e014545d57b5a36e7370c36e73ed5c25f58d7"),
    "d1/sft": _d1("SFT/sft_trainer.py", "SYSTEM_PROMPT",
        "29d62d8e1d52bdb3ed7dba9ebb148faea5425753003fbcde5cd0aca4c35910a6"),
}
"""Name -> location of each text of d1. Two independent forks of d1 have the same hashes."""
# fmt: on


def instruction_file(instruction: Instruction) -> InstructionFile | None:
    """Return the file from which an instruction is read; None for a text that weft contains."""
    return instruction if isinstance(instruction, InstructionFile) else D1_TEXTS.get(instruction)
