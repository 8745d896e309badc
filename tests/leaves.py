"""The shipped leaf configs, and how a test runs one in seconds."""

import copy
import functools
from pathlib import Path

from mmengine.config import Config

from custom_datasets.config import LOADERS

ROOT = Path(__file__).resolve().parents[1]
LEAVES = sorted(
    path for path in (ROOT / 'configs').glob('*/*.py') if path.parent.name != '_base_'
)
CLASSIFIERS = [leaf for leaf in LEAVES if 'cls_runtime.py' in leaf.read_text()]
GENERATORS = [leaf for leaf in LEAVES if 'gen_runtime.py' in leaf.read_text()]
DETECTORS = [leaf for leaf in LEAVES if leaf not in (*CLASSIFIERS, *GENERATORS)]
SAMPLE = next(leaf for leaf in LEAVES if leaf.parent.name == 'sample')


def read_leaf(leaf: Path) -> Config:
    """Read a leaf, once in a run of the tests, and return a copy."""
    return copy.deepcopy(_read(leaf))


@functools.cache
def _read(leaf: Path) -> Config:
    return Config.fromfile(leaf)


def small_run(leaf: Path, data_root: Path, size: int = 96) -> list[str]:
    """Return ``--cfg-options`` under which a leaf trains one step in seconds.

    Two images of ``size`` pixels, one epoch, no workers, random weights. A network
    of one size keeps it.
    """
    options = [
        f'data_root={data_root}',
        'from_scratch=True',
        'train_cfg.max_epochs=1',
        'train_cfg.val_interval=1',
        'default_hooks.logger.interval=1',
    ]
    if leaf.stem.startswith('dino'):
        # 900 queries are chosen among as many positions, which small images lack.
        options.append('model.num_queries=100')
    if leaf in GENERATORS:
        # A picture of each class in one step.
        options += ['model.steps=1', 'custom_hooks.1.columns=1']
    elif not leaf.stem.startswith('ssd300'):
        options.append(f'image_scale={size}')
    for loader in LOADERS:
        options += [
            f'{loader}.batch_size=2',
            f'{loader}.num_workers=0',
            f'{loader}.persistent_workers=False',
            f'{loader}.dataset.indices=2',
        ]
    return options
