"""Reading many files fast: each once, in several processes, with a cache."""

import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from custom_datasets.data.cache import ResultCache, Stamp, stamp_file
from custom_datasets.data.image_facts import (
    VERSION,
    ImageFacts,
    pack_facts,
    read_image_facts,
    unpack_facts,
)
from custom_datasets.errors import UserError

T = TypeVar('T')

Progress = Callable[[int, int], None]
"""Called with the number of files done, and of all of them."""

Answer = dict[str, Any]
"""``{'value': ...}``, or ``{'problem': sentence}``."""


@dataclass(frozen=True)
class Reader(Generic[T]):
    """A function of one file whose results can be kept.

    Attributes:
        kind: Names the results in the cache.
        version: Whatever else results depend on; a change makes kept results void.
        answer: Takes a path and returns a result as JSON can hold it. It is a function
            at the top of a module, so that a process can import it.
        unpack: Makes the result from that value; raises ValueError, TypeError, KeyError
            or IndexError where it can't.
        worth_processes: From how many files on starting processes is worth it.
    """

    kind: str
    version: str
    answer: Callable[[str], Answer]
    unpack: Callable[[Any], T]
    worth_processes: int = 1


def packed(path: str, read: Callable[[str], T], pack: Callable[[T], Any]) -> Answer:
    """Read a file and pack the result as an answer; whatever fails is one, too."""
    try:
        return {'value': pack(read(path))}
    except UserError as error:
        return {'problem': str(error)}
    except Exception as error:  # One file must not end the check of all others.
        return {'problem': f'cannot be read ({type(error).__name__}: {error})'}


def answer_image(path: str) -> Answer:
    """Read facts of an image, to be packed."""
    return packed(path, read_image_facts, pack_facts)


IMAGES = Reader('image', VERSION, answer_image, unpack_facts)


def scan_images(
    paths: Iterable[str],
    progress: Progress | None = None,
    cache: ResultCache | None = None,
    processes: int | None = None,
) -> dict[str, ImageFacts]:
    """Read facts of images by path; one that can't be read has that as its problem."""
    results = scan_files(IMAGES, paths, progress, cache, processes)
    return {
        path: ImageFacts(problem=str(facts)) if isinstance(facts, UserError) else facts
        for path, facts in results.items()
    }


def scan_files(
    reader: Reader[T],
    paths: Iterable[str],
    progress: Progress | None = None,
    cache: ResultCache | None = None,
    processes: int | None = None,
) -> dict[str, T | UserError]:
    """Read files that the cache does not have, each once, in one process per core.

    Results are by path, in the order of the paths, with a UserError where there is
    none; errors are not kept.
    """
    paths = list(dict.fromkeys(paths))
    results: dict[str, T | UserError] = {}
    unread: dict[str, Stamp] = {}
    for path in paths:
        try:
            stamp = stamp_file(path)
        except (OSError, ValueError) as error:
            reason = getattr(error, 'strerror', None) or str(error)
            results[path] = UserError(f'cannot be read ({reason})')
            continue
        unread[path] = stamp
        kept = cache.get(reader.kind, reader.version, stamp) if cache else None
        # A result that can't be unpacked is as good as none.
        with suppress(ValueError, TypeError, KeyError, IndexError):
            if kept is not None:
                results[path] = reader.unpack(json.loads(kept))
                del unread[path]
    if progress and results:
        progress(len(results), len(paths))
    answers = _read(reader, unread, cache, processes)
    with closing(answers):  # An interruption ends the processes at once.
        for path, result in answers:
            results[path] = result
            if progress:
                progress(len(results), len(paths))
    return {path: results[path] for path in paths}


def _read(
    reader: Reader[T],
    stamps: Mapping[str, Stamp],
    cache: ResultCache | None,
    processes: int | None,
) -> Generator[tuple[str, T | UserError], None, None]:
    if len(stamps) >= reader.worth_processes:
        answers = _answer_all(reader.answer, list(stamps), processes)
    else:
        answers = ((path, reader.answer(path)) for path in stamps)
    try:
        with closing(answers):
            for path, answer in answers:
                if 'problem' in answer:
                    yield path, UserError(answer['problem'])
                    continue
                if cache:
                    value = json.dumps(answer['value'])
                    cache.put(reader.kind, reader.version, stamps[path], value)
                yield path, reader.unpack(answer['value'])
    finally:
        if cache:
            cache.flush()


_MOST_PROCESSES = 8
_MOST_AT_ONCE = 8
_SERVE = (
    'import sys; sys.path[:] = sys.argv[1:]; from {module} import {name}; '
    'from custom_datasets.data.scan import serve; serve({name})'
)
_SINGLE_THREADED = dict.fromkeys(
    ('OMP_NUM_THREADS', 'OPENBLAS_NUM_THREADS', 'OPENCV_FOR_THREADS_NUM'), '1'
)


def serve(answer: Callable[[str], Answer]) -> None:
    """Be a worker: answer lists of paths on standard input, one line for each path."""
    replies = os.fdopen(os.dup(1), 'w', encoding='utf-8')
    os.dup2(2, 1)  # Keep what a library prints out of the replies.
    print('ready', file=replies, flush=True)
    for line in sys.stdin:
        for path in json.loads(line):
            print(json.dumps(answer(path)), file=replies, flush=True)


def _answer_all(
    answer: Callable[[str], Answer], paths: Sequence[str], processes: int | None
) -> Generator[tuple[str, Answer], None, None]:
    """Yield paths and answers of worker processes, as they come.

    A file that ends its worker has a problem; the worker is started again.
    """
    count = min(processes or _cores(), _MOST_PROCESSES, len(paths))
    at_once = max(1, min(_MOST_AT_ONCE, len(paths) // (4 * count or 1)))
    questions: queue.SimpleQueue[Sequence[str]] = queue.SimpleQueue()
    answers: queue.SimpleQueue[tuple[str, Answer]] = queue.SimpleQueue()
    for start in range(0, len(paths), at_once):
        questions.put(paths[start : start + at_once])
    workers = [_Worker(answer) for _ in range(count)]
    threads = [
        threading.Thread(
            target=_ask_all, args=(worker, questions, answers), daemon=True
        )
        for worker in workers
    ]
    try:
        for thread in threads:
            thread.start()
        for _ in paths:
            yield answers.get()
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
    questions: 'queue.SimpleQueue[Sequence[str]]',
    answers: 'queue.SimpleQueue[tuple[str, Answer]]',
) -> None:
    while not worker.stopped:
        try:
            paths = questions.get_nowait()
        except queue.Empty:
            return
        while paths and not worker.stopped:
            paths = paths[worker.ask(paths, answers.put) :]


class _Worker:
    """A process that is started when it is asked, and again after it died."""

    def __init__(self, answer: Callable[[str], Answer]) -> None:
        self._answer = answer
        self._process: subprocess.Popen[str] | None = None
        self.stopped = False

    def ask(
        self, paths: Sequence[str], put: Callable[[tuple[str, Answer]], None]
    ) -> int:
        """Pass on answers, up to that of a path that ends the process.

        Returns how many paths have an answer: at least one.
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

    def stop(self) -> None:
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

    def _start(self) -> 'subprocess.Popen[str] | None':
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
                env={**os.environ, **_SINGLE_THREADED},
                encoding='utf-8',
                start_new_session=True,  # Only this process ends it at Ctrl-C.
            )
        except OSError:
            return None
        self._process = process
        # A stop from another thread either sees the process or is seen here.
        if not self.stopped and process.stdout:
            if process.stdout.readline() == 'ready\n':
                return process
        self.close()
        return None


def _cores() -> int:
    if hasattr(os, 'sched_getaffinity'):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
