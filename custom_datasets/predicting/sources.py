"""What to predict on: files, folders, globs, zips, videos, cameras and streams."""

import fnmatch
import glob
import os
import re
import unicodedata
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

from PIL import Image

from custom_datasets.data.archive import DAMAGE, MAX_FILES, is_bomb, is_zip, member_name
from custom_datasets.data.image_kinds import HEIC_BRANDS, IMAGE_SUFFIXES, STARTS
from custom_datasets.data.tree import is_junk, walk
from custom_datasets.errors import ImageError, UserError
from custom_datasets.predicting.addresses import (
    fetch_image,
    is_address,
    name_address,
    public_text,
)
from custom_datasets.predicting.clips import Clip, Stamp, open_clip
from custom_datasets.predicting.images import MAX_BYTES, Picture
from custom_datasets.text import counted, printable, shown

__all__ = ['VIDEO_SUFFIXES', 'Clip', 'Still', 'open_sources', 'public_text']

VIDEO_SUFFIXES = (
    *('.mp4', '.m4v', '.mov', '.avi', '.mkv', '.webm', '.wmv', '.flv', '.3gp'),
    *('.mpg', '.mpeg', '.mts', '.m2ts', '.ogv', '.mjpeg', '.mjpg'),
)
"""Suffixes, in lower case, of what counts as a video."""

# Images as well: one that cannot be decoded is better named than passed over.
_RARE_SUFFIXES = ('.jfif', '.avif', '.jp2', '.heic', '.heif')
_HEAD = 16
_CAMERA = re.compile(r'(/dev/video)?([0-9]{1,3})')


@dataclass(frozen=True)
class Still:
    """One image.

    Attributes:
        name: What results are called; unique, relative, with ``/``.
        place: What messages call it: its path, that of its zip and its own there, or
            its address.
        read: Returns its path or its content; raises an ImageError.
        stamp: Of its file, or in its zip; None of what is neither.
        path: Of its file, absolute; None where it is in a zip or at an address, or is
            a video that cannot be opened.
    """

    name: str
    place: str
    read: Callable[[], Picture]
    stamp: Stamp | None = None
    path: str | None = None


@dataclass(frozen=True)
class _Entry:
    """A source before all names are known.

    ``root`` is the folder that the names of one text begin in, ``path`` where the
    source is, or would be in an unpacked zip; both absolute. Without a root the path
    is the name. One ``key`` is one source.
    """

    root: str
    path: str
    key: object
    open: Callable[[str], Still | Clip]


def open_sources(
    texts: Sequence[str],
    every: int = 1,
    note: Callable[[str], None] = lambda sentence: None,
) -> list[Still | Clip]:
    """Return all images and videos that texts of a command line mean, in order.

    A text is an image, a video (an animated GIF is one), a folder with what is in and
    below it, a glob, a zip of images, the number of a camera, or the address of a
    stream or an image. What exists under that very name comes first: a file
    ``[1].jpg``, a folder ``0``. Folders, globs and zips are in natural order, without
    hidden files, without zips and what else is neither image nor video; what two texts
    name is there once.

    Names are paths from the innermost folder that all texts have in common:
    ``a.jpg`` of one folder, ``monday/a.jpg`` and ``tuesday/a.jpg`` of two.

    Args:
        texts: What was typed.
        every: Of how many frames of a video one is read.
        note: Is called with sentences about what is passed over.

    Raises:
        UserError: A text names nothing, a camera or a stream does not open. A damaged
            file is no such error: it is a Still that raises its own.
    """
    entries: dict[object, _Entry] = {}
    zips: list[str] = []
    problems = []
    for text in texts:
        try:
            for entry in _find(text, every, zips):
                entries.setdefault(entry.key, entry)
        except UserError as error:
            problems.append(str(error))
    if problems:
        raise UserError('\n'.join(problems))
    opened = {key[0] for key in entries if isinstance(key, tuple)}
    passed = [z for z in dict.fromkeys(zips) if os.path.abspath(z) not in opened]
    if passed:
        note(
            f'{counted(len(passed), "zips")} not opened: {shown(passed)}; to predict '
            'on what a zip in a folder holds, name the zip as well'
        )
    names = _name_all(list(entries.values()))
    return [
        entry.open(name) for entry, name in zip(entries.values(), names, strict=True)
    ]


def _find(text: str, every: int, zips: list[str]) -> Iterator[_Entry]:
    if '\0' in text:  # No path has it, and some functions raise a ValueError.
        raise UserError(f'{text!r}: no such file or folder')
    if os.path.isdir(text):
        return _in_folder(text, every, zips)
    # /dev/v4l/by-id has links with names that stay, whatever is plugged in first.
    camera = _CAMERA.fullmatch(os.path.realpath(text) if os.path.islink(text) else text)
    if os.path.lexists(text) and not (camera and camera[1]):
        return _in_file(text, every)
    if camera:
        return iter([_camera(text, int(camera[2]), every)])
    if is_address(text):
        return iter([_address(text, every)])
    if glob.has_magic(text):
        return _in_glob(text, every, zips)
    raise UserError(f'{text or repr(text)}: no such file or folder')


def _in_file(path: str, every: int, root: str | None = None) -> Iterator[_Entry]:
    if not path.lower().endswith((*IMAGE_SUFFIXES, *VIDEO_SUFFIXES)):
        if os.path.isfile(path) and is_zip(path):
            yield from _in_zip(path, root)
            return
        if path.lower().endswith('.zip'):
            raise UserError(f'{path}: the zip is damaged or incomplete')
    root = root or os.path.dirname(os.path.abspath(path))
    yield _file(path, root, _kind(path, partial(_read_head, path)) or 'image', every)


def _in_folder(folder: str, every: int, zips: list[str]) -> Iterator[_Entry]:
    files = sorted(walk(folder), key=_natural)
    yield from _usable(folder, files, os.path.abspath(folder), every, zips)


def _in_glob(pattern: str, every: int, zips: list[str]) -> Iterator[_Entry]:
    parts = pattern.replace(os.sep, '/').split('/')
    fixed = next(k for k, part in enumerate(parts) if glob.has_magic(part))
    folder = '/'.join(parts[:fixed]) or ('/' if fixed else '.')
    root = os.path.abspath(folder)
    if '**' not in parts:
        paths = sorted(glob.glob(pattern), key=_natural)
    elif os.path.isdir(folder):
        # Not by glob, which goes round in circles where links do.
        files = [f for f in walk(folder) if _matches(f.split('/'), parts[fixed:])]
        paths = [os.path.join(folder, file) for file in sorted(files, key=_natural)]
    else:
        paths = []
    if not paths:
        raise UserError(f'{pattern}: no file matches')
    files = []
    for path in paths:
        if os.path.isdir(path):
            inner = sorted(walk(path), key=_natural)
            files += [os.path.join(path, file) for file in inner]
        elif path.lower().endswith('.zip'):
            yield from _in_file(path, every, root)
        else:
            files.append(path)
    if files:
        yield from _usable('', files, root, every, zips, pattern)


def _usable(
    folder: str,
    files: Sequence[str],
    root: str,
    every: int,
    zips: list[str],
    text: str = '',
) -> Iterator[_Entry]:
    """Yield the images and videos among files, and note the zips.

    Raises a UserError where there is no image and no video.
    """
    count = 0
    for file in files:
        path = os.path.join(folder, file)
        if kind := _kind(path, partial(_read_head, path)):
            count += 1
            yield _file(path, root, kind, every)
    own = [os.path.join(folder, f) for f in files if f.lower().endswith('.zip')]
    if not count:
        hint = f'; to read its {counted(len(own), "zips")}, name them' * bool(own)
        raise UserError(f'{text or folder}: holds neither an image nor a video{hint}')
    zips += own


def _file(path: str, root: str, kind: Literal['image', 'video'], every: int) -> _Entry:
    path = os.path.abspath(path)
    # Whoever opens a pipe or a device waits for ever; as an image it is refused.
    special = os.path.exists(path) and not os.path.isfile(path)
    if special or (kind == 'image' and not _is_animated(path)):
        return _Entry(root, path, path, partial(_still, path=path))
    return _Entry(root, path, path, partial(_clip, path=path, every=every))


def _still(name: str, path: str) -> Still:
    return Still(name, printable(path), lambda: path, _stamp(path), path)


def _clip(name: str, path: str, every: int) -> Still | Clip:
    try:
        return replace(open_clip(name, path, every), stamp=_stamp(path))
    except ImageError as error:
        return Still(name, printable(path), partial(_fail, error), _stamp(path))


def _stamp(path: str) -> Stamp | None:
    try:
        status = os.stat(path)
    except OSError:  # Whoever reads it says so.
        return None
    return status.st_size, status.st_mtime_ns


def _fail(error: ImageError) -> bytes:
    raise error


def _in_zip(text: str, root: str | None = None) -> Iterator[_Entry]:
    path = os.path.abspath(text)
    try:
        archive = zipfile.ZipFile(path)
    except (*DAMAGE, OSError) as error:
        raise UserError(f'{text}: the zip cannot be read ({error})') from error
    members = archive.infolist()
    if len(members) > MAX_FILES:
        raise UserError(f'{text}: has {len(members)} files; at most {MAX_FILES} do')
    named = sorted(
        ((member_name(member), member) for member in members),
        key=lambda pair: _natural(pair[0]),
    )
    count = 0
    for name, member in named:
        # What leads out of the folder is kept in it.
        parts = [p for p in name.split('/') if p not in ('', '.', '..')]
        if member.is_dir() or not parts or any(map(is_junk, parts)):
            continue
        kind = _kind(name, partial(_read_member_head, archive, member))
        if kind is None:
            continue
        count += 1
        read = _member if kind == 'image' else _video_member
        place = '/'.join([path, *(part.replace(':', '') for part in parts)])
        yield _Entry(
            root or path,
            place,
            (path, member.header_offset),
            partial(
                Still,
                place=(shown := printable(f'{text}/{"/".join(parts)}')),
                read=partial(read, shown, archive, member),
                stamp=(member.file_size, member.CRC),
            ),
        )
    if not count:
        raise UserError(f'{text}: holds no image')


def _member(place: str, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    if member.flag_bits & 1:
        raise ImageError(place, 'is encrypted; unpack the zip yourself')
    size = member.file_size
    if size > MAX_BYTES or is_bomb(size, member.compress_size):
        raise ImageError(
            place, f'unpacks from {member.compress_size:,} to {size:,} bytes; too large'
        )
    try:
        # No more than the size in the header, whatever is packed.
        return archive.read(member)
    except DAMAGE as error:
        raise ImageError(place, f'is damaged in the zip ({error})') from error
    except OSError as error:
        raise ImageError(place, f'cannot be read ({error})') from error


def _video_member(
    place: str, archive: zipfile.ZipFile, member: zipfile.ZipInfo
) -> bytes:
    raise ImageError(place, 'is a video in a zip; unpack the zip yourself')


def _camera(text: str, number: int, every: int) -> _Entry:
    name = f'camera-{number}'

    def open_camera(name: str) -> Clip:
        try:
            return open_clip(name, number, every)
        except ImageError as error:
            raise ImageError(text, error.problem) from error

    return _Entry('', name, number, open_camera)


def _address(address: str, every: int) -> _Entry:
    name, shown = name_address(address), public_text(address)
    if address.lower().startswith('http') and name.lower().endswith(IMAGE_SUFFIXES):
        read = partial(fetch_image, address)
        return _Entry('', name, address, partial(Still, place=shown, read=read))

    def open_stream(name: str) -> Clip:
        try:
            return open_clip(name, address, every)
        except ImageError as error:
            raise ImageError(shown, error.problem) from error

    return _Entry('', name, address, open_stream)


def _kind(
    path: str, read_head: Callable[[], bytes]
) -> Literal['image', 'video'] | None:
    """Say what a file is, by its suffix, else by its first bytes."""
    suffix = os.path.splitext(path)[1].lower()
    if suffix in (*IMAGE_SUFFIXES, *_RARE_SUFFIXES):
        return 'image'
    if suffix in VIDEO_SUFFIXES:
        return 'video'
    head = read_head()
    if head[4:8] == b'ftyp':
        if head[8:12] in (*HEIC_BRANDS, b'avif'):
            return 'image'
        return None if head[8:11] == b'M4A' else 'video'
    if head.startswith(b'\x1aE\xdf\xa3') or (head[:4], head[8:12]) == (
        b'RIFF',
        b'AVI ',
    ):
        return 'video'
    name = next((STARTS[start] for start in STARTS if head.startswith(start)), '')
    # Other formats, and texts, may begin with so few letters.
    sure = {
        'PPM': False,
        'BMP': head[6:10] == bytes(4),
        'WEBP': head[8:12] == b'WEBP',
    }
    return 'image' if name and sure.get(name, True) else None


def _is_animated(path: str) -> bool:
    if not path.lower().endswith('.gif'):
        return False
    try:
        with Image.open(path) as image:
            return bool(getattr(image, 'is_animated', False))
    except Exception:  # Pillow's readers raise anything on broken content.
        return False


def _read_head(path: str) -> bytes:
    try:
        # A pipe of that name would wait for somebody to write.
        if not os.path.isfile(path):
            return b''
        with open(path, 'rb') as file:
            return file.read(_HEAD)
    except OSError:
        return b''


def _read_member_head(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    try:
        with archive.open(member) as file:
            return file.read(_HEAD)
    except (*DAMAGE, OSError):
        return b''


def _matches(parts: Sequence[str], pattern: Sequence[str]) -> bool:
    """Say whether a path matches a glob, in which ``**`` is any number of folders."""
    if not pattern:
        return not parts
    if pattern[0] == '**':
        inside = bool(parts) and _matches(parts[1:], pattern)
        return inside or _matches(parts, pattern[1:])
    if not parts or not fnmatch.fnmatch(parts[0], pattern[0]):
        return False
    return _matches(parts[1:], pattern[1:])


def _natural(path: str) -> tuple[object, ...]:
    """Return a key that puts ``image2`` before ``image10``, folder by folder."""
    key = []
    for part in path.replace(os.sep, '/').split('/'):
        pieces = re.split('([0-9]+)', part.casefold())
        # Digits are compared by their count, since int() refuses thousands of them.
        key.append(
            [
                (len(piece.lstrip('0')), piece.lstrip('0')) if k % 2 else (0, piece)
                for k, piece in enumerate(pieces)
            ]
        )
    return (key, path)


def _name_all(entries: Sequence[_Entry]) -> list[str]:
    """Name sources by their path from what their roots have in common."""
    roots = {entry.root for entry in entries if entry.root}
    common = os.path.commonpath(roots) if roots else ''
    taken: set[str] = set()
    names = []
    for entry in entries:
        path = entry.path
        name = os.path.relpath(path, common) if entry.root else path
        name = printable(name.replace(os.sep, '/'))
        names.append(_unique(name, taken))
    return names


def _unique(name: str, taken: set[str]) -> str:
    """Number a name that another source has, on some systems at least."""
    stem, suffix = os.path.splitext(name)
    count = 1
    while (key := unicodedata.normalize('NFC', name).casefold()) in taken:
        count += 1
        name = f'{stem}-{count}{suffix}'
    taken.add(key)
    return name
