"""The whole check, on drawn data with every fault planted."""

import shutil

import pytest

from custom_datasets.checks.check import check_config
from tests.checks.faults import (
    ALONE,
    FAULTS,
    HARMLESS,
    draw_clean,
    matches,
    plant_all,
)
from tests.leaves import SAMPLE


@pytest.fixture(scope='module')
def clean(tmp_path_factory):
    return draw_clean(tmp_path_factory.mktemp('check') / 'clean')


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path):
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))


def check(root, **options):
    options = {'cached': False, **options}
    return check_config(str(SAMPLE), {'data_root': str(root)}, **options).findings


@pytest.fixture(scope='module')
def usual(clean):
    """Codes of what is said about the clean set: its schedule, the machine."""
    found = check(clean)
    assert not [f for f in found if f.severity == 'error']
    return {f.code for f in found}


@pytest.mark.parametrize('name', [*FAULTS, *ALONE])
def test_each_fault_is_found_where_it_is_and_nothing_else(clean, usual, tmp_path, name):
    root = shutil.copytree(clean, tmp_path / 'set')
    expected = {**FAULTS, **ALONE}[name](root)
    found = check(root)
    assert [f for f in found if matches(expected, f, root)]
    others = {f.code for f in found if f.severity != 'note'}
    assert others <= usual | {expected.code} | expected.also


def test_all_faults_together_are_found(clean, tmp_path):
    root = shutil.copytree(clean, tmp_path / 'set')
    planted = plant_all(root)
    found = check(root)
    missed = {
        name
        for name, expected in planted.items()
        if not any(matches(expected, finding, root) for finding in found)
    }
    assert not missed


@pytest.mark.parametrize('name', HARMLESS)
def test_what_only_looks_odd_is_at_most_a_note(clean, usual, tmp_path, name):
    root = shutil.copytree(clean, tmp_path / 'set')
    image = HARMLESS[name](root)
    about = [f for f in check(root) if image in (f.file or '')]
    assert {f.severity for f in about} <= {'note'}


def test_results_are_the_same_from_the_cache(clean, tmp_path):
    root = shutil.copytree(clean, tmp_path / 'set')
    plant_all(root)
    first, second, third = (
        [f for f in check(root, cached=cached) if f.code != 'disk-space']
        for cached in (False, True, True)
    )
    assert first == second == third


def test_a_changed_file_is_read_anew(clean, tmp_path):
    root = shutil.copytree(clean, tmp_path / 'set')
    before = check(root, cached=True)
    expected = FAULTS['dark'](root)
    assert not [f for f in before if matches(expected, f, root)]
    assert [f for f in check(root, cached=True) if matches(expected, f, root)]


def test_without_images_none_is_opened(clean, tmp_path, monkeypatch):
    monkeypatch.setattr('custom_datasets.checks.check.scan_images', None)
    root = shutil.copytree(clean, tmp_path / 'set')
    expected = FAULTS['class-with-typo'](root)
    found = check(root, images=False)
    assert [f for f in found if matches(expected, f, root)]


@pytest.mark.parametrize(
    'name',
    ['jpeg-without-tail', 'png-without-tail', 'text-called-jpg', 'file-without-a-byte'],
)
def test_what_would_end_training_is_found_without_decoding(clean, tmp_path, name):
    root = shutil.copytree(clean, tmp_path / 'set')
    assert not [f for f in check(root, images=False) if f.severity == 'error']
    expected = FAULTS[name](root)
    errors = [f for f in check(root, images=False) if f.severity == 'error']
    assert [matches(expected, f, root) for f in errors] == [True]


@pytest.mark.parametrize('name', HARMLESS)
def test_nor_does_the_quick_part_mind_what_only_looks_odd(clean, tmp_path, name):
    root = shutil.copytree(clean, tmp_path / 'set')
    HARMLESS[name](root)
    assert not [f for f in check(root, images=False) if f.severity == 'error']


def test_progress_ends_with_all_files(clean):
    seen = []
    check(clean, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1][0] == seen[-1][1] > len(FAULTS)
