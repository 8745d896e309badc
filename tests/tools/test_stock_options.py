"""Options of the stock scripts work on the leaves: --out, --show-dir, --tta."""

import json
import math
import pickle
import shutil

import cv2
import pytest

from custom_datasets.predicting.painting import SMALLEST
from custom_datasets.samples.boxes import METAL_CLASSES
from tests.leaves import LEAVES, SAMPLE, small_run
from tools import test as test_tool
from tools import train as train_tool


def test_a_detector_is_augmented_and_its_boxes_are_painted(cells, bccd_root, tmp_path):
    # What is tested beside its checkpoint joins the record of the run.
    checkpoint = shutil.copy(cells.checkpoint, tmp_path)
    out, work_dir = tmp_path / 'predictions.pkl', tmp_path / 'w'
    command = [SAMPLE, checkpoint, '--tta', '--out', out, '--show-dir', 'painted']
    command += ['--work-dir', work_dir, '--cfg-options', *small_run(SAMPLE, bccd_root)]
    assert test_tool.main([str(word) for word in command]) == 0
    predictions = pickle.loads(out.read_bytes())
    assert [p['img_id'] for p in predictions] == ['test_0000', 'test_0001']
    assert set(predictions[0]['pred_instances']) >= {'bboxes', 'scores', 'labels'}
    painted = list(work_dir.glob('*/painted/*.png'))
    assert sorted(path.name for path in painted) == ['test_0000.png', 'test_0001.png']
    # Annotated on the left, predicted on the right, a strip with the threshold below.
    height, width = cv2.imread(str(bccd_root / 'JPEGImages/test_0000.png')).shape[:2]
    painted_height, painted_width = cv2.imread(str(painted[0])).shape[:2]
    zoom = math.ceil(SMALLEST / width)
    assert painted_width == 2 * zoom * width
    assert painted_height > zoom * height
    metrics = json.loads(next(work_dir.glob('*/*.json')).read_text())
    assert {'pascal_voc/AP50', 'coco/bbox_mAP'} <= set(metrics)
    assert 'DetTTAModel' in next(work_dir.glob('*/*.log')).read_text()


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
