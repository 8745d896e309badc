"""The page: whole, safe and small, whatever is in the data."""

import os

import cv2
import numpy as np
import pytest

from custom_datasets.data.problems import Finding
from custom_datasets.data.records import BoxRecord, ImageRecord, SplitRecords
from custom_datasets.pages.data_numbers import (
    Repeats,
    Shown,
    choose_examples,
    merge_splits,
)
from custom_datasets.pages.data_page import render_report
from custom_datasets.pages.data_pipeline import Augmented
from custom_datasets.pages.data_report import Report
from custom_datasets.pages.kit import MOST_BYTES
from custom_datasets.pages.pictures import Outline, make_picture
from custom_datasets.predicting.colours import class_colours
from tests.pages.parsing import Page

X = '\N{MULTIPLICATION SIGN}'
EVIL = '<script>alert(1)</script>"\'&' + '\udcff' * 300
EVERY = ['findings', 'classes', 'images', 'boxes', 'examples', 'pipeline', 'repeats']


def report(splits=(), classes=('cat', 'dog'), **more):
    parts = merge_splits(splits)
    known = {
        'config': 'config.py',
        'dataset': 'PetDataset',
        'is_detection': True,
        'root': 'data/pets',
        'parts': parts,
        'classes': classes,
        'colours': class_colours(len(classes)),
        'sizes': {},
        'findings': [],
        'examples': choose_examples(parts, (), 12),
        'no_pipeline': 'no reason',
    }
    return Report(**known | more)


def render(report, links=()):
    return render_report(report, links).decode()


def split(name, images, classes=('cat', 'dog')):
    return SplitRecords(name, tuple(classes), tuple(images))


def test_an_empty_data_set_has_a_page():
    html = render(report())
    page = Page(html)
    assert page.sections() == ['findings', 'classes', 'images', 'pipeline', 'repeats']
    assert 'No image could be read.' in page.text
    assert 'Not shown: no reason.' in page.text
    assert html.startswith('<!DOCTYPE html>')


def test_links_lead_to_sections_and_files_beside_the_page():
    page = Page(render(report(), [('what the model has learnt', 'report.html')]))
    assert [link['href'] for link in page.all('a')] == [
        'report.html',
        *(f'#{name}' for name in page.sections()),
    ]
    assert page.links == ['report.html']
    assert not Page(render(report())).links


@pytest.fixture
def pets():
    """Two parts: three cats and a dog on images of two sizes, a cow and nothing."""
    box = (0, 0, 20, 10)
    cats = tuple(BoxRecord(i, 'cat', box) for i in range(3))
    others = (BoxRecord(0, 'dog', (0, 0, 40, 40)), BoxRecord(1, 'cow', box))
    train = [
        ImageRecord('a', None, None, cats, size=(90, 60)),
        ImageRecord('b', None, None, others, size=(50, 80)),
        ImageRecord('c', None, None, (), size=(90, 60)),
    ]
    val = [ImageRecord('d', None, None, cats[:1], size=(90, 60))]
    return [split('train', train), split('val', val)]


def test_numbers_of_classes_and_images(pets):
    page = Page(render(report(pets)))
    text = page.text
    assert 'images4objects6classes2errors0' in text
    # Of each part and in all, and the share of all.
    assert 'cat31467%' in text
    assert 'dog10117%' in text
    assert 'cownot a class of the config10117%' in text
    assert 'All516' in text
    shares = [bar['style'].removeprefix('--share: ') for bar in page.all('i', 'bar')]
    assert shares[:2] == ['0.600', '1.000']  # Cats: of train, of val.
    # Images, empty ones, the median of objects, the most.
    assert 'train3123' in text
    assert 'val1011' in text
    assert f'90{X}60350{X}801' in text
    assert 'Widths from 50 to 90 pixels, median 90; heights from 60 to 80' in text
    assert 'From 0 to 3, 1.5 on average.' in text


def test_numbers_of_boxes(pets):
    text = Page(render(report(pets))).text
    # 20 by 10 pixels four times, 40 by 40 once: the median, and by COCO's sizes.
    assert f'cat20{X}10400dog40{X}40010' in text
    assert 'Nine of ten are 14 to 35 pixels, the median is 14.' in text
    assert 'Nine of ten are 1.2:1 to 2:1, the median is 2:1.' in text


def test_many_classes_stand_in_columns_and_the_last_are_counted():
    classes = [f'class_{index:02}' for index in range(63)]
    boxes = tuple(BoxRecord(i, n, (0, 0, 9, 9)) for i, n in enumerate(classes))
    image = ImageRecord('a', None, None, boxes, size=(90, 60))
    page = Page(render(report([split('train', [image], classes)], tuple(classes))))
    assert '3 more classes not shown.' in page.text
    assert page.text.count('Objects of each class.') == 2
    assert page.text.count('Boxes by size') == 3
    assert 'class_59' in page.text and 'class_60' not in page.text


def test_boxes_of_one_based_files_are_moved_and_difficult_ones_marked(tmp_path):
    path = str(tmp_path / 'a.png')
    cv2.imwrite(path, np.zeros((480, 480, 3), np.uint8))
    boxes = (BoxRecord(0, 'cat', (11, 21, 110, 120), difficult=True),)
    image = ImageRecord('a', path, None, boxes)
    splits = [SplitRecords('train', ('cat',), (image,), one_based=True)]
    examples = choose_examples(merge_splits(splits), {path}, 1)
    page = Page(render(report(splits, ('cat',), examples=examples)))
    assert len(page.all('g', 'difficult')) == 1
    (rect,) = [r for r in page.all('rect') if r['width'] == '100.0']
    assert (rect['x'], rect['y']) == ('10.0', '20.0')


@pytest.mark.parametrize(
    ('is_detection', 'differ'), [(True, 'boxes differ'), (False, 'classes differ')]
)
def test_repeats_say_what_differs_and_how_many_there_are(is_detection, differ):
    image = Shown('train', split('train', []), ImageRecord('a', None))
    groups = [Repeats((image,) * 6, True, False, True)] * 10
    text = Page(render(report(repeats=groups, is_detection=is_detection))).text
    assert '10 groups of images that look the same.' in text
    assert text.count(f'identical pixels{differ}') == 8
    assert text.count('and 2 more') == 8
    assert '2 more groups not shown.' in text


def test_findings_are_grouped_and_long_lists_folded():
    findings = [
        Finding(code='dark', severity='note', message=f'is dark {i}', hint='a lamp')
        for i in range(100)
    ]
    findings.append(
        Finding(
            code='no-list',
            severity='error',
            message='is lost',
            file=os.path.abspath('lists/train.txt'),
            object=3,
            split='train',
        )
    )
    page = Page(render(report(findings=findings)))
    marks = [mark['class'] for mark in page.all('span', 'mark')]
    assert marks == ['mark error', 'mark note']
    assert page.text.count('a lamp') == 1
    assert 'train · lists/train.txt · object 3' in page.text
    assert len(page.all('details')) == 1
    assert '37 more' in page.text and 'and 60 more' in page.text
    assert 'is dark 39' in page.text and 'is dark 40' not in page.text


def test_hints_that_differ_stand_at_their_places():
    findings = [
        Finding(code='dark', severity='note', message=f'is dark {i}', hint=f'lamp {i}')
        for i in range(2)
    ]
    assert (
        'is dark 0lamp 0is dark 1lamp 1'
        in Page(render(report((), findings=findings))).text
    )


@pytest.fixture(scope='module')
def monster(tmp_path_factory):
    """Everything that can be large or evil, at once."""
    root = tmp_path_factory.mktemp('monster')
    rng = np.random.default_rng(0)
    paths = []
    for index in range(3):
        paths.append(str(root / f'<img src=x>{index}.png'))
        pixels = rng.integers(0, 256, (600, 800, 3), np.uint8)
        cv2.imwrite(paths[-1], pixels, [cv2.IMWRITE_PNG_COMPRESSION, 0])
    classes = [f'{EVIL}{index}' for index in range(300)]
    sizes = dict.fromkeys(paths, (800, 600))

    def image(index):
        boxes = tuple(
            BoxRecord(
                i, classes[(index + i) % 300], (i, i, i + 2.5 + index % 99, i + 9)
            )
            for i in range(500 if index < 60 else 2)
        )
        path = paths[index] if index < 3 else None
        size = (300 + index, 9000 - index)
        return ImageRecord(f'{EVIL}{index}', path, None, boxes, None, size)

    images = [image(index) for index in range(10_000)]
    parts = merge_splits([split('train', images, classes), split('val', images)])
    known = choose_examples(parts, paths, 3) * 4
    findings = [
        Finding(
            code=f'{EVIL}{kind}',
            severity=('error', 'warning', 'note')[kind % 3],
            message=EVIL * 9,
            hint=EVIL * 9 + str(index),
            split='train',
            file=f'/{EVIL * 9}',
            object=index,
        )
        for kind in range(80)
        for index in range(100)
    ]
    outlines = [Outline((0, 0, 9, 9), EVIL, '')] * 500
    picture = make_picture(rng.integers(0, 256, (999, 999, 3), np.uint8), outlines)
    return report(
        [split('train', images, classes), split('val', images, classes)],
        classes=tuple(classes),
        sizes=sizes,
        config=EVIL,
        dataset=EVIL,
        root=EVIL,
        findings=findings,
        examples=known,
        repeats=[Repeats(tuple(known[:6]), True, True, True)] * 50,
        augmented=[Augmented(f'/{EVIL}', EVIL, picture, (picture, picture))] * 4,
    )


@pytest.fixture(scope='module')
def monster_page(monster):
    return render(monster)


def test_the_page_does_not_grow_with_the_data(monster_page):
    assert len(monster_page.encode('utf-8', 'backslashreplace')) < MOST_BYTES * 0.8


def test_nothing_in_the_data_becomes_markup(monster_page):
    page = Page(monster_page)
    tags = {tag for tag, _ in page.tags}
    assert not tags & {'img', 'iframe', 'link', 'object', 'foreignobject'}
    assert len(page.all('script')) == 1
    assert not page.outside
    assert page.sections() == EVERY
    assert 'http:' not in monster_page and 'https:' not in monster_page
    assert '<img src' not in monster_page
    assert not any(name.startswith('on') for _, attrs in page.tags for name in attrs)


def test_pictures_charts_and_tables_have_words(monster_page):
    page = Page(monster_page)
    for drawing in page.all('svg'):
        assert drawing.get('aria-hidden') or drawing['aria-label']
    assert len(page.all('svg', 'picture')) == 12 + 12 + 8 * 4
    assert len(page.all('caption')) == len(page.all('table'))
    assert [tag for tag, _ in page.tags].count('h1') == 1


def test_classification_has_labels_and_no_boxes():
    images = [ImageRecord(f'{i}', None, label='cat', size=(9, 9)) for i in range(4)]
    page = Page(render(report([split('train', images)], is_detection=False)))
    assert 'boxes' not in page.sections()
    assert 'objects' not in page.text
    assert 'Images of each class.' in page.text


def test_boxes_and_images_carry_the_class_that_a_choice_names(tmp_path):
    path = str(tmp_path / 'a.png')
    cv2.imwrite(path, np.zeros((60, 90, 3), np.uint8))
    boxes = (BoxRecord(0, 'cat', (0, 0, 9, 9)), BoxRecord(1, 'cow', (0, 0, 9, 9)))
    parts = merge_splits([split('train', [ImageRecord('a', path, None, boxes)])])
    page = Page(render(report(examples=choose_examples(parts, {path}, 1))))
    assert [box['data-class'] for box in page.all('g') if 'data-class' in box] == [
        'cat',
        'cow',
    ]
    assert 'allcatcow' in page.text  # Those of the config first.
    parts = merge_splits([split('train', [ImageRecord('a', path, None, (), 'dog')])])
    examples = choose_examples(parts, {path}, 1)
    page = Page(render(report(examples=examples, is_detection=False)))
    assert [image.get('data-class') for image in page.all('figure')] == ['dog']
