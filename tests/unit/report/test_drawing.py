import matplotlib as mpl
import pytest

from weft.report.captions import figure_caption
from weft.report.drawing import LONGEST_WORD, method_colour, printable, save_figure, titled_figure


@pytest.mark.parametrize(
    ("word", "shown"),
    [
        ("first", "first"),
        ("次", "\\u6b21"),
        ("a\nb", "a\\nb"),
        ("$x$", "$x$"),
        ("é", "é"),
        ("\ud800", "\\ud800"),
    ],
)
def test_characters_that_the_font_lacks_are_escaped(word, shown):
    assert printable(word) == shown


def test_long_words_are_shortened():
    assert printable("x" * 50) == "x" * (LONGEST_WORD - 1) + "…"


def test_methods_have_distinct_colours(describe):
    methods = {"sft": {"preset": "sft"}, "weft": {"preset": "weft"}, "other": {"preset": "weft"}}
    experiment = describe(methods=methods)
    assert len({method_colour(experiment, name) for name in ("base", *methods)}) == 4


def test_too_many_methods_are_muted_except_the_main_contrast(describe):
    names = [f"m{index}" for index in range(6)]
    methods = {name: {"preset": "sft"} for name in ("sft", *names)} | {"weft": {"preset": "weft"}}
    experiment = describe(methods=methods)
    colours = {name: method_colour(experiment, name) for name in ("base", *methods)}
    assert len(set(colours.values())) == 4
    assert {colours[name] for name in names} == {"#6e6e6e"}


def test_rules_have_distinct_colours(describe_stored):
    both = describe_stored(scoring=["d1", "strict"])
    assert method_colour(both, "d1") != method_colour(both, "strict")


def footer_of(experiment, results):
    with titled_figure(experiment, results, "accuracy", size=(6.0, 3.0), note="Own scales.") as fig:
        fig.subplots()
    return " ".join(fig.get_supxlabel().split())


def test_the_captions_stand_below_and_global_settings_stay(experiment, results):
    footer = footer_of(experiment, results)
    assert footer.startswith(figure_caption(experiment, results, "accuracy") + " Own scales.")
    assert footer.endswith(experiment.caption)
    assert mpl.rcParams["axes.spines.top"] == mpl.rcParamsDefault["axes.spines.top"]


def test_saved_files_hold_no_date(experiment, results, tmp_path):
    with titled_figure(experiment, results, "accuracy", size=(3.0, 2.0)) as fig:
        fig.subplots()
    save_figure(fig, tmp_path / "a")
    assert b"CreationDate" not in (tmp_path / "a.pdf").read_bytes()
    assert b"Software" not in (tmp_path / "a.png").read_bytes()


def test_a_figure_says_that_sampling_is_approximate(experiment, approximate, results):
    note = "approximate sampling: dual cache, threshold 0.9"
    assert note in footer_of(approximate, results)
    assert note not in footer_of(experiment, results)
