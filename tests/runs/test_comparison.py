"""Metrics of runs on resamples, which runs are paired, and what is noted."""

import json
import os
import pickle
from pathlib import Path

import numpy as np
import pytest

from custom_datasets.errors import UserError
from custom_datasets.evaluation.intervals import resample
from custom_datasets.evaluation.measures import measure
from custom_datasets.evaluation.results import classification_results, detection_results
from custom_datasets.runs.comparison import read_comparison
from tests.runs.drawn_runs import CLASSES, GOOD, POOR, classified, detected, write_run

BOX = (10, 10, 30, 30)
FAR = (60, 60, 90, 90)


def change(folder, edit):
    path = Path(folder, 'run.json')
    record = json.loads(path.read_text())
    edit(record)
    path.write_text(json.dumps(record))


def test_runs_are_paired_with_the_first_and_ranked(make):
    comparison = read_comparison([make('poor', POOR), make('good'), make('same')])
    assert comparison.ranks == (3, 1, 1)
    assert comparison.base.label == 'poor'
    assert comparison.runs[1].against[0].value == pytest.approx(0.4)
    assert comparison.runs[0].against is None


def test_the_order_of_images_does_not_matter(make, tmp_path):
    first = make('a')
    turned = write_run(tmp_path / 'b', classified(GOOD)[::-1])
    comparison = read_comparison([first, str(turned)])
    assert tuple(comparison.runs[1].against[0]) == (0, 0, 0)


def test_other_lists_are_said_and_not_ranked(make):
    comparison = read_comparison([make('a'), make('b', POOR, lists='other')])
    assert comparison.ranks == ()
    assert comparison.runs[1].against  # The test set is the same.
    assert comparison.notes == (
        'b was trained on other data than a, so they are not ranked: train.txt '
        '(30 images) against train.txt (30 images).',
        'b was validated on other data than a, so they are not ranked: val.txt '
        '(30 images) against val.txt (30 images).',
    )


def test_lists_of_which_nothing_is_known(make):
    folders = [make('a'), make('b')]
    change(folders[1], lambda record: record['data']['train'].update(sha256=None))
    comparison = read_comparison(folders)
    assert comparison.ranks == ()
    assert comparison.notes == (
        'The records do not say whether b and a were trained on the same data, so they '
        'are not ranked.',
    )


def test_other_test_images_are_said_and_not_ranked(make):
    comparison = read_comparison([make('a'), make('b', np.ones(50, bool))])
    assert comparison.ranks == ()
    assert comparison.runs[1].against is None
    assert comparison.runs[1].measured.values[0] == 1
    (note,) = comparison.notes
    assert note.startswith(
        'b and a were not tested on the same data, so they are not ranked'
    )
    assert '10 images are only in the first' in note


@pytest.mark.parametrize(
    ('truth', 'difficult', 'pairs'),
    [
        ([(0, BOX), (1, FAR)], False, True),
        ([(0, BOX), (0, FAR)], False, False),
        ([(0, BOX), (1, (60, 60, 90, 91))], False, False),
        ([(0, BOX), (1, FAR)], True, False),
    ],
    ids=['equal', 'label', 'box', 'difficult'],
)
def test_detectors_are_paired_on_equal_truths_only(tmp_path, truth, difficult, pairs):
    predicted = [[(0, BOX, 0.9)]] * 3
    samples = detected([[(0, BOX), (1, FAR)]] * 3, predicted)
    others = detected([truth] * 3, predicted, difficult)
    folders = [
        str(write_run(tmp_path / 'a', samples)),
        str(write_run(tmp_path / 'b', others)),
    ]
    comparison = read_comparison(folders)
    assert (comparison.runs[1].against is not None) == pairs
    assert bool(comparison.ranks) == pairs
    assert any('their annotations differ' in note for note in comparison.notes) != pairs


def test_runs_without_predictions_name_the_command(make):
    folder = make('b', None)
    comparison = read_comparison([make('a'), folder, make('c', POOR)])
    assert comparison.ranks == (1, None, 2)
    assert comparison.runs[1].measured is None
    (note,) = comparison.notes
    assert note == (
        f'{folder}/test_predictions.pkl does not exist, so there are no metrics with '
        'intervals; it is written by python tools/analysis_tools/report.py '
        f'{folder}/net.py {folder}/best.pth (or tools/test.py with --out '
        f'{folder}/test_predictions.pkl).'
    )


def test_the_first_with_predictions_is_the_base(make):
    comparison = read_comparison([make('a', None), make('b'), make('c', POOR)])
    assert comparison.base.label == 'b'
    assert comparison.runs[2].against[0].value == pytest.approx(-0.4)


def test_predictions_of_an_earlier_training_are_said(make):
    folders = [make('a'), make('b')]
    later = os.path.getmtime(os.path.join(folders[1], 'test_predictions.pkl')) + 60
    os.utime(os.path.join(folders[1], 'epoch_3.pth'), (later, later))
    (note,) = read_comparison(folders).notes
    assert note.startswith(
        f'{folders[1]}/test_predictions.pkl is older than a checkpoint'
    )


@pytest.mark.parametrize(
    ('status', 'reason', 'said'),
    [
        ('running', None, 'b is still running, or was killed after 3 epochs'),
        ('stopped', None, 'b was stopped after 3 epochs'),
        ('failed', 'loss is nan\nmore', 'b failed (loss is nan) after 3 epochs'),
    ],
)
def test_unfinished_runs_are_said_and_not_ranked(make, status, reason, said):
    folders = [make('a'), make('b', status=status, reason=reason), make('c', POOR)]
    comparison = read_comparison(folders)
    assert comparison.notes == (f'{said}: its numbers are not final.',)
    assert comparison.ranks == (1, None, 2)


def test_labels_tell_folders_apart(make):
    comparison = read_comparison([make('x/fold_0'), make('y/fold_0')])
    assert [run.label for run in comparison.runs] == ['x/fold_0', 'y/fold_0']


def test_settings_are_what_a_runner_reads(make):
    run = read_comparison([make('a'), make('b')]).runs[0]
    assert set(run.settings) == {
        'model',
        'optim_wrapper',
        'randomness',
        'train_dataloader',
    }


def test_the_checkpoint_that_a_run_went_on_with_is_no_setting(make, tmp_path):
    folders = [make('whole'), make('resumed'), make('pretrained')]
    for folder, text in (
        (folders[1], "load_from='a.pth'\nresume=True\n"),
        (folders[2], "load_from='b.pth'\n"),
    ):
        with open(os.path.join(folder, 'net.py'), 'a') as file:
            file.write(text)
    runs = read_comparison(folders).runs
    assert [run.settings.get('load_from') for run in runs] == [None, None, 'b.pth']


def test_errors(make, tmp_path):
    folder = make('a')
    with pytest.raises(UserError, match='named twice'):
        read_comparison([folder, f'{folder}/.'])
    with pytest.raises(UserError, match=r'run\.json: no such file'):
        read_comparison([folder, str(tmp_path)])
    other = make('b')
    os.remove(os.path.join(other, 'net.py'))
    with pytest.raises(UserError, match=r'net\.py: cannot be read'):
        read_comparison([folder, other])


def test_predictions_alone_are_compared_too(make, tmp_path):
    """As ensembles are, which have no record."""
    run = make('poor', POOR)
    path = tmp_path / 'ensemble.pkl'
    path.write_bytes(pickle.dumps(classified(GOOD)))
    comparison = read_comparison([run, str(path)])
    assert comparison.ranks == (2, 1)
    assert comparison.runs[1].label == 'ensemble.pkl'
    assert comparison.runs[1].against[0].value == pytest.approx(0.4)
    assert [each.label for each in comparison.configured] == ['poor']
    assert comparison.notes == ()
    # The names of the classes are those of the runs.
    assert comparison.runs[1].measured.metrics[-1].of == 'dog'


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
