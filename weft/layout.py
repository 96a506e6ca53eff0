"""Names of all files and folders below ``results/``, for the Snakefile, the command line and the report.

The names may contain wildcards of Snakemake: ``str(ResultLayout("results/{experiment}").run("{run}"))`` is
the pattern ``results/{experiment}/runs/{run}``.
"""

import re
from dataclasses import dataclass
from pathlib import Path

RESULTS = Path("results")
PACKAGE = Path(__file__).resolve().parent
SHIPPED_FILES = PACKAGE / "shipped"
"""Folder in an installed package with the experiments, the workflow and config.yaml; absent in a checkout."""
TABLE_FORMATS = ("csv", "md")
FIGURE_FORMATS = ("png", "pdf", "svg")

Length = int | str
"""Length of an answer in tokens, or a wildcard for it."""


@dataclass(frozen=True)
class ResultLayout:
    """The results folder of one experiment.

    Attributes:
        root: ``results/<experiment>``.
    """

    root: Path

    @classmethod
    def of(cls, experiment: str) -> "ResultLayout":
        """Return the layout of an experiment, given its name or a wildcard for it."""
        return cls(RESULTS / experiment)

    # Data and base model

    def questions(self, benchmark: str) -> Path:
        """Return the path of the test questions of a benchmark (`weft.records.Question`)."""
        return self.root / "data/questions" / f"{benchmark}.jsonl"

    def examples(self, dataset: str) -> Path:
        """Return the path of the training examples of a data set as text (`weft.records.Example`)."""
        return self.root / "data/examples" / f"{dataset}.jsonl"

    def prepared(self, dataset: str) -> Path:
        """Return the path of the folder with the tokenised examples of a data set."""
        return self.root / "data/prepared" / dataset

    def check(self, dataset: str) -> Path:
        """Return the path of the check of a data set for test questions (`weft.records.DataCheck`)."""
        return self.root / "checks" / f"{dataset}.json"

    def first_check(self, dataset: str) -> Path:
        """Return the path of the empty file that exists once a data set has passed a check."""
        return self.root / "checks" / f".{dataset}.passed"

    @property
    def base(self) -> Path:
        """Path of the checkpoint directory of the base model."""
        return self.root / "base"

    @property
    def pretrained(self) -> Path:
        """Path of the checkpoint directory of a base model that the workflow trains itself."""
        return self.root / "pretrained"

    def model(self, name: str) -> Path:
        """Return the path of the folder with a model of an evaluation: a checkpoint or an adapter."""
        return self.root / "models" / name

    def model_base(self, name: str) -> Path:
        """Return the path of the checkpoint of a base model that only this model of an evaluation has."""
        return self.root / "bases" / name

    # Training

    def run(self, run: str) -> Path:
        """Return the path of the folder with the adapter or checkpoint of a training run."""
        return self.root / "runs" / run

    def history(self, run: str) -> Path:
        """Return the path of the training log of a run (`weft.records.StepMetrics`)."""
        return self.run(run) / HISTORY_FILE

    def timing(self, run: str) -> Path:
        """Return the path of the wall times of a run (`weft.records.Timing`)."""
        return self.run(run) / TIMING_FILE

    def export(self, run: str) -> Path:
        """Return the path of the checkpoint directory of a run in its published form."""
        return self.root / "exports" / run

    def probe(self, dataset: str) -> Path:
        """Return the path of the token entropies of a training set under the base model."""
        return self.root / "probe" / f"{dataset}.parquet"

    def gradients(self, dataset: str) -> Path:
        """Return the path of the gradient study of a training set."""
        return self.root / "gradients" / f"{dataset}.parquet"

    # Answers and scores

    def samples(self, run: str, benchmark: str, gen_length: Length) -> Path:
        """Return the path of the answers of a run to a benchmark (`weft.records.Generation`)."""
        return self.root / "samples" / run / benchmark / f"{gen_length}.jsonl"

    def shard(self, run: str, benchmark: str, gen_length: Length, shard: Length, shards: Length) -> Path:
        """Return the path of the answers of one of several jobs that share the questions of a benchmark."""
        return self.root / "shards" / run / benchmark / f"{gen_length}.{shard}of{shards}.jsonl"

    def scores(self, scoring: str, run: str, benchmark: str, gen_length: Length) -> Path:
        """Return the path of the scores of these answers (`weft.records.ScoredExample`)."""
        return self.all_scores / scoring / run / benchmark / f"{gen_length}.jsonl"

    @property
    def all_scores(self) -> Path:
        """Path of the folder with the scores of all runs."""
        return self.root / "scores"

    def validation(self, benchmark: str) -> Path:
        """Return the path of the validation questions of a benchmark (`weft.records.Question`)."""
        return self.root / "data/validation" / f"{benchmark}.jsonl"

    def curve(self, run: str) -> Path:
        """Return the path of the learning curve of a run (`weft.records.CurvePoint`)."""
        return self.root / "curves" / f"{run}.jsonl"

    # Report

    def table(self, name: str, ending: str = "csv") -> Path:
        """Return the path of a table in one of its formats."""
        return self.tables / f"{name}.{ending}"

    def figure(self, name: str, ending: str = "png") -> Path:
        """Return the path of a figure in one of `FIGURE_FORMATS`."""
        return self.figures / f"{name}.{ending}"

    @property
    def page(self) -> Path:
        """Path of the report page."""
        return self.root / "report/index.html"

    @property
    def tables(self) -> Path:
        """Path of the folder with the tables."""
        return self.root / "tables"

    @property
    def figures(self) -> Path:
        """Path of the folder with the figures."""
        return self.root / "figures"

    @property
    def verification(self) -> Path:
        """Path of the outcome of verifying all results but the page (`weft.records.Verification`)."""
        return self.root / "report/verification.json"

    @property
    def verified(self) -> Path:
        """Path of the empty file that exists once all results, the page included, have been verified."""
        return self.root / "report/.verified"

    @property
    def all_answers(self) -> Path:
        """Path of the compressed file with all answers and their verdicts, to which the page links."""
        return self.root / "report/examples.jsonl.gz"

    def trace(self, run: str) -> Path:
        """Return the path of the page that shows a run's answers step by step."""
        return self.root / "report/traces" / f"{run}.html"

    # Files of Snakemake

    def log(self, *job: str) -> Path:
        """Return the path of the log of a job, given its rule and, if it has wildcards, a name with them."""
        return self.root / f"logs/{'/'.join(job)}.log"

    def benchmark(self, *job: str) -> Path:
        """Return the path of the file to which Snakemake writes time and memory of a job."""
        return self.root / f"timings/{'/'.join(job)}.jsonl"


PROVENANCE_ENDING = ".provenance.json"
STORED_ENDING = ".stored"
"""Ending of the name of a result of which only the provenance was stored."""
SNAKEMAKE_TIMESTAMP = ".snakemake_timestamp"
"""File that Snakemake writes to each directory that is an output of a job."""
STORE_ENDING = ".answers"
HISTORY_FILE = "history.jsonl"
TIMING_FILE = "timing.json"
SUMMARY_FILE = "summary.json"
"""File with the lengths of the examples in a folder of tokenised examples."""


# Files beside a result. They are not declared as outputs, which Snakemake deletes if a job is interrupted.


def provenance_file(result: Path) -> Path:
    """Return the path of the provenance file of a result (`weft.records.Provenance`)."""
    named = result if result.name else result.absolute()  # "." has no name
    return named.with_name(f"{named.name}{PROVENANCE_ENDING}")


def digests_file(directory: Path) -> Path:
    """Return the path of the file with the digests of a directory's files (`weft.records.FileDigests`)."""
    named = directory if directory.name else directory.absolute()
    return named.with_name(f".{named.name}.digests.json")


def answer_store(out: Path, digest: str) -> Path:
    """Return the path of the file that keeps the answers of a job, given the digest of the job's settings."""
    return out.with_name(f".{out.name}.{digest[:12]}{STORE_ENDING}")


def answer_stores(out: Path) -> list[Path]:
    """Return the existing files that keep answers for an output, for jobs with any settings."""
    name = re.compile(rf"\.{re.escape(out.name)}\.[0-9a-f]{{12}}{re.escape(STORE_ENDING)}")
    return [path for path in out.parent.iterdir() if name.fullmatch(path.name)]


def state_folder(out: Path, digest: str) -> Path:
    """Return the path of the folder with the state from which a job is resumed."""
    return out.with_name(f".{out.name}.{digest[:12]}.state")


def kept_folder(out: Path, digest: str) -> Path:
    """Return the path of the folder that keeps the result of a finished training."""
    return out.with_name(f".{out.name}.{digest[:12]}.done")


def launched(out: Path) -> Path:
    """Return the path whose lock is held while a training is launched and runs."""
    return out.with_name(f"{out.name}.launch")


def snapshot_folder(run_folder: Path, step: Length) -> Path:
    """Return the path of the adapter after an optimiser step, in the folder of a run."""
    return run_folder / "snapshots" / str(step)


def curve_answers(curve: Path, step: int, benchmark: str, gen_length: Length) -> Path:
    """Return the path of the answers to validation questions after an optimiser step, beside the curve."""
    return curve.with_suffix("") / str(step) / benchmark / f"{gen_length}.jsonl"


def lock_file(out: Path) -> Path:
    """Return the path of the file that is locked while a process works on a result."""
    return out.with_name(f".{out.name}.lock")


def frozen_probe(run_folder: Path, digest: str) -> Path:
    """Return the path of the base model's uncertainties, shared by all runs whose inputs have this digest."""
    return run_folder.parent / ".probes" / f"{digest}.safetensors"


def tracker_folder(run_folder: Path, tracker: str) -> Path:
    """Return the path of the files of a tracker that keeps them on this machine, for all runs."""
    folder = run_folder.parent
    return (folder.parent if folder.name == "runs" else folder) / "trackers" / tracker
