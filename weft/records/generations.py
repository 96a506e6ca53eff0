"""Answers of models to test questions."""

from pydantic import ConfigDict, JsonValue

from weft.records.base import Count, Record


class Generation(Record):
    """The answer of a model to a test question. The first five fields are enough for scoring."""

    model_config = ConfigDict(allow_inf_nan=True)  # a published reference may be NaN

    example_id: str
    """Id of the question, see `Question`."""
    benchmark: str
    """Name of the benchmark."""
    question: str
    """Text of the question, without an instruction."""
    reference: JsonValue
    """The right answer, in the form that the benchmark's scorer expects."""
    generation: str
    """Text of the whole canvas, special tokens included."""
    gen_length: Count | None = None
    """Length of the canvas, in tokens."""
    diffusion_steps: int | None = None
    """Denoising steps of a whole canvas; with a confidence threshold, the maximum."""
    block_length: int | None = None
    """Length of a block, in tokens."""
    num_forward: int | None = None
    """Denoising steps of this answer; fewer if it ended early or a confidence threshold was used."""
    ended_early: bool | None = None
    """True if the blocks after the first end-of-text were filled with end-of-text instead of denoised."""
    seed: int | None = None
    """Training seed of the model; None for the base model."""
    model: str | None = None
    """Experiment and run, or the name of the model."""
    digest: str | None = None
    """Digest of the settings, the instruction and the model."""
    approximate: str | None = None
    """Description of approximate sampling, such as "dual cache, threshold 0.9"; otherwise absent."""
