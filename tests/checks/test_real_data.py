"""Balance, sizes and anchors on the real sets."""

import json
import os

import pytest
from mmengine.config import Config

from custom_datasets.checks.anchors import check_anchors
from custom_datasets.checks.balance import check_balance, check_small_boxes
from custom_datasets.checks.reading import read_sources
from custom_datasets.checks.scale import scale_boxes
from custom_datasets.data.config_sources import find_sources
from custom_datasets.data.records import BoxRecord, ImageRecord, SplitRecords
from custom_datasets.settings import apply_data_settings
from tests.leaves import ROOT

pytestmark = pytest.mark.real_data

STOCK = dict(
    octave_base_scale=4,
    scales_per_octave=3,
    ratios=[0.5, 1.0, 2.0],
    strides=[8, 16, 32, 64, 128],
)


def bccd(leaf, root):
    """Return a leaf's config, its splits and the training set's boxes, scaled."""
    cfg = Config.fromfile(
        ROOT / f'configs/bccd/{leaf}_bccd.py', import_custom_modules=False
    )
    cfg.data_root = str(root / 'bccd')
    apply_data_settings(cfg)
    splits, _ = read_sources(find_sources(cfg)[0])
    pipeline = cfg.train_dataloader.dataset.pipeline
    return cfg, splits, scale_boxes(splits[0], {}, pipeline)


@pytest.mark.parametrize(
    'leaf', ['retinanet_r18_fpn_1xb4-24e', 'faster-rcnn_r50_fpn_1xb4-24e']
)
def test_the_anchors_of_the_bccd_leaves_reach_every_class(real_data_root, leaf):
    cfg, _, scaled = bccd(leaf, real_data_root)
    (finding,) = check_anchors(cfg.model, scaled)
    assert (finding.code, finding.severity) == ('anchor-recall', 'note')


def test_stock_anchors_miss_the_platelets_at_half_the_size(real_data_root):
    cfg, _, scaled = bccd('retinanet_r18_fpn_1xb4-24e', real_data_root)
    cfg.model.bbox_head.anchor_generator = dict(type='AnchorGenerator', **STOCK)
    (finding,) = check_anchors(cfg.model, scaled)
    assert finding.severity == 'warning'
    assert 'reach 0.945 (Platelets 0.273, WBC 0.995, RBC 1)' in finding.message
    assert 'would reach 0.997 (Platelets 0.981' in finding.hint


def test_bccd_is_uneven_and_nothing_else(real_data_root):
    _, splits, scaled = bccd('retinanet_r18_fpn_1xb4-24e', real_data_root)
    (finding,) = check_balance(splits)
    assert (finding.code, finding.severity) == ('class-balance', 'warning')
    assert finding.message.startswith('RBC is 11.4 times as frequent as Platelets')
    assert 'share their images' in finding.hint
    assert check_small_boxes(splits[0], scaled) == []


def test_waste_is_uneven(real_data_root):
    folder = real_data_root / 'waste'
    names = sorted(path.name for path in folder.iterdir() if path.is_dir())
    images = [
        ImageRecord(file, f'{folder}/{name}/{file}', label=name)
        for name in names
        for file in sorted(os.listdir(folder / name))
    ]
    split = SplitRecords('train', tuple(names), tuple(images))
    (finding,) = check_balance([split])
    assert finding.message.startswith('paper is 4.34 times as frequent as trash')
    assert finding.hint.endswith('up to 2 times, which leaves 2.17 to 1')


def test_metal_surface_is_even(real_data_root):
    path = real_data_root / 'metal_surface/anno/annotation.json'
    images = tuple(
        ImageRecord(
            name,
            name,
            boxes=tuple(
                BoxRecord(index, item['label'], tuple(item['bbox']))
                for index, item in enumerate(entry['anno'])
            ),
        )
        for name, entry in json.loads(path.read_text()).items()
    )
    classes = {box.name for image in images for box in image.boxes}
    assert not check_balance([SplitRecords('train', tuple(classes), images)])
