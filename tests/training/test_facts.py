"""What is trained, how, and on which data."""

import copy
from types import SimpleNamespace

import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import (
    BaseDataset,
    ClassBalancedDataset,
    ConcatDataset,
    RepeatDataset,
)
from mmengine.hooks import CheckpointHook
from mmengine.model import BaseModel
from mmengine.optim import OptimWrapper
from torch import nn

from custom_datasets.training.facts import (
    augmentations,
    batch_size,
    count_macs,
    fingerprint,
    losses,
    main_metric,
    training_facts,
    written,
)


class FocalLoss(nn.Module):
    pass


class SmoothLoss(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = FocalLoss()


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 2)
        self.norm = nn.BatchNorm1d(2).requires_grad_(False)
        self.heads = nn.ModuleList([nn.Sequential(), nn.Sequential()])
        self.heads[1].loss_cls = FocalLoss()
        self.loss_box = SmoothLoss()


CFG = Config(
    {
        'model': {
            'heads': [{}, {'loss_cls': {'type': 'FocalLoss', 'gamma': 2.0}}],
            'train_cfg': {'augments': [{'type': 'Mixup', 'alpha': 0.8}]},
        },
        'train_dataloader': {
            'sampler': {'type': 'DefaultSampler', 'shuffle': True},
            'dataset': {
                'type': 'RepeatDataset',
                'times': 3,
                'dataset': {
                    'pipeline': [
                        {'type': 'Resize', 'scale': (64, 48)},
                        {'type': 'RandomFlip', 'prob': [0.5, 0.25]},
                    ]
                },
                'pipeline': [{'type': 'PackInputs'}],
            },
        },
        'optim_wrapper': {
            'type': 'OptimWrapper',
            'optimizer': {'type': 'SGD'},
            'accumulative_counts': 2,
            'clip_grad': {'max_norm': 10},
        },
        'param_scheduler': [{'type': 'MultiStepLR', 'milestones': [8, 11]}],
    }
)


def runner():
    model = Net()
    groups = [
        {'params': [model.layer.weight], 'lr': 0.02, 'initial_lr': 0.1},
        {'params': [model.layer.bias], 'lr': 0.2, 'weight_decay': 0.0},
    ]
    optimizer = torch.optim.SGD(groups, lr=1.0, weight_decay=0.0005)
    return SimpleNamespace(
        cfg=CFG,
        model=model,
        seed=3,
        world_size=4,
        train_dataloader=SimpleNamespace(batch_size=2),
        train_loop=SimpleNamespace(),
        optim_wrapper=OptimWrapper(optimizer),
        max_epochs=12,
        max_iters=1200,
    )


def test_facts():
    facts = training_facts(runner())
    assert facts['seed'] == 3
    assert facts['batch'] == {
        'images': 2,
        'ranks': 4,
        'accumulated': 2,
        'total': 16,
        'sampler': 'DefaultSampler(shuffle=True)',
    }
    # The weight has eight numbers and the bias two.
    assert facts['optimizer'] == {
        'type': 'SGD',
        'lr': 0.1,
        'weight_decay': 0.0005,
        'wrapper': 'OptimWrapper(accumulative_counts=2, clip_grad=dict(max_norm=10))',
    }
    assert facts['schedule'] == {
        'epochs': 12,
        'iterations': 1200,
        'schedulers': ['MultiStepLR(milestones=[8, 11])'],
    }
    # Four times two weights, two biases; two and two of the norm are frozen.
    assert facts['model'] == {'type': 'Net', 'parameters': 14, 'trainable': 10}


def test_facts_of_iterations_and_a_wrapper_without_a_type():
    class IterBasedTrainLoop:
        pass

    counting = runner()
    counting.train_loop = IterBasedTrainLoop()
    counting.cfg = CFG.copy()
    counting.cfg.optim_wrapper = {'optimizer': {'type': 'SGD'}}
    facts = training_facts(counting)
    assert facts['schedule']['epochs'] is None
    assert facts['optimizer']['wrapper'] == 'OptimWrapper'


def test_losses_have_the_settings_of_the_config():
    assert losses(Net(), CFG.model) == {
        'heads.1.loss_cls': 'FocalLoss(gamma=2.0)',
        'loss_box': 'SmoothLoss',
    }


def test_augmentations_are_in_order():
    assert augmentations(CFG) == [
        'Resize(scale=(64, 48))',
        'RandomFlip(prob=[0.5, 0.25])',
        'PackInputs',
        'batch: [Mixup(alpha=0.8)]',
    ]
    assert augmentations({}) == []


def test_a_batch_sampler_may_know_the_size():
    grouped = SimpleNamespace(
        batch_size=None, batch_sampler=SimpleNamespace(batch_size=6)
    )
    assert batch_size(grouped) == 6
    assert batch_size(SimpleNamespace(batch_size=None, batch_sampler=None)) is None


@pytest.mark.parametrize(
    ('value', 'text'),
    [
        ({'a': 1, 'b': {'c': 'd'}}, "dict(a=1, b=dict(c='d'))"),
        ({}, 'dict()'),
        ({'type': nn.ReLU}, 'ReLU'),
        ((1,), '(1,)'),
        ([None, (1, 2.5)], '[None, (1, 2.5)]'),
        (nn.ReLU, 'ReLU'),
    ],
)
def test_settings_are_written_as_in_a_config(value, text):
    assert written(value) == text


def hooks(**settings):
    return SimpleNamespace(hooks=[CheckpointHook(**settings)])


@pytest.mark.parametrize(
    ('runner', 'metrics', 'chosen'),
    [
        (hooks(save_best='voc/mAP', rule='greater'), {'x': 1}, ('voc/mAP', 'greater')),
        (hooks(save_best=['error', 'b'], rule='less'), {}, ('error', 'less')),
        (hooks(), {'table': [1], 'acc': 0.5, 'b': 1}, ('acc', 'greater')),
        (hooks(), {'val_Loss': 0.5}, ('val_Loss', 'less')),
        (SimpleNamespace(hooks=[]), {}, None),
    ],
)
def test_the_main_metric(runner, metrics, chosen):
    assert main_metric(runner, metrics) == chosen


APPLE = {'bbox': [1.0, 2.0, 30.0, 40.0], 'bbox_label': 0, 'ignore_flag': 0}
PEAR = {'bbox': [5.5, 6.0, 9.0, 12.0], 'bbox_label': 1, 'ignore_flag': 0}
INFOS = [
    {'img_path': 'a/one.png', 'width': 64, 'height': 48, 'instances': [APPLE, PEAR]},
    {'img_path': 'b/two.png', 'width': 64, 'height': 48, 'instances': [APPLE]},
    {'img_path': 'b/three.png', 'width': 64, 'height': 48, 'instances': []},
]


class Listed(BaseDataset):
    METAINFO = {'classes': ('apple', 'pear')}

    def __init__(self, infos, root='/data', **kwargs):
        self.infos = copy.deepcopy(infos)
        for info in self.infos:
            info['img_path'] = f'{root}/{info["img_path"]}'
        super().__init__(pipeline=[], **kwargs)

    def load_data_list(self):
        return self.infos

    def get_cat_ids(self, index):
        return [one['bbox_label'] for one in self.get_data_info(index)['instances']]


def changed(where, **values):
    infos = copy.deepcopy(INFOS)
    target = infos[where[0]]
    for key in where[1:]:
        target = target[key]
    target.update(values)
    return infos


def test_counts():
    found = fingerprint(Listed(INFOS))
    assert found['images'] == found['samples'] == 3
    assert found['objects'] == {'apple': 2, 'pear': 1}
    assert found['classes'] == ['apple', 'pear']
    assert found['dataset'] == 'Listed'
    assert len(found['sha256']) == 64
    assert found['why'] is None


def test_place_and_order_change_nothing():
    swapped = changed((0,), instances=[PEAR, APPLE])[::-1]
    here = fingerprint(Listed(INFOS))
    assert (
        fingerprint(Listed(swapped, root='/elsewhere/copy'))['sha256'] == here['sha256']
    )


@pytest.mark.parametrize(
    'infos',
    [
        changed((0, 'instances', 0), bbox=[1.0, 2.0, 30.0, 40.01]),
        changed((0, 'instances', 0), bbox_label=1),
        changed((0, 'instances', 0), ignore_flag=1),
        changed((0, 'instances', 0), mask=[[1, 2, 3, 4, 5, 6]]),
        changed((1,), img_path='b/2.png'),
        changed((1,), width=65),
        changed((1,), instances=[APPLE, APPLE]),
        INFOS[:2],
    ],
)
def test_other_content_has_another_hash(infos):
    assert fingerprint(Listed(infos))['sha256'] != fingerprint(Listed(INFOS))['sha256']


def test_other_class_names_have_another_hash():
    renamed = Listed(INFOS, metainfo={'classes': ('apple', 'plum')})
    assert fingerprint(renamed)['sha256'] != fingerprint(Listed(INFOS))['sha256']


@pytest.mark.parametrize(
    'wrap',
    [
        lambda data: RepeatDataset(data, 3),
        lambda data: ClassBalancedDataset(data, 0.9),
        lambda data: ConcatDataset([data, data]),
    ],
)
def test_wrappers_repeat_the_same_images(wrap):
    wrapped = fingerprint(wrap(Listed(INFOS)))
    plain = fingerprint(Listed(INFOS))
    assert wrapped['sha256'] == plain['sha256']
    assert wrapped['objects'] == plain['objects']
    assert wrapped['images'] == 3 < wrapped['samples']
    assert wrapped['dataset'].endswith(' of Listed')


def test_images_are_counted_in_classification():
    infos = [
        {'img_path': 'apple/1.png', 'gt_label': 0},
        {'img_path': 'pear/2.png', 'gt_label': 1},
        {'img_path': 'pear/3.png', 'gt_label': 1},
    ]
    found = fingerprint(Listed(infos))
    assert found['objects'] == {'apple': 1, 'pear': 2}
    infos[2]['gt_label'] = 0
    assert fingerprint(Listed(infos))['sha256'] != found['sha256']


def test_what_stands_in_the_way_is_said():
    result = fingerprint([1, 2])
    assert (result['images'], result['sha256'], result['samples']) == (None, None, 2)
    assert result['why'] == 'list lists no images (it has no get_data_info)'
    data = Listed(INFOS)
    data.get_data_info = lambda index: {'gt_label': 0}
    assert fingerprint(data)['why'] == 'sample 0 has no img_path'


SAMPLE = {'inputs': torch.zeros(3, 8, 10)}


class Convolutions(BaseModel):
    def __init__(self):
        super().__init__({'type': 'ImgDataPreprocessor'})
        self.layers = nn.Sequential(
            nn.Conv2d(3, 6, 3, padding=1, stride=2),
            nn.BatchNorm2d(6),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(6, 5),
        )

    def forward(self, inputs, data_samples=None, mode='tensor'):
        assert mode == 'tensor'
        return self.layers(inputs)


def test_convolutions_and_products_count():
    model = Convolutions().train()
    model.layers[1].eval()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    found = count_macs(model, SAMPLE)
    # Four rows of five outputs, each of six times 3 x 3 x 3; then 6 x 5.
    assert found == {
        'macs': 4 * 5 * 6 * 27 + 30,
        'input_shape': [3, 8, 10],
        'why': None,
    }
    assert model.training
    assert all(torch.equal(before[n], v) for n, v in model.state_dict().items())


def test_a_model_that_fails_says_why():
    class Picky(Convolutions):
        def forward(self, inputs, data_samples=None, mode='tensor'):
            raise RuntimeError('not for one image\nat all')

    assert count_macs(Picky(), SAMPLE) == {
        'macs': None,
        'input_shape': None,
        'why': 'RuntimeError: not for one image',
    }
