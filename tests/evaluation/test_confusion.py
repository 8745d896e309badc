"""What is taken for what, and the images where."""

import numpy as np

from custom_datasets.evaluation.detection_errors import (
    SHOWN,
    confusion_matrix,
    judge,
    rank_images,
)
from custom_datasets.evaluation.matching import find_overlaps
from tests.evaluation.drawn_detections import detections, draw

ONE, TWO, THREE = (0, 0, 50, 50), (100, 0, 150, 50), (200, 0, 250, 50)


def judged(results, threshold=0.5):
    return judge(results, find_overlaps(results), threshold)


def test_each_cell():
    results = detections(
        [(0, 0, ONE), (0, 1, TWO), (0, 1, THREE), (1, 0, ONE, True), (1, 0, TWO)],
        [
            (0, 0, ONE, 0.9),  # Correct.
            (0, 0, TWO, 0.8),  # Confused.
            (0, 1, THREE, 0.4),  # Below the threshold: missed.
            (0, 1, ONE, 0.7),  # Taken already: false.
            (1, 1, ONE, 0.6),  # On an ignored box.
            (1, 1, THREE, 0.6),  # On nothing.
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


def ranked(results, threshold=0.5):
    deployed, unsure = judged(results, threshold), judged(results, threshold / 2)
    return rank_images(results, deployed, unsure)


def test_most_mistakes_come_first():
    results = detections(
        [(0, 0, ONE), (1, 0, ONE), (1, 0, TWO), (2, 0, ONE), (3, 0, ONE), (3, 0, TWO)],
        [
            (0, 0, ONE, 0.9),
            (1, 1, ONE, 0.9),
            (2, 0, THREE, 0.8),
            (2, 0, ONE, 0.7),
            (3, 0, ONE, 0.9),
        ],
        images=5,
    )
    ranking = ranked(results)
    worst = [(one['image'], one['f1']) for one in ranking['worst']]
    # One mistake each: F1 is 2/3 and 2/3, so their order stays.
    assert worst == [('i1', 0), ('i2', 2 / 3), ('i3', 2 / 3)]
    first = ranking['worst'][0]
    assert {key: first[key] for key in ('correct', 'missed', 'false', 'confused')} == {
        'correct': 0,
        'missed': 1,
        'false': 0,
        'confused': 1,
    }
    assert (first['index'], first['path'], first['size']) == (1, '/i1.jpg', [640, 480])
    # The last image has nothing to find.
    assert [one['image'] for one in ranking['best']] == ['i0']


def test_a_confusion_counts_once_as_a_mistake_and_twice_in_f1():
    results = detections(
        [(0, 0, ONE), (0, 0, TWO)], [(0, 0, ONE, 0.9), (0, 1, TWO, 0.8)]
    )
    assert ranked(results)['worst'][0]['f1'] == 0.5


def test_of_images_without_mistakes_the_fullest_is_best():
    truth = [(0, 0, ONE), (1, 0, ONE), (1, 0, TWO)]
    results = detections(truth, [(*one, 0.9) for one in truth], images=2)
    assert [one['image'] for one in ranked(results)['best']] == ['i1', 'i0']
    assert ranked(results)['worst'] == []


def test_boxes_and_what_became_of_them():
    results = detections(
        [(0, 0, ONE), (0, 1, TWO), (0, 1, THREE), (0, 0, (300, 0, 350, 50), True)],
        [
            (0, 0, ONE, 0.9),
            (0, 0, TWO, 0.8),
            (0, 1, (300, 0, 350, 50), 0.7),
            (0, 1, (400, 0, 450, 50), 0.6),
            (0, 1, THREE, 0.1),
        ],
    )
    image = ranked(results)['worst'][0]
    verdicts = [one['verdict'] for one in image['truth']]
    assert verdicts == ['found', 'confused', 'missed', 'ignored']
    assert [(one['label'], one['verdict']) for one in image['predicted']] == [
        ('a', 'correct'),
        ('a', 'confused'),
        ('b', 'ignored'),
        ('b', 'false'),
    ]
    assert image['truth'][1]['box'] == list(TWO)
    assert image['predicted'][3]['score'] == 0.6


def test_what_a_lower_threshold_would_find_is_listed_too():
    results = detections(
        [(0, 0, ONE), (0, 1, TWO), (0, 1, THREE)],
        [(0, 0, ONE, 0.9), (0, 0, TWO, 0.3), (0, 1, THREE, 0.2)],
    )
    ranking = ranked(results)
    (image,) = ranking['worst']
    assert (ranking['threshold'], ranking['lowest']) == (0.5, 0.25)
    keys = ('verdict', 'taken_for', 'score')
    assert [tuple(box[key] for key in keys) for box in image['truth']] == [
        ('found', 'a', 0.9),
        ('missed', 'a', 0.3),
        ('missed', None, None),
    ]
    assert [box['verdict'] for box in image['predicted']] == ['correct', 'confused']
    assert (image['missed'], image['confused']) == (2, 0)


def test_no_image_is_worst_and_best():
    ranking = ranked(draw(0, images=3 * SHOWN, ignore=0), 0.7)
    worst, best = ([one['index'] for one in ranking[end]] for end in ('worst', 'best'))
    assert len(worst) == SHOWN
    assert 0 < len(best) <= SHOWN
    assert not set(worst) & set(best)
