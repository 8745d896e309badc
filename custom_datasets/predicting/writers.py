"""What ``tools/predict.py`` writes besides video: pictures, tables, crops, labels.

Each file is whole or absent. Those of one image are written before its line of
``predictions.jsonl``, and all others are made of the lines; so a run that was killed
and goes on ends with the files of an unbroken one.
"""

import csv
import hashlib
import io
import os
import re
from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from custom_datasets.data.image_kinds import IMAGE_SUFFIXES
from custom_datasets.data.images import clean_name, folded, free_name, short_name
from custom_datasets.errors import UserError
from custom_datasets.evaluation.results import PredictedBoxes
from custom_datasets.files import json_bytes, unwritable, write_files, write_image
from custom_datasets.predicting.clips import Moment, Stamp
from custom_datasets.predicting.images import Pixels
from custom_datasets.predicting.outputs import Answer
from custom_datasets.predicting.predictions_log import (
    FILE,
    Prediction,
    append_prediction,
    as_results,
    prediction_of,
    read_predictions,
    replace_predictions,
)
from custom_datasets.predicting.saved_labels import LabelFormat, SavedLabels
from custom_datasets.predicting.tables import boxes_inside, coco_results
from custom_datasets.text import counted

NOTE, PAINTED, CROPS = 'job.json', 'painted', 'crops'
CSV, COCO, COCO_IMAGES = 'predictions.csv', 'coco_results.json', 'coco_images.json'


def written_names(folder: str) -> list[str]:
    """List all that a job may have written at the top of a folder."""
    labels = [path.name for path in Path(folder).glob('labels_*')]
    return [FILE, NOTE, PAINTED, CROPS, CSV, COCO, COCO_IMAGES, *labels]


@dataclass(frozen=True)
class Outputs:
    """What is to be written; ``predictions.jsonl`` always is.

    Attributes:
        painted: Each image with its names on it, as JPEG.
        csv: A table: a row per box, or per image of a classifier.
        coco: COCO's results, and a file with the images and categories of their ids.
        crops: What is in each box by predicted class; of a classifier, the images.
        labels: The format of annotations to correct.
        model: Who predicted, for those annotations.
    """

    painted: bool = True
    csv: bool = False
    coco: bool = False
    crops: bool = False
    labels: LabelFormat | None = None
    model: str = 'a model'


class Writers:
    """Writes everything about one image after the other, then the files about all.

    Attributes:
        predictions: One per line of ``predictions.jsonl``, earlier runs' too.
        done: The images of earlier runs of which no file is missing; the others are
            to be predicted, again if need be.
    """

    def __init__(
        self, folder: str, task: str, classes: Sequence[str], request: Outputs
    ) -> None:
        """Read what earlier runs left in the folder; write nothing yet.

        Raises:
            UserError: The task has no such output, or the folder holds predictions of
                another model.
        """
        _require_possible(task, request)
        self.folder, self.task, self.classes = folder, task, tuple(classes)
        self.request = request
        self.predictions = read_predictions(folder)
        self._require_own()
        self._named = {prediction.name: prediction for prediction in self.predictions}
        self._taken = {folded(p.stem) for p in self.predictions}
        self._class_folders = _class_folders(classes)
        self._labels: SavedLabels | None = None
        if request.labels:
            self._labels = SavedLabels(folder, request.labels, classes, request.model)
        self.done = frozenset(
            p.name
            for p in self.predictions
            if all(os.path.isfile(os.path.join(folder, f)) for f in self._files(p))
        )

    def forget(self, predictions: Iterable[Prediction]) -> None:
        """Remove lines, and the files about their images.

        Raises:
            UserError: They cannot be removed.
        """
        names = set()
        for prediction in predictions:
            names.add(prediction.name)
            for file in self._files(prediction):
                path = os.path.join(self.folder, file)
                try:
                    os.remove(path)
                except FileNotFoundError:
                    continue
                except OSError as error:
                    raise unwritable(path, error) from error
        self.predictions = [p for p in self.predictions if p.name not in names]
        replace_predictions(self.folder, self.predictions)
        self._named = {prediction.name: prediction for prediction in self.predictions}
        self._taken = {folded(p.stem) for p in self.predictions}
        self.done -= names

    def plan(
        self,
        name: str,
        answer: Answer,
        copied: bool = False,
        moment: Moment | None = None,
        stamp: Stamp | None = None,
    ) -> Prediction:
        """Return what there is to write about an image; see :meth:`write`.

        Args:
            name: Its unique name, relative, with ``/``.
            answer: What is predicted.
            copied: Whether its file is copied as it is, with its suffix.
            moment: Of a frame of a video, which is not painted on its own.
            stamp: Of the file that was read.

        Raises:
            UserError: A number is not finite.
        """
        earlier = self._named.get(name)
        file = earlier.file if earlier else self._free_file(name, copied)
        return replace(prediction_of(name, answer, file, moment), stamp=stamp)

    def write(
        self,
        prediction: Prediction,
        answer: Answer,
        pixels: Pixels | None,
        original: str | os.PathLike[str] | bytes | None = None,
    ) -> None:
        """Write the files about an image, in any thread; :meth:`record` comes next.

        Args:
            prediction: What :meth:`plan` returned.
            answer: What is predicted.
            pixels: Those of the image, BGR; None reads it again where they are needed.
            original: The path or the content of the image's file, to be copied as it
                is; a frame that has none is copied as JPEG.

        Raises:
            UserError: A file cannot be written, or an image not be read again.
        """
        crops = self._crops(prediction)
        paints = self.request.painted and not prediction.moment
        if pixels is None and (paints or crops or original is None):
            pixels = answer.read()
        if paints:
            path = os.path.join(self.folder, _painted(prediction))
            write_image(path, answer.paint(pixels))
        if copies := self._copies(prediction):
            if original is None:
                assert pixels is not None
                for path in copies:
                    write_image(os.path.join(self.folder, path), pixels)
            else:
                write_files(self.folder, dict.fromkeys(copies, _content(original)))
        for path, (x1, y1, x2, y2) in crops:
            assert pixels is not None
            write_image(os.path.join(self.folder, path), pixels[y1:y2, x1:x2])

    def record(self, prediction: Prediction) -> None:
        """Write an image's line, unless it has one; its files must be there.

        Raises:
            UserError: It cannot be written.
        """
        if prediction.name not in self._named:
            append_prediction(self.folder, prediction)
            self.predictions.append(prediction)
            self._named[prediction.name] = prediction

    def finish(self) -> list[str]:
        """Write the files about all images, and say in sentences what is where.

        Raises:
            UserError: A file cannot be written.
        """
        request, where, count = self.request, self.folder, len(self.predictions)
        if not count:
            return [f'{where}: nothing is written, since no image was predicted']
        files: dict[str, bytes] = {}
        images = counted(count, 'images')
        said = [f'{os.path.join(where, FILE)}: a line for each of {images}']
        if request.painted and not all(p.moment for p in self.predictions):
            said.append(f'{os.path.join(where, PAINTED)}: the images with their names')
        times = Moment._fields if any(p.moment for p in self.predictions) else ()
        if self.task == 'classification':
            if request.csv:
                rows = self._class_rows(times)
                files[CSV] = _csv((*_CLASS_COLUMNS, *times), rows)
            said += [f'{os.path.join(where, name)}: a row per image' for name in files]
            said += self._about_sorted() if request.crops else []
            write_files(where, files)
            return said
        boxes, notes = boxes_inside(as_results(self.classes, self.predictions), 0)
        if request.csv:
            rows = self._box_rows(boxes, times)
            files[CSV] = _csv((*_BOX_COLUMNS, *times), rows)
            said.append(f'{os.path.join(where, CSV)}: a row per box')
            if empty := count - len(np.unique(boxes.image)):
                said[-1] += (
                    f', and one without a name for each image without a box ({empty})'
                )
        if request.coco:
            files |= self._coco(boxes)
            said.append(
                f'{os.path.join(where, COCO)}: COCO results, with the ids of '
                f'{COCO_IMAGES}'
            )
        write_files(where, files)
        if request.crops:
            said.append(
                f'{os.path.join(where, CROPS)}: {len(boxes.score)} boxes by predicted '
                'class'
            )
            said += self._about_folders()
        if self._labels:
            said += self._labels.write(self.predictions, boxes)
        # The lines and the pictures have boxes as the network gave them.
        if request.csv or request.coco or request.crops or request.labels:
            said += notes
        return said

    def _require_own(self) -> None:
        """Raise a UserError where the lines are of another task or other classes."""
        for prediction in self.predictions:
            if prediction.boxes is not None:
                task = 'detection'
                labels = {(box['label'], box['name']) for box in prediction.boxes}
                same = labels <= set(enumerate(self.classes))
            else:
                task = 'classification'
                same = set(prediction.probabilities or ()) == set(self.classes)
            if task != self.task or not same:
                raise UserError(
                    f'{os.path.join(self.folder, FILE)}: holds predictions of another '
                    'model; choose another folder, or remove this one'
                )

    def _free_file(self, name: str, copied: bool) -> str:
        stem, suffix = os.path.splitext(name)
        if suffix.lower() not in IMAGE_SUFFIXES:
            stem, suffix = name, ''
        if not copied or not suffix:
            suffix = '.jpg'
        # Neither out of the folder nor hidden, and a folder is not called like a file.
        parts = [re.sub(r'^\.+', '_', clean_name(part)) for part in stem.split('/')]
        return free_name(short_name('/'.join(parts)), self._taken) + suffix

    def _files(self, prediction: Prediction) -> Iterator[str]:
        """Yield the paths of all files about an image, relative to the folder."""
        if self.request.painted and not prediction.moment:
            yield _painted(prediction)
        yield from self._copies(prediction)
        yield from (path for path, _ in self._crops(prediction))

    def _copies(self, prediction: Prediction) -> list[str]:
        """Return where copies of the image belong."""
        copies = [self._labels.image_of(prediction)] if self._labels else []
        if self.request.crops and prediction.boxes is None:
            folders = [self._class_folders[name] for name in prediction.names]
            copies += [
                f'{CROPS}/{folder}/{_flat(prediction.file)}' for folder in folders
            ]
        return copies

    def _crops(
        self, prediction: Prediction
    ) -> list[tuple[str, tuple[int, int, int, int]]]:
        """Return the path of each crop, and its ``xyxy`` in whole pixels."""
        if not self.request.crops or prediction.boxes is None:
            return []
        boxes = boxes_inside(as_results(self.classes, [prediction]), 0)[0]
        crops = []
        for number, (label, box) in enumerate(
            zip(boxes.label, boxes.box, strict=True), 1
        ):
            folder = self._class_folders[self.classes[label]]
            x1, y1 = np.floor(box[:2]).astype(int).tolist()
            x2, y2 = np.ceil(box[2:]).astype(int).tolist()
            path = f'{CROPS}/{folder}/{_flat(prediction.stem)}_{number}.jpg'
            crops.append((path, (x1, y1, x2, y2)))
        return crops

    def _box_rows(
        self, boxes: PredictedBoxes, times: Sequence[str]
    ) -> Iterator[Sequence[object]]:
        rows: list[list[Sequence[object]]] = [[] for _ in self.predictions]
        for image, label, box, score in zip(
            boxes.image, boxes.label, boxes.box.tolist(), boxes.score, strict=True
        ):
            sides = (round(side, _SIDE_DECIMALS) for side in box)
            rows[image].append((self.classes[label], _share(score), *sides))
        for prediction, own in zip(self.predictions, rows, strict=True):
            time = prediction.moment or ('',) * len(times)
            for row in own or [('',) * 6]:
                yield prediction.name, *row, *prediction.size, *time

    def _class_rows(self, times: Sequence[str]) -> Iterator[Sequence[object]]:
        for prediction in self.predictions:
            shares = list((prediction.probabilities or {}).items())[:2]
            best = [(name, _share(share)) for name, share in shares]
            cells = [cell for pair in [*best, ('', '')][:2] for cell in pair]
            time = prediction.moment or ('',) * len(times)
            yield prediction.name, *cells, *time

    def _coco(self, boxes: PredictedBoxes) -> dict[str, bytes]:
        """Number images and classes from 1, as saved labels in COCO do."""
        images = [
            {'id': number, 'file_name': p.name, 'width': p.size[0], 'height': p.size[1]}
            for number, p in enumerate(self.predictions, 1)
        ]
        categories = [{'id': k, 'name': name} for k, name in enumerate(self.classes, 1)]
        results = coco_results(
            boxes, range(1, len(images) + 1), range(1, len(categories) + 1)
        )
        listed = {'info': {}, 'images': images, 'categories': categories}
        return {COCO: f'{results}\n'.encode(), COCO_IMAGES: json_bytes(listed)}

    def _about_sorted(self) -> list[str]:
        unsure = sum(not prediction.names for prediction in self.predictions)
        said = f'{os.path.join(self.folder, CROPS)}: the images by predicted class'
        if unsure:
            said += f'; {unsure} reach no threshold and are in no folder'
        return [said, *self._about_folders()]

    def _about_folders(self) -> list[str]:
        return [
            f'{os.path.join(self.folder, CROPS, folder)}: the class {name!r}, which no '
            'folder can be called'
            for name, folder in self._class_folders.items()
            if name != folder
        ]


_BOX_COLUMNS = (
    *('image', 'name', 'score', 'x1', 'y1', 'x2', 'y2'),
    *('image_width', 'image_height'),
)
_CLASS_COLUMNS = ('image', 'name', 'probability', 'second', 'second_probability')
_SHARE_DECIMALS, _SIDE_DECIMALS = 4, 2
"""In tables, which people read: of scores and of pixels. The lines have them all."""


def _require_possible(task: str, request: Outputs) -> None:
    if task == 'detection':
        return
    if request.coco:
        raise UserError('COCO has no format for one class per image; use --csv')
    if request.labels:
        raise UserError(
            f'--save-labels {request.labels}: holds boxes, and a classifier has none; '
            '--crops sorts the images into folders by class, to correct by moving them'
        )


def _class_folders(classes: Iterable[str]) -> dict[str, str]:
    """Give each class a folder that any system can have, and no other class has."""
    taken: set[str] = set()
    folders = {}
    for name in classes:
        safe = re.sub(r'[\x00-\x1f<>:"/\\|?*\ud800-\udfff]', '_', name)
        safe = re.sub(r'^[.\s]+|[.\s]+$', '_', safe) or '_'
        folders[name] = free_name(short_name(safe), taken)
    return folders


def _content(original: str | os.PathLike[str] | bytes) -> bytes:
    if isinstance(original, bytes):
        return original
    try:
        with open(original, 'rb') as file:
            return file.read()
    except OSError as error:
        path = os.fspath(original)
        raise UserError(f'{path}: cannot be read ({error.strerror})') from error


def _flat(file: str) -> str:
    """Return a name for a file of any folder, which no other file has.

    So folders of the source are not taken for classes.
    """
    flat = file.replace('/', '__')
    if re.search('__|_/|/_', file):  # Another file may be called so.
        stem, suffix = os.path.splitext(flat)
        flat = f'{stem}_{hashlib.sha256(file.encode()).hexdigest()[:8]}{suffix}'
    return short_name(flat)


def _painted(prediction: Prediction) -> str:
    return f'{PAINTED}/{prediction.stem}.jpg'


def _share(value: float) -> float:
    return round(float(value), _SHARE_DECIMALS)


def _csv(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    """Write a table as RFC 4180 has it, with the mark by which Excel knows UTF-8.

    Bytes of names that are not UTF-8 are escaped, so that every reader takes the file.
    """
    text = io.StringIO(newline='')
    csv.writer(text).writerows([columns, *rows])
    return BOM_UTF8 + text.getvalue().encode(errors='backslashreplace')
