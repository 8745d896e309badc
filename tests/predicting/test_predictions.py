"""Predictions are read without truth, and refused where their numbers are not sound."""

import numpy as np
import pytest

from custom_datasets.errors import UserError
from custom_datasets.evaluation.results import read_samples
from custom_datasets.predicting.predictions import sound_results
from tests.predicting.drawn import classifier_sample, detector_sample, write_pickle

GOOD = detector_sample('a.jpg', (1, 0.25, (1, 2, 3, 4)), (0, 0.5, (5, 6, 7, 8)))
TRUTH = [{'bbox': [0, 0, 9, 9], 'bbox_label': 5, 'ignore_flag': 0}]


@pytest.fixture
def read(tmp_path):
    def read_files(*samples):
        path = write_pickle(tmp_path / 'p.pkl', list(samples))
        return sound_results(path, read_samples(path))

    return read_files


@pytest.mark.parametrize(
    'more', [{}, {'instances': []}, {'instances': TRUTH}], ids=['none', 'empty', 'some']
)
def test_boxes_are_read_whatever_truth_there_is(read, more):
    found = read({**GOOD, **more}, detector_sample('b.jpg'))
    assert [image.path for image in found.images] == ['a.jpg', 'b.jpg']
    assert found.images[0].size == (64, 48)
    assert found.predicted.score.tolist() == [0.5, 0.25]
    assert found.predicted.label.tolist() == [0, 1]
    assert found.predicted.box.tolist() == [[5, 6, 7, 8], [1, 2, 3, 4]]


def test_probabilities_are_read_without_truth(read):
    found = read(classifier_sample('a.jpg', [0.25, 0.75]))
    assert found.scores.tolist() == [[0.25, 0.75]]


@pytest.mark.parametrize('wrong', [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize('place', range(4))
def test_a_box_that_is_not_finite_is_refused_with_its_image(read, wrong, place):
    box = [1.0, 2.0, 3.0, 4.0]
    box[place] = wrong
    with pytest.raises(UserError, match=r'p\.pkl: b\.jpg: a box or a score is not a'):
        read(GOOD, detector_sample('b.jpg', (0, 0.5, box)))


@pytest.mark.parametrize(
    ('score', 'message'),
    [
        (np.nan, 'not a finite number'),
        (np.inf, 'not a finite number'),
        (1.01, 'not between 0 and 1'),
        (-0.01, 'not between 0 and 1'),
    ],
)
def test_a_score_that_is_none_is_refused_with_its_image(read, score, message):
    bad = detector_sample('b.jpg', (0, 0.5, (0, 0, 1, 1)), (0, score, (1, 2, 3, 4)))
    with pytest.raises(UserError, match=rf'p\.pkl: b\.jpg: a .*score is {message}'):
        read(GOOD, bad, GOOD | {'img_path': 'c.jpg'})


@pytest.mark.parametrize('scores', [[np.nan, 0.5], [np.inf, 0], [0.5, 0.2], [-1, 2]])
def test_probabilities_that_are_none_are_refused_with_their_image(read, scores):
    with pytest.raises(UserError, match=r'p\.pkl: b\.jpg: its scores are not prob'):
        read(classifier_sample('a.jpg', [0, 1]), classifier_sample('b.jpg', scores))


def test_an_image_twice(read):
    with pytest.raises(UserError, match=r'p\.pkl: a\.jpg appears twice'):
        read(GOOD, GOOD)


@pytest.mark.parametrize(
    'samples',
    [
        [{'img_path': 'a.jpg'}],
        [GOOD, {'img_path': 'b.jpg'}],
        [{**GOOD, 'pred_instances': {'scores': [0.5]}}],
        [{**GOOD, 'pred_instances': None}],
        [classifier_sample('a.jpg', [0, 1]), classifier_sample('b.jpg', [0, 0, 1])],
    ],
)
def test_what_holds_no_predictions(read, samples):
    with pytest.raises(UserError, match=r'p\.pkl: not a file of predictions'):
        read(*samples)
