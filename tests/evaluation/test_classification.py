"""What a classifier gets right: by hand, and as mmpretrain has it."""

import numpy as np
import pytest
import torch
from mmpretrain.evaluation import Accuracy, ConfusionMatrix, SingleLabelMetric

from custom_datasets.errors import UserError
from custom_datasets.evaluation.classification import (
    attribute_report,
    class_scores,
    confusion_matrix,
    decide,
    f1_estimate,
    frequent_confusions,
    overall_scores,
    share_estimate,
    usable_attributes,
)
from custom_datasets.evaluation.intervals import Estimate
from tests.evaluation.class_results import draw, results

NAN = float('nan')


def told(truth, predicted, classes=3):
    """Return the decisions of a classifier that says just this."""
    return decide(results(truth, np.eye(classes)[predicted]))


HAND = told([0, 0, 0, 0, 1, 1, 2], [0, 0, 1, 0, 1, 0, 2])


def test_the_most_probable_class_is_taken_and_the_first_of_equals():
    found = decide(results([1, 0], [[0.2, 0.7, 0.1], [0.4, 0.2, 0.4]]))
    assert found.predicted.tolist() == [1, 0]
    assert found.confidence.tolist() == [0.7, 0.4]
    assert found.correct.tolist() == [True, True]


@pytest.mark.parametrize('row', [[0.5, 0.6], [NAN, 1], [1.5, -0.5], [3.0, -1.0]])
def test_what_is_no_probability_is_refused_by_name(row):
    with pytest.raises(UserError, match=r'/data/1\.png: its scores are not'):
        decide(results([0, 0], [[0.5, 0.5], row]))


def test_scores_of_half_precision_are_taken():
    scores = np.float16(draw(50, 100).scores)
    names = tuple(map(str, range(100)))
    assert decide(results([0] * 50, scores, names)).classes == 100


def test_weights_count_as_repeated_images():
    weights = np.array([2, 0, 1, 3, 1, 0, 1])
    again = np.repeat(np.arange(7), weights)
    repeated = told(HAND.truth[again], HAND.predicted[again])
    for metric in (class_scores, overall_scores):
        one = metric(HAND, weights.astype(float))
        np.testing.assert_allclose(one, metric(repeated, np.ones(8)))


def test_what_is_not_defined_is_nan_and_left_out_of_means():
    # Class a is never predicted, c has no image, d neither.
    found = told([0, 1, 1], [1, 1, 2], classes=4)
    precision, recall, f1 = class_scores(found, np.ones(3))
    np.testing.assert_equal(precision, [NAN, 1 / 2, 0, NAN])
    np.testing.assert_equal(recall, [0, 1 / 2, NAN, NAN])
    np.testing.assert_equal(f1, [0, 1 / 2, NAN, NAN])
    assert overall_scores(found, np.ones(3)).tolist() == [1 / 3, 1 / 4, 1 / 4]


@pytest.mark.parametrize('seed', range(3))
def test_agreement_with_mmpretrain(seed):
    drawn = draw(400, 5, seed)
    found = decide(drawn)
    scores, truth = torch.tensor(drawn.scores), torch.tensor(drawn.truth)
    ours = class_scores(found, np.ones(400)) * 100
    theirs = SingleLabelMetric.calculate(scores, truth, average=None)[0][:3]
    np.testing.assert_allclose(ours, torch.stack(theirs), atol=1e-4)
    top1, balanced, macro_f1 = overall_scores(found, np.ones(400)) * 100
    assert top1 == pytest.approx(float(Accuracy.calculate(scores, truth)[0][0]))
    macro = SingleLabelMetric.calculate(scores, truth, average='macro')[0]
    assert [balanced, macro_f1] == pytest.approx([float(macro[1]), float(macro[2])])
    matrix = ConfusionMatrix.calculate(scores, truth)
    assert confusion_matrix(found).tolist() == matrix.tolist()


def test_confusions_by_hand():
    matrix = confusion_matrix(HAND)
    assert matrix.tolist() == [[3, 1, 0], [1, 1, 0], [0, 0, 1]]
    assert frequent_confusions(matrix, 'abc', 5) == [
        {'true': 'a', 'predicted': 'b', 'images': 1, 'share': 0.25},
        {'true': 'b', 'predicted': 'a', 'images': 1, 'share': 0.5},
    ]
    assert len(frequent_confusions(matrix, 'abc', 1)) == 1
    assert not frequent_confusions(np.diag([3, 4]), 'ab', 5)


def test_a_share_of_all_or_none_gets_the_exact_interval():
    # At the bound all of 12 are right with a probability of just 2.5 %.
    low = share_estimate(Estimate(1, 1, 1), 12).low
    assert low == pytest.approx(0.735, abs=5e-4)
    assert low**12 == pytest.approx(0.025)
    none = share_estimate(Estimate(0, 0, 0), 12)
    assert none == pytest.approx((0, 0, 1 - low))
    assert share_estimate(Estimate(0.5, 0.4, 0.6), 12) == (0.5, 0.4, 0.6)
    unknown = share_estimate(Estimate(NAN, NAN, NAN), 0)
    assert np.isnan(unknown).all()


def test_f1_of_all_or_none_gets_the_exact_interval():
    # J of 0.735 (or 0.265) is 2 J / (1 + J).
    assert f1_estimate(Estimate(1, 1, 1), 12).low == pytest.approx(0.8475, abs=5e-4)
    assert f1_estimate(Estimate(0, 0, 0), 12).high == pytest.approx(0.4185, abs=5e-4)
    assert f1_estimate(Estimate(0.5, 0.4, 0.6), 12) == (0.5, 0.4, 0.6)


CLASSES = ('young_f', 'young_m', 'old_f', 'old_m', 'oldest_f')
ATTRIBUTES = {
    'decade': {'young_f': 2, 'young_m': 2, 'old_f': 4, 'old_m': 4, 'oldest_f': 5},
    'gender': dict(zip(CLASSES, 'fmfmf', strict=True)),
}


def evaluate(pairs, sure=0.8):
    """Evaluate (true, predicted) pairs; the rest of the probability is spread."""
    truth = np.array([true for true, _ in pairs])
    scores = np.full((len(pairs), 5), (1 - sure) / 4)
    scores[range(len(pairs)), [predicted for _, predicted in pairs]] = sure
    rows = attribute_report(ATTRIBUTES, CLASSES, truth, scores)
    return {row.pop('name'): row for row in rows}


PAIRS = [(0, 0), (0, 1), (0, 2), (1, 1), (2, 4), (3, 3), (4, 0), (4, 4)]


def test_attributes_by_hand():
    found = evaluate(PAIRS, 1.0)
    values = {
        name: {item: known['value'] for item, known in row.items()}
        for name, row in found.items()
    }
    # Off by 0, 0, 2, 0, 1, 0, 3, 0 decades; 0 -> 1 alone is another gender.
    assert values == {
        'decade': {
            'accuracy': 0.625,
            'within_one': 0.75,
            'mean_absolute_error': 0.75,
            'expected_error': 0.75,
        },
        'gender': {'accuracy': 0.875},
    }


def test_the_expected_value_weighs_all_classes():
    # 0.6 * 2 + 0.1 * (2 + 4 + 4 + 5) = 2.7 for a true 2.
    row = evaluate([(0, 0)], 0.6)['decade']
    assert row['expected_error']['value'] == pytest.approx(0.7)
    assert row['mean_absolute_error'] == {'value': 0.0, 'low': None, 'high': None}


def test_intervals_hold_the_value_and_shrink_with_more_images():
    few, many = evaluate(PAIRS), evaluate(PAIRS * 25)
    for row in (few, many):
        for known in row['decade'].values():
            assert known['low'] < known['value'] < known['high']
    error = 'mean_absolute_error'
    few, many = (row['decade'][error] for row in (few, many))
    assert few['high'] - few['low'] > 4 * (many['high'] - many['low'])
    # Off by 0, 0, 2, 0, 1, 0, 3, 0: a deviation of 1.09 over the root of 200.
    assert many['high'] - many['low'] == pytest.approx(
        2 * 1.96 * 1.09 / 200**0.5, rel=0.1
    )


def test_where_an_attribute_is_always_right_the_bound_is_exact():
    found = evaluate([(0, 0)] * 12)['gender']['accuracy']
    # 0.025 ** (1 / 12), of Clopper and Pearson.
    assert found == {'value': 1.0, 'low': pytest.approx(0.7354, abs=1e-4), 'high': 1.0}


def test_only_attributes_of_all_classes_are_usable():
    assert usable_attributes(ATTRIBUTES, CLASSES) == ATTRIBUTES
    assert usable_attributes(ATTRIBUTES, ['young_f', 'old_m']) == ATTRIBUTES
    assert usable_attributes(ATTRIBUTES, [*CLASSES, 'dog']) == {}
    one = {'gender': ATTRIBUTES['gender'], 'decade': {'young_f': 2}}
    assert list(usable_attributes(one, CLASSES)) == ['gender']
    assert usable_attributes(None, CLASSES) == {}
