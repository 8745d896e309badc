"""``track``: mmengine's back ends by one setting."""

import pytest
from mmengine.config import Config

from custom_datasets.errors import ConfigError, UserError
from custom_datasets.runs.tracking import TRACKERS, apply_tracking

LOCAL = {'type': 'LocalVisBackend'}


@pytest.fixture
def backends(tmp_path, monkeypatch):
    for name, (backend, _) in list(TRACKERS.items()):
        monkeypatch.setitem(TRACKERS, name, (backend, 'json'))
    file = tmp_path / 'fruit.py'
    file.write_text('')

    def apply(**settings):
        cfg = Config(settings, filename=str(file))
        apply_tracking(cfg)
        apply_tracking(cfg)
        return cfg.visualizer

    return apply


def test_it_joins_those_that_are_there(backends):
    visualizer = {'type': 'DetLocalVisualizer', 'vis_backends': [LOCAL]}
    assert backends(visualizer=visualizer, track='tensorboard') == {
        'type': 'DetLocalVisualizer',
        'vis_backends': [LOCAL, {'type': 'TensorboardVisBackend'}],
    }


def test_several_and_a_config_without_any(backends):
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


def test_unknown_names_are_said(backends):
    with pytest.raises(ConfigError, match="track='tensorbord': it can be tensorboard"):
        backends(track='tensorbord')


def test_a_missing_package_is_named(backends, monkeypatch):
    monkeypatch.setitem(TRACKERS, 'wandb', ('WandbVisBackend', 'not_there'))
    with pytest.raises(UserError, match=r'track=wandb .*: pip install not_there'):
        backends(track='wandb')
