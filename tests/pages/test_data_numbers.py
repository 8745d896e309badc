"""Numbers of a data set, counted by hand; examples, and images that repeat."""

import cv2
import numpy as np
import pytest

from custom_datasets.data.records import BoxRecord, ImageRecord, SplitRecords
from custom_datasets.data.scan import scan_images
from custom_datasets.pages import data_numbers as numbers
from custom_datasets.pages.data_numbers import (
    choose_examples,
    find_repeats,
    merge_splits,
)

SIZES = {'a.png': (100, 50), 'b.png': (100, 50), 'c.png': (200, 100)}


def image(path, *boxes, label=None, size=None):
    records = [BoxRecord(i, name, box) for i, (name, box) in enumerate(boxes)]
    return ImageRecord(path, path, None, tuple(records), label, size)


def split(name, *images, classes=('cat', 'dog'), **more):
    return SplitRecords(name, classes, images, **more)


A = image('a.png', ('cat', (0, 0, 10, 10)), ('cat', (90, 40, 110, 60)))
B = image('b.png', ('dog', (0, 0, 40, 10)), ('cow', (1, 1, 9, 9)))
C = image('c.png', ('cat', (5, 5, 5, 9)))


@pytest.fixture
def parts():
    return merge_splits([split('train', A, B), split('val', C)])


def test_classes_are_counted_as_annotated_and_unknown_ones_come_last(parts):
    assert numbers.count_classes(parts) == [
        ('cat', True, (2, 1)),
        ('dog', True, (1, 0)),
        ('cow', False, (1, 0)),
    ]


def test_classes_left_out_on_purpose_are_not_counted():
    parts = merge_splits([split('train', B, ignored=frozenset(['cow']))])
    assert [row.name for row in numbers.count_classes(parts)] == ['cat', 'dog']


def test_labels_of_images_are_counted():
    images = [image('a', label='dog'), image('b', label='dog'), image('c', label='cat')]
    parts = merge_splits([split('train', *images)])
    assert [row.counts for row in numbers.count_classes(parts)] == [(1,), (2,)]


def test_sets_of_a_split_are_one_part_and_validation_on_the_test_list_counts_once():
    splits = [split('train', A), split('train', B), split('val', B), split('test', B)]
    parts = merge_splits(splits)
    assert [part.name for part in parts] == ['train', 'val, test']
    assert [part.images for part in parts] == [[A, B], [B]]
    parts = merge_splits([split('train', A), split('val', A)])
    assert [part.name for part in parts] == ['train', 'val']


def test_boxes_are_clipped_and_those_without_area_or_class_are_left_out(parts):
    boxes = numbers.collect_boxes(parts, SIZES)
    assert boxes.corners.tolist() == [[0, 0, 10, 10], [90, 40, 100, 50], [0, 0, 40, 10]]
    assert boxes.labels.tolist() == [0, 0, 1]
    assert boxes.sides.tolist() == [10, 10, 20]
    assert boxes.ratios.tolist() == [1, 1, 4]
    assert boxes.centres.tolist() == [[0.05, 0.1], [0.95, 0.9], [0.2, 0.1]]
    assert boxes.of_class(1).corners.tolist() == [[0, 0, 40, 10]]


def test_one_based_boxes_hold_their_last_pixel():
    parts = merge_splits(
        [split('train', image('a.png', ('cat', (1, 1, 10, 10))), one_based=True)]
    )
    boxes = numbers.collect_boxes(parts, SIZES)
    assert boxes.corners.tolist() == [[0, 0, 10, 10]]


def test_a_claimed_size_stands_in_and_without_any_boxes_are_left_out():
    box = ('cat', (0, 0, 10, 10))
    images = [image('x.png', box, size=(20, 20)), image('y.png', box)]
    parts = merge_splits([split('train', *images)])
    assert numbers.collect_boxes(parts, {}).sizes.tolist() == [[20, 20]]
    assert numbers.image_sizes(parts, {}) == {(20, 20): 1}


def test_image_sizes(parts):
    assert numbers.image_sizes(parts, SIZES) == {(100, 50): 2, (200, 100): 1}


def test_no_boxes_have_the_right_shape():
    boxes = numbers.collect_boxes([], {})
    assert boxes.corners.shape == (0, 4)
    assert boxes.sides.shape == (0,)


def test_percentiles():
    assert numbers.spread(np.arange(101.0)) == (5, 25, 50, 75, 95)


@pytest.mark.parametrize(
    ('values', 'most', 'edges', 'counts'),
    [
        ([4, 5, 8, 15, 16], np.inf, (4, 8, 16), (2, 3)),
        ([8, 8], np.inf, (8, 16), (2,)),
        ([0.001, 1, 1000], 4, (0.25, 0.5, 1, 2, 4), (1, 0, 1, 1)),
    ],
    ids=['powers of two', 'one value', 'extremes'],
)
def test_doublings(values, most, edges, counts):
    assert numbers.doublings(np.array(values, float), 1, most) == (edges, counts)


@pytest.mark.parametrize(
    ('values', 'edges', 'counts'),
    [
        ([0, 0, 2], (0, 1, 2, 3), (2, 0, 1)),
        ([0, 3, 4, 11], (0, 4, 8, 12), (2, 1, 1)),
    ],
    ids=['a bin each', 'several in a bin'],
)
def test_whole_numbers(values, edges, counts):
    assert numbers.whole_numbers(values, most_bins=3) == (edges, counts)


def test_positions_lie_on_the_grid():
    centres = np.array([[0.0, 0.0], [1.0, 1.0], [0.6, 0.1]])
    grid = numbers.position_grid(centres, 2)
    assert grid.tolist() == [[1, 1], [0, 1]]


def test_sizes_are_parted_at_32_and_96_pixels():
    sides = [31, 32, 95, 96]
    boxes = [('cat', (0, 0, side, side)) for side in sides]
    parts = merge_splits([split('train', image('big.png', *boxes, size=(100, 100)))])
    assert numbers.size_groups(numbers.collect_boxes(parts, {})) == (1, 2, 1)


CLASSES = ('common', 'rare')


def annotated(path, *names, box=(1, 1, 9, 9)):
    boxes = tuple(BoxRecord(i, name, box) for i, name in enumerate(names))
    return ImageRecord(str(path), str(path), None, boxes)


def choose(images, count, seed=0):
    paths = {image.image for image in images if image.image}
    return choose_examples(train_val(images), paths, count, seed)


def train_val(train, val=()):
    splits = [SplitRecords('train', CLASSES, tuple(train))]
    return merge_splits([*splits, SplitRecords('val', CLASSES, tuple(val))])


def test_every_class_is_seen_the_rarest_first():
    images = [annotated(f'{i}.png', 'common') for i in range(50)]
    images += [annotated(f'rare_{i}.png', 'rare') for i in range(2)]
    chosen = choose(images, 6)
    assert [one.names[0] for one in chosen] == ['rare', 'common'] * 2 + ['common'] * 2
    assert len({one.image.image for one in chosen}) == 6


def test_the_choice_is_made_by_names_alone():
    images = [annotated(f'{i}.png', 'common') for i in range(50)]
    chosen = [one.image for one in choose(images, 6)]
    assert [one.image for one in choose(images[::-1], 6)] == chosen
    assert [one.image for one in choose(images, 6, 1)] != chosen


def test_the_last_one_is_an_image_without_objects():
    images = [annotated(f'{i}.png', 'common') for i in range(9)] + [
        annotated('empty.png')
    ]
    chosen = choose(images, 4)
    assert len(chosen) == 4
    assert chosen[-1].image.image == 'empty.png'


def test_images_that_cannot_be_shown_are_passed_over():
    images = [annotated('whole.png', 'rare'), annotated('broken.png', 'rare')]
    (one,) = choose_examples(train_val(images), {'whole.png'}, 4)
    assert one.image.image == 'whole.png'


@pytest.mark.parametrize('images', [[], [ImageRecord('lost', None)]])
def test_where_there_are_none_none_are_chosen(images):
    assert choose(images, 4) == []


@pytest.fixture
def files(tmp_path):
    """Write pictures by name and seed; returns a function that does it."""

    def write(**seeds):
        for name, seed in seeds.items():
            rng = np.random.default_rng(seed)
            coarse = rng.integers(0, 256, (12, 12, 3), np.uint8)
            pixels = cv2.resize(coarse, (96, 96), interpolation=cv2.INTER_CUBIC)
            cv2.imwrite(str(tmp_path / f'{name}.png'), pixels)
        paths = [str(tmp_path / f'{name}.png') for name in seeds]
        return paths, scan_images(paths, processes=1)

    return write


def test_identical_images_with_other_boxes_come_first(files):
    (a, b, c, d, e), facts = files(aa=1, bb=1, cc=2, dd=2, ee=3)
    train = [
        annotated(a, 'rare'),
        annotated(b, 'rare'),
        annotated(c, 'rare'),
        annotated(e, 'rare'),
    ]
    val = [annotated(d, 'rare', box=(20, 20, 40, 40))]
    first, second = find_repeats(train_val(train, val), facts)
    assert [one.image.image for one in first.images] == [c, d]
    assert (first.identical, first.conflict, first.across) == (True, True, True)
    assert [one.image.image for one in second.images] == [a, b]
    assert (second.identical, second.conflict, second.across) == (True, False, False)


def test_identical_images_need_the_same_boxes_and_similar_ones_nearly(files, tmp_path):
    (a, b), facts = files(aa=1, bb=1)
    moved = [annotated(a, 'rare'), annotated(b, 'rare', box=(1, 1, 9, 10))]
    assert find_repeats(train_val(moved), facts)[0].conflict
    cv2.imwrite(b, cv2.imread(a) // 2 * 2)
    facts = scan_images([a, b], processes=1)
    (group,) = find_repeats(train_val(moved), facts)
    assert not group.identical and not group.conflict


def test_one_file_in_two_splits_is_there_twice(files):
    (a, _), facts = files(aa=1, bb=2)
    (group,) = find_repeats(
        train_val([annotated(a, 'rare')], [annotated(a, 'rare')]), facts
    )
    assert [one.part for one in group.images] == ['train', 'val']
    assert group.across and group.identical and not group.conflict


def test_an_image_saved_again_is_nearly_identical(files, tmp_path):
    (a, _), _ = files(aa=1, bb=2)
    again = str(tmp_path / 'again.jpg')
    cv2.imwrite(again, cv2.imread(a), [cv2.IMWRITE_JPEG_QUALITY, 60])
    facts = scan_images([a, again], processes=1)
    (group,) = find_repeats(
        train_val([annotated(a, 'rare'), annotated(again, 'common')]), facts
    )
    assert not group.identical
    assert group.conflict


def test_pieces_of_one_picture_are_no_repeats(files):
    (a, b), facts = files(steel_1_0=1, steel_1_1=1)
    assert (
        len(
            find_repeats(train_val([annotated(a, 'rare'), annotated(b, 'rare')]), facts)
        )
        == 1
    )
    cv2.imwrite(b, cv2.imread(a) // 2 * 2)
    facts = scan_images([a, b], processes=1)
    assert not find_repeats(
        train_val([annotated(a, 'rare'), annotated(b, 'rare')]), facts
    )
