"""Every system's data pass tools/check.py, and faults planted in them don't."""

import json
import shutil
from pathlib import Path

import pytest
from mmengine.registry import DATASETS, init_default_scope

from custom_datasets.settings import apply_settings
from tests.leaves import LEAVES, read_leaf
from tools import check as tool

# One of each folder, and of the two that faces take.
SYSTEMS = {(leaf.parent.name, leaf.stem.rpartition('_')[2]): leaf for leaf in LEAVES}


@pytest.fixture
def system(request, drawn, tmp_path):
    """A leaf, a copy of its drawn data, and the options that name them."""
    leaf = SYSTEMS[request.param]
    source, classes = drawn(leaf)
    root = shutil.copytree(source, tmp_path / 'data')
    options = [f'data_root={root}']
    if classes:
        options.append(f'classes={",".join(classes)}')
    return leaf, root, options


def check(leaf, options, tmp_path):
    file = tmp_path / 'found.json'
    arguments = [str(leaf), '--no-cache', '--json', str(file)]
    status = tool.main([*arguments, '--cfg-options', *options])
    found = json.loads(file.read_text())
    return status, {one['code'] for one in found if one['severity'] == 'error'}


def train_images(leaf, options):
    cfg = read_leaf(leaf)
    init_default_scope(cfg.default_scope)
    given = dict(option.split('=') for option in options)
    if 'classes' in given:
        given['classes'] = given['classes'].split(',')
    cfg.merge_from_dict(given)
    apply_settings(cfg)
    dataset = DATASETS.build(cfg.train_dataloader.dataset)
    return [Path(dataset.get_data_info(i)['img_path']) for i in range(len(dataset))]


def misspell(root, image):
    """Give an image's objects a class that there isn't; returns what is found.

    COCO has names in one place, and all the objects of one lose their class.
    """
    lists, records = root / 'train.txt', root / 'annotations/train.json'
    if records.exists():
        content = json.loads(records.read_text())
        content['categories'][0]['name'] += 's'
        records.write_text(json.dumps(content))
        return {'unknown-class', 'class-without-box'}
    if found := next(root.rglob(f'{image.stem}.xml'), None):
        found.write_text(found.read_text().replace('</name>', 's</name>'))
    else:
        name = str(image.relative_to(root))
        lines = lists.read_text().splitlines()
        lists.write_text(''.join(f'{x}s\n' if name in x else f'{x}\n' for x in lines))
    return {'unknown-class'}


@pytest.mark.parametrize('system', SYSTEMS, ids='-'.join, indirect=True)
def test_faults_are_found_and_nothing_else(system, tmp_path, capsys):
    leaf, root, options = system
    assert check(leaf, options, tmp_path) == (0, set())

    lost, cut, other = train_images(leaf, options)[:3]
    lost.unlink()
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size // 2])
    expected = {'missing-image', 'truncated-image'} | misspell(root, other)

    assert check(leaf, options, tmp_path) == (1, expected)
    printed = capsys.readouterr().out
    assert lost.stem in printed and cut.name in printed
