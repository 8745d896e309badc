import numpy as np
import pytest

from custom_datasets.evaluation.results import (
    ClassificationResults,
    DetectionResults,
    ImageInfo,
    PredictedBoxes,
    TruthBoxes,
)
from custom_datasets.evaluation.sets import compare_sets, disagree


def infos(paths):
    return tuple(ImageInfo(path, path) for path in paths)


def classify(paths, right):
    """Return results of a classifier that has some images right."""
    truth = np.zeros(len(paths), np.intp)
    scores = np.array([[0.9, 0.1] if one else [0.2, 0.8] for one in right])
    return ClassificationResults(('a', 'b'), infos(paths), truth, scores)


def detect(paths, found):
    """Return results of a detector that finds the one object of some images."""
    count = len(paths)
    box = np.tile([10.0, 10, 30, 30], (count, 1))
    hit = np.flatnonzero(found)
    return DetectionResults(
        ('a',),
        infos(paths),
        TruthBoxes(
            np.arange(count), np.zeros(count, np.intp), box, np.zeros(count, bool)
        ),
        PredictedBoxes(
            hit, np.zeros(len(hit), np.intp), box[hit], np.linspace(0.9, 0.5, len(hit))
        ),
    )


@pytest.fixture
def paths(tmp_path):
    (tmp_path / 'sources.txt').write_text('lab\tthe lab\nweb\tthe web\n')
    return lambda folder, count: [f'{tmp_path}/{folder}/{i}.jpg' for i in range(count)]


@pytest.mark.parametrize('make', [classify, detect])
def test_sets_and_their_sources(paths, make):
    val = make(paths('lab', 4), [1, 1, 1, 0])
    names = paths('lab', 2) + paths('web', 4) + paths('other', 2)
    test = make(names, [1, 0, 1, 0, 0, 0, 1, 1])
    sets = compare_sets({'validation': val, 'test': test}, resamples=50)
    assert sets['metric'] == ('top1' if make is classify else 'area_ap50')
    rows = [
        (row['set'], row['sources'], row['images'], row['estimate']['value'])
        for row in sets['rows']
    ]
    assert rows == [
        ('validation', ['the lab'], 4, 0.75),
        ('test', ['the lab', 'the web'], 8, 0.5),
        ('test', ['the lab'], 2, 0.5),
        ('test', ['the web'], 4, 0.25),
    ]


def test_no_sources_and_no_validation(tmp_path):
    test = classify([f'{tmp_path}/{i}.jpg' for i in range(3)], [1, 1, 0])
    (row,) = compare_sets({'validation': None, 'test': test}, resamples=50)['rows']
    assert (row['set'], row['sources'], row['images']) == ('test', [], 3)
    assert row['estimate']['value'] == pytest.approx(2 / 3, abs=1e-6)


def test_a_perfect_detector_has_no_interval(paths):
    test = detect(paths('lab', 3), [1, 1, 1])
    (row,) = compare_sets({'test': test}, resamples=20)['rows']
    assert row['estimate'] == {'value': 1.0, 'low': None, 'high': None}


def row(value, low, high, images=100):
    return {'images': images, 'estimate': {'value': value, 'low': low, 'high': high}}


@pytest.mark.parametrize(
    ('one', 'other', 'far'),
    [
        # 0.24 apart; the halves that face each other are 0.02 and 0.05.
        (row(0.95, 0.93, 0.97), row(0.71, 0.66, 0.76), True),
        # Twice the root of 0.03 ** 2 + 0.04 ** 2 is 0.1.
        (row(0.8, 0.77, 0.83), row(0.69, 0.65, 0.73), True),
        (row(0.8, 0.77, 0.83), row(0.71, 0.67, 0.75), False),
        # The other halves do not matter.
        (row(0.8, 0.77, 0.9), row(0.69, 0.4, 0.73), True),
        (row(0.8, 0.7, 0.9), row(0.8, 0.7, 0.9), False),
        (row(1.0, None, None), row(0.5, 0.4, 0.6), False),
        (row(0.95, 0.93, 0.97, 19), row(0.71, 0.66, 0.76), False),
    ],
)
def test_far_apart(one, other, far):
    assert disagree(one, other) is far
    assert disagree(other, one) is far
