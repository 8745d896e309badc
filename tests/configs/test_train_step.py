"""Every shipped leaf trains a step, is tested by the stock scripts, and predicts."""

import json

import numpy as np
import pytest
import torch

from custom_datasets import Predictor
from custom_datasets.evaluation.results import read_samples
from tests.leaves import GENERATORS, LEAVES, read_leaf, small_run
from tools import test as test_tool
from tools import train as train_tool


@pytest.mark.parametrize('leaf', LEAVES, ids=lambda leaf: leaf.stem)
def test_trains_and_tests(leaf, drawn, tmp_path):
    cfg = read_leaf(leaf)
    root, classes = drawn(leaf)
    options = ['--cfg-options', *small_run(leaf, root)]
    if classes:
        options.append(f'classes={",".join(classes)}')
    work_dir = tmp_path / 'train'

    status = train_tool.main([str(leaf), '--work-dir', str(work_dir), *options])

    assert status == 0
    checkpoint = work_dir / 'epoch_1.pth'
    state = torch.load(checkpoint, weights_only=False)
    assert all(torch.isfinite(weight).all() for weight in state['state_dict'].values())
    scaled = cfg.optim_wrapper.optimizer.lr * 2 / cfg.auto_scale_lr.base_batch_size
    rates = [group['initial_lr'] for group in state['optimizer']['param_groups']]
    assert max(rates) == pytest.approx(scaled)

    arguments = [str(leaf), str(checkpoint), '--work-dir', str(tmp_path / 'test')]
    predictions = str(tmp_path / 'predictions.pkl')
    status = test_tool.main([*arguments, '--out', predictions, *options])

    assert status == 0
    written = next((tmp_path / 'test').glob('*/*.json'))
    metrics = json.loads(written.read_text())
    if leaf in GENERATORS:
        assert metrics['generation/held_out_loss'] > 0
    elif cfg.default_scope == 'mmpretrain':
        assert {'accuracy/top1', 'classwise/recall_crease'} <= set(metrics)
        assert sum(map(sum, metrics['classwise/confusion_matrix'])) == 2
    else:
        assert 'pascal_voc/AP50' in metrics

    if leaf not in GENERATORS:
        predicts_the_same(Predictor.from_run(work_dir, threshold=0.0), predictions)

    # pytest keeps folders of its last runs, and VGG-16's weights have a gigabyte.
    for path in work_dir.glob('*.pth'):
        path.unlink()


def predicts_the_same(predictor, predictions):
    """Compare with the stock script: in its batches, and image by image.

    Its batches pad images of several sizes, which the predictor keeps apart.
    """
    samples = read_samples(predictions)
    paths = [sample['img_path'] for sample in samples]
    alike = len({tuple(sample['ori_shape']) for sample in samples}) == 1
    together, alone = (predictor(paths, batch_size=size) for size in (2, 1))
    for sample, same, single in zip(samples, together, alone, strict=True):
        if predictor.task == 'classification':
            expected = sample['pred_score'].numpy()
            np.testing.assert_array_equal(same.probabilities, expected)
            np.testing.assert_allclose(single.probabilities, expected, atol=1e-4)
            continue
        found = sample['pred_instances']
        order = np.argsort(-found['scores'].numpy(), kind='stable')
        scores, labels = (found[key].numpy()[order] for key in ('scores', 'labels'))
        boxes = found['bboxes'].numpy()[order]
        if alike:
            np.testing.assert_array_equal(same.scores, scores)
            np.testing.assert_array_equal(same.boxes, boxes)
            np.testing.assert_array_equal(same.labels, labels)
            np.testing.assert_allclose(single.scores, scores, atol=1e-4)
            # Boxes whose scores differ by less may change places.
            gaps = abs(single.boxes[:, None] - boxes[None]).max(axis=2)
            gaps[single.labels[:, None] != labels[None]] = np.inf
            sure = scores > scores.min(initial=1) + 1e-4
            assert (gaps.min(axis=0, initial=np.inf)[sure] < 1e-3).all()
