"""Reading many files fast: each once, in several processes, with a cache."""

import json
import os
import queue
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar

from custom_datasets.data.image_facts import (
    VERSION,
    ImageFacts,
    pack_facts,
    read_image_facts,
    unpack_facts,
)
from custom_datasets.errors import UserError

MAX_RESULTS = 100_000
"""The oldest go when there are more: about 200 MB of images' results."""

SETTLED_NS = 50_000_000
"""Within such a tick of the file system's clock, a second change may not show."""

_FORMAT = 1
_BATCH = 1000
_WAIT_SECONDS = 2.0
_TABLE = """
CREATE TABLE IF NOT EXISTS results (
    kind TEXT, path TEXT, version TEXT, size INTEGER, changed INTEGER, value TEXT,
    PRIMARY KEY (kind, path)
)
"""


class Stamp(NamedTuple):
    """What tells whether a file is still the one that was read.

    Attributes:
        path: Absolute.
        size: In bytes.
        changed: The time of its last change, in nanoseconds.
        settled: Whether that is long enough ago that another change would show.
    """

    path: str
    size: int
    changed: int
    settled: bool


def stamp_file(path: str) -> Stamp:
    """Look at a file.

    Raises:
        OSError: It is not there.
    """
    status = os.stat(path)
    changed = status.st_mtime_ns
    settled = abs(time.time_ns() - changed) > SETTLED_NS
    return Stamp(os.path.abspath(path), status.st_size, changed, settled)


def cache_file() -> str:
    """Return where results are kept: under ``XDG_CACHE_HOME``, or ``~/.cache``."""
    folder = os.environ.get('XDG_CACHE_HOME', '')
    if not os.path.isabs(folder):  # As the XDG base directory specification has it.
        folder = os.path.join(os.path.expanduser('~'), '.cache')
    return os.path.join(folder, 'mm-custom-datasets', f'results-{_FORMAT}.sqlite')


class ResultCache:
    """Results of readers, as text, in one file that processes may share.

    Args:
        path: The file; by default the user's.
    """

    def __init__(self, path: str | None = None) -> None:
        """Open the file, or a new one where it is broken."""
        self._path = path or cache_file()
        self._waiting: dict[tuple[str, str], tuple[str, str, str, int, int, str]] = {}
        self._database = self._open()

    def __enter__(self) -> 'ResultCache':
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Write what is waiting, and close the file."""
        self.close()

    def get(self, kind: str, version: str, stamp: Stamp) -> str | None:
        """Return what was read of a file, or None where it is not known."""
        rows: list[tuple[str]] = []
        if self._database:
            try:
                rows = self._database.execute(
                    'SELECT value FROM results WHERE kind = ? AND path = ? '
                    'AND version = ? AND size = ? AND changed = ?',
                    (kind, _name(stamp), version, stamp.size, stamp.changed),
                ).fetchall()
            except sqlite3.Error as error:
                self._give_up(error)
        return rows[0][0] if rows else None

    def put(self, kind: str, version: str, stamp: Stamp, value: str) -> None:
        """Keep what was read of a file, unless it has only just changed."""
        if stamp.settled:
            row = (kind, _name(stamp), version, stamp.size, stamp.changed, value)
            self._waiting[row[:2]] = row
        if len(self._waiting) >= _BATCH:
            self.flush()

    def flush(self) -> None:
        """Write what is waiting."""
        if self._database and self._waiting:
            try:
                with self._database:
                    self._database.executemany(
                        'INSERT OR REPLACE INTO results VALUES (?, ?, ?, ?, ?, ?)',
                        self._waiting.values(),
                    )
                    # A replaced row gets a new rowid, so these are the oldest.
                    self._database.execute(
                        'DELETE FROM results WHERE rowid IN (SELECT rowid FROM results '
                        'ORDER BY rowid DESC LIMIT -1 OFFSET ?)',
                        (MAX_RESULTS,),
                    )
            except sqlite3.Error as error:
                self._give_up(error)
        self._waiting.clear()

    def close(self) -> None:
        """Write what is waiting, and close the file."""
        self.flush()
        if self._database:
            self._database.close()
            self._database = None

    def _open(self) -> sqlite3.Connection | None:
        for _ in range(2):
            database = None
            try:
                os.makedirs(os.path.dirname(self._path), mode=0o700, exist_ok=True)
                database = sqlite3.connect(self._path, timeout=_WAIT_SECONDS)
                database.execute(_TABLE)
                database.execute('SELECT kind, value, changed FROM results LIMIT 1')
                return database
            except (OSError, sqlite3.OperationalError):
                break
            except sqlite3.DatabaseError:
                self._remove(database)
        return None

    def _give_up(self, error: sqlite3.Error) -> None:
        """Go on without: it is locked or the disk is full, or it is broken."""
        database, self._database = self._database, None
        if isinstance(error, sqlite3.OperationalError):
            with suppress(sqlite3.Error):
                if database:
                    database.close()
        else:
            self._remove(database)

    def _remove(self, database: sqlite3.Connection | None) -> None:
        with suppress(sqlite3.Error):
            if database:
                database.close()
        with suppress(OSError):
            os.remove(self._path)


def _name(stamp: Stamp) -> str:
    """Return the path as text that SQLite takes, whatever bytes are in it."""
    return stamp.path.encode('utf-8', 'backslashreplace').decode()


Answer = dict[str, Any]
"""``{'value': ...}``, or ``{'problem': sentence}``."""

_MOST = 8
_FEW = 8
_SERVE = (
    'import sys; sys.path[:] = sys.argv[1:]; from {module} import {name}; '
    'from custom_datasets.data.scan import serve; serve({name})'
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


T = TypeVar('T')
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Reader(Generic[T]):
    """A function of one file whose results can be kept.

    Attributes:
        kind: Names the results in the cache.
        version: Whatever else results depend on; another one makes kept
            results void.
        answer: Takes a path and returns a result as JSON can hold it, in
            ``{'value': ...}``, or ``{'problem': sentence}``. A function at the
            top of a module.
        unpack: Makes the result from that value; raises ValueError, TypeError,
            KeyError or IndexError where it can't.
        worth_processes: So many files are worth the start of processes.
    """

    kind: str
    version: str
    answer: Callable[[str], Answer]
    unpack: Callable[[Any], T]
    worth_processes: int = 1


def answer_image(path: str) -> Answer:
    """Read facts of an image, to be packed."""
    return packed(path, read_image_facts, pack_facts)


IMAGES = Reader('image', VERSION, answer_image, unpack_facts)


def packed(path: str, read: Callable[[str], T], pack: Callable[[T], Any]) -> Answer:
    """Read a file and pack the result as an answer; whatever fails is one, too."""
    try:
        return {'value': pack(read(path))}
    except UserError as error:
        return {'problem': str(error)}
    except Exception as error:  # No file may end the check of all others.
        return {'problem': f'cannot be read ({type(error).__name__}: {error})'}


def scan_images(
    paths: Iterable[str],
    progress: Progress | None = None,
    cache: ResultCache | None = None,
    processes: int | None = None,
) -> dict[str, ImageFacts]:
    """Read facts of images; see :func:`scan_files`.

    Returns:
        Facts by path; a file that can't be read has that as its problem.
    """
    found = scan_files(IMAGES, paths, progress, cache, processes)
    return {
        path: ImageFacts(problem=str(facts)) if isinstance(facts, UserError) else facts
        for path, facts in found.items()
    }


def scan_files(
    reader: Reader[T],
    paths: Iterable[str],
    progress: Progress | None = None,
    cache: ResultCache | None = None,
    processes: int | None = None,
) -> dict[str, T | UserError]:
    """Read files, each once, and only what the cache does not know.

    Args:
        reader: What to do with a file.
        paths: The files; one that is named twice is read once.
        progress: Called with the number of files done, and of all of them.
        cache: Where results are kept; None keeps none.
        processes: How many to use; by default as many as there are cores.

    Returns:
        Results by path, in the order of the paths; an error where there is
        none. Errors are not kept.
    """
    paths = list(dict.fromkeys(paths))
    stamps, problems = _stamp(paths)
    known = _recall(reader, stamps, cache) if cache else {}
    results: dict[str, T | UserError] = {**problems, **known}
    if progress and results:
        progress(len(results), len(paths))
    missing = {path: stamp for path, stamp in stamps.items() if path not in known}
    found = _read(reader, missing, cache, processes)
    with closing(found):  # An interruption ends the processes at once.
        for path, result in found:
            results[path] = result
            if progress:
                progress(len(results), len(paths))
    return {path: results[path] for path in paths}


def _stamp(paths: Iterable[str]) -> tuple[dict[str, Stamp], dict[str, UserError]]:
    stamps, problems = {}, {}
    for path in paths:
        try:
            stamps[path] = stamp_file(path)
        except (OSError, ValueError) as error:
            what = getattr(error, 'strerror', None) or str(error)
            problems[path] = UserError(f'cannot be read ({what})')
    return stamps, problems


def _recall(
    reader: Reader[T], stamps: Mapping[str, Stamp], cache: ResultCache
) -> dict[str, T]:
    results = {}
    for path, stamp in stamps.items():
        value = cache.get(reader.kind, reader.version, stamp)
        # A result that can't be unpacked is as good as none.
        with suppress(ValueError, TypeError, KeyError, IndexError):
            if value is not None:
                results[path] = reader.unpack(json.loads(value))
    return results


def _read(
    reader: Reader[T],
    stamps: Mapping[str, Stamp],
    cache: ResultCache | None,
    processes: int | None,
) -> Generator[tuple[str, T | UserError], None, None]:
    if len(stamps) >= reader.worth_processes:
        answers = answer_all(reader.answer, list(stamps), processes)
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
