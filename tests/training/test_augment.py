"""One transform of each group, drawn from NumPy's seed, hues left alone."""

import cv2
import numpy as np
import pytest

from custom_datasets.settings.training import GROUPS
from custom_datasets.training.augment import OneOfEachGroup

ARROW = np.arange(8 * 8 * 3, dtype=np.uint8).reshape(8, 8, 3)


def draws(transform, pixels, count, seed=0):
    np.random.seed(seed)
    return [transform({'img': pixels.copy()})['img'] for _ in range(count)]


def test_one_of_a_group_is_applied_and_one_of_each():
    turns = [{'type': 'HorizontalFlip'}, {'type': 'VerticalFlip'}]
    invert = [{'type': 'InvertImg'}]
    both = OneOfEachGroup([turns, invert], prob=1)
    found = {image.tobytes() for image in draws(both, ARROW, 50)}
    expected = {(255 - ARROW[:, ::-1]).tobytes(), (255 - ARROW[::-1]).tobytes()}
    assert found == expected


def test_a_group_is_left_out_half_of_the_time():
    transform = OneOfEachGroup([[{'type': 'InvertImg'}]])
    plain = sum(bool((image == ARROW).all()) for image in draws(transform, ARROW, 400))
    # Four standard deviations of 400 fair draws.
    assert abs(plain - 200) <= 40


def test_images_are_bgr():
    red = np.zeros((4, 4, 3), np.uint8)
    red[..., 2] = 200
    (image,) = draws(OneOfEachGroup([[{'type': 'ToGray'}]], prob=1), red, 1)
    # Red weighs 0.299 in luma (ITU-R BT.601); taken for blue it would be 0.114.
    assert np.unique(image).tolist() == [60]


@pytest.mark.parametrize('name', GROUPS)
def test_the_seed_decides_and_the_size_stays(name):
    rng = np.random.default_rng(1)
    pixels = cv2.resize(rng.integers(0, 256, (9, 9, 3), np.uint8), (64, 48))
    transform = OneOfEachGroup([GROUPS[name]], prob=1)
    first, again = draws(transform, pixels, 12), draws(transform, pixels, 12)
    other = draws(transform, pixels, 12, seed=1)
    assert all((a == b).all() for a, b in zip(first, again, strict=True))
    assert any((a != b).any() for a, b in zip(first, other, strict=True))
    assert len({image.tobytes() for image in first}) > 3
    assert {(image.shape, image.dtype) for image in first} == {
        ((48, 64, 3), np.dtype(np.uint8))
    }


@pytest.mark.parametrize('name', GROUPS)
def test_only_colour_turns_hues(name):
    pixels = np.full((64, 64, 3), (60, 90, 150), np.uint8)
    hues = []
    for image in draws(OneOfEachGroup([GROUPS[name]], prob=1), pixels, 30):
        seen = image[(image.max(-1) > 30) & (image.max(-1) < 250)]
        hue = cv2.cvtColor(seen[None], cv2.COLOR_BGR2HSV)[0, :, 0]
        hues.append(np.median(hue))
    # (150 - 90) and (90 - 60) of a range of 90: 60 * 30 / 90 degrees, or 10 of 180.
    turned = np.abs(np.array(hues) - 10).max()
    assert turned > 5 if name == 'colour' else turned <= 2
