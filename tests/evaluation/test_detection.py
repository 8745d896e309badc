"""The whole report of a detector: what is in it and that it hangs together."""

import json

import numpy as np
import pytest

from custom_datasets.datasets.bccd import BCCDDataset
from custom_datasets.errors import UserError
from custom_datasets.evaluation.average_precision import ap_tables
from custom_datasets.evaluation.detection import DetectionReport, detection_report
from custom_datasets.evaluation.intervals import resample
from custom_datasets.evaluation.label_doubts import label_doubts
from custom_datasets.evaluation.matching import find_overlaps, match_classwise
from tests.evaluation.drawn_detections import detections, draw
from tests.evaluation.typed import assert_typed

RESAMPLES = 40


@pytest.fixture(scope='module')
def results():
    return draw(7, images=20, predictions=30)


@pytest.fixture(scope='module')
def report(results):
    return detection_report(results, draw(8), resamples=RESAMPLES, seed=3)


def values(part):
    return [part[name] for name in ('value', 'low', 'high')]


def test_counts(report, results):
    truth, predicted = results.truth, results.predicted
    assert report['images'] == 20
    assert report['objects'] == (~truth.ignore).sum()
    assert report['ignored'] == truth.ignore.sum() > 0
    assert report['predictions'] == len(predicted.score)
    assert report['validation']['images'] == 12
    for key in ('objects', 'ignored', 'predictions'):
        assert sum(one[key] for one in report['per_class']) == report[key]
    assert [one['name'] for one in report['per_class']] == report['classes']


def test_intervals_are_those_of_images_drawn_again(report, results):
    drawn = [
        results.take(np.repeat(np.arange(20), weights))
        for weights in resample(20, RESAMPLES, seed=3)
    ]
    area, coco = (
        np.array([getattr(ap_tables(one), name)(np.ones(20)) for one in drawn])
        for name in ('ap50', 'coco_ap')
    )
    plain = ap_tables(results)
    rows = [
        (report['overall']['area_ap50'], area[:, 0], plain.ap50(np.ones(20))[0]),
        (report['per_class'][2]['area_ap50'], area[:, 3], plain.ap50(np.ones(20))[3]),
        *(
            (part, coco[:, index], plain.coco_ap(np.ones(20))[index])
            for index, part in enumerate(report['overall']['coco'].values())
        ),
        (report['per_class'][1]['coco_ap'], coco[:, 7], plain.coco_ap(np.ones(20))[7]),
    ]
    for part, samples, value in rows:
        low, high = np.nanpercentile(samples, [2.5, 97.5])
        assert values(part) == pytest.approx([value, low, high], abs=1e-6)
        assert low < high


def test_rates_are_those_of_the_counts(report):
    thresholds = report['thresholds']
    points = [thresholds['overall'], thresholds['together'], *thresholds['per_class']]
    for point in points:
        found, false, missed = (point[name] for name in ('found', 'false', 'missed'))
        expected = {
            'precision': found / (found + false),
            'recall': found / (found + missed),
            'f1': 2 * found / (2 * found + false + missed),
        }
        for name, value in expected.items():
            part = values(point[name])
            assert part[0] == pytest.approx(value, abs=1e-6)
            assert part[1] <= part[0] <= part[2]
    for name in ('found', 'false', 'missed'):
        total = sum(point[name] for point in thresholds['per_class'])
        assert thresholds['together'][name] == total


def test_sizes_are_of_all_and_of_each_class(report):
    sizes = report['sizes']
    assert sizes['ranges'] == {
        'small': [0, 1024],
        'medium': [1024, 9216],
        'large': [9216, None],
    }
    for name in sizes['ranges']:
        whole = sizes['overall'][name]
        each = [one[name] for one in sizes['per_class']]
        assert whole['objects'] == sum(one['objects'] for one in each) > 0
        assert whole['ap'] == report['overall']['coco'][name]
        known = [one['ap']['value'] for one in each if one['objects']]
        assert whole['ap']['value'] == pytest.approx(np.mean(known), abs=1e-6)
        found = sum(one['objects'] * (one['recall']['value'] or 0) for one in each)
        recall = found / whole['objects']
        assert whole['recall']['value'] == pytest.approx(recall, abs=1e-5)


def test_the_parts_agree(report, results):
    threshold = report['thresholds']['overall']['threshold']
    for part in ('confusion', 'sizes', 'images_ranked'):
        assert report[part]['threshold'] == threshold
    counts = np.array(report['confusion']['counts'])
    assert counts[:-1].sum() == report['objects']
    base = report['overall']['area_ap50']['value']
    assert report['errors']['area_ap50'] == base
    chosen = [point['threshold'] for point in report['thresholds']['per_class']]
    pairs = find_overlaps(results)
    doubts = label_doubts(
        results, pairs, match_classwise(results, pairs), np.array(chosen)
    )
    assert len(doubts) == len(report['label_doubts']) > 0
    for one, curve in zip(
        report['per_class'], report['curves']['per_class'], strict=True
    ):
        assert curve['pr']['recall'][-1] <= 1
        assert len(curve['f1']) == len(report['curves']['thresholds'])
        steps = np.diff(curve['pr']['recall'], prepend=0)
        area = steps @ np.array(curve['pr']['precision'])
        assert area == pytest.approx(one['area_ap50']['value'], abs=1e-5)


def test_thresholds_are_chosen_on_validation_and_measured_on_test():
    box, far = (0, 0, 50, 50), (200, 200, 250, 250)
    truth = [(0, 0, box)]
    val = detections(truth, [(0, 0, box, 0.9), (0, 0, far, 0.5)], ('a',))
    test = detections(truth, [(0, 0, box, 0.6), (0, 0, far, 0.5)], ('a',))
    with_val = detection_report(test, val, resamples=5)['thresholds']
    assert with_val['chosen_on'] == 'validation'
    assert with_val['overall']['threshold'] == 0.7
    assert with_val['overall']['chosen_f1'] == 1
    assert with_val['overall']['f1']['value'] == 0
    without = detection_report(test, resamples=5)
    assert without['validation'] is None
    assert without['thresholds']['chosen_on'] == 'test'
    assert without['thresholds']['overall']['threshold'] == 0.55
    assert without['thresholds']['overall']['f1']['value'] == 1


def test_it_is_json_and_the_same_every_time(report, results):
    assert_typed(report, DetectionReport)
    text = json.dumps(report, allow_nan=False)
    again = detection_report(results, draw(8), resamples=RESAMPLES, seed=3)
    assert json.dumps(again, allow_nan=False) == text


@pytest.mark.parametrize(
    ('truth', 'predicted'),
    [
        ([], []),
        ([], [(0, 0, (0, 0, 9, 9), 0.5)]),
        ([(0, 0, (0, 0, 9, 9))], []),
        ([(0, 0, (0, 0, 9, 9), True)], [(0, 0, (0, 0, 9, 9), 0.5)]),
    ],
)
def test_there_may_be_nothing(truth, predicted):
    results = detections(truth, predicted, images=2)
    report = json.loads(
        json.dumps(detection_report(results, resamples=5), allow_nan=False)
    )
    assert_typed(report, DetectionReport)
    assert report['thresholds']['chosen_on'] == 'default'
    assert report['thresholds']['overall']['threshold'] == 0.5
    nothing = report['objects'] == 0
    assert (report['overall']['area_ap50']['value'] is None) == nothing


def test_other_classes_are_refused():
    message = 'validation has the classes a, b, but the test set has c0, c1, c2, c3'
    with pytest.raises(UserError, match=message):
        detection_report(draw(0), detections([], []))


@pytest.mark.real_data
def test_predicting_what_is_annotated_leaves_nothing_to_complain(real_data_root):
    dataset = BCCDDataset(
        data_root=str(real_data_root / 'bccd'),
        ann_file='ImageSets/Main/test.txt',
        pipeline=[],
        test_mode=True,
    )
    truth = [
        (index, one['bbox_label'], one['bbox'])
        for index in range(len(dataset))
        for one in dataset.get_data_info(index)['instances']
    ]
    predicted = [(*one, 0.9) for one in truth]
    results = detections(truth, predicted, ('RBC', 'WBC', 'Platelets'), len(dataset))
    report = detection_report(results, resamples=20)
    assert values(report['overall']['area_ap50']) == [1, 1, 1]
    assert values(report['overall']['coco']['AP']) == [1, 1, 1]
    assert report['images_ranked']['worst'] == []
    assert report['label_doubts'] == []
    assert all(one['count'] == 0 for one in report['errors']['types'])
