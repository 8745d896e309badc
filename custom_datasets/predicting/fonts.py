"""Fonts that have the glyphs of a text: the system's, else those of a package.

Which fonts there are is matplotlib's knowledge, which every OpenMMLab package brings.
"""

import importlib.util
import logging
import os
import string
import sys
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

import matplotlib
from matplotlib import font_manager
from matplotlib.ft2font import FT2Font
from PIL import ImageFont

from custom_datasets.errors import UserError

PACKAGES = 'noto_cjk_sans_otc', 'koreanize_matplotlib'
"""Packages whose fonts are used where the system has none; they are not imported."""

INSTALL = 'pip install noto-cjk-sans-otc'
"""What brings Korean, Chinese and Japanese."""

_LABELS = frozenset(f'{string.ascii_letters}{string.digits}{string.punctuation}…')
# Their glyphs are pictures of "missing".
_NO_GLYPHS = 'last resort', 'lastresort', 'adobe blank', 'notdef'
_ODD = 'serif', 'mono', 'condensed', 'narrow', 'display', 'stix', 'cm', 'math'
_REGIONS = {
    'KR': ('kr', 'malgun', 'gothic neo', 'nanum', 'korean'),
    'JP': ('jp', 'yu gothic', 'meiryo', 'hiragino', 'japanese'),
    'SC': ('sc', 'yahei', 'gb', 'simplified'),
    'TC': ('tc', 'jhenghei', 'traditional'),
}


@dataclass(frozen=True, slots=True)
class Face:
    """A face of a font file; a ``.ttc`` has several."""

    path: str
    index: int
    family: str
    weight: int = 400


@dataclass(frozen=True, eq=False)
class Fonts:
    """The faces for some texts, the first for most of their characters."""

    faces: tuple[Face, ...]
    missing: str
    _face_of: dict[str, Face]

    @property
    def families(self) -> list[str]:
        """Their names, as matplotlib takes them."""
        return list(dict.fromkeys(face.family for face in self.faces))

    def runs(self, text: str) -> Iterator[tuple[str, Face]]:
        """Split a text where its face changes; marks and spaces stay with a letter."""
        run, face = '', self.faces[0]
        for char in clean_text(text):
            wanted = face if _is_carried(char) else self._face_of.get(char, face)
            if wanted != face and run:
                yield run, face
                run = ''
            run, face = run + char, wanted
        if run:
            yield run, face


def fonts_for(texts: Iterable[str]) -> Fonts:
    """Return fonts for all these texts, numbers and Latin letters.

    One sentence warns of characters that no font has.

    Raises:
        UserError: There is no font at all, not even those that matplotlib brings.
    """
    return _fonts_for(frozenset().union(*map(_characters, texts)))


@cache
def pillow_font(face: Face, size: int) -> ImageFont.FreeTypeFont:
    """Return a face for Pillow at a size in pixels; of a variable font its regular."""
    font = ImageFont.truetype(face.path, size, index=face.index)
    try:
        names = font.get_variation_names()
    except OSError:  # It is not variable.
        return font
    if b'Regular' in names:
        font.set_variation_by_name('Regular')
    return font


def clean_text(text: str) -> str:
    """Return it on one line and composed: macOS takes Hangul in file names apart."""
    return ' '.join(unicodedata.normalize('NFC', text).split())


def _is_carried(char: str) -> bool:
    """Whether it goes with the character before: a mark, a joiner, a space."""
    return unicodedata.category(char) in ('Mn', 'Mc', 'Me', 'Cf', 'Cc', 'Zs')


@lru_cache(maxsize=10_000)
def _characters(text: str) -> frozenset[str]:
    return frozenset(char for char in clean_text(text) if not _is_carried(char))


@cache
def _fonts_for(characters: frozenset[str]) -> Fonts:
    needed = characters | _LABELS
    chosen = _choose(needed, _known())
    if needed - chosen.keys():
        _scan()
        chosen = _choose(needed, _known())
    if not chosen:
        raise UserError(
            f'{matplotlib.get_data_path()}: no font there, and none on this system, so '
            'nothing can be painted; install matplotlib anew, or add --no-painted'
        )
    missing = ''.join(sorted(needed - chosen.keys()))
    if missing:
        _warn(missing)
    faces = tuple(dict.fromkeys(chosen.values()))
    counts = {face: sum(f == face for f in chosen.values()) for face in faces}
    ordered = tuple(sorted(faces, key=lambda face: -counts[face]))
    return Fonts(ordered, missing, chosen)


def _choose(needed: frozenset[str], faces: Sequence[Face]) -> dict[str, Face]:
    """Give each character a face: one for all, else few, the best of equals first."""
    region = _region(needed)
    has = {}
    for face in sorted(faces, key=lambda face: _rank(face, region)):
        has[face] = _covered(face, needed)
        if has[face] == needed:
            return dict.fromkeys(needed, face)
    chosen: dict[str, Face] = {}
    while has:
        best = max(has, key=lambda face: len(has[face] - chosen.keys()))
        new = has.pop(best) - chosen.keys()
        if not new:
            break
        chosen.update(dict.fromkeys(new, best))
    return chosen


def _known() -> list[Face]:
    faces = [
        Face(
            entry.fname,
            getattr(entry, 'index', 0),  # Before 3.11 it knows the first face only.
            entry.name,
            _weight(entry.weight),
        )
        for entry in font_manager.fontManager.ttflist
        if entry.style == 'normal'
    ]
    return [
        face
        for face in dict.fromkeys(faces)
        if not face.family.lower().startswith(_NO_GLYPHS)
    ]


def _weight(weight: str | int) -> int:
    return font_manager.weight_dict[weight] if isinstance(weight, str) else weight


@cache
def _scan() -> None:
    """Tell matplotlib of fonts that its list lacks, which it makes on its first run."""
    listed = {entry.fname for entry in font_manager.fontManager.ttflist}
    for path in [*font_manager.findSystemFonts(), *_packaged()]:
        if path in listed:
            continue
        try:
            font_manager.fontManager.addfont(path)
        except (OSError, RuntimeError, NotImplementedError, ValueError) as error:
            logging.getLogger(__name__).debug('%s: not a font: %s', path, error)


def _packaged() -> Iterator[str]:
    for package in PACKAGES:
        spec = importlib.util.find_spec(package)
        for folder in spec.submodule_search_locations or () if spec else ():
            for path in sorted(Path(folder).rglob('*')):
                if path.suffix.lower() in ('.ttf', '.otf', '.ttc'):
                    yield str(path)


def _covered(face: Face, needed: frozenset[str]) -> frozenset[str]:
    try:
        if face.index:
            font = FT2Font(face.path, face_index=face.index)
        else:
            font = FT2Font(face.path)
    except (OSError, RuntimeError):  # Its file is gone, or damaged.
        return frozenset()
    return frozenset(char for char in needed if font.get_char_index(ord(char)))


def _rank(face: Face, region: str) -> tuple[object, ...]:
    """Sort plain fonts first, and of those one that writes as the region does."""
    name = face.family.lower()
    default = os.path.join(matplotlib.get_data_path(), 'fonts/ttf/DejaVuSans.ttf')
    return (
        face.path != default,
        any(word in name for word in _ODD),
        not any(word in name for word in _REGIONS.get(region, ())),
        abs(face.weight - 400),
        'noto' not in name,
        name,
        face.path,
    )


def _region(characters: Iterable[str]) -> str:
    """Say whose forms of Chinese characters these texts want; empty for no such."""
    scripts = {_script(char) for char in characters}
    for script, region in (('HIRAGANA', 'JP'), ('KATAKANA', 'JP'), ('HANGUL', 'KR')):
        if script in scripts:
            return region
    if 'CJK' not in scripts:
        return ''
    try:
        ''.join(char for char in characters if _script(char) == 'CJK').encode('gb2312')
    except UnicodeEncodeError:
        return 'TC'
    return 'SC'


def _script(char: str) -> str:
    return unicodedata.name(char, '').partition(' ')[0]


@cache
def _warn(missing: str) -> None:
    advice = 'such as one of fonts.google.com/noto'
    if _region(missing):
        advice = f'or {INSTALL}'
    text = (
        f'no font has {missing[:20]!r}, so boxes are drawn instead: install a font '
        f'that does, {advice}'
    )
    if 'mmengine' not in sys.modules:  # An exported model runs without it.
        logging.getLogger(__name__).warning(text)
        return
    from mmengine.logging import print_log

    print_log(text, logger='current', level=logging.WARNING)
