"""Every shipped leaf trains a step and is tested, through the stock scripts."""

import json

import pytest
import torch

from custom_datasets.sample import METAL_CLASSES
from tests.leaves import LEAVES, small_run
from tools import test as test_tool
from tools import train as train_tool


@pytest.mark.parametrize('leaf', LEAVES, ids=lambda leaf: leaf.stem)
def test_trains_and_tests(leaf, request, tmp_path):
    fixture = {'face_mask': 'face_mask_root', 'metal_surface': 'metal_crops'}
    root = request.getfixturevalue(fixture.get(leaf.parent.name, 'bccd_root'))
    options = ['--cfg-options', *small_run(leaf, root)]
    if leaf.parent.name == 'metal_surface':
        options.append(f'classes={",".join(METAL_CLASSES)}')
    work_dir = tmp_path / 'train'

    status = train_tool.main([str(leaf), '--work-dir', str(work_dir), *options])

    assert status == 0
    checkpoint = work_dir / 'epoch_1.pth'
    weights = torch.load(checkpoint, weights_only=False)['state_dict']
    assert all(torch.isfinite(weight).all() for weight in weights.values())

    arguments = [str(leaf), str(checkpoint), '--work-dir', str(tmp_path / 'test')]
    status = test_tool.main([*arguments, *options])

    assert status == 0
    written = next((tmp_path / 'test').glob('*/*.json'))
    metrics = json.loads(written.read_text())
    if leaf.parent.name == 'metal_surface':
        assert {'accuracy/top1', 'classwise/recall_crease'} <= set(metrics)
        assert sum(map(sum, metrics['classwise/confusion_matrix'])) == 2
    else:
        assert 'pascal_voc/AP50' in metrics
