"""A generator that was trained for two epochs on a few drawn pictures."""

import pytest

from custom_datasets.samples.boxes import METAL_CLASSES
from tests.leaves import GENERATORS, small_run
from tools import train as train_tool

LEAF = next(leaf for leaf in GENERATORS if leaf.stem.endswith('metal-surface'))


@pytest.fixture(scope='session')
def generator_options(metal_crops):
    """What trains the leaf in seconds."""
    # Nothing shuffles what two workers could tell apart.
    return [
        *small_run(LEAF, metal_crops),
        f'classes={",".join(METAL_CLASSES)}',
        'train_cfg.max_epochs=2',
        'model.network.channels=32,32',
        'model.network.attention=False,True',
    ]


@pytest.fixture(scope='session')
def generator_run(generator_options, tmp_path_factory):
    """The work directory of a run."""
    work_dir = tmp_path_factory.mktemp('generator') / 'run'
    arguments = [str(LEAF), '--work-dir', str(work_dir), '--cfg-options']
    assert train_tool.main([*arguments, *generator_options]) == 0
    return work_dir
