"""Options of the stock scripts work on the leaves: --out, --show-dir, --tta."""

import json
import math
import pickle

import cv2
import pytest

from custom_datasets.predicting.painting import SMALLEST
from custom_datasets.samples.metal_surface import METAL_CLASSES
from tests.leaves import LEAVES, SAMPLE, small_run
from tools import test as test_tool
from tools import train as train_tool


@pytest.fixture(scope='module')
def trained(bccd_root, tmp_path_factory):
    """A checkpoint of the sample's leaf after a few iterations."""
    work_dir = tmp_path_factory.mktemp('trained')
    options = [*small_run(SAMPLE, bccd_root), 'train_cfg.max_epochs=4']
    arguments = [SAMPLE, '--work-dir', work_dir, '--cfg-options', *options]
    assert train_tool.main([str(argument) for argument in arguments]) == 0
    return work_dir / 'epoch_4.pth'


def run_test(leaf, checkpoint, root, work_dir, *arguments, options=()):
    command = [leaf, checkpoint, '--work-dir', work_dir, *arguments]
    command += ['--cfg-options', *small_run(leaf, root), *options]
    assert test_tool.main([str(word) for word in command]) == 0
    return json.loads(next(work_dir.glob('*/*.json')).read_text())


def test_predictions_are_written_and_painted(trained, bccd_root, tmp_path):
    out = tmp_path / 'predictions.pkl'
    arguments = ['--out', out, '--show-dir', 'painted']
    run_test(SAMPLE, trained, bccd_root, tmp_path / 'w', *arguments)
    predictions = pickle.loads(out.read_bytes())
    assert [p['img_id'] for p in predictions] == ['test_0000', 'test_0001']
    assert set(predictions[0]['pred_instances']) >= {'bboxes', 'scores', 'labels'}
    painted = list((tmp_path / 'w').glob('*/painted/*.png'))
    assert sorted(path.name for path in painted) == ['test_0000.png', 'test_0001.png']
    # Annotated on the left, predicted on the right, a strip with the threshold below.
    height, width = cv2.imread(str(bccd_root / 'JPEGImages/test_0000.png')).shape[:2]
    painted_height, painted_width = cv2.imread(str(painted[0])).shape[:2]
    zoom = math.ceil(SMALLEST / width)
    assert painted_width == 2 * zoom * width
    assert painted_height > zoom * height


def test_tta_runs(trained, bccd_root, tmp_path):
    metrics = run_test(SAMPLE, trained, bccd_root, tmp_path, '--tta')
    assert {'pascal_voc/AP50', 'coco/bbox_mAP'} <= set(metrics)


def test_classification_has_tta_and_paints(metal_crops, tmp_path):
    leaf = next(leaf for leaf in LEAVES if leaf.stem.startswith('resnet18'))
    options = [f'classes={",".join(METAL_CLASSES)}']
    command = ['--work-dir', tmp_path / 'train', '--cfg-options']
    command += [*small_run(leaf, metal_crops, 32), *options]
    assert train_tool.main([str(leaf), *(str(word) for word in command)]) == 0
    checkpoint = tmp_path / 'train' / 'epoch_1.pth'
    # mmpretrain's script merges options after it put the pipeline of --tta in place,
    # whose steps are others.
    plain = [o for o in small_run(leaf, metal_crops) if '.pipeline.' not in o]
    command = [leaf, checkpoint, '--tta', '--work-dir', tmp_path / 'test']
    command += ['--show-dir', 'painted']
    command += ['--out', tmp_path / 'tta.pkl', '--cfg-options', *plain, *options]
    assert test_tool.main([str(word) for word in command]) == 0
    predictions = pickle.loads((tmp_path / 'tta.pkl').read_bytes())
    assert len(predictions) == 2
    assert len(list(tmp_path.glob('test/*/painted/*.png'))) == 2
    for sample in predictions:
        assert sample['pred_score'].sum() == pytest.approx(1, abs=1e-5)
