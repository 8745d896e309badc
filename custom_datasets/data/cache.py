"""Results of reading files, kept from one run to the next."""

import os
import sqlite3
import time
from contextlib import suppress
from typing import NamedTuple

MAX_RESULTS = 100_000
"""The oldest are removed when there are more: about 200 MB of images' results."""

SETTLED_NS = 50_000_000
"""Within such a tick of a file system's clock, a second change may not show."""

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
    """Return a file's stamp; raises OSError where it does not exist."""
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

    Where the file can't be used, nothing is kept, and nothing fails.
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
        self.flush()
        if self._database:
            self._database.close()
            self._database = None

    def get(self, kind: str, version: str, stamp: Stamp) -> str | None:
        """Return what was read of a file, or None."""
        rows: list[tuple[str]] = []
        if self._database:
            try:
                rows = self._database.execute(
                    'SELECT value FROM results WHERE kind = ? AND path = ? '
                    'AND version = ? AND size = ? AND changed = ?',
                    (kind, _as_text(stamp.path), version, stamp.size, stamp.changed),
                ).fetchall()
            except sqlite3.Error as error:
                self._give_up(error)
        return rows[0][0] if rows else None

    def put(self, kind: str, version: str, stamp: Stamp, value: str) -> None:
        """Keep what was read of a file, unless it has only just changed."""
        if stamp.settled:
            path = _as_text(stamp.path)
            row = (kind, path, version, stamp.size, stamp.changed, value)
            self._waiting[kind, path] = row
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
                self._discard(database, remove=True)
        return None

    def _give_up(self, error: sqlite3.Error) -> None:
        """Go on without: it is locked or the disk is full, or it is broken."""
        database, self._database = self._database, None
        self._discard(database, not isinstance(error, sqlite3.OperationalError))

    def _discard(self, database: sqlite3.Connection | None, remove: bool) -> None:
        with suppress(sqlite3.Error):
            if database:
                database.close()
        with suppress(OSError):
            if remove:
                os.remove(self._path)


def _as_text(path: str) -> str:
    """Return a path as text that SQLite takes, whatever bytes are in it."""
    return path.encode('utf-8', 'backslashreplace').decode()
