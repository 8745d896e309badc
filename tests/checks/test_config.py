"""A config by itself: settings without effect, paths, classes, evaluators."""

import json

import pytest
import torch

from custom_datasets.checks.config import (
    check_batch_norm,
    check_classes_agree,
    check_evaluators,
    check_heads,
    check_load_from,
    check_overrides,
    check_settings,
)
from custom_datasets.cli import parse_options
from custom_datasets.data.config_sources import Source
from custom_datasets.errors import ConfigError
from custom_datasets.settings import SETTINGS, load_config
from tests.leaves import LEAVES, SAMPLE

CLASSES = ('RBC', 'WBC', 'Platelets')
SWAPPED = ('WBC', 'RBC', 'Platelets')


@pytest.fixture
def leaf(tmp_path):
    def write(text):
        path = tmp_path / 'leaf.py'
        path.write_text(f'_base_ = {str(SAMPLE)!r}\n{text}\n')
        return str(path)

    return write


CLASSIFIER = next(
    leaf for leaf in LEAVES if leaf.stem.startswith('resnet18_light_1xb64')
)


@pytest.mark.parametrize(
    ('option', 'said'),
    [
        ('loss=focl', 'loss=focl: no such loss; it can be focal, '),
        ('mix=mosaic', 'mix=mosaic: no such mix; it can be mixup'),
        ('sampling=all', 'sampling=all: no such sampling; it can be class-balanced'),
        ('augment=blurr', 'augment=blurr: no such group; it can be geometry'),
        ('from_scratch=no', 'from_scratch=no: it can be True or False'),
        ('track=tensorbord', "track='tensorbord': choose from tensorboard, "),
        ('track=1', 'track=1: choose from tensorboard, '),
    ],
)
def test_values_that_a_training_would_refuse(option, said):
    options = parse_options([option])
    cfg = load_config(str(CLASSIFIER), options)
    before = cfg.to_dict()
    (finding,) = check_settings(cfg)
    assert (finding.code, finding.severity) == ('wrong-value', 'error')
    assert finding.message.startswith(said)
    assert cfg.to_dict() == before


def test_settings_that_a_training_carries_out():
    given = ['loss=focal', 'mix=mixup', 'from_scratch=True', 'sampling=repeat-factor']
    assert check_settings(load_config(str(CLASSIFIER), parse_options(given))) == []
    detector = load_config(str(SAMPLE), parse_options(given))
    said = [finding.message for finding in check_settings(detector)]
    assert [text.partition(' is for ')[0] for text in said] == given[:2]
    # Nothing carries them out, and check_overrides says so.
    detector.runner_type = 'Runner'
    assert check_settings(detector) == []


def overridden(path, options=None):
    findings = check_overrides(path, options or {}, load_config(path, options))
    assert {finding.code for finding in findings} <= {'no-effect'}
    return [finding.message.split()[0] for finding in findings]


@pytest.mark.parametrize(
    ('text', 'names'),
    [
        ('train_pipeline = []\nmax_epochs = 3', ['train_pipeline', 'max_epochs']),
        ('batch = 2\ntrain_dataloader = dict(batch_size=batch)', []),
        ('data_root = "/x"\n_mine = 1', []),
        ('runner_type = "Runner"\ndata_root = "/x"', ['data_root']),
        ('runner_type = "Runner"\nloss = None', ['loss']),
        (''.join(f'{setting.name} = None\n' for setting in SETTINGS), []),
    ],
)
def test_what_has_no_effect(leaf, text, names):
    assert overridden(leaf(text)) == names


def test_the_command_line_is_looked_at_too(leaf):
    options = {'max_epochs': 3, 'data_root': '/x', 'train_cfg.max_epochs': 3}
    assert overridden(leaf(''), options) == ['max_epochs']


@pytest.mark.parametrize(
    ('name', 'hint'),
    [
        ('train_dataloder', "did you mean 'train_dataloader'?"),
        ('max_epochs', 'set train_cfg.max_epochs'),
        ('num_classes', 'set classes=[...], which also'),
        ('los', "did you mean 'loss'?"),
        ('zebra', 'set the entry that should use it'),
    ],
)
def test_the_hint_is_where_it_has_an_effect(leaf, name, hint):
    [finding] = check_overrides(leaf(''), {name: 'x'}, {'runner_type': 'PluginRunner'})
    assert hint in finding.hint
    assert f'{name} is set in --cfg-options, but nothing reads' in finding.message
    [finding] = check_overrides(leaf(''), {'loss': 'x'}, {})
    assert "add runner_type='PluginRunner'" in finding.hint


@pytest.mark.parametrize(
    ('classes', 'severities'),
    [(CLASSES, []), (SWAPPED, ['warning']), (('person', 'car'), ['note'])],
)
def test_classes_of_a_checkpoint(tmp_path, classes, severities):
    path = tmp_path / 'c.pth'
    meta = {'dataset_meta': {'classes': classes}, 'epoch': 3}
    torch.save({'meta': meta, 'state_dict': {'w': torch.zeros(3)}}, path)
    findings = check_load_from({'load_from': str(path)}, CLASSES)
    assert [finding.severity for finding in findings] == severities


def test_a_missing_checkpoint_unless_nothing_is_loaded(tmp_path):
    cfg = {'load_from': str(tmp_path / 'none.pth')}
    assert [f.code for f in check_load_from(cfg, CLASSES)] == ['no-checkpoint']
    assert not check_load_from(cfg | {'from_scratch': True}, CLASSES)
    with pytest.raises(ConfigError, match='from_scratch=no'):
        check_load_from(cfg | {'from_scratch': 'no'}, CLASSES)
    assert not check_load_from({'load_from': 'https://x.org/w.pth'}, CLASSES)


@pytest.mark.parametrize('text', ['model = dict(', 'train_cfg = dict(_delete_=1)[0]'])
def test_a_broken_config_is_a_sentence(leaf, text):
    with pytest.raises(ConfigError, match=r'leaf\.py: cannot be read'):
        load_config(leaf(text))


def source(split='train', classes=CLASSES):
    return Source(split, 'voc', 'BCCDDataset', classes, {}, '.', 'x.txt', False)


@pytest.mark.parametrize(
    ('model', 'message'),
    [
        ({'rpn_head': {'num_classes': 1}, 'bbox_head': {'num_classes': 3}}, None),
        ({'head': {'num_classes': '3'}}, "num_classes='3', but the data set has 3"),
        (
            {'roi_head': {'bbox_head': [{'num_classes': 3}, {'num_classes': 80}]}},
            'model.roi_head.bbox_head.1 has num_classes=80',
        ),
        ({'bbox_head': {'type': 'BBoxHead'}}, 'states no num_classes'),
        ({'bbox_head': {'type': 'RetinaHead'}}, None),
    ],
)
def test_the_class_count_of_heads(model, message):
    findings = check_heads({'model': model}, [source()])
    assert [finding.code for finding in findings] == ['class-count'] * bool(message)
    assert not message or message in findings[0].message


def test_other_classes_in_a_part():
    [finding] = check_classes_agree([source(), source('val'), source('test', SWAPPED)])
    assert (finding.code, finding.split) == ('classes-differ', 'test')


@pytest.mark.parametrize(
    ('backbone', 'scope', 'batch', 'is_found'),
    [
        ({'norm_cfg': {'type': 'BN'}}, 'mmdet', 1, True),
        ({'norm_cfg': {'type': 'BN'}}, 'mmdet', 2, False),
        ({'norm_cfg': {'type': 'BN'}, 'norm_eval': True}, 'mmdet', 1, False),
        ({'norm_cfg': {'type': 'BN', 'requires_grad': False}}, 'mmdet', 1, False),
        ({'norm_cfg': {'type': 'GN', 'num_groups': 32}}, 'mmdet', 1, False),
        ({'type': 'ResNet'}, 'mmpretrain', 1, True),
        ({'type': 'DenseNet'}, 'mmpretrain', 1, True),
        ({'type': 'EfficientNet'}, 'mmpretrain', 1, True),
        ({'type': 'AlexNet'}, 'mmpretrain', 1, False),
        ({'type': 'SwinTransformer'}, 'mmpretrain', 1, False),
        ({'type': 'ResNet'}, 'mmdet', 1, False),
    ],
)
def test_batch_norm_of_one_image(backbone, scope, batch, is_found):
    cfg = {
        'train_dataloader': {'batch_size': batch},
        'default_scope': scope,
        'model': {'backbone': backbone},
    }
    codes = [finding.code for finding in check_batch_norm(cfg)]
    assert codes == ['batch-norm-of-one'] * is_found


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        ({'type': 'Accuracy', 'topk': (1, 5)}, 'top-5 of 3 classes'),
        ({'type': 'Accuracy', 'topk': 1}, None),
        ({'type': 'Accuracy', 'topk': '1'}, "topk='1' is neither a number"),
        ({'type': 'SingleLabelMetric', 'num_classes': 4}, 'num_classes=4, but'),
        ({'ann_file': '{}/val.json'}, 'val.json has no category WBC, Platelets'),
        ({'ann_file': '{}/none.json'}, 'none.json: No such file'),
        ({'type': 'CocoMetric'}, None),
    ],
)
def test_evaluators(tmp_path, settings, message):
    categories = [{'id': 1, 'name': 'RBC'}]
    image = {'id': 1, 'file_name': 'a.jpg', 'width': 9, 'height': 9}
    box = {'id': 1, 'image_id': 1, 'category_id': 1, 'bbox': [1, 1, 3, 3]}
    content = {'images': [image], 'annotations': [box], 'categories': categories}
    (tmp_path / 'val.json').write_text(json.dumps(content))
    if 'ann_file' in settings:
        settings = {'ann_file': settings['ann_file'].format(tmp_path)}
    findings = check_evaluators({'val_evaluator': [settings]}, [source('val')])
    assert [f.code for f in findings] == ['evaluator-classes'] * bool(message)
    assert not message or message in findings[0].message
