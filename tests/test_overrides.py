"""Top-level settings reach every place they concern, and nothing else."""

import copy

import pytest
from mmengine.config import Config
from mmengine.registry import init_default_scope

from custom_datasets.errors import ConfigError
from custom_datasets.overrides import apply_overrides, iter_datasets


@pytest.fixture
def cfg():
    init_default_scope('mmdet')
    dataset = {'type': 'A', 'data_root': 'old', 'metainfo': {'palette': [(1, 2, 3)]}}
    wrapped = {
        'type': 'Repeat',
        'dataset': {'type': 'Concat', 'datasets': [dataset] * 2},
    }
    return Config(
        {
            'num_classes': 3,
            'model': {
                'type': 'FasterRCNN',
                'backbone': {
                    'type': 'ResNet',
                    'depth': 50,
                    'frozen_stages': 1,
                    'norm_cfg': {'type': 'BN', 'requires_grad': False},
                    'init_cfg': {'type': 'Pretrained', 'checkpoint': 'x'},
                },
                'rpn_head': {'type': 'RPNHead', 'init_cfg': {'type': 'Normal'}},
                'roi_head': [{'bbox_head': {'num_classes': 3}}, {'num_classes': 3}],
            },
            'train_dataloader': {'dataset': wrapped},
            'val_dataloader': {'dataset': copy.deepcopy(dataset)},
            'test_dataloader': None,
        }
    )


def test_nothing_given_changes_nothing(cfg):
    before = cfg.to_dict()
    apply_overrides(cfg)
    assert cfg.to_dict() == before


def test_data_root_reaches_wrapped_data_sets(cfg):
    cfg.data_root = '/new'
    apply_overrides(cfg)
    assert [d['data_root'] for d in iter_datasets(cfg)] == ['/new'] * 3


@pytest.mark.parametrize('as_file', [False, True])
def test_classes_reach_data_sets_and_heads(cfg, as_file, tmp_path):
    names = ('cat', 'hot dog')
    (tmp_path / 'classes.txt').write_text('cat\n\nhot dog \n')
    cfg.classes = str(tmp_path / 'classes.txt') if as_file else list(names)
    apply_overrides(cfg)
    apply_overrides(cfg)
    assert [tuple(d['metainfo']['classes']) for d in iter_datasets(cfg)] == [names] * 3
    assert cfg.num_classes == 2
    assert cfg.model.roi_head[0].bbox_head.num_classes == 2
    assert cfg.model.roi_head[1].num_classes == 2


@pytest.mark.parametrize('classes', [['a', 'a'], [], ['a', ''], 'no/such/file.txt'])
def test_bad_classes_are_an_error(cfg, classes):
    cfg.classes = classes
    with pytest.raises(ConfigError):
        apply_overrides(cfg)


def test_from_scratch_keeps_other_initialisation(cfg):
    cfg.from_scratch = True
    apply_overrides(cfg)
    backbone = cfg.model.backbone
    assert backbone.init_cfg is None
    assert backbone.frozen_stages == -1
    assert backbone.norm_cfg.requires_grad is True
    # Not in the config: ResNet's own default would be True.
    assert backbone.norm_eval is False
    assert cfg.model.rpn_head == {'type': 'RPNHead', 'init_cfg': {'type': 'Normal'}}


def test_from_scratch_drops_only_pretrained_from_a_list(cfg):
    kaiming = {'type': 'Kaiming', 'layer': 'Conv2d'}
    cfg.model.backbone.init_cfg = [kaiming, {'type': 'Pretrained', 'checkpoint': 'x'}]
    cfg.from_scratch = True
    apply_overrides(cfg)
    assert cfg.model.backbone.init_cfg == [kaiming]
