"""What is logged of a classifier: by class, by source and by attribute."""

import numpy as np
import pytest
import torch
from mmpretrain.registry import METRICS

from custom_datasets.errors import AnnotationError
from custom_datasets.evaluation import classification_metric
from custom_datasets.evaluation.classification import Decisions, overall_scores
from custom_datasets.evaluation.classification_metric import (
    AttributeMetric,
    ClasswiseMetric,
    SourceMetric,
)


@pytest.mark.parametrize('metric', [ClasswiseMetric, SourceMetric, AttributeMetric])
def test_registered(metric):
    assert METRICS.get(metric.__name__) is metric


NAMES = ('crease', 'oil_spot', 'a class with a long name')


@pytest.fixture
def log(monkeypatch):
    lines = []
    monkeypatch.setattr(
        classification_metric, 'print_log', lambda text, **_: lines.append(text)
    )
    return lines


def evaluate_classes(pairs):
    """Evaluate (true, predicted) pairs of class numbers, in two batches."""
    samples = [
        {
            'pred_score': torch.eye(3)[predicted] * 0.6 + 0.1,
            'gt_label': torch.tensor([true]),
        }
        for true, predicted in pairs
    ]
    metric = ClasswiseMetric()
    metric.dataset_meta = {'classes': NAMES}
    metric.process({}, samples[:2])
    metric.process({}, samples[2:])
    return metric.evaluate(len(samples))


PAIRS = [(0, 0), (0, 0), (0, 1), (0, 0), (1, 1), (1, 0), (2, 2)]


def test_classes_by_hand(log):
    metrics = evaluate_classes(PAIRS)
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
    metrics = evaluate_classes([(0, 1), (0, 0), (0, 1)])
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
    metrics = evaluate_classes(pairs)
    truth, predicted = np.array(pairs).T
    decisions = Decisions(3, truth, predicted, np.ones(len(pairs)))
    _, recall, f1 = overall_scores(decisions, np.ones(len(pairs)))
    assert metrics['classwise/recall'] == pytest.approx(100 * recall)
    assert metrics['classwise/f1-score'] == pytest.approx(100 * f1)
    assert metrics['classwise/precision'] == pytest.approx(100 * (2 / 3 + 0) / 2)
    assert metrics['classwise/precision_oil_spot'] == 0


def test_table_is_aligned_and_true(log):
    evaluate_classes(PAIRS)
    head, *rows = log[0].strip('\n').splitlines()
    assert head.split()[:2] == ['true', '\\']
    assert head.endswith('precision  recall  f1-score')
    assert {len(row) for row in rows} == {len(head)}
    assert rows[0].split() == ['crease', '3', '1', '0', '75.0', '75.0', '75.0']
    assert rows[1].split() == ['oil_spot', '1', '1', '0', '50.0', '50.0', '50.0']


CLASSES = ('20s_f', '30s_f', '30s_m')
META = {
    'classes': CLASSES,
    'attributes': {
        'decade': {'20s_f': 2, '30s_f': 3, '30s_m': 3},
        'gender': {'20s_f': 'f', '30s_f': 'f', '30s_m': 'm'},
    },
}


def evaluate(kind, rows, meta=META):
    """Evaluate rows of (path, true, predicted), in two batches."""
    samples = [
        {
            'img_path': str(path),
            'gt_label': torch.tensor([true]),
            'pred_score': torch.eye(3)[predicted] * 0.7 + 0.1,
        }
        for path, true, predicted in rows
    ]
    metric = kind()
    metric.dataset_meta = meta
    metric.process({}, samples[:2])
    metric.process({}, samples[2:])
    return metric.evaluate(len(samples))


ROWS = [
    ('lab/1', 0, 0),
    ('lab/2', 0, 0),
    ('lab/3', 0, 1),
    ('web/4', 0, 0),
    ('web/5', 1, 2),
]


def test_each_source_by_hand(tmp_path):
    (tmp_path / 'sources.txt').write_text('lab\tlab\nweb\tthe web\n')
    rows = [(tmp_path / name, *labels) for name, *labels in [*ROWS, ('lab/6', 2, 2)]]
    assert evaluate(SourceMetric, rows) == pytest.approx(
        {
            'source/top1_lab': 75,
            'source/recall_lab': 100 * (2 / 3 + 1) / 2,
            'source/top1_the web': 50,
            'source/recall_the web': 50,
        }
    )


def test_without_sources_there_is_nothing(tmp_path):
    rows = [(tmp_path / name, *labels) for name, *labels in ROWS]
    assert evaluate(SourceMetric, rows) == {}


def test_a_broken_list_of_sources(tmp_path):
    (tmp_path / 'sources.txt').write_text('lab lab\n')
    with pytest.raises(AnnotationError, match='line 1'):
        evaluate(SourceMetric, [(tmp_path / 'lab/1', 0, 0)])


def test_attributes_by_hand():
    found = evaluate(AttributeMetric, ROWS)
    low, high = (found.pop(f'attribute/decade_error_{end}') for end in ('low', 'high'))
    assert found == pytest.approx(
        {
            'attribute/decade_accuracy': 80,
            'attribute/decade_within_one': 100,
            'attribute/decade_error': 0.2,
            # Each class beside the predicted one has 0.1: 0.2, 0.2, 0.9, 0.2, 0.1.
            'attribute/decade_expected_error': 0.32,
            'attribute/gender_accuracy': 80,
        }
    )
    assert 0 <= low < 0.2 < high <= 1


def test_without_attributes_for_all_classes_there_is_nothing(log):
    assert evaluate(AttributeMetric, ROWS, {'classes': CLASSES}) == {}
    assert not log
    other = {**META, 'classes': ('20s_f', '30s_f', 'dog')}
    assert evaluate(AttributeMetric, ROWS, other) == {}
    assert {text.partition(':')[0] for text in log} == {
        'attribute decade',
        'attribute gender',
    }
