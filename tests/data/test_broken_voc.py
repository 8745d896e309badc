"""One table of odd VOC folders: every command gives the same answer to each.

A row says what all commands answer, and which of them, by its purpose, does not: only
training needs each image annotated, ``split.py`` reads no list, only a config knows
classes, and a data set opens no image whose size is annotated: the check does, before
each training. What is converted is split, checked and loaded again.
"""

import shutil
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest
from mmengine.config import Config

from custom_datasets.checks.check import check_annotations
from custom_datasets.checks.images import check_ends
from custom_datasets.checks.reading import read_sources
from custom_datasets.data import split as split_module
from custom_datasets.data.config_sources import find_sources
from custom_datasets.data.convert import convert
from custom_datasets.data.image_facts import read_image_facts
from custom_datasets.data.split import split_dataset
from custom_datasets.datasets import boxes as boxes_module
from custom_datasets.datasets.voc import VOCFolderDataset
from custom_datasets.errors import AnnotationError
from tests.data.drawing import SIZE, voc_xml, write

NAMES = 'abcdefghijkl'
CLASSES = ('cat', 'dog')
OBJECTS = [('cat', (1, 1, 10, 10)), ('dog', (5, 5, 30, 20))]
RATIOS = {'train': 1, 'val': 1, 'test': 1}
LIST = 'ImageSets/Main/train.txt'
COMMANDS = ('train', 'test', 'check', 'split', 'convert')


@pytest.fixture(scope='module')
def clean(tmp_path_factory):
    """Twelve images that no other is like, eight of them to train on."""
    root = tmp_path_factory.mktemp('clean') / 'voc'
    rng = np.random.default_rng(0)
    for name in NAMES:
        pixels = rng.integers(0, 256, (6, 8, 3), np.uint8)
        image = cv2.resize(pixels, (64, 48), interpolation=cv2.INTER_CUBIC)
        (root / 'JPEGImages').mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(root / f'JPEGImages/{name}.png'), image)
        write(root / f'Annotations/{name}.xml', voc_xml(OBJECTS))
    for part, names in (('train', NAMES[:8]), ('val', 'ij'), ('test', 'kl')):
        write(root / f'ImageSets/Main/{part}.txt', '\n'.join(names) + '\n')
    return root


@pytest.fixture
def root(clean, tmp_path):
    return Path(shutil.copytree(clean, tmp_path / 'voc'))


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch):
    """Read images here: worker processes take longer to start than these tests."""

    def scan(paths):
        return {path: read_image_facts(path) for path in paths}

    monkeypatch.setattr(split_module, 'scan_images', scan)


@pytest.fixture
def log(monkeypatch):
    lines = []
    monkeypatch.setattr(
        boxes_module, 'print_log', lambda text, logger: lines.append(text)
    )
    return lines


def load(root, list_file=LIST, **options):
    classes = {'classes': CLASSES}
    root = str(root)
    return VOCFolderDataset(
        list_file, data_root=root, metainfo=classes, serialize_data=False, **options
    )


def check(root):
    dataset = {
        'type': 'VOCFolderDataset',
        'data_root': str(root),
        'ann_file': LIST,
        'metainfo': {'classes': CLASSES},
    }
    imports = {'imports': ['custom_datasets.datasets.voc']}
    cfg = {'custom_imports': imports, 'train_dataloader': {'dataset': dataset}}
    sources, unknown = find_sources(Config(cfg))
    assert not unknown
    splits, findings = read_sources(sources)
    sizes = {i.image: i.size or SIZE for split in splits for i in split.images}
    findings += check_ends(splits)
    return [*findings, *check_annotations(splits, sizes)]


def place(finding):
    at = '' if finding.object is None else f', object {finding.object}'
    return f'{finding.file}{at}: {finding.message}'


def answers(root, out, log):
    """Return what each command refuses, and what it says besides."""
    refused, said = {}, {}

    def ask(command, run):
        try:
            said[command] = run()
            refused[command] = ()
        except AnnotationError as error:
            refused[command] = tuple(
                problem.replace(f'{root}/', '') for problem in error.problems
            )
            said[command] = ''

    def logged(**options):
        load(root, **options)
        return log[-1]

    ask('train', logged)
    ask('test', lambda: logged(test_mode=True))
    findings = check(root)
    refused['check'] = tuple(
        place(f).replace(f'{root}/', '') for f in findings if f.severity == 'error'
    )
    said['check'] = ' '.join(f'{f.severity} {f.code}' for f in findings)
    ask('split', lambda: split_dataset(str(root), RATIOS, out=str(out / 'lists')))
    ask('convert', lambda: convert(str(root), str(out / 'made')))
    return refused, said


def move(old, new):
    def change(root):
        (root / new).parent.mkdir(parents=True, exist_ok=True)
        (root / old).rename(root / new)

    return change


def remove(*names):
    return lambda root: [(root / name).unlink() for name in names]


def put(name, text):
    return lambda root: write(root / name, text)


def put_bytes(name, content):
    return lambda root: (root / name).write_bytes(content)


def cut(name):
    def change(root):
        data = (root / name).read_bytes()
        (root / name).write_bytes(data[: len(data) // 2])

    return change


def dead_link(name, target='nowhere'):
    return lambda root: (root / name).symlink_to(target)


def copy(old, new):
    return lambda root: shutil.copy(root / old, root / new)


def xml(*objects, **more):
    return put('Annotations/a.xml', voc_xml([*objects, *OBJECTS], **more))


def edit(old, new, name='Annotations/a.xml'):
    def change(root):
        text = (root / name).read_text()
        assert old in text
        write(root / name, text.replace(old, new, 1))

    return change


def both(*changes):
    return lambda root: [change(root) for change in changes]


def everyone(*problems):
    return dict.fromkeys(COMMANDS, problems)


def only(commands, *problems):
    return dict.fromkeys(commands, problems)


WIDE = '<?xml version="1.0" encoding="utf-16"?>' + voc_xml(OBJECTS)
LONG = f'<!--{5000 * "x"}-->'
TWINS = copy('JPEGImages/a.png', 'JPEGImages/a.bmp')
AMBIGUOUS = (
    'Annotations/a.xml: it may belong to JPEGImages/a.bmp and JPEGImages/a.png; '
    'rename one of them'
)
A = 'Annotations/a.xml'
INVISIBLE = r"'d\u200bog'"
NO_NUMBERS = 'without four finite numbers below 1e12'
LOOKING = ('check', 'split', 'convert')
DOGS = ('do\u0308g', 'd\u00f6g')
ALIKE = ('A', '\u00fc', 'u\u0308')
LATIN = '{}/gr\udcf6\udcdfe.{}'
LISTING = ('train', 'test', 'check', 'convert')

# What is changed; what each command refuses; what a command says besides.
ROWS = {
    'nothing': (both(), {}, {'train': 'all clean', 'check': ''}),
    'folders that are named like files': (
        lambda root: [
            (root / name).mkdir()
            for name in ('JPEGImages/a.jpg', 'Annotations/b.XML', 'Annotations/x.xml')
        ],
        {},
        {},
    ),
    'a name in bytes of another system': (
        both(
            move('JPEGImages/a.png', LATIN.format('JPEGImages', 'png')),
            move(A, LATIN.format('Annotations', 'xml')),
            edit('a\n', '', LIST),
        ),
        only(['split'], r"'gr\udcf6\udcdfe': no list can hold this name; rename it"),
        {'convert': '1 image renamed'},
    ),
    'a link to itself': (
        both(remove('JPEGImages/a.png'), dead_link('JPEGImages/a.png', 'a.png')),
        only(
            LOOKING,
            'JPEGImages/a.png: cannot be read (Too many levels of symbolic links)',
        ),
        {},
    ),
    'an image with two suffixes, listed with one': (
        both(
            move('JPEGImages/a.png', 'JPEGImages/a.png.png'),
            move(A, 'Annotations/a.png.xml'),
            edit('a\n', 'a.png\n', LIST),
        ),
        {},
        {'convert': '1 image renamed'},
    ),
    'names that differ in case, or in how an accent is written': (
        both(
            *(copy('JPEGImages/a.png', f'JPEGImages/{name}.png') for name in ALIKE),
            *(copy(A, f'Annotations/{name}.xml') for name in ALIKE),
            edit('a\n', ''.join(f'{name}\n' for name in ('a', *ALIKE)), LIST),
        ),
        {},
        {'convert': '2 images renamed'},
    ),
    'a hidden image': (
        both(
            move('JPEGImages/a.png', 'JPEGImages/.a.png'),
            move(A, 'Annotations/.a.xml'),
            edit('a\n', '.a\n', LIST),
        ),
        only(LISTING, f'{LIST}: line 1: .a: no such image'),
        {},
    ),
    'a byte order mark in a name': (
        both(
            move('JPEGImages/a.png', 'JPEGImages/\ufeffa.png'),
            move(A, 'Annotations/\ufeffa.xml'),
            edit('a\n', '', LIST),
        ),
        only(['split'], r"'\ufeffa': no list can hold this name; rename it"),
        {'convert': '1 image renamed'},
    ),
    'suffix in capitals': (move(A, 'Annotations/a.XML'), {}, {}),
    'XML in a sub-folder': (move(A, 'Annotations/deep/a.xml'), {}, {}),
    'XML two folders down': (move(A, 'Annotations/very/deep/a.xml'), {}, {}),
    'XML beside its image': (
        move(A, 'JPEGImages/a.xml'),
        only(
            ['train', 'check', 'convert'],
            'JPEGImages/a.png: listed, but has no XML file',
        ),
        {'test': '1 image without XML', 'split': '1 image without XML left out'},
    ),
    'image in a sub-folder': (move('JPEGImages/a.png', 'JPEGImages/x/a.png'), {}, {}),
    'both in folders of other names': (
        both(
            move('JPEGImages/a.png', 'JPEGImages/x/a.png'),
            move(A, 'Annotations/y/a.xml'),
        ),
        {},
        {},
    ),
    'two images of a name': (TWINS, everyone(AMBIGUOUS), {}),
    'two images of a name, and <filename> names one': (
        both(TWINS, xml(filename='a.png')),
        {},
        {},
    ),
    'two images of a name, and the list names one': (
        both(TWINS, edit('a\n', 'a.png\n', LIST)),
        only(['split'], AMBIGUOUS),
        {},
    ),
    'two images of a name, and <filename> names a third': (
        both(
            TWINS,
            remove('Annotations/b.xml'),
            xml(filename='b.png'),
            edit('b\n', '', LIST),
        ),
        everyone(AMBIGUOUS),
        {},
    ),
    'listed, and not annotated': (
        remove(A),
        only(
            ['train', 'check', 'convert'],
            'JPEGImages/a.png: listed, but has no XML file',
        ),
        {'test': '1 image without XML', 'split': '1 image without XML left out'},
    ),
    'to be tested on, and not annotated': (
        remove('Annotations/k.xml'),
        {},
        {
            'convert': '1 listed image has no XML file and comes without boxes',
            'split': '1 image without XML left out',
        },
    ),
    'listed, and nowhere': (
        edit('a\n', 'a\nnowhere\n', LIST),
        only(LISTING, f'{LIST}: line 2: nowhere: no such image'),
        {},
    ),
    'space at the end of a name': (
        both(
            move('JPEGImages/a.png', 'JPEGImages/a .png'),
            move(A, 'Annotations/a .xml'),
            edit('a\n', 'a \n', LIST),
        ),
        only(LISTING, f'{LIST}: line 1: a: no such image')
        | only(['split'], "'a ': no list can hold this name; rename it"),
        {},
    ),
    'annotated, and no image': (
        remove('JPEGImages/a.png'),
        everyone(f'{A}: there is no image a.*'),
        {},
    ),
    'inverted box': (
        xml(('cat', (10, 10, 5, 20))),
        {},
        {
            'train': '1 box without area dropped',
            'test': '1 box without area dropped',
            'check': 'warning inverted-box',
            'split': '1 box without area not counted',
            'convert': '1 box without area dropped',
        },
    ),
    'box of no width': (
        xml(('cat', (10, 10, 10, 20))),
        {},
        {
            'train': '1 box without area dropped',
            'test': '1 box without area dropped',
            'check': 'warning zero-area-box',
            'split': '1 box without area not counted',
            'convert': '1 box without area dropped',
        },
    ),
    'box that goes beyond the image': (
        xml(('cat', (40, 40, 99, 45))),
        {},
        {
            'train': '1 box clipped',
            'check': 'warning clipped-box',
            'convert': '1 box clipped to the image',
        },
    ),
    'box outside of the image': (
        xml(('cat', (100, 100, 120, 120))),
        {},
        {
            'train': '1 box without area dropped',
            'check': 'warning outside-box',
            'split': '1 box without area not counted',
            'convert': '1 box without area dropped',
        },
    ),
    'NaN': (
        xml(('cat', (1, 'nan', 5, 5))),
        everyone(f'{A}, object 0: cat has a <bndbox> {NO_NUMBERS}'),
        {},
    ),
    'pixels that no image has': (
        xml(('cat', (1, 2, '1e200', '1e200'))),
        everyone(f'{A}, object 0: cat has a <bndbox> {NO_NUMBERS}'),
        {},
    ),
    'no number': (
        xml(('cat', (1, '1,5', 5, 5))),
        everyone(
            f'{A}, object 0: cat has a <bndbox> with a side that is not a '
            "number (could not convert string to float: '1,5')"
        ),
        {},
    ),
    'no <bndbox>': (
        edit('<object>', '<object><name>dog</name></object><object>'),
        everyone(f'{A}, object 0: dog has no <bndbox>'),
        {},
    ),
    'no <name>': (
        edit('<name>dog</name>', ''),
        everyone(f'{A}, object 1: no <name>'),
        {},
    ),
    'two broken objects': (
        both(edit('<name>cat</name>', ''), edit('<name>dog</name>', '<name> </name>')),
        everyone(f'{A}, object 0: no <name>', f'{A}, object 1: no <name>'),
        {},
    ),
    'another root': (
        put(A, '<annotations/>'),
        everyone(f'{A}: its root is <annotations>, not <annotation> as in Pascal VOC'),
        {},
    ),
    'another kind of XML beside them': (
        put('Annotations/readme.xml', '<readme/>'),
        {},
        {
            'split': '1 XML files that are no annotations left out',
            'convert': 'readme.xml: its root is <readme>, not <annotation>',
        },
    ),
    'broken XML': (
        put(A, '<annotation>'),
        everyone(f'{A}: broken XML (no element found: line 1, column 12)'),
        {},
    ),
    'empty XML': (
        put(A, ''),
        everyone(f'{A}: broken XML (no element found: line 1, column 0)'),
        {},
    ),
    'a long comment in front of all, and no image': (
        both(edit('<annotation>', LONG + '<annotation>'), remove('JPEGImages/a.png')),
        everyone(f'{A}: there is no image a.*'),
        {},
    ),
    'another kind of XML that holds an annotation': (
        put('Annotations/readme.xml', '<readme><annotation/></readme>'),
        {},
        {'split': '1 XML files that are no annotations left out'},
    ),
    'UTF-16': (put_bytes(A, WIDE.encode('utf-16')), {}, {}),
    'namespace': (edit('<annotation>', '<annotation xmlns="http://voc">'), {}, {}),
    'stray text': (edit('<object>', 'oh <object>'), {}, {'check': 'note stray-text'}),
    'the name of another image': (
        xml(filename='b.png'),
        {},
        {'check': 'warning wrong-filename'},
    ),
    'an image of another name': (
        both(
            move('JPEGImages/a.png', 'JPEGImages/other.png'), xml(filename='other.png')
        ),
        {},
        {},
    ),
    'an image that has an XML file of its own': (
        both(remove('JPEGImages/a.png'), xml(filename='b.png')),
        everyone(f'{A}: its image belongs to Annotations/b.xml already'),
        {},
    ),
    'two XML files that name one image': (
        both(
            move('JPEGImages/a.png', 'JPEGImages/other.png'),
            remove('JPEGImages/b.png'),
            xml(filename='other.png'),
            put('Annotations/b.xml', voc_xml(OBJECTS, filename='other.png')),
        ),
        everyone(f'Annotations/b.xml: its image belongs to {A} already'),
        {},
    ),
    'two XML files of one image': (
        both(
            move(A, 'Annotations/x/a.xml'), put('Annotations/y/a.xml', voc_xml(OBJECTS))
        ),
        everyone(
            'Annotations/y/a.xml: its image belongs to Annotations/x/a.xml already'
        ),
        {},
    ),
    'unknown class': (
        both(*(edit('dog', 'cow', f'Annotations/{name}.xml') for name in 'abc')),
        only(
            ['train', 'test'],
            f"{A}: unknown class 'cow'; known: cat, dog (3 times, also in "
            'Annotations/b.xml; Annotations/c.xml)',
        )
        | only(
            ['check'],
            *(
                f"{file}, object 1: unknown class 'cow'; known: cat, dog"
                for file in (A, 'Annotations/b.xml', 'Annotations/c.xml')
            ),
        ),
        {'split': 'cow', 'convert': 'cow'},
    ),
    'zero-width space in a name': (
        edit('dog', 'd\u200bog'),
        only(['train', 'test'], rf"{A}: unknown class {INVISIBLE}; did you mean 'dog'?")
        | only(
            ['check'],
            rf"{A}, object 1: unknown class {INVISIBLE}; did you mean 'dog'?",
        )
        | only(['split', 'convert'], f'{INVISIBLE} is not a class name; rename it'),
        {},
    ),
    'two names of a class that look the same': (
        both(edit('dog', DOGS[0]), edit('dog', DOGS[1], 'Annotations/b.xml')),
        only(
            ['train', 'test'],
            *(
                f"{file}: unknown class {dog!r}; did you mean 'dog'?"
                for file, dog in zip((A, 'Annotations/b.xml'), DOGS, strict=True)
            ),
        )
        | only(
            ['check'],
            *(
                f"{file}, object 1: unknown class {dog!r}; did you mean 'dog'?"
                for file, dog in zip((A, 'Annotations/b.xml'), DOGS, strict=True)
            ),
        )
        | only(
            ['split', 'convert'],
            f'{DOGS[0]!a} and {DOGS[1]!a} look the same, {DOGS[0]}; rename one of them',
        ),
        {},
    ),
    'one class twice in classes.txt': (
        put('classes.txt', 'cat\ndog\ncat\n'),
        only(['convert'], 'class list: cat appears twice'),
        {},
    ),
    'an image that is none': (
        put('JPEGImages/a.png', 'no image'),
        only(LOOKING, 'JPEGImages/a.png: is not an image of any known kind'),
        {},
    ),
    'an image that is cut off': (
        cut('JPEGImages/a.png'),
        only(LOOKING, 'JPEGImages/a.png: is cut off'),
        {},
    ),
    'a link to no image': (
        both(remove('JPEGImages/a.png'), dead_link('JPEGImages/a.png')),
        only(LOOKING, 'JPEGImages/a.png: cannot be read (No such file or directory)'),
        {},
    ),
    'a link to no XML file': (
        both(remove(A), dead_link(A)),
        everyone(f'{A}: cannot be read (No such file or directory)'),
        {},
    ),
    'listed twice': (
        edit('a\n', 'a\na.png\n', LIST),
        only(LISTING, f'{LIST}: a is listed 2 times'),
        {},
    ),
    'listed twice in two spellings': (
        edit('a\n', 'a\n./a\nJPEGImages/a.png\n', LIST),
        only(LISTING, f'{LIST}: a is listed 3 times'),
        {},
    ),
    'paths in a list': (
        edit(
            'a\nb\nc\nd\ne\n',
            'JPEGImages/a.png\n./b\n/elsewhere/voc/JPEGImages/c.png\n'
            'JPEGImages\\d.png\nC:\\voc\\e.png\n',
            LIST,
        ),
        {},
        {},
    ),
    'a backslash in a name': (
        both(
            move('JPEGImages/a.png', r'JPEGImages/a\b.png'),
            move(A, r'Annotations/a\b.xml'),
            edit('dog', 'cat', r'Annotations/a\b.xml'),
            edit('a\n', 'JPEGImages/a\\b\n', LIST),
        ),
        {},
        {'convert': '1 image renamed'},
    ),
    'paths that lead out of the folder': (
        both(
            copy('JPEGImages/b.png', '../a.png'),
            edit('a\nb\nc\n', '../../a.png\n//b\n../../../c\n', LIST),
        ),
        {},
        {},
    ),
    'a byte in a path that no path can have': (
        edit('a\n', 'a\n/x/a\0.png\n', LIST),
        only(LISTING, f'{LIST}: line 2: /x/a\0.png: no such image'),
        {},
    ),
    'list of one class': (edit('a\nb\nc\n', 'a  1\nb -1\nc.png  0\n', LIST), {}, {}),
    'empty list': (
        put(LIST, ' \n'),
        only(['train', 'test', 'check'], f'{LIST}: the list is empty'),
        {'convert': f'{LIST}: the list is empty'},
    ),
    'list in another encoding': (
        put_bytes(LIST, 'Größe\n'.encode('latin-1')),
        only(LISTING, f'{LIST}: not text in UTF-8; save it as such'),
        {},
    ),
    'flags behind paths whose folders are gone': (
        both(
            move('JPEGImages/c.png', 'JPEGImages/deep/er/c.png'),
            move('Annotations/c.xml', 'Annotations/deep/er/c.xml'),
            edit('a\nb\nc\n', './x/a 1\nval/b.png -1\ndeep/c 1\n', LIST),
        ),
        {},
        {},
    ),
    'a slash behind a name': (
        edit('a\n', 'a/\n', LIST),
        only(LISTING, f'{LIST}: line 1: a/: no such image'),
        {},
    ),
    'list of another system': (
        put_bytes(LIST, b'\xef\xbb\xbfa\r\n\r\nb \r\nc.JPG\r\nd.png\r\ne.xml\r\nf\r\n'),
        {},
        {},
    ),
    'one YOLO label beside them': (
        put('labels/a.txt', '0 .5 .5 .5 .5\n'),
        {},
        {'convert': '1 file seems to be of another format, and is a stray: labels/a'},
    ),
    'no size': (xml(size=None), {}, {}),
    'size of another image': (
        xml(size=(640, 480)),
        {},
        {'convert': f'annotated; its boxes may be wrong: {A} has 640x480 for 64x48'},
    ),
    'size that is too small': (
        xml(('dog', (20, 20, 40, 40)), size=(10, 10)),
        {},
        {
            'train': 'all clean',
            'convert': f'annotated; its boxes may be wrong: {A} has 10x10 for 64x48',
        },
    ),
    'one file that says it counts from 0': (
        both(
            xml(('dog', (5, 5, 6, 9)), ('cat', (0, 0, 9, 9)), ('cat', (5, 5, 4.5, 9))),
            edit('<size>', '<counts_from>0</counts_from><size>'),
        ),
        {},
        {
            'train': '1 box without area dropped',
            'check': 'warning inverted-box',
            'split': '1 box without area not counted',
            'convert': '1 box without area dropped',
        },
    ),
    'difficult in words': (
        edit('<difficult>0', '<difficult>true'),
        {},
        {'train': '1 difficult boxes'},
    ),
}


@pytest.mark.parametrize('row', ROWS)
def test_every_command_gives_the_same_answer(row, root, tmp_path, log):
    change, problems, sentences = ROWS[row]
    change(root)
    refused, said = answers(root, tmp_path, log)
    assert refused == {command: problems.get(command, ()) for command in COMMANDS}
    for command, sentence in sentences.items():
        assert sentence in said[command]
    assert (tmp_path / 'made').exists() is not bool(refused['convert'])
    assert (tmp_path / 'lists').exists() is not bool(refused['split'])
    if not refused['split']:
        for part in RATIOS:
            if not refused['train']:
                load(tmp_path / 'lists', f'ImageSets/Main/{part}.txt')
    if not refused['convert'] and not refused['train']:
        made = load(tmp_path / 'made')
        assert boxes_of(made) == boxes_of(load(root))
        assert not [f for f in check(tmp_path / 'made') if f.severity == 'error']
        split_dataset(str(tmp_path / 'made'), RATIOS, overwrite=True)


def boxes_of(dataset):
    """Count classes and boxes; where an image was renamed they are the same."""
    return Counter(
        (box['bbox_label'], *box['bbox'], box['ignore_flag'])
        for info in dataset
        for box in info['instances']
    )


def test_skip_broken_leaves_out_what_is_refused(root, tmp_path):
    put(A, '<annotation>')(root)
    remove('JPEGImages/b.png', 'Annotations/c.xml')(root)
    report = convert(str(root), str(tmp_path / 'made'), skip_broken=True)
    assert report.count('left out: ') == 3
    assert [info['img_id'] for info in load(tmp_path / 'made')] == [*'defgh']


def test_unlisted_images_are_of_no_part_where_lists_exist(tmp_path):
    for name in ('train/a', 'train/b', 'test/c'):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        cv2.imwrite(str(tmp_path / f'{name}.png'), np.zeros((48, 64, 3), np.uint8))
        write(tmp_path / f'{name}.xml', voc_xml(OBJECTS))
    from custom_datasets.data.convert import read_source

    def parts():
        splits = read_source(str(tmp_path)).splits
        return {split: [r.name for r in found] for split, found in splits.items()}

    assert parts() == {'train': ['a', 'b'], 'test': ['c']}
    write(tmp_path / LIST, 'train/a\n')
    assert parts() == {'train': ['a'], 'unlisted': ['c', 'b']}
