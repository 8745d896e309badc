"""What of a folder of class folders is better left out: listed, never touched."""

import csv
import io
import os
from collections import Counter
from collections.abc import Sequence

from custom_datasets.checking.cache import ResultCache
from custom_datasets.checking.scan import Progress, scan_images
from custom_datasets.converters.clean_rules import REASONS, Removed, sort_out
from custom_datasets.converters.split_lists import write_lists
from custom_datasets.converters.split_sources import read_class_folders

KEPT, REMOVED = 'kept.txt', 'removed.csv'


def clean_dataset(
    source: str,
    *,
    min_side: int = 64,
    out: str | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> str:
    """List what of a folder to leave out, and what stays.

    Left out are images that do not decode wholly or whose shorter side is too
    short; of pictures that show the same all but the largest; and, where these
    are in folders of several classes, all of them, since none says which is right.
    ``removed.csv`` (image, reason, twin) is what ``split.py --exclude`` reads, and
    a line that is taken out of it brings its image back.

    Args:
        source: A folder with one folder a class.
        min_side: In pixels.
        out: A folder for the two lists, where the source is read-only.
        overwrite: Replace other lists that are already there.
        progress: Called with the number of images read, and of all of them.

    Returns:
        How many are left out for each reason, and where the lists are.

    Raises:
        UserError: There are no class folders, or other lists are there.
    """
    data = read_class_folders(source)
    paths = {name: str(path) for name, path in data.images.items()}
    classes = {name: min(labels) for name, labels in data.labels.items()}
    with ResultCache() as cache:
        found = scan_images(paths.values(), progress, cache)
    facts = {name: found[path] for name, path in paths.items()}
    removed = sort_out(facts, classes, min_side)
    gone = {row.image for row in removed}
    target = os.path.normpath(out or source)
    kept = data.render(name for name in sorted(facts) if name not in gone)
    lists = {KEPT: kept, REMOVED: _table(removed)}
    write_lists(target, lists, overwrite=overwrite)
    counts = Counter(row.reason for row in removed)
    lines = [f'{reason:15}{counts[reason]:6}' for reason in REASONS if counts[reason]]
    conflicts = [f'  {r.image} = {r.twin}' for r in removed if r.reason == REASONS[-1]]
    empty = set(classes.values()) - {classes[name] for name in facts.keys() - gone}
    return '\n'.join(
        [
            f'{len(facts)} images, {len(facts) - len(gone)} stay',
            *(f'{count} {what}' for what, count in data.notes.items() if count),
            *lines,
            *conflicts,
            *(f'no image is left of {name}' for name in sorted(empty)),
            f'lists: {os.path.join(target, KEPT)}, {REMOVED}; nothing was deleted',
        ]
    )


def _table(removed: Sequence[Removed]) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator='\n')
    writer.writerows([Removed._fields, *removed])
    return stream.getvalue()
