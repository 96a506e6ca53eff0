"""Simulated GPUs: a program nvidia-smi that lists them."""

import os


def simulate_gpus(folder, *, count=8, slices=()):
    """Write nvidia-smi for a machine, and return the search path that finds it.

    ``slices`` has the number of MIG instances of the first GPUs.
    """
    lines = []
    for gpu in range(count):
        lines.append(f"GPU {gpu}: NVIDIA H100 80GB HBM3 (UUID: GPU-{gpu}a1b2c3d)")
        for part in range(slices[gpu] if gpu < len(slices) else 0):
            lines.append(f"  MIG 3g.40gb     Device  {part}: (UUID: MIG-{gpu}{part}e5f6)")
    program = folder / "nvidia-smi"
    program.write_text("#!/bin/sh\ncat <<'END'\n" + "\n".join(lines) + "\nEND\n")
    program.chmod(0o755)
    return f"{folder}{os.pathsep}{os.environ['PATH']}"
