"""Folders of parts and folders of classes, told apart in one way by both readers."""

import pytest

from custom_datasets.data.convert import read_source
from custom_datasets.data.lists import split_class_folders
from custom_datasets.errors import UserError
from tests.data.drawing import draw, write


def classes(part='', names=('cat', 'dog')):
    return [f'{part}{name}/{number}.jpg' for name in names for number in (1, 2)]


def flat(*folders):
    return [f'{folder}/{number}.jpg' for folder in folders for number in (1, 2)]


LAYOUTS = {
    'classes': (classes(), {'all': 4}, []),
    'parts': (classes('train/') + classes('test/'), {'train': 4, 'test': 4}, []),
    'only train': (classes('train/'), {'train': 4}, []),
    'no train': (classes('valid/') + classes('test/'), {'val': 4, 'test': 4}, []),
    'Kaggle': (
        [*classes('Train/'), *flat('Test', 'Meta')],
        {'train': 4},
        [
            '2 images in Meta left out: it is no part of the data, as those beside it '
            'are',
            '2 images in Test left out: a part needs class folders',
        ],
    ),
    'any case': (classes('TRAIN/') + classes('Valid/'), {'train': 4, 'val': 4}, []),
    'a test without classes': (
        classes() + flat('test'),
        {'all': 4},
        [
            '2 images in test left out: it has no class folders; if it is a class '
            'itself, rename it'
        ],
    ),
    'vehicles': (
        flat('car', 'plane', 'train'),
        {'all': 6},
        ['2 images in train taken for a class: it has no class folders'],
    ),
    'more in a class': (
        [*classes(), 'cat/black/3.jpg', 'dog/big/3.jpg'],
        {'all': 6},
        [],
    ),
}


@pytest.mark.parametrize('layout', LAYOUTS)
def test_both_readers_take_the_same_images(tmp_path, layout):
    images, parts, notes = LAYOUTS[layout]
    for name in images:
        draw(tmp_path / 'in' / name)
    write(tmp_path / 'in/Train.csv', 'Path,ClassId')
    source = read_source(str(tmp_path / 'in'))
    assert {split: len(found) for split, found in source.splits.items()} == parts
    assert list(source.notes) == notes
    split = split_class_folders(str(tmp_path / 'in'))
    assert {
        split.images[name]: min(counts) for name, counts in split.labels.items()
    } == {
        record.image: record.label
        for found in source.splits.values()
        for record in found
    }
    assert list(split.remarks) == notes


@pytest.mark.parametrize(
    ('parts', 'beside'),
    [
        (['test/'], 'test, which holds'),
        (['Val/', 'test/'], 'Val, test, which hold'),
        (['train/'], 'train, which holds'),
    ],
)
def test_class_folders_at_the_top_and_in_a_part_are_refused(tmp_path, parts, beside):
    for name in classes() + [name for part in parts for name in classes(part)]:
        draw(tmp_path / name)
    for read in (read_source, split_class_folders):
        with pytest.raises(UserError) as error:
            read(str(tmp_path))
        assert str(error.value) == (
            f'{tmp_path}: has class folders (cat, dog) beside {beside} class folders '
            'too; move one of them away'
        )


def test_class_folders_in_one_folder_are_split(tmp_path):
    for name in classes('pets/'):
        draw(tmp_path / 'in' / name)
    split = split_class_folders(str(tmp_path / 'in'))
    assert split.root == str(tmp_path / 'in/pets')
    assert sorted(split.labels) == sorted(classes())
    assert split.render(['cat/1.jpg']) == 'cat/1.jpg\tcat\n'
