"""Faults planted in drawn waste are found by the check, where they are."""

import json
import shutil

import cv2
import pytest

from custom_datasets.checks.check import check_config
from tests.leaves import LEAVES
from tools import check as tool

LEAF = next(leaf for leaf in LEAVES if leaf.stem.startswith('rtmdet_tiny_1xb4-24e_rec'))


@pytest.fixture
def root(recycling_root, tmp_path):
    return shutil.copytree(recycling_root, tmp_path / 'data')


def check(root):
    return check_config(str(LEAF), {'data_root': str(root)}, cached=False).findings


def edit(root, change, part='annotations/train'):
    path = root / f'{part}.json'
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def set_first(key, value):
    def change(content):
        content['annotations'][0][key] = value

    return change


def repeat(key):
    def change(content):
        content[key].append({**content[key][0], 'id': 999})

    return change


def rename(content):
    content['categories'][5]['name'] = 'Plastics'


FAULTS = {
    'unknown-class': (rename, 'error', None),
    'broken-annotation': (set_first('bbox', [1, 2, 3]), 'error', 0),
    'no-image': (set_first('image_id', 777), 'error', 0),
    'listed-twice': (repeat('images'), 'error', None),
    'zero-area-box': (set_first('bbox', [4, 4, 0, 9]), 'warning', 0),
    'outside-box': (set_first('bbox', [400, 4, 9, 9]), 'warning', 0),
    'clipped-box': (set_first('bbox', [4, 4, 300, 9]), 'warning', 0),
}


def test_drawn_waste_is_clean(root):
    found = check(root)
    assert not [one for one in found if one.severity == 'error']
    (one,) = (one for one in found if one.code == 'no-truth')
    assert (one.severity, one.file) == ('note', f'{root}/test.json')


@pytest.mark.parametrize('code', FAULTS)
def test_a_fault_in_the_json(root, code):
    change, severity, index = FAULTS[code]
    edit(root, change)
    found = [one for one in check(root) if one.code == code]
    assert found
    for one in found:
        assert (one.severity, one.split) == (severity, 'train')
        assert one.file == f'{root}/annotations/train.json'
    if index is not None:
        assert [one.object for one in found] == [index]


def test_an_image_that_is_lost(root):
    (root / 'test/0003.jpg').unlink()
    (one,) = (one for one in check(root) if one.code == 'missing-image')
    assert (one.split, one.severity) == ('test', 'error')
    assert one.message == 'test/0003.jpg: no such image'


def test_a_folder_of_images_that_is_lost(root):
    prefix = {'train_dataloader.dataset.data_prefix': {'img': 'lost'}}
    found = check_config(
        str(LEAF), {'data_root': str(root), **prefix}, cached=False
    ).findings
    errors = [(one.code, one.file) for one in found if one.severity == 'error']
    assert errors == [('no-folder', f'{root}/lost')]


def test_a_scene_in_two_parts(root):
    """The other photograph of a validation scene is learned."""
    names = [one['file_name'] for one in listed(root, 'val')]
    learned = listed(root, 'train')[0]['file_name']
    picture = cv2.imread(str(root / names[0]))
    cv2.imwrite(str(root / learned), cv2.convertScaleAbs(picture, alpha=0.8))
    found = [one for one in check(root) if one.code == 'near-identical-images']
    leaks = [one for one in found if one.severity == 'warning']
    assert any(one.split == 'val' and learned in one.message for one in leaks)


def test_no_split_yet(root, capsys):
    shutil.rmtree(root / 'annotations')
    assert tool.main([str(LEAF), '--cfg-options', f'data_root={root}']) == 1
    said = capsys.readouterr().out
    assert f'{root}/annotations/train.json' in said
    assert 'or run tools/dataset_converters/split.py' in said


def listed(root, part):
    return json.loads((root / f'annotations/{part}.json').read_text())['images']
