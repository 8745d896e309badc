"""Metrics on resamples, and paired differences, against slow plain code."""

import numpy as np
import pytest

from custom_datasets.evaluation.intervals import resample
from custom_datasets.evaluation.results import classification_results, detection_results
from custom_datasets.runs.comparison import measure
from tests.runs.drawn_runs import CLASSES, classified, detected

BOX = (10, 10, 30, 30)
FAR = (60, 60, 90, 90)


def random_detections(seed, images=12):
    """Objects of two classes, of which some are found, beside false alarms."""
    rng = np.random.default_rng(seed)
    truth = [[(int(rng.integers(2)), BOX), (0, FAR)] for _ in range(images)]
    scores = iter(rng.permutation(1000) / 1000)  # No two are equal.
    predicted = [
        [
            (int(rng.integers(2)), tuple(np.add(box, rng.integers(0, 8))), next(scores))
            for _, box in objects
            for _ in range(int(rng.integers(0, 3)))
        ]
        for objects in truth
    ]
    return detected(truth, predicted)


def by_name(measured):
    names = [metric.text for metric in measured.metrics]
    return dict(zip(names, measured.values.tolist(), strict=True))


def test_names_stand_at_their_metrics():
    # Every cat is found and no dog.
    truth = [[(0, BOX), (1, FAR)]] * 3
    samples = detected(truth, [[(0, BOX, 0.9)]] * 3)
    assert by_name(measure(detection_results(samples, CLASSES), count=1)) == {
        'area-AP50': 0.5,
        'COCO AP': 0.5,
        'area-AP50 cat': 1,
        'COCO AP cat': 1,
        'area-AP50 dog': 0,
        'COCO AP dog': 0,
    }


def test_classification_by_hand():
    # Cats: 3 of 4 right. Dogs: 1 of 2 right.
    samples = classified([1, 1, 1, 0, 1, 0], truth=[0, 0, 0, 0, 1, 1])
    values = by_name(measure(classification_results(samples, CLASSES), count=1))
    assert values == pytest.approx(
        {
            'top-1': 4 / 6,
            'balanced accuracy': (3 / 4 + 1 / 2) / 2,
            'macro F1': (6 / 8 + 2 / 4) / 2,
            'F1 cat': 6 / 8,
            'F1 dog': 2 / 4,
        }
    )


@pytest.mark.parametrize('seed', [0, 7])
def test_a_draw_is_what_the_drawn_images_give(seed):
    results = detection_results(random_detections(seed), CLASSES)
    measured = measure(results, count=20, seed=seed)
    for draw, weights in zip(measured.draws, resample(12, 20, seed), strict=True):
        drawn = results.take(np.repeat(np.arange(12), weights))
        np.testing.assert_allclose(draw, measure(drawn, count=0).values, atol=1e-9)


def plain_interval(differences):
    """The 2.5th and 97.5th percentile, between neighbours by their distance."""
    ordered = sorted(differences)
    found = []
    for share in (0.025, 0.975):
        place = share * (len(ordered) - 1)
        below = int(place)
        above = min(below + 1, len(ordered) - 1)
        step = ordered[above] - ordered[below]
        found.append(ordered[below] + (place - below) * step)
    return found


def test_paired_differences_against_plain_code():
    rng = np.random.default_rng(3)
    right = {name: rng.random(40) < share for name, share in (('a', 0.6), ('b', 0.7))}
    runs = {
        name: measure(classification_results(classified(each), CLASSES), 200, 5)
        for name, each in right.items()
    }
    found = runs['b'].minus(runs['a'])[0]
    differences = []
    for weights in resample(40, 200, 5):
        drawn = [image for image in range(40) for _ in range(weights[image])]
        accuracy = {n: sum(each[i] for i in drawn) / 40 for n, each in right.items()}
        differences.append(accuracy['b'] - accuracy['a'])
    assert found.value == pytest.approx(right['b'].mean() - right['a'].mean())
    assert [found.low, found.high] == pytest.approx(plain_interval(differences))
    back = runs['a'].minus(runs['b'])[0]
    assert back == pytest.approx((-found.value, -found.high, -found.low))


def test_pairing_takes_out_what_is_hard_for_both():
    # Both fail on the same 30 of 60 images; the second fails on one more.
    first = np.arange(60) % 2 == 0
    second = first & (np.arange(60) != 0)
    runs = [
        measure(classification_results(classified(each), CLASSES), 500)
        for each in (first, second)
    ]
    alone = runs[1].estimates()[0]
    paired = runs[1].minus(runs[0])[0]
    assert paired.high - paired.low < 0.4 * (alone.high - alone.low)
