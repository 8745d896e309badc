"""``track``: mmengine's back ends by one setting."""

import pytest
from mmengine.config import Config
from mmengine.registry import VISBACKENDS

from custom_datasets.errors import ConfigError, UserError
from custom_datasets.settings.tracking import TRACKERS, apply_tracking

LOCAL = {'type': 'LocalVisBackend'}


@pytest.fixture
def backends(tmp_path, monkeypatch):
    for name, (backend, _) in list(TRACKERS.items()):
        monkeypatch.setitem(TRACKERS, name, (backend, 'json'))
    monkeypatch.delenv('MLFLOW_TRACKING_URI', raising=False)
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


def test_several_and_a_config_without_any(backends, tmp_path):
    runs = tmp_path / 'work_dirs'
    assert backends(track=['wandb', 'mlflow'], work_dir=str(runs / 'fruit')) == {
        'type': 'Visualizer',
        'vis_backends': [
            LOCAL,
            {'type': 'WandbVisBackend', 'init_kwargs': {'name': 'fruit'}},
            {
                'type': 'MLflowVisBackend',
                'run_name': 'fruit',
                'exp_name': 'mm-custom-datasets',
                'tracking_uri': f'sqlite:///{runs}/mlflow.db',
                'artifact_location': f'{runs}/mlflow',
            },
        ],
    }


def test_a_server_of_mlflow_is_used(backends, monkeypatch):
    monkeypatch.setenv('MLFLOW_TRACKING_URI', 'http://localhost:5000')
    assert backends(track='mlflow')['vis_backends'][1] == {
        'type': 'MLflowVisBackend',
        'run_name': 'fruit',
        'tracking_uri': 'http://localhost:5000',
    }


def test_mmengine_takes_the_settings(backends, tmp_path):
    """None of the packages is needed before the first number is written."""
    for settings in backends(track=list(TRACKERS))['vis_backends']:
        built = VISBACKENDS.build({**settings, 'save_dir': str(tmp_path / 'vis')})
        assert type(built).__name__ == settings['type']


def test_without_it_nothing_changes():
    cfg = Config({'visualizer': {'type': 'Visualizer'}})
    apply_tracking(cfg)
    assert cfg.to_dict() == {'visualizer': {'type': 'Visualizer'}}


def test_unknown_names_are_said(backends):
    with pytest.raises(
        ConfigError, match="track='tensorbord': choose from tensorboard"
    ):
        backends(track='tensorbord')


def test_a_missing_package_is_named(backends, monkeypatch):
    monkeypatch.setitem(TRACKERS, 'wandb', ('WandbVisBackend', 'not_there'))
    with pytest.raises(UserError, match=r'track=wandb .*: pip install not_there'):
        backends(track='wandb')
