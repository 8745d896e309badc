"""The model and the evaluators against the data sets."""

import json

import pytest

from custom_datasets.checks.config import (
    check_batch_norm,
    check_classes_agree,
    check_evaluators,
    check_heads,
)
from custom_datasets.data.config_sources import Source
from custom_datasets.settings import load_config
from tests.leaves import LEAVES

CLASSES = ('RBC', 'WBC', 'Platelets')


def source(split='train', classes=CLASSES):
    return Source(split, 'voc', 'BCCDDataset', classes, {}, '.', 'x.txt', False)


@pytest.mark.parametrize('leaf', LEAVES, ids=lambda leaf: leaf.stem)
def test_shipped_leaves_have_right_heads_and_their_change_is_seen(leaf):
    cfg = load_config(str(leaf))
    right = tuple(str(i) for i in range(cfg.num_classes))
    assert not check_heads(cfg, [source(classes=right)])
    found = check_heads(cfg, [source(classes=(*right, 'one more'))])
    assert found
    assert {f.code for f in found} == {'class-count'}


def test_proposal_heads_are_not_counted():
    model = {'rpn_head': {'num_classes': 1}, 'bbox_head': {'num_classes': 3}}
    assert not check_heads({'model': model}, [source()])


def test_a_count_in_quotes_is_no_count():
    (found,) = check_heads({'model': {'head': {'num_classes': '3'}}}, [source()])
    assert "num_classes='3', but the data set has 3" in found.message


def test_each_head_of_a_cascade_is_named():
    heads = [{'num_classes': 3}, {'num_classes': 80}]
    found = check_heads({'model': {'roi_head': {'bbox_head': heads}}}, [source()])
    assert [f.message.split()[0] for f in found] == ['model.roi_head.bbox_head.1']


def test_other_classes_in_a_part():
    swapped = ('WBC', 'RBC', 'Platelets')
    found = check_classes_agree([source(), source('val'), source('test', swapped)])
    assert [(f.code, f.split) for f in found] == [('classes-differ', 'test')]


@pytest.mark.parametrize(
    ('batch', 'norm', 'frozen', 'found'),
    [
        (1, {'type': 'BN'}, False, True),
        (2, {'type': 'BN'}, False, False),
        (1, {'type': 'BN'}, True, False),
        (1, {'type': 'BN', 'requires_grad': False}, False, False),
        (1, {'type': 'GN', 'num_groups': 32}, False, False),
    ],
)
def test_batch_norm_of_one_image(batch, norm, frozen, found):
    backbone = {'type': 'ResNet', 'norm_cfg': norm, 'norm_eval': frozen}
    loader = {'batch_size': batch}
    cfg = {'train_dataloader': loader, 'model': {'backbone': backbone}}
    codes = [f.code for f in check_batch_norm(cfg)]
    assert codes == (['batch-norm-of-one'] if found else [])


@pytest.mark.parametrize(
    ('backbone', 'found'),
    [
        ('ResNet', 1),
        ('DenseNet', 1),
        ('EfficientNet', 1),
        ('AlexNet', 0),
        ('SwinTransformer', 0),
    ],
)
def test_mmpretrain_trains_batch_norm_unless_told_otherwise(backbone, found):
    cfg = {'train_dataloader': {'batch_size': 1}, 'default_scope': 'mmpretrain'}
    cfg['model'] = {'backbone': {'type': backbone}}
    assert len(check_batch_norm(cfg)) == found


def test_evaluators(tmp_path):
    path = tmp_path / 'val.json'
    odd = {'val_evaluator': {'type': 'Accuracy', 'topk': '1'}}
    assert (
        "topk='1' is neither a number"
        in check_evaluators(odd, [source('val')])[0].message
    )
    path.write_text(json.dumps({'categories': [{'id': 1, 'name': 'RBC'}]}))
    evaluators = [
        {'type': 'Accuracy', 'topk': (1, 5)},
        {'type': 'Accuracy', 'topk': 1},
        {'type': 'SingleLabelMetric', 'num_classes': 4},
        {'type': 'CocoMetric', 'ann_file': str(path)},
        {'type': 'CocoMetric', 'ann_file': str(tmp_path / 'none.json')},
        {'type': 'CocoMetric'},
    ]
    found = check_evaluators({'val_evaluator': evaluators}, [source('val')])
    assert [f.message.partition(': ')[2][:20] for f in found] == [
        'top-5 of 3 classes',
        'num_classes=4, but t',
        str(path)[:20],
        str(path)[:20],
    ]
    assert 'no category WBC, Platelets' in found[2].message
