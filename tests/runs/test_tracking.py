"""``track``: mmengine's back ends by one setting."""

import sys

import pytest
from mmengine.config import Config

from custom_datasets.errors import ConfigError, UserError
from custom_datasets.runs import tracking
from custom_datasets.runs.tracking import apply_tracking

LOCAL = {'type': 'LocalVisBackend'}


@pytest.fixture
def installed(monkeypatch):
    monkeypatch.setattr(tracking.importlib.util, 'find_spec', lambda name: object())


def backends(**settings):
    cfg = Config(settings, filename='/configs/fruit.py')
    apply_tracking(cfg)
    apply_tracking(cfg)
    return cfg.visualizer


def test_it_joins_those_that_are_there(installed):
    visualizer = {'type': 'DetLocalVisualizer', 'vis_backends': [LOCAL]}
    assert backends(visualizer=visualizer, track='tensorboard') == {
        'type': 'DetLocalVisualizer',
        'vis_backends': [LOCAL, {'type': 'TensorboardVisBackend'}],
    }


def test_several_and_a_config_without_any(installed):
    assert backends(track=['wandb', 'mlflow']) == {
        'type': 'Visualizer',
        'vis_backends': [
            LOCAL,
            {'type': 'WandbVisBackend', 'init_kwargs': {'name': 'fruit'}},
            {'type': 'MLflowVisBackend', 'run_name': 'fruit'},
        ],
    }


def test_without_it_nothing_changes():
    cfg = Config({'visualizer': {'type': 'Visualizer'}})
    apply_tracking(cfg)
    assert cfg.to_dict() == {'visualizer': {'type': 'Visualizer'}}


def test_unknown_names_are_said(installed):
    with pytest.raises(ConfigError, match="track='tensorbord': it can be tensorboard"):
        backends(track='tensorbord')


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, 'wandb', None)
    monkeypatch.setattr(tracking.importlib.util, 'find_spec', lambda name: None)
    with pytest.raises(UserError, match='pip install wandb'):
        backends(track='wandb')
