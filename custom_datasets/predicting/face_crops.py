"""Square crops of faces from portraits with an age and a gender, with their lists."""

import csv
import io
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from custom_datasets.data.decode import decode
from custom_datasets.data.defect_crops import crop_stems
from custom_datasets.data.origins import FILE, render_sources
from custom_datasets.data.split import split_dataset
from custom_datasets.errors import ConfigError, UserError
from custom_datasets.files import (
    Image,
    new_folder,
    require_apart,
    write_image,
    write_text,
)
from custom_datasets.predicting.portraits import Portrait, read_portraits

Boxes = NDArray[np.float64]

FindFaces = Callable[[Image], Boxes]
"""Maps an image, shape (height, width, 3), BGR, to boxes, shape (n, 5): zero-based
``xyxy`` in pixels and a score from 0 to 1."""

SIDE = 224
"""Of a crop, in pixels."""

MARGIN = 0.3
"""What of the face's longer side is added on each side: hair and chin show age."""

NOT_FOUND = 'not_found.csv'

PERSON = '_of_'
"""What stands before the person in the name of a crop."""

_RATIOS = {'train': 8, 'val': 1, 'test': 1}
_SCORE = 0.5
_RIVAL = 0.5

_Lost = tuple[str, str, str]
"""Source and name of a portrait without a crop, and why."""

_Crops = dict[str, dict[str, Portrait]]
"""The portrait of each crop, by source and path of the crop."""


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
    """Crop the face of each portrait, write the lists, and return a table of them.

    A crop is ``<out>/<class>/<source>/<name>.jpg``; a source has the name of its
    folder or CSV. ``train.txt``, ``val.txt`` and ``test.txt`` come from
    :func:`~custom_datasets.data.split.split_dataset`: 8:1:1, or 8:1 where the sources
    in ``test`` make the test set. All images of one person of a source are in one of
    them, where the CSV names people. ``sources.txt`` has the source of each crop,
    ``not_found.csv`` the portraits without a crop and why. ``overwrite`` replaces
    only what an earlier conversion made.

    Raises:
        UserError: A source cannot be read, has the name of another, or has no face
            (the first: of a class), or ``out`` exists or cannot be written.
    """
    paths = {_name(path): path for path in (root, *test)}
    if len(paths) <= len(test):
        raise UserError(
            f'{", ".join((root, *test))}: have the same name; rename one of them'
        )
    require_apart(out, paths.values())
    portraits = {name: read_portraits(path, classes) for name, path in paths.items()}
    labels = {portrait.label for portrait in next(iter(portraits.values()))}
    absent = [name for name in classes if name not in labels]
    if absent:
        raise UserError(f'{root}: no portraits of {", ".join(absent)}')
    with new_folder(out, overwrite) as made:
        crops, lost = _crop_all(made, portraits, find_faces, margin, progress)
        _require_all(crops, lost, portraits, classes)
        sources = {path: source for source, own in crops.items() for path in own}
        write_text(f'{made}/{FILE}', render_sources(sources))
        write_text(f'{made}/{NOT_FOUND}', _lost_table(lost))
        held, ratios = None, _RATIOS
        if test:
            held, ratios = f'{made}/test.txt', {'train': 8, 'val': 1}
            tests = [item for name in map(_name, test) for item in crops[name].items()]
            write_text(held, ''.join(f'{path}\t{own.label}\n' for path, own in tests))
        # Person 1 of one source is not person 1 of another.
        people = {
            path: f'{source}/{portrait.person}'
            for source, own in crops.items()
            for path, portrait in own.items()
            if portrait.person
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
            f'{len(sources)} crops; {len(lost)} portraits without one, in {NOT_FOUND}',
            *(f'  {count} {problem}' for problem, count in reasons.most_common(10)),
        ]
    )


def cascade_faces() -> FindFaces:
    """Return OpenCV's frontal face cascade, which needs no weights and no GPU.

    P. Viola and M. Jones, "Rapid Object Detection using a Boosted Cascade of Simple
    Features", CVPR 2001; trained by R. Lienhart (``haarcascade_frontalface_alt2``).
    It has no scores: what it finds has 1.
    """
    path = Path(cv2.__file__).parent / 'data/haarcascade_frontalface_alt2.xml'
    cascade = cv2.CascadeClassifier(str(path))

    def find(image: Image) -> Boxes:
        gray = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
        faces = cascade.detectMultiScale(gray, scaleFactor=1.1, minNeighbors=4)
        boxes = np.array(faces, float).reshape(-1, 4)
        boxes[:, 2:] += boxes[:, :2]
        return np.column_stack([boxes, np.ones(len(boxes))])

    return find


def detector_faces(
    config: str, checkpoint: str, device: str | None = None
) -> FindFaces:
    """Return a detector of mmdet; a box of any class is a face."""
    # With torch and mmdet, which the cascade does without.
    from custom_datasets.predicting.outputs import Detections
    from custom_datasets.predicting.predictor import Predictor

    predictor = Predictor(config, checkpoint, threshold=0.0, device=device)

    def find(image: Image) -> Boxes:
        faces = predictor(image)
        if not isinstance(faces, Detections):
            raise ConfigError(f'{config}: is a classifier, but a detector is needed')
        return np.column_stack([faces.boxes, faces.scores])

    return find


def choose_face(boxes: Boxes) -> tuple[Boxes | None, str]:
    """Choose the face that a portrait is of, or return None and why there is none.

    It is the largest box, shape (n, 5), with a score from 0.5 on. If another is half
    as wide or more and not inside it, it is unclear whose age is meant; smaller ones
    are people in the background.
    """
    boxes = boxes[boxes[:, 4] >= _SCORE, :4]
    if not len(boxes):
        return None, 'no face'
    sides = np.sqrt((boxes[:, 2:] - boxes[:, :2]).clip(0).prod(axis=1))
    face = boxes[sides.argmax()]
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    inside = ((centres >= face[:2]) & (centres <= face[2:])).all(axis=1)
    rivals = int((~inside & (sides >= _RIVAL * sides.max())).sum())
    return (None, f'{1 + rivals} faces') if rivals else (face, '')


def crop_face(image: Image, face: Boxes, margin: float = MARGIN) -> Image:
    """Cut a square around a face, and scale it to shape (224, 224, 3).

    ``face`` is ``xyxy`` in pixels, zero-based; ``margin`` is the share of its longer
    side that is added on each side. The square is black outside the image.
    """
    side = max(1, round((1 + 2 * margin) * float((face[2:] - face[:2]).max())))
    left, top = np.round((face[:2] + face[2:] - side) / 2).astype(int)
    # What is cut is moved into the square by as much as its corner is outside.
    inside = image[max(top, 0) : top + side, max(left, 0) : left + side]
    square = np.zeros((side, side, 3), np.uint8)
    y, x = max(-top, 0), max(-left, 0)
    square[y : y + inside.shape[0], x : x + inside.shape[1]] = inside
    way = cv2.INTER_AREA if len(square) > SIDE else cv2.INTER_LINEAR
    return cv2.resize(square, (SIDE, SIDE), interpolation=way).astype(np.uint8)


def _crop_all(
    folder: str,
    portraits: Mapping[str, Sequence[Portrait]],
    find_faces: FindFaces,
    margin: float,
    progress: Callable[[int, int], None] | None,
) -> tuple[_Crops, list[_Lost]]:
    crops: _Crops = {name: {} for name in portraits}
    lost: list[_Lost] = []
    todo = [(source, portrait) for source, own in portraits.items() for portrait in own]
    stems = {
        source: crop_stems(portrait.name for portrait in own)
        for source, own in portraits.items()
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


def _crop(
    portrait: Portrait, find_faces: FindFaces, margin: float
) -> tuple[Image | None, str]:
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


def _require_all(
    crops: _Crops,
    lost: Sequence[_Lost],
    portraits: Mapping[str, Sequence[Portrait]],
    classes: Collection[str],
) -> None:
    """Raise a UserError for a source without a face; for the first, a class without."""
    for index, (source, own) in enumerate(crops.items()):
        cropped = {portrait.label for portrait in own.values()}
        absent = [name for name in classes if name not in cropped]
        if absent and (index == 0 or not own):
            labels = {portrait.name: portrait.label for portrait in portraits[source]}
            example = next(
                (
                    f'; for example {name}: {problem}'
                    for origin, name, problem in lost
                    if origin == source and labels[name] in absent
                ),
                '',
            )
            raise UserError(f'{source}: no face of {", ".join(absent)}{example}')


def _lost_table(lost: Iterable[_Lost]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator='\n')
    writer.writerows([('source', 'path', 'reason'), *lost])
    return text.getvalue()


def _name(source: str) -> str:
    path = Path(source).resolve()
    return path.stem if path.is_file() else path.name
