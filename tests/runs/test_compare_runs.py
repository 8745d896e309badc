"""Which runs are compared with which, and what is said of the others."""

import json
import os
import pickle
from pathlib import Path

import numpy as np
import pytest

from custom_datasets.errors import UserError
from custom_datasets.runs.compare import compare
from custom_datasets.runs.comparison import read_comparison
from custom_datasets.runs.verdicts import is_told, seed_groups, verdicts
from tests.runs.drawn_runs import classified, write_run

IMAGES = 60
GOOD = np.arange(IMAGES) % 10 != 0  # 90 %
POOR = np.arange(IMAGES) % 2 == 0  # 50 %, half of them where the good one errs


@pytest.fixture
def make(tmp_path):
    """Write a run that is right on some images; returns its folder."""

    def write(name, right=GOOD, **changes):
        samples = None if right is None else classified(right)
        return str(write_run(tmp_path / name, samples, **changes))

    return write


def change(folder, edit):
    path = Path(folder, 'run.json')
    record = json.loads(path.read_text())
    edit(record)
    path.write_text(json.dumps(record))


def test_a_clearly_better_run_is_told(make):
    comparison = read_comparison([make('poor', POOR), make('good')])
    assert comparison.ranks == (2, 1)
    assert comparison.base.label == 'poor'
    difference = comparison.runs[1].against[0]
    assert difference.value == pytest.approx(0.4)
    assert is_told(difference)
    sentence, caveat = verdicts(comparison)
    assert sentence.startswith(
        'good is 0.400 higher in top-1 than poor (0.900 against 0.500; 95% interval '
    )
    assert sentence.endswith(
        '60 test images): more than the draw of test images explains.'
    )
    assert 'not the seed' in caveat


def test_the_order_of_runs_turns_the_sign(make):
    comparison = read_comparison([make('good'), make('poor', POOR)])
    assert comparison.runs[1].against[0].value == pytest.approx(-0.4)
    assert verdicts(comparison)[0].startswith('poor is 0.400 lower in top-1 than good')


def test_the_same_predictions_are_not_told_apart(make):
    comparison = read_comparison([make('a'), make('b', lr=0.2)])
    assert all(tuple(each) == (0, 0, 0) for each in comparison.runs[1].against)
    assert comparison.ranks == (1, 1)
    sentence = verdicts(comparison)[0]
    assert sentence.endswith('they cannot be told from noise.')
    assert '0.900' in sentence


def test_one_image_is_noise(make):
    almost = GOOD.copy()
    almost[0] = True
    comparison = read_comparison([make('a'), make('b', almost)])
    difference = comparison.runs[1].against[0]
    assert difference.value == pytest.approx(1 / 60)
    assert difference.low == 0
    assert not is_told(difference)
    assert verdicts(comparison)[0].endswith('it cannot be told from noise.')


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
        'No record tells whether b and a were trained on the same, so they are not '
        'ranked.',
    )


def test_other_test_images_are_said_and_not_ranked(make):
    comparison = read_comparison([make('a'), make('b', np.ones(50, bool))])
    assert comparison.ranks == ()
    assert comparison.runs[1].against is None
    assert comparison.runs[1].measured.values[0] == 1
    (note,) = comparison.notes
    assert note.startswith(
        'b and a were not tested on the same, so they are not ranked'
    )
    assert '10 images are in the first only' in note
    assert verdicts(comparison) == []


def test_runs_without_predictions_name_the_command(make):
    folder = make('b', None)
    comparison = read_comparison([make('a'), folder, make('c', POOR)])
    assert comparison.ranks == (1, None, 2)
    assert comparison.runs[1].measured is None
    (note,) = comparison.notes
    assert note == (
        f'{folder}/test_predictions.pkl: no such file, so no metrics with intervals; '
        f'python tools/analysis_tools/report.py {folder}/net.py {folder}/best.pth '
        f'makes them (or tools/test.py with --out {folder}/test_predictions.pkl).'
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
        f'{folders[1]}/test_predictions.pkl: older than a checkpoint'
    )


@pytest.mark.parametrize(
    ('status', 'reason', 'said'),
    [
        ('running', None, 'b is still running, or was killed, after 3 epochs'),
        ('stopped', None, 'b was stopped, after 3 epochs'),
        ('failed', 'loss is nan\nmore', 'b failed (loss is nan), after 3 epochs'),
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


def test_seeds_of_one_config(make):
    comparison = read_comparison(
        [
            make('a0', POOR),
            make('faster', lr=0.2),
            make('a1', seed=1),
            make('more', seed=2, lists='other'),
        ]
    )
    (group,) = seed_groups(comparison.runs)
    assert [run.label for run in group.runs] == ['a0', 'a1']
    assert group.mean[0] == pytest.approx(0.7)
    assert group.std[0] == pytest.approx(0.4 / 2**0.5)
    assert verdicts(comparison)[-1] == (
        'a0, a1 differ in their seed only, and that alone moves top-1 from 0.500 to '
        '0.900.'
    )


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


def test_the_same_value_by_other_images_is_called_the_same(make):
    turned = GOOD[::-1]
    said = verdicts(read_comparison([make('a'), make('b', turned)]))[0]
    assert said.startswith('b has the same top-1 as a (0.900 against 0.900; ')
    assert said.endswith('it cannot be told from noise.')


def test_two_files_of_predictions_have_no_settings(tmp_path):
    paths = [tmp_path / 'a.pkl', tmp_path / 'b.pkl']
    for path, right in zip(paths, (POOR, GOOD), strict=True):
        path.write_bytes(pickle.dumps(classified(right)))
    text = compare(list(map(str, paths)), str(tmp_path / 'page.html'))
    assert 'b.pkl is 0.400 higher in top-1 than a.pkl' in text
    assert 'Of no run the settings are known.' in text
