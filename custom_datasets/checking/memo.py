"""Keeping what a check found in a data set that has not changed since."""

import hashlib
import json
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

from custom_datasets.checking.cache import ResultCache, stamp_file
from custom_datasets.checking.finding import Finding
from custom_datasets.checking.sources import Source
from custom_datasets.records import SplitRecords

MOST_FILES = 200_000
"""Under a root with more, looking at them all would take longer than it saves."""

_SETTLED_NS = 50_000_000


class Memo:
    """The findings of one config's data, kept until any of its files changes.

    Names, sizes and times of all files under the data sets' roots are compared,
    and the code of the checks.

    Args:
        cache: Where it is kept; None keeps nothing.
        config: Path of the config.
        kind: One memo of each kind is kept for a config.
        settings: Whatever else the findings depend on; its ``repr`` counts.
        sources: The data sets.
    """

    def __init__(
        self,
        cache: ResultCache | None,
        config: str,
        kind: str,
        settings: Any,
        sources: Sequence[Source],
    ) -> None:
        """Look at the files."""
        self._cache = cache
        self._kind = kind
        self._roots = {os.path.abspath(source.root) for source in sources}
        self._state = ''
        if cache is None or any(source.root == '.' for source in sources):
            return
        self._stamp = stamp_file(config)
        digest = hashlib.sha256(repr((settings, sources)).encode(errors='replace'))
        newest = 0
        package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
        for folder in sorted([package, *self._roots]):
            files = list(islice(_files(folder), MOST_FILES + 1))
            if len(files) > MOST_FILES:
                return
            for path, size, changed in sorted(files):
                text = f'{path}\0{size}\0{changed}\n'
                digest.update(text.encode(errors='surrogateescape'))
                newest = max(newest, changed)
        if time.time_ns() - newest > _SETTLED_NS:
            self._state = digest.hexdigest()

    def recall(self) -> tuple[list[Finding], int, int] | None:
        """Return findings and the two numbers that were kept, or None."""
        if not self._cache or not self._state:
            return None
        text = self._cache.get(self._kind, self._state, self._stamp)
        if text is None:
            return None
        findings, *counts = json.loads(text)
        return [Finding(**finding) for finding in findings], counts[0], counts[1]

    def keep(
        self,
        findings: Iterable[Finding],
        images: int,
        trained: int,
        splits: Iterable[SplitRecords],
    ) -> None:
        """Keep findings, unless some of the files are outside of the roots.

        Args:
            findings: On the data.
            images: How many there are.
            trained: How many an epoch draws.
            splits: Whose files were read.
        """
        if not self._cache or not self._state or not self._holds(splits):
            return
        kept = [[finding.as_dict() for finding in findings], images, trained]
        self._cache.put(self._kind, self._state, self._stamp, json.dumps(kept))

    def _holds(self, splits: Iterable[SplitRecords]) -> bool:
        roots = tuple(os.path.join(root, '') for root in self._roots)
        paths = {
            os.path.dirname(path)
            for split in splits
            for image in split.images
            for path in (split.source, image.image, image.annotation)
            if path
        }
        return all(f'{os.path.abspath(path)}/'.startswith(roots) for path in paths)


def _files(folder: str) -> Iterator[tuple[str, int, int]]:
    """Yield path, size and time of change of all files below, behind links too."""
    seen = set()
    folders = [folder]
    while folders:
        here = folders.pop()
        real = os.path.realpath(here)
        if real in seen or not os.path.isdir(here):
            continue
        seen.add(real)
        with os.scandir(here) as entries:
            for entry in entries:
                if entry.is_dir():
                    if entry.name != '__pycache__':
                        folders.append(entry.path)
                elif entry.is_file():
                    status = entry.stat()
                    yield entry.path, status.st_size, status.st_mtime_ns
