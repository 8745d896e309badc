import numpy as np
import pytest
import torch
from mmpretrain.registry import METRICS

from custom_datasets.evaluation import classification_metric as class_metric
from custom_datasets.evaluation.classification import Decisions, overall_scores
from custom_datasets.evaluation.classification_metric import (
    ClasswiseMetric,
    confusion_table,
)

CLASSES = ('crease', 'oil_spot', 'a class with a long name')


@pytest.fixture
def log(monkeypatch):
    lines = []
    monkeypatch.setattr(
        class_metric, 'print_log', lambda text, logger: lines.append(text)
    )
    return lines


def evaluate(pairs):
    """Evaluate (true, predicted) pairs of class numbers, in two batches."""
    samples = [
        {
            'pred_score': torch.eye(3)[predicted] * 0.6 + 0.1,
            'gt_label': torch.tensor([true]),
        }
        for true, predicted in pairs
    ]
    metric = ClasswiseMetric()
    metric.dataset_meta = {'classes': CLASSES}
    metric.process({}, samples[:2])
    metric.process({}, samples[2:])
    return metric.evaluate(len(samples))


PAIRS = [(0, 0), (0, 0), (0, 1), (0, 0), (1, 1), (1, 0), (2, 2)]


def test_registered():
    assert METRICS.get('ClasswiseMetric') is ClasswiseMetric


def test_by_hand(log):
    metrics = evaluate(PAIRS)
    expected = {
        'precision_crease': 75,
        'recall_crease': 75,
        'f1-score_crease': 75,
        'precision_oil_spot': 50,
        'recall_oil_spot': 50,
        'f1-score_oil_spot': 50,
        'precision_a class with a long name': 100,
        'recall_a class with a long name': 100,
        'f1-score_a class with a long name': 100,
        'precision': 75,
        'recall': 75,
        'f1-score': 75,
    }
    matrix = metrics.pop('classwise/confusion_matrix')
    assert matrix == [[3, 1, 0], [1, 1, 0], [0, 0, 1]]
    assert metrics == {f'classwise/{k}': pytest.approx(v) for k, v in expected.items()}
    assert len(log) == 1


def test_classes_without_images_or_predictions(log):
    metrics = evaluate([(0, 1), (0, 0), (0, 1)])
    assert metrics['classwise/recall_crease'] == pytest.approx(100 / 3)
    assert metrics['classwise/precision_crease'] == 100
    assert metrics['classwise/confusion_matrix'] == [[1, 2, 0], [0, 0, 0], [0, 0, 0]]
    absent = ('oil_spot', 'a class with a long name')
    assert np.isnan([metrics[name] for name in metrics if name.endswith(absent)]).all()
    assert len(metrics) == 13
    rows = log[0].splitlines()
    assert rows[2].split()[-3:] == ['100.0', '33.3', '50.0']
    assert [row.split()[-3:] for row in rows[3:]] == [['-', '-', '-']] * 2
    assert len({len(row) for row in rows[1:]}) == 1


def test_means_are_those_of_the_report(log):
    """The third class is predicted once and has no image, the second is missed."""
    pairs = [(0, 0), (0, 0), (0, 2), (1, 0)]
    metrics = evaluate(pairs)
    truth, predicted = np.array(pairs).T
    decisions = Decisions(3, truth, predicted, np.ones(len(pairs)))
    _, recall, f1 = overall_scores(decisions, np.ones(len(pairs)))
    assert metrics['classwise/recall'] == pytest.approx(100 * recall)
    assert metrics['classwise/f1-score'] == pytest.approx(100 * f1)
    assert metrics['classwise/precision'] == pytest.approx(100 * (2 / 3 + 0) / 2)
    assert metrics['classwise/precision_oil_spot'] == 0


def test_one_image(log):
    metrics = evaluate([(2, 2)])
    assert metrics['classwise/recall_a class with a long name'] == 100


def test_table_is_aligned_and_true(log):
    evaluate(PAIRS)
    head, *rows = log[0].strip('\n').splitlines()
    assert head.split()[:2] == ['true', '\\']
    assert head.endswith('precision  recall  f1-score')
    assert {len(row) for row in rows} == {len(head)}
    assert rows[0].split() == ['crease', '3', '1', '0', '75.0', '75.0', '75.0']
    assert rows[1].split() == ['oil_spot', '1', '1', '0', '50.0', '50.0', '50.0']


def test_confusion_table_with_short_names_and_large_counts():
    items = ('precision', 'recall', 'f1-score')
    metrics = {f'{item}_{name}': 100.0 for item in items for name in 'ab'}
    table = confusion_table('ab', [[123456, 0], [0, 7]], metrics)
    head, *rows = table.splitlines()
    assert {len(row) for row in rows} == {len(head)}
