"""Colours of classes."""

import pytest

from custom_datasets.pages.kit import (
    DARK,
    LIGHT,
    class_colours,
    contrast,
    css,
    readable,
)

YELLOW, NAVY = (255, 187, 51), (0, 0, 90)


def test_a_palette_is_taken_as_it_is():
    assert class_colours(2, [YELLOW, [0, 0, 90], (1, 2, 3)]) == [YELLOW, NAVY]


@pytest.mark.parametrize(
    'palette', [None, 'random', [YELLOW], [(1, 2), (3, 4), (5, 6)]]
)
def test_otherwise_colours_are_made_and_differ(palette):
    colours = class_colours(3, palette)
    assert len(set(colours)) == 3
    assert all(0 <= band <= 255 for colour in colours for band in colour)


def test_contrast_is_that_of_wcag():
    assert contrast((0, 0, 0), (255, 255, 255)) == pytest.approx(21)
    assert contrast((119, 119, 119), (255, 255, 255)) == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize('colour', [YELLOW, NAVY, LIGHT, DARK, (128, 128, 128)])
@pytest.mark.parametrize('ground', [LIGHT, DARK])
def test_every_colour_can_be_seen_on_both_grounds(colour, ground):
    assert contrast(readable(colour, ground), ground) >= 3


def test_a_colour_that_can_be_seen_stays():
    assert readable(NAVY, LIGHT) == NAVY


def test_css():
    assert css((255, 0, 16)) == '#ff0010'
