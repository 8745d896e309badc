"""The settings that reach a whole config, from its leaf or by ``--cfg-options``.

:data:`SETTINGS` is their table: ``docs/settings.md`` and ``train.py --help`` show it.
"""

import copy
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from mmengine.config import Config
from mmengine.utils import import_modules_from_strings

from custom_datasets.config import read_config, require_sections
from custom_datasets.errors import ConfigError, UserError
from custom_datasets.settings import data_sets, precision, tracking, training


def load_config(path: str, options: Mapping[str, Any] | None = None) -> Config:
    """Read a config without torch, and carry out its settings on data.

    Nothing that the config imports is imported.

    Args:
        path: The leaf.
        options: What ``--cfg-options`` sets, by dotted name.

    Raises:
        ConfigError: It does not exist, can't be read, has something else where a
            dictionary belongs, or a setting can't be carried out.
    """
    if not os.path.isfile(path):
        raise ConfigError(f'{path}: no such config')
    cfg = read_config(path)
    try:
        cfg.merge_from_dict(dict(options or {}))
    except (KeyError, TypeError) as error:
        raise ConfigError(f'{path}: cannot be read ({error})') from error
    require_sections(cfg)
    apply_data_settings(cfg)
    return cfg


def apply_settings(cfg: Config) -> None:
    """Carry out all settings in place, in the order of the table.

    One that is absent or None changes nothing, and applying twice is the same as
    applying once. The model's classes are looked up in the current default scope.

    Raises:
        ConfigError: A value can't be, or is for another task.
    """
    brings_dataset = cfg.get('dataset_base') is not None
    apply_data_settings(cfg)
    if brings_dataset:
        import_modules_from_strings(**cfg.custom_imports)
    _apply(cfg, on_data=False)


def apply_data_settings(cfg: Config) -> None:
    """Carry out those of the settings that need neither torch nor a model."""
    data_sets.forget_inherited_root(cfg)
    _apply(cfg, on_data=True)


def training_problems(cfg: Config) -> list[str]:
    """Return why settings on training could not be carried out; loads no torch.

    ``cfg`` stays as it is; one without a model or training data has no answer.
    """
    trial = copy.deepcopy(cfg)
    dataset = (trial.get('train_dataloader') or {}).get('dataset') or {}
    if 'type' not in (trial.get('model') or {}) or 'type' not in dataset:
        return []
    problems = []
    for setting in SETTINGS:
        value = trial.get(setting.name)
        attempt = setting.attempt or setting.apply
        if attempt and not setting.on_data and value is not None:
            try:
                attempt(trial, value)
            except UserError as error:
                problems.append(str(error))
    return problems


def _apply(cfg: Config, on_data: bool) -> None:
    for setting in SETTINGS:
        value = cfg.get(setting.name)
        if setting.apply and setting.on_data == on_data and value is not None:
            setting.apply(cfg, value)


@dataclass(frozen=True)
class Setting:
    """A row of the table.

    Attributes:
        name: What a leaf or ``--cfg-options`` sets.
        values: What it can be, as the user writes it.
        help: What it does, in one line.
        apply: Carries it out in place; None where another part reads it.
        on_data: Whether it needs neither torch nor a model.
        attempt: Raises what ``apply`` would, without torch; None where that has none.
    """

    name: str
    values: str
    help: str
    apply: Callable[[Config, Any], None] | None = None
    on_data: bool = False
    attempt: Callable[[Config, Any], object] | None = None


SETTINGS = (
    Setting(
        'dataset_base',
        'FILE',
        'replaces the data sets of a whole upstream config by those of a base',
        data_sets.place_dataset,
        on_data=True,
    ),
    Setting(
        'data_root',
        'DIR',
        'moves the train, val and test sets at once',
        data_sets.move_data,
        on_data=True,
    ),
    Setting(
        'fold',
        'K',
        'uses the lists of one fold',
        data_sets.take_fold,
        on_data=True,
    ),
    Setting(
        'classes',
        'NAMES or FILE',
        'other classes, for data sets and heads; a file has one per line',
        data_sets.set_classes,
        on_data=True,
    ),
    Setting(
        'ignore_classes',
        'NAMES',
        'annotated classes that all data sets leave out on purpose',
        data_sets.ignore_classes,
        on_data=True,
    ),
    Setting(
        'image_scale',
        'W,H or N',
        'size in pixels that all pipelines resize images to, in training and test',
        data_sets.set_image_scale,
        on_data=True,
    ),
    Setting(
        'advice',
        'FILE',
        'what a demo says of each class: what to do, and what happens next (YAML)',
        data_sets.require_advice_path,
        on_data=True,
    ),
    Setting(
        'loss',
        ' or '.join(training.LOSSES),
        'the loss of a classifier',
        training.set_loss,
    ),
    Setting(
        'mix',
        ' or '.join(training.MIXES),
        'mixes the images of a batch, and their labels, for a classifier',
        training.set_mix,
    ),
    Setting(
        'sampling',
        ' or '.join(training.SAMPLINGS),
        'shows rare classes more often; the second is for detectors too',
        training.set_sampling,
    ),
    Setting(
        'augment',
        ','.join(training.GROUPS),
        'Albumentations for a classifier: one transform of each group you name',
        training.set_augment,
    ),
    Setting(
        'colour_is_class',
        'True or False',
        'whether colour tells classes apart: then augment=colour is refused',
    ),
    Setting(
        'from_scratch',
        'True or False',
        'random weights: nothing downloaded, nothing frozen, batch norm trained',
        training.start_from_scratch,
        attempt=lambda cfg, value: training.asks_from_scratch({'from_scratch': value}),
    ),
    Setting(
        'precision',
        ' or '.join(precision.PRECISIONS),
        'numbers of training steps; auto is bfloat16 on a CPU that is made for it',
        attempt=lambda cfg, value: precision.read_precision(cfg),
    ),
    Setting(
        'cache',
        ' or '.join(training.PLACES),
        'decodes images once, and keeps their pixels for all epochs',
        attempt=lambda cfg, value: training.read_cache({'cache': value}),
    ),
    Setting(
        'track',
        'tensorboard,wandb,mlflow',
        'shows the curves of a run there too; install the package first',
        attempt=lambda cfg, value: tracking.read_trackers(value),
    ),
)


def settings_table() -> str:
    """Return the table in Markdown, as ``docs/settings.md`` has it."""
    rows = [f'| `{s.name}` | `{s.values}` | {s.help} |' for s in SETTINGS]
    return '\n'.join(['| setting | values | what it does |', '|---|---|---|', *rows])


def settings_help() -> str:
    """Return the table as ``train.py --help`` has it."""
    lines = []
    for setting in SETTINGS:
        lines += [f'  {setting.name}={setting.values}', f'      {setting.help}']
    return '\n'.join(lines)
