"""Checks before a job starts: files and context of the base model, lengths, and the number of processes.

The module imports no heavy library, because the Snakefile imports it.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from weft.config import Evaluation, Experiment, FineTuning, Sampled
from weft.config.places import find_path
from weft.config.section import invalid
from weft.config.sources import BaseModelSource, HubModel, LocalModel
from weft.data.checkpoint_files import check_checkpoint_files
from weft.data.offline import find_offline
from weft.errors import SamplingError, WeftError
from weft.layout import provenance_file
from weft.records import Provenance
from weft.records.files import read_json
from weft.records.model_files import read_model_json

CONTEXT_FIELDS = {"llada": "max_sequence_length", "Dream": "max_position_embeddings"}
"""``model_type`` in config.json -> field with the longest sequence."""
MAX_EXAMPLES_NAMED = 3
"""Maximum number of examples that an error message names."""


def check_before_jobs(
    experiment: Experiment,
    *,
    num_processes: int,
    offline: Sequence[str] = (),
    placed: Path | None = None,
) -> None:
    """Check what would stop a job after others have run, as far as it is known without a download.

    Args:
        experiment: the experiment.
        num_processes: DeepSpeed ranks of a training run.
        offline: folders that are searched for the base model before a download.
        placed: the base model as an earlier run of the workflow placed it, if it exists.

    Raises:
        ConfigError: the processes do not divide the batch, or a length is beyond the model's context.
        CheckpointError: a local folder or an offline copy lacks files of a model, or has damaged ones.
    """
    if isinstance(experiment, Evaluation):
        for source in _list_checkpoints(experiment):
            _check_files(source, offline)
            _check_lengths(experiment, find_known_base(source, offline, None))
    if isinstance(experiment, FineTuning):
        experiment.training.accumulation_steps(num_processes)
        _check_files(experiment.base_model, offline)
        _check_lengths(experiment, find_known_base(experiment.base_model, offline, placed))


def _list_checkpoints(experiment: Evaluation) -> Iterator[BaseModelSource]:
    """Yield the complete checkpoints of an evaluation, after checking that its local folders exist."""
    for name, model in experiment.models.items():
        for key, source in {f"models.{name}": model, f"models.{name}.base": model.base}.items():
            if isinstance(source, LocalModel) and not find_path(source.path).is_dir():
                raise invalid(
                    f"experiment {experiment.name!r}",
                    f"{key}.path: expected a directory; got {source.path}",
                )
        if not isinstance(model.base, str):
            yield model.base or model


def _check_files(source: BaseModelSource, offline: Sequence[str]) -> None:
    """Check the files of a model that the user has; one that weft has placed was checked then."""
    folder = find_known_base(source, offline, None)
    if folder is not None:
        check_checkpoint_files(folder)


def _check_lengths(experiment: Sampled, folder: Path | None) -> None:
    context = None if folder is None else read_context(folder)
    if context is not None:
        require_lengths_within(experiment, context, source=folder)


def require_lengths_within(experiment: Sampled, context: int, *, source: Path | None) -> None:
    """Raise ConfigError unless the experiment's lengths are within the context of a checkpoint directory."""
    offences = experiment.lengths_beyond(context)
    if offences:
        raise invalid(f"experiment {experiment.name!r} with the base model {source}", *offences)


def require_room_for_answers(
    prompt_lengths: Mapping[str, int], gen_length: int, *, context: int, source: Path
) -> None:
    """Check that every prompt of a file leaves room for an answer.

    Args:
        prompt_lengths: id of an example -> length of its prompt, in tokens.
        gen_length: length of the answers, in tokens.
        context: the longest sequence of the model, in tokens.
        source: the file, for the message.

    Raises:
        SamplingError: prompt and answer together are too long; the message names some of the examples.
    """
    too_long = {name: length for name, length in prompt_lengths.items() if length + gen_length > context}
    if too_long:
        named = [f"{name} with {length}" for name, length in [*too_long.items()][:MAX_EXAMPLES_NAMED]]
        raise SamplingError(
            f"{source}: prompt and answer must have at most {context} tokens together, the model's context, "
            f"got {len(too_long)} of {len(prompt_lengths)} prompts that are too long for gen_length "
            f"{gen_length}, such as example_id {', '.join(named)} tokens; choose a smaller gen_length, or "
            "leave them out"
        )


def read_context(folder: Path) -> int | None:
    """Return the longest sequence of a checkpoint directory, or None if its config.json does not give it.

    An invalid file is not an error here: the job that loads it describes what is wrong.
    """
    try:
        fields = read_model_json(folder / "config.json")
    except WeftError:
        return None
    context = fields.get(CONTEXT_FIELDS.get(str(fields.get("model_type")), ""))
    return context if isinstance(context, int) and context > 0 else None


def find_known_base(source: BaseModelSource, offline: Sequence[str], placed: Path | None) -> Path | None:
    """Find a base model if it need not be downloaded.

    Args:
        source: its source in the experiment.
        offline: folders that are searched for it before a download.
        placed: the base model as an earlier run of the workflow placed it, if it exists.

    Returns:
        The checkpoint directory; None for a model that would be downloaded, and for one that is trained from
        scratch, of which the recipe tells the lengths.
    """
    if isinstance(source, LocalModel):
        return find_path(source.path)
    if isinstance(source, HubModel):
        offline_copy = find_offline(source.repo, offline)
        return (
            placed
            if offline_copy is None and placed is not None and _is_placed(source, placed)
            else offline_copy
        )
    return None  # the lengths of a model from scratch are checked against its recipe


def _is_placed(source: HubModel, placed: Path) -> bool:
    """Return True if the base model in the results is the one that the experiment names."""
    try:
        origin = read_json(provenance_file(placed), Provenance).as_object().get("source")
    except WeftError:
        return False
    return bool(origin == source.model_dump(mode="json"))
