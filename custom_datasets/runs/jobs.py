"""Trainings in turn, or side by side on several GPUs, each followed by its test."""

import fcntl
import hashlib
import os
import queue
import re
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from custom_datasets.errors import UserError
from custom_datasets.runs.settings_diff import ABSENT, Settings, flatten

_LAST_LINES = 12
PATIENCE = 10  # Seconds that a process has to end before it is killed.


@dataclass(frozen=True)
class Job:
    """One training.

    Attributes:
        name: What tells it from the others.
        folder: Its work directory.
        train: The command that trains; ``--resume`` and the checkpoint are added
            where it has to go on.
        test: Makes the command that tests a checkpoint.
        predict: Makes the command that predicts the test set, if that is wanted.
        checkpoint: Of one that is trained and tested, and only has to predict.
    """

    name: str
    folder: str
    train: Sequence[str]
    test: Callable[[str], Sequence[str]]
    predict: Callable[[str], Sequence[str]] | None = None
    checkpoint: str | None = None

    @property
    def log(self) -> str:
        """Where all that its processes print goes."""
        return os.path.join(self.folder, 'console.log')


class Interrupted(Exception):
    """The command was told to stop."""


class JobFailed(Exception):
    """A process ended with an error; the message has its last lines."""


def run_jobs(
    jobs: Sequence[Job],
    devices: Sequence[str | None],
    lock: int,
    finished: Callable[[Job, str], None],
    watch: Callable[[], None],
) -> dict[str, str]:
    """Train and test, as many at once as there are devices.

    Args:
        jobs: What is not done.
        devices: ``CUDA_VISIBLE_DEVICES`` for each place; None leaves it as it is.
        lock: A file descriptor that the processes keep open.
        finished: Called in this thread with each job that is done, and its
            checkpoint.
        watch: Called in this thread, again and again.

    Returns:
        What the process of each job that failed said last, by the job's name.

    Raises:
        Interrupted: Ctrl-C, or a signal to end; all processes have ended.
    """
    free: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    for device in devices:
        free.put(device)
    children = _Children(lock)

    def work(job: Job) -> str:
        device = free.get()
        try:
            return _train_and_test(job, children, device)
        finally:
            free.put(device)

    failures: dict[str, str] = {}
    with _stopped_by_signals(), ThreadPoolExecutor(len(devices)) as pool:
        futures: dict[Future[str], Job] = {pool.submit(work, job): job for job in jobs}
        running = set(futures)
        try:
            while running:
                ended, running = wait(running, 0.5, FIRST_COMPLETED)
                for future in ended:
                    try:
                        finished(futures[future], future.result())
                    except JobFailed as error:
                        failures[futures[future].name] = str(error)
                watch()
        except BaseException as error:
            children.stop()
            pool.shutdown(cancel_futures=True)
            if isinstance(error, KeyboardInterrupt):
                raise Interrupted from error
            raise
    return failures


def tool_command(name: str) -> tuple[str, str]:
    """Return the start of a command that runs a file of ``tools``."""
    return sys.executable, str(Path(__file__).resolve().parents[2] / 'tools' / name)


def last_checkpoint(folder: str) -> str | None:
    """Return the checkpoint that a training wrote last, if it is still there.

    The folder may have been moved since.
    """
    try:
        text = Path(folder, 'last_checkpoint').read_text(encoding='utf-8').strip()
    except OSError:
        return None
    moved = os.path.join(folder, os.path.basename(text))
    return next((path for path in (text, moved) if os.path.isfile(path)), None)


def steps_done(folder: str) -> int:
    """Return the epoch, or the iteration, of the last checkpoint; 0 for none."""
    name = os.path.basename(last_checkpoint(folder) or '')
    match = re.fullmatch(r'(?:epoch|iter)_(\d+)\.pth', name)
    return int(match[1]) if match else 0


def _train_and_test(job: Job, children: '_Children', device: str | None) -> str:
    checkpoint = job.checkpoint
    if checkpoint is None:
        begun = last_checkpoint(job.folder)
        resume = ['--resume', begun] if begun else []
        children.run([*job.train, *resume], job, device)
        checkpoint = last_checkpoint(job.folder)
        if checkpoint is None:
            raise JobFailed(f'{job.folder}: the training left no checkpoint')
        children.run(job.test(checkpoint), job, device)
    if job.predict:
        children.run(job.predict(checkpoint), job, device)
    return checkpoint


class _Children:
    """Processes that are stopped together, each with those that it starts."""

    def __init__(self, lock: int) -> None:
        self._lock = lock
        self._running: set[subprocess.Popen[bytes]] = set()
        self._guard = threading.Lock()
        self._stopped = False

    def run(self, command: Sequence[str], job: Job, device: str | None) -> None:
        """Run a command to its end; raises JobFailed where that is an error."""
        environment = dict(os.environ)
        if device is not None:
            environment['CUDA_VISIBLE_DEVICES'] = device
        with self._guard:
            if self._stopped:
                raise Interrupted
            os.makedirs(job.folder, exist_ok=True)
            with open(job.log, 'ab') as log:
                child = subprocess.Popen(
                    command,
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    pass_fds=[self._lock],
                    start_new_session=True,
                )
            self._running.add(child)
        status = child.wait()
        with self._guard:
            self._running.discard(child)
        if status:
            raise JobFailed(
                f'ended with status {status}: {shlex.join(command[:3])}; the end of '
                f'{job.log}:\n{_tail(job.log)}'
            )

    def stop(self) -> None:
        """End all processes, and start no other."""
        with self._guard:
            self._stopped = True
            running = list(self._running)
        for sent in (signal.SIGTERM, signal.SIGKILL):
            for child in running:
                _signal_group(child, sent)
            deadline = time.monotonic() + PATIENCE
            for child in running:
                try:
                    child.wait(max(deadline - time.monotonic(), 0))
                except subprocess.TimeoutExpired:
                    continue


def _signal_group(child: 'subprocess.Popen[bytes]', sent: signal.Signals) -> None:
    try:
        os.killpg(child.pid, sent)
    except ProcessLookupError:
        pass


@contextmanager
def _stopped_by_signals() -> Iterator[None]:
    """Let a signal to end do what Ctrl-C does."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(number: int, frame: Any) -> None:
        raise KeyboardInterrupt

    old = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, old)


def _tail(path: str) -> str:
    with open(path, encoding='utf-8', errors='replace') as file:
        lines = [line.rstrip() for line in file if line.strip()]
    return '\n'.join(f'  {line}' for line in lines[-_LAST_LINES:])


def visible_devices(most: int | None = None) -> list[str | None]:
    """List the GPUs to use; a list of None where there is none.

    Args:
        most: How many at most; all if None.

    Raises:
        UserError: There are fewer.
    """
    import torch

    count = torch.cuda.device_count()
    if most and most > count:
        raise UserError(f'--gpus {most}: {count} can be seen here')
    if not count:
        return [None]
    named = os.environ.get('CUDA_VISIBLE_DEVICES')
    names = named.split(',') if named else list(map(str, range(count)))
    return [name.strip() for name in names[: most or count]]


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
