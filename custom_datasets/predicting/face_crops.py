"""Square crops of faces from portraits with an age and a gender."""

import csv
import io
import os
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from custom_datasets.data.decode import decode
from custom_datasets.data.defect_crops import crop_stems
from custom_datasets.data.images import IMAGE_SUFFIXES
from custom_datasets.data.origins import FILE, render_sources
from custom_datasets.data.split import split_dataset
from custom_datasets.errors import UserError
from custom_datasets.files import (
    MARK,
    Image,
    new_folder,
    require_apart,
    write_image,
    write_text,
)

Boxes = NDArray[np.float64]

FindFaces = Callable[[Image], Boxes]
"""Maps an image, shape (height, width, 3), BGR, to boxes, shape (n, 5): zero-based
``xyxy`` in pixels and a score from 0 to 1."""

SIDE = 224
"""Of a crop, in pixels."""

MARGIN = 0.3
"""What of the face's longer side is added on each side: hair and chin show age."""

_SCORE = 0.5
_RIVAL = 0.5


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
        found = cascade.detectMultiScale(gray, scaleFactor=1.1, minNeighbors=4)
        boxes = np.array(found, float).reshape(-1, 4)
        boxes[:, 2:] += boxes[:, :2]
        return np.column_stack([boxes, np.ones(len(boxes))])

    return find


def detector_faces(config: str, checkpoint: str) -> FindFaces:
    """Return a detector of mmdet; whatever class a box has, it is a face.

    Args:
        config: A leaf, such as one of ``configs/faces``.
        checkpoint: Its weights.

    Raises:
        UserError: One of them can't be read, or they are not for each other.
    """
    # With torch and mmdet, which the cascade does without.
    from custom_datasets.predicting.detector import detect, load_detector

    model, _ = load_detector(config, checkpoint)

    def find(image: Image) -> Boxes:
        boxes, scores, _ = detect(model, image)
        return np.column_stack([boxes, scores])

    return find


def choose_face(boxes: Boxes) -> tuple[Boxes | None, str]:
    """Choose the face that a portrait is of.

    It is the largest with a score from 0.5 on. Another that is half as wide or more
    and not inside it makes it unclear whose age is meant; smaller ones are people
    in the background.

    Args:
        boxes: Shape (n, 5), as of :data:`FindFaces`.

    Returns:
        Shape (4,) and nothing, or None and why there is none.
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
    """Cut a square around a face with a margin, and scale it.

    It is black where the image ends.

    Args:
        image: Shape (height, width, 3).
        face: Shape (4,), zero-based ``xyxy`` in pixels.
        margin: What of the face's longer side to add on each side.

    Returns:
        Shape (224, 224, 3).
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


_GENDERS = {
    'female': ('female', 'f', 'woman', 'women', 'w'),
    'male': ('male', 'm', 'man', 'men'),
}
_WORDS = ('twenties', 'thirties', 'forties', 'fifties', 'sixties')
_AGE = re.compile(r'(\d+)(?:\.\d+)?(?:s|\s*-\s*(\d+))?')


def name_class(age: str, gender: str, classes: Collection[str]) -> tuple[str, str]:
    """Return the class of an age and a gender, or nothing and why there is none."""
    sex = next((g for g, words in _GENDERS.items() if gender.lower() in words), '')
    if not sex:
        return '', f'gender {gender!r} is not known'
    years = _AGE.fullmatch(age.strip().lower())
    decade = int(years[1]) // 10 if years else -1
    label = f'{decade}0s_{sex}'
    if years and int(years[2] or years[1]) // 10 == decade and label in classes:
        return label, ''
    return '', f'no class for the age {age!r}'


def name_folder(folder: str, classes: Collection[str]) -> tuple[str, str]:
    """Return the class that a folder is called by, or nothing and why there is none."""
    words = re.findall(r'\d+(?:\s*-\s*\d+)?|[a-z]+', folder.lower())
    ages = [word for word in words if word[0].isdecimal()]
    ages += [f'{20 + 10 * _WORDS.index(word)}' for word in words if word in _WORDS]
    genders = [w for w in words if any(w in known for known in _GENDERS.values())]
    if len(ages) == len(genders) == 1:
        return name_class(ages[0], genders[0], classes)
    return '', 'the name of its folder has no age and gender'


_PATHS = ('path', 'file', 'image', 'filename')


@dataclass(frozen=True, slots=True)
class Portrait:
    """One photograph, as its folder or its row of a CSV says.

    Attributes:
        name: Path of the file relative to the folder, or to the CSV.
        path: The whole path.
        label: The class, such as ``30s_male``; empty where ``problem`` says why.
        person: Who it shows; empty where that is not known.
        problem: Why it has no class.
    """

    name: str
    path: str
    label: str
    person: str = ''
    problem: str = ''


def read_portraits(source: str, classes: Collection[str]) -> list[Portrait]:
    """Read what there is, with and without a class.

    Class folders are called by decade and gender in any order: ``20s_male``,
    ``male 20``, ``thirties-women``. A CSV has the columns ``path`` (or ``file``,
    ``image``, ``filename``), relative to its own folder; ``age`` in years
    (``34``), or the years of a decade (``30-39``, ``30s``); ``gender``; and
    ``person``, if it is known who it is.

    Args:
        source: A folder or a CSV.
        classes: Names of the classes, as ``20s_female``.

    Raises:
        UserError: There is neither, or a column is missing.
    """
    if not os.path.exists(source):
        raise UserError(f'{source}: no such folder of class folders, and no such CSV')
    read = _read_folders if os.path.isdir(source) else _read_csv
    found = list(read(source, classes))
    if not found:
        raise UserError(f'{source}: no images in class folders, or no rows')
    return found


def _read_folders(root: str, classes: Collection[str]) -> Iterator[Portrait]:
    for folder in sorted(os.listdir(root)):
        if folder.startswith('.') or not os.path.isdir(os.path.join(root, folder)):
            continue
        label, problem = name_folder(folder, classes)
        for place, inner, files in os.walk(os.path.join(root, folder)):
            inner.sort()
            if MARK in files:  # Crops that were made of portraits.
                inner.clear()
                continue
            for file in sorted(files):
                path = os.path.join(place, file)
                if file.lower().endswith(IMAGE_SUFFIXES) and file[0] != '.':
                    name = os.path.relpath(path, root)
                    yield Portrait(name, path, label, problem=problem)


def _read_csv(source: str, classes: Collection[str]) -> Iterator[Portrait]:
    try:
        with open(source, encoding='utf-8-sig', newline='') as file:
            header = file.readline()
            file.seek(0)
            separator = max(',;\t', key=header.count)
            rows = [
                {str(k).strip().lower(): str(v or '').strip() for k, v in row.items()}
                for row in csv.DictReader(file, delimiter=separator)
            ]
    except (OSError, UnicodeError, csv.Error) as error:
        raise UserError(f'{source}: not a CSV in UTF-8 ({error})') from error
    names = set(rows[0]) if rows else set()
    column = next((name for name in _PATHS if name in names), None)
    if rows and not (column and {'age', 'gender'} <= names):
        raise UserError(f'{source}: needs path, age and gender, has {sorted(names)}')
    for row in rows:
        row['name'] = os.path.normpath(row[str(column)]) if row[str(column)] else ''
    times = Counter(row['name'] for row in rows)
    for row in rows:
        name = row['name']
        label, problem = name_class(row['age'], row['gender'], classes)
        if times[name] > 1:
            label, problem = '', f'{times[name]} rows have it'
        path = os.path.join(os.path.dirname(source), name)
        yield Portrait(name, path, label, row.get('person', ''), problem)


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
        find_faces: See :mod:`custom_datasets.predicting.face_crops`.
        margin: See :func:`~custom_datasets.predicting.face_crops.crop_face`.
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
    :func:`~custom_datasets.data.split.split_dataset`: 8:1:1, or 8:1
    where other sources test. One person of a source is in one of them, where the
    CSV names people. ``sources.txt`` has the source of each crop, and
    ``not_found.csv`` what became no crop and why.

    Args:
        root: See :func:`~custom_datasets.predicting.face_crops.read_portraits`.
        out: Folder to make.
        classes: Names of the classes.
        find_faces: See :mod:`custom_datasets.predicting.face_crops`.
        test: Other sources, each as ``root``, which make the test set.
        margin: See :func:`~custom_datasets.predicting.face_crops.crop_face`.
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
