"""Opening what is named as a list or an annotation: files, and nothing that waits."""

import os
import stat
from errno import EINVAL
from typing import BinaryIO


def open_file(path: str) -> BinaryIO:
    """Open a file to read its bytes.

    Raises OSError where it can't be read, and for a pipe or a device, which would keep
    its reader waiting.
    """
    mode = os.stat(path).st_mode
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        raise OSError(EINVAL, 'a pipe or a device, not a file', path)
    return open(path, 'rb')


def read_text(path: str) -> str:
    """Return a file's text in UTF-8, without a byte order mark.

    Raises OSError as :func:`open_file` does, and UnicodeError.
    """
    with open_file(path) as file:
        return file.read().decode('utf-8-sig')
