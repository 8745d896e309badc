"""Average precision, as pycocotools and mmdet have it, for any weights of images."""

import numpy as np
import pytest

from custom_datasets.datasets.bccd import BCCDDataset
from custom_datasets.evaluation.average_precision import (
    ap_tables,
)
from tests.evaluation.detection_references import coco_reference, voc_reference
from tests.evaluation.drawn_detections import detections, disturb, draw

CLOSE = 1e-6

DRAWN = {
    'plain': {},
    'ties': {'ties': True},
    'many images': {'images': 60, 'predictions': 20},
    'one image': {'images': 1, 'predictions': 60},
    'one class': {'classes': 1},
    'a class without truth': {'unannotated': (2,)},
    'a class without predictions': {'unpredicted': (1,)},
    'both': {'unannotated': (0,), 'unpredicted': (0, 3), 'ties': True},
    'nothing ignored': {'ignore': 0},
    'most ignored': {'ignore': 0.8},
    'over 100 of a class and image': {'classes': 2, 'predictions': 500, 'images': 4},
    'over 100, ties': {'classes': 1, 'predictions': 300, 'images': 3, 'ties': True},
}
CASES = [
    pytest.param(seed, options, id=f'{name} {seed}')
    for name, options in DRAWN.items()
    for seed in range(4)
]


def ones(results):
    return np.ones(len(results.images))


@pytest.mark.parametrize(('seed', 'options'), CASES)
def test_coco_ap_is_that_of_pycocotools(seed, options):
    results = draw(seed, **options)
    tables = ap_tables(results)
    precision, summary = coco_reference(results)
    grid = tables.coco_grid(ones(results))
    np.testing.assert_allclose(grid, precision, atol=CLOSE)
    values = tables.coco_ap(ones(results))
    np.testing.assert_allclose(values[:6], summary, atol=CLOSE)
    np.testing.assert_allclose(values[6:], precision[0].mean(axis=1), atol=CLOSE)


@pytest.mark.parametrize(('seed', 'options'), CASES)
def test_area_ap50_is_that_of_mmdet(seed, options, monkeypatch):
    results = draw(seed, **options)
    values = ap_tables(results).ap50(ones(results))
    np.testing.assert_allclose(values, voc_reference(results, monkeypatch), atol=CLOSE)


@pytest.mark.parametrize('seed', range(6))
def test_an_image_that_weighs_two_is_there_twice(seed):
    results = draw(seed, images=15)
    images = len(results.images)
    weights = np.bincount(
        np.random.default_rng(seed).integers(images, size=images), minlength=images
    )
    tables = ap_tables(results)
    repeated = results.take(np.repeat(np.arange(images), weights))
    precision, summary = coco_reference(repeated)
    np.testing.assert_allclose(tables.coco_grid(weights), precision, atol=CLOSE)
    np.testing.assert_allclose(tables.coco_ap(weights)[:6], summary, atol=CLOSE)
    area = ap_tables(repeated).ap50(ones(repeated))
    np.testing.assert_allclose(tables.ap50(weights), area, atol=CLOSE)


def test_of_boxes_that_overlap_alike_coco_takes_the_last():
    # The first prediction is 2/3 of either box, the second is the first box.
    one, other, between = (0, 0, 10, 10), (4, 0, 14, 10), (2, 0, 12, 10)
    results = detections(
        [(0, 0, one), (0, 0, other)], [(0, 0, between, 0.9), (0, 0, one, 0.8)]
    )
    grid = ap_tables(results).coco_grid(np.ones(1))
    assert grid[0, 0, 0] == 1
    np.testing.assert_allclose(grid, coco_reference(results)[0])


def test_a_pair_on_the_edge_falls_where_mmdet_s_single_precision_puts_it(monkeypatch):
    box, moved = (88.4, 57.5, 172.9, 342.2), (116.5666666, 57.5, 201.0666666, 342.2)
    results = detections([(0, 0, box)], [(0, 0, np.float32(moved), 0.9)])
    # In double precision their IoU is 0.4999999975.
    values = ap_tables(results).ap50(np.ones(1))
    np.testing.assert_equal(values, [1, 1, np.nan])
    np.testing.assert_equal(values, voc_reference(results, monkeypatch))


def test_nothing_to_find_is_nan_and_nothing_found_is_zero():
    tables = ap_tables(detections([], [], images=2))
    assert np.isnan(tables.ap50(np.ones(2))).all()
    assert np.isnan(tables.coco_ap(np.ones(2))).all()
    tables = ap_tables(detections([(0, 0, (0, 0, 50, 50))], []))
    np.testing.assert_allclose(tables.ap50(np.ones(1)), [0, 0, np.nan])
    assert tables.coco_ap(np.ones(1))[0] == 0


@pytest.mark.real_data
def test_on_real_boxes(real_data_root, monkeypatch):
    dataset = BCCDDataset(
        data_root=str(real_data_root / 'bccd'),
        ann_file='ImageSets/Main/test.txt',
        pipeline=[],
        test_mode=True,
    )
    truth = [
        (index, one['bbox_label'], one['bbox'], bool(one['ignore_flag']))
        for index in range(len(dataset))
        for one in dataset.get_data_info(index)['instances']
    ]
    assert len(truth) > 900
    for seed in range(3):
        results = disturb(truth, ('RBC', 'WBC', 'Platelets'), len(dataset), seed)
        tables = ap_tables(results)
        precision, summary = coco_reference(results)
        area = voc_reference(results, monkeypatch)
        assert 0.3 < area[0] < 0.95
        weights = ones(results)
        np.testing.assert_allclose(tables.coco_grid(weights), precision, atol=CLOSE)
        np.testing.assert_allclose(tables.coco_ap(weights)[:6], summary, atol=CLOSE)
        np.testing.assert_allclose(tables.ap50(weights), area, atol=CLOSE)
