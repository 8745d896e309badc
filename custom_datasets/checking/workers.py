"""Reading files in processes of their own, which may die of a file.

A worker gets a line with a few paths and answers each with a line. So the file
that ends it is known, and a program's main module is not imported again as it
would be by :mod:`multiprocessing`.
"""

import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import suppress
from typing import Any

Answer = dict[str, Any]
"""``{'value': ...}``, or ``{'problem': sentence}``."""

_MOST = 8
_FEW = 8
_SERVE = (
    'import sys; sys.path[:] = sys.argv[1:]; from {module} import {name}; '
    'from custom_datasets.checking.workers import serve; serve({name})'
)
_SINGLE = dict.fromkeys(
    ('OMP_NUM_THREADS', 'OPENBLAS_NUM_THREADS', 'OPENCV_FOR_THREADS_NUM'), '1'
)


def serve(answer: Callable[[str], Answer]) -> None:
    """Answer lists of paths on standard input, each path with a line."""
    replies = os.fdopen(os.dup(1), 'w', encoding='utf-8')
    os.dup2(2, 1)  # What a library prints must not get among the replies.
    print('ready', file=replies, flush=True)
    for line in sys.stdin:
        for path in json.loads(line):
            print(json.dumps(answer(path)), file=replies, flush=True)


def answer_all(
    answer: Callable[[str], Answer], paths: Sequence[str], processes: int | None = None
) -> Generator[tuple[str, Answer], None, None]:
    """Ask for each path in worker processes.

    Args:
        answer: A function at the top of a module.
        paths: What to ask, each once.
        processes: How many workers; by default as many as there are cores.

    Yields:
        Paths and answers, as they come. A file that ends its worker has a
        problem.
    """
    count = min(processes or _cores(), _MOST, len(paths))
    asked: queue.SimpleQueue[Sequence[str]] = queue.SimpleQueue()
    answered: queue.SimpleQueue[tuple[str, Answer]] = queue.SimpleQueue()
    few = max(1, min(_FEW, len(paths) // (4 * count or 1)))
    for start in range(0, len(paths), few):
        asked.put(paths[start : start + few])
    workers = [_Worker(answer) for _ in range(count)]
    threads = [
        threading.Thread(target=_ask_all, args=(worker, asked, answered), daemon=True)
        for worker in workers
    ]
    try:
        for thread in threads:
            thread.start()
        for _ in paths:
            yield answered.get()
    finally:
        for worker in workers:
            worker.stop()
        for thread in threads:
            if thread.ident:
                thread.join()
        for worker in workers:
            worker.close()


def _ask_all(
    worker: '_Worker',
    asked: 'queue.SimpleQueue[Sequence[str]]',
    answered: 'queue.SimpleQueue[tuple[str, Answer]]',
) -> None:
    while not worker.stopped:
        try:
            paths = asked.get_nowait()
        except queue.Empty:
            return
        while paths and not worker.stopped:
            paths = paths[worker.ask(paths, answered.put) :]


class _Worker:
    """A process that is started when it is asked, and again when it died."""

    def __init__(self, answer: Callable[[str], Answer]) -> None:
        self._answer = answer
        self._process: subprocess.Popen[str] | None = None
        self.stopped = False

    def ask(
        self, paths: Sequence[str], put: Callable[[tuple[str, Answer]], None]
    ) -> int:
        """Pass on answers, up to that of a path that ends the process.

        Returns:
            How many paths have an answer: at least one.
        """
        process = self._process or self._start()
        if process is None:
            put((paths[0], self._answer_here(paths[0])))
            return 1
        assert process.stdin and process.stdout
        with suppress(OSError, ValueError):  # It has ended, and has no answer.
            process.stdin.write(json.dumps(paths) + '\n')
            process.stdin.flush()
        for count, path in enumerate(paths, 1):
            line = process.stdout.readline()
            if not line.endswith('\n'):
                put((path, {'problem': f'ends its process ({self._ending()})'}))
                return count
            put((path, json.loads(line)))
        return len(paths)

    def _answer_here(self, path: str) -> Answer:
        if self.stopped:
            return {'problem': 'interrupted'}
        try:
            return self._answer(path)
        except Exception as error:  # Without an answer the caller waits forever.
            return {'problem': f'cannot be read ({error})'}

    def _ending(self) -> str:
        process = self._process
        self.close()
        status = process.returncode if process else 0
        return f'signal {-status}' if status < 0 else f'exit status {status}'

    def stop(self) -> None:
        """End the process, and so the wait for its answer."""
        self.stopped = True
        if self._process:
            self._process.kill()

    def close(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            with suppress(OSError):
                if pipe:
                    pipe.close()

    def _start(self) -> 'subprocess.Popen[str] | None':
        """Start the process; None where that can't be done."""
        code = _SERVE.format(
            module=self._answer.__module__, name=self._answer.__qualname__
        )
        paths = (path or os.getcwd() for path in sys.path)
        try:
            process = subprocess.Popen(
                [sys.executable, '-c', code, *paths],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={**os.environ, **_SINGLE},
                encoding='utf-8',
                start_new_session=True,  # It is for us to end it at Ctrl-C.
            )
        except OSError:
            return None
        self._process = process
        # Whoever stops it either sees the process or is seen here.
        if not self.stopped and process.stdout:
            if process.stdout.readline() == 'ready\n':
                return process
        self.close()
        return None


def _cores() -> int:
    if hasattr(os, 'sched_getaffinity'):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
