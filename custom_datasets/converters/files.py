"""Writing results so that an interruption leaves nothing half-written."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from custom_datasets.errors import UserError


@contextmanager
def new_folder(path: str, overwrite: bool = False) -> Iterator[str]:
    """Fill a folder beside ``path`` and rename it to ``path`` at the end.

    Args:
        path: The folder to make.
        overwrite: Replace what is there; otherwise only an empty folder is.

    Yields:
        The folder to write into. It is removed if an error leaves the block.

    Raises:
        UserError: ``path`` is there and not empty, and not to be replaced.
    """
    path = os.path.abspath(path)
    if os.path.isfile(path):
        raise UserError(f'{path}: a file is in the way')
    if os.path.isdir(path) and os.listdir(path) and not overwrite:
        raise UserError(f'{path}: already there; remove it or give --overwrite')
    parent = os.path.dirname(path)
    os.makedirs(parent, exist_ok=True)
    work = tempfile.mkdtemp(prefix=f'.{os.path.basename(path)}.', dir=parent)
    try:
        yield work
        os.chmod(work, 0o755)
        old = f'{work}.old'
        if os.path.lexists(path):
            os.replace(path, old)
        os.replace(work, path)
        shutil.rmtree(old, ignore_errors=True)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def write_text(path: str, text: str) -> None:
    """Write a text file whole or not at all."""
    os.makedirs(os.path.dirname(path) or '.', exist_ok=True)
    work = f'{path}.tmp'
    with open(work, 'w', encoding='utf-8', newline='\n') as file:
        file.write(text)
    os.replace(work, path)
