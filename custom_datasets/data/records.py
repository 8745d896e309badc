"""What annotations say about images: plain records, before any judgement.

A data set is read into these once, however it is stored; checks, splits,
conversions and reports work on them. Nothing here needs mmdet or torch.
"""

from dataclasses import dataclass

Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class BoxRecord:
    """One annotated object.

    Attributes:
        index: Its place in the annotation file, counted from 0.
        name: Its class.
        box: ``xmin, ymin, xmax, ymax`` in pixels, as the file has them, in the
            base that :attr:`SplitRecords.one_based` names; neither clipped nor
            in order.
        difficult: Whether it counts in neither training nor evaluation.
    """

    index: int
    name: str
    box: Box
    difficult: bool = False


@dataclass(frozen=True, slots=True)
class ImageRecord:
    """One image and what is annotated on it.

    Attributes:
        name: What its list or annotation calls it.
        image: Path of the image file; None where there is none.
        annotation: Path of the file that annotates it; None where there is
            none.
        boxes: Its objects; empty in classification.
        label: The class of the whole image; None in detection.
        size: Width and height in pixels that the annotation claims; None
            where it claims none.
        filename: The image file's name that the annotation claims; None where
            it claims none.
    """

    name: str
    image: str | None
    annotation: str | None = None
    boxes: tuple[BoxRecord, ...] = ()
    label: str | None = None
    size: tuple[int, int] | None = None
    filename: str | None = None


@dataclass(frozen=True, slots=True)
class SplitRecords:
    """All images of one part of a data set.

    Attributes:
        split: ``train``, ``val`` or ``test``.
        classes: Known class names, in the order that numbers them.
        images: In the list's order.
        one_based: Whether boxes count pixels from 1, as VOC's do; then a box
            includes the pixels of its ``xmax`` and ``ymax``.
        ignored: Classes that are left out on purpose.
        source: The list or file that names the images.
    """

    split: str
    classes: tuple[str, ...]
    images: tuple[ImageRecord, ...]
    one_based: bool = False
    ignored: frozenset[str] = frozenset()
    source: str = ''
