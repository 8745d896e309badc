"""Albumentations in groups of similar transforms: one of each group is applied.

``augment=geometry,blur`` puts the groups of that name behind all other steps of
a classifier's training pipeline. ``configs/waste/README.md`` has what each gave.
"""

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import Any

from mmengine.config import Config

from custom_datasets.errors import ConfigError

Step = dict[str, Any]

GROUPS: dict[str, list[Step]] = {
    'geometry': [
        {'type': 'Affine', 'rotate': (-25, 25), 'scale': (0.9, 1.1)},
        {'type': 'Affine', 'shear': (-12, 12)},
        {'type': 'Perspective', 'scale': (0.05, 0.1)},
    ],
    'blur': [
        {'type': 'GaussianBlur', 'blur_limit': (3, 5)},
        {'type': 'MedianBlur', 'blur_limit': 3},
        {'type': 'MotionBlur', 'blur_limit': (3, 5)},
    ],
    'noise': [
        {'type': 'GaussNoise', 'std_range': (0.02, 0.06), 'per_channel': False},
        {'type': 'MultiplicativeNoise', 'multiplier': (0.9, 1.1), 'elementwise': True},
    ],
    'light': [
        {'type': 'RandomBrightnessContrast'},
        {'type': 'RandomGamma', 'gamma_limit': (70, 140)},
        {'type': 'CLAHE', 'clip_limit': (1, 2), 'tile_grid_size': (4, 4)},
    ],
    'occlusion': [
        {'type': 'Erasing', 'scale': (0.02, 0.15)},
        {'type': 'GridDropout', 'ratio': 0.3, 'holes_number_xy': (4, 4)},
    ],
    'colour': [
        {'type': 'HueSaturationValue'},
        {'type': 'ToGray'},
    ],
}
"""All but ``colour`` leave hues as they are."""

INSTALL = (
    "augment needs Albumentations: in the plugin's folder, pip install -e "
    '".[albumentations]"'
)


def apply_augment(cfg: Config, names: str | Sequence[str]) -> None:
    """Put groups behind all other transforms of the training pipeline, in place.

    Args:
        cfg: A classifier's.
        names: Keys of :data:`GROUPS`; one that stands twice counts once.

    Raises:
        ConfigError: They are no names, one is unknown, Albumentations is missing,
            the model is no classifier, or colour is what tells the classes apart.
    """
    names = [names] if isinstance(names, str) else names
    known = isinstance(names, (list, tuple)) and all(isinstance(n, str) for n in names)
    if not known:
        there = ', '.join(GROUPS)
        raise ConfigError(f'augment={names}: needs names of groups; there are {there}')
    names = list(dict.fromkeys(names))
    for name in names:
        if name not in GROUPS:
            there = ', '.join(GROUPS)
            raise ConfigError(f'augment={name}: no such group; there are {there}')
    if cfg.model['type'] != 'ImageClassifier':
        raise ConfigError(
            f'augment={",".join(names)} is for classification, and the model is '
            f'{cfg.model["type"]}'
        )
    if 'colour' in names and cfg.get('colour_is_class'):
        raise ConfigError(
            'augment=colour: colour tells the classes of this data set apart; leave '
            'it out, or say colour_is_class=False'
        )
    if find_spec('albumentations') is None:
        raise ConfigError(INSTALL)
    dataset = _with_pipeline(cfg.train_dataloader['dataset'])
    step = {'type': 'OneOfEachGroup', 'groups': [GROUPS[name] for name in names]}
    *steps, pack = (s for s in dataset['pipeline'] if s['type'] != step['type'])
    dataset['pipeline'] = [*steps, step, pack]


def _with_pipeline(dataset: Any) -> Any:
    """Return the data set that has the pipeline, inside of wrappers."""
    while isinstance(dataset.get('dataset'), Mapping):
        dataset = dataset['dataset']
    return dataset
