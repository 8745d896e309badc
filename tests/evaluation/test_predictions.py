"""Files of ``tools/test.py --out``, written as the stock metrics write them."""

import pickle

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
    image_keys,
    read_results,
    read_samples,
    write_samples,
)


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
    samples = read_samples(detections)
    write_samples(str(tmp_path / 'new' / 'copy.pkl'), samples)
    again = read_results(str(tmp_path / 'new' / 'copy.pkl'))
    assert np.array_equal(again.predicted.box, read_results(detections).predicted.box)
    assert [path.name for path in (tmp_path / 'new').iterdir()] == ['copy.pkl']


def test_keys_are_as_short_as_tells_them_apart():
    assert image_keys(['/data/x/1.png', '/data/y/2.png']) == ['1.png', '2.png']
    assert image_keys(['/a/x/1.png', '/b/y/1.png']) == ['x/1.png', 'y/1.png']


@pytest.mark.parametrize(
    ('content', 'said'),
    [
        (b'not a pickle', 'not a file of predictions'),
        (pickle.dumps([]), 'it is empty'),
        (pickle.dumps({'a': 1}), 'it is no list of images'),
        (pickle.dumps([{'pred_instances': {}, 'img_path': 'x.png'}]), 'no truth for x'),
        (pickle.dumps([{'pred_score': [1.0], 'img_path': 'y'}]), 'no truth for y'),
    ],
)
def test_another_file_is_said(tmp_path, content, said):
    path = tmp_path / 'some.pkl'
    path.write_bytes(content)
    with pytest.raises(UserError, match=f'some.pkl: .*{said}'):
        read_results(str(path))


def test_a_missing_file_is_said(tmp_path):
    with pytest.raises(UserError, match=r'none\.pkl: cannot be read'):
        read_samples(str(tmp_path / 'none.pkl'))


def test_labels_need_names(detections, probabilities):
    with pytest.raises(UserError, match=r'det\.pkl: label 1, but only 1 classes'):
        read_results(detections, ('dot',))
    with pytest.raises(UserError, match='2 scores an image, but 3 classes'):
        read_results(probabilities, ('a', 'b', 'c'))


def test_an_image_that_is_there_twice_is_said(tmp_path):
    samples = [detector_sample('one', [], []), detector_sample('one', [], [])]
    path = dump(DumpDetResults, tmp_path / 'twice.pkl', samples)
    with pytest.raises(UserError, match='one is in it twice'):
        read_results(path)
