"""Numbers of a data set, counted by hand."""

import numpy as np
import pytest

from custom_datasets.data.records import BoxRecord, ImageRecord, SplitRecords
from custom_datasets.pages import data_numbers as statistics

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
    return statistics.merge_splits([split('train', A, B), split('val', C)])


def test_classes_are_counted_as_annotated_and_unknown_ones_come_last(parts):
    assert statistics.count_classes(parts) == [
        ('cat', True, (2, 1)),
        ('dog', True, (1, 0)),
        ('cow', False, (1, 0)),
    ]


def test_classes_left_out_on_purpose_are_not_counted():
    parts = statistics.merge_splits([split('train', B, ignored=frozenset(['cow']))])
    assert [row.name for row in statistics.count_classes(parts)] == ['cat', 'dog']


def test_labels_of_images_are_counted():
    images = [image('a', label='dog'), image('b', label='dog'), image('c', label='cat')]
    parts = statistics.merge_splits([split('train', *images)])
    assert [row.counts for row in statistics.count_classes(parts)] == [(1,), (2,)]


def test_validation_and_test_on_one_list_count_once():
    splits = [split('train', A), split('val', B), split('test', B)]
    parts = statistics.merge_splits(splits)
    assert [part.name for part in parts] == ['train', 'val, test']
    assert [len(part.images) for part in parts] == [1, 1]


def test_training_and_validation_on_one_list_stay_two():
    parts = statistics.merge_splits([split('train', A), split('val', A)])
    assert [part.name for part in parts] == ['train', 'val']


def test_several_sets_of_one_split_are_one_part():
    (part,) = statistics.merge_splits([split('train', A), split('train', B)])
    assert part.images == [A, B]


def test_boxes_are_clipped_and_those_without_area_or_class_are_left_out(parts):
    boxes = statistics.collect_boxes(parts, SIZES)
    assert boxes.corners.tolist() == [[0, 0, 10, 10], [90, 40, 100, 50], [0, 0, 40, 10]]
    assert boxes.labels.tolist() == [0, 0, 1]
    assert boxes.sides.tolist() == [10, 10, 20]
    assert boxes.ratios.tolist() == [1, 1, 4]
    assert boxes.centres.tolist() == [[0.05, 0.1], [0.95, 0.9], [0.2, 0.1]]
    assert boxes.of_class(1).corners.tolist() == [[0, 0, 40, 10]]


def test_one_based_boxes_hold_their_last_pixel():
    parts = statistics.merge_splits(
        [split('train', image('a.png', ('cat', (1, 1, 10, 10))), one_based=True)]
    )
    boxes = statistics.collect_boxes(parts, SIZES)
    assert boxes.corners.tolist() == [[0, 0, 10, 10]]


def test_a_claimed_size_stands_in_and_without_any_boxes_are_left_out():
    box = ('cat', (0, 0, 10, 10))
    images = [image('x.png', box, size=(20, 20)), image('y.png', box)]
    parts = statistics.merge_splits([split('train', *images)])
    assert statistics.collect_boxes(parts, {}).sizes.tolist() == [[20, 20]]
    assert statistics.image_sizes(parts, {}) == {(20, 20): 1}


def test_image_sizes(parts):
    assert statistics.image_sizes(parts, SIZES) == {(100, 50): 2, (200, 100): 1}


def test_no_boxes_have_the_right_shape():
    boxes = statistics.collect_boxes([], {})
    assert boxes.corners.shape == (0, 4)
    assert boxes.sides.shape == (0,)


def test_percentiles():
    assert statistics.spread(np.arange(101.0)) == (5, 25, 50, 75, 95)


def test_doublings_count_between_powers_of_two():
    histogram = statistics.doublings(np.array([4.0, 5, 8, 15, 16]), 1)
    assert histogram.edges == (4, 8, 16)
    assert histogram.counts == (2, 3)


def test_doublings_of_one_value_have_a_bin():
    histogram = statistics.doublings(np.array([8.0, 8.0]), 1)
    assert (histogram.edges, histogram.counts) == ((8, 16), (2,))


def test_what_is_extreme_goes_into_the_last_bins():
    histogram = statistics.doublings(np.array([0.001, 1, 1000]), 1, most=4)
    assert histogram.edges == (0.25, 0.5, 1, 2, 4)
    assert histogram.counts == (1, 0, 1, 1)


def test_whole_numbers_have_a_bin_each():
    histogram = statistics.whole_numbers([0, 0, 2])
    assert (histogram.edges, histogram.counts) == ((0, 1, 2, 3), (2, 0, 1))


def test_many_whole_numbers_share_bins():
    histogram = statistics.whole_numbers([0, 3, 4, 99], most_bins=25)
    assert len(histogram.counts) == 25
    assert (histogram.edges[1], histogram.counts[0], histogram.counts[-1]) == (4, 2, 1)
    assert sum(histogram.counts) == 4


def test_positions_lie_on_the_grid():
    centres = np.array([[0.0, 0.0], [1.0, 1.0], [0.6, 0.1]])
    grid = statistics.position_grid(centres, 2)
    assert grid.tolist() == [[1, 1], [0, 1]]


def test_sizes_are_parted_at_32_and_96_pixels():
    sides = [31, 32, 95, 96]
    boxes = [('cat', (0, 0, side, side)) for side in sides]
    parts = statistics.merge_splits(
        [split('train', image('big.png', *boxes, size=(100, 100)))]
    )
    assert statistics.size_groups(statistics.collect_boxes(parts, {})) == (1, 2, 1)
