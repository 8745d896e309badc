"""Faults between images and between lists."""

from dataclasses import replace

import cv2
import numpy as np

from tests.checks.planting import Place, fault


@fault('identical-across-splits')
def identical_across_splits(place):
    """Image and boxes are the same."""
    other = Place(place.root, 'test', 0)
    other.xml.write_bytes(place.xml.read_bytes())
    path = other.write_bytes(place.image.read_bytes())
    return _leak(other.expect('identical-images', path, other=place.image))


@fault('identical-with-other-boxes')
def identical_with_other_boxes(place):
    """Two training images; a box of the second is another."""
    other = place.copy_to(f'{place.name}_again')
    number, (x1, y1, x2, y2) = other.find('WBC')
    other.set_box(number, (x1 + 5, y1, x2, y2 - 5))
    return other.expect('identical-images', other.image, other=place.image)


@fault('recompressed-across-splits')
def recompressed_across_splits(place):
    other = Place(place.root, 'test', 1)
    other.xml.write_bytes(place.xml.read_bytes())
    data = cv2.imencode('.jpg', place.pixels(), [cv2.IMWRITE_JPEG_QUALITY, 60])[1]
    path = other.write_bytes(data.tobytes(), '.jpg')
    return _leak(other.expect('near-identical-images', path, other=place.image))


@fault('brighter-copy-in-one-split')
def brighter_copy_in_one_split(place):
    other = place.copy_to(f'{place.name}_again')
    path = other.write(cv2.convertScaleAbs(place.pixels(), alpha=1, beta=10))
    return other.expect('near-identical-images', path, other=place.image)


@fault('listed-in-two-splits')
def listed_in_two_splits(place):
    with open(place.list.with_stem('test'), 'a') as file:
        file.write(f'{place.name}\n')
    return _leak(place.expect('identical-images', place.image))


@fault('crops-of-one-image')
def crops_of_one_image(place):
    """The left three quarters of a photograph in train, the right in test."""
    other = Place(place.root, 'test', 2)
    pixels = place.pixels()
    height, width = pixels.shape[:2]
    side = width * 3 // 4
    for index, one in enumerate((place, other)):
        start = index * (width - side)
        one.write(np.ascontiguousarray(pixels[:, start : start + side]))
        one.set_size(side, height)
        one.remove(lambda element: True)
        one.add('RBC', (20, 20, 40, 40))
        one.rename(f'smear7_{index}')
    return _leak(other.expect('same-source', other.image, other=place.image))


@fault('roboflow-copies')
def roboflow_copies(place):
    """Roboflow calls versions of one upload ``<stem>_<suffix>.rf.<hash>``."""
    other = Place(place.root, 'test', 3)
    other.xml.write_bytes(place.xml.read_bytes())
    other.write(np.ascontiguousarray(place.pixels()[:, ::-1]))
    width = place.pixels().shape[1]
    for number in range(len(other.tree().findall('object'))):
        x1, y1, x2, y2 = other.box(number)
        other.set_box(number, (width + 1 - x2, y1, width + 1 - x1, y2))
    place.rename('smear8_jpg.rf.0f5c3c2d9a7be1460f5c3c2d9a7be146')
    other.rename('smear8_jpg.rf.91d2a6e4b8c07f3591d2a6e4b8c07f35')
    return _leak(other.expect('same-source', other.image, other=place.image))


@fault('class-without-box')
def class_without_box(place):
    """The last to plant: it goes through all of the test list."""
    place = Place(place.root, 'test', 0)
    for name in place.list.read_text().split():
        one = Place(place.root, 'test', 0)
        one.xml = place.xml.with_stem(name)
        one.remove(lambda element: element.findtext('name') == 'WBC')
    return place.expect('class-without-box', place.list)


def _leak(expected):
    """A leak may be told of any of the lists that it joins."""
    return replace(expected, split=None)
