"""Showing a run's curves in TensorBoard, Weights & Biases or MLflow.

``track=tensorboard,wandb`` adds mmengine's own back ends to those of the config.
"""

import importlib.util
import os
from typing import Any

from mmengine.config import Config

from custom_datasets.errors import ConfigError, UserError

TRACKERS = {
    'tensorboard': ('TensorboardVisBackend', 'tensorboard'),
    'wandb': ('WandbVisBackend', 'wandb'),
    'mlflow': ('MLflowVisBackend', 'mlflow'),
}
"""mmengine's back end of each tracker, and the package that it needs."""


def apply_tracking(cfg: Config) -> None:
    """Carry out ``track`` in place; raises what :func:`read_trackers` raises."""
    wanted = cfg.get('track')
    if wanted is None:
        return
    visualizer = cfg.get('visualizer') or {'type': 'Visualizer'}
    backends = list(visualizer.get('vis_backends') or [{'type': 'LocalVisBackend'}])
    present = {backend['type'] for backend in backends}
    for name in read_trackers(wanted):
        backend, _ = TRACKERS[name]
        if backend not in present:
            present.add(backend)
            backends.append({'type': backend, **_settings(name, cfg)})
    cfg.visualizer = {**visualizer, 'vis_backends': backends}


def read_trackers(wanted: Any) -> list[str]:
    """Return the names that ``track`` sets.

    Raises a ConfigError for an unknown name, a UserError for a missing package.
    """
    names = list(wanted) if isinstance(wanted, (list, tuple)) else [wanted]
    for name in names:
        if not isinstance(name, str) or name not in TRACKERS:
            raise ConfigError(f'track={name!r}: choose from {", ".join(TRACKERS)}')
        package = TRACKERS[name][1]
        if importlib.util.find_spec(package) is None:
            raise UserError(f'track={name} needs a package: pip install {package}')
    return names


def _settings(name: str, cfg: Config) -> dict[str, Any]:
    title = os.path.splitext(os.path.basename(cfg.filename or ''))[0]
    if name == 'wandb' and title:
        return {'init_kwargs': {'name': title}}
    if name == 'mlflow':
        return {**_mlflow_store(cfg), **({'run_name': title} if title else {})}
    return {}


def _mlflow_store(cfg: Config) -> dict[str, str]:
    """Say where MLflow keeps runs: on its server, else beside the work directories.

    mmengine names a folder inside the run instead, whatever MLFLOW_TRACKING_URI
    is, and MLflow 3 refuses folders.
    """
    server = os.environ.get('MLFLOW_TRACKING_URI')
    if server:
        return {'tracking_uri': server}
    folder = os.path.dirname(os.path.abspath(cfg.get('work_dir') or 'work_dirs/run'))
    return {
        'tracking_uri': f'sqlite:///{os.path.join(folder, "mlflow.db")}',
        'exp_name': 'mm-custom-datasets',
        'artifact_location': os.path.join(folder, 'mlflow'),
    }
