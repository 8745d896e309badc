"""An ensemble is made by the command, and the stock evaluators agree with it."""

import re

import numpy as np
import pytest
import torch
from mmdet.evaluation import CocoMetric
from mmengine.evaluator import Evaluator
from mmengine.registry import init_default_scope
from mmpretrain.evaluation import Accuracy

from custom_datasets.evaluation.detection_metric import ClasswiseVOCMetric
from custom_datasets.evaluation.results import read_results, read_samples
from tests.predicting.files import (
    classify,
    detect,
    draw_labels,
    draw_objects,
    judged,
    write,
)
from tools.analysis_tools import ensemble as tool

CLASSES = ('a', 'b', 'c')


def stock_detection(samples):
    """Return COCO AP and area-AP50 as ``tools/test.py`` finds them."""
    init_default_scope('mmdet')
    full = []
    for sample in samples:
        truth = sample['instances']
        boxes = torch.tensor([one['bbox'] for one in truth]).reshape(-1, 4)
        labels = torch.tensor([one['bbox_label'] for one in truth]).long()
        nothing = {'bboxes': boxes[:0], 'labels': labels[:0]}
        known = {'gt_instances': {'bboxes': boxes, 'labels': labels}}
        full.append({**sample, **known, 'ignored_instances': nothing})
    evaluator = Evaluator([ClasswiseVOCMetric(), CocoMetric(metric='bbox')])
    evaluator.dataset_meta = {'classes': CLASSES}
    metrics = evaluator.offline_evaluate(full)
    return metrics['coco/bbox_mAP'], metrics['pascal_voc/AP50']


def told(text, part):
    """Return the names of a part's table, and the values of its first two columns."""
    (table,) = (one for one in text.split('\n\n') if one.startswith(part))
    rows = {}
    for line in table.strip().splitlines()[2:]:
        name, first, second = re.fullmatch(
            r'(.+?)  +([-+]?\d\.\d+) \[.*?\]  +([-+]?\d\.\d+) \[.*\]', line
        ).groups()
        rows[name] = float(first), float(second)
    return rows


@pytest.fixture(scope='module')
def detectors(tmp_path_factory):
    """Two detectors that move boxes by a little, and one that moves them by much."""
    folder = tmp_path_factory.mktemp('detectors')
    files = {}
    for part, images, start in (('val', 24, 10), ('test', 20, 20)):
        drawn = draw_objects(part, images, seed=start)
        models = [detect(drawn, noise, start + n) for n, noise in enumerate((3, 4, 25))]
        # Test ran on several processes and left the images in another order.
        models[1].reverse()
        files[part] = [
            write(folder / f'{part}_{n}.pkl', samples)
            for n, samples in enumerate(models)
        ]
    return files


@pytest.fixture(scope='module')
def classifiers(tmp_path_factory):
    folder = tmp_path_factory.mktemp('classifiers')
    files = {}
    for part, images, start in (('val', 120, 30), ('test', 80, 40)):
        drawn = draw_labels(part, images, seed=start)
        models = [classify(drawn, s, start + n) for n, s in enumerate((2, 2, 0))]
        models[2].reverse()
        files[part] = [
            write(folder / f'{part}_{n}.pkl', samples)
            for n, samples in enumerate(models)
        ]
    return files


def test_detectors_searched_on_validation(detectors, tmp_path, capsys):
    out, val_out = tmp_path / 'out' / 'test.pkl', tmp_path / 'out' / 'val.pkl'
    arguments = [*detectors['test'], '--val', *detectors['val']]
    arguments += ['--out', str(out), '--val-out', str(val_out)]
    assert tool.main(arguments) == 0
    text = capsys.readouterr().out
    recipe, before, after = re.match(
        r'(.*) \(COCO AP on validation (0\.\d{3}) -> (0\.\d{3}) in \d+ tries\)', text
    ).groups()
    assert float(before) < float(after)
    *good, bad = map(float, re.search('weights (.*)', recipe)[1].split())
    assert bad < min(good)
    assert text.endswith(f'wrote {val_out} and {out}\n')
    for part, path in (('val', val_out), ('test', out)):
        files = [*detectors[part], str(path)]
        names = [f'{part}_{n}.pkl' for n in range(3)]
        rows = told(text, part)
        assert list(rows) == [*names, 'ensemble', 'ensemble - the best']
        for name, file in zip([*names, 'ensemble'], files, strict=True):
            # CocoMetric rounds to 3 digits, as the table does.
            wanted = stock_detection(read_samples(file))
            assert rows[name] == pytest.approx(wanted, abs=1.1e-3), name
        results = read_results(str(path), CLASSES)
        first = read_results(files[0], CLASSES)
        assert [i.key for i in results.images] == [i.key for i in first.images]
        assert np.array_equal(results.truth.box, first.truth.box)
    assert told(text, 'val')['ensemble'][0] == float(after)
    tests = told(text, 'test')
    assert tests['ensemble'][0] > max(tests[f'test_{n}.pkl'][0] for n in range(3))
    best = max(tests[f'test_{n}.pkl'] for n in range(3))
    gain = np.subtract(tests['ensemble'], best)
    assert tests['ensemble - the best'] == pytest.approx(gain, abs=1.1e-3)


def test_a_recipe_that_is_given(detectors, tmp_path, capsys):
    out = str(tmp_path / 'out.pkl')
    arguments = [*detectors['test'][:2], '--out', out, '--method', 'soft-nms']
    assert tool.main([*arguments, '--iou', '0.6', '--weights', '1', '.5']) == 0
    text = capsys.readouterr().out
    assert text.startswith('soft-nms, IoU 0.6, weights 1 0.5 (as given)\n')
    wanted = stock_detection(read_samples(out))
    assert told(text, 'test')['ensemble'] == pytest.approx(wanted, abs=1.1e-3)


def test_classifiers_searched_on_validation(classifiers, tmp_path, capsys):
    out, val_out = str(tmp_path / 'test.pkl'), str(tmp_path / 'val.pkl')
    arguments = [*classifiers['test'], '--val', *classifiers['val']]
    assert tool.main([*arguments, '--out', out, '--val-out', val_out]) == 0
    text = capsys.readouterr().out
    *good, bad = map(float, re.search(r'weights (.*) \(NLL', text)[1].split())
    assert bad < min(good)
    for part, path in (('val', val_out), ('test', out)):
        samples = read_samples(path)
        evaluator = Evaluator([Accuracy(topk=1)])
        top1 = evaluator.offline_evaluate(samples)['accuracy/top1'] / 100
        results = read_results(path, CLASSES)
        rows = zip(results.scores.tolist(), results.truth.tolist(), strict=True)
        loss = -np.mean([np.log(row[label]) for row, label in rows])
        assert told(text, part)['ensemble'] == pytest.approx((loss, top1), abs=6e-4)
        for sample in samples:
            assert sample['pred_score'].sum() == pytest.approx(1, abs=1e-6)
            assert sample['pred_label'].tolist() == [sample['pred_score'].argmax()]


def test_errors_are_one_sentence_and_leave_what_is_there(classifiers, tmp_path, capsys):
    out = tmp_path / 'out.pkl'
    out.write_bytes(b'mine')
    other = write(tmp_path / 'other.pkl', [judged('elsewhere', 0, [0.5, 0.25, 0.25])])
    first = classifiers['test'][0]
    assert tool.main([first, other, '--out', str(out)]) == 1
    said, empty = capsys.readouterr().err.split('\n')
    assert said.startswith(
        f'error: {first} and {other}: the test sets differ: 80 images'
    )
    assert empty == ''
    assert out.read_bytes() == b'mine'
    assert sorted(path.name for path in tmp_path.iterdir()) == ['other.pkl', 'out.pkl']
