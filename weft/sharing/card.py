"""The model card of a trained model: README.md with the metadata that the Hugging Face hub reads.

The card says what the model was trained from and with, what was measured, and how it is loaded. What is not
known is named as such.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from huggingface_hub import EvalResult, ModelCardData

from weft.config.methods import NEEDS, PRESETS
from weft.records import JsonObject
from weft.records.files import write_json, write_text
from weft.report.downloads import load_bibtex
from weft.report.labels import join_words, method_label, percent
from weft.report.licences import UNKNOWN, find_licence
from weft.sharing.facts import FACTS_FILE, RunFacts
from weft.sharing.results import Measured, Result

CARD_FILE = "README.md"
OWN_LICENCE = "Apache-2.0 (shipped with weft)"
PAPER = "WeFT: Weighted Entropy-driven Fine-Tuning for dLLMs"
Form = Literal["run", "adapter", "checkpoint"]
"""How the weights are stored. run: as ``weft train`` writes them; adapter: a LoRA adapter with the published
names of the modules; checkpoint: a whole model in the published form."""
FAMILIES = {"llada": "LLaDA", "dream": "Dream"}


@dataclass(frozen=True, kw_only=True)
class ModelCard:
    """Everything that a model card shows.

    Attributes:
        name: name of the model, or its repository on the hub.
        form: how the weights are stored.
        family: ``llada`` or ``dream``.
        is_adapter: whether the weights are an adapter.
        facts: what the model was trained from; None if it is not known.
        base: repository of the base model on the hub; None if it has none that is known.
        licence: licence of the model, as the hub names licences; None for that of the base model.
        results: measured accuracies.
    """

    name: str
    form: Form
    family: str
    is_adapter: bool
    facts: RunFacts | None = None
    base: str | None = None
    licence: str | None = None
    results: Sequence[Result] = ()

    @property
    def base_repository(self) -> str | None:
        """Repository of the base model on the hub."""
        return self.base or (self.facts.base_repository if self.facts else None)

    @property
    def base_commit(self) -> str | None:
        """Commit of the base model, if the facts are those of this base model."""
        is_same = self.facts is not None and self.facts.base_repository == self.base_repository
        return self.facts.base_commit if self.facts is not None and is_same else None

    @property
    def base_licence(self) -> str:
        """Licence of the base model and who states it, or `UNKNOWN`."""
        if self.base_repository is not None:
            return find_licence(self.base_repository)
        base = self.facts.base_model if self.facts else {}
        is_shipped = base.get("source") == "scratch" and base.get("use") == "shipped"
        return OWN_LICENCE if is_shipped else UNKNOWN


def write_run_card(folder: Path, facts: RunFacts, *, family: str) -> None:
    """Write facts and model card into the folder of a run that has just been trained.

    Args:
        folder: folder with the weights.
        facts: what the model was trained from.
        family: ``llada`` or ``dream``.
    """
    is_adapter = facts.training["lora"] is not None
    card = ModelCard(name=facts.run, form="run", family=family, is_adapter=is_adapter, facts=facts)
    write_card(folder, card)


def write_card(folder: Path, card: ModelCard) -> None:
    """Write a model card, and the facts beside it, into a folder.

    Args:
        folder: folder with the weights.
        card: the content of the card.
    """
    if card.facts is not None:
        write_json(folder / FACTS_FILE, card.facts)
    write_text(folder / CARD_FILE, render_card(card))


def render_card(card: ModelCard) -> str:
    """Return the text of a model card: metadata in YAML, and Markdown.

    Args:
        card: the content of the card.

    Returns:
        The text of README.md.
    """
    parts = [
        f"# {card.name}",
        _introduce(card),
        "## What it was trained from",
        *_describe_origin(card),
        "## Results",
        _describe_results(card),
        "## How to load it",
        *_describe_loading(card),
        "## Licence",
        _describe_licence(card),
        "## Citation",
        _code("bibtex", load_bibtex().strip()),
    ]
    return f"---\n{_metadata(card).to_yaml()}\n---\n\n" + "\n\n".join(parts) + "\n"


def _metadata(card: ModelCard) -> ModelCardData:
    facts = card.facts
    stated = card.base_licence.partition(" ")[0].lower()
    is_peft = card.is_adapter and card.form != "checkpoint"
    tags = ["weft", "masked-diffusion", card.family, *(["lora"] if is_peft else [])]
    if facts is not None:
        tags.append(str(facts.settings["preset"]))
    return ModelCardData(
        base_model=card.base_repository,
        base_model_relation="adapter" if is_peft and card.base_repository else None,
        datasets=(facts.data_repositories or None) if facts else None,
        library_name="peft" if is_peft else "transformers",
        license=card.licence or (None if stated == UNKNOWN else stated),
        pipeline_tag="text-generation",
        tags=list(dict.fromkeys(tags)),
        model_name=card.name if card.results else None,
        eval_results=[_as_evaluation(result) for result in card.results] or None,
    )


def _as_evaluation(result: Result) -> EvalResult:
    """Return a result for the hub.

    Its data set is not named as one of the hub, so that no list of the hub ranks it beside numbers that were
    measured in another way.
    """
    return EvalResult(
        task_type="text-generation",
        dataset_type="weft",
        dataset_name=result.benchmark,
        dataset_config=result.benchmark,  # without it, the results of all benchmarks are put together
        metric_type="accuracy",
        metric_name=f"accuracy, {result.scoring} scoring, {result.gen_length} tokens",
        metric_value=round(100 * result.model.accuracy, 1),
    )


def _introduce(card: ModelCard) -> str:
    family = FAMILIES.get(card.family, card.family)
    kind = "LoRA adapter for" if card.is_adapter and card.form != "checkpoint" else "checkpoint of"
    facts = card.facts
    if facts is None:
        return f"A {kind} a masked diffusion language model of the {family} family, exported by weft."
    merged = ", with its LoRA adapter merged into the weights" if _is_merged(card) else ""
    return (
        f"A {kind} a masked diffusion language model of the {family} family{merged}. It was fine-tuned with "
        f"{method_label(facts.method)} by weft {facts.weft_version}, an independent reproduction of "
        f"*{PAPER}* (arXiv 2509.20863); it is not a model of the paper's authors.\n\n"
        f"Experiment `{facts.experiment}`, run `{facts.run}`. {facts.caption}"
    )


def _is_merged(card: ModelCard) -> bool:
    return card.is_adapter and card.form == "checkpoint"


def _describe_origin(card: ModelCard) -> Iterator[str]:
    yield _bullets(
        {
            "base model": _name_base(card),
            "commit of the base model": card.base_commit or "not recorded",
            "licence of the base model": card.base_licence,
        }
    )
    facts = card.facts
    if facts is None:
        yield (
            "What it was trained with is not recorded in the folder of the weights. `weft export "
            "--experiment NAME` adds it if the experiment is known."
        )
        return
    yield f"### Training data: `{facts.dataset}`"
    licences = {name: find_licence(name) for name in facts.data_repositories}
    stated = {"licence": "; ".join(f"{name}: {text}" for name, text in licences.items())} if licences else {}
    yield _bullets(_flatten(facts.data) | stated)
    yield f"### Method: `{facts.method}`"
    yield _bullets(_effective_settings(facts.settings))
    yield "### Training"
    yield _bullets(_flatten(facts.training) | {"seed": str(facts.seed)})


def _name_base(card: ModelCard) -> str:
    if (repository := card.base_repository) is not None:
        return f"[{repository}](https://huggingface.co/{repository})"
    source = card.facts.base_model if card.facts else {}
    if source.get("source") == "scratch" and source.get("use") == "retrained":
        return "a small model that the experiment itself trains from scratch"
    if source.get("source") == "scratch":
        return f"the small model `{source.get('shipped')}` of the weft repository, trained from scratch"
    return f"a local folder, `{source['path']}`" if "path" in source else "not recorded"


def _effective_settings(settings: JsonObject) -> dict[str, str]:
    """Return the settings that have an effect in combination with the others, marking those of the user."""
    preset = PRESETS.get(str(settings["preset"]), {})
    shown = {"preset": f"`{settings['preset']}`"}
    for name, value in settings.items():
        is_idle = name in NEEDS and not NEEDS[name](settings)
        if name == "preset" or value is None or is_idle:
            continue
        shown[name] = _as_text(value) + (" (not the preset's)" if value != preset.get(name, value) else "")
    return shown


def _flatten(settings: Mapping[str, object], prefix: str = "") -> dict[str, str]:
    """Return all settings with a value as text; those of a section have its name before theirs."""
    flat: dict[str, str] = {}
    for name, value in settings.items():
        if isinstance(value, dict):
            flat |= _flatten(value, f"{prefix}{name}.")
        elif value is not None and value != []:
            flat[f"{prefix}{name}"] = _as_text(value)
    return flat


def _as_text(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(_as_text, value))
    if isinstance(value, dict):
        return " ".join(f"{name}={_as_text(item)}" for name, item in value.items() if item is not None)
    return f"{value:g}" if isinstance(value, float) else _one_line(str(value))


def _one_line(text: str) -> str:
    """Return a text that stays within its line, and in which the names of special tokens are visible."""
    return " ".join(text.split()).replace("<", "&lt;").replace("|", r"\|")


def _bullets(facts: Mapping[str, str]) -> str:
    return "\n".join(f"- {name}: {value}" for name, value in facts.items())


def _describe_results(card: ModelCard) -> str:
    facts = card.facts
    if not card.results or facts is None:
        return "None were measured when this card was written."
    head = ["benchmark", "length (tokens)", "scoring", "questions", "this model (%)", "base model (%)"]
    rows = [
        [
            result.benchmark,
            str(result.gen_length),
            result.scoring,
            f"{result.num_questions:,}",
            _with_interval(result.model),
            "" if result.base is None else _with_interval(result.base),
        ]
        for result in card.results
    ]
    lines = ["| " + " | ".join(row) + " |" for row in [head, ["---"] * len(head), *rows]]
    return (
        "Accuracy in percent, with the confidence interval of a single training seed in brackets. "
        f"{facts.caption}\n\n" + "\n".join(lines)
    )


def _with_interval(measured: Measured) -> str:
    accuracy, low, high = percent(measured.accuracy), measured.low, measured.high
    return accuracy if low is None or high is None else f"{accuracy} [{percent(low)}, {percent(high)}]"


def _describe_loading(card: ModelCard) -> Iterator[str]:
    if card.form == "checkpoint":
        yield _code("console", f"$ weft chat --base FOLDER    # the folder of {card.name}")
        yield _code(
            "python",
            "from weft.model import load_model, load_tokenizer\n\n"
            'model = load_model("FOLDER")\n'
            'tokenizer = load_tokenizer("FOLDER", mask_token_id=model.config.mask_token_id)',
        )
        yield (
            "The weights have the published names. Transformers loads them with the Python files of the "
            "published repository in the same folder (`auto_map` in config.json) and "
            "`trust_remote_code=True`, which runs these files."
        )
        return
    if not card.is_adapter:
        yield _code("console", "$ weft chat --base BASE --adapter FOLDER")
        return
    yield _code("console", "$ weft chat --base BASE --adapter FOLDER")
    yield _code(
        "python",
        "from weft.model import load_finetuned, load_tokenizer\n\n"
        'model = load_finetuned("BASE", "FOLDER")    # folders of the base model and of this adapter\n'
        'tokenizer = load_tokenizer("BASE", mask_token_id=model.config.mask_token_id)',
    )
    if card.form == "run":
        yield (
            "The modules have the names of Llama. For PEFT on the published model class, export the adapter "
            "with `weft export --form adapter`, which writes the published names."
        )
    else:
        yield (
            "With plain PEFT, on the published model class. The Python files of this class must be in the "
            "repository or folder of the base model, and `trust_remote_code=True` runs them:"
        )
        yield _code("python", _peft_example(card))


def _peft_example(card: ModelCard) -> str:
    repository = card.base_repository or "BASE"
    revision = f', revision="{card.base_commit}"' if card.base_commit else ""
    return (
        "import torch\n"
        "from peft import PeftModel\n"
        "from transformers import AutoModel\n\n"
        f'base = AutoModel.from_pretrained("{repository}"{revision}, dtype=torch.bfloat16,\n'
        "                                 "
        "trust_remote_code=True)\n"
        f'model = PeftModel.from_pretrained(base, "{card.name if "/" in card.name else "FOLDER"}")'
    )


def _code(language: str, text: str) -> str:
    return f"```{language}\n{text}\n```"


def _describe_licence(card: ModelCard) -> str:
    if card.licence is not None:
        return f"{card.licence}, as stated by those who exported the model."
    if card.base_licence == UNKNOWN:
        return (
            "Not stated. The licence of the base model is not known to weft; it also applies to weights "
            "that are derived from it."
        )
    parts = [f"the base model's licence, {card.base_licence}, applies to weights that are derived from it"]
    if card.facts and card.facts.data_repositories:
        parts.append("the licences of the training data are given above")
    return f"{join_words(parts)[0].upper()}{join_words(parts)[1:]}."
