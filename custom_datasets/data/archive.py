"""Unpacking a zip that may be hostile."""

import lzma
import os
import re
import shutil
import stat
import unicodedata
import zipfile
import zlib

from custom_datasets.data.opening import MAX_DEPTH
from custom_datasets.data.tree import is_junk
from custom_datasets.errors import UserError

MAX_FILES = 1_000_000
MAX_RATIO = 100
"""How many files a zip may have, and how many times its size it may unpack to."""

MAX_NAME = 255
"""How many bytes a file system gives a name."""

_SMALL = 10 * 2**20
_SPARE = 100 * 2**20
_CHUNK = 2**20
_SAYS_UTF8 = 0x800

DAMAGE = (
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError),
    *(RuntimeError, ValueError),  # Of a version or method that Python lacks, too.
)
"""What zipfile raises on a damaged zip; for bzip2 also an OSError without a number."""


def unpack(path: str, folder: str) -> None:
    """Unpack the regular files of a zip, and only those.

    Raises a UserError where it is not a zip, is damaged or encrypted, or has what no
    data set needs: a path that leads out of it, a link, two files of one name, or far
    more than its size or the disk allows. Nothing was written then, unless it is
    damaged.
    """
    if not is_zip(path):
        raise UserError(
            f'{path}: neither a folder nor a complete zip; give the folder that holds '
            'images and annotations'
        )
    try:
        with zipfile.ZipFile(path) as archive:
            members = _checked(archive, path)
            os.makedirs(folder, exist_ok=True)
            _require_space(path, folder, members)
            for name, member in members.items():
                target = os.path.join(folder, name)
                os.makedirs(os.path.dirname(target), exist_ok=True)
                with archive.open(member) as packed, open(target, 'wb') as file:
                    shutil.copyfileobj(packed, file, _CHUNK)
    except (*DAMAGE, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise UserError(f'{path}: the zip is damaged ({error})') from error


def is_zip(path: str) -> bool:
    """Say whether a file ends as a zip does."""
    try:
        return zipfile.is_zipfile(path)
    except zipfile.BadZipFile:  # It is, on several disks.
        return True


def member_name(info: zipfile.ZipInfo) -> str:
    """Return a member's path with slashes, decoded as it was most likely meant."""
    name = info.filename
    if not info.flag_bits & _SAYS_UTF8:
        try:
            raw = name.encode('cp437')
        except UnicodeError:  # Python decoded it by a field of the member's own.
            return name.replace('\\', '/')
        for encoding in ('utf-8', 'cp949'):
            try:
                text = raw.decode(encoding)
            except UnicodeError:
                continue
            if encoding == 'utf-8' or _is_korean(text):
                name = text
                break
    return name.replace('\\', '/')


def is_bomb(size: int, packed: int) -> bool:
    """Say whether so many bytes, packed in so few, are what only a zip bomb has."""
    return size > _SMALL and size > MAX_RATIO * packed


def _checked(archive: zipfile.ZipFile, path: str) -> dict[str, zipfile.ZipInfo]:
    """Return the files to unpack, by the path to give them."""
    infos = archive.infolist()
    if len(infos) > MAX_FILES:
        raise UserError(
            f'{path}: has {len(infos)} files; at most {MAX_FILES} are unpacked'
        )
    members: dict[str, zipfile.ZipInfo] = {}
    spelled: dict[str, str] = {}
    for info in infos:
        name = member_name(info)
        parts = [part for part in name.split('/') if part not in ('', '.')]
        kind = stat.S_IFMT(info.external_attr >> 16)
        if name.startswith('/') or re.match('[A-Za-z]:', name) or '..' in parts:
            raise UserError(f'{path}: {info.filename!r} leads out of the folder')
        if (
            len(parts) > MAX_DEPTH
            or max(map(len, map(os.fsencode, parts)), default=0) > MAX_NAME
        ):
            raise UserError(
                f'{path}: {name[:40]!r}... has more than {MAX_DEPTH} folders in each '
                f'other, or a name of more than {MAX_NAME} bytes'
            )
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise UserError(f'{path}: {info.filename!r} is a link or device')
        if info.flag_bits & 1:
            raise UserError(
                f'{path}: is encrypted; unpack it yourself and give the folder'
            )
        if name.endswith('/') or not parts or any(map(is_junk, parts)):
            continue
        name = '/'.join(parts)
        key = unicodedata.normalize('NFC', name).casefold()
        if key in spelled:
            raise UserError(
                f'{path}: {spelled[key]!r} and {name!r} are one file on some systems; '
                'rename one'
            )
        spelled[key] = name
        members[name] = info
    for key in spelled:
        above = key
        while above := above.rpartition('/')[0]:
            if above in spelled:
                raise UserError(
                    f'{path}: {spelled[above]!r} is both a file and a folder'
                )
    packed = sum(info.compress_size for info in members.values())
    if packed > os.path.getsize(path):
        raise UserError(f'{path}: its files overlap, as in a zip bomb')
    sizes = [(info.file_size, info.compress_size) for info in members.values()]
    for size, small in [*sizes, (sum(size for size, _ in sizes), packed)]:
        if is_bomb(size, small):
            raise UserError(
                f'{path}: unpacks to more than {MAX_RATIO} times its size, as a zip '
                'bomb does; if it is not one, unpack it yourself and give the folder'
            )
    return members


def _is_korean(text: str) -> bool:
    """Say whether a text has one of the common syllables, of two bytes in EUC-KR.

    As cp949, the accents of Western names are rare syllables; the common ones have
    bytes that cp437 draws tables with.
    """
    return any(
        '가' <= char <= '힣' and len(char.encode('euc-kr')) == 2 for char in text
    )


def _require_space(path: str, folder: str, members: dict[str, zipfile.ZipInfo]) -> None:
    needed = sum(info.file_size for info in members.values())
    free = shutil.disk_usage(folder).free
    if needed + _SPARE > free:
        raise UserError(
            f'{path}: needs {needed / 1e9:.1f} GB beside the destination, where only '
            f'{free / 1e9:.1f} GB are free'
        )
