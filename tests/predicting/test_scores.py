"""How good members and their ensemble are, against libraries and slow loops."""

import math
import re

import numpy as np
import pytest

from custom_datasets.evaluation.intervals import resample
from custom_datasets.predicting.ensemble import score_names, score_table, value_of
from tests.evaluation.class_results import draw as draw_classifier
from tests.evaluation.class_results import results as class_results
from tests.evaluation.detection_references import coco_reference, voc_reference
from tests.evaluation.drawn_detections import detections
from tests.evaluation.drawn_detections import draw as draw_detector


def numbers(line):
    """Return a line's two cells, each a value and its interval."""
    found = [float(one) for one in re.findall(r'[-+]?\d+\.\d+|nan', line)]
    return found[:3], found[3:]


def plain_scores(results):
    """Return NLL and accuracy of a classifier, image by image."""
    loss, right = 0.0, 0
    rows = list(zip(results.scores.tolist(), results.truth.tolist(), strict=True))
    for row, label in rows:
        loss -= math.log(row[label])
        right += row.index(max(row)) == label
    return loss / len(rows), right / len(rows)


def plain_interval(results, column, other=None):
    """Take the drawn images anew for each resample, as often as each is drawn."""
    values = []
    for weights in resample(len(results.images)):
        chosen = np.repeat(np.arange(len(weights)), weights)
        value = plain_scores(results.take(chosen))[column]
        if other is not None:
            value -= plain_scores(other.take(chosen))[column]
        values.append(value)
    return np.percentile(values, [2.5, 97.5])


def test_a_detector_s_scores_are_those_of_pycocotools_and_mmdet(monkeypatch):
    results = draw_detector(0)
    _, summary = coco_reference(results)
    assert value_of(results) == pytest.approx(summary[0], abs=1e-6)
    assert score_names(results) == ('COCO AP', 'area-AP50')
    mean = voc_reference(results, monkeypatch)[0]
    row = score_table(['a', 'ensemble'], [results] * 2).splitlines()[1]
    told = [cell[0] for cell in numbers(row)]
    assert told == pytest.approx([summary[0], mean], abs=5.1e-4)


def test_a_classifier_s_value_is_its_log_likelihood():
    results = class_results([0, 1], [[0.5, 0.5], [0.75, 0.25]])
    assert value_of(results) == pytest.approx(-(math.log(2) + math.log(4)) / 2)
    assert score_names(results) == ('NLL', 'accuracy')


def test_the_table_of_classifiers():
    truth = draw_classifier(30, 3, seed=1)
    weak = class_results(truth.truth, draw_classifier(30, 3, seed=2).scores)
    both = class_results(truth.truth, (truth.scores + weak.scores) / 2)
    made = [weak, truth, both]
    head, *rows = score_table(['weak', 'good', 'ensemble'], made).splitlines()
    assert head.split() == ['NLL', 'accuracy']
    assert [row.split()[0] for row in rows] == ['weak', 'good', 'ensemble', 'ensemble']
    for row, results in zip(rows, made, strict=False):
        for column, cell in enumerate(numbers(row)):
            low, high = plain_interval(results, column)
            wanted = [plain_scores(results)[column], low, high]
            np.testing.assert_allclose(cell, wanted, rtol=0, atol=5.1e-4)
    # The best is the one with the least NLL, whatever the order of files.
    assert rows[3].startswith('ensemble - the best  ')
    for column, cell in enumerate(numbers(rows[3][len('ensemble - the best') :])):
        low, high = plain_interval(both, column, truth)
        value = plain_scores(both)[column] - plain_scores(truth)[column]
        np.testing.assert_allclose(cell, [value, low, high], rtol=0, atol=5.1e-4)
    assert re.search(r'-0\.\d{3} \[-0\.\d{3}, \+0\.\d{3}\]|\+0\.\d{3}', rows[3])


def test_the_best_detector_is_the_one_with_the_highest_ap():
    truth = [(n, 0, (10, 10, 50, 50)) for n in range(4)]
    right = [(n, 0, (10, 10, 50, 50), 0.9) for n in range(4)]
    half = [(n, 0, (10, 10, 50, 50), 0.9) for n in range(2)]
    good, bad = (detections(truth, found, 'a', 4) for found in (right, half))
    rows = score_table(['x', 'y', 'ensemble'], [bad, good, bad]).splitlines()
    # COCO's precision is read at 101 recalls, of which 0 to 0.5 are 51.
    assert numbers(rows[1])[0][0] == pytest.approx(51 / 101, abs=5e-4)
    assert numbers(rows[2])[0] == [1.0, 1.0, 1.0]
    assert numbers(rows[4])[0][0] == pytest.approx(51 / 101 - 1, abs=5e-4)
    assert numbers(rows[4])[1][0] == pytest.approx(-0.5)


def test_one_model_is_called_it():
    results = draw_classifier(8, 2)
    last = score_table(['alone', 'ensemble'], [results] * 2).splitlines()[-1]
    assert last.startswith('ensemble - it  +0.000 [+0.000, +0.000]')


def test_what_is_not_defined_is_no_reason_to_stop():
    ignored = detections([(0, 0, (1, 1, 9, 9), True)], [(0, 0, (1, 1, 9, 9), 0.5)], 'a')
    rows = score_table(['x', 'ensemble'], [ignored] * 2).splitlines()
    assert rows[1].split()[1:] == ['nan', '[nan,', 'nan]'] * 2
    assert math.isnan(value_of(ignored))
