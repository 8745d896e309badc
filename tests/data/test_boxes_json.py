"""The JSON of boxes: clean, and one broken file after another.

Conversion and crops give the same answer to the same file.
"""

import json
from dataclasses import dataclass, field
from typing import Any

import pytest

from custom_datasets.data import defect_crops
from custom_datasets.data.convert import convert, read_source
from custom_datasets.errors import AnnotationError, UserError
from tests.data.drawing import draw, objects, write

FILE = 'anno/annotation.json'
NEEDS = 'needs "label" and "bbox" of four finite numbers below 1e12'
BOX = {'label': 'rust', 'bbox': [3, 5, 20, 30]}


@dataclass
class Row:
    """An entry of a.png, or all of the file, and what is said of it."""

    entry: Any = field(default_factory=lambda: {'anno': [BOX]})
    refused: str = ''
    boxes: int = 2
    file: bytes | None = None


def anno(*items, **more):
    return Row({'anno': list(items)}, **more)


def label(value):
    said = f'{FILE}: a.png: object 1 {NEEDS}'
    return anno(BOX, {'label': value, 'bbox': [3, 5, 9, 9]}, refused=said, boxes=1)


def bbox(sides):
    said = f'{FILE}: a.png: object 1 {NEEDS}'
    return anno(BOX, {'label': 'rust', 'bbox': sides}, refused=said, boxes=1)


ROWS = {
    'clean': Row(),
    'a box of no width': anno(BOX, {'label': 'rust', 'bbox': [5, 5, 5, 9]}),
    'an inverted box': anno(BOX, {'label': 'rust', 'bbox': [9, 5, 5, 9]}),
    'numbers as text': anno({'label': 'rust', 'bbox': ['3', '5', '20', '30']}),
    'three numbers': bbox([3, 5, 20]),
    'a word': bbox([3, 5, 20, 'x']),
    'NaN': bbox([3, 5, 20, float('nan')]),
    'no pixels that can be': bbox([3, 5, 1e200, 1e200]),
    'true and false': bbox([False, True, 20, 30]),
    'a text of four digits': bbox('3579'),
    'no box': bbox(None),
    'no label': label(None),
    'a label that is true': label(True),
    'a label that is NaN': label(float('nan')),
    'an object that is a number': anno(
        3, refused=f'{FILE}: a.png: object 0 {NEEDS}', boxes=1
    ),
    'an entry that is no object': Row(
        [], f'{FILE}: a.png: it has no list "anno"', boxes=1
    ),
    'anno that is no list': Row(
        {'anno': None}, f'{FILE}: a.png: it has no list "anno"', boxes=1
    ),
    'anno as a dictionary': Row(
        {'anno': {'0': BOX}}, f'{FILE}: a.png: it has no list "anno"', boxes=1
    ),
    'an image under two keys': Row(
        refused=f'{FILE}: ./a.png is listed again, as a.png',
        boxes=1,
        file=json.dumps(
            {name: {'anno': [BOX]} for name in ('a.png', './a.png', 'b.png')}
        ).encode(),
    ),
    'a name that is half a character': Row(
        refused=rf'{FILE}: \ud800.png: this name is not in UTF-8',
        file=json.dumps(
            {name: {'anno': [BOX]} for name in ('a.png', 'b.png', '\ud800.png')}
        ).encode(),
    ),
    'a list of entries': Row(
        refused=f'{FILE}: not a JSON object keyed by file name', file=b'[]'
    ),
    'broken off': Row(refused=f'{FILE}: broken JSON', file=b'{"a.png": '),
    'not UTF-8': Row(
        refused=f'{FILE}: not text in UTF-8; save it as such', file=b'{"\xff": 1}'
    ),
    'a key twice': Row(
        refused=f'{FILE}: broken JSON (twice in one object: a.png)',
        file=b'{"a.png": {"anno": []}, "a.png": {"anno": []}}',
    ),
    'an image that is lost': Row(refused=f'{FILE}: ', boxes=1),
}


@pytest.fixture
def plant(tmp_path):
    def plant(name):
        row, root = ROWS[name], tmp_path / 'raw'
        for image in ('a.png', 'b.png'):
            draw(root / 'images' / image, colour=(20, ord(image[0]), 9))
        if name == 'an image that is lost':
            (root / 'images/a.png').unlink()
        (root / 'anno').mkdir()
        content = {'b.png': {'anno': [BOX]}, 'a.png': row.entry}
        (root / FILE).write_bytes(row.file or json.dumps(content).encode())
        return row, root

    return plant


def read(root, **options):
    source = read_source(str(root), 'metal-surface', **options)
    return {name: len(boxes) for name, boxes in objects(source)['all'].items()}


@pytest.mark.parametrize('name', ROWS)
def test_conversion_and_crops_answer_alike(plant, tmp_path, name):
    row, root = plant(name)

    def cut():
        defect_crops.convert(str(root), str(tmp_path / 'crops'), ['rust'])

    if not row.refused:
        assert sum(read(root).values()) == row.boxes
        with pytest.raises(UserError, match=r'too few .* rust \(2\)'):
            cut()
        convert(str(root), str(tmp_path / 'out'))
        assert (
            sum(
                len(b)
                for b in objects(read_source(str(tmp_path / 'out')))['all'].values()
            )
            == row.boxes
        )
        return
    for command in (lambda: read(root), cut):
        with pytest.raises(UserError) as caught:
            command()
        whole = not isinstance(caught.value, AnnotationError)
        if name == 'a list of entries' and command is not cut:
            assert 'no JSON file with boxes by file name' in str(caught.value)
            continue
        (said,) = [str(caught.value)] if whole else caught.value.problems
        assert said.replace(f'{root}/', '').startswith(row.refused)
    if not whole:
        assert sum(read(root, skip_broken=True).values()) == row.boxes


def metal(root, entries):
    for name in entries:
        draw(root / 'images' / name)
    data = {
        name: {
            'filename': name,
            'width': 64,
            'height': 48,
            'anno': [{'label': label, 'bbox': box} for label, box in boxes],
        }
        for name, boxes in entries.items()
    }
    write(root / 'anno/annotation.json', json.dumps(data, indent='\t'))
    return root


def test_metal_surface(tmp_path):
    root = metal(
        tmp_path / 'metal',
        {'b.jpg': [('rust', [1, 1, 64, 48]), ('dent', [5, 6, 5, 6])], 'a.jpg': []},
    )
    draw(root / 'images/c.jpg')
    report = convert(str(root), str(tmp_path / 'out'))
    source = read_source(str(tmp_path / 'out'))
    assert objects(source) == {'all': {'a': [], 'b': [('rust', (0, 0, 64, 48))]}}
    assert '1 box without area dropped' in report
    assert '1 image that the JSON lacks left out: images/c.jpg' in report


def test_zero_based_metal_surface(tmp_path):
    root = metal(tmp_path / 'metal', {'a.jpg': [('rust', [0, 3, 5, 6])]})
    assert objects(read_source(str(root)))['all']['a'] == [('rust', (0, 3, 5, 6))]
