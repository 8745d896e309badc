"""Drawn waste has the competition's layout, and its boxes are true."""

import json

import cv2
import numpy as np
import pytest

from custom_datasets.data.likeness import content_groups
from custom_datasets.data.scan import scan_images
from custom_datasets.datasets.recycling import RecyclingDataset
from custom_datasets.samples.recycling import CLASSES, draw_recycling
from tools import draw_sample as tool

PARTS = {'train': 20, 'test': 3}


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp('waste')
    draw_recycling(str(root), PARTS, (96, 64))
    return root


def load(root, part):
    return json.loads((root / f'{part}.json').read_text())


def test_layout(root):
    assert {str(p.relative_to(root)) for p in root.rglob('*') if p.is_file()} == {
        *('train.json', 'test.json', 'sample_submission.csv'),
        *(f'{part}/{n:04d}.jpg' for part in PARTS for n in range(PARTS[part])),
    }
    keys = {'info', 'licenses', 'images', 'categories'}
    assert set(load(root, 'train')) == {*keys, 'annotations'}
    assert set(load(root, 'test')) == keys
    assert (root / 'sample_submission.csv').read_text() == (
        'PredictionString,image_id\n,test/0000.jpg\n,test/0001.jpg\n,test/0002.jpg\n'
    )


def test_classes_are_those_of_the_data_set(root):
    names = RecyclingDataset.METAINFO['classes']
    assert tuple(CLASSES) == names
    categories = load(root, 'test')['categories']
    assert [(one['id'], one['name']) for one in categories] == list(enumerate(names))
    labels = {one['category_id'] for one in load(root, 'train')['annotations']}
    assert labels == set(range(10))


def test_boxes_are_true(root):
    content = load(root, 'train')
    ids = [one['id'] for one in content['annotations']]
    assert ids == list(range(len(ids)))
    images = [cv2.imread(str(root / one['file_name'])) for one in content['images']]
    for one in content['annotations']:
        image = images[one['image_id']].astype(float)
        x, y, width, height = one['bbox']
        assert one['area'] == width * height
        assert min(x, y) >= 0 and x + width <= 96 and y + height <= 64
        color = np.array(list(CLASSES.values())[one['category_id']][1])
        light = 1 - 0.12 * (one['image_id'] % 2)
        near = np.abs(image - color * light).mean(axis=2) < 30
        rows, columns = near[y : y + height, x : x + width].nonzero()
        assert max(rows.min(), columns.min()) <= 3
        assert rows.max() >= height - 4 and columns.max() >= width - 4


def test_two_photographs_of_a_scene_show_the_same(root):
    paths = [str(root / f'train/{n:04d}.jpg') for n in range(PARTS['train'])]
    groups = content_groups(scan_images(paths))
    assert [groups[path] for path in paths] == [
        paths[n - n % 2] for n in range(PARTS['train'])
    ]


def test_the_same_seed_draws_the_same(root, tmp_path):
    draw_recycling(str(tmp_path / 'a'), PARTS, (96, 64))
    draw_recycling(str(tmp_path / 'b'), PARTS, (96, 64), seed=1)
    for name in ('train.json', 'train/0000.jpg', 'test/0002.jpg'):
        assert (tmp_path / 'a' / name).read_bytes() == (root / name).read_bytes()
        assert (tmp_path / 'b' / name).read_bytes() != (root / name).read_bytes()


def test_command(tmp_path, monkeypatch, capsys):
    def small(root, seed):
        draw_recycling(root, PARTS, (48, 48), seed)

    monkeypatch.setattr('custom_datasets.samples.recycling.draw_recycling', small)
    assert tool.main([str(tmp_path / 'out'), '--format', 'recycling']) == 0
    assert (tmp_path / 'out/train/0019.jpg').is_file()
    assert 'in the format of recycling' in capsys.readouterr().out
