"""Real sets through other formats and back: every box and every class."""

import json

import pytest

from custom_datasets.data.convert import convert, read_source
from tests.data.drawing import objects
from tests.data.test_round_trips import annotations

pytestmark = pytest.mark.real_data


@pytest.mark.parametrize('middle', ['coco', 'yolo'])
@pytest.mark.parametrize(
    ('name', 'folder', 'images', 'boxes'),
    [('bccd', 'Annotations', 364, 4886), ('face_mask', 'annotations', 200, 666)],
)
def test_voc_and_back(real_data_root, tmp_path, name, folder, images, boxes, middle):
    root = real_data_root / name
    convert(str(root), str(tmp_path / 'middle'), to=middle)
    convert(str(tmp_path / 'middle'), str(tmp_path / 'back'))
    first = read_source(str(root)).counts_from
    before = {
        file: [
            (
                label,
                (max(x1, first), max(y1, first), min(x2, w), min(y2, h)),
                is_difficult,
            )
            for label, (x1, y1, x2, y2), is_difficult in found
        ]
        for file, ((w, h), _, found) in annotations(root, folder).items()
    }
    after = {n: boxes for n, (*_, boxes) in annotations(tmp_path / 'back').items()}
    assert after == before
    assert (len(after), sum(map(len, after.values()))) == (images, boxes)
    for path in (root / 'ImageSets/Main').glob('t*t.txt'):
        made = tmp_path / 'back/ImageSets/Main' / path.name
        assert made.read_text().split() == path.read_text().split()


def test_metal_surface_through_voc_into_coco(real_data_root, tmp_path):
    root = real_data_root / 'metal_surface'
    convert(str(root), str(tmp_path / 'voc'))
    convert(str(tmp_path / 'voc'), str(tmp_path / 'coco'), to='coco')
    raw = json.loads((root / 'anno/annotation.json').read_text())
    found = objects(read_source(str(tmp_path / 'coco')))['all']
    assert {f'{name}.jpg': boxes for name, boxes in found.items()} == {
        name: [
            (item['label'], (x1 - 1, y1 - 1, x2, y2))
            for item in entry['anno']
            for x1, y1, x2, y2 in [item['bbox']]
        ]
        for name, entry in raw.items()
    }
    assert sum(map(len, found.values())) == 1507


def test_waste(real_data_root, tmp_path):
    root = real_data_root / 'waste'
    convert(str(root), str(tmp_path / 'out'))
    lines = (tmp_path / 'out/all.txt').read_text().splitlines()
    assert len(lines) == 2527
    for path, _, label in (line.partition('\t') for line in lines):
        assert path.startswith(f'{label}/')
        assert (tmp_path / 'out' / path).read_bytes() == (root / path).read_bytes()
