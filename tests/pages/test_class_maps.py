import numpy as np
import pytest
import torch
from mmengine.registry import DefaultScope
from mmpretrain.registry import MODELS
from torch import nn

from custom_datasets.data.names import read_lines
from custom_datasets.evaluation.classification_report import classification_report
from custom_datasets.evaluation.results import ClassificationResults, ImageInfo
from custom_datasets.pages.class_maps import NoFeatureMap, class_heat, draw_class_maps
from custom_datasets.predicting.config import read_settings
from custom_datasets.samples.boxes import METAL_CLASSES
from tests.leaves import ROOT

LEAF = str(ROOT / 'configs/metal_surface/resnet18_1xb32-30e_metal-surface.py')


class Bright(nn.Module):
    """A classifier that sums bright pixels for class 0 and dark ones for class 1."""

    def __init__(self, output=lambda features: (features,)):
        super().__init__()
        self.backbone = nn.AvgPool2d(8)
        self.backbone.register_forward_hook(lambda m, i, features: output(features))

    def forward(self, inputs, mode):
        (features,) = self.backbone(inputs)
        bright = features.mean(dim=(1, 2, 3))
        return torch.stack([bright, -bright], dim=1)


def build(backbone, channels):
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        model = MODELS.build(
            {
                'type': 'ImageClassifier',
                'backbone': backbone,
                'neck': {'type': 'GlobalAveragePooling'},
                'head': {
                    'type': 'LinearClsHead',
                    'num_classes': 4,
                    'in_channels': channels,
                },
            }
        )
    return model.eval()


def spot():
    """An image of 32 x 32 pixels, bright in the second row and third column of 8."""
    image = torch.zeros(1, 3, 32, 32)
    image[..., 8:16, 16:24] = 1
    return image


def test_what_speaks_for_a_class_lights_up():
    (heat,) = class_heat(Bright(), spot(), [0])
    expected = np.zeros((4, 4))
    expected[1, 2] = 1
    np.testing.assert_allclose(heat, expected)


def test_where_nothing_speaks_for_a_class_all_is_0():
    (heat,) = class_heat(Bright(), spot(), [1])
    assert heat.shape == (4, 4) and not heat.any()


@pytest.mark.parametrize(
    ('backbone', 'channels'),
    [
        ({'type': 'ResNet', 'depth': 18}, 512),
        ({'type': 'MobileNetV3', 'arch': 'small'}, 576),
        ({'type': 'SwinTransformer', 'arch': 'tiny', 'pad_small_map': True}, 768),
    ],
)
def test_agreement_with_the_closed_form(backbone, channels):
    """Behind average pooling and a linear layer Grad-CAM is CAM.

    That is the sum of the features with the class's weights (B. Zhou et al.,
    "Learning Deep Features for Discriminative Localization", CVPR 2016).
    """
    model = build(backbone, channels)
    image = torch.rand(1, 3, 96, 96, generator=torch.Generator().manual_seed(1))
    heats = class_heat(model, image, [0, 1, 2, 3])
    with torch.no_grad():
        features = model.extract_feat(image, stage='backbone')[-1][0]
        maps = torch.einsum('kc,chw->khw', model.head.fc.weight, features).relu()
    seen = [label for label in range(4) if maps[label].max() > 0]
    assert seen
    for label in range(4):
        expected = maps[label] / (maps[label].max() if label in seen else 1)
        np.testing.assert_allclose(heats[label], expected, atol=1e-4)


def test_the_model_is_left_as_it_was():
    model = build({'type': 'ResNet', 'depth': 18}, 512)
    image = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        before = model(image)
        class_heat(model, image, [1])
        assert torch.equal(model(image), before)
        assert not model(image).requires_grad
    assert all(weight.grad is None for weight in model.parameters())


def test_networks_without_a_map_say_so():
    vector = Bright(lambda features: (features.flatten(1),))
    with pytest.raises(NoFeatureMap, match='AvgPool2d ends in no map of features'):
        class_heat(vector, spot(), [0])
    with pytest.raises(NoFeatureMap, match='a single place of 8 x 8 pixels'):
        class_heat(Bright(), torch.zeros(1, 3, 8, 8), [0])
    with pytest.raises(NoFeatureMap, match='Identity has no backbone'):
        class_heat(nn.Identity(), spot(), [0])


@pytest.fixture(scope='module')
def weights(tmp_path_factory):
    """A checkpoint of the leaf's network, never trained."""
    model = build({'type': 'ResNet', 'depth': 18}, 512)
    model.head.fc = nn.Linear(512, len(METAL_CLASSES))
    path = tmp_path_factory.mktemp('weights') / 'epoch_1.pth'
    torch.save({'state_dict': model.state_dict(), 'meta': {}}, path)
    return str(path)


@pytest.fixture(scope='module')
def report(metal_crops):
    """Predictions of the first images of the test set: one wrong, the rest right."""
    lines = [line.split('\t') for _, line in read_lines(str(metal_crops / 'test.txt'))]
    images = [ImageInfo(path, str(metal_crops / path)) for path, _ in lines]
    truth = np.array([METAL_CLASSES.index(name) for _, name in lines])
    predicted = truth.copy()
    predicted[0] = (truth[0] + 1) % len(METAL_CLASSES)
    scores = np.eye(len(METAL_CLASSES))[predicted]
    return classification_report(
        ClassificationResults(METAL_CLASSES, tuple(images), truth, scores), resamples=2
    )


def settings(metal_crops, size):
    return read_settings(
        LEAF,
        {
            'data_root': str(metal_crops),
            'classes': METAL_CLASSES,
            'test_dataloader.dataset.pipeline.1.scale': (size, size),
        },
    )


def test_the_images_of_a_report_are_explained(metal_crops, report, weights):
    found = draw_class_maps(settings(metal_crops, 64), weights, report)
    assert found.refusal == ''
    (wrong,) = report['mistakes']['confident']
    assert set(found.images) == {
        wrong['path'],
        *(row['path'] for row in report['typical']),
    }
    explained = found.images[wrong['path']]
    names = [part.name for part in explained.maps]
    assert names == [wrong['predicted'], wrong['true']]
    assert explained.pixels.shape == (64, 64, 3)
    assert explained.pixels.dtype == np.uint8
    for part in explained.maps:
        assert part.heat.shape == (2, 2)
        assert part.heat.min() >= 0 and part.heat.max() in (0, 1)
    typical = report['typical'][0]
    assert [part.name for part in found.images[typical['path']].maps] == [
        typical['true']
    ]


def test_images_too_small_for_a_map_are_no_error(metal_crops, report, weights):
    found = draw_class_maps(settings(metal_crops, 32), weights, report)
    assert found.images == {}
    assert found.refusal == (
        'No maps of where it looks: ResNet makes a single place of 32 x 32 pixels.'
    )


def test_values_that_the_pipeline_normalised_can_be_seen(metal_crops, report, weights):
    cfg = settings(metal_crops, 64)
    pipeline = cfg.test_dataloader.dataset.pipeline
    pipeline.insert(2, {'type': 'Normalize', 'mean': [127] * 3, 'std': [58] * 3})
    cfg.model.data_preprocessor = {'type': 'ClsDataPreprocessor'}
    found = draw_class_maps(cfg, weights, report)
    pixels = next(iter(found.images.values())).pixels
    assert pixels.dtype == np.uint8 and np.ptp(pixels) == 255
