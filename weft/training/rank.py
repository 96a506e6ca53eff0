"""Run a rank of a fine-tuning job, as ``python -m weft.training.rank JOB``; see `weft.training.launch`."""

import gc
import os
import shutil
import sys
from contextlib import nullcontext
from pathlib import Path

from weft.devices.lease import join_lease
from weft.errors import TrainingError, exit_on_error
from weft.records.files import lock_output, read_json
from weft.records.full_disk import explain_full_disk


def main() -> None:
    """Read the job file that is given on the command line, and train."""
    gc.set_threshold(50_000)  # imports of large libraries leave no garbage to collect
    from weft.training.launch import end_rank, end_with_launcher

    with exit_on_error():
        join_lease()
    end_with_launcher()  # after the lease, which the launcher holds until it ends
    from weft.training.finetune import finetune
    from weft.training.job import TrainingJob
    from weft.training.resume import remove_torn_checkpoints

    gc.freeze()  # the objects of the libraries are needed to the end; collections need not visit them
    with exit_on_error():
        job = read_json(Path(sys.argv[1]), TrainingJob, error=TrainingError, remedy="start weft train again")
        is_first = os.environ["RANK"] == "0"
        with lock_output(job.out) if is_first else nullcontext():
            with remove_torn_checkpoints(job.state), explain_full_disk(job.state):
                finetune(job)
            if is_first:
                shutil.rmtree(job.state, ignore_errors=True)
    end_rank()


if __name__ == "__main__":
    main()
