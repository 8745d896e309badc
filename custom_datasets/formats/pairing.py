"""Which annotation file belongs to which image, and which list names which."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from custom_datasets.class_names import read_lines
from custom_datasets.errors import UserError
from custom_datasets.formats.paths import split_of
from custom_datasets.formats.source import Reading
from custom_datasets.formats.tree import Score, Tree
from custom_datasets.formats.yolo_labels import holds_labels

_TRAINVAL = 'trainval'


def pair(
    tree: Tree,
    files: Iterable[str],
    claims: Mapping[str, str | None],
    reading: Reading,
) -> dict[str, str]:
    """Find the image of each annotation file, by its name and then by claims.

    Args:
        tree: The data set.
        files: Annotation files, as ``tree`` lists them.
        claims: The image's file name that a file gives, if it gives one. It
            decides between several images, and where no image has the file's
            name, unless that image has a file of its own.
        reading: Gets a problem for each file without an image.

    Returns:
        The image of each file that has one; no image is there twice.
    """
    taken: dict[str, tuple[Score, str]] = {}
    rest = []
    for file in files:
        folder, _, name = file.rpartition('/')
        found = tree.candidates(os.path.splitext(name)[0], folder)
        best = [pair for pair in found if pair[0] == found[0][0]]
        claim = _base((claims.get(file) or '').replace('\\', '/'))
        if len(best) > 1:
            best = [pair for pair in best if _base(pair[1]) == claim] or best
        if not best:
            rest.append(file)
        elif len(best) > 1:
            images = ' and '.join(image for _, image in best)
            reading.problems.append(f'{file}: it may belong to {images}')
        else:
            score, image = best[0]
            if image in taken and taken[image][0] >= score:
                rest.append(file)
                continue
            if image in taken:
                rest.append(taken[image][1])
            taken[image] = score, file
    pairs = {file: image for image, (_, file) in taken.items()}
    for file in rest:
        try:
            image = tree.find_image(claims.get(file) or '', file.rpartition('/')[0])
        except UserError:
            image = ''
        if image and image not in taken:
            taken[image] = (0, False, False), file
            pairs[file] = image
        else:
            reading.problems.append(f'{file}: there is no image of that name')
    return pairs


@dataclass
class Lists:
    """Files that name the images of each part.

    Attributes:
        files: The lists of each part, as the tree lists them.
    """

    files: dict[str, list[str]] = field(default_factory=dict)

    @classmethod
    def find(cls, tree: Tree) -> 'Lists':
        """Find ``train.txt`` and the like: in ``ImageSets``, or else at the top.

        ``trainval`` is taken for ``train`` where neither that nor ``val`` is
        listed; other lists name images again.
        """
        texts = tree.ending('.txt')
        main = [file for file in texts if '/imagesets/main/' in f'/{file.lower()}']
        sets = [file for file in texts if '/imagesets/' in f'/{file.lower()}']
        top = [file for file in texts if '/' not in file]
        files: dict[str, list[str]] = {}
        for file in main or sets or top:
            stem = _base(file)[:-4]
            split = _TRAINVAL if stem.casefold() == _TRAINVAL else split_of(stem)
            # An image may be called train, too.
            if split and not holds_labels(tree.path(file)):
                files.setdefault(split, []).append(file)
        trainval = files.pop(_TRAINVAL, None)
        if trainval and not files.keys() & {'train', 'val'}:
            files['train'] = trainval
        return cls(files)

    def read(self, tree: Tree, reading: Reading) -> dict[str, list[str]]:
        """Return the images of each part, in order and each once."""
        return {
            split: list(
                dict.fromkeys(
                    image for file in files for image in read_list(tree, file, reading)
                )
            )
            for split, files in self.files.items()
        }


def read_list(tree: Tree, file: str, reading: Reading) -> list[str]:
    """Return the images that a list names, one a line, by name or by path.

    A 1, 0 or -1 behind a name, as VOC's lists of one class have it, is passed
    over.
    """
    near = file.rpartition('/')[0]
    if '/imagesets/' in f'/{near.lower()}/':
        near = near[: f'/{near.lower()}/'.index('/imagesets/')].rstrip('/')
    images = []
    try:
        lines = read_lines(tree.path(file))
    except UserError as error:
        reading.notes.append(str(error))
        return []
    for number, line in lines:
        name, _, flag = line.rpartition(' ')
        try:
            images.append(tree.find_image(line, near))
        except UserError as error:
            try:
                if flag not in ('1', '0', '-1'):
                    raise error
                images.append(tree.find_image(name.strip(), near))
            except UserError:
                reading.problems.append(f'{file}, line {number}: {error}')
    return images


def _base(file: str) -> str:
    return file.rpartition('/')[2]
