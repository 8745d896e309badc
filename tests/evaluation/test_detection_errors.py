"""Kinds of mistakes and what they cost, what is confused, and the images where."""

import numpy as np
import pytest

from custom_datasets.evaluation.average_precision import ap_tables
from custom_datasets.evaluation.detection_errors import (
    KINDS,
    SHOWN,
    box_errors,
    confusion_matrix,
    judge,
    rank_images,
)
from custom_datasets.evaluation.matching import find_overlaps, match_classwise
from tests.evaluation.drawn_detections import detections, draw

ONE, TWO, FAR = (0, 0, 10, 10), (100, 0, 110, 10), (300, 300, 310, 310)
THIRD = (5, 0, 15, 10)
"""It overlaps ONE by 1/3."""


def errors(results, threshold=0.0):
    pairs = find_overlaps(results)
    return box_errors(results, pairs, match_classwise(results, pairs), threshold)


def by_kind(results, key, threshold=0.0):
    types = errors(results, threshold)['types']
    return {one['kind']: one[key] for one in types if one[key]}


@pytest.mark.parametrize(
    ('truth', 'predicted', 'kind', 'dap'),
    [
        pytest.param(
            # A false alarm before a hit: 1/2 of the objects at precision 1/2.
            [(0, 0, ONE), (0, 0, TWO)],
            [(0, 0, THIRD, 0.9), (0, 0, TWO, 0.8)],
            'localisation',
            1 - 1 / 4,
            id='localisation',
        ),
        pytest.param(
            # a finds one of two; b has a false alarm before its hit.
            [(0, 0, ONE), (0, 0, TWO), (0, 1, FAR)],
            [(0, 0, ONE, 0.8), (0, 1, TWO, 0.9), (0, 1, FAR, 0.7)],
            'class',
            (1 / 2 + 1 / 2) / 2,
            id='class',
        ),
        pytest.param(
            [(0, 0, ONE), (0, 1, FAR)],
            [(0, 0, ONE, 0.9), (0, 1, THIRD, 0.8), (0, 1, FAR, 0.7)],
            'both',
            (0 + 1 / 2) / 2,
            id='both',
        ),
        pytest.param(
            # Right, wrong, right: 1/2 at 1 and 1/2 at 2/3.
            [(0, 0, ONE), (0, 0, TWO)],
            [(0, 0, ONE, 0.9), (0, 0, ONE, 0.8), (0, 0, TWO, 0.7)],
            'duplicate',
            1 - (1 / 2 + 1 / 2 * 2 / 3),
            id='duplicate',
        ),
        pytest.param(
            [(0, 0, ONE)],
            [(0, 0, FAR, 0.9), (0, 0, ONE, 0.8)],
            'background',
            1 / 2,
            id='background',
        ),
        pytest.param(
            [(0, 0, ONE), (0, 0, TWO)],
            [(0, 0, ONE, 0.9)],
            'missed',
            1 / 2,
            id='missed',
        ),
    ],
)
def test_one_of_each_kind(truth, predicted, kind, dap):
    results = detections(truth, predicted)
    assert by_kind(results, 'count') == {kind: 1}
    assert by_kind(results, 'dap') == pytest.approx({kind: dap})


def test_a_class_gains_from_what_another_mistook():
    results = detections(
        [(0, 0, ONE), (0, 0, TWO), (0, 1, FAR)],
        [(0, 0, ONE, 0.8), (0, 1, TWO, 0.9), (0, 1, FAR, 0.7)],
    )
    rows = errors(results)['types'][KINDS.index('class')]['per_class']
    assert rows == [{'count': 0, 'dap': 0.5}, {'count': 1, 'dap': 0.5}]


def test_only_the_most_confident_on_an_object_is_repaired():
    # 1/3 from the left and from the right of ONE, the latter before TWO is found.
    results = detections(
        [(0, 0, ONE), (0, 0, TWO)],
        [(0, 0, THIRD, 0.5), (0, 0, (-5, 0, 5, 10), 0.9), (0, 0, TWO, 0.8)],
    )
    assert by_kind(results, 'count') == {'localisation': 2}
    # Precision 1/2 at recall 1/2 becomes 1 throughout, the other is dropped.
    assert by_kind(results, 'dap') == pytest.approx({'localisation': 3 / 4})


def test_a_bad_box_on_an_object_that_is_found_is_dropped():
    results = detections([(0, 0, ONE)], [(0, 0, THIRD, 0.9), (0, 0, ONE, 0.8)])
    assert by_kind(results, 'dap') == pytest.approx({'localisation': 1 / 2})


def test_the_order_of_kinds():
    # Its class overlaps by 1/3 and another one wholly.
    near = detections([(0, 0, ONE), (0, 1, THIRD)], [(0, 0, THIRD, 0.9)])
    assert by_kind(near, 'count') == {'localisation': 1, 'missed': 1}
    # On a found object of its class and on one of another class.
    again = detections([(0, 0, ONE), (0, 1, ONE)], [(0, 0, ONE, 0.9), (0, 0, ONE, 0.8)])
    assert by_kind(again, 'count') == {'class': 1}


def test_ignored_boxes_and_what_is_on_them_are_no_mistakes():
    results = detections(
        [(0, 0, ONE, True), (0, 0, TWO)], [(0, 0, ONE, 0.9), (0, 0, TWO, 0.8)]
    )
    assert by_kind(results, 'count') == {}
    near = detections([(0, 0, ONE, True)], [(0, 0, THIRD, 0.9)])
    assert by_kind(near, 'count') == {'background': 1}


def test_a_class_of_which_all_is_missed():
    results = detections([(0, 0, ONE), (0, 1, FAR)], [(0, 0, ONE, 0.9)])
    assert errors(results)['area_ap50'] == 0.5
    assert by_kind(results, 'dap') == {'missed': 0.5}


def test_what_is_deployed():
    results = detections(
        [(0, 0, ONE), (0, 0, TWO)],
        [(0, 0, FAR, 0.9), (0, 0, ONE, 0.8), (0, 0, FAR, 0.3), (0, 0, TWO, 0.2)],
    )
    assert by_kind(results, 'count') == {'background': 2}
    assert by_kind(results, 'deployed', 0.5) == {'background': 1, 'missed': 1}
    assert by_kind(results, 'deployed', 0.85) == {'background': 1, 'missed': 2}


@pytest.mark.parametrize('seed', range(4))
def test_every_false_positive_is_of_one_kind_and_no_repair_costs(seed):
    results = draw(seed)
    matching = match_classwise(results, find_overlaps(results))
    report = errors(results)
    counts = {one['kind']: one['count'] for one in report['types']}
    counts.pop('missed')
    assert sum(counts.values()) == (~matching.found & ~matching.ignored).sum()
    base = ap_tables(results).ap50(np.ones(len(results.images)))[0]
    assert report['area_ap50'] == pytest.approx(base)
    for one in report['types']:
        assert 0 <= one['dap'] <= 1 - base
        assert one['count'] == sum(part['count'] for part in one['per_class'])


LEFT, MIDDLE, RIGHT = (0, 0, 50, 50), (100, 0, 150, 50), (200, 0, 250, 50)


def judged(results, threshold=0.5):
    return judge(results, find_overlaps(results), threshold)


def test_each_cell():
    results = detections(
        [
            (0, 0, LEFT),
            (0, 1, MIDDLE),
            (0, 1, RIGHT),
            (1, 0, LEFT, True),
            (1, 0, MIDDLE),
        ],
        [
            (0, 0, LEFT, 0.9),  # Correct.
            (0, 0, MIDDLE, 0.8),  # Confused.
            (0, 1, RIGHT, 0.4),  # Below the threshold: missed.
            (0, 1, LEFT, 0.7),  # Taken already: false.
            (1, 1, LEFT, 0.6),  # On an ignored box.
            (1, 1, RIGHT, 0.6),  # On nothing.
        ],
        images=2,
    )
    matrix = confusion_matrix(results, judged(results))
    assert matrix.tolist() == [[1, 0, 1], [1, 0, 1], [0, 2, 0]]


def test_every_object_and_every_prediction_is_in_one_cell():
    results = draw(4, ignore=0)
    for threshold in (0.0, 0.5, 1.1):
        matrix = confusion_matrix(results, judged(results, threshold))
        kept = results.predicted.score >= threshold
        classes = len(results.classes)
        labels = (results.truth.label, results.predicted.label[kept])
        true, predicted = (np.bincount(label, minlength=classes) for label in labels)
        assert matrix[:-1].sum(axis=1).tolist() == true.tolist()
        assert matrix[:, :-1].sum(axis=0).tolist() == predicted.tolist()
        assert matrix[-1, -1] == 0


def ranking(results, threshold=0.5):
    deployed, unsure = judged(results, threshold), judged(results, threshold / 2)
    return rank_images(results, deployed, unsure)


def test_most_mistakes_come_first():
    results = detections(
        [
            (0, 0, LEFT),
            (1, 0, LEFT),
            (1, 0, MIDDLE),
            (2, 0, LEFT),
            (3, 0, LEFT),
            (3, 0, MIDDLE),
        ],
        [
            (0, 0, LEFT, 0.9),
            (1, 1, LEFT, 0.9),
            (2, 0, RIGHT, 0.8),
            (2, 0, LEFT, 0.7),
            (3, 0, LEFT, 0.9),
        ],
        images=5,
    )
    images = ranking(results)
    worst = [(one['image'], one['f1']) for one in images['worst']]
    # One mistake each: F1 is 2/3 and 2/3, so their order stays.
    assert worst == [('i1', 0), ('i2', 2 / 3), ('i3', 2 / 3)]
    first = images['worst'][0]
    assert {key: first[key] for key in ('correct', 'missed', 'false', 'confused')} == {
        'correct': 0,
        'missed': 1,
        'false': 0,
        'confused': 1,
    }
    assert (first['index'], first['path'], first['size']) == (1, '/i1.jpg', [640, 480])
    # Of as many mistakes the lower F1 is worse, wherever the image stands.
    results = detections(
        [(0, 0, LEFT), (0, 0, MIDDLE), (1, 0, LEFT)], [(0, 0, LEFT, 0.9)], images=2
    )
    assert [one['image'] for one in ranking(results)['worst']] == ['i1', 'i0']
    # The last image has nothing to find.
    assert [one['image'] for one in images['best']] == ['i0']


def test_a_confusion_counts_once_as_a_mistake_and_twice_in_f1():
    results = detections(
        [(0, 0, LEFT), (0, 0, MIDDLE)], [(0, 0, LEFT, 0.9), (0, 1, MIDDLE, 0.8)]
    )
    assert ranking(results)['worst'][0]['f1'] == 0.5


def test_of_images_without_mistakes_the_fullest_is_best():
    truth = [(0, 0, LEFT), (1, 0, LEFT), (1, 0, MIDDLE)]
    results = detections(truth, [(*one, 0.9) for one in truth], images=2)
    assert [one['image'] for one in ranking(results)['best']] == ['i1', 'i0']
    assert ranking(results)['worst'] == []


def test_boxes_and_what_became_of_them():
    results = detections(
        [(0, 0, LEFT), (0, 1, MIDDLE), (0, 1, RIGHT), (0, 0, (300, 0, 350, 50), True)],
        [
            (0, 0, LEFT, 0.9),
            (0, 0, MIDDLE, 0.8),
            (0, 1, (300, 0, 350, 50), 0.7),
            (0, 1, (400, 0, 450, 50), 0.6),
            (0, 1, RIGHT, 0.1),
        ],
    )
    image = ranking(results)['worst'][0]
    verdicts = [one['verdict'] for one in image['truth']]
    assert verdicts == ['found', 'confused', 'missed', 'ignored']
    assert [(one['label'], one['verdict']) for one in image['predicted']] == [
        ('a', 'correct'),
        ('a', 'confused'),
        ('b', 'ignored'),
        ('b', 'false'),
    ]
    assert image['truth'][1]['box'] == list(MIDDLE)
    assert image['predicted'][3]['score'] == 0.6


def test_what_a_lower_threshold_would_find_is_listed_too():
    results = detections(
        [(0, 0, LEFT), (0, 1, MIDDLE), (0, 1, RIGHT)],
        [(0, 0, LEFT, 0.9), (0, 0, MIDDLE, 0.3), (0, 1, RIGHT, 0.2)],
    )
    images = ranking(results)
    (image,) = images['worst']
    assert (images['threshold'], images['lowest']) == (0.5, 0.25)
    keys = ('verdict', 'taken_for', 'score')
    assert [tuple(box[key] for key in keys) for box in image['truth']] == [
        ('found', 'a', 0.9),
        ('missed', 'a', 0.3),
        ('missed', None, None),
    ]
    assert [box['verdict'] for box in image['predicted']] == ['correct', 'confused']
    assert (image['missed'], image['confused']) == (2, 0)


def test_no_image_is_worst_and_best():
    images = ranking(draw(0, images=3 * SHOWN, ignore=0), 0.7)
    worst, best = ([one['index'] for one in images[end]] for end in ('worst', 'best'))
    assert len(worst) == SHOWN
    assert 0 < len(best) <= SHOWN
    assert not set(worst) & set(best)
