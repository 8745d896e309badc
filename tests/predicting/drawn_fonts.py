"""A font drawn for a test: a full block for each of its characters."""

from contextlib import contextmanager

from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from matplotlib import font_manager

from custom_datasets.predicting import fonts


@contextmanager
def few_fonts(monkeypatch, folder):
    """Leave matplotlib's own fonts, and what is put into a folder."""
    own = [
        entry
        for entry in font_manager.fontManager.ttflist
        if entry.name.startswith(('DejaVu', 'STIX', 'Last Resort'))
    ]
    folder.mkdir()
    monkeypatch.setattr(font_manager.fontManager, 'ttflist', own)
    paths = folder.iterdir
    monkeypatch.setattr(font_manager, 'findSystemFonts', lambda: map(str, paths()))
    monkeypatch.setattr(fonts, 'PACKAGES', ())
    forget()
    yield folder
    forget()


def forget():
    """Forget which fonts were found."""
    fonts._scan.cache_clear()
    fonts._fonts_for.cache_clear()
    fonts._warn.cache_clear()


def draw_font(path, family, characters, weight=400):
    """Write a TrueType font that has these characters only."""
    pen = TTGlyphPen(None)
    corners = (50, 0), (50, 800), (850, 800), (850, 0)
    pen.moveTo(corners[0])
    for corner in corners[1:]:
        pen.lineTo(corner)
    pen.closePath()
    block = pen.glyph()
    names = ['.notdef', *(f'uni{ord(char):04X}' for char in characters)]
    builder = FontBuilder(1000)
    builder.setupGlyphOrder(names)
    builder.setupCharacterMap(dict(zip(map(ord, characters), names[1:], strict=True)))
    builder.setupGlyf(dict.fromkeys(names, block))
    builder.setupHorizontalMetrics(dict.fromkeys(names, (900, 50)))
    builder.setupHorizontalHeader(ascent=900, descent=-200)
    builder.setupNameTable({'familyName': family, 'styleName': 'Regular'})
    builder.setupOS2(usWeightClass=weight)
    builder.setupPost()
    builder.save(path)
