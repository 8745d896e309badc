"""Five backbones on crops of metal: what suits each, and what the check finds."""

import pytest
import torch
import torchvision
from mmengine.optim import build_optim_wrapper
from mmengine.registry import MODELS, init_default_scope

from custom_datasets.checks.check import check_config
from custom_datasets.samples.boxes import METAL_CLASSES
from custom_datasets.settings import apply_settings
from tests.leaves import LEAVES, read_leaf

NAMES = ('alexnet', 'densenet201', 'efficientnet-b0', 'resnet50', 'swin-tiny')
BACKBONES = {
    leaf.stem: leaf
    for leaf in LEAVES
    if leaf.parent.name == 'metal_surface' and leaf.stem.startswith(NAMES)
}
each_backbone = pytest.mark.parametrize('leaf', BACKBONES.values(), ids=BACKBONES)


def build(leaf, **overrides):
    cfg = read_leaf(leaf)
    init_default_scope('mmpretrain')
    cfg.merge_from_dict(overrides)
    apply_settings(cfg)
    model = MODELS.build(cfg.model)
    model.init_weights()
    return cfg, model


def find(leaf, root, **settings):
    options = {'data_root': str(root), **settings}
    checked = check_config(str(leaf), options, images=False, cached=False)
    return [(each.code, each.severity) for each in checked.findings]


def test_each_has_a_leaf_for_a_gpu_and_one_for_a_cpu():
    assert sorted(name.split('_')[0] for name in BACKBONES) == sorted(NAMES * 2)


def test_published_weights_of_alexnet_are_taken(tmp_path):
    torch.manual_seed(0)
    published = torchvision.models.alexnet(weights=None).eval()
    torch.save(published.state_dict(), tmp_path / 'alexnet.pth')
    leaf = next(
        leaf for name, leaf in BACKBONES.items() if name.startswith('alexnet_1')
    )
    assert read_leaf(leaf).model.backbone.init_cfg.checkpoint.endswith('/alexnet')
    checkpoint = {'model.backbone.init_cfg.checkpoint': str(tmp_path / 'alexnet.pth')}
    _, model = build(leaf, **checkpoint)
    images = torch.randn(2, 3, 224, 224)
    with torch.no_grad():
        (found,) = model.eval().backbone(images)
        assert torch.equal(found, published.features(images))


@pytest.mark.parametrize('name', ['densenet201_1', 'efficientnet-b0_1', 'swin-tiny_1'])
def test_published_weights_of_a_classifier_fill_the_backbone(name, tmp_path):
    leaf = next(leaf for stem, leaf in BACKBONES.items() if stem.startswith(name))
    _, published = build(leaf, from_scratch=True, classes=METAL_CLASSES)
    torch.save({'state_dict': published.state_dict()}, tmp_path / 'published.pth')
    checkpoint = {'model.backbone.init_cfg.checkpoint': str(tmp_path / 'published.pth')}
    _, model = build(leaf, **checkpoint)
    found = model.backbone.state_dict()
    for key, weight in published.backbone.state_dict().items():
        assert torch.equal(found[key], weight), key
    assert not torch.equal(model.head.fc.weight[0], published.head.fc.weight[0])


def test_swin_decays_no_norms_biases_and_positions():
    leaves = [leaf for name, leaf in BACKBONES.items() if name.startswith('swin')]
    for leaf in leaves:
        cfg, model = build(leaf, from_scratch=True)
        wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
        decay = {
            id(weight): group['weight_decay']
            for group in wrapper.optimizer.param_groups
            for weight in group['params']
        }
        for name, weight in model.named_parameters():
            apart = weight.ndim == 1 or 'relative_position_bias_table' in name
            assert decay[id(weight)] == (0 if apart else 0.05), name


@each_backbone
def test_no_labels_are_mixed_unless_asked_for(leaf):
    cfg, model = build(leaf, from_scratch=True)
    assert not cfg.model.get('train_cfg')
    assert model.data_preprocessor.batch_augments is None


@each_backbone
def test_the_check_finds_planted_faults_and_no_other_error(leaf, metal_crops):
    clean = find(leaf, metal_crops, classes=METAL_CLASSES)
    assert 'error' not in {severity for _, severity in clean}
    planted = {
        ('class-count', 'error'),
        ('evaluator-classes', 'error'),
        ('learning-rate', 'warning'),
        ('warm-up', 'warning'),
        ('batch-norm-of-one', 'warning'),
    }
    assert planted.isdisjoint(clean)
    faults = {
        'model.head.num_classes': 1000,
        'val_evaluator.0.topk': 5000,
        'auto_scale_lr.enable': False,
        'train_dataloader.batch_size': 1,
        'param_scheduler.0.end': 20,
    }
    if leaf.stem.startswith(('alexnet', 'swin')):
        planted.remove(('batch-norm-of-one', 'warning'))
    found = set(find(leaf, metal_crops, **faults))
    codes = {code for code, _ in planted} | {'batch-norm-of-one'}
    assert {each for each in found if each[0] in codes} == planted
