"""The benchmark for a GPU, rehearsed on the CPU; and what it does where things fail.

Processes that stand in for its own import this file, so it imports nothing heavy.
"""

import json
import os
import subprocess
import sys
import time

import pytest

from benchmarks import gpu
from benchmarks.gpu_data import Setup

FIGURES = [('step', 'first'), ('step', 'second'), ('step', 'third')]
STEP = 'step resnet18_1xb32-24e_waste'


def printed(text):
    return [json.loads(line) for line in text.splitlines()]


def test_rehearsal():
    only = ['machine', STEP, 'in turn detector']
    command = [sys.executable, 'benchmarks/gpu.py', '--tiny', '--device', 'cpu']
    done = subprocess.run(
        [*command, '--only', *only], cwd=gpu.ROOT, capture_output=True, text=True
    )

    assert done.returncode == 0, done.stderr
    machine, *lines = printed(done.stdout)
    assert machine['device'] == 'cpu'
    assert machine['operators'].startswith('none')
    measured = [line for line in lines if 'not_measured' not in line]
    assert all(line['ms'] > 0 and line['loss'] > 0 for line in measured)
    ways = {(line['figure'], line['way']) for line in measured}
    assert {('step', 'float32'), ('step', '--amp'), ('in turn', 'stock')} <= ways
    assert ('in turn', '+ data on the device') in ways
    skipped = {line['way'] for line in lines if line not in measured}
    assert skipped == {'float16', '+ CUDA graph'}


def test_every_leaf_for_a_gpu_is_a_figure():
    steps = [name for kind, name in gpu.all_figures() if kind == 'step']
    assert steps[0].startswith('dino')
    assert 'faster-rcnn_vgg16_c5_1xb1-24e_tagger' in steps
    assert not [name for name in steps if '_r18_' in name or 'light' in name]


@pytest.fixture
def on_device(bccd_root):
    """The drawn cells, kept on the CPU."""
    from benchmarks.gpu_training import DataOnDevice, read_leaf

    setup = Setup('cpu', True, str(bccd_root.parent))
    leaf = gpu.ROOT / 'configs/bccd/retinanet_r50_fpn_1xb4-24e_bccd.py'
    return DataOnDevice(read_leaf(leaf, setup, {}), 'cpu')


def test_flips_on_the_device_are_those_of_the_pipeline(on_device):
    import torch
    from mmdet.datasets.transforms import RandomFlip

    kinds = [0, 1, 2, 3]
    plain = on_device.batch(kinds, [0] * 4)
    flipped = on_device.batch(kinds, kinds)
    again = on_device.batch(kinds, kinds)

    for kind in kinds:
        image = plain['inputs'][kind].permute(1, 2, 0).numpy()
        boxes = plain['data_samples'][kind].gt_instances.bboxes.clone()
        assert len(boxes)
        row = {'img': image, 'gt_bboxes': boxes, 'img_shape': image.shape[:2]}
        if kind:
            row = RandomFlip(prob=1.0, direction=on_device.flips[kind])(row)
        for batch in (flipped, again):
            pixels = batch['inputs'][kind].permute(1, 2, 0).numpy()
            assert (pixels == row['img']).all()
            own = batch['data_samples'][kind].gt_instances.bboxes.tensor
            assert torch.equal(own, row['gt_bboxes'].tensor)


def second_kills_it(connection, figures, setup):
    """Stand in for ``gpu.work``."""
    for figure in figures:
        if figure[1] == 'second':
            os._exit(3)
        connection.send({'ms': 1})
        connection.send(None)


def first_breaks_the_device(connection, figures, setup):
    """Stand in for ``gpu.work``."""
    connection.send({'error': 'CUDA error'} if figures[0] in FIGURES[:1] else {'ms': 1})
    connection.send(None)


def test_a_process_that_dies_costs_one_figure(monkeypatch, capfd):
    monkeypatch.setattr(gpu, 'work', second_kills_it)
    setup = Setup('cpu', True, '')

    missing = gpu.run_all(FIGURES, setup, time.monotonic() + 300)

    assert missing == FIGURES[1:2]
    lines = printed(capfd.readouterr().out)
    assert [line['of'] for line in lines] == ['first', 'second', 'third']
    assert lines[1]['error'] == 'its process ended with status 3'


def test_a_broken_device_is_left_to_a_new_process(monkeypatch, capfd):
    monkeypatch.setattr(gpu, 'work', first_breaks_the_device)
    setup = Setup('cpu', True, '')

    missing = gpu.run_all(FIGURES, setup, time.monotonic() + 300)

    assert missing == FIGURES[:1]
    lines = printed(capfd.readouterr().out)
    assert [line['of'] for line in lines] == ['first', 'second', 'third']
    assert [line.get('error') for line in lines] == ['CUDA error', None, None]


def test_what_the_time_does_not_allow_is_said(capfd):
    missing = gpu.run_all(FIGURES, Setup('cpu', True, ''), time.monotonic() - 1)

    assert missing == FIGURES
    lines = printed(capfd.readouterr().out)
    assert [line['error'] for line in lines] == ['the time is up'] * 3
