import itertools

import matplotlib as mpl
import pytest
from matplotlib.text import Text

from weft.report.captions import figure_caption
from weft.report.drawing import (
    FRAME,
    LONGEST_WORD,
    method_colour,
    method_marker,
    printable,
    save_figure,
    titled_figure,
)


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


def relative_luminance(colour):
    channels = (int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5))
    red, green, blue = (x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_the_main_methods_can_be_told_apart_without_colours(experiment):
    names = ("base", "sft", "weft")
    lightness = [116 * relative_luminance(method_colour(experiment, name)) ** (1 / 3) - 16 for name in names]
    ordered = sorted(lightness)
    assert min(high - low for low, high in itertools.pairwise(ordered)) > 12
    assert len({method_marker(experiment, name) for name in names}) == 3


def test_all_colours_stand_out_from_a_white_page(describe):
    methods = {name: {"preset": "sft"} for name in ("sft", *"abcde")} | {"weft": {"preset": "weft"}}
    experiment = describe(methods=methods)
    for name in ("base", *methods):
        assert 1.05 / (relative_luminance(method_colour(experiment, name)) + 0.05) > 3, name
    assert len({method_marker(experiment, name) for name in ("base", *methods)}) == 8


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
    assert b"dc:date" not in (tmp_path / "a.svg").read_bytes()


def test_the_svg_file_has_neither_title_nor_footer(experiment, results, tmp_path):
    with titled_figure(experiment, results, "accuracy", size=(3.0, 2.0)) as fig:
        fig.subplots().set_title("panel")
    save_figure(fig, tmp_path / "a")
    assert [text.get_text() for text in fig.findobj(Text) if text.get_text() == "panel"] == ["panel"]
    assert not [text for text in fig.findobj(Text) if text.get_gid() == FRAME]
    assert fig.get_figheight() < 2.0


def test_a_figure_says_that_sampling_is_approximate(experiment, approximate, results):
    note = "approximate sampling: dual cache, threshold 0.9"
    assert note in footer_of(approximate, results)
    assert note not in footer_of(experiment, results)
