"""What is said of differences between runs, and of seeds of one config."""

import pytest

from custom_datasets.runs.comparison import read_comparison
from custom_datasets.runs.verdicts import is_beyond_chance, seed_groups, verdicts
from tests.runs.drawn_runs import GOOD, POOR


def test_a_clearly_better_run(make):
    comparison = read_comparison([make('poor', POOR), make('good')])
    assert is_beyond_chance(comparison.runs[1].against[0])
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
    assert verdicts(comparison)[0].startswith('poor is 0.400 lower in top-1 than good')


def test_the_same_predictions_are_not_told_apart(make):
    comparison = read_comparison([make('a'), make('b', lr=0.2)])
    assert verdicts(comparison)[0] == (
        'b and a have the same top-1, 0.900, on every draw of the 60 test images: they '
        'cannot be told from noise.'
    )


def test_one_image_is_noise(make):
    almost = GOOD.copy()
    almost[0] = True
    comparison = read_comparison([make('a'), make('b', almost)])
    difference = comparison.runs[1].against[0]
    assert difference.value == pytest.approx(1 / 60)
    assert difference.low == 0
    assert not is_beyond_chance(difference)
    assert verdicts(comparison)[0].endswith('it cannot be told from noise.')


def test_the_same_value_by_other_images_is_called_the_same(make):
    sentence = verdicts(read_comparison([make('a'), make('b', GOOD[::-1])]))[0]
    assert sentence.startswith('b has the same top-1 as a (0.900 against 0.900; ')
    assert sentence.endswith('it cannot be told from noise.')


def test_of_several_runs_it_is_said_that_chance_adds_up(make):
    comparison = read_comparison([make('a'), make('b', POOR), make('c', POOR, lr=0.2)])
    assert verdicts(comparison)[2].startswith('Each interval stands on its own')


def test_seeds_of_one_config(make):
    comparison = read_comparison(
        [
            make('a0', POOR),
            make('faster', lr=0.2),
            make('a1', seed=1),
            make('more', seed=2, lists='other'),
            make('stopped', seed=3, status='stopped'),
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
