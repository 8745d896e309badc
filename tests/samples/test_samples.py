"""Drawn data have the layouts of the real sets, and what is said of them is true."""

import json
import os

import cv2
import numpy as np
import pytest

from custom_datasets.cli import INTERRUPTED
from custom_datasets.data.clean import clean_dataset
from custom_datasets.data.likeness import content_groups
from custom_datasets.data.scan import scan_images
from custom_datasets.data.voc import read_voc_file
from custom_datasets.datasets.age_gender import AgeGenderDataset
from custom_datasets.datasets.bccd import BCCDDataset
from custom_datasets.datasets.face_mask import FaceMaskDataset
from custom_datasets.datasets.metal_surface import MetalSurfaceDataset
from custom_datasets.datasets.recycling import RecyclingDataset
from custom_datasets.datasets.waste import WasteDataset
from custom_datasets.predicting.face_crops import cascade_faces, choose_face
from custom_datasets.samples.boxes import (
    METAL_CLASSES,
    RECYCLING_CLASSES,
    draw_bccd,
    draw_face_mask,
    draw_metal_surface,
    draw_recycling,
    draw_wider_face,
)
from custom_datasets.samples.classes import (
    SIZE,
    STYLES,
    draw_age_gender,
    draw_portrait,
    draw_waste,
)
from tools import draw_sample as tool


def snapshot(folder):
    return {
        str(p.relative_to(folder)): p.read_bytes()
        for p in folder.rglob('*')
        if p.is_file()
    }


def bccd(root, draw=draw_bccd, **options):
    draw(str(root), {'train': 3, 'val': 2}, (80, 60), **options)


def face_mask(root, draw=draw_face_mask, **options):
    draw(str(root), 6, (48, 40), **options)


def metal_surface(root, draw=draw_metal_surface, **options):
    draw(str(root), 6, **options)


def recycling(root, draw=draw_recycling, **options):
    draw(str(root), {'train': 20, 'test': 3}, (96, 64), **options)


def wider_face(root, draw=draw_wider_face, **options):
    draw(str(root), {'train': 4, 'val': 2}, (48, 40), **options)


def waste(root, draw=draw_waste, **options):
    draw(str(root), 3, **options)


def age_gender(root, draw=draw_age_gender, **options):
    draw(str(root), 1, **options)


PARTS = ('train', 'val')
FORMATS = [age_gender, bccd, face_mask, metal_surface, recycling, waste, wider_face]


@pytest.mark.parametrize('draw', FORMATS)
def test_the_same_seed_draws_the_same_bytes(tmp_path, draw):
    draw(tmp_path / 'a', seed=3)
    draw(tmp_path / 'b', seed=3)
    draw(tmp_path / 'c', seed=4)
    drawn = [snapshot(tmp_path / name) for name in 'abc']
    assert drawn[0] == drawn[1]
    assert drawn[0].keys() == drawn[2].keys()
    assert drawn[0] != drawn[2]


def test_bccd_has_the_real_layout(tmp_path):
    bccd(tmp_path)
    names = {f'train_{i:04d}' for i in range(3)} | {f'val_{i:04d}' for i in range(2)}
    assert set(snapshot(tmp_path)) == {
        'ImageSets/Main/train.txt',
        'ImageSets/Main/val.txt',
        *(f'JPEGImages/{name}.png' for name in names),
        *(f'Annotations/{name}.xml' for name in names),
    }


@pytest.mark.parametrize(
    ('draw', 'folders', 'classes'),
    [
        (bccd, ('JPEGImages', 'Annotations'), BCCDDataset),
        (face_mask, ('images', 'annotations'), FaceMaskDataset),
    ],
)
def test_xml_is_true(tmp_path, draw, folders, classes):
    draw(tmp_path)
    seen = set()
    for path in sorted((tmp_path / folders[1]).iterdir()):
        annotation = read_voc_file(str(path))
        image = cv2.imread(
            str(tmp_path / folders[0] / annotation.filename), cv2.IMREAD_UNCHANGED
        )
        assert image.shape[1::-1] == annotation.size
        assert image.shape[2] == (4 if folders[0] == 'images' else 3)
        for box in annotation.boxes:
            x1, y1, x2, y2 = box.box
            assert 1 <= x1 < x2 <= annotation.size[0]
            assert 1 <= y1 < y2 <= annotation.size[1]
            assert not box.difficult
            seen.add(box.name)
    assert seen == set(classes.METAINFO['classes'])


def test_metal_surface_has_the_real_layout(tmp_path):
    metal_surface(tmp_path)
    text = (tmp_path / 'anno/annotation.json').read_text()
    assert text.startswith('{\n\t"steel_000.jpg": {\n\t\t"filename": "steel_000.jpg"')
    entries = json.loads(text)
    assert sorted(os.listdir(tmp_path / 'images')) == sorted(entries)
    seen = set()
    for name, entry in entries.items():
        image = cv2.imread(str(tmp_path / 'images' / name))
        assert image.shape == (entry['height'], entry['width'], 3)
        background = np.median(image)
        for item in entry['anno']:
            x1, y1, x2, y2 = item['bbox']
            patch = image[y1 - 1 : y2, x1 - 1 : x2].astype(int)
            assert np.abs(patch - background).mean() > 15
            seen.add(item['label'])
    assert seen == set(METAL_CLASSES)
    assert seen < set(MetalSurfaceDataset.METAINFO['classes'])


@pytest.mark.parametrize('draw', FORMATS)
def test_command(tmp_path, monkeypatch, capsys, draw):
    kind = draw.__name__
    module = f'{tool.PACKAGE}.{tool.MODULES[kind]}'
    monkeypatch.setattr(f'{module}.draw_{kind}', draw)
    out = tmp_path / 'out'
    assert tool.main([str(out), '--format', kind]) == 0
    before = snapshot(out)
    assert len(before) > 5
    assert tool.main([str(out), '--format', kind]) == 1
    assert f'{out}: already exists' in capsys.readouterr().err
    assert snapshot(out) == before
    assert tool.main([str(out), '--format', kind, '--seed', '1', '--overwrite']) == 0
    assert snapshot(out) != before


def test_command_spares_folders_of_others(tmp_path, capsys):
    (tmp_path / 'thesis.txt').write_text('three years of work')
    assert tool.main([str(tmp_path), '--overwrite']) == 1
    assert 'not made by this command' in capsys.readouterr().err
    assert os.listdir(tmp_path) == ['thesis.txt']


def test_an_interruption_leaves_nothing(tmp_path, monkeypatch):
    def interrupted(root, seed):
        bccd(root, seed=seed)
        raise KeyboardInterrupt

    monkeypatch.setattr('custom_datasets.samples.boxes.draw_bccd', interrupted)
    assert tool.main([str(tmp_path / 'out')]) == INTERRUPTED
    assert os.listdir(tmp_path) == []


def test_wider_face_has_the_real_layout(tmp_path):
    wider_face(tmp_path)
    lists = {part: (tmp_path / f'{part}.txt').read_text().split() for part in PARTS}
    assert {part: len(names) for part, names in lists.items()} == {'train': 4, 'val': 2}
    for part, names in lists.items():
        for name in names:
            number, event = name.split('_')[:2]
            folder = tmp_path / f'WIDER_{part}'
            assert (folder / f'{number}--{event}/{name}.jpg').is_file()
            found = read_voc_file(str(folder / f'Annotations/{name}.xml'))
            assert [box.name for box in found.boxes] == ['face', 'face']


def test_waste_has_the_real_folders_and_repeats_to_clean(tmp_path):
    waste(tmp_path)
    classes = WasteDataset.METAINFO['classes']
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(classes)
    clean_dataset(str(tmp_path))
    rows = (tmp_path / 'removed.csv').read_text().splitlines()[1:]
    assert sorted(row.split(',')[1] for row in rows) == [
        'duplicate',
        'label-conflict',
        'label-conflict',
    ]


def test_age_gender_has_two_sources_and_rare_old_faces(tmp_path):
    age_gender(tmp_path)
    counts = {
        source: {path.name: len(list(path.iterdir())) for path in folder.iterdir()}
        for source in ('studio', 'street')
        for folder in [tmp_path / source]
    }
    classes = AgeGenderDataset.METAINFO['classes']
    assert counts['street'] == dict.fromkeys(classes, 1)
    assert counts['studio'].keys() == set(classes)
    assert counts['studio']['20s_male'] == 4 * counts['studio']['60s_female'] == 4
    assert (tmp_path / 'studio/20s_male/20s_male_0003.jpg').is_file()


def test_age_shows_in_the_hair_and_gender_in_its_length():
    def top(decade, gender):
        image = draw_portrait(np.random.default_rng(0), decade, gender)
        return image[:, SIZE[0] // 2].min(axis=1), image

    assert (
        top(6, 'male')[1][30:60, 90].mean() > top(2, 'male')[1][30:60, 90].mean() + 50
    )
    below = {g: top(2, g)[1][130:150, 20:160] for g in ('female', 'male')}
    dark = {g: (pixels.max(axis=2) < 80).sum() for g, pixels in below.items()}
    assert dark['female'] > 2 * dark['male'] + 100


@pytest.mark.parametrize('style', STYLES)
def test_the_cascade_finds_each_face(style):
    find, rng = cascade_faces(), np.random.default_rng(5)
    for decade, gender in ((2, 'female'), (4, 'male'), (6, 'female')):
        image = draw_portrait(rng, decade, gender, style)
        face, problem = choose_face(find(image))
        assert not problem
        x1, y1, x2, y2 = face
        # The eyes are within, at most 8 pixels from the middle across.
        assert x1 < 70 and x2 > 110 and y1 < 100 < y2
        assert find(cv2.resize(image, None, fx=0.1, fy=0.1)).shape == (0, 5)


@pytest.fixture(scope='module')
def ground(tmp_path_factory):
    root = tmp_path_factory.mktemp('waste')
    recycling(root)
    return root


def load(root, part):
    return json.loads((root / f'{part}.json').read_text())


def test_recycling_has_the_real_layout(ground):
    assert set(snapshot(ground)) == {
        *('train.json', 'test.json', 'sample_submission.csv'),
        *(f'train/{number:04d}.jpg' for number in range(20)),
        *(f'test/{number:04d}.jpg' for number in range(3)),
    }
    keys = {'info', 'licenses', 'images', 'categories'}
    assert set(load(ground, 'train')) == {*keys, 'annotations'}
    assert set(load(ground, 'test')) == keys
    assert (ground / 'sample_submission.csv').read_text() == (
        'PredictionString,image_id\n,test/0000.jpg\n,test/0001.jpg\n,test/0002.jpg\n'
    )


def test_recycling_has_the_classes_of_the_data_set(ground):
    names = RecyclingDataset.METAINFO['classes']
    assert tuple(RECYCLING_CLASSES) == names
    categories = load(ground, 'test')['categories']
    assert [(one['id'], one['name']) for one in categories] == list(enumerate(names))
    labels = {one['category_id'] for one in load(ground, 'train')['annotations']}
    assert labels == set(range(10))


def test_recycling_boxes_are_true(ground):
    content = load(ground, 'train')
    ids = [one['id'] for one in content['annotations']]
    assert ids == list(range(len(ids)))
    images = [cv2.imread(str(ground / one['file_name'])) for one in content['images']]
    for one in content['annotations']:
        image = images[one['image_id']].astype(float)
        x, y, width, height = one['bbox']
        assert one['area'] == width * height
        assert min(x, y) >= 0 and x + width <= 96 and y + height <= 64
        color = np.array(list(RECYCLING_CLASSES.values())[one['category_id']][1])
        light = 1 - 0.12 * (one['image_id'] % 2)
        near = np.abs(image - color * light).mean(axis=2) < 30
        rows, columns = near[y : y + height, x : x + width].nonzero()
        assert max(rows.min(), columns.min()) <= 3
        assert rows.max() >= height - 4 and columns.max() >= width - 4


def test_two_photographs_of_a_scene_show_the_same(ground):
    paths = [str(ground / f'train/{n:04d}.jpg') for n in range(20)]
    groups = content_groups(scan_images(paths))
    assert [groups[path] for path in paths] == [paths[n - n % 2] for n in range(20)]
