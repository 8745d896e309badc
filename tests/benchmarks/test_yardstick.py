"""Another detector's COCO JSON is judged as our own predictions are."""

import numpy as np
import pytest

from benchmarks.yardstick import judged_alike
from custom_datasets.evaluation.average_precision import ap_tables

CLASSES = ('RBC', 'WBC', 'Platelets')
THEIRS = ('Platelets', 'RBC', 'WBC')
TRUTH = {
    'a': [('RBC', (10, 20, 40, 60)), ('Platelets', (50, 50, 62, 64))],
    'b': [('WBC', (0, 0, 90, 80))],
    'c': [],
}


@pytest.fixture
def samples():
    """The truth, beside predictions that are all wrong."""
    wrong = {'bboxes': [[0, 0, 5, 5]], 'labels': [0], 'scores': [0.9]}
    return [
        {
            'img_path': f'images/{name}.jpg',
            'instances': [
                {'bbox_label': CLASSES.index(label), 'bbox': list(box)}
                for label, box in objects
            ],
            'pred_instances': wrong,
        }
        for name, objects in TRUTH.items()
    ]


@pytest.fixture
def rows():
    """The truth as COCO's JSON of results."""
    return [
        {
            'image_id': name,
            'category_id': THEIRS.index(label) + 1,
            'bbox': [left, top, right - left, bottom - top],
            'score': 0.5,
        }
        for name, objects in reversed(TRUTH.items())
        for label, (left, top, right, bottom) in objects
    ]


def test_what_is_right_is_found_to_be_right(samples, rows):
    results = judged_alike(samples, rows, THEIRS, CLASSES)

    assert results.classes == CLASSES
    weights = np.ones(len(samples))
    tables = ap_tables(results)
    assert tables.ap50(weights) == pytest.approx(1)
    assert tables.coco_ap(weights)[0] == pytest.approx(1)


@pytest.mark.parametrize(
    ('key', 'value'), [('image_id', 'd'), ('category_id', 0), ('category_id', 4)]
)
def test_rows_that_belong_nowhere_are_not_left_out(samples, rows, key, value):
    rows[0][key] = value
    with pytest.raises(AssertionError):
        judged_alike(samples, rows, THEIRS, CLASSES)
