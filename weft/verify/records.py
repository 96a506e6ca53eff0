"""The records of ``verify-gpu.json``: the machine, and what each part measured on it."""

from typing import Literal, get_args

from pydantic import Field

from weft.records.base import Record

PartName = Literal["parity", "step", "sample"]
PARTS: tuple[PartName, ...] = get_args(PartName)
"""The parts in the order in which they run and are shown."""


class Measurement(Record):
    """A number that was measured, with the numbers beside which it is read."""

    subject: str
    """The work or the network that was measured."""
    quantity: str
    """What was measured of it."""
    value: float
    """The measured value."""
    unit: str
    """Unit of all values of this record."""
    limit: float | None = None
    """Largest value with which a check passes; None for a number that is no check."""
    goal: float | None = None
    """Largest value with which a goal of the project is reached; None without a goal."""
    planned: tuple[float, float] | None = Field(default=None, strict=False)  # a list in JSON
    """Smallest and largest value by the formulas of ``weft plan``; None if they give none."""

    @property
    def name(self) -> str:
        """Subject and quantity."""
        return f"{self.subject}: {self.quantity}"

    @property
    def verdict(self) -> str:
        """How the value compares with its limit or its goal, in words; empty without either."""
        if self.limit is not None:
            return "passed" if self.value <= self.limit else "FAILED"
        if self.goal is not None:
            return "reached" if self.value <= self.goal else "not reached"
        return ""


class Skipped(Record):
    """Something that was not measured."""

    what: str
    """What was not measured."""
    why: str
    """The reason, and what to do about it."""


class PartResult(Record):
    """What one part measured."""

    part: PartName
    """Name of the part."""
    subject: str
    """The network, its type, and the sizes of the work."""
    seconds: float = Field(ge=0)
    """Wall time of the part, in seconds, loading included."""
    measurements: list[Measurement]
    """The numbers, in the order in which they were measured."""
    skipped: list[Skipped]
    """What was left out; empty if everything was measured."""

    @property
    def failures(self) -> list[str]:
        """Names of the checks that failed."""
        return [item.name for item in self.measurements if item.verdict == "FAILED"]


class Machine(Record):
    """The device and the programs."""

    device: str
    """Name of the GPU, or of the processor's architecture."""
    num_devices: int
    """Number of visible GPUs; 1 for a processor."""
    memory_gib: float | None
    """Memory of one GPU that torch can use, in GiB; None for a processor."""
    matrix_tflops: float
    """Rate of a large matrix product in the type of the network, measured, in 10^12 operations per second."""
    driver: str
    """Version of CUDA that torch was built for; empty on a processor."""
    versions: dict[str, str]
    """Version of Python and of each package."""


class VerifyReport(Record):
    """The content of ``verify-gpu.json``."""

    weft: str
    """Version of weft."""
    size: str
    """Size of the networks, a key of `weft.verify.sizes.SIZES`."""
    weights: str
    """Origin of the weights: ``random``, or the name of a checkpoint directory."""
    machine: Machine
    """The device and the programs."""
    parts: list[PartResult]
    """The parts that were run, at most one result for each."""

    def with_part(self, result: PartResult) -> "VerifyReport":
        """Return the report with the result of a part, which takes the place of an earlier one."""
        others = {item.part: item for item in self.parts} | {result.part: result}
        return self.model_copy(update={"parts": [others[name] for name in PARTS if name in others]})
