"""The schedule against the real number of iterations."""

import pytest

from custom_datasets.checks.schedule import Run, check_schedule, measure_run


def config(**changes):
    cfg = {
        'train_dataloader': {'batch_size': 4},
        'val_dataloader': {'batch_size': 4},
        'train_cfg': {'max_epochs': 12, 'val_interval': 1},
        'val_cfg': {},
        'optim_wrapper': {'optimizer': {'lr': 0.02}},
        'auto_scale_lr': {'enable': True, 'base_batch_size': 16},
        'param_scheduler': [
            {'type': 'LinearLR', 'begin': 0, 'end': 1, 'by_epoch': True},
            {'type': 'MultiStepLR', 'milestones': [8, 11], 'by_epoch': True},
        ],
        'default_hooks': {'logger': {'interval': 10}},
    }
    return cfg | changes


def codes(cfg, images=205, ranks=1, notes=False):
    found = check_schedule(cfg, measure_run(cfg, images, ranks))
    return {f.code: f for f in found if notes or f.severity != 'note'}


@pytest.mark.parametrize(
    ('images', 'ranks', 'drop_last', 'expected'),
    [
        (205, 1, False, Run(4, 52, 624, True)),
        (205, 1, True, Run(4, 51, 612, True)),
        (205, 2, False, Run(8, 26, 312, True)),
    ],
)
def test_iterations(images, ranks, drop_last, expected):
    loader = {'batch_size': 4, 'drop_last': drop_last}
    assert measure_run(config(train_dataloader=loader), images, ranks) == expected


def test_nothing_to_train_is_no_run():
    assert measure_run(config(train_cfg=None), 10, 1) is None
    assert measure_run(config(), 0, 1) is None


def test_a_good_schedule_has_a_note_on_its_rate_only():
    found = codes(config(), notes=True)
    assert list(found) == ['learning-rate']
    assert 'trains with 0.005' in found['learning-rate'].message


def test_a_rate_that_is_not_scaled():
    found = codes(config(auto_scale_lr={'enable': False, 'base_batch_size': 16}))
    assert 'it is 4 times what it should be' in found['learning-rate'].message
    assert found['learning-rate'].hint.endswith('lr=0.005')
    fits = config(auto_scale_lr={'enable': False, 'base_batch_size': 16})
    assert not codes(fits, ranks=4)


@pytest.mark.parametrize(
    ('end', 'share'), [(500, '80% of the run'), (700, '112% of the run'), (60, None)]
)
def test_a_warm_up_by_iterations(end, share):
    warm = {'type': 'LinearLR', 'begin': 0, 'end': end, 'by_epoch': False}
    found = codes(config(param_scheduler=[warm]))
    assert list(found) == (['warm-up'] if share else [])
    assert not share or share in found['warm-up'].message


def test_milestones_behind_the_end():
    late = {'type': 'MultiStepLR', 'milestones': [8, 16], 'by_epoch': True}
    found = codes(config(param_scheduler=late))
    assert 'milestones [16] is never reached' in found['scheduler-too-late'].message


def test_a_log_interval_longer_than_the_run():
    # mmengine logs the last iteration of a short epoch.
    assert 'log-interval' not in codes(config(), images=20)
    loop = {'by_epoch': False, 'max_iters': 8}
    found = codes(config(train_cfg=loop))
    assert found['log-interval'].hint == 'default_hooks.logger.interval=1'
    assert 'log-interval' not in codes(config(train_cfg={**loop, 'max_iters': 10}))


@pytest.mark.parametrize(
    ('changes', 'text'),
    [
        (
            {'train_cfg': {'max_epochs': 12, 'val_begin': 13}},
            'first after 13 epochs, but the run has 12',
        ),
        ({'val_cfg': None}, 'there is no val_dataloader or no val_cfg'),
        (
            {
                'val_dataloader': None,
                'default_hooks': {'checkpoint': {'save_best': 'auto'}},
            },
            "save_best='auto' needs it",
        ),
    ],
)
def test_validation_that_never_runs(changes, text):
    assert text in codes(config(**changes))['never-validates'].message


def test_a_run_shorter_than_its_interval_validates_at_its_end():
    loop = {'max_epochs': 1, 'val_interval': 8}
    assert 'never-validates' not in codes(config(train_cfg=loop))
