"""The files of a data set's folder, listed once, and which image is meant."""

import json
import os
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

from custom_datasets.errors import UserError
from custom_datasets.formats.paths import (
    common,
    is_annotation,
    is_junk,
    place_of,
    plain,
    shown,
    split_of,
)
from custom_datasets.images import IMAGE_SUFFIXES, image_size, without_suffix

Score = tuple[int, bool, bool]


class Tree:
    """All files under a folder; one that holds just one folder is left for that.

    A README and the like may be beside it, an image or an annotation may not.

    Args:
        root: The folder. Links in it are followed, junk is passed over.
        name: What messages call it; the folder itself by default.

    Attributes:
        name: What messages call it.
        root: Where the data begin.
        files: Paths relative to ``root``, with ``/``, sorted.
        images: Those of them that are images.

    Raises:
        UserError: It can't be listed.
    """

    def __init__(self, root: str, name: str | None = None) -> None:
        """List the folder."""
        self.name = name or root
        if not os.path.isdir(root):
            raise UserError(f'{self.name}: no such folder')
        self.root = _descend(os.path.normpath(root))
        self.files = tuple(sorted(_walk(self.root)))
        self.images = tuple(filter(_is_image, self.files))
        self._by_name: dict[str, list[str]] = defaultdict(list)
        self._by_stem: dict[str, list[str]] = defaultdict(list)
        for image in self.images:
            name = image.rpartition('/')[2]
            self._by_name[name].append(image)
            self._by_stem[os.path.splitext(name)[0]].append(image)
        self._json: dict[str, Any] = {}

    def path(self, file: str) -> str:
        """Return where a file of the list is."""
        return os.path.join(self.root, file)

    def ending(self, *suffixes: str) -> list[str]:
        """List the files with one of these suffixes, given in lower case."""
        return [f for f in self.files if f.lower().endswith(suffixes)]

    def image_size(self, image: str) -> tuple[int, int]:
        """Read an image's width and height in pixels from its header.

        Raises:
            UserError: It is no image.
        """
        try:
            return image_size(self.path(image))
        except UserError as error:
            raise UserError(str(error).replace(self.path(image), image)) from error

    def load_json(self, file: str) -> Any:
        """Load a file once.

        Raises:
            UserError: It can't be read or is no JSON.
        """
        if file not in self._json:
            try:
                with open(self.path(file), encoding='utf-8-sig') as stream:
                    self._json[file] = json.load(stream, object_pairs_hook=_no_doubles)
            except OSError as error:
                raise UserError(f'{file}: {error.strerror}') from error
            except (ValueError, RecursionError) as error:
                raise UserError(f'{file}: broken JSON ({error})') from error
        return self._json[file]

    def candidates(
        self, claim: str, near: str = '', split: str | None = None
    ) -> list[tuple[Score, str]]:
        """List the images that may be meant, the likeliest first.

        Args:
            claim: File name, with or without its suffix or folders; those of
                an absolute path are another machine's and count for little.
            near: Folder of what makes the claim.
            split: The part that the claim is about.

        Returns:
            Scores and images. A score is higher the more folders agree; an
            image in other folders than the claim's or of another part of the
            data is not in it.
        """
        claim = claim.replace('\\', '/')
        *folders, name = [p for p in claim.split('/') if p not in ('', '.')] or ['']
        pool = (
            self._by_name.get(name)
            or self._by_stem.get(name)
            or self._by_stem.get(without_suffix(name), [])
        )
        foreign = claim.startswith(('/', '..')) or ':' in claim
        folders = [folder for folder in folders if folder != '..']
        explicit = [] if foreign else plain(folders)
        wanted = [*plain(near.split('/')), *plain(folders)]
        split = split or next(filter(None, map(split_of, wanted)), None)
        found = []
        for image in pool:
            have = plain(image.split('/')[:-1])
            part = place_of(image)[0]
            if part and split and part != split:
                continue
            # An only image of that name may have lost the claim's folders.
            least = min(len(have), len(explicit))
            if len(pool) > 1 and explicit:
                least = max(least, 1)
            if common(have, explicit) < least:
                continue
            score = (common(have, wanted), part == split, have == wanted)
            found.append((score, image))
        return sorted(found, key=lambda pair: pair[0], reverse=True)

    def find_image(self, claim: str, near: str = '', split: str | None = None) -> str:
        """Return the likeliest of :meth:`candidates`.

        Raises:
            UserError: There is none, or several are as likely.
        """
        found = self.candidates(claim, near, split)
        best = [image for score, image in found if score == found[0][0]]
        if not best:
            raise UserError(f'{claim}: no such image')
        if len(best) > 1:
            raise UserError(f'{claim}: there are {" and ".join(best)}')
        return best[0]


def _descend(root: str) -> str:
    while True:
        names = [name for name in _listed(root) if not is_junk(name)]
        inner = [name for name in names if os.path.isdir(os.path.join(root, name))]
        if len(inner) != 1 or split_of(inner[0]):
            return root
        files = [name for name in names if name != inner[0]]
        if any(is_annotation(name) or _is_image(name) for name in files):
            return root
        root = os.path.join(root, inner[0])


def _is_image(name: str) -> bool:
    return os.path.splitext(name)[1].lower() in IMAGE_SUFFIXES


def _listed(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError as error:
        raise UserError(f'{folder}: cannot be listed ({error.strerror})') from error


def _walk(root: str) -> Iterator[str]:
    seen = {os.path.realpath(root)}
    folders = ['']
    while folders:
        folder = folders.pop()
        for name in _listed(os.path.join(root, folder)):
            if is_junk(name):
                continue
            file = f'{folder}/{name}' if folder else name
            path = os.path.join(root, file)
            if not os.path.isdir(path):
                yield file
            elif (real := os.path.realpath(path)) not in seen:
                seen.add(real)
                folders.append(file)


def _no_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) < len(pairs):
        counts = Counter(key for key, _ in pairs)
        twice = [key for key, count in counts.items() if count > 1]
        raise ValueError(f'twice in one object: {shown(twice)}')
    return result
