"""Annotations that confident predictions contradict."""

import numpy as np

from custom_datasets.evaluation.label_doubts import SHOWN, label_doubts
from custom_datasets.evaluation.matching import find_overlaps, match_classwise
from tests.evaluation.drawn_detections import detections

ONE, TWO, FAR = (0, 0, 10, 10), (100, 0, 110, 10), (300, 300, 310, 310)
THIRD = (5, 0, 15, 10)


def doubts(results, thresholds=(0.3, 0.3)):
    pairs = find_overlaps(results)
    matching = match_classwise(results, pairs)
    return label_doubts(results, pairs, matching, np.array(thresholds))


def brief(results, **options):
    keys = ('kind', 'predicted', 'annotated', 'sure')
    return [tuple(one[key] for key in keys) for one in doubts(results, **options)]


def right(label, *scores):
    """Return images with one object each, found with these scores."""
    truth = [(index + 1, label, ONE) for index in range(len(scores))]
    return truth, [(*one, score) for one, score in zip(truth, scores, strict=True)]


TRUTH, FOUND = right(0, 0.9, 0.7, 0.5)


def of_image_0(truth, predicted):
    return detections([*truth, *TRUTH], [*predicted, *FOUND], images=4)


def test_a_prediction_where_nothing_is_annotated():
    results = of_image_0([(0, 0, ONE)], [(0, 0, ONE, 0.9), (0, 0, FAR, 0.8)])
    (doubt,) = doubts(results)
    assert doubt == {
        'kind': 'unlabelled',
        'image': 'i0',
        'path': '/i0.jpg',
        'index': 0,
        'size': [640, 480],
        'box': list(FAR),
        'sure': 0.8,
        'score': 0.8,
        'predicted': 'a',
        'annotated': None,
        'annotated_box': None,
        'sentence': 'Nothing is annotated here, but the model sees a with a score of '
        '0.80.',
    }


def test_only_if_it_is_as_confident_as_the_better_half_of_what_is_right():
    # Right are 0.9, 0.7 and 0.5.
    assert brief(of_image_0([], [(0, 0, FAR, 0.69)])) == []
    assert len(brief(of_image_0([], [(0, 0, FAR, 0.7)]))) == 1
    # From a threshold on only 0.9 and 0.7 are.
    results = of_image_0([], [(0, 0, FAR, 0.79)])
    assert len(brief(results)) == 1
    assert brief(results, thresholds=(0.6, 0.3)) == []


def test_a_class_that_is_never_right_is_not_believed():
    assert brief(of_image_0([], [(0, 1, FAR, 1.0)])) == []


def test_near_a_box_even_an_ignored_one_it_is_no_doubt():
    for place in (THIRD, ONE):
        assert brief(of_image_0([(0, 1, place, True)], [(0, 0, ONE, 0.9)])) == []


def test_one_doubt_for_each_place():
    near = (302, 300, 312, 310)
    results = of_image_0([], [(0, 0, FAR, 0.8), (0, 0, near, 0.9), (0, 0, TWO, 0.7)])
    assert [one[-1] for one in brief(results)] == [0.9, 0.7]
    # The same place in another image is another place.
    both = [(0, 0, FAR, 0.8), (4, 0, FAR, 0.75)]
    results = detections(TRUTH, [*both, *FOUND], images=5)
    assert [one[-1] for one in brief(results)] == [0.8, 0.75]


def test_another_class_on_an_annotated_box():
    results = of_image_0([(0, 1, TWO)], [(0, 0, TWO, 0.8), (0, 1, TWO, 0.4)])
    (doubt,) = doubts(results)
    assert (doubt['kind'], doubt['predicted']) == ('other-class', 'a')
    assert (doubt['annotated'], doubt['annotated_box']) == ('b', list(TWO))
    assert (
        doubt['sentence']
        == 'Annotated as b, but the model sees a with a score of 0.80.'
    )


def test_not_where_the_annotated_class_is_as_confident():
    results = of_image_0([(0, 1, TWO)], [(0, 0, TWO, 0.8), (0, 1, TWO, 0.8)])
    assert brief(results) == []


def test_not_where_its_own_class_is_annotated_too():
    results = of_image_0([(0, 1, TWO), (0, 0, TWO)], [(0, 0, TWO, 0.8)])
    assert brief(results) == []


def test_one_doubt_for_each_annotated_box():
    near = (101, 0, 111, 10)
    results = of_image_0([(0, 1, TWO)], [(0, 0, TWO, 0.75), (0, 0, near, 0.8)])
    assert brief(results) == [('other-class', 'a', 'b', 0.8)]


def test_a_box_that_nothing_supports_though_its_class_is_found():
    truth, found = right(0, *[0.5] * 9)
    results = detections([(0, 0, ONE), *truth], found, images=10)
    (doubt,) = doubts(results)
    assert (doubt['kind'], doubt['sure'], doubt['score']) == ('unsupported', 0.9, None)
    assert doubt['box'] == doubt['annotated_box'] == list(ONE)
    assert 'though 90 % of all a are found' in doubt['sentence']
    # A class of which less is found.
    results = detections([(0, 0, ONE), *truth[:8]], found[:8], images=10)
    assert doubts(results) == []
    # An unsure prediction of another class supports it.
    results = detections(
        [(0, 0, ONE), *truth], [(0, 1, THIRD, 0.01), *found], images=10
    )
    assert doubts(results) == []


def test_the_surest_come_first_and_not_too_many():
    many = [
        (0, 0, (30 * n, 200, 30 * n + 10, 210), 0.7 + n / 100) for n in range(SHOWN + 3)
    ]
    results = of_image_0([(0, 1, TWO)], [*many, (0, 0, TWO, 0.72)])
    sure = [one[-1] for one in brief(results)]
    assert sure == sorted(sure, reverse=True)
    kinds = [one[0] for one in brief(results)]
    assert (kinds.count('unlabelled'), kinds.count('other-class')) == (SHOWN, 1)
