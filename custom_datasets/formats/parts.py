"""What the folders at the top of a set of class folders are: parts, or classes."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from custom_datasets.errors import UserError
from custom_datasets.formats.paths import printable, shown, split_of


@dataclass(frozen=True)
class Layout:
    """The folders at the top that have images.

    Attributes:
        parts: The part that each of them is; empty where they are classes.
        classes: Those that are a class; empty where they are parts.
        notes: What was left out or may surprise, with the number of images.
    """

    parts: dict[str, str]
    classes: tuple[str, ...]
    notes: Counter[str]

    def is_left_out(self, file: str) -> bool:
        """Say whether a file is in a folder that is neither part nor class."""
        top, slash, _ = file.partition('/')
        return bool(slash) and top not in self.parts and top not in self.classes

    def class_of(self, file: str) -> str | None:
        """Return the class that a file is in, if any."""
        top, *folders = file.split('/')[:-1] or ['']
        if top in self.parts:
            return folders[0] if folders else None
        return top if top in self.classes else None


def find_layout(where: str, images: Iterable[str]) -> Layout:
    """Tell parts from classes.

    A set is divided if nothing but parts with class folders is at the top, or
    ``train`` with class folders and another part: ``Meta`` may be beside them.

    Args:
        where: What messages call the set.
        images: All of them, relative to its root, with ``/``.

    Raises:
        UserError: Class folders are at the top and in a part beside them.
    """
    depths = [image.split('/')[:-1] for image in images]
    counts = Counter(folders[0] for folders in depths if folders)
    nested = {folders[0] for folders in depths if len(folders) > 1}
    named = {top: split for top in sorted(counts) if (split := split_of(top))}
    parts = {top: split for top, split in named.items() if top in nested}
    others = [top for top in sorted(counts) if top not in named]
    with_more = 'train' in parts.values() and len(set(named.values())) > 1
    if others and parts and not with_more:
        holds = 'holds' if len(parts) == 1 else 'hold'
        raise UserError(
            f'{where}: has class folders ({shown(others)}) beside {shown(list(parts))},'
            f' which {holds} class folders too; move one of them away'
        )
    notes: Counter[str] = Counter()
    if parts or not others:
        for top in sorted(counts.keys() - parts.keys()):
            why = 'it is no part of the data, as those beside it are'
            if top in named:
                why = 'a part needs folders of classes'
            notes[f'images in {printable(top)} left out: {why}'] = counts[top]
        return Layout(parts, (), notes)
    # Trains are a class; images to train on that have none would be of no use.
    trains = [top for top, split in named.items() if split == 'train']
    for top in named:
        if top in trains:
            text = f'images in {top} taken for a class: it has no folders of classes'
        else:
            text = (
                f'images in {top} left out: it has no folders of classes; if it is a '
                'class itself, rename it'
            )
        notes[text] = counts[top]
    return Layout({}, tuple(sorted([*others, *trains])), notes)
