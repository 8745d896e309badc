"""What a detector's report says in plain sentences."""

import copy

import pytest

from custom_datasets.pages.summaries import KINDS, detection_summary, main_error


def estimate(value, low=None, high=None):
    return {'value': value, 'low': low, 'high': high}


def error(kind, dap, *of_classes):
    rows = [{'count': 1, 'dap': one} for one in of_classes]
    return {'kind': kind, 'count': 2, 'deployed': 1, 'dap': dap, 'per_class': rows}


CONTENT = {
    'images': 1200,
    'objects': 34,
    'overall': {
        'area_ap50': estimate(0.7, 0.6, 0.8),
        'coco': {'AP': estimate(0.5)},
    },
    'per_class': [
        {'name': 'cat', 'area_ap50': estimate(0.9)},
        {'name': 'dog', 'area_ap50': estimate(0.5, 0.25, 0.75)},
        {'name': 'cow', 'area_ap50': estimate(None)},
    ],
    'thresholds': {
        'chosen_on': 'validation',
        'overall': {
            'threshold': 0.4321,
            'precision': estimate(0.8),
            'recall': estimate(0.75),
        },
    },
    'errors': {
        'types': [
            error('missed', 0.1, 0.2, 0.0, None),
            error('class', 0.05, 0.0, 0.1, None),
            error('both', None, None, None, None),
        ]
    },
}


def test_it_says_how_good_at_which_threshold_and_what_fails():
    assert detection_summary(CONTENT) == [
        'area-AP50 0.700 (0.600 to 0.800), COCO AP 0.500, on 1,200 images with 34 '
        'objects.',
        'Threshold to deploy: 0.432, chosen on the validation set; at it precision is '
        '0.800 and recall 0.750.',
        'Worst class: dog with area-AP50 0.500 (0.250 to 0.750); what costs it most is '
        'class (the right place, but another class), 0.100 of AP.',
    ]


@pytest.mark.parametrize(
    ('source', 'words'),
    [('test', 'chosen on the test set itself'), ('default', 'not chosen')],
)
def test_it_says_where_the_threshold_is_from(source, words):
    content = copy.deepcopy(CONTENT)
    content['thresholds']['chosen_on'] = source
    assert words in detection_summary(content)[1]


def test_one_class_has_no_worst():
    content = {**CONTENT, 'per_class': CONTENT['per_class'][1:]}
    assert len(detection_summary(content)) == 2


def test_the_main_error_is_what_costs_most():
    errors = CONTENT['errors']
    assert main_error(errors)['kind'] == 'missed'
    assert main_error(errors, 1)['kind'] == 'class'
    assert main_error(errors, 2) is None


def test_each_kind_of_error_is_explained(tmp_path):
    from tests.pages.drawn import draw_content

    content = draw_content(tmp_path, images=2)
    assert {row['kind'] for row in content['errors']['types']} == set(KINDS)
