"""A campaign: trainings in one folder, each with the steps that follow it.

A note in each training's folder says what is done, so the same command goes on
after an interruption. A training with other settings, or on other lists, is refused.
"""

import fcntl
import hashlib
import json
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, NamedTuple

from custom_datasets.checkpoints import last_checkpoint
from custom_datasets.errors import UserError
from custom_datasets.files import write_json
from custom_datasets.runs.jobs import (
    Interrupted,
    Job,
    run_jobs,
    steps_done,
    visible_devices,
)
from custom_datasets.runs.settings_diff import ABSENT, Settings, flatten
from custom_datasets.training.record import (
    JSON_NAME,
    counts_epochs,
    has_run,
    read_run,
)
from custom_datasets.training.run_md import duration

NOTE = 'campaign.json'
"""In each training's folder: settings, lists, and what is done."""

Say = Callable[[str], None]
Progress = Callable[[int, int], None]
"""Called with the epochs (or iterations) done, and those of the whole campaign."""

_MOST_CHANGES = 5
_WITHOUT_EFFECT = frozenset(
    """
    advice default_hooks.logger env_cfg log_level log_processor pin_memory
    prefetch_factor resume track vis_backends visualizer work_dir
    val_dataloader.num_workers val_dataloader.persistent_workers
    test_dataloader.num_workers test_dataloader.persistent_workers
    """.split()
)
"""Settings that do not affect the weights. Workers of the training loader do:
each has random numbers of its own, and one that persists keeps them going."""


class Step(NamedTuple):
    """What is done with the checkpoint of a training.

    It leaves ``file`` in the folder, and the user reads ``done`` (``trained and
    tested``). It is done again where ``reads``, the digest of a list, has changed.
    """

    file: str
    command: Callable[[str], Sequence[str]]
    done: str
    reads: str = ''


@dataclass(frozen=True)
class Task:
    """A training and the steps that follow it.

    ``settings`` and ``lists``, a digest of the lists of images, are those that the
    result depends on. ``length`` is in epochs or iterations, 0 if unknown. ``train``
    has to take ``--resume CHECKPOINT``; ``prepare`` is called before any command.
    """

    name: str
    folder: str
    settings: Settings
    lists: str
    length: int
    train: Sequence[str]
    steps: Sequence[Step]
    prepare: Callable[[], None] | None = None


def run_campaign(
    tasks: Sequence[Task],
    work_dir: str,
    report: Callable[[Mapping[str, str], Mapping[str, str]], str],
    *,
    gpus: int | None = None,
    say: Say = print,
    progress: Progress | None = None,
) -> str:
    """Run what is not done yet, as many trainings at once as there are GPUs.

    ``report`` gets the checkpoints of what is done and why the others failed, each by
    name; its text is returned. ``say`` gets a line for each task that begins or is
    done, and for each epoch.

    Raises:
        UserError: A folder is in use or holds another training: then nothing has
            started. Or a task failed.
        KeyboardInterrupt: All processes have ended; the message says how to go on.
    """
    say = _one_at_a_time(say)
    devices = visible_devices(gpus)
    with locked(work_dir) as lock:
        by_name = {task.name: task for task in tasks}
        notes = {name: _Note(task) for name, task in by_name.items()}
        missing = {name: note.missing() for name, note in notes.items()}
        finished = [name for name, steps in missing.items() if not steps]
        if finished:
            say(f'done before: {", ".join(finished)}')
        jobs = [notes[name].begin(steps) for name, steps in missing.items() if steps]

        followed: dict[str, _Follower] = {}

        def started(job: Job) -> None:
            begun = steps_done(job.folder)
            what = 'training' if job.checkpoint is None else 'testing'
            after = f' goes on after {begun}' if begun and not job.checkpoint else ''
            say(f'{job.name}: {what}{after}, log: {job.log}')
            followed[job.name] = _Follower(by_name[job.name], say)

        def done(job: Job, checkpoint: str) -> None:
            followed[job.name].look()
            note = notes[job.name]
            words = [step.done for step in note.finish(checkpoint)]
            if job.checkpoint is None:
                words.insert(0, 'trained')
            *first, last = words
            text = f'{", ".join(first)} and {last}' if first else last
            say(f'{job.name}: {text} ({job.folder})')

        def watch() -> None:
            for each in list(followed.values()):
                each.look()
            total = sum(task.length for task in tasks)
            if progress and total:
                progress(sum(steps_done(task.folder) for task in tasks), total)

        try:
            failures = run_jobs(jobs, devices, lock, started, done, watch)
        except Interrupted as error:
            raise KeyboardInterrupt(
                f'{work_dir} keeps what is done; run the same command again to continue'
            ) from error
        checkpoints = {n: note.checkpoint for n, note in notes.items()}
        text = report({n: path for n, path in checkpoints.items() if path}, failures)
    if failures:
        reasons = '\n\n'.join(f'{name}: {reason}' for name, reason in failures.items())
        raise UserError(
            f'{len(failures)} of {len(tasks)} failed\n\n{reasons}\n\n{text}\n\n'
            'Run the same command again to retry; what is done is kept.'
        )
    return text


def settings_of(cfg: Mapping[str, Any]) -> Settings:
    """Return the settings of a config that affect the weights."""
    return {
        name: value
        for name, value in flatten(dict(cfg)).items()
        if not any(f'.{part}.' in f'.{name}.' for part in _WITHOUT_EFFECT)
    }


def training_length(cfg: Mapping[str, Any]) -> int:
    """Return the epochs, or iterations, of a config; 0 if unknown."""
    train_cfg = cfg.get('train_cfg') or {}
    return train_cfg.get('max_epochs') or train_cfg.get('max_iters') or 0


def digest_of(paths: Iterable[str]) -> str:
    """Return a digest of the content of several files."""
    digest = hashlib.sha256()
    for path in paths:
        with open(path, 'rb') as file:
            digest.update(hashlib.sha256(file.read()).digest())
    return digest.hexdigest()


@contextmanager
def locked(work_dir: str) -> Iterator[int]:
    """Lock a folder; yields a file descriptor to pass on to each process.

    The folder stays locked until the last of them has ended, even if this process is
    killed. Raises a UserError where another command, or a process it left, works in it.
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
                f'{work_dir}: in use by another command, or by a training that one '
                'left running; wait until it ends, or give another --work-dir'
            ) from error
        yield file.fileno()


class _Note:
    """What is written in the folder of a task: what it depends on, what is done."""

    def __init__(self, task: Task) -> None:
        self.checkpoint: str | None = None
        self._task = task
        self._done: dict[str, str] = {}
        self._begun: Sequence[Step] = ()
        self._path = os.path.join(task.folder, NOTE)
        try:
            self._read()
        except UserError:
            # Without a checkpoint, a setting may just have been misspelt.
            if last_checkpoint(task.folder) is not None:
                raise

    def missing(self) -> list[Step]:
        return [
            step
            for step in self._task.steps
            if self._done.get(step.file) != step.reads
            or not os.path.isfile(os.path.join(self._task.folder, step.file))
        ]

    def begin(self, steps: Sequence[Step]) -> Job:
        task = self._task
        checkpoint = self.checkpoint
        if checkpoint and not os.path.isfile(checkpoint):
            checkpoint = last_checkpoint(task.folder)  # The folder was moved.
        if task.prepare:
            task.prepare()
        if checkpoint is None:
            steps = task.steps
            self.checkpoint, self._done = None, {}
            self._write()
        self._begun = steps
        return Job(
            name=task.name,
            folder=task.folder,
            train=task.train,
            steps=[step.command for step in steps],
            checkpoint=checkpoint,
        )

    def finish(self, checkpoint: str) -> Sequence[Step]:
        self.checkpoint = checkpoint
        self._done |= {step.file: step.reads for step in self._begun}
        self._write()
        return self._begun

    def _read(self) -> None:
        task = self._task
        try:
            with open(self._path, encoding='utf-8') as file:
                saved = json.load(file)
            changes = _setting_changes(saved['settings'], task.settings)
            if saved['lists'] != task.lists:
                changes.insert(0, 'the lists of images have changed')
            checkpoint, done = saved['checkpoint'], dict(saved['done'])
        except FileNotFoundError as error:
            raise UserError(
                f'{task.folder}: holds a training that this command did not start; '
                'give another --work-dir'
            ) from error
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise UserError(
                f'{self._path}: cannot be read ({error}); give another --work-dir'
            ) from error
        if changes:
            raise UserError(
                f'{task.folder}: holds a training with other settings: '
                f'{_first(changes)}; give another --work-dir, or the settings of that '
                'training'
            )
        self.checkpoint, self._done = checkpoint, done

    def _write(self) -> None:
        content = {
            'settings': self._task.settings,
            'lists': self._task.lists,
            'checkpoint': self.checkpoint,
            'done': self._done,
        }
        write_json(self._path, content)


def _one_at_a_time(say: Say) -> Say:
    """Let threads take turns, so that no line breaks into another."""
    turn = threading.Lock()

    def told(line: str) -> None:
        with turn:
            say(line)

    return told


class _Follower:
    """Says each epoch that a training adds to its record."""

    def __init__(self, task: Task, say: Say) -> None:
        self._task = task
        self._say = say
        self._last = steps_done(task.folder)
        self._seen = time.time()

    def look(self) -> None:
        if not has_run(self._task.folder):
            return
        written = os.path.getmtime(os.path.join(self._task.folder, JSON_NAME))
        if written <= self._seen:
            return
        self._seen = written
        with suppress(UserError):  # The run matters more than its record.
            content = read_run(self._task.folder, whole=True).content
            step = 'epoch' if counts_epochs(content) else 'iteration'
            for entry in content['epochs']:
                # Metrics come behind the epoch that is validated.
                ended = entry['metrics'] or entry is not content['epochs'][-1]
                if ended and entry[step] > self._last:
                    self._last = entry[step]
                    self._say(f'{self._task.name}: {self._describe(content, entry)}')

    def _describe(self, content: Mapping[str, Any], entry: Mapping[str, Any]) -> str:
        step = 'iteration' if entry['epoch'] is None else 'epoch'
        session, length = content['sessions'][-1], self._task.length
        parts = [f'{step} {entry[step]}/{length}']
        metric = (content['best'] or {}).get('metric')
        value = (entry['metrics'] or {}).get(metric)
        if value is not None:
            parts.append(f'{metric} {value:.4g}')
        done = entry[step] - (session[f'from_{step}'] or 0)
        to_do = length - entry[step]
        if min(done, to_do) > 0 and entry is content['epochs'][-1]:
            left = duration(session['seconds'] / done * to_do)
            parts.append(f'about {left} left')
        return ', '.join(parts)


def _setting_changes(old: Settings, new: Settings) -> list[str]:
    return [
        f'{name} was {old.get(name, ABSENT)} and is {new.get(name, ABSENT)}'
        for name in sorted(old.keys() | new.keys())
        if old.get(name, ABSENT) != new.get(name, ABSENT)
    ]


def _first(changes: Sequence[str]) -> str:
    more = len(changes) - _MOST_CHANGES
    return '; '.join(changes[:_MOST_CHANGES]) + (f'; and {more} more' * (more > 0))
