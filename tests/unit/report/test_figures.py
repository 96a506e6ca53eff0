from weft.report.figures import write_figures
from weft.report.outputs import list_figures


def files(names):
    return sorted(f"{name}.{ending}" for name in names for ending in ("png", "pdf"))


def test_all_listed_figures_are_written_with_the_same_bytes(ablations, ablated, ablated_tables, tmp_path):
    for folder in ("one", "two"):
        write_figures(ablations, ablated, ablated_tables, tmp_path / folder)
    written = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert written == files(list_figures(ablations))
    for name in written:
        content = (tmp_path / "one" / name).read_bytes()
        assert len(content) > 10_000, name
        assert content.startswith(b"\x89PNG" if name.endswith("png") else b"%PDF"), name
        assert content == (tmp_path / "two" / name).read_bytes(), name


def test_stored_generations_have_the_accuracy_only(stored, stored_results, stored_tables, tmp_path):
    write_figures(stored, stored_results, stored_tables, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["accuracy.pdf", "accuracy.png"]
