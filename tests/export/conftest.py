"""Networks whose answers differ from box to box, as checkpoints of shipped leaves."""

import cv2
import numpy as np
import pytest
import torch
from mmdet.registry import MODELS
from mmpretrain.registry import MODELS as CLASSIFIERS
from torch import nn

from custom_datasets.export.export import Request, export_model
from tests.configs.test_leaves import load
from tests.leaves import ROOT

CONFIGS = ROOT / 'configs'
RETINANET = CONFIGS / 'sample/retinanet_r18_fpn_1xb8-12e_sample.py'
WASTE = CONFIGS / 'waste/resnet18_light_1xb64-30e_waste.py'
CLASSES = ('tea', 'coffee', 'cocoa')
_LAST = (
    'retina_cls',
    'atss_cls',
    'rtm_cls',
    'fc_cls',
    'bbox_head.cls_convs',
    'rpn_cls',
)


def save_network(leaf, path, size=None, classes=CLASSES):
    """Save a network that is not trained, but has opinions: its logits vary by 2.

    Its batch norm has seen noise.
    """
    torch.manual_seed(0)
    settings = {'from_scratch': True, 'classes': classes}
    cfg = load(leaf, **settings, **({'image_scale': size} if size else {}))
    detects = cfg.default_scope == 'mmdet'
    if cfg.get('data_preprocessor'):
        cfg.model.setdefault('data_preprocessor', cfg.data_preprocessor)
    model = (MODELS if detects else CLASSIFIERS).build(cfg.model)
    model.init_weights()
    for module in model.modules():
        if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
            module.momentum = 0.5
    width, height = (300, 300) if 'ssd' in leaf.stem else size or (64, 64)
    noise = torch.randn(4, 3, height // 8, width // 8)
    images = nn.functional.interpolate(noise, (height, width))

    hooks = {}

    def spread(layer, inputs, logits):
        hooks.pop(layer).remove()
        # Each class has its own mean, else one of them wins everywhere.
        rows = logits.movedim(1, -1).flatten(end_dim=-2)
        means = rows.mean(dim=0)
        # Where they hardly vary, the rest is noise of rounding.
        scale = 2 / (rows - means).std().clamp(min=1e-3)
        layer.weight.data.mul_(scale)
        layer.bias.data.copy_(scale * (layer.bias - means) - 2)
        return layer.forward(*inputs)

    with torch.no_grad():
        model.train()
        for _ in range(3):
            features = model.extract_feat(images)
            if hasattr(model, 'bbox_head'):
                model.bbox_head(features)
        model.eval()
        hooks |= {
            layer: layer.register_forward_hook(spread)
            for name, layer in model.named_modules()
            if isinstance(layer, (nn.Conv2d, nn.Linear))
            and (any(last in name for last in _LAST) or name.endswith('head.fc'))
            and not name.endswith('.conv')
        }
        model(images, None) if not detects else _predict(model, images)
    meta = {'dataset_meta': {'classes': classes}, 'epoch': 3, 'iter': 30}
    torch.save({'state_dict': model.state_dict(), 'meta': meta}, path)
    return str(path)


def _predict(model, images):
    from mmdet.structures import DetDataSample

    size = tuple(images.shape[-2:])
    facts = {
        'img_shape': size,
        'ori_shape': size,
        'scale_factor': (1, 1),
        'batch_input_shape': size,
        'pad_shape': size,
    }
    model.predict(images, [DetDataSample(metainfo=facts) for _ in images])


@pytest.fixture(scope='session')
def detector(tmp_path_factory):
    return save_network(
        RETINANET, tmp_path_factory.mktemp('retinanet') / 'epoch_3.pth', (128, 96)
    )


@pytest.fixture(scope='session')
def classifier(tmp_path_factory):
    return save_network(WASTE, tmp_path_factory.mktemp('waste') / 'epoch_3.pth')


@pytest.fixture(scope='session')
def exported(detector, tmp_path_factory):
    """A detector for both run-times, from a folder without data."""
    out = tmp_path_factory.mktemp('exported') / 'detector'
    request = Request(
        str(RETINANET),
        str(out),
        detector,
        ('openvino', 'onnx'),
        images=2,
        options={'image_scale': (128, 96)},
    )
    export_model(request, lambda done, total: None)
    return out


@pytest.fixture(scope='session')
def exported_classifier(classifier, tmp_path_factory):
    """A classifier that takes any number of images."""
    out = tmp_path_factory.mktemp('exported') / 'classifier'
    request = Request(
        str(WASTE), str(out), classifier, ('openvino', 'onnx'), batch=None, images=2
    )
    export_model(request, lambda done, total: None)
    return out


@pytest.fixture(scope='session')
def photo(tmp_path_factory):
    """A picture whose shape is not that of the network's input."""
    rng = np.random.default_rng(0)
    small = rng.integers(0, 256, (12, 14, 3), np.uint8)
    path = str(tmp_path_factory.mktemp('photo') / 'photo.png')
    cv2.imwrite(path, cv2.resize(small, (140, 120), interpolation=cv2.INTER_CUBIC))
    return path
