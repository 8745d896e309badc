"""One crop a portrait, and a list of those that have none."""

import csv
import io
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path

from custom_datasets.checking.decoding import decode
from custom_datasets.converters.faces import FindFaces, choose_face, crop_face
from custom_datasets.converters.files import Image, write_image
from custom_datasets.converters.metal_surface import crop_stems
from custom_datasets.converters.portraits import Portrait
from custom_datasets.errors import UserError

Lost = tuple[str, str, str]
"""Source and name of a portrait without a crop, and why."""

Crops = dict[str, dict[str, Portrait]]
"""The portrait of each crop, by source and path of the crop."""

NOT_FOUND = 'not_found.csv'

PERSON = '_of_'
"""What stands before the person in the name of a crop."""


def crop_all(
    folder: str,
    portraits: Mapping[str, Sequence[Portrait]],
    find_faces: FindFaces,
    margin: float,
    progress: Callable[[int, int], None] | None,
) -> tuple[Crops, list[Lost]]:
    """Write all crops, as ``<class>/<source>/<name>.jpg``.

    Args:
        folder: Where to.
        portraits: Those of each source.
        find_faces: See :mod:`custom_datasets.converters.faces`.
        margin: See :func:`~custom_datasets.converters.faces.crop_face`.
        progress: Called with the number of portraits done, and of all.

    Returns:
        The crops; and what has none.
    """
    crops: Crops = {name: {} for name in portraits}
    lost: list[Lost] = []
    todo = [(name, one) for name, each in portraits.items() for one in each]
    stems = {
        name: crop_stems(one.name for one in each) for name, each in portraits.items()
    }
    for done, (source, portrait) in enumerate(todo, 1):
        crop, problem = _crop(portrait, find_faces, margin)
        if crop is None:
            lost.append((source, portrait.name, problem))
        else:
            who = re.sub(r'[\s/\\]', '_', portrait.person).replace(PERSON, '_')
            file = stems[source][portrait.name] + (f'{PERSON}{who}' if who else '')
            path = f'{portrait.label}/{source}/{file}.jpg'
            write_image(f'{folder}/{path}', crop)
            crops[source][path] = portrait
        if progress:
            progress(done, len(todo))
    return crops, lost


def render_lost(lost: Iterable[Lost]) -> str:
    """Return the content of ``not_found.csv``."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator='\n')
    writer.writerows([('source', 'path', 'reason'), *lost])
    return text.getvalue()


def without(found: Collection[str], classes: Collection[str]) -> list[str]:
    """List the classes that were not found."""
    return [name for name in classes if name not in found]


def require_all(
    crops: Crops,
    lost: Sequence[Lost],
    portraits: Mapping[str, Sequence[Portrait]],
    classes: Collection[str],
) -> None:
    """Raise a UserError for a source without a face; for the first, of a class."""
    for index, (source, found) in enumerate(crops.items()):
        absent = without({one.label for one in found.values()}, classes)
        if absent and (index == 0 or not found):
            labels = {one.name: one.label for one in portraits[source]}
            example = next(
                (
                    f'; {name} for one: {problem}'
                    for origin, name, problem in lost
                    if origin == source and labels[name] in absent
                ),
                '',
            )
            raise UserError(f'{source}: no face of {", ".join(absent)}{example}')


def _crop(
    portrait: Portrait, find_faces: FindFaces, margin: float
) -> tuple[Image | None, str]:
    """Return the crop, or None and why there is none."""
    if portrait.problem:
        return None, portrait.problem
    try:
        decoded, image = decode(Path(portrait.path).read_bytes())
    except OSError as error:
        return None, f'cannot be read: {error.strerror}'
    if image is None or decoded.problem:
        return None, f'unreadable: {decoded.problem or "too large"}'
    face, problem = choose_face(find_faces(image))
    return (None, problem) if face is None else (crop_face(image, face, margin), '')
