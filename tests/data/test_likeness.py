"""Which pictures show the same: by their content, and by their names."""

import glob

import cv2
import numpy as np
import pytest

from custom_datasets.data.image_facts import read_image_facts
from custom_datasets.data.likeness import (
    MOST_ALIKE,
    alike_groups,
    content_groups,
    identical_groups,
    source_groups,
)
from custom_datasets.data.records import ImageRecord
from custom_datasets.data.scan import scan_images
from custom_datasets.samples.boxes import draw_bccd


@pytest.fixture(scope='module')
def smears(tmp_path_factory):
    """Paths and facts of 30 drawn images."""
    root = tmp_path_factory.mktemp('smears')
    draw_bccd(str(root), {'train': 30}, (160, 120))
    paths = sorted(glob.glob(f'{root}/JPEGImages/*.png'))
    return paths, scan_images(paths)


@pytest.fixture
def known(smears):
    """Facts that a test may add to, and the paths they came with."""
    return dict(smears[1]), smears[0]


def jpeg(image, quality):
    data = cv2.imencode('.jpg', image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return cv2.imdecode(data, cv2.IMREAD_COLOR)


def resized(image, times):
    return cv2.resize(image, None, fx=times, fy=times, interpolation=cv2.INTER_AREA)


def noisy(image):
    noise = np.random.default_rng(0).normal(0, 4, image.shape)
    return (image + noise).clip(0, 255).astype(np.uint8)


COPIES = {
    'recompressed': lambda image: jpeg(image, 40),
    'smaller': lambda image: resized(image, 0.5),
    'larger': lambda image: resized(image, 1.7),
    'square': lambda image: cv2.resize(image, (100, 100)),
    'brighter': lambda image: cv2.convertScaleAbs(image, alpha=1, beta=12),
    'more contrast': lambda image: cv2.convertScaleAbs(image, alpha=1.1),
    'darker': lambda image: cv2.convertScaleAbs(image, alpha=0.8),
    'noisy': noisy,
    'softer': lambda image: cv2.GaussianBlur(image, (0, 0), 1),
    'gray': lambda image: cv2.cvtColor(image, cv2.COLOR_BGR2GRAY),
    'cropped a little': lambda image: image[1:-1, 1:-1],
}


def add(facts, folder, image, name='copy.png'):
    path = str(folder / name)
    cv2.imwrite(path, image)
    facts[path] = read_image_facts(path)
    return path


def test_drawn_images_are_like_none(known):
    facts, paths = known
    assert identical_groups(facts) == alike_groups(facts) == []
    assert content_groups(facts) == {path: path for path in paths}


@pytest.mark.parametrize('mirrored', [False, True])
@pytest.mark.parametrize('change', COPIES)
def test_copies_are_found(known, tmp_path, change, mirrored):
    facts, paths = known
    image = COPIES[change](cv2.imread(paths[4]))
    image = np.ascontiguousarray(image[:, ::-1]) if mirrored else image
    path = add(facts, tmp_path, image)
    [group] = alike_groups(facts)
    assert (group.paths, group.mirrored) == ((paths[4], path), mirrored)
    groups = content_groups(facts)
    assert groups[path] == groups[paths[4]] == min(path, paths[4])
    assert len(set(groups.values())) == len(facts) - 1


def test_pictures_that_differ_in_one_place_or_in_colour_are_not_alike(tmp_path):
    rng = np.random.default_rng(0)
    scene = cv2.resize(rng.integers(60, 90, (30, 40, 3), np.uint8), (320, 240))
    facts = {}
    for index, color in enumerate(((250, 60, 60), (60, 60, 250), (250, 60, 60))):
        image = scene.copy()
        center = (220, 60) if index == 2 else (80, 150)
        cv2.circle(image, center, 40, color, -1)
        add(facts, tmp_path, image, f'{index}.png')
    assert alike_groups(facts) == []


def test_flat_images_are_not_alike(tmp_path):
    facts = {}
    for number in range(4):
        ramp = np.linspace(100, 140 + 5 * number, 64).astype(np.uint8)
        add(facts, tmp_path, np.tile(ramp, (64, 1)), f'{number}.png')
    assert alike_groups(facts) == []


def record(path, label=None):
    return ImageRecord(name=path, image=path, label=label)


@pytest.mark.parametrize(
    ('names', 'source'),
    [
        (['crazing_120_0.png', 'crazing_120_3.png'], 'crazing_120'),
        (['img12-crop3.jpg', 'img12-crop4.jpg'], 'img12'),
        (['f7_tile_0.jpg', 'x/f7_tile_12.jpg'], 'f7'),
        (['IMG1_aug_1.jpg', 'IMG1 2.jpg'], 'IMG1'),
        (
            [
                'cat_jpg.rf.0f5c3c2d9a7be1460f5c.jpg',
                'b/cat_jpg.rf.91d2a6e4b8c07f3591d2.jpg',
            ],
            'cat_jpg',
        ),
    ],
)
def test_names_that_speak_of_a_source(names, source):
    others = ['a_1.jpg', 'crazing_121.png', 'other.jpg']
    assert source_groups(map(record, [*names, *others])) == [(source, names)]


@pytest.mark.parametrize(
    'pattern',
    [
        'crazing_{}.jpg',
        'BloodImage_{:05d}.jpg',
        '2007_{:06d}.jpg',
        'metal{}.jpg',
        'cam1_{:03d}.jpg',
        'frame_{:02d}.png',
        'IMG_20200101_{:06d}.jpg',
    ],
)
def test_names_that_only_count(pattern):
    assert source_groups(record(pattern.format(number)) for number in range(40)) == []


def test_a_long_series_is_no_source():
    names = [f'day1_{number}.jpg' for number in range(MOST_ALIKE + 1)]
    assert source_groups(map(record, names)) == []
    assert len(source_groups(map(record, names[:-1]))) == 1


def test_class_folders_number_their_files_anew():
    name = 'img_1_jpg.rf.0f5c3c2d9a7be1460f5c.jpg'
    images = [record(f'{label}/{name}', label) for label in 'ab']
    assert source_groups(images) == []


def test_groups_do_not_depend_on_order(known, tmp_path):
    facts, paths = known
    for number in (3, 9):
        image = cv2.imread(paths[number])
        add(facts, tmp_path, jpeg(image, 50), f'{number}.png')
        add(facts, tmp_path, image, f'{number}.bmp')
    backwards = dict(reversed(facts.items()))
    assert content_groups(facts) == content_groups(backwards)
    assert len(set(content_groups(facts).values())) == len(paths)
