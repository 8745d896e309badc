"""One small broken JSON after another: every command gives the same answer to it.

A command may differ only by its purpose, and then the row says so.
"""

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from custom_datasets.checks.reading import read_sources
from custom_datasets.data import convert as conversion
from custom_datasets.data import split
from custom_datasets.data.coco import read_sound_coco
from custom_datasets.data.config_sources import find_sources
from custom_datasets.data.voc import boxes_inside
from custom_datasets.datasets.coco import CocoFileDataset
from custom_datasets.errors import AnnotationError, UserError
from custom_datasets.evaluation.results import ImageInfo
from custom_datasets.predicting.tables import coco_text
from custom_datasets.runs.folds import Folds, require_apart
from tests.data.drawing import draw
from tests.predicting.drawn import boxes

CLASSES = ('cat', 'dog')
BOX = [4, 6, 20, 10]
EVERYTHING = {'a.png': ['cat', 'dog'], 'b.png': ['cat', 'dog']}


def content():
    """Two images with a cat and a dog each."""
    return {
        'images': [
            {'id': index, 'file_name': f'{name}.png', 'width': 64, 'height': 48}
            for index, name in enumerate('ab')
        ],
        'annotations': [
            {
                'id': 2 * image + index,
                'image_id': image,
                'category_id': category,
                'bbox': BOX,
                'area': 200,
                'iscrowd': 0,
            }
            for image in (0, 1)
            for index, category in enumerate((7, 3))
        ],
        'categories': [{'id': 7, 'name': 'cat'}, {'id': 3, 'name': 'dog'}],
    }


@dataclass
class Row:
    """A mistake, and the answer to it.

    Attributes:
        change: What is wrong; gets the content, may return other content or bytes.
        refused: What all commands say; empty where they accept it.
        kept: Where they accept it, or leave out what is broken, the classes of the
            boxes on each image.
        instead: What a command says instead, because of its purpose.
        classes: Of which there are boxes.
    """

    change: Callable[[Any], Any]
    refused: list[str] = field(default_factory=list)
    kept: dict[str, list[str]] = field(default_factory=lambda: dict(EVERYTHING))
    instead: dict[str, Any] = field(default_factory=dict)
    classes: tuple[str, ...] = CLASSES


def first(key, value, of='annotations', index=0):
    def change(data):
        if value is None:
            del data[of][index][key]
        else:
            data[of][index][key] = value

    return change


def add(of, *entries):
    return lambda data: data[of].extend(entries)


def put(key, value):
    return lambda data: {**data, key: value}


def without(key):
    return lambda data: {k: v for k, v in data.items() if k != key}


def text_ids(data):
    for item in data['annotations']:
        item['image_id'] = str(item['image_id'])
        item['category_id'] = str(item['category_id'])


def polygon(data):
    item = data['annotations'][0]
    del item['bbox']
    item['segmentation'] = [[4, 6, 24, 6, 10, 16]]


def dumped(data):
    return json.dumps(data).encode()


def nested(levels, value=b'0'):
    """Put lists and objects into each other, and brackets that are text."""
    start, end = levels // 2 * b'[{"]":', levels // 2 * b'}]'

    def change(data):
        return dumped(data)[:-1] + b', "more": ' + start + value + end + b'}'

    return change


def no_box(**more):
    def change(data):
        del data['annotations'][0]['bbox']
        data['annotations'][0].update(more)

    return change


def called(name):
    return {name: EVERYTHING['a.png'], **ONLY_B}


ONLY_B = {'b.png': ['cat', 'dog']}
LESS = {'a.png': ['dog'], 'b.png': ['cat', 'dog']}
NO_BOX = 'no "bbox" of four finite numbers below 1e12'
NO_SHAPE = f'{NO_BOX}, and no polygon either'
NO_CATEGORIES = 'all.json: not COCO, it has no list of categories'
LOOKALIKES = ('d\u00f6g', 'do\u0308g')
NUMBERS = 'all.json, object 0: '
SPARE = {'image_id': 0, 'category_id': 7, 'bbox': BOX}
UNSEEN: dict[str, list[str]] = {'submit': [], 'cross-validate': []}
"""They look for no images: names and ids are all they need."""

ROWS = {
    # The table of what five readers once made of it.
    'a polygon and no bbox': Row(polygon),
    'one file name twice': Row(
        add('images', {'id': 9, 'file_name': 'a.png'}),
        ['all.json: a.png is listed again'],
        ONLY_B,
    ),
    'an unknown category': Row(
        first('category_id', 77), [f'{NUMBERS}no category has the id 77'], ONLY_B
    ),
    'an annotation of no image': Row(
        first('image_id', 77), [f'{NUMBERS}no image has the id 77'], LESS
    ),
    'a box of no width': Row(first('bbox', [4, 6, 0, 10]), kept=LESS),
    'ids as text in annotations': Row(text_ids),
    'an annotation that is no object': Row(
        add('annotations', 'cat'),
        ['all.json, object 4: "cat" is not an object'],
    ),
    # Boxes.
    'a box outside of the image': Row(first('bbox', [400, 600, 20, 10]), kept=LESS),
    'a box far beyond the image': Row(first('bbox', [4, 6, 9e11, 10])),
    'a negative width': Row(first('bbox', [20, 6, -4, 10]), kept=LESS),
    'NaN in a box': Row(
        first('bbox', [4, float('nan'), 9, 9]), [NUMBERS + NO_BOX], ONLY_B
    ),
    'a box of three numbers': Row(first('bbox', BOX[:3]), [NUMBERS + NO_BOX], ONLY_B),
    'a box as text': Row(first('bbox', '4620'), [NUMBERS + NO_BOX], ONLY_B),
    'a box of numbers as text': Row(first('bbox', ['4', '6', '20', '10'])),
    'a box out of a double': Row(
        first('bbox', [1, 1, 10**400, 5]), [NUMBERS + NO_BOX], ONLY_B
    ),
    'a box of no pixels that can be': Row(
        first('bbox', [1e200, 1, 1e200, 5]), [NUMBERS + NO_BOX], ONLY_B
    ),
    'a box of true and false': Row(
        first('bbox', [True, False, 9, 9]), [NUMBERS + NO_BOX], ONLY_B
    ),
    'a polygon out of any image': Row(
        no_box(segmentation=[[4, 6, 1e200, 6, 10, 16]]), [NUMBERS + NO_SHAPE], ONLY_B
    ),
    'an RLE mask and no bbox': Row(
        no_box(segmentation={'counts': [9, 9], 'size': [48, 64]}),
        [NUMBERS + NO_SHAPE],
        ONLY_B,
    ),
    'an empty polygon and no bbox': Row(
        no_box(segmentation=[]), [NUMBERS + NO_SHAPE], ONLY_B
    ),
    'bbox null beside a polygon': Row(
        no_box(bbox=None, segmentation=[[4, 6, 24, 6, 10, 16]])
    ),
    'iscrowd as text': Row(first('iscrowd', '1')),
    'iscrowd in a word': Row(
        first('iscrowd', 'false'),
        [NUMBERS + 'its iscrowd is "false", and not 0 or 1'],
        ONLY_B,
    ),
    'iscrowd that is a list': Row(
        first('iscrowd', []), [NUMBERS + 'its iscrowd is [], and not 0 or 1'], ONLY_B
    ),
    'iscrowd of two': Row(
        first('iscrowd', 2), [NUMBERS + 'its iscrowd is 2, and not 0 or 1'], ONLY_B
    ),
    'iscrowd that is true': Row(first('iscrowd', True)),
    'an object repeated, with its id': Row(
        add('annotations', {**SPARE, 'id': 0}),
        kept={**EVERYTHING, 'a.png': ['cat', 'cat', 'dog']},
    ),
    # Ids.
    'an image without an id': Row(
        first('id', None, 'images'),
        [
            'all.json: a.png: its id is null',
            'all.json, object 0: no image has the id 0',
            'all.json, object 1: no image has the id 0',
        ],
        ONLY_B,
    ),
    'an id of two images': Row(
        first('id', '1', 'images'),
        [
            'all.json: b.png: the id 1 is that of a.png too',
            'all.json, object 0: no image has the id 0',
            'all.json, object 1: no image has the id 0',
        ],
        {},
    ),
    'a list as an id': Row(
        first('image_id', [0]), [f'{NUMBERS}no image has the id [0]'], LESS
    ),
    'an id that is true': Row(
        first('image_id', True), [f'{NUMBERS}no image has the id true'], LESS
    ),
    # Images.
    'an image entry that is no object': Row(
        add('images', 'c.png'), ['all.json: images, entry 2: "c.png" is not an object']
    ),
    'an image without a file name': Row(
        first('file_name', None, 'images'),
        ['all.json: images, entry 0: its file_name is null'],
        ONLY_B,
    ),
    'a file name spelled in two ways': Row(
        add('images', {'id': 9, 'file_name': './a.png'}),
        ['all.json: ./a.png is listed again, as a.png'],
        ONLY_B,
    ),
    'a file name with ..': Row(
        first('file_name', '../images/a.png', 'images'),
        kept={'../images/a.png': EVERYTHING['a.png'], **ONLY_B},
    ),
    'a file name with a folder': Row(
        first('file_name', 'images/a.png', 'images'), kept=called('images/a.png')
    ),
    'a file name with a folder that is lost': Row(
        first('file_name', 'batch_1/a.png', 'images'), kept=called('batch_1/a.png')
    ),
    'a category called NaN': Row(
        first('name', float('nan'), 'categories'),
        ['all.json: categories, entry 0: its name is NaN'],
        {},
        classes=('dog',),
    ),
    'a file name with backslashes': Row(
        first('file_name', 'images\\a.png', 'images'), kept=called('images/a.png')
    ),
    'a file name of a Windows machine': Row(
        first('file_name', 'C:\\x\\a.png', 'images'), kept=called('C:/x/a.png')
    ),
    'a file name of another machine': Row(
        first('file_name', '/home/x/a.png', 'images'), kept=called('/home/x/a.png')
    ),
    'a file name without a suffix': Row(
        first('file_name', 'a', 'images'), kept=called('a')
    ),
    'a file name with a dot and slashes': Row(
        first('file_name', './/a.png', 'images'), kept=called('a.png')
    ),
    'a file name with a no-break space': Row(
        first('file_name', 'n\xa0b.png', 'images'), kept=called('n\xa0b.png')
    ),
    'a no-break space behind a file name': Row(
        first('file_name', 'a.png\xa0', 'images'),
        ['all.json: a.png\xa0: no such image'],
        ONLY_B,
        UNSEEN,
    ),
    'an image outside of the data': Row(
        first('file_name', '../../outside.png', 'images'),
        ['all.json: ../../outside.png: no such image'],
        ONLY_B,
        UNSEEN,
    ),
    'an image in a hidden folder': Row(
        first('file_name', '.cache/h.png', 'images'),
        ['all.json: .cache/h.png: no such image'],
        ONLY_B,
        UNSEEN,
    ),
    'a file that is no image': Row(
        first('file_name', 'notes.txt', 'images'),
        ['all.json: notes.txt: no such image'],
        ONLY_B,
        UNSEEN,
    ),
    'a file name that is half a character': Row(
        first('file_name', 'a\ud800.png', 'images'),
        [r'all.json: images, entry 0: its file_name is "a\ud800.png", not in UTF-8'],
        ONLY_B,
    ),
    'a file name of two machines': Row(
        add('images', {'id': 9, 'file_name': 'C:\\x\\a.png'}),
        ['all.json: C:\\x\\a.png is listed again, as a.png'],
        ONLY_B,
        {
            **UNSEEN,
            'submit': ['all.json: images/a.png and images/a.png are both its image 0'],
        },
    ),
    'a file name spelled with a backslash': Row(
        add('images', {'id': 9, 'file_name': '.\\a.png'}),
        ['all.json: .\\a.png is listed again, as a.png'],
        ONLY_B,
    ),
    'an image beside the folder of all others': Row(
        first('file_name', 'out.png', 'images'),
        ['all.json: out.png: no such image'],
        ONLY_B,
        UNSEEN,
    ),
    'an image that is lost': Row(
        first('file_name', 'lost.png', 'images'),
        ['all.json: lost.png: no such image'],
        ONLY_B,
        UNSEEN,
    ),
    'a size out of a double': Row(first('width', 10**400, 'images')),
    'a size that is true': Row(first('width', True, 'images')),
    'a size that is NaN': Row(first('width', float('nan'), 'images')),
    'sizes that are no numbers': Row(first('width', 'wide', 'images')),
    # Categories.
    'a category twice': Row(add('categories', {'id': 7, 'name': 'cat'})),
    'an id of two categories': Row(
        add('categories', {'id': 7, 'name': 'cow'}),
        ['all.json: category cow: the id 7 is that of cat too'],
    ),
    'a class with two ids': Row(
        add('categories', {'id': 8, 'name': 'cat'}),
        instead={
            'submit': [
                'all.json: the category cat has several ids, and a submission can '
                'name only one'
            ]
        },
    ),
    'a category with spaces around it': Row(first('name', ' cat ', 'categories')),
    'a category without a name': Row(
        first('name', '', 'categories'),
        ['all.json: categories, entry 0: its name is ""'],
        {},
    ),
    'a category with a no-break space': Row(
        first('name', 'c\xa0at', 'categories'),
        [r"all.json: categories, entry 0: 'c\xa0at' is not a class name; rename it"],
        {},
    ),
    'a category with a zero-width space': Row(
        first('name', 'cat\u200b', 'categories'),
        [r"all.json: categories, entry 0: 'cat\u200b' is not a class name; rename it"],
        {},
    ),
    'a category that is half a character': Row(
        first('name', '\ud800', 'categories'),
        [r"all.json: categories, entry 0: '\ud800' is not a class name; rename it"],
        {},
    ),
    'a category that is no object': Row(
        add('categories', 'cow'),
        ['all.json: categories, entry 2: "cow" is not an object'],
    ),
    # The file.
    'a byte order mark': Row(lambda data: '\ufeff'.encode() + dumped(data)),
    'not UTF-8': Row(
        lambda data: dumped(data).replace(b'a.png', b'\xe4.png'),
        ['all.json: not text in UTF-8; save it as such'],
    ),
    'broken off': Row(lambda data: dumped(data)[:-9], ['all.json: broken JSON (']),
    'a key twice in an object': Row(
        lambda data: dumped(data).replace(b'"area"', b'"bbox": [], "area"', 1),
        ['all.json: broken JSON (twice in one object: bbox)'],
    ),
    'annotations that are no list': Row(
        put('annotations', {'0': SPARE}),
        ['all.json: not COCO, it has no list of annotations'],
    ),
    'images that are no list': Row(
        put('images', {'a.png': 0}),
        ['all.json: not COCO, it has no list of images'],
    ),
    'no categories': Row(without('categories'), [NO_CATEGORIES], {}),
    'null for categories': Row(put('categories', None), [NO_CATEGORIES], {}),
    'an empty list of categories': Row(
        put('categories', []), ['all.json: its list of categories is empty'], {}
    ),
    'an empty list of images': Row(
        put('images', []), ['all.json: its list of images is empty'], {}
    ),
    'no annotations, as a competition has it': Row(
        without('annotations'),
        ['all.json: not COCO, it has no list of annotations'],
        {},
        UNSEEN,
    ),
    'an empty list of annotations': Row(
        put('annotations', []),
        ['all.json: its list of annotations is empty'],
        {},
        UNSEEN,
    ),
    'no images': Row(
        without('images'), ['all.json: not COCO, it has no list of images'], {}
    ),
    'lists in lists, which few of our own calls leave room for': Row(
        nested(980), ['all.json: broken JSON (lists in lists, too deep)'], {}
    ),
    'lists in lists, one too deep': Row(
        nested(100), ['all.json: broken JSON (lists in lists, too deep)'], {}
    ),
    'lists in lists, as deep as may be': Row(nested(98, b'[]')),
    'two categories that look the same': Row(
        add('categories', *({'id': n, 'name': c} for n, c in enumerate(LOOKALIKES))),
        [r"all.json: categories, entry 3: 'd\xf6g' and 'do\u0308g' look the same"],
    ),
    'a width that is too small': Row(first('width', 3, 'images')),
    'images only': Row(
        lambda data: {'images': data['images']},
        ['all.json: not COCO, it has no list of annotations, categories'],
        {},
        {
            'cross-validate': [],
            'submit': ["all.json: no category 'cat'; copy the categories of"],
        },
    ),
}


@pytest.fixture
def plant(tmp_path):
    root = tmp_path / 'data'
    for name in 'ab':
        draw(root / f'images/{name}.png', colour=(90, ord(name), 30))
    draw(root / 'images/n\xa0b.png')
    draw(root / 'images/.cache/h.png')
    draw(root / 'out.png')
    draw(tmp_path / 'outside.png')
    (root / 'images/notes.txt').write_text('no image')

    def plant(row):
        data = content()
        changed = row.change(data)
        if not isinstance(changed, bytes):
            changed = dumped(data if changed is None else changed)
        (root / 'all.json').write_bytes(changed)
        return root

    return plant


def load(root, classes=CLASSES, name='all.json'):
    dataset = CocoFileDataset(
        name,
        data_root=str(root),
        data_prefix={'img': 'images'},
        metainfo={'classes': classes},
    )
    infos = [dataset.get_data_info(index) for index in range(len(dataset))]
    return {
        info['img_id']: [classes[one['bbox_label']] for one in info['instances']]
        for info in infos
    }


def config(root, name='all.json', kind='CocoFileDataset', part='train'):
    dataset = {
        'type': kind,
        'data_root': str(root),
        'ann_file': name,
        'data_prefix': {'img': 'images'},
        'metainfo': {'classes': CLASSES},
    }
    modules = {'imports': ['custom_datasets.datasets.coco']}
    loaders = {f'{each}_dataloader': {'dataset': dataset} for each in {part, 'val'}}
    return {**loaders, 'custom_imports': modules}


def findings(root, name='all.json', kind='CocoFileDataset'):
    sources, wrong = find_sources(config(root, name, kind))
    assert not wrong
    records, found = read_sources(sources[:1])
    return records[0], found


def check(root, classes=CLASSES, name='all.json'):
    records, found = findings(root, name)
    texts = [
        f'{one.file}{"" if one.object is None else f", object {one.object}"}: '
        f'{one.message}'
        for one in found
        if one.severity == 'error'
    ]
    if texts:
        raise AnnotationError(name, texts)
    return {
        image.name: [box.name for box in boxes_inside(image, one_based=False)]
        for image in records.images
    }


def divide(root, classes=CLASSES, name='all.json'):
    labels = split.read_source(str(root / name)).labels
    return {image: sorted(counts.elements()) for image, counts in labels.items()}


def read_to_convert(root, skip_broken=False):
    source = conversion.read_source(str(root), 'coco', skip_broken=skip_broken)
    (records,) = source.splits.values()
    return {
        record.filename: sorted(box.name for box in record.boxes) for record in records
    }


def cross_validate(root):
    """Hold the file, as a test set, against folds that have other images."""
    folds = Folds(CLASSES, (frozenset({'other.png'}),), '', '')
    require_apart(config(root, part='test'), folds)
    return dict.fromkeys(read_sound_coco(str(root / 'all.json'), needs_truth=False).ids)


def submit(root):
    coco = read_sound_coco(str(root / 'all.json'), needs_truth=False)
    pictures = [
        ImageInfo(name, f'{root}/images/{name.rpartition("/")[2]}', (64, 48))
        for name in coco.ids
    ]
    coco_text(pictures, boxes(), CLASSES, coco)
    return dict.fromkeys(coco.ids)


COMMANDS = {
    'load': load,
    'check': check,
    'split': divide,
    'convert': read_to_convert,
    'cross-validate': cross_validate,
    'submit': submit,
}


def answer(command, root):
    """Return what a command says, or else what it keeps."""
    try:
        return [], command(root)
    except AnnotationError as error:
        texts = error.problems
    except UserError as error:
        texts = [str(error)]
    texts = [text.replace(f'{root}/', '') for text in texts]
    return [text for text in texts if 'no box of class' not in text], None


@pytest.mark.parametrize('command', COMMANDS)
@pytest.mark.parametrize('name', ROWS)
def test_all_commands_answer_alike(plant, name, command):
    row = ROWS[name]
    said, kept = answer(COMMANDS[command], plant(row))
    expected = row.instead.get(command, row.refused)
    assert len(said) == len(expected)
    for text, start in zip(said, expected, strict=True):
        assert text.startswith(start)
    if expected:
        return
    if command not in UNSEEN or not row.refused:
        assert set(kept) == set(row.kept)
    if command not in UNSEEN:
        counted = {image: Counter(names) for image, names in kept.items()}
        assert counted == {image: Counter(names) for image, names in row.kept.items()}


@pytest.mark.parametrize('name', [name for name in ROWS if ROWS[name].refused])
def test_what_is_skipped_is_the_image_or_the_annotation(plant, name):
    row = ROWS[name]
    root = plant(row)
    try:
        kept = read_to_convert(root, skip_broken=True)
    except UserError as error:
        text = str(error)
        assert 'no image can be used' in text or text.startswith(row.refused[0])
        return
    assert kept == {image: sorted(names) for image, names in row.kept.items()}


@pytest.mark.parametrize('name', [name for name in ROWS if not ROWS[name].refused])
def test_what_converts_loads_checks_and_splits(plant, tmp_path, name):
    row = ROWS[name]
    out = tmp_path / 'out'
    conversion.convert(str(plant(row)), str(out), to='coco')
    expected = {
        f'{image.rpartition("/")[2].removesuffix(".png")}.png': sorted(names)
        for image, names in row.kept.items()
    }
    for command in (load, check, divide):
        kept = command(out, name='annotations/all.json')
        assert {image: sorted(names) for image, names in kept.items()} == expected


def test_what_is_split_loads_and_checks(plant):
    """A subset has the entries as they were: text ids, polygons, and all else."""
    root = plant(ROWS['ids as text in annotations'])
    split.split_dataset(str(root / 'all.json'), {'train': 1, 'val': 1})
    parts = [load(root, name=f'annotations/{part}.json') for part in ('train', 'val')]
    assert {**parts[0], **parts[1]} == EVERYTHING
    data = content()
    text_ids(data)
    written = json.loads((root / 'annotations/train.json').read_text())
    assert all(item in data['annotations'] for item in written['annotations'])
    assert [
        check(root, name=f'annotations/{p}.json') for p in ('train', 'val')
    ] == parts


@pytest.mark.parametrize(
    ('name', 'message'),
    [
        ('a polygon and no bbox', '1 box is that around polygons'),
        ('ids as text in annotations', '4 objects have an id as text'),
        ('a class with two ids', 'the category cat has several ids'),
        ('a category with spaces around it', "the category ' cat ' is read as 'cat'"),
    ],
)
def test_stock_does_not_read_what_ours_does(plant, name, message):
    root = plant(ROWS[name])
    for kind, severity in (('CocoFileDataset', 'note'), ('CocoDataset', 'error')):
        _, (one,) = findings(root, kind=kind)
        assert (one.code, one.severity) == ('loose-coco', severity)
        assert one.message.startswith(message)


@pytest.mark.parametrize(
    ('value', 'is_crowd'),
    [(0, False), ('0', False), (None, False), (False, False), (1, True), ('1', True)],
)
def test_a_crowd_is_difficult(plant, value, is_crowd):
    root = plant(Row(lambda data: data['annotations'][0].update(iscrowd=value)))
    box, _ = read_sound_coco(str(root / 'all.json')).images[0].boxes
    assert box.difficult == is_crowd


@pytest.mark.parametrize('place', ['all.json', 'annotations/all.json'])
@pytest.mark.parametrize(
    ('text', 'fault'),
    [
        (b'{"images": [', 'broken JSON ('),
        ('{"images": []}'.encode('utf-16'), 'not text in UTF-8; save it as such'),
        (b'[' * 100_000, 'broken JSON (lists in lists, too deep)'),
    ],
    ids=['broken off', 'UTF-16', 'deep'],
)
def test_a_folder_whose_json_is_broken(tmp_path, place, text, fault):
    """Splitting, and converting, name the file and what is wrong with it."""
    draw(tmp_path / 'images/a.png')
    path = tmp_path / place
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(text)
    with pytest.raises(UserError) as raised:
        split.read_source(str(tmp_path))
    assert str(raised.value).startswith(f'{path}: {fault}')
    with pytest.raises(UserError) as raised:
        conversion.read_source(str(tmp_path))
    assert f'{place}: {fault}' in str(raised.value)


def test_what_is_split_is_not_the_json_beside_the_broken_one(plant):
    root = plant(Row(lambda data: b'{'))
    (root / 'test.json').write_text(json.dumps(content()))
    with pytest.raises(UserError, match=r'all\.json: broken JSON'):
        split.read_source(str(root))


def test_a_subset_keeps_half_a_character(plant):
    root = plant(Row(lambda data: {**data, 'info': {'by': '\ud800'}}))
    split.split_dataset(str(root), {'train': 1, 'val': 1})
    written = json.loads((root / 'annotations/train.json').read_text())
    assert written['info'] == {'by': '\ud800'}
