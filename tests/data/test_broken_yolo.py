"""One broken folder of YOLO text after another, and what is made of it.

YOLO is read by the conversion alone, on which new data sets stand too: what it
makes loads, splits and checks, or all of it is refused.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from custom_datasets.checks.reading import read_sources
from custom_datasets.data import convert as conversion
from custom_datasets.data import split
from custom_datasets.data.config_sources import find_sources
from custom_datasets.datasets.coco import CocoFileDataset
from custom_datasets.datasets.voc import VOCFolderDataset
from custom_datasets.errors import AnnotationError, UserError
from tests.data.drawing import draw

CLASSES = ('cat', 'dog')
GOOD = '0 0.5 0.5 0.25 0.5\n1 0.25 0.5 0.5 0.25\n'
EVERYTHING = {'a': ['cat', 'dog'], 'b': ['cat', 'dog']}
ONLY_B = {'b': ['cat', 'dog']}


@dataclass
class Row:
    """A mistake, and what is made of it.

    Attributes:
        files: What is written over two good images; None for a file that is lost.
        refused: What is said; empty where it is accepted.
        kept: The classes on each image, where it is accepted or what is broken is
            left out.
        note: How one of the notes begins.
    """

    files: dict[str, Any]
    refused: list[str] = field(default_factory=list)
    kept: dict[str, list[str]] = field(default_factory=lambda: dict(EVERYTHING))
    note: str = ''


def label(text, *refused, **more):
    """Have ``labels/a.txt`` be this; one bad line leaves the image out."""
    said = [f'labels/a.txt: {problem}' for problem in refused]
    return Row({'labels/a.txt': text}, said, **{'kept': ONLY_B, **more})


PNG = b'\x89PNG\r\n\x1a\n' + bytes(30)
SHARES = "is not a share of the image; YOLO divides pixels by the image's width or"
LESS = {'a': ['dog'], 'b': ['cat', 'dog']}
DROPPED = '1 box without area dropped'

ROWS = {
    'clean': Row({}),
    # Lines.
    'a box of no width': label(
        '0 .5 .5 0 .5\n1 .5 .5 .5 .5\n', kept=LESS, note=DROPPED
    ),
    'a negative height': label(
        '0 .5 .5 .5 -.5\n1 .5 .5 .5 .5\n', kept=LESS, note=DROPPED
    ),
    'a name for a number': label(
        f'cat .5 .5 1 1\n{GOOD}',
        "line 1: not a number (could not convert string to float: 'cat')",
    ),
    'several bad lines': label(
        '0 .5 .5 1\n\n0 .5 .5 1 1 .98\n',
        'line 1: 4 numbers; a box has 5, and a polygon an odd number of at least 7',
        'line 3: 6 numbers; a box has 5, and a polygon an odd number of at least 7',
    ),
    'commas': label('0,0.5,0.5,1,1', 'line 1: not a number'),
    'a decimal comma': label('0 0,5 0,5 1 1', 'line 1: not a number'),
    'NaN': label('0 .5 .5 1 nan', 'line 1: not a finite number'),
    'half a class': label('0.5 .5 .5 1 1', 'line 1: 0.5 is not the number of a class'),
    'a negative class': label(
        '-1 .5 .5 1 1', 'line 1: -1 is not the number of a class'
    ),
    'a class without a name': label(
        '2 .5 .5 1 1', 'line 1: class 2 has no name; there are 2'
    ),
    'pixels': label('0 32 24 16 20', f'line 1: 32 {SHARES}'),
    'a slip over the edge': label(
        '0 0.9 0.5 0.25 0.5\n1 1.01 0.5 0.1 0.5\n', kept=EVERYTHING
    ),
    'a class as a float': label(
        GOOD.replace('0 0.5', '0.0 0.5'), kept=EVERYTHING
    ),
    'a box twice': label(f'0 .5 .5 .5 .5\n{GOOD}', kept={
        'a': ['cat', 'cat', 'dog'], 'b': ['cat', 'dog']
    }),
    'a polygon among boxes': label(
        '0 .1 .1 .9 .1 .5 .8\n1 .5 .5 .5 .5\n',
        kept=EVERYTHING,
        note='1 file has polygons or turned boxes',
    ),
    # Files.
    'an empty file': label('', kept={'a': [], **ONLY_B}),
    'no file': Row(
        {'labels/a.txt': None},
        kept={'a': [], **ONLY_B},
        note='1 image without a label file is taken to have no objects',
    ),
    'a byte order mark, and lines of Windows': label(
        b'\xef\xbb\xbf' + GOOD.replace('\n', '\r\n').encode(), kept=EVERYTHING
    ),
    'not UTF-8': label(b'\xff\xfe0\x00', 'not text in UTF-8; save it as such'),
    'labels of no image': Row(
        {'labels/c.txt': GOOD}, ['labels/c.txt: there is no image'], EVERYTHING
    ),
    'labels in another case': Row(
        {'labels/a.txt': None, 'labels/A.txt': GOOD},
        ['labels/A.txt: there is no image A.*'],
        ONLY_B,
    ),
    'labels with an accent in another spelling': Row(
        {'images/\u00fc.png': (64, 48), 'labels/u\u0308.txt': GOOD},
        ['labels/u\u0308.txt: there is no image u\u0308.*'],
        EVERYTHING,
    ),
    'labels of another part': Row(
        {'images/train/c.png': (64, 48), 'labels/val/c.txt': GOOD},
        ['labels/val/c.txt: there is no image c.*'],
        EVERYTHING,
    ),
    'two images of one name': Row(
        {'images/a.jpg': (64, 48)},
        ['labels/a.txt: it may belong to images/a.jpg and images/a.png'],
        ONLY_B,
    ),
    'an image that is none': Row(
        {'images/a.png': b'no image'},
        ['images/a.png: is not an image of any known kind'],
        ONLY_B,
    ),
    'an image that is cut off': Row(
        {'images/a.png': PNG[:30]}, ['images/a.png: is cut off'], ONLY_B
    ),
    'a link to no image': Row(
        {'images/a.png': Path('nowhere')},
        ['images/a.png: cannot be read (No such file or directory)'],
        ONLY_B,
    ),
    'a link to no labels': Row(
        {'labels/a.txt': Path('nowhere')},
        ['labels/a.txt: No such file or directory'],
        ONLY_B,
    ),
    'a VOC file for one of the images': Row(
        {f'images/{n}.png': (64, 48) for n in range(20)}
        | {f'labels/{n}.txt': GOOD for n in range(20)}
        | {'images/0.xml': '<annotation></annotation>'},
        kept=EVERYTHING | {f'{n}': ['cat', 'dog'] for n in range(20)},
        note='1 file seems to be of another format, and is a stray: images/0.xml',
    ),
    # The YAML file.
    'names that are no list': Row(
        {'data.yaml': 'names: cat\n'}, ['data.yaml: names must be a list'], {}
    ),
    'names without numbers': Row(
        {'data.yaml': 'names: {first: cat}\n'}, ['data.yaml: names need numbers'], {}
    ),
    'a count of other names': Row(
        {'data.yaml': 'nc: 5\nnames: [cat, dog]\n'},
        note='data.yaml: nc is 5, but there are 2 names, which count',
    ),
    'a count of the names': Row({'data.yaml': 'nc: 2\nnames: [cat, dog]\n'}),
    'broken YAML': Row(
        {'data.yaml': 'names: [cat, dog\ntrain: x\n'},
        ["data.yaml: broken YAML (line 2: expected ',' or ']', but got ':')"],
    ),
    'YAML without end': Row(
        {'data.yaml': 'names: ' + '[' * 5000 + ']' * 5000},
        ['data.yaml: broken YAML (lists in lists, too deep)'],
    ),
    'names in two files': Row(
        {'classes.txt': 'dog\ncat\n', 'labels/classes.txt': 'cat\ndog\n'},
        note='1 file names other classes than data.yaml, which is read: classes.txt',
    ),
    'a list for a key': Row(
        {'data.yaml': '? [a]\n: b\nnames: [cat, dog]\n'},
        ['data.yaml: broken YAML (line 1: found unhashable key)'],
    ),
    'a number twice': Row(
        {'data.yaml': 'names:\n  0: cat\n  1: dog\n  1: cow\n'},
        ['data.yaml: broken YAML (line 4: 1 appears twice)'],
    ),
    'a number in two spellings': Row(
        {'data.yaml': 'names: {0: cat, 1: dog, 01: cow}\n'},
        ['data.yaml: names has a number twice'],
    ),
    'names in lists': Row(
        {'data.yaml': 'names: [[cat], dog]\n'},
        ['data.yaml: names must be text, one for each number'],
    ),
    'a path that is a list': Row(
        {'data.yaml': 'path: [a]\ntrain: images\nnames: [cat, dog]\n'},
        ['data.yaml: path must be text that is a path'],
    ),
    'a part that is no path': Row(
        {'data.yaml': 'train: [images: 1]\nnames: [cat, dog]\n'},
        ['data.yaml: train must be text that is a path'],
    ),
    'names in another encoding': Row(
        {'data.yaml': 'names: [고양이, dog]\n'.encode('cp949')},
        ['data.yaml: not text in UTF-8; save it as such'],
    ),
    'an empty name': Row(
        {'data.yaml': "names: [cat, '']\n"}, ["'' is not a class name"]
    ),
    'one name for two numbers': Row(
        {'data.yaml': 'names: [cat, cat]\n'}, ['class list: cat appears twice']
    ),
    'one line twice': Row(
        {'data.yaml': None, 'classes.txt': 'cat\ndog\ncat\n'},
        ['class list: cat appears twice'],
    ),
    'a no-break space in a name': Row(
        {'data.yaml': 'names: [cat, "a\xa0dog"]\n'},
        [r"'a\xa0dog' is not a class name"],
    ),
    'a list that names an image twice': Row(
        {'train.txt': 'images/a.png\n./images/a.png\n'},
        ['train.txt: a is listed 2 times'],
    ),
    'a list that names a lost image': Row(
        {'train.txt': 'images/a.png\nimages/b.png\nimages/c.png\n'},
        ['train.txt'],
    ),
}  # fmt: skip


@pytest.fixture
def plant(tmp_path):
    root = tmp_path / 'raw'
    for name in 'ab':
        draw(root / f'images/{name}.png', colour=(90, ord(name), 30))

    def plant(row):
        good = {
            'labels/a.txt': GOOD,
            'labels/b.txt': GOOD,
            'data.yaml': 'names: [cat, dog]\n',
        }
        for name, content in {**good, **row.files}.items():
            path = root / name
            path.parent.mkdir(exist_ok=True)
            if isinstance(content, tuple):
                draw(path, content)
            elif isinstance(content, Path):
                path.unlink(missing_ok=True)
                path.symlink_to(content)
            elif content is not None:
                data = content if isinstance(content, bytes) else content.encode()
                path.write_bytes(data)
        return root

    return plant


def read(root, skip_broken=False):
    source = conversion.read_source(str(root), skip_broken=skip_broken)
    kept = {
        record.name: sorted(box.name for box in record.boxes)
        for records in source.splits.values()
        for record in records
    }
    return kept, source.notes


@pytest.mark.parametrize('name', ROWS)
def test_what_is_broken_is_refused_and_the_rest_kept(plant, name):
    row = ROWS[name]
    root = plant(row)
    if not row.refused:
        kept, notes = read(root)
        assert kept == row.kept
        assert any(note.startswith(row.note) for note in notes) or not row.note
        return
    with pytest.raises(UserError) as caught:
        read(root)
    collected = isinstance(caught.value, AnnotationError)
    said = caught.value.problems if collected else [str(caught.value)]
    assert len(said) == len(row.refused)
    for text, start in zip(said, row.refused, strict=True):
        assert text.startswith(start)
    if collected and 'class' not in row.refused[0]:
        classes = read(root, skip_broken=True)[0]
        assert {image: len(names) for image, names in classes.items()} == {
            image: len(names) for image, names in row.kept.items()
        }


@pytest.mark.parametrize('name', [name for name in ROWS if not ROWS[name].refused])
def test_what_converts_loads_checks_and_splits(plant, tmp_path, name):
    row = ROWS[name]
    root = plant(row)
    for target in ('voc', 'coco', 'yolo'):
        conversion.convert(str(root), str(tmp_path / target), to=target)
    assert read(tmp_path / 'yolo')[0] == row.kept
    lists = tmp_path / 'voc/ImageSets/Main'
    lists.mkdir(parents=True)
    (lists / 'all.txt').write_text(''.join(f'{image}\n' for image in row.kept))
    classes = tuple(sorted({name for names in row.kept.values() for name in names}))
    for kind, folder, ann_file in (
        (VOCFolderDataset, 'voc', 'ImageSets/Main/all.txt'),
        (CocoFileDataset, 'coco', 'annotations/all.json'),
    ):
        settings = {
            'ann_file': ann_file,
            'data_root': str(tmp_path / folder),
            'metainfo': {'classes': classes},
        }
        if kind is CocoFileDataset:
            settings['data_prefix'] = {'img': 'images'}
        dataset = kind(**settings)
        infos = [dataset.get_data_info(index) for index in range(len(dataset))]
        loaded = {
            Path(info['img_path']).stem: sorted(
                classes[one['bbox_label']] for one in info['instances']
            )
            for info in infos
        }
        assert loaded == row.kept
        assert check(kind, settings) == row.kept
        labels = split.read_source(str(tmp_path / folder)).labels
        counted = {Path(image).stem: n for image, n in labels.items()}
        assert {k: sorted(n.elements()) for k, n in counted.items()} == row.kept


def test_a_backslash_in_a_name_is_none_in_a_path(plant):
    root = plant(Row({}))
    for folder, suffix in (('images', 'png'), ('labels', 'txt')):
        (root / f'{folder}/a.{suffix}').rename(root / rf'{folder}/q\b.{suffix}')
    (root / r'labels/q\b.txt').write_text('0 .5 .5 .5 .5')
    (root / 'train.txt').write_text('images/q\\b.png\nimages\\b.png\n')
    assert read(root)[0] == {r'q\b': ['cat'], **ONLY_B}


def check(kind, settings):
    cfg = {
        'train_dataloader': {'dataset': {'type': kind.__name__, **settings}},
        'custom_imports': {'imports': [kind.__module__]},
    }
    (records,), findings = read_sources(find_sources(cfg)[0])
    assert findings == []
    return {
        Path(image.name).stem: sorted(box.name for box in image.boxes)
        for image in records.images
    }
