import numpy as np
import pytest

from custom_datasets.evaluation.classification import (
    attribute_report,
    usable_attributes,
)

CLASSES = ('young_f', 'young_m', 'old_f', 'old_m', 'oldest_f')
ATTRIBUTES = {
    'decade': {'young_f': 2, 'young_m': 2, 'old_f': 4, 'old_m': 4, 'oldest_f': 5},
    'gender': dict(zip(CLASSES, 'fmfmf', strict=True)),
}


def evaluate(pairs, sure=0.8, **options):
    """Evaluate (true, predicted) pairs; the rest of the probability is spread."""
    truth = np.array([true for true, _ in pairs])
    scores = np.full((len(pairs), 5), (1 - sure) / 4)
    scores[range(len(pairs)), [predicted for _, predicted in pairs]] = sure
    rows = attribute_report(ATTRIBUTES, CLASSES, truth, scores, **options)
    return {row.pop('name'): row for row in rows}


PAIRS = [(0, 0), (0, 1), (0, 2), (1, 1), (2, 4), (3, 3), (4, 0), (4, 4)]


def test_by_hand():
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


def test_where_all_are_right_the_bound_is_exact():
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


def test_the_seed_decides():
    assert evaluate(PAIRS, seed=1) == evaluate(PAIRS, seed=1)
    assert evaluate(PAIRS, seed=1) != evaluate(PAIRS, seed=2)
