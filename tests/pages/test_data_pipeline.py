"""What the pipeline makes of an image."""

import base64
import io

import numpy as np
import pytest
from mmengine.config import Config
from PIL import Image

from custom_datasets.errors import AnnotationError, UserError
from custom_datasets.pages.data_pipeline import run_pipeline

CLASSES = ('RBC', 'WBC', 'Platelets')
STYLES = {name: f'c{index}' for index, name in enumerate(CLASSES)}
START = [{'type': 'LoadImageFromFile'}]
BOXES = [*START, {'type': 'LoadAnnotations', 'with_bbox': True}]
FLIP = {'type': 'RandomFlip', 'prob': 1.0}
PACK = {'type': 'PackDetInputs'}


def config(root, *steps, start=BOXES, **more):
    dataset = {
        'type': 'BCCDDataset',
        'data_root': str(root),
        'ann_file': 'ImageSets/Main/train.txt',
        'pipeline': [*start, *steps],
        **more,
    }
    return Config(
        {
            'default_scope': 'mmdet',
            'custom_imports': {'imports': ['custom_datasets.datasets.bccd']},
            'train_dataloader': {'dataset': dataset},
        }
    )


def pixels(picture):
    data = base64.b64decode(picture.uri.split(',')[1])
    return np.asarray(Image.open(io.BytesIO(data))).astype(int)


def test_boxes_and_pixels_are_mirrored_together(bccd_root):
    for one in run_pipeline(config(bccd_root, FLIP, PACK), STYLES, 2, 1):
        (after,) = one.after
        assert after.size == one.before.size == (96, 80)
        for before, flipped in zip(one.before.outlines, after.outlines, strict=True):
            x1, y1, x2, y2 = before.box
            assert flipped.box == pytest.approx((96 - x2, y1, 96 - x1, y2))
            assert (flipped.name, flipped.style) == (before.name, before.style)
        difference = pixels(after)[:, ::-1] - pixels(one.before)
        assert abs(difference).mean() < 4


def test_draws_differ_and_are_the_same_each_time(bccd_root):
    flips = {'type': 'RandomFlip', 'prob': 0.5}
    crop = {'type': 'RandomCrop', 'crop_size': (60, 60)}
    cfg = config(bccd_root, flips, crop, PACK)
    once, again = (run_pipeline(cfg, STYLES, 4, 2) for _ in range(2))
    assert once == again
    assert len({one.name for one in once}) == 4
    assert any(one.after[0] != one.after[1] for one in once)


def test_a_repeated_set_is_looked_into_and_nothing_is_printed(bccd_root, capfd):
    cfg = config(bccd_root, PACK)
    inner = cfg.train_dataloader.dataset
    cfg.train_dataloader.dataset = {
        'type': 'RepeatDataset',
        'times': 2,
        'dataset': inner,
    }
    assert run_pipeline(cfg, STYLES, 1, 1)[0].after
    assert capfd.readouterr() == ('', '')


def test_mixed_images_stand_beside_their_first(bccd_root):
    cfg = config(bccd_root)
    cfg.train_dataloader.dataset = {
        'type': 'MultiImageMixDataset',
        'dataset': cfg.train_dataloader.dataset,
        'pipeline': [{'type': 'Mosaic', 'img_scale': (64, 48)}, PACK],
    }
    (one,) = run_pipeline(cfg, STYLES, 1, 1)
    assert one.before.size == (96, 80)
    assert one.after[0].size == (128, 96)


@pytest.mark.parametrize(
    ('content', 'sentence'),
    [
        ({}, 'no training data'),
        ({'train_dataloader': {'dataset': {'type': list}}}, 'list has no get_data_in'),
    ],
)
def test_a_set_that_shows_no_images_is_refused(content, sentence):
    with pytest.raises(UserError, match=sentence):
        run_pipeline(Config(content), STYLES)


@pytest.mark.parametrize(
    ('steps', 'sentence'),
    [
        ([], 'does not end in PackDetInputs'),
        ([{'type': 'NoSuchTransform'}, PACK], 'cannot be run'),
        ([{'type': 'RandomCrop', 'crop_size': (0, 0)}, PACK], 'cannot be run'),
    ],
)
def test_a_pipeline_that_fails_gets_a_sentence(bccd_root, steps, sentence):
    with pytest.raises(UserError, match=sentence):
        run_pipeline(config(bccd_root, *steps), STYLES)


def test_errors_in_the_data_are_passed_on(bccd_root):
    cfg = config(bccd_root, PACK, metainfo={'classes': ('RBC',), 'palette': 'random'})
    with pytest.raises(AnnotationError, match="unknown class 'WBC'"):
        run_pipeline(cfg, STYLES)
