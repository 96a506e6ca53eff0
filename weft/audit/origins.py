"""Checks of the source that made the results, and of the model with which all begins."""

from collections import Counter, defaultdict
from collections.abc import Iterable

from weft.audit.ledger import Ledger
from weft.audit.tree import PAGE_FILES, ResultTree, kind_of
from weft.provenance import CODE_OF_RESULTS, source_digest
from weft.records import Provenance, Record

WEIGHTS = "model.safetensors"


class _Shipped(Record):
    """The part of the provenance of a base model that tells its pinned digest, if it is shipped."""

    class Source(Record):
        """The source of the model in the experiment."""

        use: str | None = None
        shipped_sha256: str | None = None

    source: Source = Source()


def check_source(tree: ResultTree, ledger: Ledger, names: Iterable[str]) -> None:
    """Check that the results of a kind were made by the same source, as far as the workflow watches it.

    If modules change on which only quick jobs depend (`weft.provenance.CODE_OF_RESULTS`), the workflow runs
    these jobs again. Results of a kind that were made by different versions of these modules are therefore a
    fault. All other differences are notes.
    """
    recorded = {name: tree.provenance[name] for name in names}
    groups: dict[str, dict[str, tuple[str, ...]]] = defaultdict(dict)
    for name, item in recorded.items():
        kind = name if name in CODE_OF_RESULTS else kind_of(name)
        if kind in CODE_OF_RESULTS and item.code:
            groups[kind][name] = tuple(item.code.get(room, "") for room in CODE_OF_RESULTS[kind])
    for kind, codes in groups.items():
        usual = Counter(codes.values()).most_common(1)[0][0]
        for name, code in codes.items():
            ledger.check(
                name,
                code == usual,
                f"it was made by another version of weft.{', weft.'.join(CODE_OF_RESULTS[kind])} than the "
                "others of its kind; run the workflow again",
            )
        if usual != tuple(source_digest(room) for room in CODE_OF_RESULTS[kind]):
            ledger.add("note", "", f"{kind}: made by another version of weft than this one")
    _note_versions(ledger, recorded.values())


def _note_versions(ledger: Ledger, recorded: Iterable[Provenance]) -> None:
    """Note whether several versions of source or experiment, or uncommitted files, made the results."""
    sources = Counter(item.source_digest for item in recorded)
    if len(sources) > 1:
        counts = ", ".join(f"{number} by {source}" for source, number in sources.most_common())
        ledger.add(
            "note", "", f"the results were made by {len(sources)} versions of the source ({counts}), between "
            "which the workflow saw no reason to make them again"
        )  # fmt: skip
    settings = Counter(item.experiment_digest for item in recorded if item.experiment)
    if len(settings) > 1:
        ledger.add(
            "note", "", f"the results were made for {len(settings)} versions of the experiment file, which "
            "differ in settings that concern other results only"
        )  # fmt: skip
    if changed := sum(item.dirty is True for item in recorded):
        ledger.add("note", "", f"{changed} results were made by source files that were not committed")


def check_base(tree: ResultTree, ledger: Ledger, names: Iterable[str]) -> None:
    """Check that a shipped base model has the digest that the experiment pins."""
    for name in names:
        if kind_of(name) not in {"base", "models", "bases"} or not tree.exists(f"{name}/{WEIGHTS}"):
            continue
        source = _Shipped.model_validate(tree.provenance[name].as_object()).source
        if source.use == "shipped" and source.shipped_sha256:
            ledger.check(
                name,
                tree.digest(f"{name}/{WEIGHTS}") == source.shipped_sha256,
                f"{WEIGHTS} is not the model that the experiment pins (base_model.shipped_sha256); delete "
                f"{name} with its provenance file, and run the workflow again",
            )


def note_extra(tree: ResultTree, ledger: Ledger, *, includes_page: bool) -> None:
    """Name the files that belong to no result."""
    for name in tree.files:
        if tree.owner(name) is None and (includes_page or name not in PAGE_FILES):
            ledger.add("extra", name, "it belongs to no result: no provenance file says where it comes from")
