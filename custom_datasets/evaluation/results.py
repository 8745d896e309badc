"""Truth and predictions as flat arrays, and the files of ``tools/test.py --out``.

Everything is measured on these. Nothing here needs mmdet, mmpretrain or torch
(except what is in a file).
"""

import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from custom_datasets.errors import UserError
from custom_datasets.files import replace_file, unwritable
from custom_datasets.pickles import read_pickle
from custom_datasets.text import counted

Floats = NDArray[np.float64]
Integers = NDArray[np.intp]
Flags = NDArray[np.bool_]

Samples = list[dict[str, Any]]
"""What a file of predictions holds: one dictionary per image, as OpenMMLab packs it."""


@dataclass(frozen=True, slots=True)
class ImageInfo:
    """An evaluated image; ``key`` names it in any run, ``size`` is width and height."""

    key: str
    path: str
    size: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class TruthBoxes:
    """All annotated objects of a test set, ordered by image.

    Boxes are (objects, 4), zero-based ``xyxy`` in pixels of the original image, and end
    behind their last pixel. ``ignore`` (VOC's ``difficult``): neither found nor missed.
    """

    image: Integers
    label: Integers
    box: Floats
    ignore: Flags


@dataclass(frozen=True, slots=True)
class PredictedBoxes:
    """All predicted objects, ordered by image and then by descending score."""

    image: Integers
    label: Integers
    box: Floats
    score: Floats


@dataclass(frozen=True, slots=True)
class DetectionResults:
    """Objects and predictions on all images, with or without either."""

    classes: tuple[str, ...]
    images: tuple[ImageInfo, ...]
    truth: TruthBoxes
    predicted: PredictedBoxes

    def take(self, indices: Sequence[int]) -> 'DetectionResults':
        """Return the results on some of the images, in this order."""
        order = np.asarray(indices, dtype=np.intp)
        true, true_image = _rows(self.truth.image, order)
        pred, pred_image = _rows(self.predicted.image, order)
        return DetectionResults(
            self.classes,
            tuple(self.images[index] for index in order),
            TruthBoxes(
                true_image,
                self.truth.label[true],
                self.truth.box[true],
                self.truth.ignore[true],
            ),
            PredictedBoxes(
                pred_image,
                self.predicted.label[pred],
                self.predicted.box[pred],
                self.predicted.score[pred],
            ),
        )


@dataclass(frozen=True, slots=True)
class ClassificationResults:
    """True classes, shape (images,), and probabilities, shape (images, classes)."""

    classes: tuple[str, ...]
    images: tuple[ImageInfo, ...]
    truth: Integers
    scores: Floats

    def take(self, indices: Sequence[int]) -> 'ClassificationResults':
        """Return the results on some of the images, in this order."""
        order = np.asarray(indices, dtype=np.intp)
        images = tuple(self.images[index] for index in order)
        return ClassificationResults(
            self.classes, images, self.truth[order], self.scores[order]
        )


Results = DetectionResults | ClassificationResults


def read_results(path: str, classes: Sequence[str] | None = None) -> Results:
    """Read predictions and truth; unnamed classes are called ``0``, ``1``, ..."""
    samples = read_samples(path)
    try:
        if is_detection(samples):
            return detection_results(samples, classes)
        return classification_results(samples, classes)
    except UserError as error:
        raise UserError(f'{path}: {error}') from error


def read_samples(path: str) -> Samples:
    """Read a file of predictions as it is."""
    content: Any
    try:
        content = read_pickle(path)
    except UserError:
        raise
    except OSError as error:
        raise UserError(f'{path}: cannot be read ({error.strerror})') from error
    except Exception as error:  # Unpickling raises whatever is in the file.
        raise UserError(
            f'{path}: not a file of predictions ({type(error).__name__}: {error}); '
            'tools/test.py --out writes one'
        ) from error
    samples: Samples = content if isinstance(content, list) else []
    if not samples or not all(isinstance(sample, dict) for sample in samples):
        fault = 'empty' if content == [] else 'not a list of images'
        raise UserError(f'{path}: it is {fault}; tools/test.py --out writes one')
    return samples


def write_samples(path: str, samples: Samples) -> None:
    """Write a file of predictions, whole or not at all."""
    try:
        with replace_file(path) as file:
            pickle.dump(samples, file)
    except OSError as error:
        raise unwritable(path, error) from error


def is_detection(samples: Samples) -> bool:
    """Tell a detector's predictions from a classifier's."""
    return 'pred_instances' in samples[0]


def detection_results(
    samples: Samples, classes: Sequence[str] | None = None
) -> DetectionResults:
    """Put a detector's predictions and mmdet's ``instances``, the truth, into arrays.

    Raises:
        UserError: There is no truth, or a label has no name.
    """
    truth: list[tuple[int, int, list[float], bool]] = []
    predicted = []
    for index, sample in enumerate(samples):
        if 'instances' not in sample:
            raise UserError(
                f'no ground truth for {sample.get("img_path")}; let the test pipeline '
                "keep it: PackDetInputs(meta_keys=(..., 'instances'))"
            )
        truth += [
            (index, item['bbox_label'], item['bbox'], bool(item.get('ignore_flag')))
            for item in sample['instances']
        ]
        instances = sample['pred_instances']
        score = _array(instances['scores'])
        order = np.argsort(-score, kind='stable')
        predicted.append(
            (
                np.full(len(score), index),
                _array(instances['labels']).astype(np.intp)[order],
                _array(instances['bboxes']).reshape(-1, 4)[order],
                score[order],
            )
        )
    image, label, box, score = map(np.concatenate, zip(*predicted, strict=True))
    boxes = TruthBoxes(
        np.array([row[0] for row in truth], dtype=np.intp),
        np.array([row[1] for row in truth], dtype=np.intp),
        np.array([row[2] for row in truth], dtype=np.float64).reshape(-1, 4),
        np.array([row[3] for row in truth], dtype=bool),
    )
    largest = int(max(boxes.label.max(initial=-1), label.max(initial=-1)))
    return DetectionResults(
        _names(classes, largest),
        _images(samples, [sample.get('img_id') for sample in samples]),
        boxes,
        PredictedBoxes(image.astype(np.intp), label, box, score),
    )


def classification_results(
    samples: Samples, classes: Sequence[str] | None = None
) -> ClassificationResults:
    """Put ``pred_score`` and ``gt_label`` of a classifier's samples into arrays.

    Raises:
        UserError: There is no truth, or not one name per class.
    """
    unknown = [s.get('img_path') for s in samples if 'gt_label' not in s]
    if unknown:
        raise UserError(f'no ground truth for {unknown[0]}')
    scores = np.stack([_array(sample['pred_score']) for sample in samples])
    truth = np.array([int(_array(sample['gt_label'])[0]) for sample in samples])
    names = _names(classes, int(max(scores.shape[1] - 1, truth.max())))
    if len(names) != scores.shape[1]:
        raise UserError(
            f'{counted(scores.shape[1], "scores")} per image, but '
            f'{counted(len(names), "classes")}'
        )
    return ClassificationResults(
        names, _images(samples, [None] * len(samples)), truth.astype(np.intp), scores
    )


def align(first: Results, second: Results) -> tuple[Results, Results]:
    """Bring two runs' results into one order of images.

    Raises:
        UserError: They are not on the same images, classes or truth, or on copies of
            another size.
    """
    if type(first) is not type(second):
        raise UserError('one is of a detector and the other of a classifier')
    if first.classes != second.classes:
        raise UserError(
            f'the classes differ: {", ".join(first.classes)} and '
            f'{", ".join(second.classes)}'
        )
    places = {image.key: index for index, image in enumerate(second.images)}
    missing = [image.key for image in first.images if image.key not in places]
    extra = len(second.images) - (len(first.images) - len(missing))
    if missing or extra:
        example = f' (for example {missing[0]})' if missing else ''
        raise UserError(
            'the test sets differ: '
            f'{counted(len(missing), "images are", "image is")} only in the first'
            f'{example}, {extra} only in the second'
        )
    second = second.take([places[image.key] for image in first.images])
    for ours, theirs in zip(first.images, second.images, strict=True):
        if ours.size and theirs.size and ours.size != theirs.size:
            raise UserError(
                f'{ours.key} is {ours.size[0]}x{ours.size[1]} pixels in the first and '
                f'{theirs.size[0]}x{theirs.size[1]} in the second'
            )
    if not _same_truth(first, second):
        raise UserError(
            'the test sets have the same images, but their annotations differ'
        )
    return first, second


def require_same_classes(test: Results, val: Results | None) -> None:
    """Raise a UserError where validation and test set have different classes."""
    if val is not None and val.classes != test.classes:
        raise UserError(
            f'validation has the classes {", ".join(val.classes)}, but the test set '
            f'has {", ".join(test.classes)}; take the predictions of one model'
        )


def image_keys(paths: Sequence[str]) -> list[str]:
    """Name each path by as few of its last parts as tell all of them apart."""
    parts = [Path(path).parts for path in paths]
    deepest = max(map(len, parts), default=1)
    keys: list[str] = []
    for depth in range(1, deepest + 1):
        keys = ['/'.join(part[-depth:]) for part in parts]
        if len(set(keys)) == len(keys):
            break
    return keys


def _same_truth(first: Results, second: Results) -> bool:
    if isinstance(first, ClassificationResults):
        return np.array_equal(first.truth, second.truth)  # type: ignore[arg-type]
    assert isinstance(second, DetectionResults)
    ours, theirs = first.truth, second.truth
    return (
        np.array_equal(ours.image, theirs.image)
        and np.array_equal(ours.label, theirs.label)
        and np.allclose(ours.box, theirs.box, atol=1e-3)
        and np.array_equal(ours.ignore, theirs.ignore)
    )


def _rows(image: Integers, order: Integers) -> tuple[Integers, Integers]:
    """Return the rows of images in a new order, and the images they then have."""
    starts = np.searchsorted(image, order, side='left')
    counts = np.searchsorted(image, order, side='right') - starts
    ends = np.cumsum(counts)
    total = int(ends[-1]) if len(ends) else 0
    shift = np.repeat(starts - (ends - counts), counts)
    return np.arange(total) + shift, np.repeat(np.arange(len(order)), counts)


def _images(samples: Samples, names: Sequence[Any]) -> tuple[ImageInfo, ...]:
    paths = [str(sample.get('img_path') or '') for sample in samples]
    keys = [str(name) for name in names] if None not in names else image_keys(paths)
    if len(set(keys)) < len(keys):
        repeated = next(key for key in keys if keys.count(key) > 1)
        raise UserError(f'{repeated} appears twice')
    shapes = [sample.get('ori_shape') for sample in samples]
    sizes = [(int(shape[1]), int(shape[0])) if shape else None for shape in shapes]
    return tuple(map(ImageInfo, keys, paths, sizes))


def _names(classes: Sequence[str] | None, largest: int) -> tuple[str, ...]:
    names = tuple(map(str, range(largest + 1)) if classes is None else classes)
    if largest >= len(names):
        raise UserError(f'label {largest}, but only {counted(len(names), "classes")}')
    return names


def _array(value: Any) -> Floats:
    return np.asarray(value, dtype=np.float64)
