"""Files of several models, read into one order of images."""

import pickle

import numpy as np
import pytest
import torch

from custom_datasets.errors import UserError
from custom_datasets.evaluation.results import PredictedBoxes
from custom_datasets.predicting.ensemble import (
    read_members,
    refuse_shared_images,
    stack_boxes,
    stack_scores,
    with_prediction,
)
from tests.predicting.files import judged, seen, write

BOX, OTHER = (10, 10, 40, 50), (60, 20, 90, 90)


def test_detectors_come_into_the_first_file_s_order(tmp_path):
    first = write(
        tmp_path / 'a.pkl',
        [seen('x', [(BOX, 0)], [(BOX, 0, 0.5)]), seen('y', [], [(OTHER, 0, 0.25)])],
    )
    second = write(
        tmp_path / 'b.pkl',
        [
            seen('y', [], [(BOX, 2, 0.75), (OTHER, 1, 0.875)]),
            seen('x', [(BOX, 0)], []),
        ],
    )
    members = read_members([first, second])
    assert members.has_truth
    assert members.paths == (first, second)
    # A file without names knows only the labels in it: the other one has three.
    assert [one.classes for one in members.results] == [('0', '1', '2')] * 2
    assert [i.key for i in members.results[1].images] == ['x', 'y']
    boxes = stack_boxes(members.results)
    assert boxes.image.tolist() == [0, 1, 1, 1]
    assert boxes.model.tolist() == [0, 0, 1, 1]
    assert boxes.label.tolist() == [0, 0, 1, 2]
    assert boxes.score.tolist() == [0.5, 0.25, 0.875, 0.75]
    assert boxes.box.tolist() == [list(BOX), list(OTHER), list(OTHER), list(BOX)]


def test_classifiers_come_into_the_first_file_s_order(tmp_path):
    first = write(
        tmp_path / 'a.pkl', [judged('x', 0, [0.75, 0.25]), judged('y', 1, [0.5, 0.5])]
    )
    second = write(
        tmp_path / 'b.pkl', [judged('y', 1, [0.25, 0.75]), judged('x', 0, [1, 0])]
    )
    members = read_members([first, second])
    assert members.has_truth
    assert stack_scores(members.results).tolist() == [
        [[0.75, 0.25], [0.5, 0.5]],
        [[1, 0], [0.25, 0.75]],
    ]


@pytest.mark.parametrize(
    ('first', 'second', 'has_truth'),
    [
        ([seen('x', [(BOX, 0)])], [seen('x', [(BOX, 0)])], True),
        ([seen('x', [(BOX, 0)])], [seen('x', None)], False),
        ([seen('x', None)], [seen('x', [(BOX, 0)])], False),
        # A test set whose labels are kept back has empty lists.
        ([seen('x', [])], [seen('x', [])], False),
        ([judged('x', 1, [0.5, 0.5])], [judged('x', None, [0.5, 0.5])], False),
        ([judged('x', 1, [0.5, 0.5])], [judged('x', 1, [0.5, 0.5])], True),
    ],
)
def test_truth_is_there_if_all_files_have_it(tmp_path, first, second, has_truth):
    paths = [write(tmp_path / 'a.pkl', first), write(tmp_path / 'b.pkl', second)]
    assert read_members(paths).has_truth is has_truth


def broken(sample, field, value):
    sample['pred_instances'][field] = torch.tensor(value)
    return [sample]


@pytest.mark.parametrize(
    ('first', 'second', 'said'),
    [
        (
            [seen('x', [(BOX, 0)])],
            [judged('x', 0, [1.0, 0.0])],
            'a.pkl and {}b.pkl: one is of a detector and the other of a classifier',
        ),
        (
            [seen('x', []), seen('y', [])],
            [seen('y', []), seen('z', []), seen('w', [])],
            'a.pkl and {}b.pkl: the test sets differ: 1 images are only in the first '
            '(for example x), 2 only in the second',
        ),
        (
            [seen('x', [(BOX, 0)])],
            [seen('x', [(OTHER, 0)])],
            'a.pkl and {}b.pkl: the test sets have the same images, but their '
            'annotations differ',
        ),
        (
            [judged('x', 0, [0.5, 0.5])],
            [judged('x', 1, [0.5, 0.5])],
            'a.pkl and {}b.pkl: the test sets have the same images, but their '
            'annotations differ',
        ),
        (
            [judged('x', 0, [0.5, 0.5])],
            [judged('x', 0, [0.5, 0.25, 0.25])],
            'a.pkl and {}b.pkl: the classes differ: 0, 1 and 0, 1, 2',
        ),
        (
            [seen('x', [(BOX, 0)])],
            [seen('x', [(BOX, 0)]), {'img_path': '/data/y.png'}],
            "b.pkl: not a file of predictions (no 'pred_instances' in it); "
            'tools/test.py --out writes one',
        ),
        (
            [judged('x', 0, [1.0, 0.0])],
            [{'gt_label': [0], 'img_path': '/data/x.png'}],
            "b.pkl: not a file of predictions (no 'pred_score' in it); tools/test.py "
            '--out writes one',
        ),
        (
            [seen('x', [(BOX, 0)])],
            broken(seen('x', [(BOX, 0)], [(BOX, 0, 0.5)]), 'scores', [np.nan]),
            'b.pkl: not all of its boxes and scores are finite numbers; its model has '
            'diverged',
        ),
        (
            broken(seen('x', [], [(BOX, 0, 0.5)]), 'bboxes', [[0, 0, 5, np.inf]]),
            [seen('x', [])],
            'a.pkl: not all of its boxes and scores are finite numbers; its model has '
            'diverged',
        ),
        (
            [judged('x', 0, [1.0, 0.0])],
            [judged('x', 0, [np.nan, 1.0])],
            'b.pkl: not all of its boxes and scores are finite numbers; its model has '
            'diverged',
        ),
        # No truth and no table, where this was once found out.
        (
            [judged('x', None, [1.0, 0.0])],
            [judged('x', None, [2.5, -1.0])],
            'b.pkl: /data/x.png: its scores are not probabilities that sum to 1',
        ),
        ([seen('x', [])] * 2, [seen('x', [])], 'a.pkl: x appears twice'),
        ([], [seen('x', [])], 'a.pkl: it is empty; tools/test.py --out writes one'),
    ],
)
def test_what_does_not_fit_together_is_said(tmp_path, first, second, said):
    paths = [write(tmp_path / 'a.pkl', first), write(tmp_path / 'b.pkl', second)]
    with pytest.raises(UserError) as error:
        read_members(paths)
    folder = f'{tmp_path}/'
    assert str(error.value).startswith(folder + said.format(folder))


def test_a_missing_file_is_said(tmp_path):
    with pytest.raises(UserError, match=r'none\.pkl: cannot be read \(No such file'):
        read_members([str(tmp_path / 'none.pkl')])


def test_a_detector_s_samples_get_other_boxes():
    samples = [seen(name, [(BOX, 1)], [(OTHER, 0, 0.5)]) for name in 'xyz']
    fused = PredictedBoxes(
        np.array([0, 2, 2]),
        np.array([1, 0, 1]),
        np.array([BOX, BOX, OTHER], float) + 0.25,
        np.array([0.5, 0.75, 0.25]),
    )
    made = with_prediction(samples, fused)
    for old, new in zip(samples, made, strict=True):
        assert {k: v for k, v in new.items() if k != 'pred_instances'} == {
            k: v for k, v in old.items() if k != 'pred_instances'
        }
        assert old['pred_instances']['bboxes'].tolist() == [list(OTHER)]
    found = [one['pred_instances'] for one in made]
    assert [one['labels'].tolist() for one in found] == [[1], [], [0, 1]]
    assert [one['scores'].tolist() for one in found] == [[0.5], [], [0.75, 0.25]]
    assert found[0]['bboxes'].tolist() == [[10.25, 10.25, 40.25, 50.25]]
    assert found[1]['bboxes'].shape == (0, 4)
    for one in found:
        assert one['labels'].dtype == torch.int64
        assert {one['bboxes'].dtype, one['scores'].dtype} == {torch.float32}


def test_a_file_does_not_hold_all_boxes_once_an_image():
    count = 400
    fused = PredictedBoxes(
        np.arange(count),
        np.zeros(count, int),
        np.tile(np.array(BOX, float), (count, 1)),
        np.full(count, 0.5),
    )
    made = with_prediction([seen(str(n), None) for n in range(count)], fused)
    # One box has 28 bytes; all of them 11,200, which would be in it for each image.
    assert len(pickle.dumps(made)) < 3000 * count


def test_a_classifier_s_samples_get_other_probabilities():
    samples = [judged('x', 0, [0.75, 0.25]), judged('y', 0, [0.5, 0.5])]
    made = with_prediction(samples, np.array([[0.25, 0.75], [0.875, 0.125]]))
    assert [one['pred_label'].tolist() for one in made] == [[1], [0]]
    assert made[0]['pred_score'].tolist() == [0.25, 0.75]
    assert made[0]['pred_score'].dtype == torch.float32
    assert made[0]['gt_label'] is samples[0]['gt_label']
    assert samples[0]['pred_score'].tolist() == [0.75, 0.25]


def test_an_image_of_validation_must_not_be_tested_on(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    relative = seen('y', [(BOX, 0)])
    relative['img_path'] = 'data/y.png'
    absolute = seen('other', [(BOX, 0)])
    absolute['img_path'] = str(tmp_path / 'data' / 'y.png')
    val = read_members([write(tmp_path / 'val.pkl', [seen('x', []), relative])])
    test = read_members([write(tmp_path / 'test.pkl', [absolute])])
    said = (
        f'{tmp_path}/val.pkl and {tmp_path}/test.pkl: 1 images are in both, '
        f'{tmp_path}/data/y.png for one; --val takes predictions on the validation '
        'set, the others those on the test set'
    )
    with pytest.raises(UserError) as error:
        refuse_shared_images(val, test)
    assert str(error.value) == said
    apart = read_members([write(tmp_path / 'apart.pkl', [seen('z', [])])])
    refuse_shared_images(val, apart)
