import re

from weft.report.deviations import DEVIATIONS_FILE, Deviation, load_deviations


def test_all_entries_of_the_document_are_found():
    entries = load_deviations()
    numbers = re.findall(r"^- \*\*(\d+)\.", DEVIATIONS_FILE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert [entry.number for entry in entries] == sorted(map(int, numbers))
    assert entries[0].title == "Lower bound of the rate"
    assert all(entry.text and "`" not in entry.text for entry in entries)


def test_an_entry_ends_at_the_next_entry_or_heading(tmp_path):
    path = tmp_path / "deviations.md"
    path.write_text(
        "# D\n\n- **2. Second.** One\n  two `x`.\n- **1. First.** See [3](a.md#b).\n\n## Next\n\nText.\n"
    )
    assert load_deviations(path) == [Deviation(1, "First", "See 3."), Deviation(2, "Second", "One two x.")]


def test_there_are_none_without_the_document(tmp_path):
    assert load_deviations(tmp_path / "missing.md") == []
