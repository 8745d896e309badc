import os
import random
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from custom_datasets.data.balance import class_table, file_digest, split_by_class
from custom_datasets.errors import UserError

RATIOS = {'train': 8, 'val': 1, 'test': 1}
CONVERT = """
import sys
from custom_datasets.data import face_mask
from custom_datasets.data import defect_crops as metal_surface
from custom_datasets.samples.boxes import METAL_CLASSES
from tests.conftest import FACE_CLASSES
faces, metal, out = sys.argv[1:]
face_mask.write_split(faces, FACE_CLASSES, out=out + '/faces')
metal_surface.convert(metal, out + '/metal', METAL_CLASSES)
"""
SHARES = {'train': 0.8, 'val': 0.1, 'test': 0.1}


def items(**counts):
    """Items of one class each: ``items(cat=3)`` is cat0, cat1 and cat2."""
    return {f'{c}{i}': {c: 1} for c, n in counts.items() for i in range(n)}


def totals(labels, names):
    return sum((Counter(labels[name]) for name in names), Counter())


def random_labels(seed, most=1, count=300):
    rng = random.Random(seed)
    frequency = {'a': 0.9, 'b': 0.3, 'c': 0.1, 'd': 0.05}
    return {
        f'item{index}': {
            name: rng.randint(1, most)
            for name, share in frequency.items()
            if rng.random() < share
        }
        for index in range(count)
    }


@pytest.mark.parametrize('seed', range(5))
def test_each_class_is_in_proportion_within_one_image(seed):
    labels = random_labels(seed)
    parts = split_by_class(labels, RATIOS, seed=seed)
    assert sorted(name for names in parts.values() for name in names) == sorted(labels)
    whole = totals(labels, labels)
    for part, share in SHARES.items():
        got = totals(labels, parts[part])
        for name in 'abcd':
            assert abs(got[name] - share * whole[name]) <= 1, (part, name)
        assert parts[part] == sorted(parts[part])


@pytest.mark.parametrize('seed', range(5))
def test_units_and_items_are_both_in_proportion(seed):
    rng = random.Random(seed)
    labels = {f'item{i}': {'a': rng.choice([1, 1, 1, 2, 6])} for i in range(200)}
    parts = split_by_class(labels, RATIOS, seed=seed)
    whole = totals(labels, labels)['a']
    for part, share in SHARES.items():
        assert abs(len(parts[part]) - share * 200) <= 4
        assert abs(totals(labels, parts[part])['a'] - share * whole) <= 1


@pytest.mark.parametrize('count', range(3, 31))
def test_a_rare_class_is_in_every_part(count):
    labels = items(common=100, rare=count)
    parts = split_by_class(labels, RATIOS)
    got = {part: totals(labels, names)['rare'] for part, names in parts.items()}
    assert min(got.values()) >= 1
    assert got['train'] == max(got.values())
    if count >= 10:
        assert all(abs(got[p] - SHARES[p] * count) <= 1 for p in RATIOS)


@pytest.mark.parametrize('seed', range(20))
def test_rare_classes_that_share_items_are_in_every_part(seed):
    first = {f'x{i}': {'a': 1, 'b': 1} for i in range(3)}
    second = {f'y{i}': {'b': 1, 'c': 1} for i in range(3)}
    labels = {**first, **second, **items(d=30)}
    parts = split_by_class(labels, RATIOS, seed=seed)
    assert all(set(totals(labels, names)) == set('abcd') for names in parts.values())


def test_few_crowded_items_leave_no_part_without():
    labels = {f'x{i}': {'a': 50} for i in range(3)}
    parts = split_by_class(labels, RATIOS)
    assert [len(names) for names in parts.values()] == [1, 1, 1]


def test_too_few_items_names_every_such_class():
    labels = items(common=10, one=1, two=2)
    with pytest.raises(UserError, match=r'3 parts .*: one \(1\), two \(2\)'):
        split_by_class(labels, RATIOS)


def test_too_few_groups():
    labels = items(a=5)
    groups = dict.fromkeys(labels, 'same')
    with pytest.raises(UserError, match=r'a \(1\)'):
        split_by_class(labels, RATIOS, groups)


def test_a_split_that_cannot_be_is_an_error_and_not_a_bad_split():
    wanted = {'a': '123', 'b': '124', 'c': '345'}
    labels = {i: {c: 1 for c in wanted if i in wanted[c]} for i in '12345'}
    with pytest.raises(UserError, match='a part is left without'):
        split_by_class(labels, RATIOS)


@pytest.mark.parametrize('seed', range(5))
def test_groups_stay_together(seed):
    rng = random.Random(seed)
    labels = random_labels(seed, most=3)
    groups = {name: rng.randrange(150) for name in list(labels)[:250]}
    parts = split_by_class(labels, RATIOS, groups, seed)
    part_of = {name: part for part, names in parts.items() for name in names}
    assert len(part_of) == len(labels)
    for group in set(groups.values()):
        members = [name for name in groups if groups[name] == group]
        assert len({part_of[name] for name in members}) == 1
    whole = totals(labels, labels)
    for part, share in SHARES.items():
        got = totals(labels, parts[part])
        assert all(abs(got[c] - share * whole[c]) <= 8 for c in 'abcd')


def test_items_without_a_class_are_spread_too():
    labels = {**items(a=20), **{f'empty{i}': {} for i in range(20)}}
    parts = split_by_class(labels, RATIOS)
    empty = {p: sum(not labels[n] for n in names) for p, names in parts.items()}
    assert empty == {'train': 16, 'val': 2, 'test': 2}


def test_the_same_split_whatever_the_order():
    labels = random_labels(0)
    shuffled = list(labels.items())
    random.Random(1).shuffle(shuffled)
    assert split_by_class(labels, RATIOS) == split_by_class(dict(shuffled), RATIOS)


def test_seeds_give_different_splits():
    labels = random_labels(0)
    splits = [split_by_class(labels, RATIOS, seed=seed) for seed in range(3)]
    assert len({tuple(split['test']) for split in splits}) == 3


def test_other_ratios():
    parts = split_by_class(items(a=90, b=60), {'train': 2, 'val': 1})
    assert [len(names) for names in parts.values()] == [100, 50]


@pytest.mark.parametrize('ratios', [{}, {'train': 1, 'val': 0}, {'train': -1}])
def test_refuses_ratios(ratios):
    with pytest.raises(UserError, match='positive share'):
        split_by_class(items(a=5), ratios)


def test_nothing_to_split():
    with pytest.raises(UserError, match='no item'):
        split_by_class({}, RATIOS)


def test_class_table():
    labels = {'x': {'b': 12}, 'y': {'a': 1, 'b': 2}, 'z': {}}
    assert class_table(labels, {'train': ['x', 'z'], 'val': ['y']}) == (
        '        train  val\nimages      2    1\na           0    1\nb          12    2'
    )


def test_file_digest(tmp_path):
    for name, content in {'a': b'1', 'b': b'1', 'c': b'2'}.items():
        (tmp_path / name).write_bytes(content)
    digests = [file_digest(str(tmp_path / name)) for name in 'abc']
    assert digests[0] == digests[1] != digests[2]
    with pytest.raises(UserError, match='cannot be read'):
        file_digest(str(tmp_path / 'd'))


def test_the_same_bytes_whatever_the_hash_seed(face_mask_root, metal_root, tmp_path):
    written = []
    for seed in ('1', '2'):
        out = tmp_path / seed
        subprocess.run(
            [sys.executable, '-c', CONVERT, face_mask_root, metal_root, out],
            cwd=Path(__file__).resolve().parents[2],
            env={**os.environ, 'PYTHONHASHSEED': seed},
            check=True,
        )
        files = [path for path in out.rglob('*') if path.is_file()]
        written.append({str(p.relative_to(out)): p.read_bytes() for p in files})
    assert 'faces/ImageSets/Main/test.txt' in written[0]
    assert sum(name.endswith('.png') for name in written[0]) == 90
    assert written[0] == written[1]
