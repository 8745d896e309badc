"""Choosing images, and finding those that are there twice."""

import cv2
import numpy as np
import pytest

from custom_datasets.data.records import BoxRecord, ImageRecord, SplitRecords
from custom_datasets.data.scan import scan_images
from custom_datasets.pages.data_numbers import (
    choose_examples,
    find_repeats,
    merge_splits,
)

CLASSES = ('common', 'rare')


def image(path, *names, box=(1, 1, 9, 9)):
    boxes = tuple(BoxRecord(i, name, box) for i, name in enumerate(names))
    return ImageRecord(str(path), str(path), None, boxes)


def choose(images, count, seed=0):
    paths = {image.image for image in images if image.image}
    return choose_examples(parts(images), paths, count, seed)


def parts(train, val=()):
    splits = [SplitRecords('train', CLASSES, tuple(train))]
    return merge_splits([*splits, SplitRecords('val', CLASSES, tuple(val))])


def test_every_class_is_seen_the_rarest_first():
    images = [image(f'{i}.png', 'common') for i in range(50)]
    images += [image(f'rare_{i}.png', 'rare') for i in range(2)]
    chosen = choose(images, 6)
    assert [one.names[0] for one in chosen] == ['rare', 'common'] * 2 + ['common'] * 2
    assert len({one.image.image for one in chosen}) == 6


def test_the_choice_is_made_by_names_alone():
    images = [image(f'{i}.png', 'common') for i in range(50)]
    chosen = [one.image for one in choose(images, 6)]
    assert [one.image for one in choose(images[::-1], 6)] == chosen
    assert [one.image for one in choose(images, 6, 1)] != chosen


def test_the_last_one_is_an_image_without_objects():
    images = [image(f'{i}.png', 'common') for i in range(9)] + [image('empty.png')]
    chosen = choose(images, 4)
    assert len(chosen) == 4
    assert chosen[-1].image.image == 'empty.png'


def test_images_that_cannot_be_shown_are_passed_over():
    images = [image('whole.png', 'rare'), image('broken.png', 'rare')]
    (one,) = choose_examples(parts(images), {'whole.png'}, 4)
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
    train = [image(a, 'rare'), image(b, 'rare'), image(c, 'rare'), image(e, 'rare')]
    val = [image(d, 'rare', box=(20, 20, 40, 40))]
    first, second = find_repeats(parts(train, val), facts)
    assert [one.image.image for one in first.images] == [c, d]
    assert (first.identical, first.conflict, first.across) == (True, True, True)
    assert [one.image.image for one in second.images] == [a, b]
    assert (second.identical, second.conflict, second.across) == (True, False, False)


def test_one_file_in_two_splits_is_there_twice(files):
    (a, _), facts = files(aa=1, bb=2)
    (group,) = find_repeats(parts([image(a, 'rare')], [image(a, 'rare')]), facts)
    assert [one.part for one in group.images] == ['train', 'val']
    assert group.across and group.identical and not group.conflict


def test_an_image_saved_again_is_nearly_identical(files, tmp_path):
    (a, _), _ = files(aa=1, bb=2)
    again = str(tmp_path / 'again.jpg')
    cv2.imwrite(again, cv2.imread(a), [cv2.IMWRITE_JPEG_QUALITY, 60])
    facts = scan_images([a, again], processes=1)
    (group,) = find_repeats(parts([image(a, 'rare'), image(again, 'common')]), facts)
    assert not group.identical
    assert group.conflict


def test_pieces_of_one_picture_are_no_repeats(files):
    (a, b), facts = files(steel_1_0=1, steel_1_1=1)
    assert len(find_repeats(parts([image(a, 'rare'), image(b, 'rare')]), facts)) == 1
    cv2.imwrite(b, cv2.imread(a) // 2 * 2)
    facts = scan_images([a, b], processes=1)
    assert not find_repeats(parts([image(a, 'rare'), image(b, 'rare')]), facts)
