"""What a cross-validation has done, so that it goes on and never mixes two."""

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from custom_datasets.errors import UserError
from custom_datasets.overrides import fold_folder, fold_numbers
from custom_datasets.reporting.frame import write_files
from custom_datasets.runs.compare_settings import ABSENT, Settings, flatten

PLAN = 'cross_validation.plan.json'

_MOST_SHOWN = 5
_OF_THE_MACHINE = frozenset(
    """
    default_hooks.logger env_cfg log_level log_processor num_workers persistent_workers
    pin_memory prefetch_factor resume track vis_backends visualizer work_dir
    """.split()
)
"""Settings under which a run comes to the same, and may go on elsewhere."""


class Plan:
    """A work directory's own note on the folds in it.

    Args:
        work_dir: The folder of all folds.
        settings: Everything in the config that matters for the result.
        folds: How many folds there are.
        digest: Of their lists.

    Raises:
        UserError: The folder holds another cross-validation, or folds that
            were trained by hand.
    """

    def __init__(
        self, work_dir: str, settings: Settings, folds: int, digest: str
    ) -> None:
        """Read the note, or make the first one."""
        self.path = os.path.join(work_dir, PLAN)
        self.done: dict[int, str] = {}
        self._settings = settings
        self._lists = {'folds': folds, 'digest': digest}
        if os.path.isfile(self.path):
            self._read(work_dir)
            return
        trained = [fold_folder(fold) for fold in fold_numbers(work_dir)]
        if trained:
            raise UserError(
                f'{work_dir}: has {", ".join(trained)}, which this command did not '
                'train; give another --work-dir'
            )
        self._write()

    def finish(self, fold: int, checkpoint: str) -> None:
        """Note that a fold is trained and tested, and with which checkpoint."""
        self.done[fold] = checkpoint
        self._write()

    def _read(self, work_dir: str) -> None:
        try:
            with open(self.path, encoding='utf-8') as file:
                saved = json.load(file)
            self.done = {int(fold): path for fold, path in saved['done'].items()}
            changes = _changes(saved['settings'], self._settings)
            old = saved['lists']
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise UserError(
                f'{self.path}: cannot be read ({error}); give another --work-dir'
            ) from error
        if old != self._lists:
            was, now = old['folds'], self._lists['folds']
            text = 'the lists of its folds have changed'
            if was != now:
                text = f'there were {was} folds and are {now}'
            changes.insert(0, text)
        if changes:
            more = len(changes) - _MOST_SHOWN
            tail = f'; and {more} more' if more > 0 else ''
            raise UserError(
                f'{work_dir}: holds a cross-validation of other settings: '
                f'{"; ".join(changes[:_MOST_SHOWN])}{tail}; give another --work-dir, '
                'or the settings that it has'
            )

    def _write(self) -> None:
        done = {str(fold): path for fold, path in sorted(self.done.items())}
        content = {'lists': self._lists, 'settings': self._settings, 'done': done}
        text = json.dumps(content, indent=1, ensure_ascii=False)
        write_files(os.path.dirname(self.path), {PLAN: f'{text}\n'.encode()})


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
    path = os.path.join(work_dir, '.cross_validation.lock')
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
                f'{work_dir}: another cross-validation is at work in it, or a training '
                'that one has left'
            ) from error
        yield file.fileno()


def _changes(old: Settings, new: Settings) -> list[str]:
    return [
        f'{name} was {old.get(name, ABSENT)} and is {new.get(name, ABSENT)}'
        for name in sorted(old.keys() | new.keys())
        if old.get(name, ABSENT) != new.get(name, ABSENT)
    ]
