"""Boxes, class names and the files around them; planted faults prove the usual."""

import shutil

import pytest
from mmengine.config import Config

from custom_datasets.checks.annotations import (
    check_boxes,
    check_file_claims,
    check_file_names,
    check_names,
    check_presence,
    check_unlisted,
)
from custom_datasets.checks.check import check_config
from custom_datasets.checks.reading import read_sources
from custom_datasets.data.config_sources import find_sources
from custom_datasets.data.records import BoxRecord, ImageRecord, SplitRecords
from custom_datasets.samples.boxes import METAL_CLASSES
from tests.leaves import ROOT

METAL_LEAF = ROOT / 'configs/metal_surface/resnet18_light_1xb64-30e_metal-surface.py'
BOX = (10, 10, 50, 50)


def image(name, *classes, **record):
    boxes = [
        BoxRecord(index, label, (1, 1, 9 + index, 50))
        for index, label in enumerate(classes)
    ]
    return ImageRecord(name, f'{name}.png', f'{name}.xml', tuple(boxes), **record)


def split(*images, classes=('with_mask', 'without_mask'), part='train', **options):
    return SplitRecords(part, classes, images, source='list.txt', **options)


def boxes_in(*boxes, one_based=True, size=(100, 80)):
    """Check named boxes of one image; returns code, severity, object of each."""
    records = tuple(BoxRecord(i, name, box) for i, (name, box) in enumerate(boxes))
    record = ImageRecord('i', '/i.png', '/i.xml', records)
    part = split(record, classes=('a', 'b'), one_based=one_based)
    findings = check_boxes(part, {'/i.png': size} if size else {})
    assert all((f.file, f.split) == ('/i.xml', 'train') for f in findings)
    return [(f.code, f.severity, f.object) for f in findings]


@pytest.mark.parametrize(
    ('box', 'expected'),
    [
        ((1, 1, 100, 80), None),
        ((90, 10, 102, 40), ('clipped-box', 'note')),
        ((90, 10, 103, 40), ('clipped-box', 'warning')),
        ((0, 10, 50, 40), ('clipped-box', 'note')),
        ((101, 10, 130, 40), ('outside-box', 'warning')),
        ((20, 21, 25, 24), ('small-area', 'note')),
        ((10, 10, 17, 17), None),
    ],
)
def test_where_a_box_ends(box, expected):
    found = boxes_in(('a', (1, 1, 29, 39)), ('a', box))
    assert found == ([(*expected, 1)] if expected else [])


def test_boxes_that_count_pixels_from_zero():
    assert not boxes_in(('a', (0, 0, 100, 80)), one_based=False)
    assert boxes_in(('a', (10, 10, 17, 17)), one_based=False) == [
        ('small-area', 'note', 0)
    ]


def test_boxes_that_count_from_one_include_both_of_their_sides():
    small = [('a', (10, 10, 19, 19)), ('a', (10, 10, 19, 20))]
    assert boxes_in(*small) == [('overlapping-objects', 'warning', 1)]
    assert not boxes_in(*small, one_based=False)


def test_less_than_a_pixel_ends_before_it_begins_where_pixels_count_from_one():
    sliver = ('a', (10, 10, 9.8, 40))
    assert boxes_in(sliver) == [('small-area', 'note', 0)]
    assert boxes_in(sliver, one_based=False) == [('inverted-box', 'warning', 0)]


def test_without_a_size_only_the_box_itself_is_judged():
    found = boxes_in(('a', (5, 5, 500, 50)), ('a', (5, 5, 5, 9)), size=None)
    assert found == [('zero-area-box', 'warning', 1)]


@pytest.mark.parametrize(
    ('name', 'box', 'code'),
    [
        ('a', BOX, 'duplicate-object'),
        ('b', BOX, 'two-classes'),
        ('a', (10, 10, 51, 50), 'overlapping-objects'),
        ('b', (10, 10, 51, 50), None),
        ('a', (10, 10, 60, 50), None),
    ],
)
def test_an_object_annotated_again_is_reported_once(name, box, code):
    found = boxes_in(('a', BOX), (name, box), ('a', (60, 10, 90, 50)))
    assert found == ([(code, 'warning', 1)] if code else [])


@pytest.mark.parametrize('name', ['With Mask', 'with-mask', 'withmask', 'with_maks'])
def test_the_nearest_class_is_suggested(name):
    [finding] = check_names(split(image('i', 'with_mask', name)))
    assert (finding.code, finding.file, finding.object) == ('unknown-class', 'i.xml', 1)
    assert f"{name!r}; did you mean 'with_mask'?" in finding.message


def test_a_name_like_none_gets_the_list_unless_it_is_ignored():
    images = image('i', 'with_mask', 'zebra')
    [finding] = check_names(split(images))
    assert 'known: with_mask, without_mask' in finding.message
    assert not check_names(split(images, ignored=frozenset({'zebra'})))


def test_another_vocabulary_is_said_once():
    findings = check_names(split(image('i', 'cat', 'dog'), image('j', 'dog')))
    assert [f.code for f in findings] == ['unknown-class'] * 3 + ['other-vocabulary']
    assert "classes=['cat', 'dog']" in findings[-1].hint


@pytest.mark.parametrize(('part', 'level'), [('train', 'error'), ('test', 'warning')])
def test_a_class_without_a_box(part, level):
    [finding] = check_presence(split(image('i', 'with_mask'), part=part))
    assert (finding.code, finding.severity) == ('class-without-box', level)
    assert finding.message == "no box of class 'without_mask'"
    [finding] = check_presence(split(image('i', label='with_mask'), part=part))
    assert finding.message == "no image of class 'without_mask'"


def test_a_class_of_which_training_drops_all_boxes():
    boxes = (
        BoxRecord(0, 'with_mask', (5, 5, 5, 9)),
        BoxRecord(1, 'without_mask', (200, 10, 230, 40)),
    )
    record = ImageRecord('i', 'i.png', 'i.xml', boxes, size=(100, 80))
    assert [finding.message for finding in check_presence(split(record))] == [
        "no box of class 'with_mask'",
        "no box of class 'without_mask'",
    ]


def test_a_test_set_without_annotations_is_one_note():
    [finding] = check_presence(split(image('i'), image('j'), part='test'))
    assert (finding.code, finding.severity) == ('no-truth', 'note')
    assert len(check_presence(split(image('i'), part='val'))) == 2
    assert not check_presence(split())


@pytest.mark.parametrize(
    ('names', 'expected'),
    [
        (['patches_{}'] * 9 + ['rolled-in_scale_{}'], ['rolled-in_scale_9.xml']),
        (['rolled-in_scale_{}'] * 9, []),
        (['IMG_{}'] * 9 + ['rolled-in_scale_{}'], []),
        (['patches_{}'] * 7 + ['IMG_{}'] * 2 + ['rolled-in_scale_{}'], []),
    ],
)
def test_a_label_unlike_the_file_name(names, expected):
    images = [image(name.format(i), 'patches') for i, name in enumerate(names)]
    part = split(*images, classes=('patches', 'rolled_in_scale'))
    assert [finding.file for finding in check_file_names([part])] == expected


def test_of_two_classes_the_longer_one_names_a_file():
    images = [image(f'rust_{number}', 'rust') for number in range(9)]
    part = split(
        *images, image('rust-deep_1', 'rust_deep'), classes=('rust', 'rust_deep')
    )
    assert not check_file_names([part])


@pytest.mark.parametrize(
    ('claim', 'severity'),
    [
        ('a.png', None),
        ('C:\\x\\a.png', None),
        ('a', None),
        (None, None),
        ('a.jpg', 'note'),
        ('b.png', 'warning'),
    ],
)
def test_what_an_annotation_claims_to_be_of(claim, severity):
    record = ImageRecord('a', '/i/a.png', '/x/a.xml', filename=claim)
    found = check_file_claims(split(record))
    assert [f.severity for f in found] == ([severity] if severity else [])


def test_files_that_no_list_names(bccd_root):
    data = {
        'type': 'BCCDDataset',
        'data_root': str(bccd_root),
        'ann_file': 'ImageSets/Main/train.txt',
    }
    cfg = Config(
        dict(
            default_scope='mmdet',
            custom_imports=dict(imports=['custom_datasets.datasets.bccd']),
            train_dataloader={'dataset': data},
            val_dataloader={'dataset': {**data, 'ann_file': 'ImageSets/Main/val.txt'}},
        )
    )
    sources, _ = find_sources(cfg)
    found = check_unlisted(sources, read_sources(sources)[0])
    assert [(f.code, f.file) for f in found] == [
        ('unlisted-image', f'{bccd_root}/JPEGImages/test_000{i}') for i in range(4)
    ]


@pytest.mark.parametrize(
    ('text', 'expected'),
    [
        ('train\tone\nval\tone\ntest\ttwo\n', []),
        ('train\tone\nval two\n', [('broken-sources', 'error', None)]),
        ('', [('broken-sources', 'error', None)]),
        ('train\tone\nval\tone\n', [('unknown-source', 'warning', 'test')]),
        (
            'Train\tone\n',
            [('unknown-source', 'warning', part) for part in ('train', 'val', 'test')],
        ),
    ],
)
def test_a_list_of_sources_is_read_before_a_run(metal_crops, tmp_path, text, expected):
    root = shutil.copytree(metal_crops, tmp_path / 'crops')
    (root / 'sources.txt').write_text(text)
    options = {'data_root': str(root), 'classes': METAL_CLASSES}
    found = check_config(str(METAL_LEAF), options, images=False, cached=False).findings
    assert [
        (f.code, f.severity, f.split)
        for f in found
        if f.code in ('broken-sources', 'unknown-source')
    ] == expected
