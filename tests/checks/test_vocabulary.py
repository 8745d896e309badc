"""Class names in the data against those of the config."""

import pytest

from custom_datasets.checks.annotations import (
    check_file_names,
    check_names,
    check_presence,
)
from custom_datasets.data.records import BoxRecord, ImageRecord, SplitRecords

CLASSES = ('with_mask', 'without_mask')


def image(name, *classes):
    boxes = [BoxRecord(i, c, (1, 1, 9, 9)) for i, c in enumerate(classes)]
    return ImageRecord(name, f'{name}.png', f'{name}.xml', tuple(boxes))


def split(*images, classes=CLASSES, ignored=(), part='train'):
    return SplitRecords(
        part, classes, images, ignored=frozenset(ignored), source='list.txt'
    )


@pytest.mark.parametrize('name', ['With Mask', 'with-mask', 'withmask', 'with_maks'])
def test_the_nearest_known_class_is_named(name):
    found = check_names(split(image('i', 'with_mask', name)))
    assert [(f.code, f.severity, f.file, f.object) for f in found] == [
        ('unknown-class', 'error', 'i.xml', 1)
    ]
    assert f"{name!r}; did you mean 'with_mask'?" in found[0].message


def test_a_name_like_none_gets_the_list():
    found = check_names(split(image('i', 'with_mask', 'zebra')))
    assert 'known: with_mask, without_mask' in found[0].message
    assert 'ignore_classes=[...]; both work at the top of the leaf' in found[0].hint


def test_an_ignored_class_is_no_finding():
    assert not check_names(split(image('i', 'with_mask', 'zebra'), ignored=['zebra']))


def test_another_vocabulary_is_said_once():
    found = check_names(split(image('i', 'cat', 'dog'), image('j', 'dog')))
    assert [f.code for f in found] == ['unknown-class'] * 3 + ['other-vocabulary']
    assert (found[-1].file, "classes=['cat', 'dog']" in found[-1].hint) == (
        'list.txt',
        True,
    )


@pytest.mark.parametrize(
    ('part', 'severity'), [('train', 'error'), ('test', 'warning')]
)
def test_a_class_without_a_box(part, severity):
    found = check_presence(split(image('i', 'with_mask'), part=part))
    assert [(f.code, f.severity, f.split) for f in found] == [
        ('class-without-box', severity, part)
    ]
    assert "no box of class 'without_mask'" in found[0].message


@pytest.mark.parametrize(
    ('label', 'what', 'lost'), [(None, 'box', 'AP'), ('a', 'image', 'recall and F1')]
)
def test_what_cannot_be_measured_is_named_as_the_task_does(label, what, lost):
    boxes = () if label else (BoxRecord(0, 'a', (1, 1, 9, 9)),)
    one = ImageRecord('i', 'i.png', boxes=boxes, label=label)
    (found,) = check_presence(split(one, classes=('a', 'b'), part='val'))
    assert found.message == f"no {what} of class 'b'"
    assert found.hint == f'its {lost} cannot be measured here; split again'


def test_a_test_set_without_annotations_is_one_note():
    found = check_presence(split(image('i'), image('j'), part='test'))
    assert [(f.code, f.severity, f.file) for f in found] == [
        ('no-truth', 'note', 'list.txt')
    ]
    found = check_presence(split(image('i'), part='val'))
    assert [f.code for f in found] == ['class-without-box'] * 2


def test_a_part_without_images_has_no_absent_classes():
    assert not check_presence(split())


def test_a_label_unlike_the_file_name():
    images = [image(f'patches_{i}', 'patches') for i in range(9)]
    images.append(image('rolled-in_scale_7', 'patches', 'rolled_in_scale'))
    parts = [split(*images, classes=('patches', 'rolled_in_scale'))]
    found = check_file_names(parts)
    assert [(f.code, f.severity, f.file, f.object) for f in found] == [
        ('file-name-differs', 'note', 'rolled-in_scale_7.xml', 0)
    ]


def test_names_that_mean_nothing_are_not_judged():
    images = [image(f'patches_{i}', 'scratches') for i in range(9)]
    assert not check_file_names([split(*images, classes=('patches', 'scratches'))])
    images = [image(f'IMG_{i}', 'patches') for i in range(9)]
    images.append(image('scratches_1', 'patches'))
    assert not check_file_names([split(*images, classes=('patches', 'scratches'))])
