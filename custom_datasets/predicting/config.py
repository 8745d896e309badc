"""The config of a run, made ready for prediction, and what its data sets say."""

import inspect
import io
import logging
import sys
import threading
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from typing import Any, NamedTuple

import numpy as np
from mmengine.config import Config
from mmengine.registry import DATASETS, TRANSFORMS
from mmengine.utils import import_modules_from_strings

from custom_datasets.config import iter_dicts
from custom_datasets.errors import ConfigError
from custom_datasets.evaluation.results import Samples, image_keys
from custom_datasets.predicting.scopes import use_scope
from custom_datasets.settings import load_config
from custom_datasets.starting import late_imports, settling, uncollected
from custom_datasets.versions import INSTALL

SPLITS = {'test': 'test', 'validation': 'val'}
"""How a config abbreviates the parts of the data that a report is about."""

_QUIET = threading.RLock()
_GENERATION = 'custom_datasets.generation.task'
_NEEDED = ('img_id', 'img_path', 'ori_shape', 'instances')


class DataSet(NamedTuple):
    """What a report needs to know of a data set.

    ``keys`` tell each image from the others in any run; ``palette`` and ``attributes``
    are those of ``METAINFO``, or None.
    """

    classes: tuple[str, ...]
    palette: Any
    keys: tuple[str, ...]
    paths: tuple[str, ...]
    attributes: Any = None


def read_settings(
    config: str, options: Mapping[str, Any] | None = None, generates: bool = False
) -> Config:
    """Read a config, import what it names, and let predictions keep the truth.

    Args:
        config: Its path.
        options: What ``--cfg-options`` sets, by dotted name.
        generates: Whether it has to be a generator's; else it must not be one's.

    Raises:
        ConfigError: It is of another task, has no test set, or can't be read.
    """
    cfg = load_config(config, options)
    scope = cfg.get('default_scope')
    if scope not in ('mmdet', 'mmpretrain'):
        raise ConfigError(
            f'{config}: default_scope is {scope}; it must be mmdet or mmpretrain'
        )
    _require_task(config, cfg, generates)
    if not has_split(cfg, 'test'):
        raise ConfigError(
            f'{config}: has no test set (test_dataloader and test_evaluator)'
        )
    # What is made later may be garbage one day, so this is for imports only.
    starting = uncollected() if scope in sys.modules else settling('packages')
    try:
        with quiet(), starting, late_imports():
            import_modules_from_strings([scope, 'custom_datasets.training.runner'])
            if cfg.get('custom_imports'):
                import_modules_from_strings(**cfg.custom_imports)
    except ImportError as error:
        raise ConfigError(f'{config}: {error}; {INSTALL}') from error
    if is_detection(cfg):
        for split in SPLITS.values():
            _keep_truth(cfg.get(f'{split}_dataloader'))
    return cfg


def is_detection(cfg: Mapping[str, Any]) -> bool:
    """Tell a detector's config from a classifier's."""
    return bool(cfg['default_scope'] == 'mmdet')


def is_generation(cfg: Mapping[str, Any]) -> bool:
    """Tell a generator's config, which imports its parts, from a classifier's."""
    return _GENERATION in ((cfg.get('custom_imports') or {}).get('imports') or ())


def has_split(cfg: Mapping[str, Any], split: str) -> bool:
    """Tell whether a config names the data and how to evaluate them."""
    name = SPLITS[split]
    return bool(cfg.get(f'{name}_dataloader') and cfg.get(f'{name}_evaluator'))


def same_data(cfg: Mapping[str, Any]) -> bool:
    """Tell whether validation and test are one data set, as some configs have it."""
    test, val = (cfg[f'{name}_dataloader']['dataset'] for name in SPLITS.values())
    return bool(test == val)


def read_dataset(cfg: Config, split: str) -> DataSet:
    """Read a data set's annotations; a UserError where they cannot be read."""
    settings = cfg[f'{SPLITS[split]}_dataloader']['dataset']
    with quiet(), use_scope(cfg.default_scope):
        return describe_dataset(DATASETS.build(settings))


def read_truth(cfg: Config, split: str) -> tuple[DataSet, Samples]:
    """Read a data set and what is known of its images, as predictions have it.

    All numbers are plain ones. Raises a UserError where it cannot be read.
    """
    settings = cfg[f'{SPLITS[split]}_dataloader']['dataset']
    with quiet(), use_scope(cfg.default_scope):
        dataset = DATASETS.build(settings)
        infos = [dataset.get_data_info(index) for index in range(len(dataset))]
    data = describe_dataset(dataset)
    samples: Samples = []
    for info, key in zip(infos, data.keys, strict=True):
        sample: dict[str, Any] = {'img_path': str(info['img_path']), 'img_id': key}
        if 'instances' in info:
            sample['instances'] = [
                {
                    'bbox': [float(side) for side in row['bbox']],
                    'bbox_label': int(row['bbox_label']),
                    'ignore_flag': int(row.get('ignore_flag') or 0),
                }
                for row in info['instances']
            ]
        elif 'gt_label' in info:
            sample['gt_label'] = [int(label) for label in np.ravel(info['gt_label'])]
        samples.append(sample)
    return data, samples


def describe_dataset(dataset: Any) -> DataSet:
    """Collect what a report needs to know of a data set that is already built."""
    infos = [dataset.get_data_info(index) for index in range(len(dataset))]
    paths = [str(info['img_path']) for info in infos]
    keys = [str(info['img_id']) for info in infos if 'img_id' in info]
    return DataSet(
        tuple(map(str, dataset.metainfo.get('classes') or ())),
        dataset.metainfo.get('palette'),
        tuple(keys if len(keys) == len(paths) else image_keys(paths)),
        tuple(paths),
        dataset.metainfo.get('attributes'),
    )


@contextmanager
def quiet() -> Iterator[None]:
    """Keep logs, prints and warnings from the terminal."""
    # What is changed is the process's, so threads take turns.
    with _QUIET:
        before = logging.root.manager.disable
        logging.disable(logging.WARNING)
        try:
            with redirect_stdout(io.StringIO()), warnings.catch_warnings():
                warnings.simplefilter('ignore')
                yield
        finally:
            logging.disable(before)


def _require_task(config: str, cfg: Mapping[str, Any], generates: bool) -> None:
    if generates and not is_generation(cfg):
        task = 'detector' if is_detection(cfg) else 'classifier'
        raise ConfigError(
            f"{config}: is a {task}'s, and makes no pictures; configs/generation has "
            'those of generators'
        )
    if is_generation(cfg) and not generates:
        raise ConfigError(
            f"{config}: is a generator's; tools/generate.py makes pictures with it, "
            'and tools/analysis_tools/judge_generator.py judges them'
        )


def _keep_truth(loader: Any) -> None:
    """Let a pipeline pack the annotations, and what tells images apart."""
    for step in iter_dicts(loader):
        if str(step.get('type', '')).split('.')[-1] == 'PackDetInputs':
            keys: Sequence[str] = step.get('meta_keys') or _default_keys()
            step['meta_keys'] = tuple(dict.fromkeys((*keys, *_NEEDED)))


def _default_keys() -> Sequence[str]:
    pack = TRANSFORMS.get('mmdet.PackDetInputs')
    keys: Sequence[str] = inspect.signature(pack).parameters['meta_keys'].default
    return keys
