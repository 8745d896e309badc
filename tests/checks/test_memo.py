"""Findings of an unchanged data set are not worked out again."""

import os
import shutil
import time

import pytest

from custom_datasets.checks import check as run
from custom_datasets.checks.check import check_config
from tests.checks.faults import FAULTS, draw_clean, matches
from tests.leaves import SAMPLE


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path):
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))


@pytest.fixture
def root(tmp_path):
    root = draw_clean(tmp_path / 'set', (64, 48))
    age(root)
    return root


@pytest.fixture
def reads(monkeypatch):
    """How often the data were read."""
    seen = []
    real = run.read_sources
    monkeypatch.setattr(
        run, 'read_sources', lambda *given: seen.append(1) or real(*given)
    )
    return seen


def age(root):
    """Make all files older than what could still be changing."""
    then = time.time() - 60
    for path in root.rglob('*'):
        os.utime(path, (then, then))


def check(root, *, config=SAMPLE, **options):
    given = {'data_root': str(root), **options.pop('given', {})}
    found = check_config(str(config), given, **options)
    return [f for f in found.findings if f.code != 'disk-space'], found.images


def test_the_second_time_nothing_is_read(root, reads):
    assert check(root) == check(root)
    assert len(reads) == 1


@pytest.mark.parametrize('name', ['dark', 'class-with-typo', 'listed-twice'])
def test_a_changed_file_counts(root, reads, name):
    before, _ = check(root)
    expected = FAULTS[name](root)
    age_new = time.time() - 30
    os.utime(root / expected.file, (age_new, age_new))
    after, _ = check(root)
    assert len(reads) == 2
    assert not [f for f in before if matches(expected, f, root)]
    assert [f for f in after if matches(expected, f, root)]


def test_a_new_and_a_lost_file_count(root, reads):
    check(root)
    shutil.copy(root / 'JPEGImages/val_0000.png', root / 'JPEGImages/new.png')
    os.utime(root / 'JPEGImages/new.png', (0, 0))
    assert 'unlisted-image' in {f.code for f in check(root)[0]}
    (root / 'JPEGImages/val_0000.png').unlink()
    assert 'missing-image' in {f.code for f in check(root)[0]}
    assert len(reads) == 3


def test_what_may_still_be_changing_is_read_again(root, reads):
    """Its time may stay the same when it is written once more."""
    soon = time.time() + 60
    os.utime(root / 'JPEGImages/val_0000.png', (soon, soon))
    check(root)
    check(root)
    assert len(reads) == 2


def test_ranks_need_no_reading(root, reads):
    check(root)
    rates = [f.message for f in check(root, ranks=4)[0] if f.code == 'learning-rate']
    assert len(reads) == 1
    assert '32, so it trains' in rates[0]


def test_other_settings_count(root, reads):
    check(root)
    check(root, given={'model.bbox_head.anchor_generator.octave_base_scale': 8})
    assert len(reads) == 2


def test_the_quick_part_is_kept_beside_the_whole(root, reads):
    for _ in range(2):
        check(root)
        check(root, images=False)
    assert len(reads) == 2


def test_no_cache_keeps_and_takes_nothing(root, reads):
    check(root, cached=False)
    check(root, cached=False)
    assert len(reads) == 2


def test_files_outside_of_the_root_are_never_taken_for_unchanged(root, reads, tmp_path):
    (tmp_path / 'lists').mkdir()
    path = shutil.move(root / 'ImageSets/Main/val.txt', tmp_path / 'lists/val.txt')
    given = {'val_dataloader.dataset.ann_file': str(path)}
    check(root, given=given)
    check(root, given=given)
    assert len(reads) == 2


def test_too_many_files_are_not_compared(root, reads, monkeypatch):
    monkeypatch.setattr('custom_datasets.checks.check.MOST_FILES', 5)
    check(root)
    check(root)
    assert len(reads) == 2


def test_without_a_root_there_is_no_telling_what_belongs_to_it(
    root, reads, monkeypatch
):
    monkeypatch.chdir(root)
    check('')
    check('')
    assert len(reads) == 2
