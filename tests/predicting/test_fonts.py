import unicodedata

import numpy as np
import pytest
from matplotlib import font_manager
from PIL import Image, ImageDraw

from custom_datasets.errors import UserError
from custom_datasets.predicting import fonts as module
from custom_datasets.predicting.fonts import Face, fonts_for, pillow_font
from custom_datasets.predicting.painting import paint_boxes
from tests.predicting.drawn_fonts import draw_font, few_fonts, forget

NEVER_SEEN = '\N{HANGUL SYLLABLE HAN}'


@pytest.fixture
def only(monkeypatch, tmp_path):
    """Leave matplotlib's own fonts, and what is put into the folder returned."""
    with few_fonts(monkeypatch, tmp_path / 'fonts') as folder:
        yield folder


def mask(text):
    """Return what is drawn of a text, without the empty margins."""
    image = Image.new('L', (400, 120))
    x = 10
    for run, face in fonts_for([text]).runs(text):
        font = pillow_font(face, 60)
        ImageDraw.Draw(image).text((x, 80), run, 255, font, anchor='ls')
        x += font.getlength(run)
    pixels = np.array(image)
    rows, columns = pixels.any(1).nonzero()[0], pixels.any(0).nonzero()[0]
    return pixels[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


@pytest.fixture
def warned(monkeypatch):
    """List what is warned of."""
    lines = []
    monkeypatch.setattr(
        'mmengine.logging.print_log', lambda text, **_: lines.append(text)
    )
    return lines


LATIN = ''.join(map(chr, range(33, 127))) + '…'


def test_latin_names_take_the_font_that_is_always_there(only):
    draw_font(only / 'latin.ttf', 'A Noto', LATIN)
    font_manager.fontManager.addfont(only / 'latin.ttf')
    assert fonts_for(['cat']).families == ['DejaVu Sans']


def test_without_the_fonts_of_a_system_matplotlibs_own_paint(only, warned):
    painted = paint_boxes(
        np.zeros((90, 120, 3), np.uint8), np.array([[9, 9, 60, 60]]), [NEVER_SEEN]
    )
    assert painted.any()
    assert fonts_for([NEVER_SEEN]).families == ['DejaVu Sans']
    assert len(warned) == 1


def test_no_font_at_all_is_one_sentence(only, monkeypatch):
    monkeypatch.setattr(font_manager.fontManager, 'ttflist', [])
    with pytest.raises(UserError, match=r'no font there, and none on this system'):
        fonts_for(['cat'])


def test_a_glyph_is_drawn_and_not_the_box_of_a_missing_one(only):
    box = mask(NEVER_SEEN)
    draw_font(only / 'drawn.ttf', 'Drawn', NEVER_SEEN)
    forget()
    drawn = mask(NEVER_SEEN)
    assert drawn.shape != box.shape or (drawn != box).any()
    # The drawn glyph is a full block, the box an outline.
    assert drawn.mean() > 200 > box.mean()


def test_a_font_that_came_after_matplotlibs_list_is_found(only):
    draw_font(only / 'new.ttf', 'New', NEVER_SEEN)
    assert 'New' not in {e.name for e in font_manager.fontManager.ttflist}
    fonts = fonts_for([NEVER_SEEN])
    assert fonts.families == ['DejaVu Sans', 'New']
    assert not fonts.missing


def test_a_font_that_is_gone_is_passed_over(only):
    path = only / 'gone.ttf'
    draw_font(path, 'Gone', NEVER_SEEN)
    font_manager.fontManager.addfont(path)
    path.unlink()
    fonts = fonts_for([NEVER_SEEN])
    assert (fonts.families, fonts.missing) == (['DejaVu Sans'], NEVER_SEEN)


def test_a_file_that_is_no_font_is_passed_over(only):
    (only / 'broken.ttf').write_bytes(b'no font')
    draw_font(only / 'new.ttf', 'New', NEVER_SEEN)
    assert fonts_for([NEVER_SEEN]).families == ['DejaVu Sans', 'New']


def test_a_packages_font_is_used_without_importing_it(only, tmp_path, monkeypatch):
    package = tmp_path / 'site/some_fonts'
    (package / 'files').mkdir(parents=True)
    (package / '__init__.py').write_text('raise RuntimeError')
    draw_font(package / 'files/drawn.ttf', 'Packaged', NEVER_SEEN)
    monkeypatch.syspath_prepend(package.parent)
    monkeypatch.setattr(module, 'PACKAGES', ('not_installed', 'some_fonts'))
    assert fonts_for([NEVER_SEEN]).families == ['DejaVu Sans', 'Packaged']


@pytest.mark.parametrize(
    ('text', 'advice'),
    [('\N{HANGUL SYLLABLE HAN}', 'pip install noto-cjk-sans-otc'), ('क', '/noto')],
)
def test_what_no_font_has_is_said_once_with_what_to_install(only, warned, text, advice):
    assert fonts_for([text]).missing == text
    fonts_for([text, 'new'])
    (line,) = warned
    assert repr(text) in line
    assert line.endswith(advice)


def test_last_resort_fonts_which_have_boxes_for_all_are_not_used(only):
    fonts = fonts_for([NEVER_SEEN])
    assert fonts.missing
    assert not any('Last' in family for family in fonts.families)


def test_one_font_for_all_is_better_than_a_mixture(only):
    draw_font(only / 'all.ttf', 'All', LATIN + NEVER_SEEN)
    draw_font(only / 'some.ttf', 'A part', NEVER_SEEN)
    assert fonts_for([f'cat {NEVER_SEEN}']).families == ['All']


def test_runs_change_with_the_font_and_keep_marks_and_spaces(only):
    draw_font(only / 'new.ttf', 'New', NEVER_SEEN)
    text = f'e\N{COMBINING CIRCUMFLEX ACCENT BELOW} {NEVER_SEEN} {NEVER_SEEN} b'
    runs = [(run, face.family) for run, face in fonts_for([text]).runs(text)]
    assert ''.join(run for run, _ in runs) == unicodedata.normalize('NFC', text)
    assert runs[1] == (f'{NEVER_SEEN} {NEVER_SEEN} ', 'New')
    assert [family for _, family in runs] == ['DejaVu Sans', 'New', 'DejaVu Sans']


def test_a_name_that_macos_took_apart_is_composed(only):
    draw_font(only / 'new.ttf', 'New', NEVER_SEEN)
    apart = unicodedata.normalize('NFD', NEVER_SEEN)
    assert len(apart) == 3
    assert not fonts_for([apart]).missing
    assert [run for run, _ in fonts_for([apart]).runs(apart)] == [NEVER_SEEN]


@pytest.mark.parametrize(
    ('text', 'region'),
    [
        ('고양이 猫', 'KR'),
        ('猫ネコ', 'JP'),
        ('汉语', 'SC'),
        ('漢語', 'TC'),
        ('cat', ''),
    ],
)
def test_chinese_characters_take_the_forms_of_their_region(text, region):
    assert module._region(text) == region


@pytest.mark.parametrize('weights', [{'A thin one': 100}, {'A': 100, 'B': 400}])
def test_a_regular_font_goes_before_others_but_any_is_better_than_none(only, weights):
    for family, weight in weights.items():
        draw_font(only / f'{family}.ttf', family, NEVER_SEEN, weight)
    assert fonts_for([NEVER_SEEN]).families == ['DejaVu Sans', list(weights)[-1]]


def test_a_font_of_the_region_comes_first():
    faces = [Face('f', i, f'Noto Sans CJK {r}') for i, r in enumerate(('JP', 'KR'))]
    ranked = sorted(faces, key=lambda face: module._rank(face, 'KR'))
    assert ranked[0].family == 'Noto Sans CJK KR'
