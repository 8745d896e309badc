"""The whole report of a classifier: what is in it and that it hangs together."""

import json

import cv2
import numpy as np
import pytest
import torch
from mmpretrain.evaluation import Accuracy, SingleLabelMetric

from custom_datasets.errors import UserError
from custom_datasets.evaluation.calibration import with_temperature
from custom_datasets.evaluation.classification_report import (
    ClassificationReport,
    classification_report,
)
from custom_datasets.evaluation.intervals import resample
from tests.evaluation.class_results import draw, results, softmax
from tests.evaluation.typed import assert_typed

NOTHING = {'value': None, 'low': None, 'high': None}


@pytest.fixture(scope='module')
def drawn():
    return draw(240, 4, 1, temperature=2), draw(260, 4, 2, temperature=2)


@pytest.fixture(scope='module')
def report(drawn):
    return classification_report(*drawn, resamples=100)


def test_it_is_json_and_the_same_each_time(drawn, report):
    text = json.dumps(report, allow_nan=False)
    assert json.loads(text) == report
    again = classification_report(*drawn, resamples=100)
    assert json.dumps(again) == text
    other = classification_report(*drawn, resamples=100, seed=1)
    assert other['overall'] != report['overall']
    assert other['confusion'] == report['confusion']


def test_what_it_is_about(drawn, report):
    assert_typed(report, ClassificationReport)
    assert_typed(classification_report(drawn[0], resamples=2), ClassificationReport)
    assert report['task'] == 'classification'
    assert report['classes'] == ['a', 'b', 'c', 'd']
    assert (report['images'], report['validation']) == (240, {'images': 260})
    assert report['interval'] == {'level': 0.95, 'resamples': 100, 'seed': 0}


def test_scores_agree_with_mmpretrain(drawn, report):
    scores, truth = torch.tensor(drawn[0].scores), torch.tensor(drawn[0].truth)
    top1 = float(Accuracy.calculate(scores, truth)[0][0]) / 100
    assert report['overall']['top1']['value'] == pytest.approx(top1, abs=1e-6)
    theirs = SingleLabelMetric.calculate(scores, truth, average=None)[0][:3]
    for key, values in zip(('precision', 'recall', 'f1'), theirs, strict=True):
        ours = [row[key]['value'] for row in report['per_class']]
        assert ours == pytest.approx((values / 100).tolist(), abs=1e-6)
    macro = SingleLabelMetric.calculate(scores, truth, average='macro')[0][2]
    assert report['overall']['macro_f1']['value'] == pytest.approx(
        float(macro) / 100, abs=1e-6
    )
    counts = np.bincount(drawn[0].truth)
    assert [row['images'] for row in report['per_class']] == counts.tolist()


def test_intervals_agree_with_images_that_are_really_drawn_again(drawn, report):
    test = drawn[0]
    predicted = test.scores.argmax(axis=1)
    table = []
    for weights in resample(240, 100, 0):
        again = np.repeat(np.arange(240), weights)
        true, said = test.truth[again], predicted[again]
        hits = ((true == 2) & (said == 2)).sum()
        table.append(
            [
                (true == said).mean(),
                hits / (said == 2).sum(),
                2 * hits / ((true == 2).sum() + (said == 2).sum()),
            ]
        )
    expected = np.percentile(table, [2.5, 97.5], axis=0).T
    row = report['per_class'][2]
    for ours, theirs in zip(
        (report['overall']['top1'], row['precision'], row['f1']), expected, strict=True
    ):
        assert [ours['low'], ours['high']] == pytest.approx(theirs.tolist(), abs=1e-6)


def test_the_temperature_of_validation_is_tried_on_the_test_set(drawn, report):
    found = report['calibration']
    temperature = found['temperature']['value']
    assert temperature == pytest.approx(2, rel=0.25)
    assert '260 validation images' in found['temperature']['note']
    test = drawn[0]
    logs = with_temperature(np.log(test.scores), temperature)
    losses = [
        torch.nn.functional.nll_loss(torch.tensor(one), torch.tensor(test.truth)).item()
        for one in (np.log(test.scores), logs)
    ]
    values = [found[key]['nll']['value'] for key in ('before', 'after')]
    assert values == pytest.approx(losses, abs=1e-6)
    change = found['temperature']['change']
    assert change['value'] == pytest.approx(losses[1] - losses[0], abs=2e-6)
    assert change['low'] < change['value'] < change['high'] < 0
    after = found['after']['confidence']
    assert after == pytest.approx(np.exp(logs).max(axis=1).mean(), abs=1e-6)
    assert found['after']['ece']['value'] < found['before']['ece']['value']


def test_the_curve_has_all_images_and_the_error(report):
    before = report['calibration']['before']
    curve = before['curve']
    assert len(curve) == report['calibration']['bins'] == 15
    assert sum(row['images'] for row in curve) == 240
    filled = [row for row in curve if row['images']]
    error = sum(
        row['images'] / 240 * abs(row['accuracy']['value'] - row['confidence'])
        for row in filled
    )
    assert before['ece']['value'] == pytest.approx(error, abs=1e-5)
    # It is too sure, by more than chance explains.
    assert before['ece']['value'] > before['chance']['high'] > before['chance']['mean']
    empty = next(row for row in curve if not row['images'])
    assert empty['confidence'] is None and empty['accuracy'] == NOTHING


def test_images_to_look_at(drawn, report):
    test = drawn[0]
    predicted, sure = test.scores.argmax(axis=1), test.scores.max(axis=1)
    wrong = np.flatnonzero(predicted != test.truth)
    right = np.flatnonzero(predicted == test.truth)
    assert report['mistakes']['count'] == len(wrong)
    worst = wrong[sure[wrong].argmax()]
    first = report['mistakes']['confident'][0]
    assert first == {
        'image': f'{worst}.png',
        'path': f'/data/{worst}.png',
        'index': worst,
        'true': test.classes[test.truth[worst]],
        'predicted': test.classes[predicted[worst]],
        'confidence': pytest.approx(sure[worst], abs=1e-6),
        'probability': pytest.approx(test.scores[worst, test.truth[worst]], abs=1e-6),
    }
    confidences = [row['confidence'] for row in report['mistakes']['confident']]
    assert confidences == sorted(confidences, reverse=True)
    assert len(confidences) == len(report['unsure']) == 24
    assert report['unsure'][0]['index'] == right[sure[right].argmin()]
    assert [row['true'] for row in report['typical']] == ['a', 'b', 'c', 'd']
    for label, row in enumerate(report['typical']):
        own = right[test.truth[right] == label]
        assert row['index'] == own[sure[own].argmax()]


def test_nothing_is_chosen_without_validation(drawn):
    report = classification_report(drawn[0], resamples=20)
    assert report['validation'] is None
    found = report['calibration']
    assert found['after'] is None
    assert found['temperature']['value'] is found['temperature']['change'] is None
    assert found['temperature']['note'].startswith('No temperature is fitted')
    assert report['thresholds']['goals'] == []


def test_a_classifier_without_mistakes():
    right = results([0, 1, 2, 1], np.eye(3)[[0, 1, 2, 1]])
    report = classification_report(right, right, resamples=20)
    assert json.dumps(report, allow_nan=False)
    top1 = report['overall']['top1']
    assert (top1['value'], top1['high']) == (1, 1)
    assert top1['low'] == pytest.approx(0.025 ** (1 / 4), abs=1e-6)
    assert report['overall']['macro_f1'] == {'value': 1, 'low': None, 'high': None}
    assert report['mistakes'] == {'count': 0, 'confident': []}
    assert report['confusion']['frequent'] == []
    assert report['calibration']['temperature']['value'] is None
    assert [row['threshold'] for row in report['thresholds']['goals']] == [0] * 5
    assert report['thresholds']['goals'][0]['coverage'] == {
        'value': 1,
        'low': 1,
        'high': 1,
    }


def test_a_classifier_that_is_always_wrong():
    report = classification_report(
        results([0, 1, 0], np.eye(2)[[1, 0, 1]]), resamples=20
    )
    assert json.dumps(report, allow_nan=False)
    assert report['overall']['top1']['value'] == 0
    assert report['calibration']['zeros'] == 3
    assert report['calibration']['before']['nll']['value'] == pytest.approx(
        87.34, abs=0.01
    )
    assert report['unsure'] == report['typical'] == []


def test_a_class_that_is_always_right_when_it_is_predicted():
    truth, predicted = [0, 0, 0, 0, 1], [0, 0, 1, 1, 1]
    report = classification_report(results(truth, np.eye(2)[predicted]), resamples=50)
    first, second = report['per_class']
    assert [(row['images'], row['predicted']) for row in (first, second)] == [
        (4, 2),
        (1, 3),
    ]
    # Exact bounds: of two that are all right, and of one that is.
    assert first['precision']['low'] == pytest.approx(0.025**0.5, abs=1e-6)
    assert second['recall']['low'] == pytest.approx(0.025, abs=1e-6)


def test_f1_of_a_class_never_found_counts_those_taken_for_it_too():
    report = classification_report(
        results([0, 1, 1, 1], np.eye(2)[[1, 0, 0, 0]]), resamples=5
    )
    # J is 0 of 4: 1 of the class and 3 that are taken for it.
    j = 1 - 0.025 ** (1 / 4)
    high = report['per_class'][0]['f1']['high']
    assert high == pytest.approx(2 * j / (1 + j), abs=1e-6)


def test_a_class_without_images():
    test = results([0, 0, 1], [[0.8, 0.1, 0.1], [0.2, 0.7, 0.1], [0.3, 0.4, 0.3]])
    report = classification_report(test, resamples=20)
    row = report['per_class'][2]
    assert (row['images'], row['predicted']) == (0, 0)
    assert row['precision'] == row['recall'] == row['f1'] == NOTHING


def test_sets_of_other_classes_are_refused():
    test = results([0], [[0.5, 0.5]])
    val = results([0], [[0.5, 0.5]], ('x', 'y'))
    with pytest.raises(UserError, match='validation has the classes x, y'):
        classification_report(test, val)


@pytest.mark.real_data
def test_real_photographs(real_data_root):
    """Sort photographs of waste by their colours alone."""
    folders = sorted(path for path in (real_data_root / 'waste').iterdir())
    names = tuple(folder.name for folder in folders)
    parts = {'train': ([], []), 'val': ([], []), 'test': ([], [])}
    for label, folder in enumerate(folders):
        for index, path in enumerate(sorted(folder.glob('*.jpg'))[:90]):
            pixels = cv2.imread(str(path), cv2.IMREAD_REDUCED_COLOR_8) / 255
            features, truth = parts[('train', 'val', 'test')[index % 3]]
            spread = np.concatenate([pixels.mean((0, 1)), pixels.std((0, 1))])
            features.append(spread)
            truth.append(label)
    centres = np.array(
        [
            np.mean([f for f, t in zip(*parts['train'], strict=True) if t == label], 0)
            for label in range(len(names))
        ]
    )

    def classify(part):
        features, truth = parts[part]
        distance = np.linalg.norm(np.array(features)[:, None] - centres, axis=2)
        # So large a factor makes it far too sure.
        return results(truth, softmax(-80 * distance), names)

    test, val = classify('test'), classify('val')
    assert len(names) == 6 and len(test.truth) == 180
    report = classification_report(test, val, resamples=200)
    scores, truth = torch.tensor(test.scores), torch.tensor(test.truth)
    theirs = SingleLabelMetric.calculate(scores, truth, average=None)[0][2] / 100
    ours = [row['f1']['value'] for row in report['per_class']]
    assert ours == pytest.approx(theirs.tolist(), abs=1e-6)
    # Colours tell something, and the temperature makes up for the factor.
    assert 1 / 6 < report['overall']['top1']['low']
    found = report['calibration']
    assert found['before']['ece']['low'] > 0.2
    assert found['temperature']['value'] > 3
    assert found['temperature']['change']['high'] < 0
    assert found['after']['ece']['value'] < found['before']['ece']['value'] / 2
