"""The settings as the page shows them: the most important in a list, and all of them as YAML."""

from collections.abc import Iterable, Iterator

import yaml

from weft.config import Evaluation, Experiment, FineTuning, Sampled, StoredGenerations
from weft.config.places import as_written
from weft.config.sources import HubModel, LocalModel
from weft.report.labels import benchmark_name, method_label


def resolved_yaml(experiment: Experiment) -> str:
    """Return all settings of an experiment, defaults and inherited values included, as YAML."""
    content = experiment.model_dump(mode="json")
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=100)


def main_settings(experiment: Experiment) -> list[tuple[str, str]]:
    """Return the names of the most important settings and their values as text."""
    if isinstance(experiment, StoredGenerations):
        return list(_list_stored(experiment))
    if isinstance(experiment, Evaluation):
        return [*_list_evaluated(experiment), *_list_sampling(experiment)]
    sampling = _list_sampling(experiment) if experiment.benchmarks else []
    return [*_list_models(experiment), *_list_training(experiment), *sampling]


def _list_evaluated(experiment: Evaluation) -> Iterator[tuple[str, str]]:
    for name, model in experiment.models.items():
        base = model.base
        on_base = "" if base is None else f", on {base if isinstance(base, str) else _describe_model(base)}"
        yield f"model {name}", f"{_describe_model(model)}{on_base}"


def _describe_model(source: HubModel | LocalModel) -> str:
    if isinstance(source, HubModel):
        return f"{source.repo} at {source.revision}"
    return f"the directory {source.path}"


def _list_stored(experiment: StoredGenerations) -> Iterator[tuple[str, str]]:
    yield "model", experiment.generations.model
    yield "benchmarks", ", ".join(benchmark_name(experiment, name) for name in experiment.benchmark_names)
    yield "length of the answers", f"{_join(experiment.gen_lengths)} tokens"
    yield "scoring", _join(experiment.scoring)


def _list_models(experiment: FineTuning) -> Iterator[tuple[str, str]]:
    source = experiment.base_model
    if isinstance(source, HubModel):
        yield "base model", f"{source.repo} at {source.revision}"
    elif isinstance(source, LocalModel):
        yield "base model", f"the checkpoint {as_written(source.path)}"
    else:
        shape = source.recipe.architecture
        yield (
            "base model",
            f"LLaDA trained from scratch: {shape.num_layers} layers, {shape.hidden_size} dimensions",
        )
    yield "methods", ", ".join(method_label(name) for name in experiment.methods)
    yield "training sets", _join(experiment.dataset_names)
    yield "training seeds", _join(experiment.seeds)


def _list_training(experiment: FineTuning) -> Iterator[tuple[str, str]]:
    training = experiment.training
    yield (
        "training",
        f"{training.epochs} epochs in batches of {training.batch_size}, at most {training.max_length} tokens "
        "per example",
    )
    rates = [
        f"{method.learning_rate:g} for {method_label(name)}"
        for name, method in experiment.methods.items()
        if method.learning_rate is not None
    ]
    yield (
        "optimiser",
        f"AdamW, learning rate {_join([f'{training.learning_rate:g}', *rates])} ({training.lr_scheduler}, "
        f"{training.warmup_steps} warm-up steps), weight decay {training.weight_decay:g}, gradient norm at "
        f"most {training.max_grad_norm:g}",
    )
    lora = training.lora
    yield (
        "trained parameters",
        "all"
        if lora is None
        else f"LoRA with rank {lora.rank}, alpha {lora.alpha} and dropout {lora.dropout:g} on "
        f"{', '.join(lora.target_modules)}",
    )


def _list_sampling(experiment: Sampled) -> Iterator[tuple[str, str]]:
    sampling = experiment.sampling
    threshold = sampling.confidence_threshold
    per_step = (
        f"{sampling.tokens_per_step} per step"
        if threshold is None
        else f"in each step those with a confidence above {threshold:g}"
    )
    yield (
        "sampling",
        f"{_join(sampling.gen_lengths)} tokens in blocks of {sampling.block_length}, {per_step}, "
        f"{sampling.remasking.replace('_', ' ')} remasking, temperature {sampling.temperature:g}",
    )
    yield "scoring", _join(experiment.scoring)
    yield "confidence level", f"{100 * experiment.statistics.confidence:g} %"


def _join(values: Iterable[object]) -> str:
    return ", ".join(map(str, values))
