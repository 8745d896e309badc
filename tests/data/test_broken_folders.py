"""One table of odd class folders and lists: every command answers alike.

A row says what all commands answer, and which of them, by its purpose, does not:
``split.py`` reads no list and goes by folders, only a config knows classes, and only a
conversion can give an image another name.
"""

import shutil
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
from custom_datasets.data.image_kinds import IMAGE_SUFFIXES
from custom_datasets.data.split import split_dataset
from custom_datasets.datasets.class_list import ClassListDataset
from custom_datasets.errors import AnnotationError, UserError
from tests.data.drawing import write

CLASSES = ('cat', 'dog')
PARTS = {'train': range(4), 'val': (4, 5), 'test': (6, 7)}
RATIOS = {'train': 1, 'val': 1, 'test': 1}
COMMANDS = ('train', 'test', 'check', 'split', 'convert')
LOOKING = ('check', 'split', 'convert')
NO_FILE = 'cannot be read (No such file or directory)'
LISTING = ('train', 'test', 'check', 'convert')
RNG = np.random.default_rng(0)


def draw(path):
    """Draw an image that no other is like."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = RNG.integers(0, 256, (6, 8, 3), np.uint8)
    image = cv2.resize(pixels, (64, 48), interpolation=cv2.INTER_CUBIC)
    path.write_bytes(cv2.imencode('.png', image)[1].tobytes())


@pytest.fixture(scope='module')
def clean(tmp_path_factory):
    """Eight images of each of two classes, and three lists."""
    root = tmp_path_factory.mktemp('clean') / 'pets'
    for part, numbers in PARTS.items():
        names = [f'{label}/{number}.png' for number in numbers for label in CLASSES]
        for name in names:
            draw(root / name)
        lines = (f'{name}\t{name.partition("/")[0]}\n' for name in names)
        write(root / f'{part}.txt', ''.join(lines))
    return root


@pytest.fixture
def root(clean, tmp_path):
    return Path(shutil.copytree(clean, tmp_path / 'pets'))


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch):
    """Read images here: worker processes take longer to start than these tests."""

    def scan(paths):
        return {path: read_image_facts(path) for path in paths}

    monkeypatch.setattr(split_module, 'scan_images', scan)


def load(root, list_file='train.txt', classes=CLASSES, **options):
    return ClassListDataset(
        list_file,
        data_root=str(root),
        classes=classes,
        serialize_data=False,
        **options,
    )


def check(root):
    dataset = {
        'type': 'ClassListDataset',
        'data_root': str(root),
        'ann_file': 'train.txt',
        'metainfo': {'classes': CLASSES},
    }
    imports = {'imports': ['custom_datasets.datasets.class_list']}
    cfg = {'custom_imports': imports, 'train_dataloader': {'dataset': dataset}}
    sources, unknown = find_sources(Config({**cfg, 'default_scope': 'mmpretrain'}))
    assert not unknown
    splits, findings = read_sources(sources)
    findings += check_ends(splits)
    return [*findings, *check_annotations(splits, {})]


def answers(root, out):
    """Return what each command refuses, and what it says besides."""
    refused, said = {}, {}

    def ask(command, run):
        problems = ()
        said[command] = ''
        try:
            said[command] = str(run())
        except AnnotationError as error:
            problems = error.problems
        except UserError as error:
            problems = (str(error),)
        refused[command] = tuple(text.replace(f'{root}/', '') for text in problems)

    ask('train', lambda: load(root))
    ask('test', lambda: load(root, test_mode=True))
    findings = [f for f in check(root) if f.severity == 'error']
    refused['check'] = tuple(
        f'{f.file}: {f.message}'.replace(f'{root}/', '') for f in findings
    )
    ask('split', lambda: split_dataset(str(root), RATIOS, out=str(out / 'lists')))
    ask('convert', lambda: convert(str(root), str(out / 'made')))
    return refused, said


def edit(old, new, name='train.txt'):
    def change(root):
        text = (root / name).read_text()
        assert old in text
        write(root / name, text.replace(old, new, 1))

    return change


def image(name):
    return lambda root: draw(root / name)


def both(*changes):
    return lambda root: [change(root) for change in changes]


def move(old, new):
    return lambda root: (root / old).rename(root / new)


def copy(old, new):
    def change(root):
        (root / new).parent.mkdir(exist_ok=True)
        shutil.copy(root / old, root / new)

    return change


def remove(name):
    return lambda root: (root / name).unlink()


def dead_link(name):
    return lambda root: (root / name).symlink_to('nowhere')


def put_bytes(name, content):
    return lambda root: (root / name).write_bytes(content)


def only(commands, *problems):
    return dict.fromkeys(commands, problems)


STRAY = 'file seems to be of another format, and is a stray'
FIRST = 'cat/0.png\tcat\n'
UNLISTABLE = r"'cat/0\tx.png': no list can hold this name; rename it"

# What is changed; what each command refuses; what a command says besides.
ROWS = {
    'nothing': (both(), {}, {}),
    'tab in a listed name': (
        both(move('cat/0.png', 'cat/0\tx.png'), edit('cat/0.png', 'cat/0\tx.png')),
        only(LISTING, 'train.txt: line 1: more than one tab')
        | only(['split'], UNLISTABLE),
        {},
    ),
    'tab in a name that is in no list': (
        both(move('cat/0.png', 'cat/0\tx.png'), edit(FIRST, '')),
        only(['split'], UNLISTABLE),
        {'convert': '1 image renamed'},
    ),
    'label that is no class': (
        edit(FIRST, 'cat/0.png\tcow\n'),
        only(
            ['train', 'test'], "train.txt, line 1: unknown class 'cow'; known: cat, dog"
        )
        | only(['check'], "train.txt: unknown class 'cow'; known: cat, dog")
        | only(
            ['convert'],
            'train.txt: line 1: cat/0.png is in the folder of cat, not of cow',
        ),
        {},
    ),
    'label of another class than its folder': (
        edit(FIRST, 'cat/0.png\tdog\n'),
        only(
            ['convert'],
            'train.txt: line 1: cat/0.png is in the folder of cat, not of dog',
        ),
        {},
    ),
    'path twice': (
        edit(FIRST, FIRST + FIRST),
        only(LISTING, 'train.txt: line 2: cat/0.png is in line 1 already'),
        {},
    ),
    'path twice with two classes': (
        edit(FIRST, f'{FIRST}cat/0.png\tdog\n'),
        only(LISTING, 'train.txt: line 2: cat/0.png is in line 1 already'),
        {},
    ),
    'path twice in two spellings': (
        edit(FIRST, f'{FIRST}./cat/0.png\tcat\n'),
        only(LISTING, 'train.txt: line 2: ./cat/0.png is in line 1 already'),
        {},
    ),
    'path twice, once from the root of all': (
        lambda root: edit(FIRST, f'{FIRST}{root}/cat/0.png\tcat\n')(root),
        only(LISTING, 'train.txt: line 2: cat/0.png is in line 1 already'),
        {},
    ),
    'paths of another system, and from the root of all': (
        lambda root: edit(
            f'{FIRST}dog/0.png', f'cat\\0.png\tcat\n{root}/./cat/../dog/0.png'
        )(root),
        {},
        {},
    ),
    'a byte in a path that no path can have': (
        edit('cat/0.png', '/x/cat/0\0.png'),
        only(
            ['train', 'test', 'check'],
            'train.txt: line 1: /x/cat/0\0.png: no such image',
        )
        | only(['convert'], 'train.txt: line 1: /x/cat/0\0.png: no such image'),
        {},
    ),
    'path in two lists': (
        edit('cat/4.png\tcat\n', FIRST, 'val.txt'),
        only(['convert'], 'val.txt: line 1: cat/0.png is in train.txt already'),
        {},
    ),
    'no such image': (
        remove('cat/0.png'),
        only(LISTING, 'train.txt: line 1: cat/0.png: no such image'),
        {},
    ),
    'a hidden image': (
        both(move('cat/0.png', 'cat/.0.png'), edit('cat/0.png', 'cat/.0.png')),
        only(
            LISTING,
            'train.txt: line 1: cat/.0.png: no such image: what is hidden is passed '
            'over',
        ),
        {},
    ),
    'an image in a hidden folder': (
        both(image('cat/.old/9.png'), edit('cat/0.png', 'cat/.old/9.png')),
        only(
            LISTING,
            'train.txt: line 1: cat/.old/9.png: no such image: what is hidden is '
            'passed over',
        ),
        {},
    ),
    'a drawing in SVG': (
        both(put_bytes('cat/0.svg', b'<svg/>'), edit('cat/0.png', 'cat/0.svg')),
        only(
            LISTING,
            'train.txt: line 1: cat/0.svg: no such image: known are '
            f'{", ".join(IMAGE_SUFFIXES)}',
        ),
        {'split': '1 file in class folders is not a readable image: cat/0.svg'},
    ),
    'two classes that look the same': (
        both(
            *(copy('cat/0.png', f'{name}/9.png') for name in ('d\u00f6g', 'do\u0308g')),
        ),
        only(
            ['split', 'convert'],
            r"'do\u0308g' and 'd\xf6g' look the same, "
            'do\u0308g; rename one of them',
        ),
        {},
    ),
    'image in no folder of a class': (
        both(move('cat/0.png', 'top.png'), edit('cat/0.png', 'top.png')),
        only(['convert'], 'train.txt: line 1: top.png is not in a class folder'),
        {'split': '1 image outside of class folders left out: top.png'},
    ),
    'line without a tab': (
        edit(FIRST, 'cat/0.png cat\n'),
        only(LISTING, 'train.txt: line 1: no tab and class after the path'),
        {},
    ),
    'line without a class': (
        edit(FIRST, 'cat/0.png\t\n'),
        only(LISTING, 'train.txt: line 1: no tab and class after the path'),
        {},
    ),
    'empty list': (
        put_bytes('train.txt', b' \n'),
        only(['train', 'test', 'check'], 'train.txt: the list is empty'),
        {'convert': 'lists not read (val.txt, test.txt)'},
    ),
    'list in another encoding': (
        put_bytes('train.txt', 'Größe.png\tcat\n'.encode('latin-1')),
        only(LISTING, 'train.txt: not text in UTF-8; save it as such'),
        {},
    ),
    'list of another system': (
        put_bytes(
            'train.txt',
            '\ufeffcat/0.png \t cat\r\n\r\ndog/0.png\tdog\r\n'.encode(),
        ),
        {},
        {'convert': '6 images that no list names are in no part'},
    ),
    'image in two folders of classes': (
        copy('cat/0.png', 'dog/8.png'),
        {},
        {'split': '2 images belong together, in 1 group of at most 2'},
    ),
    'an image that is none': (
        put_bytes('cat/0.png', b'no image'),
        only(LOOKING, 'cat/0.png: is not an image of any known kind'),
        {},
    ),
    'a link to no image': (
        both(remove('cat/0.png'), dead_link('cat/0.png')),
        only(['train', 'test', 'check'], f'train.txt: line 1: cat/0.png: {NO_FILE}')
        | only(['split'], f'cat/0.png: {NO_FILE}')
        | only(
            ['convert'],
            f'train.txt: line 1: cat/0.png: {NO_FILE}',
            f'cat/0.png: {NO_FILE}',
        ),
        {},
    ),
    'class without an image': (
        lambda root: (root / 'bird').mkdir(),
        {},
        dict.fromkeys(
            ('split', 'convert'), '1 class folder without an image left out: bird'
        ),
    ),
    'folder in the folder of a class': (
        both(
            lambda root: (root / 'cat/night').mkdir(),
            move('cat/0.png', 'cat/night/0.png'),
            edit('cat/0.png', 'cat/night/0.png'),
        ),
        {},
        {},
    ),
    'folders that are named like files': (
        lambda root: [
            (root / name).mkdir()
            for name in ('cat/8.png', 'x.jpg', 'y.xml', 'test.json')
        ],
        {},
        {},
    ),
    'a name in bytes of another system': (
        both(move('cat/0.png', 'cat/\udcf6.png'), edit(FIRST, '')),
        only(['split'], r"'cat/\udcf6.png': no list can hold this name; rename it"),
        {'convert': '1 image renamed'},
    ),
    'a class in bytes of another system': (
        lambda root: draw(root / 'k\udcf6ter/0.png'),
        only(['split', 'convert'], r"'k\udcf6ter' is not a class name; rename it"),
        {},
    ),
    'a backslash in a name': (
        both(move('cat/0.png', 'cat/0\\x.png'), edit('cat/0.png', 'cat/0\\x.png')),
        {},
        {'convert': '1 image renamed'},
    ),
    'an image cut off that no list names': (
        put_bytes('cat/8.png', b'\x89PNG'),
        only(['split', 'convert'], 'cat/8.png: is cut off'),
        {},
    ),
    'suffix in capitals': (
        both(move('cat/0.png', 'cat/0.PNG'), edit('cat/0.png', 'cat/0.PNG')),
        {},
        {},
    ),
    'part without classes beside them': (
        image('Test/0.png'),
        {},
        dict.fromkeys(('split', 'convert'), '1 image in Test left out'),
    ),
    'part with classes beside them': (
        image('train/cat/9.png'),
        only(
            ['split', 'convert'],
            '{root}: has class folders (cat, dog) beside train, which holds class '
            'folders too; move one of them away',
        ),
        {},
    ),
    'hidden files': (
        both(image('cat/.0.png'), image('cat/.trash/1.png'), image('.x/1.png')),
        {},
        {},
    ),
    'no-break space in the name of a class': (
        lambda root: draw(root / 'b\xa0ird/0.png'),
        only(['split', 'convert'], r"'b\xa0ird' is not a class name; rename it"),
        {},
    ),
    'one class twice in classes.txt': (
        put_bytes('classes.txt', b'cat\ndog\ncat\n'),
        only(['convert'], 'class list: cat appears twice'),
        {},
    ),
    'one YOLO label among the images': (
        put_bytes('cat/0.txt', b'0 .5 .5 .5 .5\n'),
        {},
        {
            'split': '1 file in class folders is not a readable image: cat/0.txt',
            'convert': f'1 {STRAY}: cat/0.txt',
        },
    ),
    'one VOC file among the images': (
        put_bytes('cat/0.xml', b'<annotation></annotation>'),
        {},
        {'convert': f'1 {STRAY}: cat/0.xml'},
    ),
    'the classes of YOLO beside the folders': (
        put_bytes('data.yaml', b'names: [cat, dog]'),
        {},
        {'convert': f'1 {STRAY}: data.yaml'},
    ),
    'a COCO file of one of the images': (
        put_bytes(
            'x.json',
            b'{"images": [{"id": 1, "file_name": "cat/0.png"}], "annotations": [],'
            b' "categories": [{"id": 1, "name": "cat"}]}',
        ),
        {},
        {'convert': f'1 {STRAY}: x.json'},
    ),
    'links to a class': (
        lambda root: [(root / name).symlink_to('cat') for name in ('a', 'kitty', 'z')],
        {},
        dict.fromkeys(
            ('split', 'convert'), '3 class folders without an image left out: a, kitty'
        ),
    ),
    'a GIF that is none': (
        put_bytes('cat/8.gif', b'GIF89a' + bytes(20)),
        only(
            ['split', 'convert'],
            'cat/8.gif: begins like a GIF file, but is cut off or damaged',
        ),
        {},
    ),
    'classes.txt in another encoding': (
        put_bytes('classes.txt', 'cat\ndog\n'.encode('utf-16')),
        only(['convert'], 'classes.txt: not text in UTF-8; save it as such'),
        {},
    ),
    'files that are no images': (
        put_bytes('cat/notes.txt', b'hello'),
        {},
        dict.fromkeys(
            ('split', 'convert'),
            '1 file in class folders is not a readable image: cat/notes.txt',
        ),
    ),
}


@pytest.mark.parametrize('row', ROWS)
def test_every_command_gives_the_same_answer(row, root, tmp_path):
    change, problems, sentences = ROWS[row]
    change(root)
    refused, said = answers(root, tmp_path)
    assert refused == {
        command: tuple(
            text.replace('{root}', str(root)) for text in problems.get(command, ())
        )
        for command in COMMANDS
    }
    for command, sentence in sentences.items():
        assert sentence in said[command]
    assert (tmp_path / 'made').exists() is not bool(refused['convert'])
    if not refused['split']:
        for part in RATIOS:
            load(tmp_path / 'lists', f'{part}.txt')
    if not refused['convert']:
        lists = sorted(path.name for path in (tmp_path / 'made').glob('[atuv]*.txt'))
        assert lists[0] in ('all.txt', 'test.txt')
        for name in lists:
            load(tmp_path / 'made', name, test_mode=True)
        split_dataset(str(tmp_path / 'made'), RATIOS, out=str(tmp_path / 'again'))


def test_skip_broken_leaves_out_what_is_refused(root, tmp_path):
    edit(FIRST, 'cat/0.png cat\ncat/0.png\tdog\n')(root)
    report = convert(str(root), str(tmp_path / 'made'), skip_broken=True)
    assert report.count('left out: ') == 2
    listed = (tmp_path / 'made/train.txt').read_text().split()
    assert listed[::2] == [
        *(f'train/cat/{number}.png' for number in (1, 2, 3)),
        *(f'train/dog/{number}.png' for number in (0, 1, 2, 3)),
    ]


def test_classes_that_are_numbers_go_by_their_value(tmp_path):
    for name in ('9', '10', '2'):
        for number in range(3):
            draw(tmp_path / f'in/{name}/{number}.png')
    convert(str(tmp_path / 'in'), str(tmp_path / 'made'))
    classes = (tmp_path / 'made/classes.txt').read_text().split()
    assert classes == ['2', '9', '10']
    split_dataset(str(tmp_path / 'in'), RATIOS)
    dataset = load(tmp_path / 'in', classes=classes)
    assert sorted(dataset.get_gt_labels()) == [0, 1, 2]
