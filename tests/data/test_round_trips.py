"""What goes through a format and back is what it was."""

import json

import pytest

from custom_datasets.data.convert import convert, read_source
from custom_datasets.data.lists import split_voc_folder
from custom_datasets.data.records import has_area
from custom_datasets.data.split import split_dataset
from custom_datasets.data.voc import read_voc_file
from custom_datasets.datasets.voc import VOCFolderDataset
from custom_datasets.errors import UserError
from custom_datasets.scaffold.new_dataset import create_dataset
from tests.data.drawing import coco_json, draw, objects, voc_xml, write


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
    size, name, _ = before['z.xml']  # Its box goes beyond the image.
    before['z.xml'] = (size, name, [('zebra', (50, 1, 64, 48), False)])
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


SLIVERS = {
    'a pixel wide': (4, 6, 1, 10),
    'a pixel high': (4, 6, 20, 1),
    'one pixel': (0, 0, 1, 1),
    'less than a pixel wide': (4, 6, 0.8, 10),
    'far less than a pixel': (4.3, 6.1, 1e-3, 0.25),
}


@pytest.mark.parametrize('bbox', SLIVERS.values(), ids=SLIVERS)
def test_boxes_of_a_pixel_and_less_are_kept_by_voc(tmp_path, bbox):
    for name in 'ab':
        draw(tmp_path / f'coco/images/{name}.png')
    images = {'a.png': [(1, bbox)], 'b.png': [(2, (3, 4, 5, 6))]}
    write(tmp_path / 'coco/all.json', coco_json(images))
    convert(str(tmp_path / 'coco'), str(tmp_path / 'voc'))
    back = objects(read_source(str(tmp_path / 'voc')))['all']
    ((name, box),) = back['a']
    x, y, width, height = bbox
    assert (name, box) == (
        'ant',
        pytest.approx((x, y, x + width, y + height), abs=1e-3),
    )
    convert(str(tmp_path / 'voc'), str(tmp_path / 'again'), to='voc')
    assert objects(read_source(str(tmp_path / 'again')))['all'] == back
    assert back['b'] == [('bee', (3, 4, 8, 10))]
    folder = split_voc_folder(str(tmp_path / 'voc'), ('JPEGImages', 'Annotations'))
    assert folder.labels == {'a': {'ant': 1}, 'b': {'bee': 1}}


@pytest.mark.parametrize('x', [-1e-5, -0.5, -1])
def test_one_box_that_begins_outside_moves_no_other(tmp_path, x):
    for name in 'ab':
        draw(tmp_path / f'coco/images/{name}.png')
    images = {'a.png': [(1, (x, 6, 20, 10))], 'b.png': [(2, (3, 4, 5, 6))]}
    write(tmp_path / 'coco/all.json', coco_json(images))
    convert(str(tmp_path / 'coco'), str(tmp_path / 'voc'))
    source = read_source(str(tmp_path / 'voc'))
    assert source.counts_from == 1
    assert objects(source)['all']['a'] == [('ant', (0, 6, pytest.approx(20 + x), 16))]
    assert objects(source)['all']['b'] == [('bee', (3, 4, 8, 10))]


@pytest.mark.parametrize('middle', ['coco', 'voc'])
def test_zero_based_voc_and_back_where_no_box_begins_at_0(tmp_path, middle):
    draw(tmp_path / 'voc/JPEGImages/a.jpg')
    text = voc_xml([('ant', (3, 4, 5, 6))], 'a.jpg')
    write(tmp_path / 'voc/Annotations/a.xml', text)
    path = str(tmp_path / 'voc')
    convert(path, str(tmp_path / 'middle'), to=middle, counts_from=0)
    convert(str(tmp_path / 'middle'), str(tmp_path / 'back'))
    assert annotations(tmp_path / 'back') == annotations(tmp_path / 'voc')
    assert objects(read_source(str(tmp_path / 'back'))) == {
        'all': {'a': [('ant', (3, 4, 5, 6))]}
    }


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


@pytest.mark.parametrize('target', ['voc', 'coco', 'yolo'])
@pytest.mark.parametrize('form', ['voc', 'coco', 'metal-surface'])
def test_boxes_beyond_the_image_are_cut_to_it(tmp_path, form, target):
    draw(tmp_path / 'in/images/a.png')
    boxes = [('ant', (41, 11, 900, 31)), ('ant', (100, 100, 120, 120))]
    wide = {'width': 640, 'height': 480}  # Not that of the image.
    text = {
        'voc': voc_xml(boxes, size=(640, 480)),
        'coco': coco_json(
            {'a.png': [(1, [40, 10, 860, 21]), (1, [400, 600, 20, 10])]}, ['ant']
        ),
        'metal-surface': json.dumps(
            {'a.png': {**wide, 'anno': [{'label': n, 'bbox': b} for n, b in boxes]}}
        ),
    }[form]
    write(tmp_path / f'in/a.{"xml" if form == "voc" else "json"}', text)
    report = convert(str(tmp_path / 'in'), str(tmp_path / 'out'), to=target)
    assert '1 box clipped to the image' in report
    assert '1 box without area dropped' in report
    (record,) = read_source(str(tmp_path / 'out')).splits['all']
    assert [box.box for box in record.boxes] == [(40, 10, 64, 31)]
    assert record.size == (64, 48)


@pytest.mark.parametrize('target', ['class-lists', 'voc', 'coco', 'yolo'])
def test_backslashes_in_names(tmp_path, target):
    for name in ('a\\cat/0.png', 'a\\cat/1\\x.png', 'dog/b\\0.png'):
        draw(tmp_path / 'in' / name)
    convert(str(tmp_path / 'in'), str(tmp_path / 'out'), to=target)
    source = read_source(str(tmp_path / 'out'))
    assert source.classes == ('a\\cat', 'dog')
    top = 'a\\cat' if target == 'class-lists' else 'a_cat'
    assert {
        record.name: record.label or record.boxes[0].name
        for record in source.splits['all']
    } == {f'{top}/0': 'a\\cat', f'{top}/1_x': 'a\\cat', 'dog/b_0': 'dog'}


@pytest.mark.parametrize('target', ['class-lists', 'voc', 'coco', 'yolo'])
@pytest.mark.parametrize('broken', ['train.txt', 'cat/8.png'])
def test_skip_broken_writes_only_parts_that_are_read(tmp_path, broken, target):
    lines = {'train': '', 'val': '', 'test': ''}
    for number, part in enumerate([*['train'] * 4, *['val', 'test'] * 2]):
        for label in ('cat', 'dog'):
            draw(tmp_path / f'in/{label}/{number}.png')
            lines[part] += f'{label}/{number}.png\t{label}\n'
    for part, text in lines.items():
        write(tmp_path / f'in/{part}.txt', text)
    (tmp_path / 'in' / broken).write_bytes('cat'.encode('utf-16'))
    out = str(tmp_path / 'out')
    convert(str(tmp_path / 'in'), out, to=target, skip_broken=True)
    source = read_source(out)
    first = 'train' if broken == 'cat/8.png' else 'unlisted'
    assert {part: len(records) for part, records in source.splits.items()} == {
        first: 8,
        'val': 4,
        'test': 4,
    }
    assert source.classes == ('cat', 'dog')
    empty = [
        path for path in (tmp_path / 'out').rglob('*.*') if not path.stat().st_size
    ]
    assert not empty


NO_BOXES = {
    'voc': ('Annotations/a.xml', voc_xml([('ant', (3, 3, 3, 9))])),
    'coco': ('a.json', coco_json({'a.png': [(1, [90, 90, 5, 5])]})),
    'metal-surface': ('a.json', json.dumps({'a.png': {'anno': []}})),
    'yolo': ('data.yaml', 'names: [ant]'),
}


@pytest.mark.parametrize('form', NO_BOXES)
def test_a_set_without_a_box_has_one_answer(tmp_path, form):
    draw(tmp_path / 'in/images/a.png')
    file, text = NO_BOXES[form]
    write(tmp_path / 'in' / file, text)
    source = str(tmp_path / 'in')

    def convert_it():
        convert(source, str(tmp_path / 'out'), to='yolo', skip_broken=True)

    def create():
        create_dataset('ants', source, str(tmp_path / 'repository'))

    def split():
        split_dataset(source, {'train': 1, 'val': 1})

    for ask in (convert_it, create, *([split] if form in ('voc', 'coco') else [])):
        with pytest.raises(UserError) as error:
            ask()
        assert str(error.value) == f'{source}: no image has a box'


def test_files_that_count_from_0_among_others(tmp_path):
    """Each is believed, wherever it is read; written, all count from 1 again."""
    for name in 'ab':
        draw(tmp_path / f'voc/JPEGImages/{name}.jpg', colour=(9, ord(name), 9))
    text = voc_xml([('ant', (3, 4, 5, 6)), ('ant', (5, 6, 6, 7))], 'a.jpg')
    text = text.replace('<size>', '<counts_from>0</counts_from><size>')
    write(tmp_path / 'voc/Annotations/a.xml', text)
    write(tmp_path / 'voc/Annotations/b.xml', voc_xml([('ant', (4, 5, 5, 6))], 'b.jpg'))
    write(tmp_path / 'voc/ImageSets/Main/train.txt', 'a\nb\n')
    boxes = {'a': [(3, 4, 5, 6), (5, 6, 6, 7)], 'b': [(3, 4, 5, 6)]}
    source = read_source(str(tmp_path / 'voc'))
    assert objects(source) == {
        'train': {
            name: [('ant', box) for box in found] for name, found in boxes.items()
        }
    }
    convert(str(tmp_path / 'voc'), str(tmp_path / 'out'))
    assert 'counts_from' not in (tmp_path / 'out/Annotations/a.xml').read_text()
    for root in ('voc', 'out'):
        for one_based in (True, False) if root == 'voc' else (True,):
            dataset = VOCFolderDataset(
                'ImageSets/Main/train.txt',
                data_root=str(tmp_path / root),
                metainfo={'classes': ('ant',)},
                one_based=one_based,
            )
            a, b = ([i['bbox'] for i in info['instances']] for info in dataset)
            assert a == [pytest.approx(box, abs=1e-3) for box in boxes['a']]
            assert b == ([[3, 4, 5, 6]] if one_based else [[4, 5, 5, 6]])


@pytest.mark.parametrize('one_based', [True, False])
def test_a_set_that_counts_from_0_is_read_so_whatever_a_config_says(
    tmp_path, one_based
):
    draw(tmp_path / 'voc/JPEGImages/a.jpg')
    write(tmp_path / 'voc/Annotations/a.xml', voc_xml([('ant', (3, 4, 5, 6))], 'a.jpg'))
    write(tmp_path / 'voc/ImageSets/Main/train.txt', 'a\n')
    convert(str(tmp_path / 'voc'), str(tmp_path / 'out'), counts_from=0)
    dataset = VOCFolderDataset(
        'ImageSets/Main/train.txt',
        data_root=str(tmp_path / 'out'),
        metainfo={'classes': ('ant',)},
        one_based=one_based,
    )
    assert [i['bbox'] for i in dataset[0]['instances']] == [[3, 4, 5, 6]]
