from weft.report import figures
from weft.report.outputs import list_figures


def test_all_listed_figures_are_written(ablations, ablated, tmp_path, monkeypatch):
    monkeypatch.setattr(figures, "save_figure", lambda fig, out: (tmp_path / out.name).write_text(str(fig)))
    figures.write_figures(ablations, ablated, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(list_figures(ablations))


def test_the_same_results_give_the_same_bytes(stored, stored_results, tmp_path):
    for folder in ("one", "two"):
        figures.write_figures(stored, stored_results, tmp_path / folder)
    names = [f"{name}.{ending}" for name in list_figures(stored) for ending in ("pdf", "png", "svg")]
    assert sorted(path.name for path in (tmp_path / "one").iterdir()) == sorted(names)
    starts = {"accuracy.pdf": b"%PDF", "accuracy.png": b"\x89PNG", "accuracy.svg": b"<?xml"}
    for name, start in starts.items():
        content = (tmp_path / "one" / name).read_bytes()
        assert len(content) > 10_000
        assert content.startswith(start)
        assert content == (tmp_path / "two" / name).read_bytes()
