"""Image files, by their facts; planted faults prove the way from the file."""

import io

import cv2
import numpy as np
import pytest
from PIL import Image

from custom_datasets.checks.images import check_ends, check_images
from custom_datasets.data.image_facts import ImageFacts, read_image_facts
from custom_datasets.data.images import TAIL
from custom_datasets.data.records import BoxRecord, ImageRecord, SplitRecords
from custom_datasets.data.scan import scan_images

FINE = dict(
    digest='d',
    pixels='p',
    decodes='whole',
    format='JPEG',
    mode='RGB',
    stored=(640, 480),
    size=(640, 480),
    mean=120.0,
    contrast=40.0,
    shadow=30.0,
    light=200.0,
    detail=12.0,
    thumbnail=bytes(range(256)) * 4,
    colour=bytes(128),
)


def facts(**changes):
    return ImageFacts(**{**FINE, **changes})


def splits(*files, split='train', **record):
    images = tuple(ImageRecord(name=file, image=file, **record) for file in files)
    return [SplitRecords(split=split, classes=('a',), images=images)]


def found(name='a.jpg', record=None, **changes):
    """Check one image; returns (code, severity) of each finding."""
    findings = check_images(splits(name, **(record or {})), {name: facts(**changes)})
    assert all(finding.file == name for finding in findings if finding.file)
    return [(finding.code, finding.severity) for finding in findings]


def test_nothing_is_wrong_with_a_fine_image():
    assert found() == []


@pytest.mark.parametrize(
    ('changes', 'expected'),
    [
        (
            dict(decodes='nothing', problem='x', size=None),
            ('undecodable-image', 'error'),
        ),
        (dict(decodes='part', problem='x'), ('truncated-image', 'error')),
        (dict(problem='x'), ('doubtful-image', 'warning')),
        (dict(decodes='unknown', size=None), ('huge-image', 'warning')),
        (dict(alpha='used'), ('alpha', 'warning')),
        (dict(alpha='opaque'), ('alpha', 'note')),
        (dict(bits=16), ('bit-depth', 'note')),
        (dict(frames=2), ('several-frames', 'note')),
        (dict(size=(500, 100)), ('aspect-ratio', 'warning')),
        (dict(size=(100, 501)), ('aspect-ratio', 'warning')),
        (dict(format='PNG'), ('wrong-suffix', 'note')),
        (dict(gray=True), ('gray', 'note')),
        (dict(thumbnail=bytes([100, 110] * 512)), ('blank', 'warning')),
        (dict(light=45), ('dark', 'warning')),
        (dict(shadow=215), ('bright', 'warning')),
        (dict(detail=1.5), ('blurred', 'warning')),
    ],
)
def test_each_fault_is_found(changes, expected):
    assert found(**changes) == [expected]


@pytest.mark.parametrize(
    'changes',
    [
        dict(bits=1),
        dict(frames=2, format='MPO'),
        dict(size=(499, 100)),
        dict(thumbnail=bytes([100, 111] * 512)),
        dict(light=46),
        dict(shadow=214),
        dict(detail=1.7),
        dict(detail=1.5, contrast=8.0),
    ],
)
def test_what_is_no_fault(changes):
    assert found(**changes) == []


@pytest.mark.parametrize('name', ['a.jpeg', 'a.JPG', 'a', 'a.dat'])
def test_suffixes_that_do_not_lie(name):
    assert found(name) == []


def test_a_damaged_image_is_not_judged_by_its_looks():
    damage = dict(decodes='part', problem='x', detail=0, light=0, gray=True)
    assert found(**damage) == [('truncated-image', 'error')]


def test_a_file_in_two_splits_is_reported_once():
    parts = splits('a.jpg') + splits('a.jpg', split='val')
    [finding] = check_images(parts, {'a.jpg': facts(alpha='used')})
    assert finding.split == 'train'


def test_images_without_a_file_or_facts_are_skipped():
    image = ImageRecord(name='a', image=None)
    part = SplitRecords(split='train', classes=(), images=(image,))
    assert check_images([part, *splits('b.jpg')], {}) == []


@pytest.mark.parametrize(
    ('size', 'box', 'severity'),
    [
        (None, (10, 10, 50, 50), None),
        ((1280, 960), (10, 10, 50, 50), 'warning'),
        ((1280, 960), (10, 10, 900, 50), 'error'),
        ((1280, 960), (10, 10, 50, 482), 'error'),
        ((480, 640), (10, 10, 50, 50), 'error'),
        ((640, 400), (10, 10, 50, 50), 'error'),
    ],
)
def test_a_size_that_is_not_the_image_s(size, box, severity):
    record = dict(size=size, boxes=(BoxRecord(0, 'a', box),))
    for annotation, file in (('a.xml', 'a.xml'), ('all.json', 'a.jpg')):
        parts = splits('a.jpg', **record, annotation=annotation)
        findings = check_images(parts, {'a.jpg': facts()})
        assert [(f.code, f.severity, f.file) for f in findings] == (
            [('wrong-size', severity, file)] if severity else []
        )
        for finding in findings:
            assert '640x480' in finding.message
            assert ('outside' in finding.message) == (box[2] > 640 or box[3] > 480)


BOX = BoxRecord(0, 'a', (10, 10, 50, 50))


@pytest.mark.parametrize(
    ('orientation', 'size', 'boxes', 'expected'),
    [
        (6, (640, 480), (BOX,), [('exif-ignored', 'error')]),
        (6, (480, 640), (BOX,), []),
        (6, (480, 640), (), []),
        (6, None, (BOX,), [('exif-unclear', 'warning')]),
        (6, (100, 700), (BOX,), [('wrong-size', 'error')]),
        (3, (640, 480), (BOX,), [('exif-unclear', 'warning')]),
        (2, None, (BOX,), [('exif-unclear', 'warning')]),
        (3, None, (), []),
    ],
)
def test_exif(orientation, size, boxes, expected):
    loaded = (480, 640) if orientation == 6 else (640, 480)
    record = dict(size=size, boxes=boxes)
    assert found(record=record, orientation=orientation, size=loaded) == expected


def test_gray_among_colour_and_colour_among_gray():
    names = [f'{number}.jpg' for number in range(5)]
    for rare, text in ((True, 'is gray; 1 of 5'), (False, 'has colour; 1 of 5')):
        known = {name: facts(gray=not rare) for name in names}
        known['2.jpg'] = facts(gray=rare)
        [finding] = check_images(splits(*names), known)
        assert (finding.file, finding.message[: len(text)]) == ('2.jpg', text)
    [finding] = check_images(splits(*names), {n: facts(gray=True) for n in names})
    assert (finding.file, finding.message) == (None, 'all 5 images are gray')


def test_blur_compared_with_the_rest():
    names = [f'{number}.jpg' for number in range(25)]
    known = {name: facts(detail=20.0 + n % 5) for n, name in enumerate(names)}
    known['3.jpg'] = facts(detail=6.0)
    known['4.jpg'] = facts(detail=6.0, contrast=10.0)  # As sharp, of low contrast.
    [finding] = check_images(splits(*names), known)
    assert (finding.file, finding.code) == ('3.jpg', 'blurred')
    few = names[:19]
    assert check_images(splits(*few), {name: known[name] for name in few}) == []


def encoded(kind):
    buffer = io.BytesIO()
    Image.effect_noise((64, 48), 40).convert('RGB').save(buffer, kind)
    return buffer.getvalue()


def ends(tmp_path, data):
    path = tmp_path / 'a'
    if data is not None:
        path.write_bytes(data)
    findings = check_ends(splits(str(path), str(path)))
    assert all((f.severity, f.file) == ('error', str(path)) for f in findings)
    return [(finding.code, finding.message) for finding in findings]


@pytest.mark.parametrize('kind', ['JPEG', 'PNG', 'BMP', 'TIFF', 'WEBP', 'GIF', 'PPM'])
def test_the_ends_of_whole_files(tmp_path, kind):
    assert not ends(tmp_path, encoded(kind))
    assert not ends(tmp_path, encoded(kind) + b'maker notes' * 1000)


@pytest.mark.parametrize('kind', ['JPEG', 'PNG'])
@pytest.mark.parametrize('left', [0.5, 0.99])
def test_a_file_that_is_cut_off(tmp_path, kind, left):
    data = encoded(kind)
    found = ends(tmp_path, data[: int(len(data) * left) - 8])
    assert found == [('truncated-image', 'is cut off')]
    assert not ends(tmp_path, data + b'\0' * TAIL)


@pytest.mark.parametrize(
    ('data', 'message'),
    [
        (b'', 'is empty'),
        (b'version https://git-lfs', 'is not an image of any known kind'),
        (None, 'cannot be read (No such file or directory)'),
    ],
)
def test_a_file_that_is_no_image(tmp_path, data, message):
    assert ends(tmp_path, data) == [('undecodable-image', message)]


HARMS = {
    'blurred': lambda image: cv2.GaussianBlur(image, (0, 0), 8),
    'dark': lambda image: (image * 0.15).astype(np.uint8),
    'bright': lambda image: 255 - ((255 - image) * 0.15).astype(np.uint8),
    'blank': lambda image: np.full_like(image, 140),
    'gray': lambda image: cv2.cvtColor(image, cv2.COLOR_BGR2GRAY),
}


def real_images(root):
    return {
        'bccd': sorted(root.glob('bccd/JPEGImages/*.jpg')),
        'face_mask': sorted(root.glob('face_mask/images/*.png')),
        'metal_surface': sorted(root.glob('metal_surface/images/*.jpg')),
        'waste': sorted(root.glob('waste/*/*.jpg')),
    }


@pytest.mark.real_data
def test_real_images_raise_no_false_alarm(real_data_root):
    notes = {}
    for name, files in real_images(real_data_root).items():
        paths = [str(path) for path in files]
        findings = check_images(splits(*paths), scan_images(paths))
        assert [f for f in findings if f.severity != 'note'] == []
        codes = sorted({finding.code for finding in findings})
        notes[name] = {code: sum(f.code == code for f in findings) for code in codes}
    assert notes == {
        'bccd': {},
        'face_mask': {'alpha': 184, 'bit-depth': 52},
        'metal_surface': {'gray': 1},
        'waste': {},
    }


@pytest.mark.real_data
@pytest.mark.parametrize('name', ['bccd', 'face_mask', 'metal_surface', 'waste'])
def test_real_images_that_are_spoilt_are_found(real_data_root, tmp_path, name):
    files = real_images(real_data_root)[name]
    paths = [str(path) for path in files[:: len(files) // 60]]
    known = scan_images(paths)
    spoilt = str(tmp_path / 'spoilt.png')
    for code, harm in HARMS.items():
        if code == 'gray' and name == 'metal_surface':
            continue
        image = cv2.imread(paths[7])
        if code == 'blurred':
            image = cv2.GaussianBlur(image, (0, 0), max(image.shape) / 40)
        else:
            image = harm(image)
        cv2.imwrite(spoilt, image)
        facts = {**known, spoilt: read_image_facts(spoilt)}
        findings = check_images(splits(*facts), facts)
        assert code in {finding.code for finding in findings if finding.file == spoilt}
