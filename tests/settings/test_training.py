"""Loss, mix, sampling, augment, from scratch: what they set, refuse, and do."""

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, TRANSFORMS, DefaultScope, init_default_scope
from mmpretrain.structures import DataSample

from custom_datasets.errors import ConfigError
from custom_datasets.settings import apply_settings, training
from custom_datasets.settings.training import GROUPS, LOSSES, MIXES
from custom_datasets.training.augment import OneOfEachGroup
from tests.leaves import LEAVES, SAMPLE, read_leaf

CLASSIFIER = next(leaf for leaf in LEAVES if leaf.parent.name == 'waste')


def applied(leaf, **settings):
    cfg = read_leaf(leaf)
    cfg.merge_from_dict(settings)
    apply_settings(cfg)
    once = cfg.to_dict()
    apply_settings(cfg)
    assert cfg.to_dict() == once
    return cfg


def test_nothing_asked_nothing_changed():
    for leaf in (CLASSIFIER, SAMPLE):
        assert applied(leaf).to_dict() == read_leaf(leaf).to_dict()


@pytest.mark.parametrize('mix', [None, *MIXES])
@pytest.mark.parametrize('loss', [None, *LOSSES])
def test_every_loss_trains_with_every_mix(loss, mix):
    cfg = applied(CLASSIFIER, loss=loss, mix=mix)
    if loss:
        assert cfg.model.head.loss.type == LOSSES[loss]['type']
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        cfg.model.data_preprocessor = cfg.data_preprocessor
        model = MODELS.build(cfg.model)
        batch = {
            'inputs': torch.randint(0, 255, (6, 3, 32, 32), dtype=torch.uint8),
            'data_samples': [DataSample().set_gt_label(i % 3) for i in range(6)],
        }
        data = model.data_preprocessor(batch, training=True)
        losses = model(**data, mode='loss')
    (value,) = losses.values()
    value.backward()
    assert torch.isfinite(value) and value > 0
    mixed = hasattr(data['data_samples'][0], 'gt_score')
    assert mixed == (mix is not None)


def test_weights_come_by_a_hook_once():
    cfg = applied(CLASSIFIER, loss='class-weighted')
    assert cfg.custom_hooks == [{'type': 'ClassWeightHook'}]


def test_sampling_of_a_classifier():
    cfg = applied(CLASSIFIER, sampling='class-balanced')
    assert cfg.train_dataloader.sampler == {'type': 'ClassBalancedSampler'}
    assert cfg.val_dataloader.sampler.type == 'DefaultSampler'


@pytest.mark.parametrize('leaf', [CLASSIFIER, SAMPLE])
def test_repeat_factor_wraps_the_training_set_only(leaf):
    cfg = applied(leaf, sampling='repeat-factor')
    plain = read_leaf(leaf)
    assert cfg.train_dataloader.dataset.type == 'RepeatFactorDataset'
    assert cfg.train_dataloader.dataset.dataset == plain.train_dataloader.dataset
    assert cfg.val_dataloader == plain.val_dataloader


@pytest.mark.parametrize(
    ('leaf', 'settings', 'said'),
    [
        (CLASSIFIER, {'loss': 'focl'}, 'loss=focl: no such loss; it can be focal, '),
        (CLASSIFIER, {'mix': 'mosaic'}, 'mix=mosaic: no such mix; it can be mixup'),
        (CLASSIFIER, {'mix': ['mixup', 'cutmix']}, 'mix=mixup,cutmix: only one can be'),
        (CLASSIFIER, {'loss': ['focal', 'x']}, 'loss=focal,x: only one can be set: '),
        (CLASSIFIER, {'sampling': ['x', 'y']}, 'sampling=x,y: only one can be set: '),
        (CLASSIFIER, {'loss': {'type': 'x'}}, 'no such loss; it can be focal, class-w'),
        (CLASSIFIER, {'mix': True}, 'mix=True: no such mix; it can be mixup, cutmix'),
        (CLASSIFIER, {'sampling': 'all'}, 'sampling=all: no such sampling; it can'),
        (SAMPLE, {'loss': 'focal'}, 'loss=focal is for classification, and the model'),
        (SAMPLE, {'mix': 'cutmix'}, 'the model is RetinaNet'),
        (SAMPLE, {'sampling': 'class-balanced'}, 'sampling=repeat-factor is for both'),
        (
            CLASSIFIER,
            {'loss': 'class-weighted', 'sampling': 'class-balanced'},
            'both together',
        ),
        (
            CLASSIFIER,
            {'augment': 'blurr'},
            'augment=blurr: no such group; it can be',
        ),
        (
            CLASSIFIER,
            {'augment': True},
            'augment=True: needs names of groups:',
        ),
        (CLASSIFIER, {'augment': [['blur']]}, 'needs names of groups:'),
        (
            CLASSIFIER,
            {'augment': ['blur', 'colour']},
            'colour tells the classes',
        ),
        (SAMPLE, {'augment': ['blur']}, 'augment=blur is for classification, and the'),
    ],
)
def test_what_cannot_be_is_said(leaf, settings, said):
    with pytest.raises(ConfigError, match=said.replace('(', r'\(')):
        applied(leaf, **settings)


def test_groups_stand_behind_all_else_but_the_packing():
    before = applied(CLASSIFIER).train_dataloader.dataset.pipeline
    cfg = applied(CLASSIFIER, augment=['blur', 'light'])
    steps = cfg.train_dataloader.dataset.pipeline
    assert steps[:-2] == before[:-1] and steps[-1] == before[-1]
    assert steps[-2] == {
        'type': 'OneOfEachGroup',
        'groups': [GROUPS['blur'], GROUPS['light']],
    }
    assert isinstance(TRANSFORMS.build(steps[-2]), OneOfEachGroup)
    plain = applied(CLASSIFIER)
    assert cfg.val_dataloader == plain.val_dataloader


def test_one_name_and_a_wrapped_data_set():
    cfg = applied(CLASSIFIER, augment='noise', sampling='repeat-factor')
    inner = cfg.train_dataloader.dataset.dataset
    assert inner.pipeline[-2]['groups'] == [GROUPS['noise']]


def test_a_group_that_stands_twice_is_applied_once():
    cfg = applied(CLASSIFIER, augment=['blur', 'light', 'blur'])
    step = cfg.train_dataloader.dataset.pipeline[-2]
    assert step['groups'] == [GROUPS['blur'], GROUPS['light']]


def test_colour_where_it_is_no_class():
    cfg = applied(CLASSIFIER, augment='colour', colour_is_class=False)
    step = cfg.train_dataloader.dataset.pipeline[-2]
    assert step['groups'] == [GROUPS['colour']]


def test_a_missing_package_is_one_sentence(monkeypatch):
    monkeypatch.setattr(training, 'find_spec', lambda name: None)
    with pytest.raises(ConfigError, match=r'pip install -e "\.\[albumentations\]"$'):
        applied(CLASSIFIER, augment='blur')


@pytest.fixture
def cfg():
    """A frozen, pretrained detector."""
    init_default_scope('mmdet')
    backbone = {
        'type': 'ResNet',
        'depth': 50,
        'frozen_stages': 1,
        'norm_cfg': {'type': 'BN', 'requires_grad': False},
        'init_cfg': {'type': 'Pretrained', 'checkpoint': 'x'},
    }
    head = {'type': 'RPNHead', 'init_cfg': {'type': 'Normal'}}
    model = {'type': 'FasterRCNN', 'backbone': backbone, 'rpn_head': head}
    return Config({'model': model})


@pytest.mark.parametrize('wanted', ['no', 'False', 0, 1, []])
def test_from_scratch_is_true_or_false(cfg, wanted):
    cfg.from_scratch = wanted
    with pytest.raises(ConfigError, match='it can be True or False'):
        apply_settings(cfg)


@pytest.mark.parametrize('wanted', [False, None])
def test_what_is_not_from_scratch_stays(cfg, wanted):
    cfg.from_scratch = wanted
    before = cfg.to_dict()
    apply_settings(cfg)
    assert cfg.to_dict() == before


def test_from_scratch_keeps_other_initialisation(cfg):
    cfg.from_scratch = True
    apply_settings(cfg)
    backbone = cfg.model.backbone
    assert backbone.init_cfg is None
    assert backbone.frozen_stages == -1
    assert backbone.norm_cfg.requires_grad is True
    # Not in the config: ResNet's own default would be True.
    assert backbone.norm_eval is False
    assert cfg.model.rpn_head == {'type': 'RPNHead', 'init_cfg': {'type': 'Normal'}}


@pytest.mark.parametrize(
    ('backbone', 'unfrozen'),
    [('mmpretrain.EfficientNet', 0), ('mmpretrain.DenseNet', 0), ('mmdet.ResNet', -1)],
)
def test_from_scratch_freezes_nothing_however_stages_are_counted(
    cfg, backbone, unfrozen
):
    cfg.model.backbone = {'type': backbone, 'frozen_stages': 1}
    cfg.from_scratch = True
    apply_settings(cfg)
    apply_settings(cfg)
    assert cfg.model.backbone.frozen_stages == unfrozen


def test_from_scratch_drops_only_pretrained_from_a_list(cfg):
    kaiming = {'type': 'Kaiming', 'layer': 'Conv2d'}
    cfg.model.backbone.init_cfg = [kaiming, {'type': 'Pretrained', 'checkpoint': 'x'}]
    cfg.from_scratch = True
    apply_settings(cfg)
    assert cfg.model.backbone.init_cfg == [kaiming]
