"""Every architecture of the leaves says the same exported as in PyTorch."""

import json
from contextlib import nullcontext
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmdet.registry import MODELS
from torch import nn

from custom_datasets.errors import UserError
from custom_datasets.export.export import Request, export_model
from custom_datasets.export.writing import write_model
from custom_datasets.predicting.exported import RUNTIMES, onnx_run
from tests.configs.test_leaves import load
from tests.export.conftest import CONFIGS, save_network

BOTH = ('openvino', 'onnx')
DETECTORS = [
    'bccd/retinanet_r18_fpn_1xb4-24e_bccd',
    'bccd/rtmdet_tiny_1xb4-24e_bccd',
    'bccd/faster-rcnn_r50_fpn_1xb4-24e_bccd',
    'bccd/atss_r50_fpn_1xb4-24e_bccd',
    'bccd/cascade-rcnn_r50_fpn_1xb4-24e_bccd',
    'tagger/faster-rcnn_r18_c4_light_1xb4-24e_tagger',
    'faces/ssd300_vgg16_light_1xb4-24e_folded-face-mask',
]
CLASSIFIERS = [
    'metal_surface/densenet201_light_1xb64-30e_metal-surface',
    'metal_surface/efficientnet-b0_light_1xb64-30e_metal-surface',
    'metal_surface/resnet18_light_1xb64-30e_metal-surface',
    'metal_surface/swin-tiny_light_1xb64-30e_metal-surface',
    'metal_surface/alexnet_light_1xb64-30e_metal-surface',
]


@pytest.mark.parametrize('leaf', [*DETECTORS, *CLASSIFIERS])
def test_says_the_same_as_in_pytorch(leaf, tmp_path):
    path = CONFIGS / f'{leaf}.py'
    size = (160, 128) if leaf in DETECTORS and 'ssd' not in leaf else None
    options = {'image_scale': size} if size else {}
    if 'rcnn' in leaf:
        # Of a thousand proposals that mean nothing some overlap by just the threshold.
        options['model.test_cfg.rpn.max_per_img'] = 50
        # And fewer are left, another number in each image.
        options['model.test_cfg.rpn.nms.iou_threshold'] = 0.1
    checkpoint = save_network(path, tmp_path / 'c.pth', size)
    out = tmp_path / 'out'

    export_model(
        Request(str(path), str(out), checkpoint, BOTH, images=2, options=options),
        lambda done, total: None,
    )

    parity = json.loads((out / 'model.json').read_text())['parity']
    assert parity['images'] == parity['same_input_as_test_pipeline'] == 2
    for runtime in BOTH:
        # It has not been compared on nothing.
        assert parity[runtime]['answers'] >= 6
        assert parity[runtime]['unpaired'] == 0
    files = {file.name for file in out.iterdir()}
    # ONNX is one file, without its weights beside it.
    assert files == {
        *('model.xml', 'model.bin', 'model.onnx', 'model.json', 'labels.txt'),
        *('README.md', 'predict.py', '.custom_datasets'),
    }


class Means(nn.Module):
    """A classifier whose classes are the channels, told apart by their means."""

    def __init__(self, means):
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.register_buffer('means', torch.tensor(means))

    def extract_feat(self, images):
        return self.pool(images).flatten(1)

    def head(self, features):
        return (features - self.means) * 1000


def test_the_mean_of_a_large_map_is_exact_in_onnx(tmp_path):
    """In one pool ONNX Runtime adds 133,120 values one after the other."""
    means = (0.1, 0.7, 1.3)
    network = SimpleNamespace(
        task='classification', model=Means(means), scope=nullcontext
    )
    spec = {'padded_height': 416, 'padded_width': 320}
    write_model(network, spec, 1, 'onnx', str(tmp_path))
    images = np.tile(np.float32(means)[:, None, None], (1, 1, 416, 320))
    path = str(tmp_path / RUNTIMES['onnx'])
    (probabilities,) = onnx_run(path)([images])
    np.testing.assert_allclose(probabilities[0], 1 / 3, atol=1e-3)


def test_what_cannot_be_exported_is_one_sentence(tmp_path):
    leaf = CONFIGS / 'bccd/dino-4scale_r50_1xb2-12e_bccd.py'
    options = {
        'image_scale': (160, 128),
        'model.num_queries': 20,
        'model.test_cfg.max_per_img': 20,
    }
    cfg = load(leaf, from_scratch=True, classes=('a', 'b'), **options)
    model = MODELS.build(cfg.model)
    model.init_weights()
    meta = {'dataset_meta': {'classes': ('a', 'b')}}
    torch.save({'state_dict': model.state_dict(), 'meta': meta}, tmp_path / 'c.pth')
    request = Request(
        str(leaf), str(tmp_path / 'out'), str(tmp_path / 'c.pth'), options=options
    )
    with pytest.raises(UserError, match=r'^DINO: cannot be exported.*export\.md'):
        export_model(request, lambda done, total: None)
    assert not (tmp_path / 'out').exists()
