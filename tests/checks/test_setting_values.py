"""Values of settings that nothing can be built with."""

import copy

import pytest
from mmengine.runner import Runner

from custom_datasets.checks.check import check_config
from custom_datasets.checks.parameters import check_values
from custom_datasets.errors import ConfigError
from custom_datasets.settings import load_config
from tests.leaves import LEAVES, SAMPLE

SCHEDULER = {'type': 'MultiStepLR', 'milestones': [8, 11]}


def messages(options):
    findings = check_values(load_config(str(SAMPLE), options))
    assert {(f.code, f.severity) for f in findings} <= {('wrong-value', 'error')}
    return [finding.message for finding in findings]


@pytest.mark.parametrize('leaf', LEAVES, ids=lambda leaf: leaf.stem)
def test_shipped_leaves_have_no_wrong_value(leaf):
    assert not check_values(load_config(str(leaf)))


@pytest.mark.parametrize(
    ('name', 'value', 'needed'),
    [
        ('train_dataloader.batch_size', 0, 'a whole number of at least 1'),
        ('train_dataloader.batch_size', '8', 'a whole number of at least 1'),
        ('train_dataloader.batch_size', 2.5, 'a whole number of at least 1'),
        ('train_dataloader.batch_size', 2.0, 'a whole number of at least 1'),
        ('train_cfg.max_epochs', 2.5, 'a whole number of at least 1'),
        ('train_dataloader.batch_size', True, 'a whole number of at least 1'),
        ('val_dataloader.num_workers', -1, 'a whole number of at least 0'),
        ('optim_wrapper.optimizer.lr', 'abc', 'a number of at least 0'),
        ('optim_wrapper.optimizer.lr', -0.1, 'a number of at least 0'),
        ('optim_wrapper.optimizer.lr', float('nan'), 'a number of at least 0'),
        ('train_cfg.max_epochs', 'two', 'a whole number of at least 1'),
        ('train_cfg.val_interval', 0, 'a whole number of at least 1'),
        ('default_hooks.logger.interval', '10', 'a whole number of at least 0'),
        ('auto_scale_lr.base_batch_size', '16', 'a whole number of at least 1'),
        ('param_scheduler.0.end', 'x', 'a number of at least 0'),
        ('param_scheduler.0.begin', None, 'a number of at least 0'),
        ('train_cfg.val_interval', None, 'a whole number of at least 1'),
    ],
)
def test_a_value_of_the_wrong_type_ends_no_check(name, value, needed, tmp_path):
    text = f'{name}={value!r}: must be {needed}'
    assert messages({name: value}) == [text]
    options = {'data_root': str(tmp_path), name: value}
    findings = check_config(str(SAMPLE), options, images=False, cached=False).findings
    assert text in {finding.message for finding in findings}


@pytest.mark.parametrize(
    ('name', 'value'),
    [
        ('train_cfg.max_epochs', 12.0),
        ('train_dataloader.batch_size', None),
        ('optim_wrapper.optimizer.lr', 0),
        ('param_scheduler', [SCHEDULER]),
        ('param_scheduler', None),
    ],
)
def test_what_mmengine_takes(name, value):
    assert not messages({name: value})


@pytest.mark.parametrize('steps', [8, ['8'], 'abc'])
def test_milestones_are_a_list_of_numbers(steps):
    options = {'param_scheduler': [{**SCHEDULER, 'milestones': steps}]}
    text = f'param_scheduler.0.milestones={steps!r}: must be a list of numbers'
    assert messages(options) == [text]


def test_a_scheduler_ends_behind_its_begin():
    options = {'param_scheduler': [{**SCHEDULER, 'begin': 12, 'end': 2}]}
    assert messages(options) == ['param_scheduler.0: end=2 is not after begin=12']


def test_only_a_number_is_told_to_lose_its_quotes():
    for value, hint in (
        ('8', 'write it without quotes'),
        ('many', 'correct the value'),
    ):
        cfg = load_config(str(SAMPLE), {'train_dataloader.batch_size': value})
        assert [finding.hint for finding in check_values(cfg)] == [hint]


@pytest.mark.parametrize(
    ('name', 'value'), [('persistent_workers', True), ('prefetch_factor', 2)]
)
def test_what_only_workers_can_do(name, value):
    loader = {'num_workers': 0, name: value}
    cfg = {'train_dataloader': loader}
    (one,) = check_values(cfg)
    assert f'{name}={value} needs num_workers of at least 1' in one.message
    built = {'dataset': [1, 2], 'sampler': [0, 1], **copy.deepcopy(loader)}
    with pytest.raises(ValueError, match=name):
        Runner.build_dataloader(built)
    assert not check_values({'train_dataloader': {**loader, 'num_workers': 1}})


def test_repetitions_are_counted_in_whole_numbers():
    dataset = {'type': 'RepeatDataset', 'times': '3', 'dataset': {}}
    (one,) = check_values({'train_dataloader': {'num_workers': 0, 'dataset': dataset}})
    assert "times='3': must be a whole number of at least 1" in one.message


def test_schedulers_are_a_list():
    with pytest.raises(ConfigError, match='param_scheduler=8: must be a list of dicts'):
        load_config(str(SAMPLE), {'param_scheduler': 8})


@pytest.mark.parametrize(
    'name',
    [
        *('train_dataloader', 'train_dataloader.dataset', 'model', 'optim_wrapper'),
        *('default_hooks.logger', 'default_hooks.checkpoint'),
    ],
)
def test_a_number_where_a_dict_belongs_is_one_sentence(name):
    with pytest.raises(ConfigError, match=rf'^{name}=8: must be a dict'):
        load_config(str(SAMPLE), {name: 8})
