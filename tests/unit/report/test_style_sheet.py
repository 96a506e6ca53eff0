"""The colours of the page, as the style sheet defines them."""

import re
from importlib import resources

import pytest

CSS = resources.files("weft.report").joinpath("templates/style.css").read_text(encoding="utf-8")
FOREGROUNDS = {"ink": ("page", "card", "note"), "soft": ("page", "card"), "accent": ("page", "card")}
FOREGROUNDS |= {"wrong": ("page", "card")}
"""Colour of text -> colours of the backgrounds on which it stands."""
MIN_CONTRAST = 4.5
"""Smallest contrast of normal text by the Web Content Accessibility Guidelines, level AA."""


def palette(css):
    """Return the colours of a rule for the whole page, by name."""
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]{3,6})\b", css.split("}")[0]))


LIGHT = palette(CSS)
DARK = LIGHT | palette(CSS.split("@media (prefers-color-scheme: dark) {")[1])
PAPER = LIGHT | palette(CSS.split("@media print {")[1])


def luminance(colour):
    digits = colour.removeprefix("#")
    digits = digits if len(digits) == 6 else "".join(2 * digit for digit in digits)
    channels = [int(digits[place : place + 2], 16) / 255 for place in (0, 2, 4)]
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    return sum(weight * value for weight, value in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(first, second):
    low, high = sorted((luminance(first), luminance(second)))
    return (high + 0.05) / (low + 0.05)


def test_contrast_of_known_colours():
    assert contrast("#000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("colours", [LIGHT, DARK, PAPER], ids=["light", "dark", "paper"])
def test_all_text_has_enough_contrast(colours):
    assert set(FOREGROUNDS) < set(colours)
    for name, backgrounds in FOREGROUNDS.items():
        for background in backgrounds:
            assert contrast(colours[name], colours[background]) >= MIN_CONTRAST, (name, background)


def test_the_three_palettes_differ():
    assert len({LIGHT["page"], DARK["page"], PAPER["page"]}) == 3
    assert LIGHT["ink"] != DARK["ink"]
