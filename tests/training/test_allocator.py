"""What a training step frees is there for the next one."""

import resource

import pytest
import torch

from custom_datasets.training.allocator import freed_memory_kept

PAGES = 16384
"""64 MB: more than glibc ever takes from its heap by itself."""


def new_pages():
    """Count the pages that the system hands out for an array that was there before."""
    counts = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        torch.ones(PAGES * 1024)
        counts.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
    return counts[-1]


@pytest.fixture
def plain(monkeypatch):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    monkeypatch.delenv('LD_PRELOAD', raising=False)


def test_freed_memory_is_kept_and_then_given_back(plain):
    # Other sizes of pages than 4 KB, and huge ones, are fewer.
    usual = new_pages()
    with freed_memory_kept():
        assert new_pages() < usual / 10
    assert new_pages() > usual / 2


@pytest.mark.parametrize(
    ('name', 'value'),
    [('MALLOC_ARENA_MAX', '2'), ('LD_PRELOAD', '/usr/lib/libjemalloc.so.2')],
)
def test_an_allocator_of_the_users_choice_stays(plain, monkeypatch, name, value):
    usual = new_pages()
    monkeypatch.setenv(name, value)
    with freed_memory_kept():
        assert new_pages() > usual / 2


def test_a_failed_training_gives_it_back(plain):
    usual = new_pages()
    with pytest.raises(KeyboardInterrupt), freed_memory_kept():
        raise KeyboardInterrupt
    assert new_pages() > usual / 2
