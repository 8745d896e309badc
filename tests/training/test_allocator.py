"""What a training step frees is there for the next one."""

import os
import subprocess
import sys
from unittest.mock import Mock

import pytest

from custom_datasets.training import allocator
from custom_datasets.training.allocator import freed_memory_kept

BEGIN = '''
import resource
import torch
from custom_datasets.training.allocator import freed_memory_kept

torch.cuda.is_available = lambda: False


def new_pages():
    """Count the pages that the system hands out for 64 MB that were there before.

    It takes some rounds until the heap has room for all of it in one piece.
    """
    counts = []
    for _ in range(40):
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        torch.ones(16384 * 1024)
        counts.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
    return min(counts[1:])


# Other sizes of pages than 4 KB, and huge ones, are fewer.
usual = new_pages()
assert usual, 'a fresh process had so much free memory'
'''


def run(code, environment=None):
    """Run code in a process whose heap no other test has filled with holes."""
    # An allocator of whoever runs the tests would be left as it is.
    mine = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith('MALLOC_') and name != 'LD_PRELOAD'
    }
    done = subprocess.run(
        [sys.executable, '-c', BEGIN + code],
        env={**mine, 'PYTHONPATH': os.getcwd(), **(environment or {})},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


def test_freed_memory_is_kept_and_then_given_back():
    run("""
def resident():
    with open('/proc/self/statm') as file:
        return int(file.read().split()[1]) * resource.getpagesize()

before = resident()
with freed_memory_kept():
    assert new_pages() < usual / 10
    assert resident() > before + 2**25
assert resident() < before + 2**25
""")


@pytest.mark.parametrize(
    ('name', 'value'),
    [('MALLOC_ARENA_MAX', '2'), ('LD_PRELOAD', '/usr/lib/libjemalloc.so.2')],
)
def test_an_allocator_of_the_users_choice_stays(name, value):
    run(f"""
import os

os.environ[{name!r}] = {value!r}
with freed_memory_kept():
    assert new_pages() > usual / 2
""")


def test_glibc_has_its_own_settings_again_after_a_failed_training(monkeypatch):
    """What was freed may have left holes, from which nobody could tell."""
    libc = Mock()
    monkeypatch.setattr(allocator.ctypes, 'CDLL', lambda name: libc)
    monkeypatch.setattr(allocator.torch.cuda, 'is_available', lambda: False)
    for name in [name for name in os.environ if name.startswith('MALLOC_')]:
        monkeypatch.delenv(name)
    monkeypatch.delenv('LD_PRELOAD', raising=False)
    with pytest.raises(KeyboardInterrupt), freed_memory_kept():
        begun = [setting.args for setting in libc.mallopt.call_args_list]
        raise KeyboardInterrupt
    ended = [setting.args for setting in libc.mallopt.call_args_list[len(begun) :]]
    assert begun == [(-4, 0), (-1, 2**31 - 1), (-2, 64 * 2**20)]
    assert ended == [(-4, 65536), (-1, 64 * 2**20), (-2, 128 * 1024)]
    libc.malloc_trim.assert_called_once_with(0)
