"""Tiny data sets, drawn once for the whole run, and the folder of real ones."""

import functools
import gc
import os
import signal
from pathlib import Path

import pytest
import torch
from mmengine.config import utils as config_utils
from mmengine.logging import MMLogger
from mmengine.visualization import Visualizer

from custom_datasets.data.defect_crops import convert
from custom_datasets.data.face_mask import write_split
from custom_datasets.data.split import split_dataset
from custom_datasets.samples.boxes import (
    METAL_CLASSES,
    draw_bccd,
    draw_face_mask,
    draw_metal_surface,
    draw_recycling,
    draw_wider_face,
)

FACE_CLASSES = ('with_mask', 'without_mask', 'mask_weared_incorrect')


def pytest_configure():
    """Read upstream's model index once, and take one core for each process.

    mmengine reads the index, a hundred YAML files, for each ``mmdet::`` base of a
    config.
    """
    config_utils.load = functools.cache(config_utils.load)
    if 'PYTEST_XDIST_WORKER' in os.environ:
        torch.set_num_threads(1)
        os.environ.setdefault('OMP_NUM_THREADS', '1')


@pytest.hookimpl(wrapper=True)
def pytest_collection():
    """Keep the garbage collector off torch's and mmdet's objects, which all stay."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(items):
    """Keep the tests of a command in one process, and those that share ``cells``.

    Most of them share a run, which a second process would train again; and those
    that are distributed are processes enough.
    """
    items = [item for item in items if item.path.parent.name == 'tools']
    sharing = {item.path for item in items if 'cells' in item.fixturenames}
    for item in items:
        group = 'cells' if item.path in sharing else item.path.stem
        item.add_marker(pytest.mark.xdist_group(group))


@pytest.fixture(autouse=True)
def fresh_mmengine():
    """Forget visualizers and loggers after each test, as a process of its own would.

    mmengine keeps them by name, and takes the one that was made last. Loggers are named
    by the second: a run that followed at once had no log file.
    """
    yield
    kinds = [Visualizer, MMLogger]
    while kinds:
        kind = kinds.pop()
        kind._instance_dict.clear()
        kinds += kind.__subclasses__()


@pytest.fixture(scope='session', autouse=True)
def ctrl_c():
    """Let Ctrl-C reach the commands that tests start.

    A shell starts what runs in its background deaf to it, and so its children.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope='session', autouse=True)
def own_cache(tmp_path_factory):
    """Keep what the checker caches out of the user's home."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('XDG_CACHE_HOME', str(tmp_path_factory.mktemp('cache')))
        yield


@pytest.fixture(scope='session')
def bccd_root(tmp_path_factory):
    """Eight images to train on, four to validate, four to test."""
    root = tmp_path_factory.mktemp('drawn') / 'bccd'
    draw_bccd(str(root), {'train': 8, 'val': 4, 'test': 4}, (96, 80))
    return root


@pytest.fixture(scope='session')
def face_mask_root(tmp_path_factory):
    """Forty images, eight of them with the rare class, and split lists."""
    root = tmp_path_factory.mktemp('drawn') / 'face_mask'
    draw_face_mask(str(root))
    write_split(str(root), FACE_CLASSES)
    return root


@pytest.fixture(scope='session')
def wider_face_root(tmp_path_factory):
    """Sixteen images of two events, and two lists."""
    root = tmp_path_factory.mktemp('drawn') / 'wider_face'
    draw_wider_face(str(root))
    return root


@pytest.fixture(scope='session')
def recycling_root(tmp_path_factory):
    """Forty photographs of twenty scenes, in two lists, and six that are not annotated.

    The third part of them is for validation.
    """
    root = tmp_path_factory.mktemp('drawn') / 'recycling'
    draw_recycling(str(root), {'train': 40, 'test': 6}, (96, 96))
    source, held = (str(root / f'{part}.json') for part in ('train', 'test'))
    split_dataset(source, {'train': 2, 'val': 1}, test_list=held)
    return root


@pytest.fixture(scope='session')
def metal_root(tmp_path_factory):
    """Sixty photographs and their JSON, as they come."""
    root = tmp_path_factory.mktemp('drawn') / 'metal_surface'
    draw_metal_surface(str(root))
    return root


@pytest.fixture(scope='session')
def metal_crops(metal_root, tmp_path_factory):
    """The crops of ``metal_root``."""
    out = tmp_path_factory.mktemp('drawn') / 'metal_crops'
    convert(str(metal_root), str(out), METAL_CLASSES)
    return out


@pytest.fixture(scope='session')
def real_data_root():
    """The folder that REAL_DATA_ROOT names; without it the test is skipped."""
    root = os.environ.get('REAL_DATA_ROOT')
    if not root:
        pytest.skip('REAL_DATA_ROOT names no folder')
    path = Path(root).resolve()
    assert path.is_dir(), f'REAL_DATA_ROOT={root}: no such folder'
    return path
