"""Writing results: a file or a folder appears whole, or not at all."""

import hashlib
import json
import os
import re
import shutil
import socket
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from errno import EISDIR
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from custom_datasets.errors import UserError

Image = NDArray[np.uint8]

MARK = '.custom_datasets'
"""A file in each folder that was made here, and so may be replaced."""

_RUNNING = '.running'
"""In a folder that is being filled: the machine, in a file that its process locks."""

_WORK_FILE = re.compile(r'\.[a-z0-9_]{8}(\.mp4)?')
"""What files are called until they are whole, as tempfile names them."""


@contextmanager
def replace_file(path: str) -> Iterator[IO[bytes]]:
    """Open a file beside ``path``, which takes its place at the end of the block.

    Folders that lead to it are made. An error inside the block leaves the old file.
    Raises OSError where it can't be written.
    """
    if os.path.isdir(path):
        raise IsADirectoryError(EISDIR, 'a folder of that name exists', path)
    folder = os.path.dirname(path) or '.'
    os.makedirs(folder, exist_ok=True)
    # A short name, since that of the file may have all 255 bytes.
    handle, work = tempfile.mkstemp(prefix='.', dir=folder)
    try:
        with os.fdopen(handle, 'wb') as file:
            yield file
        os.chmod(work, 0o644)
        os.replace(work, path)
    except BaseException:
        _remove(work)
        raise


def write_text(path: str, text: str) -> None:
    """Write a text file in UTF-8; raises OSError as :func:`replace_file` does."""
    with replace_file(path) as file:
        file.write(text.encode())


def write_files(folder: str, files: Mapping[str, bytes]) -> None:
    """Write files by their paths in a folder, all or none; raises a UserError."""
    path = folder
    ready: dict[str, str] = {}
    try:
        for name, data in files.items():
            path = os.path.join(folder, name)
            if os.path.isdir(path):
                raise IsADirectoryError(EISDIR, 'a folder of that name exists')
            os.makedirs(os.path.dirname(path), exist_ok=True)
            handle, ready[path] = tempfile.mkstemp(
                prefix='.', dir=os.path.dirname(path)
            )
            with os.fdopen(handle, 'wb') as file:
                file.write(data)
            os.chmod(ready[path], 0o644)
        # From here on nothing can run out of disk space.
        for path, work in ready.items():
            os.replace(work, path)
    except OSError as error:
        raise unwritable(path, error) from error
    finally:
        for work in ready.values():
            _remove(work)


def write_json(path: str, content: Any) -> None:
    """Write a JSON file, whole or not at all; raises a UserError."""
    folder, name = os.path.split(os.path.abspath(path))
    write_files(folder, {name: json_bytes(content)})


def json_bytes(content: Any) -> bytes:
    """Return a JSON file's bytes: indented by one, without NaN, which is not JSON."""
    text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False)
    return text_bytes(f'{text}\n')


def text_bytes(text: str) -> bytes:
    """Return a text in UTF-8, for people: bytes of a path that are not are escaped."""
    return text.encode(errors='backslashreplace')


def file_digest(path: str) -> str:
    """Return the SHA-256 of a file; raises OSError."""
    digest = hashlib.sha256()
    with open(path, 'rb') as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def write_image(path: str, image: Image) -> None:
    """Write an image in the format that the suffix names, whole or not at all.

    Folders that lead to it are made. Raises a UserError.
    """
    # 25 MB that a command without images does not need.
    import cv2

    folder, name = os.path.split(path)
    suffix = os.path.splitext(name)[1]
    try:
        data = cv2.imencode(suffix, image)[1].tobytes()
    except cv2.error as error:
        raise UserError(
            f'{path}: no image can be written as {suffix or "a file without suffix"}; '
            'use .jpg or .png'
        ) from error
    write_files(folder or '.', {name: data})


def append_line(path: str, line: bytes) -> None:
    """Append a line with its end to a file, whole or not at all; raises a UserError.

    Half a line, which a process that was killed has left at the end, is cut off.
    """
    try:
        os.makedirs(os.path.dirname(path) or '.', exist_ok=True)
        with open(path, 'a+b', buffering=0) as file:
            size = file.tell()
            file.seek(max(size - 1, 0))
            if file.read(1) not in (b'', b'\n'):
                file.seek(0)
                size = file.read().rfind(b'\n') + 1
                file.truncate(size)
            rest = memoryview(line)
            try:
                while rest:
                    rest = rest[file.write(rest) :]
            except BaseException:
                file.truncate(size)
                raise
    except OSError as error:
        raise unwritable(path, error) from error


def replace_texts(folder: str, texts: Mapping[str, str | None]) -> None:
    """Write texts by their path in a folder and remove others, all of them or none.

    None is a file to remove. All old files go first: a process that is killed here
    leaves files missing, but never old ones beside new ones. On a UserError everything
    is as it was.
    """
    try:
        os.makedirs(folder, exist_ok=True)
        work = tempfile.mkdtemp(prefix='.new.', dir=folder)
    except OSError as error:
        raise unwritable(folder, error) from error
    new, old = os.path.join(work, 'new'), os.path.join(work, 'old')
    moved: list[tuple[str, str]] = []

    def move(start: str, end: str) -> None:
        os.makedirs(os.path.dirname(end), exist_ok=True)
        moved.append((start, end))
        os.replace(start, end)

    try:
        written = {name: text for name, text in texts.items() if text is not None}
        for name, text in written.items():
            write_text(os.path.join(new, name), text)
        for name in texts:
            if os.path.lexists(os.path.join(folder, name)):
                move(os.path.join(folder, name), os.path.join(old, name))
        for name in written:
            move(os.path.join(new, name), os.path.join(folder, name))
    except BaseException as error:
        for start, end in reversed(moved):
            if os.path.lexists(end):
                os.replace(end, start)
        if isinstance(error, OSError):
            raise unwritable(folder, error) from error
        raise
    finally:
        shutil.rmtree(work, ignore_errors=True)
        for name in texts:
            _remove_if_empty(os.path.dirname(os.path.join(folder, name)))
        _remove_if_empty(folder)


@contextmanager
def new_folder(path: str, overwrite: bool = False, made_of: str = '') -> Iterator[str]:
    """Fill a folder beside ``path``, which takes its place at the end of the block.

    Yields the folder to write into, which is removed if an error leaves the block.
    ``overwrite`` replaces a folder only if it was made here; otherwise only an empty
    one is replaced. ``made_of`` is the content of :data:`MARK`: the path of the source.
    Raises a UserError where ``path`` exists and is not to be replaced, also if it came
    into being meanwhile, or can't be written.
    """
    clear_abandoned(path)
    require_free(path, overwrite)
    path = os.path.realpath(path)
    parent, name = os.path.split(path)
    try:
        os.makedirs(parent, exist_ok=True)
        work = tempfile.mkdtemp(prefix=f'.{name}.', dir=parent)
        running = open(os.path.join(work, _RUNNING), 'w', encoding='utf-8')
    except OSError as error:
        raise unwritable(path, error) from error
    old = f'{work}.old'
    try:
        with running:
            _lock(running)
            print(socket.gethostname(), file=running, flush=True)
            yield work
            require_free(path, overwrite)
            # A path may have bytes that are not UTF-8.
            with open(os.path.join(work, MARK), 'wb') as file:
                file.write(os.fsencode(made_of))
            os.chmod(work, 0o755)
            if os.path.lexists(path):
                os.replace(path, old)
            os.replace(work, path)
            os.remove(os.path.join(path, _RUNNING))
    except OSError as error:
        raise unwritable(path, error) from error
    finally:
        if os.path.lexists(old) and not os.path.lexists(path):
            os.replace(old, path)
        for folder in (work, old):
            shutil.rmtree(folder, ignore_errors=True)


def clear_abandoned(path: str) -> list[str]:
    """Remove what a :func:`new_folder` that was killed has left beside ``path``.

    Returns the names of the folders that were removed. Only those go that a process of
    this machine was filling and that none is filling now; what was being replaced is
    put back, if it is gone.
    """
    path = os.path.realpath(path)
    parent, name = os.path.split(path)
    pattern = re.compile(rf'\.{re.escape(name)}\.[a-z0-9_]{{8}}')
    names = os.listdir(parent) if os.path.isdir(parent) else []
    removed = []
    for work in sorted(filter(pattern.fullmatch, names)):
        folder = os.path.join(parent, work)
        if os.path.islink(folder) or not _is_abandoned(folder):
            continue
        if os.path.isdir(f'{folder}.old') and not os.path.lexists(path):
            os.replace(f'{folder}.old', path)
        shutil.rmtree(folder, ignore_errors=True)
        removed.append(work)
    return removed


def short_path(path: str) -> str:
    """Return a path relative to the current folder, if it is below that."""
    is_below = os.path.abspath(path).startswith(os.path.join(os.getcwd(), ''))
    return os.path.relpath(path) if is_below else path


def require_free(path: str, overwrite: bool = False) -> None:
    """Raise a UserError where :func:`new_folder` would refuse to make a folder."""
    if not path:
        raise UserError('no folder is named to write to')
    given, path = path, os.path.realpath(path)
    if not os.path.lexists(path) and not os.path.lexists(given):
        return
    if not os.path.isdir(path):
        raise UserError(f'{given}: a file is in the way')
    if os.listdir(path):
        if not overwrite:
            raise UserError(f'{given}: already exists; remove it or give --overwrite')
        if read_mark(path) is None:
            raise UserError(
                f'{given}: was not made by this command, so it is not overwritten; '
                'remove it yourself or choose another name'
            )


@contextmanager
def held_folder(folder: str) -> Iterator[None]:
    """Make a folder if need be, and keep other processes that hold it out.

    Raises a UserError where another one holds it, or it can't be made.
    """
    path = os.path.join(folder, _RUNNING)
    try:
        os.makedirs(folder, exist_ok=True)
        running = open(path, 'a', encoding='utf-8')
    except OSError as error:
        raise unwritable(folder, error) from error
    with running:
        if _lock(running) is False:
            raise UserError(
                f'{folder}: another process is writing there; wait for it, or choose '
                'another folder'
            )
        try:
            yield
        finally:
            os.remove(path)


def clear_half_written(folder: str) -> None:
    """Remove what a process that was killed was writing, in a folder and below.

    Only for a folder that this process alone writes. Raises a UserError.
    """
    for parent, _, names in os.walk(folder):
        for name in filter(_WORK_FILE.fullmatch, names):
            path = os.path.join(parent, name)
            try:
                os.remove(path)
            except OSError as error:
                raise unwritable(path, error) from error


def require_apart(out: str, sources: Iterable[str]) -> None:
    """Raise a UserError if a folder to make is, or holds, one that is read."""
    made = os.path.realpath(out)
    for source in map(os.path.realpath, sources):
        if os.path.commonpath([made, source]) == made:
            raise UserError(f'{out}: holds the raw data; choose another folder')


def read_mark(folder: str) -> str | None:
    """Return what a folder was made of; empty if unknown, None if not made here."""
    try:
        with open(os.path.join(folder, MARK), 'rb') as file:
            return os.fsdecode(file.read())
    except OSError:
        return None


def unwritable(path: str, error: OSError) -> UserError:
    """Return the error of a file or folder that can't be written."""
    return UserError(f'{path}: cannot be written ({error.strerror})')


def _remove(path: str) -> None:
    with suppress(OSError):
        os.remove(path)


def _remove_if_empty(folder: str) -> None:
    with suppress(OSError):
        os.rmdir(folder)


def _is_abandoned(folder: str) -> bool:
    """Say whether the process that was filling a folder ran here, and has ended."""
    try:
        with open(os.path.join(folder, _RUNNING), 'r+', encoding='utf-8') as running:
            own = running.read().strip() == socket.gethostname()
            return own and _lock(running) is True
    except (OSError, UnicodeError):
        return False


def _lock(file: IO[str]) -> bool | None:
    """Lock a file until it is closed or the process ends.

    False where another process has it, None where there are no locks: on Windows, or on
    some file systems.
    """
    try:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except (ImportError, OSError):
        return None
    return True
