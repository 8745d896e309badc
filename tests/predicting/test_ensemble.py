"""Files of several models read into one order, fused, judged and written."""

import math
import pickle
import re
from dataclasses import replace

import numpy as np
import pytest
import torch

from custom_datasets.errors import UserError
from custom_datasets.evaluation.intervals import resample
from custom_datasets.evaluation.results import (
    PredictedBoxes,
    classification_results,
    detection_results,
    read_results,
    read_samples,
)
from custom_datasets.predicting.ensemble import (
    Request,
    make_ensemble,
    read_members,
    score_table,
    value_of,
    with_prediction,
)
from tests.evaluation.class_results import draw as draw_classifier
from tests.evaluation.class_results import results as class_results
from tests.evaluation.detection_references import coco_reference, voc_reference
from tests.evaluation.drawn_detections import detections
from tests.evaluation.drawn_detections import draw as draw_detector
from tests.predicting.files import classify, draw_labels, judged, seen, write

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
    boxes = members.results[1].predicted
    assert boxes.image.tolist() == [1, 1]
    assert boxes.label.tolist() == [1, 2]
    assert boxes.score.tolist() == [0.875, 0.75]
    assert boxes.box.tolist() == [list(OTHER), list(BOX)]


def test_classifiers_come_into_the_first_file_s_order(tmp_path):
    first = write(
        tmp_path / 'a.pkl', [judged('x', 0, [0.75, 0.25]), judged('y', 1, [0.5, 0.5])]
    )
    second = write(
        tmp_path / 'b.pkl', [judged('y', 1, [0.25, 0.75]), judged('x', 0, [1, 0])]
    )
    members = read_members([first, second])
    assert members.has_truth
    assert members.results[1].scores.tolist() == [[1, 0], [0.25, 0.75]]


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
            'a.pkl and {}b.pkl: the test sets differ: 1 image is only in the first '
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
            "b.pkl: not a file of predictions (KeyError: 'pred_instances'); "
            'tools/test.py --out writes one',
        ),
        (
            [judged('x', 0, [1.0, 0.0])],
            [{'gt_label': [0], 'img_path': '/data/x.png'}],
            "b.pkl: not a file of predictions (KeyError: 'pred_score'); tools/test.py "
            '--out writes one',
        ),
        (
            [seen('x', [(BOX, 0)])],
            broken(seen('x', [(BOX, 0)], [(BOX, 0, 0.5)]), 'scores', [np.nan]),
            'b.pkl: /data/x.png: a box or a score is not a finite number',
        ),
        (
            broken(seen('x', [], [(BOX, 0, 0.5)]), 'bboxes', [[0, 0, 5, np.inf]]),
            [seen('x', [])],
            'a.pkl: /data/x.png: a box or a score is not a finite number',
        ),
        (
            [judged('x', 0, [1.0, 0.0])],
            [judged('x', 0, [np.nan, 1.0])],
            'b.pkl: /data/x.png: its scores are not probabilities that sum to 1',
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


def test_a_detector_s_samples_get_other_boxes():
    samples = [seen(name, [(BOX, 1)], [(OTHER, 0, 0.5)]) for name in 'xyz']
    fused = PredictedBoxes(
        np.array([0, 2, 2]),
        np.array([1, 0, 1]),
        np.array([BOX, BOX, OTHER], float) + 0.25,
        np.array([0.5, 0.75, 0.25]),
    )
    made = with_prediction(
        samples, replace(detection_results(samples), predicted=fused)
    )
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
    samples = [seen(str(n), []) for n in range(count)]
    made = with_prediction(
        samples, replace(detection_results(samples), predicted=fused)
    )
    # One box has 28 bytes; all of them 11,200, which would be in it for each image.
    assert len(pickle.dumps(made)) < 3000 * count


def test_a_classifier_s_samples_get_other_probabilities():
    samples = [judged('x', 0, [0.75, 0.25]), judged('y', 0, [0.5, 0.5])]
    scores = np.array([[0.25, 0.75], [0.875, 0.125]])
    made = with_prediction(
        samples, replace(classification_results(samples), scores=scores)
    )
    assert [one['pred_label'].tolist() for one in made] == [[1], [0]]
    assert made[0]['pred_score'].tolist() == [0.25, 0.75]
    assert made[0]['pred_score'].dtype == torch.float32
    assert made[0]['gt_label'] is samples[0]['gt_label']
    assert samples[0]['pred_score'].tolist() == [0.75, 0.25]


def numbers(line):
    """Return a line's two cells, each a value and its interval."""
    found = [float(one) for one in re.findall(r'[-+]?\d+\.\d+|nan', line)]
    return found[:3], found[3:]


def plain_scores(results):
    """Return NLL and accuracy of a classifier, image by image."""
    loss, right = 0.0, 0
    rows = list(zip(results.scores.tolist(), results.truth.tolist(), strict=True))
    for row, label in rows:
        loss -= math.log(row[label])
        right += row.index(max(row)) == label
    return loss / len(rows), right / len(rows)


def plain_interval(results, column, other=None):
    """Take the drawn images anew for each resample, as often as each is drawn."""
    values = []
    for weights in resample(len(results.images)):
        chosen = np.repeat(np.arange(len(weights)), weights)
        value = plain_scores(results.take(chosen))[column]
        if other is not None:
            value -= plain_scores(other.take(chosen))[column]
        values.append(value)
    return np.percentile(values, [2.5, 97.5])


def test_a_detector_s_scores_are_those_of_pycocotools_and_mmdet(monkeypatch):
    results = draw_detector(0)
    _, summary = coco_reference(results)
    assert value_of(results) == pytest.approx(summary[0], abs=1e-6)
    mean = voc_reference(results, monkeypatch)[0]
    head, row, *_ = score_table(['a', 'ensemble'], [results] * 2).splitlines()
    assert re.split(r'\s{2,}', head.strip()) == ['COCO AP', 'area-AP50']
    told = [cell[0] for cell in numbers(row)]
    assert told == pytest.approx([summary[0], mean], abs=5.1e-4)


def test_a_classifier_s_value_is_its_log_likelihood():
    results = class_results([0, 1], [[0.5, 0.5], [0.75, 0.25]])
    assert value_of(results) == pytest.approx(-(math.log(2) + math.log(4)) / 2)


def test_the_table_of_classifiers():
    truth = draw_classifier(30, 3, seed=1)
    weak = class_results(truth.truth, draw_classifier(30, 3, seed=2).scores)
    both = class_results(truth.truth, (truth.scores + weak.scores) / 2)
    made = [weak, truth, both]
    head, *rows = score_table(['weak', 'good', 'ensemble'], made).splitlines()
    assert head.split() == ['NLL', 'accuracy']
    assert [row.split()[0] for row in rows] == ['weak', 'good', 'ensemble', 'ensemble']
    for row, results in zip(rows, made, strict=False):
        for column, cell in enumerate(numbers(row)):
            low, high = plain_interval(results, column)
            wanted = [plain_scores(results)[column], low, high]
            np.testing.assert_allclose(cell, wanted, rtol=0, atol=5.1e-4)
    # The best is the one with the least NLL, whatever the order of files.
    assert rows[3].startswith('ensemble - the best  ')
    for column, cell in enumerate(numbers(rows[3][len('ensemble - the best') :])):
        low, high = plain_interval(both, column, truth)
        value = plain_scores(both)[column] - plain_scores(truth)[column]
        np.testing.assert_allclose(cell, [value, low, high], rtol=0, atol=5.1e-4)
    assert re.search(r'-0\.\d{3} \[-0\.\d{3}, \+0\.\d{3}\]|\+0\.\d{3}', rows[3])


def test_the_best_detector_is_the_one_with_the_highest_ap():
    truth = [(n, 0, (10, 10, 50, 50)) for n in range(4)]
    right = [(n, 0, (10, 10, 50, 50), 0.9) for n in range(4)]
    half = [(n, 0, (10, 10, 50, 50), 0.9) for n in range(2)]
    good, bad = (detections(truth, found, 'a', 4) for found in (right, half))
    rows = score_table(['x', 'y', 'ensemble'], [bad, good, bad]).splitlines()
    # COCO's precision is read at 101 recalls, of which 0 to 0.5 are 51.
    assert numbers(rows[1])[0][0] == pytest.approx(51 / 101, abs=5e-4)
    assert numbers(rows[2])[0] == [1.0, 1.0, 1.0]
    assert numbers(rows[4])[0][0] == pytest.approx(51 / 101 - 1, abs=5e-4)
    assert numbers(rows[4])[1][0] == pytest.approx(-0.5)


def test_one_model_is_called_it():
    results = draw_classifier(8, 2)
    last = score_table(['alone', 'ensemble'], [results] * 2).splitlines()[-1]
    assert last.startswith('ensemble - it  +0.000 [+0.000, +0.000]')


def test_what_is_not_defined_is_no_reason_to_stop():
    ignored = detections([(0, 0, (1, 1, 9, 9), True)], [(0, 0, (1, 1, 9, 9), 0.5)], 'a')
    rows = score_table(['x', 'ensemble'], [ignored] * 2).splitlines()
    assert rows[1].split()[1:] == ['nan', '[nan,', 'nan]'] * 2
    assert math.isnan(value_of(ignored))


LEFT, MOVED = (0, 0, 10, 10), (2, 0, 12, 10)


@pytest.fixture
def detectors(tmp_path):
    """Two models that see one object, a little apart."""
    samples = [
        [seen('x', [(LEFT, 0)], [(LEFT, 0, 0.75)])],
        [seen('x', [(LEFT, 0)], [(MOVED, 0, 0.25)])],
    ]
    return [write(tmp_path / f'd{n}.pkl', one) for n, one in enumerate(samples)]


@pytest.fixture
def classifiers(tmp_path):
    samples = [[judged('x', 0, [0.75, 0.25])], [judged('x', 0, [0.25, 0.75])]]
    return [write(tmp_path / f'c{n}.pkl', one) for n, one in enumerate(samples)]


def found_in(path):
    (sample,) = read_samples(path)
    found = sample['pred_instances']
    return found['bboxes'].tolist(), found['scores'].tolist()


def test_detectors_by_default(detectors, tmp_path):
    out = str(tmp_path / 'new' / 'out.pkl')
    text = make_ensemble(Request(detectors, out))
    # (0.75 * 0 + 0.25 * 2) / (0.75 + 0.25) = 0.5.
    assert found_in(out) == ([[0.5, 0, 10.5, 10]], [0.5])
    assert text.startswith(
        'wbf, IoU 0.55, weights 1 1 (equal weights)\n\ntest: 1 image'
    )
    assert text.endswith(f'\n\nwrote {out}')


@pytest.mark.parametrize(
    ('options', 'described', 'boxes', 'scores'),
    [
        (
            {'weights': [1, 3]},
            'wbf, IoU 0.55, weights 0.333 1 (as given)',
            # 0.75 of the second is as much as 0.75 of the first; 1.5 / 4.
            [[1, 0, 11, 10]],
            [0.375],
        ),
        (
            {'method': 'nms', 'iou': 0.7},
            'nms, IoU 0.7, weights 1 1 (equal weights)',
            [list(LEFT), list(MOVED)],
            [0.75, 0.25],
        ),
        (
            {'method': 'nms', 'iou': 0.6, 'weights': [0, 2]},
            'nms, IoU 0.6, weights 0 1 (as given)',
            [list(MOVED)],
            [0.25],
        ),
    ],
)
def test_detectors_as_asked(detectors, tmp_path, options, described, boxes, scores):
    out = str(tmp_path / 'out.pkl')
    text = make_ensemble(Request(detectors, out, **options))
    assert text.splitlines()[0] == described
    assert found_in(out) == (boxes, scores)


def test_classifiers(classifiers, tmp_path):
    out = str(tmp_path / 'out.pkl')
    text = make_ensemble(Request(classifiers, out, weights=[3.0, 1.0]))
    assert text.startswith('mean, weights 1 0.333 (as given)\n\ntest: 1 images\n')
    # (3 * 0.75 + 0.25) / 4.
    np.testing.assert_allclose(read_results(out).scores, [[0.625, 0.375]])
    text = make_ensemble(Request(classifiers, out, method='logits'))
    assert text.startswith('logits, weights 1 1 (equal weights)')
    np.testing.assert_allclose(read_results(out).scores, [[0.5, 0.5]], rtol=1e-6)


def test_one_model_alone_is_as_it_was(detectors, tmp_path):
    out = str(tmp_path / 'out.pkl')
    text = make_ensemble(Request(detectors[1:], out))
    assert text.splitlines()[0] == 'wbf, IoU 0.55 (equal weights)'
    assert found_in(out) == ([list(MOVED)], [0.25])


def test_without_truth_it_is_made_and_not_judged(detectors, tmp_path):
    secret = write(tmp_path / 's.pkl', [seen('x', None, [(MOVED, 0, 0.25)])])
    out = str(tmp_path / 'out.pkl')
    text = make_ensemble(Request([secret, detectors[0]], out))
    said = 'wbf, IoU 0.55, weights 1 1 (equal weights)'
    assert text == f'{said}\n\nwrote {out}'
    assert found_in(out) == ([[0.5, 0, 10.5, 10]], [0.5])
    assert 'instances' not in read_samples(out)[0]


def test_an_image_keeps_as_many_boxes_as_a_model_may_have(tmp_path):
    def crowd(shift, count):
        corners = [(20.0 * n + shift, 0.0) for n in range(count)]
        return [((x, y, x + 9, y + 9), 0, 0.5) for x, y in corners]

    for name, counts in (('usual', (70, 60)), ('many', (70, 130))):
        paths = [
            write(
                tmp_path / f'{name}{n}.pkl', [seen('x', [(LEFT, 0)], crowd(9.5 * n, c))]
            )
            for n, c in enumerate(counts)
        ]
        make_ensemble(Request(paths, str(tmp_path / f'{name}.pkl')))
    assert len(found_in(str(tmp_path / 'usual.pkl'))[0]) == 100
    assert len(found_in(str(tmp_path / 'many.pkl'))[0]) == 130


@pytest.fixture
def searched(tmp_path):
    """A weak and a strong classifier on validation and test, and what was tried."""
    val, test = draw_labels('val', 60, 0), draw_labels('test', 40, 1)
    files = {
        f'{part}_{name}': write(
            tmp_path / f'{part}_{name}.pkl', classify(drawn, strength, seed)
        )
        for part, drawn in (('val', val), ('test', test))
        for seed, (name, strength) in enumerate((('weak', -2.0), ('strong', 3.0)))
    }
    return {
        'paths': [files['test_weak'], files['test_strong']],
        'val_paths': [files['val_weak'], files['val_strong']],
    }


def test_a_search_takes_the_weight_from_a_model_that_misleads(searched, tmp_path):
    out, val_out = str(tmp_path / 'out.pkl'), str(tmp_path / 'val_out.pkl')
    tries = []
    text = make_ensemble(
        Request(**searched, out=out, val_out=val_out), lambda *done: tries.append(done)
    )
    first, *_ = text.splitlines()
    assert first.startswith('mean, weights 0 1 (NLL on validation ')
    assert first.endswith(f' in {len(tries) + 1} tries)')
    for path, alone in (
        (out, searched['paths'][1]),
        (val_out, searched['val_paths'][1]),
    ):
        wanted = read_results(alone).scores
        np.testing.assert_allclose(read_results(path).scores, wanted, atol=1e-7)
    assert text.index('validation, searched on: 60') < text.index('test: 40 images')
    assert text.endswith(f'wrote {val_out} and {out}')


def test_what_is_given_is_not_searched_for(searched, tmp_path):
    request = Request(
        **searched, out=str(tmp_path / 'out.pkl'), method='mean', weights=[1.0, 1.0]
    )
    text = make_ensemble(request)
    assert 'in 1 tries)' in text.splitlines()[0]
    assert text.startswith('mean, weights 1 1 (NLL on validation')
    named = Request(**searched, out=str(tmp_path / 'out.pkl'), method='logits')
    assert make_ensemble(named).startswith('logits, weights 0 1 (')


def test_a_threshold_is_searched_for_unless_it_is_given(tmp_path):
    # Two objects overlap by 90 / 130 = 0.69: below it they are taken for one.
    objects = [((0, 0, 11, 10), 0), ((2, 0, 13, 10), 0)]
    paths = {
        part: write(
            tmp_path / f'{part}.pkl',
            [seen(part, objects, [(*objects[0], 0.75), (*objects[1], 0.5)])],
        )
        for part in ('val', 'test')
    }
    files = {'paths': [paths['test']], 'val_paths': [paths['val']]}
    out = str(tmp_path / 'out.pkl')
    text = make_ensemble(Request(**files, out=out, method='nms'))
    assert text.startswith('nms, IoU 0.7 (COCO AP on validation 0.505 -> 1.000 in 9 ')
    assert len(found_in(out)[0]) == 2
    text = make_ensemble(Request(**files, out=out, method='nms', iou=0.6))
    assert text.startswith('nms, IoU 0.6 (COCO AP on validation 0.505 -> 0.505 in 1 ')
    assert len(found_in(out)[0]) == 1


REFUSED = [
    ({'out': 'd0.pkl'}, 'd0.pkl: is one of the files to read; name another --out'),
    (
        {'out': 'link.pkl'},
        'link.pkl: is one of the files to read; name another --out',
    ),
    (
        {'val_paths': ['d0.pkl', 'd1.pkl'], 'val_out': 'out.pkl'},
        'out.pkl: --out and --val-out are the same file',
    ),
    ({'val_out': 'v.pkl'}, 'v.pkl: --val-out needs --val'),
    (
        {'val_paths': ['d0.pkl']},
        '2 files of test predictions, but 1 after --val: name the same models in the '
        'same order',
    ),
    ({'weights': [1.0]}, '1 weights for 2 files'),
    (
        {'weights': [1.0, -1.0]},
        '--weights must be 0 or more, and at least one above 0',
    ),
    ({'weights': [0.0, 0.0]}, '--weights must be 0 or more, and at least one above 0'),
    (
        {'weights': [float('nan'), 1.0]},
        '--weights must be 0 or more, and at least one above 0',
    ),
    (
        {'weights': [float('inf'), 1.0]},
        '--weights must be 0 or more, and at least one above 0',
    ),
    (
        {'method': 'mean'},
        '--method mean: the files are of a detector; choose one of wbf, nms, soft-nms, '
        'nmw',
    ),
    (
        {'paths': ['c0.pkl', 'c1.pkl'], 'method': 'wbf'},
        '--method wbf: the files are of a classifier of 2 classes; choose one of mean, '
        'logits',
    ),
    ({'iou': 1.0}, '--iou is a threshold for boxes, between 0 and 1'),
    ({'iou': 0.0}, '--iou is a threshold for boxes, between 0 and 1'),
    (
        {'paths': ['c0.pkl', 'c1.pkl'], 'iou': 0.5},
        '--iou is a threshold for boxes, between 0 and 1',
    ),
    (
        {'val_paths': ['secret.pkl', 'known.pkl']},
        'secret.pkl, known.pkl: some have no ground truth, which a search needs; '
        "this package's configs keep it: PackDetInputs(meta_keys=(..., 'instances'))",
    ),
    (
        {'val_paths': ['c0.pkl', 'c1.pkl']},
        'c0.pkl is of a classifier of 2 classes, and d0.pkl of a detector',
    ),
    (
        {'paths': ['c0.pkl', 'c1.pkl'], 'val_paths': ['three.pkl', 'three.pkl']},
        'three.pkl is of a classifier of 3 classes, and c0.pkl of a classifier of 2 '
        'classes',
    ),
    (
        {'val_paths': ['d0.pkl', 'd1.pkl']},
        'd0.pkl and d0.pkl: 1 images are in both, for example /data/x.png; --val takes '
        'predictions on the validation set, the others those on the test set',
    ),
    (
        {'paths': ['d0.pkl', 'c0.pkl']},
        'd0.pkl and c0.pkl: one is of a detector and the other of a classifier',
    ),
    ({'out': 'd0.pkl/out.pkl'}, 'd0.pkl/out.pkl: cannot be written ('),
]


@pytest.mark.parametrize(('options', 'said'), REFUSED)
def test_what_makes_no_sense_is_said_and_writes_nothing(
    detectors, classifiers, tmp_path, monkeypatch, options, said
):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / 'secret.pkl', [seen('y', None)])
    write(tmp_path / 'known.pkl', [seen('y', [(LEFT, 0)])])
    write(tmp_path / 'three.pkl', [judged('y', 0, [0.5, 0.25, 0.25])])
    (tmp_path / 'link.pkl').symlink_to(tmp_path / 'd0.pkl')
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    request = Request(**{'paths': ['d0.pkl', 'd1.pkl'], 'out': 'out.pkl', **options})
    with pytest.raises(UserError) as error:
        make_ensemble(request)
    text = str(error.value)
    assert text.startswith(said) if said.endswith('(') else text == said
    after = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert after == before


def test_an_image_of_validation_is_known_by_any_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    relative, absolute = (seen(name, [(LEFT, 0)]) for name in ('y', 'other'))
    relative['img_path'] = 'data/y.png'
    absolute['img_path'] = str(tmp_path / 'data' / 'y.png')
    val = write(tmp_path / 'val.pkl', [seen('x', []), relative])
    test = write(tmp_path / 'test.pkl', [absolute])
    with pytest.raises(UserError, match=r'1 images are in both, .*/data/y\.png; --val'):
        make_ensemble(Request([test], 'out.pkl', val_paths=[val]))
