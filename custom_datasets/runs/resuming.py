"""Going on with what a command has begun in a work directory, and only with that."""

import fcntl
import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from custom_datasets.errors import UserError
from custom_datasets.runs.compare_settings import ABSENT, Settings, flatten

_MOST_SHOWN = 5
_OF_THE_MACHINE = frozenset(
    """
    default_hooks.logger env_cfg log_level log_processor num_workers persistent_workers
    pin_memory prefetch_factor resume track vis_backends visualizer work_dir
    """.split()
)
"""Settings under which a run comes to the same, and may go on elsewhere."""


def settings_of(cfg: Mapping[str, Any]) -> Settings:
    """Return the settings of a config on which a result depends."""
    return {
        name: value
        for name, value in flatten(dict(cfg)).items()
        if not any(part in f'.{name}.' for part in map('.{}.'.format, _OF_THE_MACHINE))
    }


@contextmanager
def locked(work_dir: str) -> Iterator[int]:
    """Keep a work directory for one command and the processes that it starts.

    Yields:
        A file descriptor to pass on to each: the folder stays locked until the
        last of them has ended, even if this process is killed before.

    Raises:
        UserError: Another command, or what it left, is still at work in it.
    """
    path = os.path.join(work_dir, '.lock')
    try:
        os.makedirs(work_dir, exist_ok=True)
        file = open(path, 'w')
    except OSError as error:
        raise UserError(f'{path}: cannot be written ({error.strerror})') from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise UserError(
                f'{work_dir}: another command is at work in it, or a training that '
                'one has left'
            ) from error
        yield file.fileno()


def digest_of(paths: Iterable[str]) -> str:
    """Return what changes with the content of any of the files."""
    digest = hashlib.sha256()
    for path in paths:
        with open(path, 'rb') as file:
            digest.update(hashlib.sha256(file.read()).digest())
    return digest.hexdigest()


def setting_changes(old: Settings, new: Settings) -> list[str]:
    """Say what differs, a phrase each."""
    return [
        f'{name} was {old.get(name, ABSENT)} and is {new.get(name, ABSENT)}'
        for name in sorted(old.keys() | new.keys())
        if old.get(name, ABSENT) != new.get(name, ABSENT)
    ]


def listed_changes(changes: Sequence[str]) -> str:
    """Write the first few changes into a sentence."""
    more = len(changes) - _MOST_SHOWN
    return '; '.join(changes[:_MOST_SHOWN]) + (f'; and {more} more' * (more > 0))
