import pytest

from custom_datasets.predicting.colours import class_colours


def test_a_palette_is_taken_as_it_is():
    assert class_colours(2, [(255, 187, 51), [0, 0, 90], (1, 2, 3)]) == [
        (255, 187, 51),
        (0, 0, 90),
    ]


@pytest.mark.parametrize(
    'palette', [None, 'random', [(255, 187, 51)], [(1, 2), (3, 4), (5, 6)]]
)
def test_otherwise_colours_are_made_and_differ(palette):
    colours = class_colours(200, palette)
    assert len(set(colours)) == 200
    assert all(0 <= band <= 255 for colour in colours for band in colour)
