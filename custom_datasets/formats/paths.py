"""What the paths of a data set's files say."""

import os
import re

JUNK = ('__macosx', 'thumbs.db', 'desktop.ini')
"""What systems leave behind, in lower case; so is all that starts with a dot."""

_ROLES = frozenset(
    'anno annotation annotations ann image images img imgs jpegimages label labels '
    'xml xmls'.split()
)
_ANNOTATED = (
    *('.xml', '.json', '.jsonl', '.yaml', '.yml', '.csv', '.tsv'),
    *('.names', '.data', '.labels', '.mat', '.npy', '.pkl', '.parquet'),
)
_LISTING = frozenset(
    'annotation annotations class classes label labels list names trainval'.split()
)
_SPLITS = {
    'train': 'train',
    'training': 'train',
    'val': 'val',
    'valid': 'val',
    'validation': 'val',
    'test': 'test',
    'testing': 'test',
}
_SPLIT_FOLDER = re.compile(
    rf'(?:obj_)?({"|".join(_SPLITS)})(?:[_-]?(?:data|images|set))?(?:\d{{4}})?'
)


def split_of(folder: str) -> str | None:
    """Return the part of the data that a folder's name stands for, if any."""
    match = _SPLIT_FOLDER.fullmatch(folder.casefold())
    return _SPLITS[match[1]] if match else None


def split_in(name: str) -> str | None:
    """Return the part that a file's name has in it: ``instances_train2017``."""
    words = re.findall('[a-z]+', name.casefold())
    return next((_SPLITS[word] for word in words if word in _SPLITS), None)


def place_of(file: str) -> tuple[str | None, str]:
    """Divide a path into the part of the data and a name without a suffix.

    Folders that only say what is in them, like ``images``, are left out.
    """
    *folders, name = file.split('/')
    folders = plain(folders)
    split = next((folder for folder in folders if split_of(folder)), None)
    if split:
        folders.remove(split)
    stem = os.path.splitext(name)[0]
    return split and split_of(split), '/'.join([*folders, stem])


def shown(items: list[str], most: int = 5) -> str:
    """Name some of the items and count the others."""
    more = f', ... and {len(items) - most} more' if len(items) > most else ''
    return printable(', '.join(items[:most])) + more


def printable(text: str) -> str:
    """Escape what a file's name has that is not UTF-8, which no terminal takes."""
    return text.encode(errors='backslashreplace').decode()


def is_junk(name: str) -> bool:
    """Say whether a file or folder of this name is no part of the data."""
    return name.startswith('.') or name.casefold() in JUNK


def is_annotation(name: str) -> bool:
    """Say whether a file of this name may say what is on images: a README may not."""
    stem, suffix = os.path.splitext(name.casefold())
    if suffix != '.txt':
        return suffix in _ANNOTATED
    return bool(split_in(stem) or _LISTING.intersection(re.findall('[a-z]+', stem)))


def plain(folders: list[str]) -> list[str]:
    """Leave out folders that only say what is in them, like ``images``."""
    return [f for f in folders if f and f.casefold() not in _ROLES]


def common(a: list[str], b: list[str]) -> int:
    """Count the last items in which two lists agree."""
    count = 0
    for x, y in zip(reversed(a), reversed(b), strict=False):
        if x != y:
            break
        count += 1
    return count
