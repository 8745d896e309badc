"""Square crops of faces from portraits with an age and a gender."""

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from custom_datasets.converters.face_crops import (
    NOT_FOUND,
    crop_all,
    render_lost,
    require_all,
    without,
)
from custom_datasets.converters.faces import MARGIN, FindFaces
from custom_datasets.converters.files import new_folder, require_apart, write_text
from custom_datasets.converters.portraits import read_portraits
from custom_datasets.converters.split_dataset import split_dataset
from custom_datasets.errors import UserError
from custom_datasets.evaluation.sources import FILE, render_sources

RATIOS = {'train': 8, 'val': 1, 'test': 1}


def convert(
    root: str,
    out: str,
    classes: Collection[str],
    find_faces: FindFaces,
    *,
    test: Sequence[str] = (),
    margin: float = MARGIN,
    seed: int = 0,
    overwrite: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> str:
    """Crop the face of each portrait, and write the lists.

    A crop is ``<out>/<class>/<source>/<name>.jpg``; a source is called as the
    folder or the CSV. ``train.txt``, ``val.txt`` and ``test.txt`` come from
    :func:`~custom_datasets.converters.split_dataset.split_dataset`: 8:1:1, or 8:1
    where other sources test. One person of a source is in one of them, where the
    CSV names people. ``sources.txt`` has the source of each crop, and
    ``not_found.csv`` what became no crop and why.

    Args:
        root: See :func:`~custom_datasets.converters.portraits.read_portraits`.
        out: Folder to make.
        classes: Names of the classes.
        find_faces: See :mod:`custom_datasets.converters.faces`.
        test: Other sources, each as ``root``, which make the test set.
        margin: See :func:`~custom_datasets.converters.faces.crop_face`.
        seed: Another seed gives another split.
        overwrite: Replace ``out`` if an earlier conversion made it.
        progress: Called with the number of portraits done, and of all.

    Returns:
        A table of the parts, and how many have no crop and why.

    Raises:
        UserError: A source can't be read, has the name of another, or has no face
            (the first: of a class), or ``out`` is there or can't be written.
    """
    given = {_name(path): path for path in (root, *test)}
    if len(given) <= len(test):
        raise UserError(
            f'{", ".join((root, *test))}: have one name; rename one of them'
        )
    require_apart(out, given.values())
    portraits = {name: read_portraits(path, classes) for name, path in given.items()}
    absent = without({one.label for one in next(iter(portraits.values()))}, classes)
    if absent:
        raise UserError(f'{root}: no portraits of {", ".join(absent)}')
    with new_folder(out, overwrite) as made:
        crops, lost = crop_all(made, portraits, find_faces, margin, progress)
        require_all(crops, lost, portraits, classes)
        sources = {path: source for source, found in crops.items() for path in found}
        write_text(f'{made}/{FILE}', render_sources(sources))
        write_text(f'{made}/{NOT_FOUND}', render_lost(lost))
        held, ratios = None, RATIOS
        if test:
            held, ratios = f'{made}/test.txt', {'train': 8, 'val': 1}
            tests = [item for name in map(_name, test) for item in crops[name].items()]
            write_text(held, ''.join(f'{path}\t{one.label}\n' for path, one in tests))
        # The numbers of people in two sources are not of the same people.
        people = {
            path: f'{source}/{one.person}'
            for source, found in crops.items()
            for path, one in found.items()
            if one.person
        }
        table = split_dataset(
            made,
            ratios,
            test_list=held,
            group_by=people or None,
            seed=seed,
        )
    reasons = Counter(problem for *_, problem in lost)
    return '\n'.join(
        [
            table.replace(made, out),
            f'{len(sources)} crops; {len(lost)} portraits without, in {NOT_FOUND}',
            *(f'  {count} {problem}' for problem, count in reasons.most_common(10)),
        ]
    )


def _name(source: str) -> str:
    path = Path(source).resolve()
    return path.stem if path.is_file() else path.name
