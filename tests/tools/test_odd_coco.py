"""Odd COCO files that are accepted convert, split, pass the check and train."""

import json

import pytest

from custom_datasets.data.opening import load_json
from tests.data.drawing import coco_json, draw
from tests.leaves import ROOT, small_run
from tools import check, train
from tools.dataset_converters import convert, split

LEAF = ROOT / 'configs/recycling/rtmdet_tiny_1xb4-24e_recycling.py'
BOXES = [(1, [4, 6, 20, 20]), (2, [30, 10, 25, 30])]


def ids_as_text(content):
    for item in content['annotations']:
        item['image_id'] = str(item['image_id'])
        item['category_id'] = str(item['category_id'])


def polygons_without_a_box(content):
    for item in content['annotations']:
        x, y, width, height = item.pop('bbox')
        item['segmentation'] = [[x, y, x + width, y, x + width, y + height]]


def boxes_of_no_width(content):
    for image in content['images']:
        empty = {'image_id': image['id'], 'category_id': 1, 'bbox': [5, 5, 0, 9]}
        content['annotations'].append({**empty, 'id': 100 + image['id']})


def names_of_another_machine(content):
    for image in content['images']:
        image['file_name'] = 'C:\\me\\' + image['file_name'].replace('/', '\\')


def names_with_a_folder(content):
    assert all('/' in image['file_name'] for image in content['images'])


@pytest.mark.parametrize(
    'change',
    [
        ids_as_text,
        polygons_without_a_box,
        boxes_of_no_width,
        names_with_a_folder,
        names_of_another_machine,
    ],
)
def test_it_trains(tmp_path, monkeypatch, capfd, change):
    monkeypatch.chdir(tmp_path)
    root = tmp_path / 'data'
    names = [f'photos/{number}.png' for number in range(6)]
    for number, name in enumerate(names):
        draw(root / name, colour=(40 * number, 60, 90))
    content = json.loads(coco_json(dict.fromkeys(names, BOXES)))
    change(content)
    (root / 'all.json').write_text(json.dumps(content))

    assert convert.main([str(root), 'converted', '--to', 'coco']) == 0
    converted = load_json('converted/annotations/all.json')
    assert len(converted['annotations']) == 12

    assert split.main([str(root), '--ratios', '2:1:1']) == 0
    parts = [f'annotations/{part}.json' for part in ('train', 'val', 'test')]
    assert all((root / part).exists() for part in parts)

    options = [*small_run(LEAF, root, 64), "classes=['ant','bee']"]
    options.append('test_dataloader.dataset.ann_file=annotations/test.json')
    assert check.main([str(LEAF), '--cfg-options', *options]) == 0

    assert train.main([str(LEAF), '--work-dir', 'run', '--cfg-options', *options]) == 0
    assert (tmp_path / 'run/epoch_1.pth').exists()
    assert '3 images, 6 boxes (ant 3, bee 3)' in capfd.readouterr().out
