"""Waste from raw folders to a score: clean, split, train with groups, test."""

import json
import shutil

import torch

from custom_datasets.datasets.waste import WasteDataset
from custom_datasets.samples.classes import draw_class_folders
from tests.leaves import LEAVES, small_run
from tools import check as check_tool
from tools import test as test_tool
from tools import train as train_tool
from tools.dataset_converters import clean as tool
from tools.dataset_converters import split as split_tool

LEAF = next(leaf for leaf in LEAVES if leaf.stem == 'resnet18_light_1xb64-24e_waste')


def test_waste_from_folders_to_a_score(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    root = tmp_path / 'waste'
    draw_class_folders(
        str(root), WasteDataset.METAINFO['classes'], 6, (80, 120), ['.jpg']
    )
    shutil.copy(root / 'brown-glass/000.jpg', root / 'green-glass/copy.jpg')
    (root / 'paper/cut.jpg').write_bytes((root / 'paper/001.jpg').read_bytes()[:900])
    assert tool.main([str(root)]) == 0
    printed = capsys.readouterr().out
    assert '74 images, 71 stay' in printed
    assert '  green-glass/copy.jpg = brown-glass/000.jpg' in printed
    removed = str(root / 'removed.csv')
    assert split_tool.main([str(root), '--exclude', removed, '--ratios', '1:1:1']) == 0

    # The leaf's own classes: nothing is said of them.
    options = [*small_run(LEAF, root, 32), 'augment=geometry,light']
    options = ['--cfg-options', *options, 'param_scheduler.1.step_size=9']
    capsys.readouterr()
    assert check_tool.main([str(LEAF), '--no-cache', *options]) == 0
    assert 'identical' not in capsys.readouterr().out
    work_dir = tmp_path / 'work'
    assert train_tool.main([str(LEAF), '--work-dir', str(work_dir), *options]) == 0
    checkpoint = work_dir / 'epoch_1.pth'
    state = torch.load(checkpoint, weights_only=False)
    steps = [scheduler.get('step_size') for scheduler in state['param_schedulers']]
    assert steps == [None, 9]
    dumped = (work_dir / LEAF.name).read_text()
    assert 'OneOfEachGroup' in dumped and 'Perspective' in dumped

    arguments = [str(LEAF), str(checkpoint), '--work-dir', str(tmp_path / 'test')]
    assert test_tool.main([*arguments, *options]) == 0
    metrics = json.loads(next((tmp_path / 'test').glob('*/*.json')).read_text())
    assert {'accuracy/top1', 'classwise/recall_brown-glass'} <= set(metrics)
