"""Networks whose scores are known, as checkpoints of shipped leaves."""

import cv2
import numpy as np
import pytest
import torch
from mmdet.registry import MODELS
from mmpretrain.registry import MODELS as CLASSIFIERS

from tests.configs.test_leaves import load
from tests.leaves import ROOT

LEAF = ROOT / 'configs/tagger/faster-rcnn_r18_c4_light_1xb4-24e_tagger.py'
WASTE = ROOT / 'configs/waste/resnet18_light_1xb64-30e_waste.py'
CLASSES = ('tea', 'coffee', 'cocoa')
LOGITS = (0.0, 2.0, 1.0)


def save(path, model, classes=CLASSES, **meta):
    meta = {'dataset_meta': {'classes': classes}, 'epoch': 3, 'iter': 30, **meta}
    torch.save({'state_dict': model.state_dict(), 'meta': meta}, path)
    return str(path)


@pytest.fixture(scope='session')
def detector(tmp_path_factory):
    """A checkpoint of the light leaf that calls everything coffee.

    Logits are 5 for coffee and 0 for the others and for background.
    """
    torch.manual_seed(0)
    model = MODELS.build(load(LEAF, from_scratch=True, classes=CLASSES).model)
    model.init_weights()
    head = model.roi_head.bbox_head
    with torch.no_grad():
        head.fc_cls.weight.zero_()
        head.fc_cls.bias.copy_(torch.tensor([0.0, 5.0, 0.0, 0.0]))
    return save(tmp_path_factory.mktemp('tagger') / 'epoch_1.pth', model)


@pytest.fixture(scope='session')
def classifier(tmp_path_factory):
    """A checkpoint of a classifier whose logits are ``LOGITS`` on any image."""
    torch.manual_seed(0)
    model = CLASSIFIERS.build(load(WASTE, from_scratch=True, classes=CLASSES).model)
    with torch.no_grad():
        model.head.fc.weight.zero_()
        model.head.fc.bias.copy_(torch.tensor(LOGITS))
    return save(tmp_path_factory.mktemp('waste') / 'epoch_3.pth', model)


@pytest.fixture(scope='session')
def photo(tmp_path_factory):
    path = str(tmp_path_factory.mktemp('photo') / 'photo.png')
    noise = np.random.default_rng(0).integers(0, 256, (60, 90, 3), np.uint8)
    cv2.imwrite(path, noise)
    return path
