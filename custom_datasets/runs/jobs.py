"""Processes of trainings: in turn, or side by side on several GPUs.

Each process gets a session of its own, so that an interruption ends its children
(loader workers) with it.
"""

import os
import queue
import re
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from custom_datasets.checkpoints import last_checkpoint
from custom_datasets.errors import UserError

_LAST_LINES = 12
PATIENCE = 10
"""Seconds that a process has to end before it is killed."""


@dataclass(frozen=True)
class Job:
    """A training, and commands for its last checkpoint.

    ``--resume CHECKPOINT`` is added to ``train`` where an earlier one has begun; with
    ``checkpoint``, that of a finished training, it is not run.
    """

    name: str
    folder: str
    train: Sequence[str]
    steps: Sequence[Callable[[str], Sequence[str]]]
    checkpoint: str | None = None

    @property
    def log(self) -> str:
        """The file that gets everything that its processes print."""
        return os.path.join(self.folder, 'console.log')


class Interrupted(Exception):
    """Ctrl-C, or a signal to end."""


class JobFailed(Exception):
    """A process ended with an error; the message has its last lines."""


def run_jobs(
    jobs: Sequence[Job],
    devices: Sequence[str | None],
    lock: int,
    started: Callable[[Job], None],
    done: Callable[[Job, str], None],
    watch: Callable[[], None],
) -> dict[str, str]:
    """Run jobs, as many at once as there are devices; return why each failed, by name.

    A job that fails does not stop the others. ``devices`` are values for
    ``CUDA_VISIBLE_DEVICES`` (None leaves it as it is), and ``lock`` is a file
    descriptor that the processes keep open. ``started`` gets each job as it begins, in
    a thread of its own. In this thread, ``done`` gets each finished job and its
    checkpoint, and ``watch`` is called twice a second.

    Raises:
        Interrupted: All processes have ended, and their children.
    """
    free: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    for device in devices:
        free.put(device)
    children = _Children(lock)

    def work(job: Job) -> str:
        device = free.get()
        try:
            started(job)
            return _run(job, children, device)
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
                        done(futures[future], future.result())
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
    """Return the start of a command that runs a file in ``tools/``."""
    return sys.executable, str(Path(__file__).resolve().parents[2] / 'tools' / name)


def steps_done(folder: str) -> int:
    """Return the epoch, or the iteration, of the last checkpoint; 0 for none."""
    name = os.path.basename(last_checkpoint(folder) or '')
    match = re.fullmatch(r'(?:epoch|iter)_(\d+)\.pth', name)
    return int(match[1]) if match else 0


def visible_devices(most: int | None = None) -> list[str | None]:
    """List the GPUs to use, or ``[None]`` without any.

    Raises a UserError where ``most`` asks for more than there are.
    """
    import torch

    count = torch.cuda.device_count()
    if most and most > count:
        raise UserError(f'--gpus {most}: only {count} can be seen here')
    if not count:
        return [None]
    visible = os.environ.get('CUDA_VISIBLE_DEVICES')
    names = visible.split(',') if visible else list(map(str, range(count)))
    return [name.strip() for name in names[: most or count]]


def _run(job: Job, children: '_Children', device: str | None) -> str:
    checkpoint = job.checkpoint
    if checkpoint is None:
        begun = last_checkpoint(job.folder)
        resume = ['--resume', begun] if begun else []
        children.run([*job.train, *resume], job, device)
        checkpoint = last_checkpoint(job.folder)
        if checkpoint is None:
            raise JobFailed(f'{job.folder}: the training left no checkpoint')
    for step in job.steps:
        children.run(step(checkpoint), job, device)
    return checkpoint


class _Children:
    """Processes that are stopped together, each with those that it starts."""

    def __init__(self, lock: int) -> None:
        self._lock = lock
        self._running: set[subprocess.Popen[bytes]] = set()
        self._guard = threading.Lock()
        self._stopped = False

    def run(self, command: Sequence[str], job: Job, device: str | None) -> None:
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
        with self._guard:
            self._stopped = True
            running = list(self._running)
        # The first lets a training close its record.
        for sent in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
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
    """Let SIGTERM do what Ctrl-C does."""
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
