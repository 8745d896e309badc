"""Images are decoded once, and batches stay the same."""

import logging
import os
import pickle
import random
import shutil
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmcv.transforms import LoadImageFromFile
from mmdet.datasets.transforms import Resize
from mmengine.registry import init_default_scope
from mmengine.structures import BaseDataElement
from mmengine.utils import import_modules_from_strings

from custom_datasets.errors import ConfigError, UserError
from custom_datasets.settings import load_config
from custom_datasets.settings.training import read_cache
from custom_datasets.training import decode_once
from custom_datasets.training.decode_once import (
    DecodeOnce,
    DecodeOnceHook,
    PixelStore,
    keep_images,
)
from custom_datasets.training.runner import PluginRunner
from tests.leaves import LEAVES, SAMPLE

RANDOM = next(leaf for leaf in LEAVES if leaf.stem == 'retinanet_r18_fpn_1xb4-24e_bccd')
CROPS = next(
    leaf for leaf in LEAVES if leaf.stem == 'resnet18_light_1xb64-30e_metal-surface'
)
ROOM = 1e9


@pytest.fixture
def data(bccd_root, metal_crops, tmp_path):
    """Copies of the data sets, by leaf, whose images can be removed."""
    boxes = Path(shutil.copytree(bccd_root, tmp_path / 'boxes'))
    crops = Path(shutil.copytree(metal_crops, tmp_path / 'crops'))
    return {SAMPLE: boxes, RANDOM: boxes, CROPS: crops}


def loader_of(leaf, root, split='train', workers=0):
    folders = sorted(path.name for path in root.glob('train/*'))
    classes = {'classes': folders} if leaf == CROPS else {}
    cfg = load_config(str(leaf), {'data_root': str(root), **classes})
    import_modules_from_strings(**cfg.custom_imports)
    init_default_scope(cfg.default_scope)
    settings = cfg[f'{split}_dataloader']
    settings['num_workers'] = workers
    settings['batch_size'] = 4
    return PluginRunner.build_dataloader(settings, seed=0)


def epoch_of(loader, epoch):
    random.seed(epoch)
    np.random.seed(epoch)
    torch.manual_seed(epoch)
    (getattr(loader.batch_sampler, 'sampler', None) or loader.sampler).set_epoch(epoch)
    return [plain(batch) for batch in loader]


def plain(value):
    """Turn a batch into lists and tuples that are compared by every bit."""
    value = getattr(value, 'tensor', value)
    if isinstance(value, torch.Tensor):
        value = value.numpy()
    if isinstance(value, np.ndarray):
        return value.dtype.str, value.shape, value.tobytes()
    if isinstance(value, BaseDataElement):
        return type(value).__name__, plain(dict(value.all_items()))
    if isinstance(value, Mapping):
        return {name: plain(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value).__name__, [plain(each) for each in value]
    return value


def remove_images(root):
    images = [p for p in root.rglob('*') if p.suffix in ('.jpg', '.png')]
    assert images
    for path in images:
        path.unlink()


@pytest.mark.parametrize('workers', [0, 2])
@pytest.mark.parametrize(
    ('leaf', 'split', 'steps'),
    [
        (SAMPLE, 'train', ['load', 'annotate', 'resize']),
        (SAMPLE, 'val', ['load', 'resize']),
        (RANDOM, 'train', ['load']),
        (CROPS, 'train', ['load', 'resize']),
        (CROPS, 'val', ['load', 'resize']),
    ],
)
def test_batches_are_the_same_to_the_bit(data, leaf, split, steps, workers, tmp_path):
    root = data[leaf]
    stock = loader_of(leaf, root, split, workers)
    as_ever = [epoch_of(stock, epoch) for epoch in range(3)]
    assert split == 'val' or as_ever[0] != as_ever[1]
    loader = loader_of(leaf, root, split, workers)
    before = len(loader.dataset.pipeline.transforms)
    images, size = keep_images(loader, str(tmp_path) if workers else None, ROOM)
    assert images == len(loader.dataset)
    assert size < ROOM
    after = loader.dataset.pipeline.transforms
    assert isinstance(after[0], DecodeOnce)
    assert len(after) == before - len(steps) + 1
    assert epoch_of(loader, 0) == as_ever[0]
    remove_images(root)
    assert epoch_of(loader, 1) == as_ever[1]
    assert epoch_of(loader, 2) == as_ever[2]


@pytest.mark.real_data
@pytest.mark.parametrize('workers', [0, 2])
@pytest.mark.parametrize('name', ['retinanet_r18', 'retinanet_r50'])
def test_real_batches_are_the_same_to_the_bit(real_data_root, name, workers):
    """With a size that is drawn, and with a fixed one."""
    leaf = next(each for each in LEAVES if each.stem == f'{name}_fpn_1xb4-24e_bccd')
    root = real_data_root / 'bccd'
    stock, loader = (loader_of(leaf, root, workers=workers) for _ in range(2))
    assert keep_images(loader, None, ROOM)[0] == 205
    for epoch in range(2):
        assert epoch_of(loader, epoch) == epoch_of(stock, epoch)


def test_a_size_that_depends_on_the_image_is_made_each_time(data):
    batches = []
    for keeps in (False, True):
        loader = loader_of(SAMPLE, data[SAMPLE])
        steps = loader.dataset.pipeline.transforms
        assert isinstance(steps[2], Resize)
        steps[2] = Resize(scale_factor=0.5)
        if keeps:
            keep_images(loader, None, ROOM)
            assert steps[2].scale_factor == (0.5, 0.5)
        batches.append([epoch_of(loader, epoch) for epoch in range(2)])
    assert batches[0] == batches[1]


def test_each_taker_gets_pixels_of_its_own():
    store = PixelStore({'a': 12, 'b': 3}, None)
    pixels = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    assert store.get('a') is None
    store.put('a', pixels, [{'ori_shape': (2, 2)}, {'scale_factor': (0.1, 1 / 3)}])
    taken, note = store.get('a')
    assert (taken == pixels).all()
    assert note == [{'ori_shape': (2, 2)}, {'scale_factor': (0.1, 1 / 3)}]
    taken[:] = 0
    assert (store.get('a')[0] == pixels).all()


def test_what_has_no_room_is_not_kept():
    store = PixelStore({'a': 12, 'b': 11, 'c': 48}, None)
    pixels = np.ones((2, 2, 3), np.uint8)
    store.put('b', pixels, [])  # Larger than its annotation claims.
    store.put('c', pixels.astype(np.float32), [])
    store.put('d', pixels, [])
    store.put('a', pixels, ['x' * 600])
    assert [store.get(name) for name in 'abcd'] == [None] * 4


def test_a_file_on_disk_has_no_name(tmp_path):
    store = PixelStore({'a': 12}, str(tmp_path))
    store.put('a', np.ones((2, 2, 3), np.uint8), [])
    assert store.get('a')[0].sum() == 12
    assert os.listdir(tmp_path) == []


def test_a_store_that_is_sent_keeps_nothing():
    store = PixelStore({'a': 12}, None)
    store.put('a', np.ones((2, 2, 3), np.uint8), [])
    sent = pickle.loads(pickle.dumps(store))
    sent.put('a', np.ones((2, 2, 3), np.uint8), [])
    assert sent.get('a') is None


def runner_of(loader, folder):
    return SimpleNamespace(
        train_dataloader=loader,
        val_loop=None,
        work_dir=str(folder),
        logger=logging.getLogger('decode_once'),
    )


@pytest.mark.parametrize('place', ['ram', 'disk'])
def test_what_does_not_fit_is_decoded_as_ever(
    data, place, tmp_path, monkeypatch, caplog
):
    monkeypatch.setattr(decode_once, 'MEMORY_SHARE', 1e-9)
    monkeypatch.setattr(decode_once, 'DISK_SHARE', 1e-9)
    loader = loader_of(SAMPLE, data[SAMPLE])
    with caplog.at_level('INFO'):
        DecodeOnceHook(place).before_train(runner_of(loader, tmp_path))
    (record,) = caplog.records
    assert record.levelname == 'WARNING'
    assert record.message.startswith(f'cache={place}, train: ')
    assert record.message.endswith(
        f'{len(loader.dataset)} images need 0.3 MB, and 0.0 MB may be taken; '
        'decoded in each epoch'
    )
    assert type(loader.dataset.pipeline.transforms[0]) is LoadImageFromFile


@pytest.mark.parametrize('place', ['ram', 'disk'])
def test_the_hook_says_what_is_kept(data, place, tmp_path, caplog):
    loader = loader_of(SAMPLE, data[SAMPLE])
    with caplog.at_level('INFO'):
        DecodeOnceHook(place).before_train(runner_of(loader, tmp_path))
    (record,) = caplog.records
    assert record.levelname == 'INFO'
    assert f'{len(loader.dataset)} images are decoded once, 0.3 MB' in record.message
    assert isinstance(loader.dataset.pipeline.transforms[0], DecodeOnce)


def test_workers_that_are_not_forked_share_nothing(data, monkeypatch):
    loader = loader_of(SAMPLE, data[SAMPLE], workers=1)
    monkeypatch.setattr('multiprocessing.get_start_method', lambda: 'spawn')
    with pytest.raises(UserError, match='not forked'):
        keep_images(loader, None, ROOM)


def test_another_way_to_load_is_left_alone(data):
    loader = loader_of(SAMPLE, data[SAMPLE])
    del loader.dataset.pipeline.transforms[0]
    with pytest.raises(UserError, match='does not begin with LoadImageFromFile'):
        keep_images(loader, None, ROOM)


def test_the_setting_says_where():
    assert [read_cache({'cache': v}) for v in ('ram', 'disk')] == ['ram', 'disk']
    assert [read_cache(cfg) for cfg in ({}, {'cache': False})] == [None, None]
    for value in (True, 'memory', ['ram']):
        with pytest.raises(ConfigError, match=r'it can be ram or disk'):
            read_cache({'cache': value})
