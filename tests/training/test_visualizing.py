import numpy as np
import pytest
from mmengine.visualization import Visualizer

import custom_datasets.training.visualizing  # noqa: F401
from tests.predicting.drawn_fonts import draw_font, few_fonts

NAME = '\N{HANGUL SYLLABLE HAN}'


@pytest.fixture
def font(monkeypatch, tmp_path):
    with few_fonts(monkeypatch, tmp_path / 'fonts') as folder:
        draw_font(folder / 'drawn.ttf', 'Drawn for a visualizer', NAME)
        yield folder / 'drawn.ttf'


@pytest.mark.parametrize('family', ['sans-serif', 'monospace'])
def test_a_name_gets_a_font_that_has_it(font, family, recwarn):
    visualizer = Visualizer(image=np.full((200, 200, 3), 255, np.uint8))
    visualizer.draw_texts(
        NAME, np.array([50, 50]), font_sizes=60, colors='k', font_families=family
    )
    drawn = visualizer.get_image()
    # The drawn glyph is a full block, where a missing one is an outline.
    rows, columns = (drawn[..., 0] < 128).nonzero()
    block = drawn[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    assert (block < 128).mean() > 0.95
    assert not [w for w in recwarn if 'Glyph' in str(w.message)]
