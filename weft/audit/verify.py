"""Verify all results in a folder."""

from collections.abc import Iterable
from pathlib import Path

from weft.audit.counts import check_counts
from weft.audit.ledger import Ledger
from weft.audit.links import check_content, check_inputs, check_names
from weft.audit.origins import check_base, check_source, note_extra
from weft.audit.tree import PAGE_FILES, ResultTree
from weft.layout import PROVENANCE_ENDING, STORED_ENDING
from weft.records.verification import Verification


def verify_results(root: Path, *, page_inputs: Iterable[Path] | None = None) -> Verification:
    """Verify the results of an experiment, from the report page back to the base model and the data.

    Every file with provenance is read and hashed, whatever its size and date. Nothing is needed but the
    folder: the experiment file and the folder in which the workflow ran may be elsewhere. Results on which
    the page does not depend, which an earlier version of the experiment has left, are no fault.

    Args:
        root: results folder of an experiment, or a copy of it.
        page_inputs: files from which a page is about to be made. The page and the files written with it are
            then neither verified nor expected. By default, the inputs that the page's provenance records.

    Returns:
        What holds, what does not, what is missing, and what belongs to nothing.

    Raises:
        DataError: the folder does not exist or contains no provenance.
    """
    tree, includes_page = ResultTree(root), page_inputs is None
    page_inputs = None if page_inputs is None else list(page_inputs)
    names = [name for name in tree.provenance if includes_page or name not in PAGE_FILES]
    used = tree.list_used([str(path) for path in page_inputs] if page_inputs is not None else None)
    ledger = Ledger(unused={*names, *tree.unreadable} - used)
    for name in names:
        recorded = tree.provenance[name]
        ledger.add_result(name)
        check_content(tree, ledger, name, recorded)
        check_inputs(tree, ledger, name, recorded)
        check_names(tree, ledger, name, recorded)
        check_counts(tree, ledger, name)
    for name, problem in tree.unreadable.items():
        ledger.check(name, False, f"its provenance file is damaged: {problem}")
    check_source(tree, ledger, [name for name in names if name in used])
    check_base(tree, ledger, names)
    for path in page_inputs or ():
        place = tree.locate(str(path))
        if place is not None and tree.exists(place) and tree.owner(place) is None:
            ledger.add_missing(f"{place}{PROVENANCE_ENDING}", user="report/index.html")
    if stored := sum(name.endswith(STORED_ENDING) for name in names):
        ledger.add(
            "note", "", f"of {stored} results only the provenance was stored; their content is not here"
        )
    if includes_page:
        for name in sorted(PAGE_FILES - set(tree.provenance)):
            ledger.add_missing(name, user="a finished experiment")
    note_extra(tree, ledger, includes_page=includes_page)
    return ledger.summarise(tree.experiment, includes_page=includes_page)
