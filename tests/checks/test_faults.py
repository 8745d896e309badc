"""The planted faults: each changes only what it says, and they keep apart."""

import shutil

import pytest

from tests.checks.faults import ALONE, FAULTS, HARMLESS, draw_clean, plant_all


@pytest.fixture(scope='module')
def clean(tmp_path_factory):
    return draw_clean(tmp_path_factory.mktemp('faults') / 'clean')


@pytest.fixture
def root(clean, tmp_path):
    return shutil.copytree(clean, tmp_path / 'set')


def contents(root):
    files = [path for path in root.rglob('*') if path.is_file()]
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in files}


def changed(before, after):
    return {name for name in before | after if before.get(name) != after.get(name)}


@pytest.mark.parametrize('name', [*FAULTS, *ALONE])
def test_a_fault_is_planted_where_it_says(clean, root, name):
    expected = {**FAULTS, **ALONE}[name](root)
    files = changed(contents(clean), contents(root))
    if name == 'other-vocabulary':
        assert {path.partition('/')[0] for path in files} == {'Annotations'}
    elif name == 'class-without-box':
        assert {path.rpartition('_')[0] for path in files} == {'Annotations/test'}
    elif name == 'listed-in-two-splits':
        assert files == {'ImageSets/Main/test.txt'}
    elif name != 'annotation-without-image':
        assert expected.file in files


def test_all_together_keep_apart(clean, root):
    expected = plant_all(root)
    assert len({(e.code, e.file, e.object) for e in expected.values()}) == len(FAULTS)
    harmless = {plant(root) for plant in HARMLESS.values()}
    assert len(harmless) == len(HARMLESS)
    assert not any(name in e.file for e in expected.values() for name in harmless)
    train = (clean / 'ImageSets/Main/train.txt').read_text().split()
    assert changed(contents(clean), contents(root)).isdisjoint(
        f'{folder}/{name}.{suffix}'
        for name in train[len(FAULTS) + len(HARMLESS) :]
        for folder, suffix in (('JPEGImages', 'png'), ('Annotations', 'xml'))
    )
