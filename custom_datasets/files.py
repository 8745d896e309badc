"""Writing results so that an interruption leaves nothing half-written."""

import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from errno import EISDIR

import cv2
import numpy as np
from numpy.typing import NDArray

from custom_datasets.errors import UserError

Image = NDArray[np.uint8]

MARK = '.custom_datasets'
"""A file in each folder that was made here, and so may be replaced."""


@contextmanager
def new_folder(path: str, overwrite: bool = False, made_of: str = '') -> Iterator[str]:
    """Fill a folder beside ``path`` and rename it to ``path`` at the end.

    Args:
        path: The folder to make.
        overwrite: Replace a folder that an earlier call made; otherwise only
            an empty one is.
        made_of: The content of :data:`MARK`: the path of the source.

    Yields:
        The folder to write into. It is removed if an error leaves the block.

    Raises:
        UserError: ``path`` is there and not to be replaced, or can't be
            written.
    """
    path = os.path.realpath(path)
    _require_replaceable(path, overwrite)
    with _swapped(path) as work:
        yield work
        # A path may have what is not UTF-8.
        with open(os.path.join(work, MARK), 'wb') as file:
            file.write(os.fsencode(made_of))


def read_mark(folder: str) -> str | None:
    """Return what a folder was made of; empty if unknown, None if not made here."""
    try:
        with open(os.path.join(folder, MARK), 'rb') as file:
            return os.fsdecode(file.read())
    except OSError:
        return None


def require_apart(out: str, sources: Iterable[str]) -> None:
    """Raise a UserError if a folder to make is, or holds, one that is read."""
    made = os.path.realpath(out)
    for source in map(os.path.realpath, sources):
        if os.path.commonpath([made, source]) == made:
            raise UserError(f'{out}: holds the raw data; name another folder')


def write_files(folder: str, files: Mapping[str, bytes]) -> None:
    """Write files, all of them or none, and the folders that lead to them.

    Args:
        folder: Where.
        files: What is in each, by name. One of that name is replaced.

    Raises:
        UserError: They can't be written.
    """
    path = folder
    with ExitStack() as stack:
        try:
            os.makedirs(folder, exist_ok=True)
            ready = {}
            for name, data in files.items():
                path = os.path.join(folder, name)
                if os.path.isdir(path):
                    raise IsADirectoryError(EISDIR, 'a folder of that name is there')
                with tempfile.NamedTemporaryFile(
                    dir=folder, prefix='.', delete=False
                ) as file:
                    stack.callback(_remove, file.name)
                    file.write(data)
                os.chmod(file.name, 0o644)
                ready[path] = file.name
            # Nothing can run out of room any more.
            for path, work in ready.items():
                os.replace(work, path)
        except OSError as error:
            raise UserError(f'{path}: cannot be written ({error.strerror})') from error


def write_text(path: str, text: str) -> None:
    """Write a text file in UTF-8, and the folders that lead to it."""
    os.makedirs(os.path.dirname(path) or '.', exist_ok=True)
    with open(path, 'w', encoding='utf-8', newline='\n') as file:
        file.write(text)


def write_image(path: str, image: Image) -> None:
    """Write an image, and the folders that lead to it.

    Raises:
        UserError: It can't be written.
    """
    os.makedirs(os.path.dirname(path) or '.', exist_ok=True)
    if not cv2.imwrite(path, image):
        name = os.path.basename(path)
        raise UserError(
            f'{name}: cannot be written; is the disk full, or the name too long?'
        )


def _remove(path: str) -> None:
    with suppress(OSError):
        os.remove(path)


def _require_replaceable(path: str, overwrite: bool) -> None:
    if not os.path.lexists(path):
        return
    if not os.path.isdir(path):
        raise UserError(f'{path}: a file is in the way')
    if os.listdir(path):
        if not overwrite:
            raise UserError(f'{path}: already there; remove it or give --overwrite')
        if not os.path.exists(os.path.join(path, MARK)):
            raise UserError(
                f'{path}: was not made by this command, so it is not overwritten; '
                'remove it yourself or name another'
            )


@contextmanager
def _swapped(path: str) -> Iterator[str]:
    parent, name = os.path.split(path)
    try:
        os.makedirs(parent, exist_ok=True)
        work = tempfile.mkdtemp(prefix=f'.{name}.', dir=parent)
    except OSError as error:
        raise UserError(f'{path}: cannot be written ({error.strerror})') from error
    old = f'{work}.old'
    try:
        yield work
        os.chmod(work, 0o755)
        if os.path.lexists(path):
            os.replace(path, old)
        os.replace(work, path)
    except OSError as error:
        raise UserError(f'{path}: cannot be written ({error.strerror})') from error
    finally:
        if os.path.lexists(old) and not os.path.lexists(path):
            os.replace(old, path)
        for folder in (work, old):
            shutil.rmtree(folder, ignore_errors=True)
