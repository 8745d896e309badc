"""What goes through a format and back is what it was."""

import pytest

from custom_datasets.data.convert import convert, read_source
from custom_datasets.data.records import has_area
from custom_datasets.data.voc import read_voc_file
from tests.data.drawing import draw, voc_xml, write


def annotations(root, folder='Annotations'):
    """Return the size, the claimed name and the boxes with an area of each file."""
    files = {}
    for path in sorted((root / folder).rglob('*.xml')):
        file = read_voc_file(str(path))
        boxes = [(b.name, b.box, b.difficult) for b in file.boxes if has_area(b.box)]
        files[str(path.relative_to(root / folder))] = file.size, file.filename, boxes
    return files


def lists(root):
    folder = root / 'ImageSets/Main'
    names = ('train', 'val', 'test')
    return {
        name: (folder / f'{name}.txt').read_text().split('\n')
        for name in names
        if (folder / f'{name}.txt').exists()
    }


def images(root, folder):
    return {
        str(path.relative_to(root / folder)): path.read_bytes()
        for path in (root / folder).rglob('*.*')
    }


@pytest.mark.parametrize('middle', ['coco', 'yolo', 'voc'])
def test_voc_and_back(voc, tmp_path, middle):
    convert(str(voc), str(tmp_path / 'middle'), to=middle)
    convert(str(tmp_path / 'middle'), str(tmp_path / 'back'))
    before, after = annotations(voc), annotations(tmp_path / 'back')
    if middle == 'yolo':  # It knows nothing of difficult objects.
        before = {
            file: (size, name, [(label, box, False) for label, box, _ in boxes])
            for file, (size, name, boxes) in before.items()
        }
    assert after == before
    assert read_source(str(tmp_path / 'back')).classes == read_source(str(voc)).classes
    assert lists(tmp_path / 'back') == {
        name: [*lines, ''] for name, lines in lists(voc).items()
    }
    assert images(tmp_path / 'back', 'JPEGImages') == images(voc, 'JPEGImages')
    assert (tmp_path / 'back/classes.txt').read_text().split('\n')[1] == 'unused'


@pytest.mark.parametrize('middle', ['coco', 'voc'])
def test_zero_based_voc_and_back(tmp_path, middle):
    for name, box in {'a': (0, 5, 9, 48), 'b': (3, 4, 5, 6)}.items():
        draw(tmp_path / f'voc/JPEGImages/{name}.jpg')
        text = voc_xml([('ant', box)], f'{name}.jpg')
        write(tmp_path / f'voc/Annotations/{name}.xml', text)
    report = convert(str(tmp_path / 'voc'), str(tmp_path / 'middle'), to=middle)
    assert '1 box begins at 0 (the first in Annotations/a.xml)' in report
    report = convert(str(tmp_path / 'middle'), str(tmp_path / 'back'))
    assert 'one_based is False' in report
    assert annotations(tmp_path / 'back') == annotations(tmp_path / 'voc')


@pytest.mark.parametrize('digits', [4, 5, 6, 16])
@pytest.mark.parametrize('size', [(64, 48), (640, 480), (1999, 1333), (3, 7)])
def test_yolo_printed_with_few_digits_is_on_whole_pixels(tmp_path, digits, size):
    width, height = size
    boxes = [
        (x, y, x + 1 + (7 * x) % (width - x), y + 1 + (5 * y) % (height - y))
        for x, y in zip(range(0, width, 1 + width // 9), range(height), strict=False)
    ]
    lines = [
        f'0 {(x1 + x2) / 2 / width:.{digits}f} {(y1 + y2) / 2 / height:.{digits}f} '
        f'{(x2 - x1) / width:.{digits}f} {(y2 - y1) / height:.{digits}f}\n'
        for x1, y1, x2, y2 in boxes
    ]
    draw(tmp_path / 'images/a.png', size)
    write(tmp_path / 'labels/a.txt', ''.join(lines))
    (record,) = read_source(str(tmp_path)).splits['all']
    assert [box.box for box in record.boxes] == boxes


def test_class_folders_and_back(tmp_path):
    for split in ('train', 'valid'):
        for name in ('cat/1.jpg', 'cat/deep/2.png', 'dog/1.jpg'):
            draw(tmp_path / 'raw' / split / name)
    convert(str(tmp_path / 'raw'), str(tmp_path / 'out'))
    assert (tmp_path / 'out/val.txt').read_text() == (
        'val/cat/1.jpg\tcat\nval/cat/deep/2.png\tcat\nval/dog/1.jpg\tdog\n'
    )
    before, after = (
        read_source(str(tmp_path / 'raw')),
        read_source(str(tmp_path / 'out')),
    )
    assert after.classes == before.classes == ('cat', 'dog')
    for split in ('train', 'val'):
        assert [(r.name, r.label) for r in after.splits[split]] == [
            (r.name, r.label) for r in before.splits[split]
        ]
