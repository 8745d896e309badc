"""Predictions as a data set of their own, to be corrected by hand.

The images are copied, so that labelling tools and ``convert.py`` take the folder as it
is. What was corrected is never written again.
"""

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from custom_datasets.data.convert import TARGETS
from custom_datasets.data.marks import NOTE, digest, read_note
from custom_datasets.data.names import class_problems
from custom_datasets.data.reading import WHOLE, Source
from custom_datasets.data.records import PREDICTED, BoxRecord, ImageRecord
from custom_datasets.errors import UserError
from custom_datasets.evaluation.results import PredictedBoxes
from custom_datasets.files import json_bytes, unwritable, write_files
from custom_datasets.predicting.predictions_log import Prediction
from custom_datasets.text import counted, printable, shown

LabelFormat = Literal['voc', 'yolo', 'coco']


class SavedLabels:
    """The folder ``labels_<format>``: copies of the images, and boxes in a format.

    Attributes:
        name: Of the folder.
    """

    def __init__(
        self, folder: str, format: LabelFormat, classes: Sequence[str], model: str
    ) -> None:
        """Write nothing yet; ``model`` says in the files who predicted.

        Raises:
            UserError: A class has a name that no data set may have.
        """
        if problems := class_problems(classes):
            raise UserError(f'labels cannot be saved: {"; ".join(problems)}')
        self.name = f'labels_{format}'
        self._folder, self._format, self._classes = folder, format, tuple(classes)
        self._images, self._write = TARGETS[format]
        self._origin = printable(' '.join(f'{PREDICTED}{model}'.split()))

    def image_of(self, prediction: Prediction) -> str:
        """Return where the copy of an image is, relative to the whole output."""
        return f'{self.name}/{self._images}/{prediction.file}'

    def write(
        self, predictions: Sequence[Prediction], boxes: PredictedBoxes
    ) -> list[str]:
        """Write the annotations of all images; return sentences about them.

        Raises:
            UserError: They cannot be written.
        """
        root = os.path.join(self._folder, self.name)
        files = self._render(predictions, boxes)
        written = read_note(root)  # Without it, all that is there counts as corrected.
        digests = {name: digest(data) for name, data in files.items()}
        changed = []
        for name in files:
            there = _digest_of(os.path.join(root, name))
            if there not in (None, digests[name], written.get(name)):
                changed.append(name)
        for name in changed:
            del files[name]
        # Of files that were replaced since, a video by a shorter one.
        for name in written.keys() - digests.keys():
            path = os.path.join(root, name)
            if _digest_of(path) == written[name]:
                try:
                    os.remove(path)
                except OSError as error:
                    raise unwritable(path, error) from error
        # What a person has changed stays known as changed.
        digests |= {name: written[name] for name in changed if name in written}
        write_files(root, {**files, NOTE: json_bytes(digests)})
        images = counted(len(predictions), 'images')
        said = [f'{root}: {images} with predicted labels, to correct']
        if changed:
            said.append(
                f'{root}: kept, because it was changed since it was written, and not '
                f'what is predicted now: {shown(changed)}; move the folder away to '
                'have all written anew'
            )
        return said

    def _render(
        self, predictions: Sequence[Prediction], boxes: PredictedBoxes
    ) -> dict[str, bytes]:
        objects: list[list[BoxRecord]] = [[] for _ in predictions]
        for image, label, box, score in zip(
            boxes.image, boxes.label, boxes.box.tolist(), boxes.score, strict=True
        ):
            own = objects[image]
            name = self._classes[label]
            own.append(BoxRecord(len(own), name, tuple(box), score=float(score)))
        records = tuple(
            ImageRecord(
                name=prediction.stem,
                image=os.path.join(self._folder, self.image_of(prediction)),
                boxes=tuple(own),
                size=prediction.size,
                origin=self._origin,
            )
            for prediction, own in zip(predictions, objects, strict=True)
        )
        source = Source(self._format, '', self._classes, {WHOLE: records})
        try:
            with tempfile.TemporaryDirectory(prefix='.', dir=self._folder) as work:
                self._write(source, {WHOLE: [p.file for p in predictions]}, work)
                return {
                    path.relative_to(work).as_posix(): path.read_bytes()
                    for path in sorted(Path(work).rglob('*'))
                    if path.is_file() and path.name != NOTE
                }
        except OSError as error:
            raise unwritable(os.path.join(self._folder, self.name), error) from error


def corrected_labels(folder: str) -> list[str]:
    """List the files of saved labels in a folder that were changed since."""
    return [
        str(path)
        for note in sorted(Path(folder).glob(f'labels_*/{NOTE}'))
        for name, written in read_note(str(note.parent)).items()
        if _digest_of(str(path := note.parent / name)) not in (None, written)
    ]


def _digest_of(path: str) -> str | None:
    """Return the digest of a file; None where there is none."""
    try:
        return digest(Path(path).read_bytes())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UserError(f'{path}: cannot be read ({error.strerror})') from error
