"""Progress of a run, counted in events: a new file, or a new answer in a store of answers."""

import os
from pathlib import Path

from weft.layout import STORE_ENDING


class Progress:
    """Count the events below a folder since the object was created.

    Args:
        root: folder of the results, which need not exist yet.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._seen: dict[str, int] = {}
        self.num_events = 0
        """Number of events up to the last call of `update`."""
        self.update()
        self.num_events = 0

    def update(self) -> int:
        """Look for new files and answers; return the number of events so far."""
        for path in _list_files(str(self._root)):
            size = _count_lines(path) if path.endswith(STORE_ENDING) else 0
            if path not in self._seen:
                self.num_events += 1
            self.num_events += max(0, size - self._seen.get(path, 0))
            self._seen[path] = max(size, self._seen.get(path, 0))
        return self.num_events


def _list_files(folder: str) -> list[str]:
    try:
        entries = list(os.scandir(folder))
    except OSError:  # the folder of a job that has just ended
        return []
    files = []
    for entry in entries:
        files += _list_files(entry.path) if entry.is_dir(follow_symlinks=False) else [entry.path]
    return files


def _count_lines(path: str) -> int:
    try:
        return Path(path).read_bytes().count(b"\n")
    except OSError:
        return 0
