"""What folds say together, worked out by hand."""

import shutil

import numpy as np
import pytest

from custom_datasets.errors import UserError
from custom_datasets.runs import cross_validation as module
from custom_datasets.runs.cross_validation import (
    cross_validate,
    out_of_fold,
    summarise,
)
from tests.leaves import SAMPLE
from tests.runs.drawn_runs import CLASSES, classified, detected

BOX = (10, 10, 30, 30)


def named(samples, fold):
    """Give the images of a fold names of their own."""
    for index, sample in enumerate(samples):
        sample['img_path'] = f'/data/{fold}_{index}.png'
        if 'img_id' in sample:
            sample['img_id'] = f'{fold}_{index}'
    return samples


def folds_of(*rights):
    return {fold: named(classified(right), fold) for fold, right in enumerate(rights)}


def test_mean_and_sample_deviation():
    # Top-1 of the folds: 3/4, 4/4, 1/2; of all ten images: 8/10.
    folds = folds_of([1, 1, 0, 1], [1, 1, 1, 1], [1, 0])
    summary = summarise(folds, CLASSES, 3)
    mean, std = summary.spread(0)
    assert mean == pytest.approx(0.75)
    assert std == pytest.approx(0.25)  # Squares 0, 1/16 and 1/16, over n - 1 = 2.
    assert summary.images == (4, 4, 2)
    assert summary.pooled.images == 10
    assert summary.pooled.values[0] == pytest.approx(0.8)
    low, high = summary.pooled.estimates()[0][1:]
    assert low < 0.8 < high
    table = [
        [cell.strip() for cell in line.strip('|').split('|')]
        for line in summary.as_markdown(each_fold=True).splitlines()
    ]
    assert table[0] == [
        *('', 'mean ± std', 'out of fold (95% interval)', 'fold 0', 'fold 1', 'fold 2')
    ]
    assert table[2][:2] == ['top-1', '0.750 ± 0.250']
    assert table[2][2].startswith('0.800 (')
    assert table[2][3:] == ['0.750', '1.000', '0.500']
    assert table[-1] == ['images', '4 + 4 + 2', '10', '4', '4', '2']
    assert len(summary.as_markdown().splitlines()[0]) < 80


def test_json():
    content = summarise(folds_of([1, 1, 0, 1], [1, 1]), CLASSES, 2).as_json()
    assert content['folds'] == [0, 1]
    assert content['images'] == [4, 2]
    top1 = content['metrics'][0]
    assert (top1['name'], top1['class'], top1['folds']) == ('top-1', None, [0.75, 1.0])
    assert top1['mean'] == 0.875
    assert top1['std'] == pytest.approx(0.125 * 2**0.5, abs=1e-6)
    assert top1['out_of_fold']['value'] == pytest.approx(5 / 6, abs=1e-6)
    assert any('n - 1' in note for note in content['notes'])
    last = content['metrics'][-1]
    assert (last['name'], last['class']) == ('F1', 'dog')


def test_a_class_that_a_fold_lacks_is_left_out_of_its_mean():
    truth = [[[(0, BOX), (1, BOX)]], [[(0, BOX)]]]
    folds = {
        fold: named(detected(objects, [[(0, BOX, 0.9), (1, BOX, 0.8)]]), fold)
        for fold, objects in enumerate(truth)
    }
    summary = summarise(folds, CLASSES, 2)
    names = [metric.text for metric in summary.metrics]
    assert summary.spread(names.index('area-AP50 cat')) == (1, 0)
    mean, std = summary.spread(names.index('area-AP50 dog'))
    assert mean == 1
    assert np.isnan(std)
    dog = summary.as_json()['metrics'][names.index('area-AP50 dog')]
    assert dog['folds'] == [1.0, None]
    assert dog['std'] is None
    # Of all images together one false dog has as high a score as the true one.
    assert 0.5 <= dog['out_of_fold']['value'] <= 1


def test_without_all_folds_nothing_is_pooled():
    summary = summarise({2: folds_of([1, 0])[0]}, CLASSES, 5)
    assert summary.folds == (2,)
    assert summary.pooled is None
    assert 'out of fold' not in summary.as_markdown()
    assert summary.as_json()['metrics'][0]['out_of_fold'] is None


def test_an_image_held_out_twice():
    one = folds_of([1, 0])[0]
    with pytest.raises(UserError, match='twice'):
        summarise({0: one, 1: one}, CLASSES, 2)


def test_all_images_in_the_order_of_the_folds():
    folds = folds_of([1, 0], [1])
    assert [sample['img_path'] for sample in out_of_fold(folds)] == [
        '/data/0_0.png',
        '/data/0_1.png',
        '/data/1_0.png',
    ]


def test_trust_is_passed_on(bccd_root, tmp_path, monkeypatch):
    tasks = []
    monkeypatch.setattr(module, 'run_campaign', lambda all, *_, **__: tasks.extend(all))
    root = shutil.copytree(bccd_root, tmp_path / 'data')
    options = [f'data_root={root}']
    cross_validate(str(SAMPLE), 2, options=options, predict=True, trust=True, say=len)
    for task in tasks:
        assert task.train.index('--trust') < task.train.index('--cfg-options')
        for step in task.steps:
            assert '--trust' in step.command('c.pth')
    assert len(tasks) == len(tasks[0].steps) == 2
