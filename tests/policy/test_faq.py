"""The error messages that the questions and answers explain are those of the code."""

import re
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
OTHERS = {"CUDA out of memory in a training", "401 or 403 from the hub"}
"""Messages of other software."""


def test_the_explained_messages_are_those_of_the_code():
    source = "".join(file.read_text() for file in (REPOSITORY / "weft").rglob("*.py"))
    source = re.sub(r'"\s*f?"', "", source)  # a message that is written in several parts
    table = (REPOSITORY / "docs/faq.md").read_text().partition("## What does this error mean?")[2]
    rows = [line.split(" | ")[0].strip("| ") for line in table.splitlines() if line.startswith("| ")]
    messages = [row for row in rows if row.startswith("`")]
    assert set(rows) - set(messages) - OTHERS <= {"message", "---"}
    assert len(messages) > 5
    for message in messages:
        for part in re.split("…|[0-9], ", message.strip("`")):
            assert part.strip() in source, message
