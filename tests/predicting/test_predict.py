"""Checkpoints: one that does not fit is refused, not evaluated at random."""

import pytest
import torch
from mmengine.registry import MODELS, DefaultScope

from custom_datasets.errors import UserError
from custom_datasets.predicting.config import read_settings
from custom_datasets.predicting.predict import predict
from tests.leaves import SAMPLE, small_run

CLASSES = ('RBC', 'WBC', 'Platelets')


@pytest.fixture(scope='module')
def cfg(bccd_root):
    from mmengine.config import DictAction

    options = dict(option.split('=', 1) for option in small_run(SAMPLE, bccd_root))
    parsed = {key: DictAction._parse_iterable(value) for key, value in options.items()}
    return read_settings(str(SAMPLE), parsed)


@pytest.fixture(scope='module')
def weights(cfg):
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmdet'):
        return MODELS.build(cfg.model).state_dict()


def save(path, weights, classes=CLASSES, **meta):
    meta = {'epoch': 3, 'iter': 30, 'dataset_meta': {'classes': classes}, **meta}
    torch.save({'state_dict': weights, 'meta': meta}, path)
    return str(path)


def test_both_sets_are_predicted_and_progress_is_told(cfg, weights, tmp_path):
    done = []
    path = save(tmp_path / 'c.pth', weights)
    found, facts = predict(
        cfg, path, ['test', 'validation'], lambda n, of: done.append((n, of))
    )
    assert done == [(2, 4), (4, 4)]
    assert (facts.epoch, facts.iteration, facts.classes) == (3, 30, CLASSES)
    assert list(found) == ['test', 'validation']
    for split, name in (('test', 'test'), ('validation', 'val')):
        one = found[split]
        assert [sample['img_id'] for sample in one.samples] == list(one.data.keys)
        assert [*one.data.keys] == [f'{name}_0000', f'{name}_0001']
        assert all('instances' in sample for sample in one.samples)
        assert {'pascal_voc/mAP', 'coco/bbox_mAP'} <= set(one.metrics)
    assert [path.name for path in tmp_path.iterdir()] == ['c.pth']


def test_nothing_is_tracked_elsewhere(cfg, weights, tmp_path):
    """Another run would appear there, or a package be missing."""
    tracked = cfg.copy()
    tracked.track = 'wandb'
    backend = {'type': 'NoSuchBackend'}
    tracked.visualizer = {**cfg.visualizer, 'vis_backends': [backend]}
    found, _ = predict(tracked, save(tmp_path / 'c.pth', weights), ['test'])
    assert len(found['test'].samples) == 2
    assert tracked.track == 'wandb'
    assert tracked.visualizer.vis_backends == [backend]


def test_one_data_set_for_both_is_run_once(cfg, weights, tmp_path):
    same = cfg.copy()
    same.val_dataloader = same.test_dataloader
    done = []
    found, _ = predict(
        same,
        save(tmp_path / 'c.pth', weights),
        ['test', 'validation'],
        lambda n, of: done.append((n, of)),
    )
    assert done == [(2, 2)]
    assert found['test'] is found['validation']


def without(weights, part):
    return {name: value for name, value in weights.items() if part not in name}


def wider(weights):
    name = 'bbox_head.retina_cls.weight'
    return {**weights, name: torch.zeros(80, *weights[name].shape[1:])}


@pytest.mark.parametrize(
    ('change', 'classes', 'message'),
    [
        (
            dict,
            CLASSES[:2],
            r'was trained on 2 classes \(RBC, WBC\), but the config ',
        ),
        (dict, ('WBC', 'RBC', 'Platelets'), r'was trained on 3 classes \(WBC, RBC, Pl'),
        (wider, None, r'retina_cls\.weight has shape \(80, .*the config builds \(9, '),
        (
            lambda weights: without(weights, 'bbox_head'),
            CLASSES,
            r'it has no weights for bbox_head\.\S+, and \d+ more; give the config',
        ),
    ],
)
def test_weights_of_another_model_are_refused(
    cfg, weights, tmp_path, change, classes, message
):
    path = save(tmp_path / 'c.pth', change(weights), classes)
    with pytest.raises(UserError, match=message) as error:
        predict(cfg, path, ['test'])
    assert str(error.value).startswith(f'{path}: ')


def test_a_missing_checkpoint_is_named_before_anything_is_built(cfg):
    with pytest.raises(UserError, match=r'^nothing\.pth: no such checkpoint$'):
        predict(cfg, 'nothing.pth', ['test'])
