"""Faults in class folders and their lists, each planted alone in a clean set."""

import shutil

import cv2
import numpy as np
import pytest

from custom_datasets.checks.check import check_config
from custom_datasets.data.image_facts import read_image_facts
from tests.leaves import LEAVES

LEAF = next(leaf for leaf in LEAVES if leaf.stem.startswith('resnet18_light_1xb64-24e'))
CLASSES = ('glass', 'metal')
COUNTS = {'train': 24, 'val': 20, 'test': 20}


def picture(seed):
    """Coarse coloured cells that no other seed has."""
    cells = np.random.default_rng(seed).integers(0, 256, (9, 10, 3), np.uint8)
    return cv2.resize(cells, (80, 72), interpolation=cv2.INTER_CUBIC)


@pytest.fixture(scope='module', autouse=True)
def in_this_process():
    """Read images here: worker processes take longer to start than these tests."""

    def scan(paths, progress, cache):
        return {path: read_image_facts(path) for path in paths}

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr('custom_datasets.checks.check.scan_images', scan)
        yield


@pytest.fixture(scope='module')
def clean(tmp_path_factory):
    """Two classes, three lists; ``glass/train_0.png`` and so on."""
    root = tmp_path_factory.mktemp('clean')
    for number, name in enumerate(CLASSES):
        (root / name).mkdir()
        for part, count in COUNTS.items():
            for index in range(count):
                file = f'{name}/{part}_{index}.png'
                seed = [number, len(part), index]
                assert cv2.imwrite(str(root / file), picture(seed))
                with open(root / f'{part}.txt', 'a') as stream:
                    stream.write(f'{file}\t{name}\n')
    return root


@pytest.fixture
def root(clean, tmp_path):
    return shutil.copytree(clean, tmp_path / 'data')


def check(root, classes=CLASSES):
    """Return code, severity, split and file under the root of each finding."""
    options = {'data_root': str(root), 'classes': list(classes)}
    found = check_config(str(LEAF), options, cached=False).findings
    return {
        (f.code, f.severity, f.split, (f.file or '').removeprefix(f'{root}/'))
        for f in found
        if f.severity != 'note'
    }


@pytest.fixture(scope='module')
def usual(clean):
    """What is said about the clean set: its schedule and its small size."""
    found = check(clean)
    assert not [one for one in found if one[1] == 'error']
    return {code for code, *_ in found}


def text(root):
    (root / 'glass/train_0.png').write_text('no image')
    return 'undecodable-image', 'error', 'train', 'glass/train_0.png'


def cut(root):
    path = root / 'metal/val_0.png'
    path.write_bytes(path.read_bytes()[:2000])
    return 'truncated-image', 'error', 'val', 'metal/val_0.png'


def copy_in_another_split(root):
    shutil.copy(root / 'glass/train_1.png', root / 'glass/test_1.png')
    return 'identical-images', 'error', 'test', 'glass/test_1.png'


def copy_in_another_class(root):
    shutil.copy(root / 'glass/train_2.png', root / 'metal/train_2.png')
    return 'identical-images', 'warning', 'train', 'metal/train_2.png'


def saved_again_in_another_split(root):
    pixels = cv2.imread(str(root / 'glass/train_3.png'))
    cv2.imwrite(str(root / 'glass/val_3.png'), cv2.resize(pixels, (120, 108)))
    return 'near-identical-images', 'warning', 'val', 'glass/val_3.png'


def blank(root):
    cv2.imwrite(str(root / 'glass/train_4.png'), np.full((72, 80, 3), 90, np.uint8))
    return 'blank', 'warning', 'train', 'glass/train_4.png'


def lost(root):
    (root / 'metal/test_5.png').unlink()
    return 'missing-image', 'error', 'test', 'test.txt'


def other_class(root):
    path = root / 'train.txt'
    path.write_text(path.read_text().replace('_6.png\tglass', '_6.png\tGlas'))
    return 'unknown-class', 'error', 'train', 'train.txt'


def line_without_class(root):
    path = root / 'train.txt'
    path.write_text(path.read_text().replace('_7.png\tglass', '_7.png glass'))
    return 'broken-annotation', 'error', 'train', 'train.txt'


def listed_twice(root):
    path = root / 'val.txt'
    path.write_text(path.read_text() + 'glass/val_8.png\tglass\n')
    return 'listed-twice', 'error', 'val', 'val.txt'


def class_without_image(root):
    path = root / 'train.txt'
    lines = path.read_text().splitlines()
    path.write_text(''.join(f'{line}\n' for line in lines if 'metal' not in line))
    return 'class-without-box', 'error', 'train', 'train.txt'


def no_list(root):
    (root / 'val.txt').unlink()
    return 'no-list', 'error', 'val', 'val.txt'


FAULTS = [
    text,
    cut,
    copy_in_another_split,
    copy_in_another_class,
    saved_again_in_another_split,
    blank,
    lost,
    other_class,
    line_without_class,
    listed_twice,
    class_without_image,
    no_list,
]
# A class that is gone is out of balance as well; a blank image is blurred.
ALSO = {
    'class-without-box': {'few-objects', 'class-balance', 'shares-differ'},
    'blank': {'blurred'},
}


@pytest.mark.parametrize('plant', FAULTS, ids=lambda plant: plant.__name__)
def test_each_fault_is_found_where_it_is_and_nothing_else(root, usual, plant):
    expected = plant(root)
    found = check(root)
    assert expected in found, found
    codes = {code for code, *_ in found}
    assert codes <= usual | {expected[0]} | ALSO.get(expected[0], set())


def test_other_classes_than_the_config_s(root):
    found = check(root, ['cardboard', 'paper'])
    assert {one[2] for one in found if one[0] == 'other-vocabulary'} == set(COUNTS)
