"""Read and run the code blocks of a page of the documentation."""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
BLOCK = re.compile(
    r"(?:^<!-- not run: (?P<reason>[^>]*?) -->\n+)?"
    r'^```(?P<language>\w*)(?: title="(?P<title>[^"]+)")?\n(?P<code>.*?)^```$',
    flags=re.MULTILINE | re.DOTALL,
)
RUN = frozenset({"sh", "python"})
"""Languages of blocks that are run."""
SHOWN = frozenset({"text", "console"})
"""Languages of blocks that show output."""
COPIED = ("Snakefile", "config.yaml", "envs", "examples", "experiments", "profiles", "weft", "workflow")
"""What a checkout needs for the commands of the pages."""
END = "END_OF_BLOCK"


@dataclass(frozen=True)
class Block:
    """A code block.

    Attributes:
        language: what follows the three backticks.
        title: path of the file that holds the block, None for commands and output.
        reason: reason why the block is not run, None if it is run.
        code: the text.
    """

    language: str
    title: str | None
    reason: str | None
    code: str

    @property
    def script(self) -> str:
        """Shell commands that write the file or run the block; empty if there is nothing to do."""
        if self.reason is not None or (self.title is None and self.language not in RUN):
            return ""
        if self.title is None and self.language == "sh":
            return self.code
        target = "python -" if self.title is None else f"mkdir -p $(dirname {self.title}); cat > {self.title}"
        return f"{target} <<'{END}'\n{self.code}{END}\n"


def read_blocks(page: str) -> list[Block]:
    """Return the code blocks of a page, in order.

    Args:
        page: text of the page.

    Returns:
        The blocks.
    """
    return [Block(**match.groupdict()) for match in BLOCK.finditer(page)]


def run_blocks(page: Path, folder: Path) -> str:
    """Run the blocks of a page, in order and in one shell, in a copy of the checkout.

    Args:
        page: the page.
        folder: empty folder for the copy.

    Returns:
        What the commands print.
    """
    shutil.copytree(REPOSITORY, folder, dirs_exist_ok=True, ignore=_leave_out)
    program = folder / "bin" / "weft"  # the command that an installation would make
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m weft "$@"\n')
    program.chmod(0o755)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SLURM")} | {
        "PATH": os.pathsep.join([str(program.parent), str(Path(sys.executable).parent), os.environ["PATH"]]),
        "PYTHONPATH": str(folder),
        "HF_HUB_OFFLINE": "1",
    }
    script = "set -euo pipefail\n" + "".join(block.script for block in read_blocks(page.read_text("utf-8")))
    result = subprocess.run(
        ["bash", "-c", script], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, f"{script}\n{result.stdout}\n{result.stderr}"
    return result.stdout


def _leave_out(folder: str, names: list[str]) -> list[str]:
    """Return the names that the copy of the checkout lacks."""
    kept = COPIED if Path(folder) == REPOSITORY else names
    return [name for name in names if name not in kept or name == "__pycache__"]
