"""Truth and predictions side by side, as flat arrays: what every analysis reads.

Nothing here needs mmdet, mmpretrain or torch.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from custom_datasets.errors import UserError

Floats = NDArray[np.float64]
Integers = NDArray[np.intp]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class ImageInfo:
    """One evaluated image.

    Attributes:
        key: What tells it from others in any run: the name of its list, or the
            path below the data root.
        path: Path of the image file.
        size: Width and height in pixels; None where the predictions don't say.
    """

    key: str
    path: str
    size: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class TruthBoxes:
    """All annotated objects of a test set.

    Attributes:
        image: Shape (objects,), index into the images, ascending.
        label: Shape (objects,), index into the classes.
        box: Shape (objects, 4), zero-based ``xyxy`` in pixels of the original
            image; a box ends behind its last pixel.
        ignore: Shape (objects,), whether it counts neither as found nor as
            missed (VOC's ``difficult``).
    """

    image: Integers
    label: Integers
    box: Floats
    ignore: Flags


@dataclass(frozen=True, slots=True)
class PredictedBoxes:
    """All predicted objects of a test set.

    Attributes:
        image: Shape (predictions,), index into the images, ascending.
        label: Shape (predictions,), index into the classes.
        box: Shape (predictions, 4), as in :class:`TruthBoxes`.
        score: Shape (predictions,), 0 to 1; in descending order in each image.
    """

    image: Integers
    label: Integers
    box: Floats
    score: Floats


@dataclass(frozen=True, slots=True)
class DetectionResults:
    """What a detector predicts on a test set, and what is there.

    Attributes:
        classes: Their names, in the order that numbers them.
        images: All images, with or without objects.
        truth: What is annotated.
        predicted: What the model says.
    """

    classes: tuple[str, ...]
    images: tuple[ImageInfo, ...]
    truth: TruthBoxes
    predicted: PredictedBoxes

    def take(self, chosen: Sequence[int]) -> 'DetectionResults':
        """Return the results on some of the images, in the order given."""
        order = np.asarray(chosen, dtype=np.intp)
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
    """What a classifier predicts on a test set, and what is true.

    Attributes:
        classes: Their names, in the order that numbers them.
        images: All images.
        truth: Shape (images,), index into the classes.
        scores: Shape (images, classes), probabilities: each row sums to 1.
    """

    classes: tuple[str, ...]
    images: tuple[ImageInfo, ...]
    truth: Integers
    scores: Floats

    def take(self, chosen: Sequence[int]) -> 'ClassificationResults':
        """Return the results on some of the images, in the order given."""
        order = np.asarray(chosen, dtype=np.intp)
        images = tuple(self.images[index] for index in order)
        return ClassificationResults(
            self.classes, images, self.truth[order], self.scores[order]
        )


Results = DetectionResults | ClassificationResults


def align(first: Results, second: Results) -> tuple[Results, Results]:
    """Bring two runs' results into one order of images.

    Raises:
        UserError: They are not on the same images, classes or truth, or on copies of
            another size.
    """
    if type(first) is not type(second):
        raise UserError('one run detects and the other classifies')
    if first.classes != second.classes:
        raise UserError(
            f'the classes differ: {", ".join(first.classes)} against '
            f'{", ".join(second.classes)}'
        )
    places = {image.key: index for index, image in enumerate(second.images)}
    missing = [image.key for image in first.images if image.key not in places]
    extra = len(second.images) - (len(first.images) - len(missing))
    if missing or extra:
        example = f', {missing[0]} for one' if missing else ''
        raise UserError(
            f'the test sets differ: {len(missing)} images are in the first only and '
            f'{extra} in the second only{example}'
        )
    second = second.take([places[image.key] for image in first.images])
    for ours, theirs in zip(first.images, second.images, strict=True):
        if ours.size and theirs.size and ours.size != theirs.size:
            raise UserError(
                f'{ours.key} has {ours.size[0]}x{ours.size[1]} pixels in one and '
                f'{theirs.size[0]}x{theirs.size[1]} in the other'
            )
    if not _same_truth(first, second):
        raise UserError(
            'the test sets have the same images, but their annotations differ'
        )
    return first, second


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
