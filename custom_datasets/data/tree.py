"""The files of a data set's folder, listed once, and which image a name means."""

import os
import posixpath
import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Any

from custom_datasets.data.image_kinds import IMAGE_SUFFIXES
from custom_datasets.data.images import absence, image_size, without_suffix
from custom_datasets.data.opening import MAX_DEPTH, load_json
from custom_datasets.errors import UserError

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


def is_junk(name: str) -> bool:
    """Say whether a file or folder of this name does not belong to the data."""
    return name.startswith('.') or name.casefold() in JUNK


def is_annotation(name: str) -> bool:
    """Say whether a file of this name may describe images; a README may not."""
    stem, suffix = os.path.splitext(name.casefold())
    if suffix != '.txt':
        return suffix in _ANNOTATED
    return bool(split_in(stem) or _LISTING.intersection(re.findall('[a-z]+', stem)))


def plain(folders: list[str]) -> list[str]:
    """Leave out folders that only say what is in them, like ``images``."""
    return [f for f in folders if f and f.casefold() not in _ROLES]


def walk(root: str) -> Iterator[str]:
    """Yield all files below, relative to the root; links are followed once.

    A link that leads nowhere is a file, so that somebody says so; a pipe or a device,
    which would keep a reader waiting, is not. What a link shows is named by the folder
    it is in, if that is below, too.
    """
    seen = {os.path.realpath(root)}
    folders, links = [''], list[str]()
    while folders or links:
        if not folders:
            folders, links = _unseen(root, sorted(links), seen), []
            continue
        folder = folders.pop()
        if folder.count('/') >= MAX_DEPTH:
            raise UserError(f'{root}: more than {MAX_DEPTH} folders in each other')
        for entry in _entries(os.path.join(root, folder)):
            if is_junk(entry.name):
                continue
            file = f'{folder}/{entry.name}' if folder else entry.name
            if _is_file(entry):
                yield file
            elif not is_folder(entry):
                continue
            elif entry.is_symlink():
                links.append(file)
            else:
                folders += _unseen(root, [file], seen)


def _unseen(root: str, folders: Iterable[str], seen: set[str]) -> list[str]:
    """Return the folders that are not seen yet, by their real paths; see them."""
    unseen = []
    for folder in folders:
        real = os.path.realpath(os.path.join(root, folder))
        if real not in seen:
            seen.add(real)
            unseen.append(folder)
    return unseen


def is_folder(entry: os.DirEntry[str]) -> bool:
    """Say whether an entry is a folder; a link that leads nowhere is not."""
    return os.path.isdir(entry.path) if entry.is_symlink() else entry.is_dir()


def common(a: list[str], b: list[str]) -> int:
    """Count the last items in which two lists agree."""
    count = 0
    for x, y in zip(reversed(a), reversed(b), strict=False):
        if x != y:
            break
        count += 1
    return count


FindImage = Callable[[str], str]
"""Returns the path of a named image's file; raises UserError where there is none."""


def tidy(name: str) -> str:
    """Return a path of any system with slashes, and without what leads nowhere."""
    return posixpath.normpath(name.replace('\\', '/'))


def images_in(folder: str, root: str | None = None) -> FindImage:
    """Return a function that finds images by what annotations call them.

    A path from ``folder`` to an image under ``root``, by default the folder itself, is
    that image. Any other name is another place's or another machine's: what it ends in
    is looked for in the folder, as :meth:`Tree.find_image` does. Raises a UserError
    where there is no such folder.
    """
    if not os.path.isdir(folder or '.'):
        raise UserError(f'{folder}: no such folder of images')
    trees: list[Tree] = []

    def find_image(name: str) -> str:
        if path := image_at(folder, name, folder if root is None else root):
            return path
        if not trees:
            trees.append(Tree(folder or '.', descend=False))
        path = _only(name, [trees[0].path(i) for i in trees[0].likeliest(name)])
        if not os.path.isfile(path):
            raise UserError(f'{path}: {absence(path)}')
        return path

    return find_image


def image_at(folder: str, name: str, root: str) -> str | None:
    """Return the path of the image that a name leads to from a folder, if any.

    As in a :class:`Tree`, it has an image's suffix, lies under ``root``, and no part of
    the name is junk.
    """
    name = tidy(name)
    path = os.path.join(folder, name)
    if name.startswith('/') or not name.lower().endswith(IMAGE_SUFFIXES):
        return None
    if '/' in name or name.startswith('.'):
        if any(is_junk(part) for part in name.split('/') if part != '..'):
            return None
        if name.startswith('../'):
            inside, place = (os.path.abspath(p) for p in (root, path))
            if not place.startswith(os.path.join(inside, '')):
                return None
    return path if os.path.isfile(path) else None


Score = tuple[int, bool, bool]


class Tree:
    """All files under a folder; a folder that holds just one folder is left for that.

    A README and the like may be beside it, an image or an annotation may not. Links are
    followed, junk is passed over.

    Attributes:
        root: Where the data begin.
        files: Paths relative to ``root``, with ``/``, sorted.
    """

    def __init__(
        self, root: str, name: str | None = None, descend: bool = True
    ) -> None:
        """List the folder."""
        self.name = name or root
        if not os.path.isdir(root):
            raise UserError(f'{self.name}: no such folder')
        self.root = os.path.normpath(root)
        if descend:
            self.root = _descend(self.root)
        self.files = tuple(sorted(walk(self.root)))
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
        """Read an image's width and height in pixels from its header."""
        try:
            return image_size(self.path(image))
        except UserError as error:
            raise UserError(str(error).replace(self.path(image), image)) from error

    def load_json(self, file: str) -> Any:
        """Load a JSON file, once."""
        if file not in self._json:
            self._json[file] = load_json(self.path(file), file)
        return self._json[file]

    def broken_json(self) -> list[UserError]:
        """Return the error of each JSON file that can't be loaded."""
        errors = []
        for file in self.ending('.json'):
            try:
                self.load_json(file)
            except UserError as error:
                errors.append(error)
        return errors

    def candidates(
        self, claim: str, near: str = '', split: str | None = None
    ) -> list[tuple[Score, str]]:
        """List the images that a claim may mean, with scores, most likely first.

        A claim is a file name, with or without suffix and folders; those of an absolute
        path are another machine's and count for little. ``near`` is the folder of the
        file that makes the claim. The more folders agree, the higher the score; an
        image in other folders than the claim's, or of another part of the data than
        ``split``, is not listed. A backslash is a slash, unless a file is called so.
        """
        if '\\' not in claim or not self._called(claim.rpartition('/')[2]):
            claim = tidy(claim)
        *folders, name = [p for p in claim.split('/') if p not in ('', '.')] or ['']
        pool = self._called(name)
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
            # The only image of that name may have lost the claim's folders.
            least = min(len(have), len(explicit))
            if len(pool) > 1 and explicit:
                least = max(least, 1)
            if common(have, explicit) < least:
                continue
            score = (common(have, wanted), part == split, have == wanted)
            found.append((score, image))
        return sorted(found, key=lambda pair: pair[0], reverse=True)

    def _called(self, name: str) -> list[str]:
        """Return the images of a name, with or without its suffix."""
        return (
            self._by_name.get(name)
            or self._by_stem.get(name)
            or self._by_stem.get(without_suffix(name), [])
        )

    def find_image(self, claim: str, near: str = '', split: str | None = None) -> str:
        """Return the most likely candidate; raises a UserError for none or a tie."""
        return _only(claim, self.likeliest(claim, near, split))

    def likeliest(
        self, claim: str, near: str = '', split: str | None = None
    ) -> list[str]:
        """Return the candidates that are likelier than all others."""
        found = self.candidates(claim, near, split)
        return [image for score, image in found if score == found[0][0]]


def unfound(claim: str, images: Sequence[str]) -> str:
    """Say that a claim means none of the images, or which ones it may mean."""
    if not images:
        return f'{claim}: no such image'
    return f'{claim}: there are {" and ".join(images)}; name one of them'


def _only(claim: str, images: Sequence[str]) -> str:
    if len(images) != 1:
        raise UserError(unfound(claim, images))
    return images[0]


class FileIndex:
    """Finds files by a name without their suffix; lists each folder once."""

    def __init__(self, root: str, suffixes: Collection[str]) -> None:
        """Read nothing yet."""
        self.root = os.path.join(root, '')
        self._suffixes = suffixes
        self._folders: dict[str, dict[str, list[str]]] = {}
        self._below: dict[str, dict[str, list[str]]] = {}

    def find(self, name: str) -> list[str]:
        """Return the files of a name; if there are none, those in folders below it.

        A name that leads out of the folder has none.
        """
        if name.startswith(('/', '../')):
            return []
        folder, slash, stem = name.rpartition('/')
        files = self._list(folder).get(stem)
        if files:
            return [f'{self.root}{folder}{slash}{file}' for file in files]
        if folder not in self._below:
            below: dict[str, list[str]] = {}
            for file in self._walk(folder):
                inner = os.path.splitext(file.rpartition('/')[2])[0]
                below.setdefault(inner, []).append(f'{self.root}{folder}{slash}{file}')
            self._below[folder] = below
        return self._below[folder].get(stem, [])

    def stems(self, folder: str = '') -> list[str]:
        """Return the names, without a suffix, of the files in a folder."""
        return list(self._list(folder))

    def names(self) -> list[str]:
        """Return the names, without a suffix, of all files, each once."""
        names = (os.path.splitext(file)[0] for file in self._walk(''))
        return list(dict.fromkeys(names))

    def _list(self, folder: str) -> dict[str, list[str]]:
        if folder not in self._folders:
            stems: dict[str, list[str]] = {}
            path = os.path.join(self.root, folder) or '.'
            entries = _entries(path) if os.path.isdir(path) else []
            for entry in sorted(entries, key=lambda entry: entry.name):
                stem, suffix = os.path.splitext(entry.name)
                is_one = suffix.lower() in self._suffixes and not is_junk(entry.name)
                if is_one and _is_file(entry):
                    stems.setdefault(stem, []).append(entry.name)
            self._folders[folder] = stems
        return self._folders[folder]

    def _walk(self, folder: str) -> list[str]:
        path = os.path.join(self.root, folder) or '.'
        files = walk(path) if os.path.isdir(path) else ()
        return sorted(
            file for file in files if file.lower().endswith(tuple(self._suffixes))
        )


def _descend(root: str) -> str:
    while True:
        names = [entry.name for entry in _entries(root) if not is_junk(entry.name)]
        inner = [name for name in names if os.path.isdir(os.path.join(root, name))]
        if len(inner) != 1 or split_of(inner[0]):
            return root
        files = [name for name in names if name != inner[0]]
        if any(is_annotation(name) or _is_image(name) for name in files):
            return root
        root = os.path.join(root, inner[0])


def _is_image(name: str) -> bool:
    return os.path.splitext(name)[1].lower() in IMAGE_SUFFIXES


def _entries(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError as error:
        raise UserError(f'{folder}: cannot be listed ({error.strerror})') from error


def _is_file(entry: os.DirEntry[str]) -> bool:
    # A link to itself raises an error when it is asked what it is.
    if entry.is_symlink() and not os.path.exists(entry.path):
        return True
    return entry.is_file()
