"""Truth and predictions: files as the stock metrics write them, and two in line."""

import pickle
from dataclasses import replace

import numpy as np
import pytest
import torch
from mmdet.evaluation import DumpDetResults
from mmdet.structures import DetDataSample
from mmengine.evaluator import DumpResults
from mmengine.structures import InstanceData
from mmpretrain.structures import DataSample

from custom_datasets.errors import UserError
from custom_datasets.evaluation.results import (
    ClassificationResults,
    DetectionResults,
    ImageInfo,
    PredictedBoxes,
    TruthBoxes,
    align,
    image_keys,
    read_results,
    read_samples,
    write_samples,
)

BOXES = np.arange(20, dtype=float).reshape(5, 4)


def dump(metric, path, samples):
    dumper = metric(str(path))
    dumper.process({}, [sample.to_dict() for sample in samples])
    dumper.evaluate(len(samples))
    return str(path)


def detector_sample(name, truth, found):
    sample = DetDataSample(
        metainfo={
            'img_id': name,
            'img_path': f'/data/{name}.png',
            'ori_shape': (48, 64),
            'instances': [
                {'bbox': box, 'bbox_label': label, 'ignore_flag': ignored}
                for box, label, ignored in truth
            ],
        }
    )
    boxes, labels, scores = zip(*found, strict=True) if found else ([], [], [])
    sample.pred_instances = InstanceData(
        bboxes=torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4),
        labels=torch.tensor(labels, dtype=torch.long),
        scores=torch.tensor(scores, dtype=torch.float32),
    )
    sample.gt_instances = InstanceData(bboxes=torch.zeros(0, 4))
    return sample


@pytest.fixture
def detections(tmp_path):
    samples = [
        detector_sample(
            'first',
            [([1.0, 2.0, 30.0, 40.0], 1, 0), ([5.0, 5.0, 9.0, 9.0], 0, 1)],
            [([0, 0, 9, 9], 0, 0.25), ([1, 2, 31, 41], 1, 0.75)],
        ),
        detector_sample('empty', [], []),
    ]
    return dump(DumpDetResults, tmp_path / 'det.pkl', samples)


@pytest.fixture
def probabilities(tmp_path):
    samples = [
        DataSample(metainfo={'img_path': f'/data/{name}', 'ori_shape': (8, 9)})
        .set_gt_label(label)
        .set_pred_score(torch.tensor(score))
        for name, label, score in (
            ('a/0.png', 0, [0.75, 0.25]),
            ('b/0.png', 1, [0.5, 0.5]),
        )
    ]
    return dump(DumpResults, tmp_path / 'cls.pkl', samples)


def test_a_detector(detections):
    results = read_results(detections, ('dot', 'line'))
    assert results.classes == ('dot', 'line')
    assert [image.key for image in results.images] == ['first', 'empty']
    assert results.images[0].size == (64, 48)
    assert results.truth.image.tolist() == [0, 0]
    assert results.truth.label.tolist() == [1, 0]
    assert results.truth.ignore.tolist() == [False, True]
    assert results.truth.box[0].tolist() == [1, 2, 30, 40]
    # In the order of scores, whatever the file's is.
    assert results.predicted.score.tolist() == [0.75, 0.25]
    assert results.predicted.label.tolist() == [1, 0]
    assert results.predicted.box[0].tolist() == [1, 2, 31, 41]


def test_a_classifier(probabilities):
    results = read_results(probabilities)
    assert results.classes == ('0', '1')
    assert results.truth.tolist() == [0, 1]
    assert results.scores.tolist() == [[0.75, 0.25], [0.5, 0.5]]
    assert [image.key for image in results.images] == ['a/0.png', 'b/0.png']


def test_what_is_written_is_read_again(detections, tmp_path):
    copy = tmp_path / 'new' / 'copy.pkl'
    write_samples(str(copy), read_samples(detections))
    boxes = [read_results(path).predicted.box for path in (str(copy), detections)]
    assert np.array_equal(*boxes)
    assert list(copy.parent.iterdir()) == [copy]


def test_keys_are_as_short_as_tells_them_apart():
    assert image_keys(['/data/x/1.png', '/data/y/2.png']) == ['1.png', '2.png']
    assert image_keys(['/a/x/1.png', '/b/y/1.png']) == ['x/1.png', 'y/1.png']


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        (b'not a pickle', 'not a file of predictions'),
        (pickle.dumps([]), 'it is empty'),
        (pickle.dumps({'a': 1}), 'it is not a list of images'),
        (
            pickle.dumps([{'pred_instances': {}, 'img_path': 'x.png'}]),
            'no ground truth for x',
        ),
        (
            pickle.dumps([{'pred_score': [1.0], 'img_path': 'y'}]),
            'no ground truth for y',
        ),
        (None, 'cannot be read'),
    ],
)
def test_another_file(tmp_path, content, message):
    path = tmp_path / 'some.pkl'
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=f'some.pkl: .*{message}'):
        read_results(str(path))


def test_labels_need_names(detections, probabilities):
    with pytest.raises(UserError, match=r'det\.pkl: label 1, but only 1 class'):
        read_results(detections, ('dot',))
    with pytest.raises(UserError, match='2 scores per image, but 3 classes'):
        read_results(probabilities, ('a', 'b', 'c'))


def test_an_image_that_appears_twice(tmp_path):
    samples = [detector_sample('one', [], []), detector_sample('one', [], [])]
    path = dump(DumpDetResults, tmp_path / 'twice.pkl', samples)
    with pytest.raises(UserError, match='one appears twice'):
        read_results(path)


def detected(keys='abc', classes=('x', 'y')):
    """Image a has two objects, b none, c one; a and c have predictions."""
    return DetectionResults(
        classes,
        tuple(ImageInfo(key, f'{key}.png', (64, 48)) for key in keys),
        TruthBoxes(
            np.array([0, 0, 2]),
            np.array([0, 1, 1]),
            BOXES[:3],
            np.array([False, True, False]),
        ),
        PredictedBoxes(
            np.array([0, 2, 2]),
            np.array([1, 0, 1]),
            BOXES[2:],
            np.array([0.9, 0.8, 0.1]),
        ),
    )


def classified(keys='abc', truth=(0, 1, 1)):
    images = tuple(ImageInfo(key, f'{key}.png') for key in keys)
    scores = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]])
    return ClassificationResults(('x', 'y'), images, np.array(truth), scores)


def test_taking_images_takes_their_boxes():
    taken = detected().take([2, 1, 0])
    assert [image.key for image in taken.images] == ['c', 'b', 'a']
    assert taken.truth.image.tolist() == [0, 2, 2]
    assert taken.truth.label.tolist() == [1, 0, 1]
    assert taken.truth.ignore.tolist() == [False, False, True]
    assert (taken.truth.box == BOXES[[2, 0, 1]]).all()
    assert taken.predicted.image.tolist() == [0, 0, 2]
    assert taken.predicted.score.tolist() == [0.8, 0.1, 0.9]
    assert (taken.predicted.box == BOXES[[3, 4, 2]]).all()


def test_an_image_may_be_taken_twice_or_none_at_all():
    twice = detected().take([2, 2])
    assert twice.truth.image.tolist() == [0, 1]
    assert twice.predicted.image.tolist() == [0, 0, 1, 1]
    assert len(detected().take([]).truth.box) == 0
    assert classified().take([2, 0]).truth.tolist() == [1, 0]


def test_runs_are_brought_into_one_order():
    first, second = align(detected(), detected().take([2, 0, 1]))
    assert [image.key for image in second.images] == ['a', 'b', 'c']
    assert (second.truth.box == first.truth.box).all()
    first, second = align(classified(), classified().take([1, 2, 0]))
    assert (second.scores == first.scores).all()


def with_size(width):
    images = tuple(replace(i, size=(width, 6)) for i in detected().images)
    return replace(detected(), images=images)


def with_truth(**changes):
    return replace(detected(), truth=replace(detected().truth, **changes))


@pytest.mark.parametrize(
    ('first', 'second', 'message'),
    [
        (detected, classified, 'one is of a detector and the other of a classifier'),
        (
            detected,
            lambda: detected(classes=('x', 'z')),
            'the classes differ: x, y and x, z',
        ),
        (
            detected,
            lambda: detected('abd'),
            r'1 image is only in the first \(for example c\), 1 only in the second',
        ),
        (
            lambda: detected().take([0]),
            detected,
            '0 images are only in the first, 2 only in the second',
        ),
        (
            lambda: with_size(8),
            lambda: with_size(16),
            'a is 8x6 pixels in the first and 16x6 in the second',
        ),
        (
            classified,
            lambda: classified(truth=(0, 0, 1)),
            'their annotations differ',
        ),
        (
            detected,
            lambda: with_truth(box=BOXES[:3] + 1),
            'their annotations differ',
        ),
        (
            detected,
            lambda: with_truth(label=np.array([0, 1, 0])),
            'their annotations differ',
        ),
        (
            detected,
            lambda: with_truth(ignore=np.zeros(3, bool)),
            'their annotations differ',
        ),
    ],
)
def test_what_cannot_be_compared(first, second, message):
    align(first(), first())
    with pytest.raises(UserError, match=message):
        align(first(), second())
