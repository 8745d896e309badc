"""A generator that is as good as it can be, and others with one known fault each."""

import json

import numpy as np
import pytest

from custom_datasets.evaluation.judgement import Pictures, Sets, judge

CLASSES = ('cup', 'fork', 'knife')


def draw(counts, seed, shift=0.0, scale=1.0, names=()):
    """Features around a centre of each class; pixels are some of them."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(len(counts)), counts)
    features = rng.normal(shift, scale, (len(labels), 32))
    features[:, :3] += 4 * np.eye(3)[labels]
    return Pictures(labels, features[:, ::2] * 10 + 128, features, names)


TRAINING = draw((60, 120, 90), 1)
MIRRORED = draw((60, 120, 90), 2)
HELD_OUT = draw((50, 80, 20), 3)


def judged(made, held_out=HELD_OUT):
    numbers = judge(Sets(made, held_out, TRAINING, MIRRORED), CLASSES)
    return json.loads(json.dumps(numbers, allow_nan=False))


def test_as_good_as_real_ones():
    """Real against real: nothing is blamed, whatever the numbers of each class."""
    numbers = judged(draw((40, 40, 40), 4))
    assert numbers['matched'] == {'cup': 40, 'fork': 40, 'knife': 20}
    made, training = numbers['likeness']['made'], numbers['likeness']['training']
    assert made['pictures'] == training['pictures'] == 100
    assert made['kernel_distance']['low'] < 0 < made['kernel_distance']['high']
    for part in ('precision', 'recall'):
        assert made[part]['low'] < training[part]['value'] < made[part]['high']
    for part in numbers['copying']:
        assert part['copied']['low'] < part['held_out']['high']
        assert part['nearer']['low'] < 0.5 < part['nearer']['high']
    for row in numbers['spread']:
        assert row['made']['low'] < 1 < row['made']['high']
    assert numbers['agreement'] is None


def test_noise_is_far():
    numbers = judged(draw((40, 40, 40), 4, shift=3))
    made, training = numbers['likeness']['made'], numbers['likeness']['training']
    assert made['kernel_distance']['low'] > training['kernel_distance']['high']
    assert made['precision']['value'] == 0
    assert [part['copied']['value'] for part in numbers['copying']] == [0, 0]
    assert numbers['copying'][0]['nearer']['high'] < 0.1


@pytest.mark.parametrize('mirrored', [False, True])
def test_copies_are_caught(mirrored):
    """Ten copies, a little blurred, among ninety honest ones."""
    source = MIRRORED if mirrored else TRAINING
    rows = np.arange(0, 250, 25)
    copies = source.take(rows)
    honest = draw((30, 30, 30), 4)
    rng = np.random.default_rng(5)
    features = np.concatenate([honest.features, copies.features])
    features += rng.normal(0, 0.05, features.shape)
    labels = np.concatenate([honest.labels, copies.labels])
    numbers = judged(Pictures(labels, features[:, ::2] * 10 + 128, features))
    for part in numbers['copying']:
        assert part['copied']['low'] > part['held_out']['high']
        assert 0.1 <= part['copied']['value'] < 0.2
        first = part['pairs'][:10]
        assert {pair['training'] for pair in first} == set(rows.tolist())
        assert {pair['made'] for pair in first} == set(range(90, 100))
        assert all(pair['copied'] and pair['mirrored'] == mirrored for pair in first)
        distances = [pair['distance'] for pair in part['pairs']]
        assert distances == sorted(distances)


def test_all_copies_look_good_as_a_set_and_are_near():
    """What KID praises, memorisation does not."""
    numbers = judged(TRAINING.take(np.arange(0, 270, 3)))
    made, training = numbers['likeness']['made'], numbers['likeness']['training']
    assert made['kernel_distance']['low'] < training['kernel_distance']['high']
    for part in numbers['copying']:
        assert part['copied']['value'] == 1
        assert part['nearer']['value'] == 1


def test_one_repeated_picture_has_no_recall_and_no_spread():
    honest = draw((1, 1, 1), 4)
    numbers = judged(honest.take(np.repeat([0, 1, 2], 40)))
    made = numbers['likeness']['made']
    assert made['recall']['value'] < 0.05
    assert made['kernel_distance']['low'] > 0
    assert [row['made']['value'] for row in numbers['spread']] == [0, 0, 0]
    assert 0.8 < numbers['spread'][0]['held_out']['value'] < 1.2


def test_a_held_out_share_passes_the_rule():
    part = judged(draw((40, 40, 40), 4))['copying'][0]
    assert part['held_out']['value'] == pytest.approx(2 / 150, abs=1e-6)
    assert part['made_distances'] == sorted(part['made_distances'])
    assert len(part['held_out_distances']) == 51
    assert part['held_out_distances'][0] <= part['limit']


def test_agreement_counts_names_by_class():
    made = draw((2, 3, 1), 4, names=('cup', 'fork', 'fork', 'cup', 'spoon', None))
    known = draw((50, 80, 20), 3, names=[*['cup'] * 60, *['fork'] * 70, *[None] * 20])
    cup, fork, knife = judged(made, known)['agreement']
    assert (cup['made']['value'], cup['made_pictures']) == (0.5, 2)
    assert cup['taken_for'] == [['fork', 1]]
    assert (cup['real']['value'], cup['real_pictures']) == (1, 50)
    assert fork['made']['value'] == pytest.approx(1 / 3, abs=1e-6)
    assert fork['taken_for'] == [['cup', 1], ['spoon', 1]]
    assert fork['real']['value'] == pytest.approx(70 / 80)
    assert knife['made'] == {'value': None, 'low': None, 'high': None}
    assert (knife['made_pictures'], knife['real_pictures']) == (0, 0)


def test_without_features_pixels_are_left():
    made = draw((40, 40, 40), 4)
    parts = [
        Pictures(each.labels, each.pixels)
        for each in (made, HELD_OUT, TRAINING, MIRRORED)
    ]
    numbers = judge(Sets(*parts), CLASSES)
    assert numbers['likeness'] is None and numbers['spread'] is None
    assert [part['space'] for part in numbers['copying']] == ['pixels']


def test_few_pictures_are_not_compared():
    """And a class that nobody held out does not count, or stop the others."""
    numbers = judged(draw((40, 40, 40), 4), draw((4, 5, 0), 3))
    assert numbers['matched'] == {'cup': 4, 'fork': 5, 'knife': 0}
    assert numbers['likeness'] is None and numbers['copying'] == []
    assert numbers['spread'][2]['held_out']['value'] is None
    assert numbers['spread'][2]['made']['value'] is not None


def test_pixel_distances_are_grey_levels():
    made = Pictures(TRAINING.labels[:10], TRAINING.pixels[:10] + 7)
    numbers = judge(
        Sets(
            made,
            Pictures(HELD_OUT.labels, HELD_OUT.pixels),
            Pictures(TRAINING.labels, TRAINING.pixels),
            Pictures(MIRRORED.labels, MIRRORED.pixels),
        ),
        CLASSES,
    )
    assert numbers['copying'][0]['pairs'][0]['distance'] == pytest.approx(7, abs=0.01)
