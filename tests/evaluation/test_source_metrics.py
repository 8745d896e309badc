import pytest
import torch
from mmpretrain.registry import METRICS

from custom_datasets.errors import AnnotationError
from custom_datasets.evaluation.classification_metric import (
    AttributeMetric,
    SourceMetric,
)

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


def test_registered():
    assert METRICS.get('SourceMetric') is SourceMetric
    assert METRICS.get('AttributeMetric') is AttributeMetric


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


def test_without_attributes_for_all_classes_there_is_nothing(monkeypatch):
    said = []
    module = 'custom_datasets.evaluation.classification_metric.print_log'
    monkeypatch.setattr(module, lambda text, **options: said.append(text))
    assert evaluate(AttributeMetric, ROWS, {'classes': CLASSES}) == {}
    assert not said
    other = {**META, 'classes': ('20s_f', '30s_f', 'dog')}
    assert evaluate(AttributeMetric, ROWS, other) == {}
    assert {text.partition(':')[0] for text in said} == {
        'attribute decade',
        'attribute gender',
    }
