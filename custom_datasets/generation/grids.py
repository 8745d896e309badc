"""Pictures of several classes on one, a row for each class."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from custom_datasets.predicting.fonts import fonts_for, pillow_font

_GAP = 2
_LETTERS = 14
_INK = (40, 40, 40)

Pixels = NDArray[np.uint8]


def paint_grid(rows: Sequence[Pixels], names: Sequence[str]) -> Pixels:
    """Return one picture, with the names on the left.

    Args:
        rows: For each class, uint8 (N, height, width, 3), RGB.
        names: Of the classes.

    Returns:
        uint8 (H, W, 3), RGB.
    """
    fonts = fonts_for(names)
    runs = [
        [(text, pillow_font(face, _LETTERS)) for text, face in fonts.runs(name)]
        for name in names
    ]
    margin = 2 * _GAP + max(
        int(sum(font.getlength(text) for text, font in row)) for row in runs
    )
    height, width = rows[0].shape[1:3]
    columns = max(len(row) for row in rows)
    size = (margin + columns * (width + _GAP), len(rows) * (height + _GAP))
    grid = Image.new('RGB', size, 'white')
    draw = ImageDraw.Draw(grid)
    for line, (pictures, words) in enumerate(zip(rows, runs, strict=True)):
        top = line * (height + _GAP)
        left: float = _GAP
        for text, font in words:
            place = (left, top + height / 2)
            draw.text(place, text, fill=_INK, font=font, anchor='lm')
            left += font.getlength(text)
        for column, picture in enumerate(pictures):
            place = (margin + column * (width + _GAP), top)
            grid.paste(Image.fromarray(picture), place)
    return np.asarray(grid)
