"""What is listed to be left out, why, and that nothing is touched."""

import csv
import shutil

import cv2
import numpy as np
import pytest

from custom_datasets.data import clean as clean_module
from custom_datasets.data import split as split_module
from custom_datasets.data.clean import clean_dataset, read_excluded
from custom_datasets.data.image_facts import read_image_facts
from custom_datasets.data.split import split_dataset
from custom_datasets.errors import UserError

CLASSES = ('glass', 'metal')


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch):
    """Read images here: worker processes take longer to start than these tests."""

    def scan(paths, progress=None, cache=None):
        return {path: read_image_facts(path) for path in paths}

    monkeypatch.setattr(clean_module, 'scan_images', scan)
    monkeypatch.setattr(split_module, 'scan_images', scan)


def picture(seed, height=72, width=80):
    """Coarse coloured cells that no other seed has."""
    cells = np.random.default_rng(seed).integers(0, 256, (9, 10, 3), np.uint8)
    return cv2.resize(cells, (width, height), interpolation=cv2.INTER_CUBIC)


def write(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), pixels)


@pytest.fixture
def clean(tmp_path):
    """Ten different pictures in each of two classes."""
    for number, name in enumerate(CLASSES):
        for index in range(10):
            write(tmp_path / f'data/{name}/{index}.png', picture(100 * number + index))
    return tmp_path / 'data'


@pytest.fixture
def dirty(clean):
    whole = (clean / 'glass/0.png').read_bytes()
    (clean / 'glass/text.jpg').write_text('no image')
    (clean / 'glass/empty.jpg').write_bytes(b'')
    (clean / 'glass/cut.png').write_bytes(whole[: len(whole) // 2])
    write(clean / 'metal/63.png', picture(300, 63, 200))
    write(clean / 'metal/64.png', picture(301, 64, 200))
    shutil.copy(clean / 'glass/1.png', clean / 'glass/again.png')
    shutil.copy(clean / 'glass/2.png', clean / 'metal/taken_for_metal.png')
    # The larger one of two that show the same stays.
    write(clean / 'metal/large.png', picture(103, 144, 160))
    write(clean / 'metal/saved.jpg', picture(104))
    return clean


REMOVED = [
    ('glass/2.png', 'label-conflict', 'metal/taken_for_metal.png'),
    ('glass/again.png', 'duplicate', 'glass/1.png'),
    ('glass/cut.png', 'unreadable', ''),
    ('glass/empty.jpg', 'unreadable', ''),
    ('glass/text.jpg', 'unreadable', ''),
    ('metal/3.png', 'near-duplicate', 'metal/large.png'),
    ('metal/63.png', 'small', ''),
    ('metal/saved.jpg', 'near-duplicate', 'metal/4.png'),
    ('metal/taken_for_metal.png', 'label-conflict', 'glass/2.png'),
]


def state(folder):
    return {
        path: (path.read_bytes(), path.stat().st_mtime_ns)
        for path in folder.rglob('*')
        if path.is_file()
    }


def rows(path):
    with open(path, newline='') as file:
        return [tuple(row.values()) for row in csv.DictReader(file)]


def test_each_fault_is_listed_with_its_reason_and_twin(dirty, tmp_path):
    before = state(dirty)
    report = clean_dataset(str(dirty), out=str(tmp_path / 'out'))
    assert state(dirty) == before
    assert rows(tmp_path / 'out/removed.csv') == REMOVED
    kept = (tmp_path / 'out/kept.txt').read_text().splitlines()
    gone = {image for image, *_ in REMOVED}
    there = [p.relative_to(dirty).as_posix() for p in before]
    assert kept == [f'{p}\t{p[:5]}' for p in sorted(there) if p not in gone]
    assert len(kept) == 29 - 9
    lines = report.splitlines()
    assert lines[0] == '29 images, 20 stay'
    assert [line.split() for line in lines[1:6]] == [
        ['unreadable', '3'],
        ['small', '1'],
        ['duplicate', '1'],
        ['near-duplicate', '2'],
        ['label-conflict', '2'],
    ]
    assert '  glass/2.png = metal/taken_for_metal.png' in lines


def test_nothing_to_leave_out(clean):
    assert clean_dataset(str(clean)).startswith('20 images, 20 stay\nlists: ')
    assert (clean / 'removed.csv').read_text() == 'image,reason,twin\n'


@pytest.mark.parametrize(('side', 'small'), [(63, 0), (64, 1), (73, 20)])
def test_the_least_side(clean, tmp_path, side, small):
    write(clean / 'metal/63.png', picture(300, 63, 200))
    clean_dataset(str(clean), min_side=side, out=str(tmp_path / 'out'))
    reasons = [reason for _, reason, _ in rows(tmp_path / 'out/removed.csv')]
    assert reasons == ['small'] * (21 if side == 73 else small)


def test_lists_that_differ_are_not_replaced_unasked(clean):
    clean_dataset(str(clean))
    clean_dataset(str(clean))
    mine = clean / 'removed.csv'
    mine.write_text('image,reason,twin\nglass/0.png,ugly,\n')
    with pytest.raises(UserError, match=r'removed\.csv.*--overwrite replaces it'):
        clean_dataset(str(clean))
    assert 'ugly' in mine.read_text()
    clean_dataset(str(clean), overwrite=True)
    assert 'ugly' not in mine.read_text()


def test_a_split_takes_what_stays(dirty):
    clean_dataset(str(dirty))
    ratios = {'train': 8, 'val': 1, 'test': 1}
    report = split_dataset(str(dirty), ratios, exclude=str(dirty / 'removed.csv'))
    listed = [
        line
        for part in ratios
        for line in (dirty / f'{part}.txt').read_text().splitlines()
    ]
    assert sorted(listed) == (dirty / 'kept.txt').read_text().splitlines()
    assert '9 images left out, as ' in report


def test_an_edited_list_brings_an_image_back(dirty):
    clean_dataset(str(dirty))
    path = dirty / 'removed.csv'
    path.write_text(path.read_text().replace('metal/63.png,small,\n', ''))
    split_dataset(str(dirty), {'train': 1, 'val': 1}, exclude=str(path))
    lists = [(dirty / f'{part}.txt').read_text() for part in ('train', 'val')]
    assert ['metal/63.png' in text for text in lists].count(True) == 1


def test_excluding_an_image_that_is_not_there(clean):
    (clean / 'mine.txt').write_text('glass/0.png\nglass/77.png\n')
    said = split_dataset(str(clean), {'train': 1}, exclude=str(clean / 'mine.txt'))
    assert f'1 image left out, as {clean / "mine.txt"} has them' in said
    assert f'1 image of {clean / "mine.txt"} that do not exist' in said
    assert 'glass/0.png' not in (clean / 'train.txt').read_text()


def test_excluding_images_of_another_data_set(clean):
    (clean / 'mine.txt').write_text('glass/77.png\n')
    with pytest.raises(UserError, match=r'mine\.txt: none of its images is in'):
        split_dataset(str(clean), {'train': 1}, exclude=str(clean / 'mine.txt'))


def test_an_excluded_image_of_the_held_list_stays(clean):
    (clean / 'mine.txt').write_text('glass/0.png\nglass/1.png\n')
    held = clean / 'held.txt'
    held.write_text('glass/0.png\tglass\nmetal/0.png\tmetal\n')
    said = split_dataset(
        str(clean),
        {'train': 1},
        test_list=str(held),
        exclude=str(clean / 'mine.txt'),
    )
    assert f'1 of these stay, since {held} has them' in said


def test_what_an_excluded_list_may_be(tmp_path):
    path = tmp_path / 'names.txt'
    path.write_text('a b.png\nc.png\tglass\n')
    assert read_excluded(str(path)) == ['a b.png', 'c.png']
    path = tmp_path / 'table.csv'
    path.write_text('image,reason,twin\n"a, b.png",small,\n')
    assert read_excluded(str(path)) == ['a, b.png']
    path.write_text('file\na.png\n')
    with pytest.raises(UserError, match='has no column image'):
        read_excluded(str(path))


def test_a_folder_without_classes(tmp_path):
    with pytest.raises(UserError, match='no images'):
        clean_dataset(str(tmp_path))
    assert not list(tmp_path.iterdir())


def test_a_voc_folder_is_named_as_one(bccd_root):
    with pytest.raises(UserError, match='is a VOC folder, and only class folders'):
        clean_dataset(str(bccd_root))
