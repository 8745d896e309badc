"""Whether annotations are still as a model predicted them.

Files say by a mark that a model made them (:data:`.records.PREDICTED`), and tools that
correct them may keep it. So what was written is noted, too: ``.predicted.json`` has the
SHA-256 of each file; an image in a COCO JSON has that of its boxes.
"""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path

from custom_datasets.data.records import PREDICTED, BoxRecord

NOTE = '.predicted.json'
"""The SHA-256 of each file of annotations as it was written, by path."""

_MOST_LEVELS = 8
"""How many folders above a file are looked into for a note."""

ORIGIN, ORIGIN_DIGEST = 'origin', 'origin_digest'
"""The keys of a mark: in YOLO's YAML file, and in the images of a COCO JSON."""


def digest(data: bytes) -> str:
    """Return the SHA-256 of a file's content."""
    return hashlib.sha256(data).hexdigest()


def boxes_digest(boxes: Sequence[BoxRecord]) -> str:
    """Return a digest of names and boxes, to a thousandth of a pixel, in any order."""
    rows = sorted((b.name, *(round(side, 3) + 0.0 for side in b.box)) for b in boxes)
    return digest(json.dumps(rows).encode())


def read_note(folder: str) -> dict[str, str]:
    """Read what was written into a folder; empty where nothing says so."""
    try:
        content = json.loads(Path(folder, NOTE).read_bytes())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def is_predicted(text: object) -> bool:
    """Say whether a mark names a model."""
    return isinstance(text, str) and text.startswith(PREDICTED)


def written_digest(path: str) -> str | None:
    """Return the digest of a file as it was written.

    It is empty where a note above the file does not name it, and None without a note.
    """
    folder, inside = os.path.split(os.path.abspath(path))
    for _ in range(_MOST_LEVELS):
        if written := _cached_note(folder):
            return written.get(inside, '')
        folder, name = os.path.split(folder)
        inside = f'{name}/{inside}'
    return None


def _cached_note(folder: str) -> Mapping[str, str]:
    try:
        changed = os.stat(os.path.join(folder, NOTE)).st_mtime_ns
    except OSError:
        return {}
    return _read_once(folder, changed)


@lru_cache(maxsize=8)
def _read_once(folder: str, changed: int) -> Mapping[str, str]:
    return read_note(folder)
