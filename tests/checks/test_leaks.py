"""Findings on pictures that are listed twice; what is alike is test_likeness's."""

import glob
import json
import os

import cv2
import numpy as np
import pytest

from custom_datasets.checks.leaks import check_leaks
from custom_datasets.data.image_facts import read_image_facts
from custom_datasets.data.likeness import (
    MOST_ALIKE,
    alike_groups,
    content_groups,
    identical_groups,
)
from custom_datasets.data.records import BoxRecord, ImageRecord, SplitRecords
from custom_datasets.data.scan import scan_images
from custom_datasets.data.voc import read_voc_file
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


def add(facts, folder, image, name='copy.png'):
    path = str(folder / name)
    cv2.imwrite(path, image)
    facts[path] = read_image_facts(path)
    return path


def jpeg(image, quality):
    data = cv2.imencode('.jpg', image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return cv2.imdecode(data, cv2.IMREAD_COLOR)


def part(name, paths, **record):
    images = tuple(
        ImageRecord(name=os.path.basename(path), image=path, **record) for path in paths
    )
    return SplitRecords(split=name, classes=('a', 'b'), images=images)


def test_pictures_of_their_own_are_no_finding(known):
    facts, paths = known
    splits = [part('train', paths[::2]), part('val', paths[1::2])]
    assert check_leaks(splits, facts) == []


@pytest.mark.parametrize(
    ('mirrored', 'what'),
    [(False, 'shows the same as'), (True, 'shows the same, left to right, as')],
)
def test_a_picture_that_shows_the_same(known, tmp_path, mirrored, what):
    facts, paths = known
    image = jpeg(cv2.imread(paths[4]), 40)
    path = add(facts, tmp_path, image[:, ::-1].copy() if mirrored else image)
    boxes = dict(size=(160, 120), boxes=(BoxRecord(0, 'a', (1, 1, 20, 20)),))
    turned = {**boxes, 'boxes': (BoxRecord(0, 'a', (140, 1, 159, 20)),)}
    train = part('train', paths, **boxes)
    val = part('val', [path], **(turned if mirrored else boxes))
    [finding] = check_leaks([train, val], facts)
    assert (finding.code, finding.severity) == ('near-identical-images', 'warning')
    assert (finding.split, finding.file) == ('val', path)
    name = os.path.basename(paths[4])
    assert finding.message == f'{what} {name} in train'
    [finding] = check_leaks([part('train', [*paths, path], **boxes)], facts)
    assert (finding.severity, finding.file) == ('note', path)


def test_identical_pixels_in_another_file(known, tmp_path):
    facts, paths = known
    image = cv2.imread(paths[4])
    path = add(facts, tmp_path, image, 'copy.bmp')
    assert identical_groups(facts) == [(paths[4], path)]
    assert alike_groups(facts) == []
    [finding] = check_leaks([part('train', paths), part('test', [path])], facts)
    assert (finding.code, finding.severity) == ('identical-images', 'error')
    name = os.path.basename(paths[4])
    assert finding.message == f'is pixel for pixel {name} in train'
    with open(paths[4], 'rb') as file, open(tmp_path / 'same.png', 'wb') as copy:
        copy.write(file.read())
    same = str(tmp_path / 'same.png')
    facts = {**facts, same: read_image_facts(same)}
    [finding] = check_leaks([part('train', [paths[4], same])], facts)
    assert (finding.severity, finding.hint) == ('warning', 'keep one of them')
    assert finding.message == f'is byte for byte {name}'


def test_one_finding_for_a_group_in_the_last_split(known, tmp_path):
    facts, paths = known
    image = cv2.imread(paths[4])
    copies = [add(facts, tmp_path, image, f'{number}.png') for number in range(7)]
    splits = [part('test', copies[:1]), part('train', [*paths, *copies[1:]])]
    [finding] = check_leaks(splits, facts)
    assert (finding.split, finding.file) == ('test', copies[0])
    names = ', '.join(f'{number}.png in train' for number in (1, 2, 3))
    first = os.path.basename(paths[4])
    assert (
        finding.message == f'is byte for byte {first} in train, {names} and 3 more'
        or (
            finding.message
            == f'is pixel for pixel {first} in train, {names} and 3 more'
        )
    )


def test_a_file_listed_in_two_splits(known):
    facts, paths = known
    splits = [part('train', paths), part('val', paths[:2]), part('test', paths[5:6])]
    findings = check_leaks(splits, facts)
    assert [(f.severity, f.split, f.file) for f in findings] == [
        ('error', 'val', paths[0]),
        ('error', 'val', paths[1]),
        ('error', 'test', paths[5]),
    ]
    name = os.path.basename(paths[0])
    assert findings[0].message == f'is the same file as {name} in train'


def test_equal_lists(known):
    facts, paths = known
    train, val = part('train', paths[:20]), part('val', paths[20:])
    assert check_leaks([train, val, part('test', paths[20:])], facts) == []
    for splits in ([train, part('val', paths[:20])], [part('val', paths[:20]), train]):
        [finding] = check_leaks(splits, facts)
        assert (finding.code, finding.severity) == ('identical-images', 'error')
        assert (finding.split, finding.message) == (
            'val',
            'lists the same 20 images as train',
        )
    empty = part('val', [])
    assert check_leaks([part('train', []), empty], facts) == []


def test_contradicting_classes(known, tmp_path):
    facts, paths = known
    path = add(facts, tmp_path, cv2.imread(paths[4]))
    splits = [part('train', paths, label='a'), part('train', [path], label='b')]
    [finding] = check_leaks(splits, facts)
    assert finding.message.endswith('; its class is b here, a there')
    assert finding.hint.startswith('decide which annotation is right')


@pytest.mark.parametrize(
    ('one', 'other', 'text'),
    [
        ([('a', 1)], [('a', 1)], ''),
        ([('a', 1), ('b', 2)], [('b', 2), ('a', 1)], ''),
        ([], [], ''),
        ([('a', 1)], [], 'a [1, 1, 31, 31] only there'),
        ([], [('a', 1)], 'a [1, 1, 31, 31] only here'),
        (
            [('a', 1)],
            [('b', 1)],
            'b [1, 1, 31, 31] only here, a [1, 1, 31, 31] only there',
        ),
        (
            [('a', 1)],
            [('a', 2), ('a', 3)],
            'a [3, 3, 33, 33] and 1 more only here, a [1, 1, 31, 31] only there',
        ),
        ([('a', 1)], [('a', 1), ('a', 1)], 'a [1, 1, 31, 31] only here'),
    ],
)
def test_contradicting_boxes(known, tmp_path, one, other, text):
    def boxes(objects):
        return tuple(
            BoxRecord(index, name, (x, x, x + 30, x + 30))
            for index, (name, x) in enumerate(objects)
        )

    facts, paths = known
    path = add(facts, tmp_path, cv2.imread(paths[4]))
    splits = [
        part('train', paths[4:5], boxes=boxes(one)),
        part('train', [path], boxes=boxes(other)),
    ]
    [finding] = check_leaks(splits, facts)
    assert finding.message.partition('; boxes differ: ')[2] == text
    assert finding.severity == 'warning'


def test_boxes_of_a_resized_copy_are_compared_in_its_size(known, tmp_path):
    facts, paths = known
    path = add(
        facts,
        tmp_path,
        cv2.resize(cv2.imread(paths[4]), (80, 60), interpolation=cv2.INTER_AREA),
    )
    one = dict(size=(160, 120), boxes=(BoxRecord(0, 'a', (20, 20, 60, 60)),))
    for box, differ in (((10, 10, 30, 30), False), ((20, 20, 60, 60), True)):
        other = dict(size=(80, 60), boxes=(BoxRecord(0, 'a', box),))
        splits = [part('train', paths[4:5], **one), part('train', [path], **other)]
        [finding] = check_leaks(splits, facts)
        assert ('boxes differ' in finding.message) == differ
        assert finding.severity == ('warning' if differ else 'note')


def test_pieces_in_two_splits(known, tmp_path):
    facts, paths = known
    image = cv2.imread(paths[4])
    pieces = [
        add(facts, tmp_path, image[:, start : start + 80], f'photo7_{start}.png')
        for start in (0, 30, 60)
    ]
    one = part('train', [*paths, *pieces[:2]])
    assert check_leaks([one], facts) == []
    [finding] = check_leaks([one, part('test', pieces[2:])], facts)
    assert (finding.code, finding.severity) == ('same-source', 'warning')
    assert (finding.split, finding.file) == ('test', pieces[2])
    assert finding.message == (
        'comes from one picture, photo7, with photo7_0.png in train, '
        'photo7_30.png in train'
    )


def test_versions_of_one_source_are_reported_once(known, tmp_path):
    facts, paths = known
    image = cv2.imread(paths[4])
    names = [f'x_jpg.rf.{letter * 32}.jpg' for letter in 'ab']
    copies = [
        add(facts, tmp_path, jpeg(image, 90 - 40 * index), name)
        for index, name in enumerate(names)
    ]
    assert check_leaks([part('train', copies)], facts) == []
    [finding] = check_leaks([part('train', copies[:1]), part('val', copies[1:])], facts)
    assert finding.code == 'same-source'


def test_a_fixed_camera_is_reported_and_not_grouped(tmp_path):
    rng = np.random.default_rng(0)
    scene = cv2.resize(rng.integers(0, 256, (30, 40, 3), np.uint8), (320, 240))
    facts = {}
    for number in range(MOST_ALIKE + 1):
        image = scene.copy()
        image[number : number + 4, 50:54] = 255
        add(facts, tmp_path, image, f'{number:02d}.png')
    paths = list(facts)
    [finding] = check_leaks([part('train', paths)], facts)
    assert finding.message.startswith('is one of 21 pictures that look alike, as do 00')
    assert len(set(content_groups(facts).values())) == len(paths)
    few = {path: facts[path] for path in paths[:-1]}
    assert len(set(content_groups(few).values())) == 1


def test_files_without_pixels_are_like_none(tmp_path):
    facts = {}
    for number in range(2):
        path = tmp_path / f'{number}.jpg'
        path.write_bytes(b'')
        facts[str(path)] = read_image_facts(str(path))
    assert check_leaks([part('train', facts)], facts) == []
    assert len(set(content_groups(facts).values())) == 2
    assert content_groups({}) == {}


def voc(root, split, names, images, suffix):
    folder = 'Annotations' if images == 'JPEGImages' else 'annotations'
    records = []
    for name in names:
        xml = f'{root}/{folder}/{name}.xml'
        read = read_voc_file(xml)
        path = f'{root}/{images}/{name}{suffix}'
        records.append(ImageRecord(name, path, xml, read.boxes, size=read.size))
    return SplitRecords(split, (), tuple(records), one_based=True)


def stems(paths):
    return [os.path.splitext(os.path.basename(path))[0] for path in paths]


def checked(splits):
    facts = scan_images(image.image for split in splits for image in split.images)
    return facts, check_leaks(splits, facts)


@pytest.mark.real_data
def test_bccd_has_one_field_of_view_in_two_splits(real_data_root):
    root = real_data_root / 'bccd'
    splits = [
        voc(root, split, (root / path).read_text().split(), 'JPEGImages', '.jpg')
        for split in ('train', 'val', 'test')
        for path in [f'ImageSets/Main/{split}.txt']
    ]
    _, [finding] = checked(splits)
    assert (finding.code, finding.split) == ('near-identical-images', 'val')
    assert stems([finding.file]) == ['BloodImage_00037']
    assert 'shows the same as BloodImage_00038 in train' in finding.message


@pytest.mark.real_data
def test_face_masks_have_five_repeats_and_one_that_is_alike(real_data_root):
    root = real_data_root / 'face_mask'
    names = sorted(stems(glob.glob(f'{root}/annotations/*.xml')))
    facts, findings = checked([voc(root, 'train', names, 'images', '.png')])
    pairs = [
        ('13', '737'),
        ('146', '219'),
        ('410', '428'),
        ('653', '775'),
        ('656', '690'),
    ]
    groups = identical_groups(facts)
    assert sorted(tuple(stems(group)) for group in groups) == [
        (f'maksssksksss{one}', f'maksssksksss{other}') for one, other in pairs
    ]
    identical = [f for f in findings if f.code == 'identical-images']
    assert len(identical) == 5
    assert all('; boxes differ: ' in finding.message for finding in identical)
    [group] = alike_groups(facts)
    assert stems(group.paths) == ['maksssksksss369', 'maksssksksss491']


@pytest.mark.real_data
def test_metal_surface_has_one_repeat(real_data_root):
    root = real_data_root / 'metal_surface'
    images = tuple(
        ImageRecord(
            name=name,
            image=f'{root}/images/{name}',
            boxes=tuple(
                BoxRecord(index, item['label'], tuple(item['bbox']))
                for index, item in enumerate(entry['anno'])
            ),
        )
        for name, entry in json.loads(
            (root / 'anno/annotation.json').read_text()
        ).items()
    )
    _, [finding] = checked([SplitRecords('train', (), images, one_based=True)])
    assert stems([finding.file]) == ['patches_105']
    assert finding.message == (
        'is byte for byte patches_101.jpg; boxes differ: patches [116, 1, 174, 53] '
        'and 2 more only here, patches [113, 1, 175, 59] and 2 more only there'
    )


@pytest.mark.real_data
def test_waste_has_three_contradictions_and_shots_taken_twice(real_data_root):
    files = sorted(real_data_root.glob('waste/*/*.jpg'))
    images = tuple(ImageRecord(f.name, str(f), label=f.parent.name) for f in files)
    facts, findings = checked([SplitRecords('train', (), images)])
    identical = [f for f in findings if f.code == 'identical-images']
    assert [finding.message for finding in identical] == [
        'is byte for byte glass115.jpg; its class is metal here, glass there',
        'is byte for byte glass176.jpg; its class is plastic here, glass there',
        'is byte for byte glass389.jpg; its class is plastic here, glass there',
    ]
    # Each was looked at: shots of one thing from one place.
    alike = [stems(group.paths) for group in alike_groups(facts)]
    assert len(alike) == 24
    assert all(one[:5] == other[:5] for one, other in alike)
    assert len(findings) == 3 + 24
