"""A small file system of its own, to try what happens when it becomes full."""

import subprocess
from contextlib import contextmanager

import pytest


@contextmanager
def small_disk(folder, kibibytes):
    """Mount a file system of a given size at an empty folder; skip the test where that is not permitted."""
    mount = ["mount", "-t", "tmpfs", "-o", f"size={kibibytes}k", "none", str(folder)]
    try:
        done = subprocess.run(mount, capture_output=True, text=True, check=False)
    except OSError as error:
        pytest.skip(f"a small file system cannot be mounted here: {error}")
    if done.returncode:
        pytest.skip(f"a small file system cannot be mounted here: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def enlarge(folder, kibibytes):
    """Change the size of a file system of `small_disk`."""
    subprocess.run(["mount", "-o", f"remount,size={kibibytes}k", str(folder)], check=True)
