import json
import logging
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.structures import BaseDataElement, InstanceData

from custom_datasets.checkpoints import CheckpointFacts
from custom_datasets.predicting.painting import paint_boxes, side_by_side
from custom_datasets.training.paint_hook import (
    PaintHook,
    apply_painting,
    painted_names,
)

CLASSES = 'cat', 'dog'
PALETTE = {'cat': (255, 0, 0), 'dog': (0, 0, 255)}


@pytest.fixture
def runner(tmp_path):
    """What a hook sees of a runner that tests two images of the same name."""
    paths = [str(tmp_path / folder / 'one.png') for folder in 'ab']
    for path in paths:
        Path(path).parent.mkdir()
        cv2.imwrite(path, np.full((400, 500, 3), 128, np.uint8))

    class DataSet:
        metainfo = {'classes': CLASSES, 'palette': list(PALETTE.values())}

        def __len__(self):
            return len(paths)

        def get_data_info(self, i):
            return {'img_path': paths[i]}

    return SimpleNamespace(
        work_dir=str(tmp_path / 'run'),
        timestamp='now',
        test_dataloader=SimpleNamespace(dataset=DataSet()),
        logger=logging.getLogger('paint'),
        loaded_checkpoint=str(tmp_path / 'run/epoch_2.pth'),
        loaded_facts=CheckpointFacts(2, 20, CLASSES),
        paths=paths,
    )


def detected(path, truth=()):
    sample = BaseDataElement(metainfo={'img_path': path})
    sample.pred_instances = InstanceData(
        bboxes=torch.tensor([[10.0, 50, 200, 300], [250, 50, 450, 300]]),
        scores=torch.tensor([0.9, 0.35]),
        labels=torch.tensor([0, 1]),
    )
    labels = torch.tensor(truth, dtype=torch.long)
    boxes = torch.tensor([[20.0, 60, 220, 310]]).repeat(len(truth), 1)
    sample.gt_instances = InstanceData(bboxes=boxes, labels=labels)
    return sample


def paint(runner, samples, **settings):
    """Run the hook over a test, and return what it wrote by its path."""
    hook = PaintHook('painted', **settings)
    hook.before_test_epoch(runner)
    for i, sample in enumerate(samples):
        hook.after_test_iter(runner, i, None, [sample])
    hook.after_test_epoch(runner)
    folder = Path(runner.work_dir, 'now/painted')
    return {
        path.relative_to(folder).as_posix(): cv2.imread(str(path))
        for path in sorted(folder.rglob('*.*'))
    }


def expected(boxes, names, scores, text):
    image = np.full((400, 500, 3), 128, np.uint8)
    return paint_boxes(
        image, np.array(boxes), names, scores, palette=PALETTE, threshold_text=text
    )


BOTH = [[10, 50, 200, 300], [250, 50, 450, 300]]


def test_boxes_from_the_default_threshold_on_are_painted(runner):
    painted = paint(runner, [detected(runner.paths[0])])
    wanted = expected(BOTH, CLASSES, [0.9, 0.35], 'predicted, threshold 0.3')
    assert list(painted) == ['a/one.png']
    assert (painted['a/one.png'] == wanted).all()


def test_the_threshold_is_that_of_the_report_beside_the_checkpoint(runner):
    report = {
        'classes': CLASSES,
        'run': {'epoch': 2, 'iteration': 20},
        'thresholds': {'chosen_on': 'validation', 'overall': {'threshold': 0.5}},
    }
    Path(runner.work_dir).mkdir()
    Path(runner.work_dir, 'report.json').write_text(json.dumps(report))
    painted = paint(runner, [detected(runner.paths[0])])
    wanted = expected(BOTH[:1], CLASSES[:1], [0.9], 'predicted, threshold 0.5')
    assert (painted['a/one.png'] == wanted).all()


def test_a_threshold_in_the_config_goes_before_any(runner):
    painted = paint(runner, [detected(runner.paths[0])], threshold=0.95)
    wanted = expected(np.zeros((0, 4)), [], [], 'predicted, threshold 0.95')
    assert (painted['a/one.png'] == wanted).all()


def test_annotated_boxes_stand_beside_predicted_ones(runner):
    painted = paint(runner, [detected(runner.paths[0], truth=[1])])
    truth = expected([[20, 60, 220, 310]], ['dog'], None, 'annotated')
    wanted = expected(BOTH, CLASSES, [0.9, 0.35], 'predicted, threshold 0.3')
    assert (painted['a/one.png'] == side_by_side(truth, wanted)).all()


def test_classes_are_painted_under_the_runs_folder_and_none_over_another(runner):
    samples = []
    for path in runner.paths:
        sample = BaseDataElement(metainfo={'img_path': path})
        sample.pred_score = torch.tensor([0.2, 0.8])
        sample.gt_label = torch.tensor([0])
        samples.append(sample)
    painted = paint(runner, samples)
    assert list(painted) == ['a/one.png', 'b/one.png']
    assert painted['a/one.png'].shape[1] == 500
    assert (painted['a/one.png'][:400] == 128).all()
    assert len(painted['a/one.png']) > 400


def test_every_second_image(runner):
    samples = [detected(path) for path in runner.paths]
    assert list(paint(runner, samples, interval=2)) == ['a/one.png']


def test_painted_files_are_called_as_their_images():
    assert painted_names(['/d/a.jpg', '/d/b.gif']) == {
        '/d/a.jpg': 'a.jpg',
        '/d/b.gif': 'b.gif.png',
    }
    assert painted_names(['/d/x/a.jpg', '/d/y/a.jpg']) == {
        '/d/x/a.jpg': 'x/a.jpg',
        '/d/y/a.jpg': 'y/a.jpg',
    }


@pytest.mark.parametrize(
    ('stock', 'settings'),
    [
        ({'draw': True, 'test_out_dir': 'p'}, ('p', None, 1)),
        ({'draw': True, 'test_out_dir': 'p', 'score_thr': 0.6}, ('p', 0.6, 1)),
        ({'enable': True, 'out_dir': 'p', 'interval': 5}, ('p', None, 5)),
    ],
)
def test_the_hook_stands_where_show_dir_asks_for_a_stock_one(stock, settings):
    cfg = Config({'default_hooks': {'visualization': {'type': 'Stock', **stock}}})
    apply_painting(cfg)
    hook = cfg.default_hooks.visualization
    assert hook.type == 'PaintHook'
    assert (hook.folder, hook.threshold, hook.interval) == settings


@pytest.mark.parametrize('stock', [{}, {'show': True, 'test_out_dir': 'p'}])
def test_windows_are_left_to_the_stock_hook(stock):
    cfg = Config({'default_hooks': {'visualization': {'type': 'Stock', **stock}}})
    apply_painting(cfg)
    assert cfg.default_hooks.visualization.type == 'Stock'
    apply_painting(Config({}))
