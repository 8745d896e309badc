"""How annotations of one picture contradict each other."""

from collections.abc import Mapping

from custom_datasets.checking.image_facts import ImageFacts
from custom_datasets.records import BoxRecord, ImageRecord
from custom_datasets.voc_xml import Box


def differences(
    image: ImageRecord,
    other: ImageRecord,
    facts: Mapping[str, ImageFacts],
    same_box: float,
) -> str:
    """Say how the annotations of two images of one picture differ.

    Args:
        image: The one.
        other: The other; it may have another size.
        facts: By path of the image.
        same_box: Boxes of a class with at least this overlap (intersection over
            union) are the same.

    Returns:
        The first difference each way, or nothing where there is none.
    """
    if image.label != other.label:
        return f'its class is {image.label} here, {other.label} there'
    here = _unmatched(image, other, facts, same_box)
    there = _unmatched(other, image, facts, same_box)
    parts = []
    for boxes, where in ((here, 'here'), (there, 'there')):
        if boxes:
            sides = ', '.join(f'{side:g}' for side in boxes[0].box)
            more = f' and {len(boxes) - 1} more' if len(boxes) > 1 else ''
            parts.append(f'{boxes[0].name} [{sides}]{more} only {where}')
    return f'boxes differ: {", ".join(parts)}' if parts else ''


def _unmatched(
    image: ImageRecord,
    other: ImageRecord,
    facts: Mapping[str, ImageFacts],
    same_box: float,
) -> list[BoxRecord]:
    """Return the boxes of one image that the other lacks, the most unlike first."""
    size, other_size = _size(image, facts), _size(other, facts)
    free = [(box.name, _scale(box.box, other_size)) for box in other.boxes]
    left = []
    for box in image.boxes:
        scaled = _scale(box.box, size)
        overlaps = [
            (_overlap(scaled, place), number)
            for number, (name, place) in enumerate(free)
            if name == box.name
        ]
        best, number = max(overlaps, default=(0.0, 0))
        if best >= same_box:
            del free[number]
        else:
            left.append((best, box))
    return [box for _, box in sorted(left, key=lambda pair: pair[0])]


def _size(image: ImageRecord, facts: Mapping[str, ImageFacts]) -> tuple[int, int]:
    known = facts[image.image or '']
    return image.size or known.size or (1, 1)


def _scale(box: Box, size: tuple[int, int]) -> Box:
    (x1, y1, x2, y2), (width, height) = box, size
    return x1 / width, y1 / height, x2 / width, y2 / height


def _overlap(one: Box, other: Box) -> float:
    if one == other:
        return 1.0  # Even where both have no area.
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0
    both = width * height
    areas = [(x2 - x1) * (y2 - y1) for x1, y1, x2, y2 in (one, other)]
    return both / (sum(areas) - both)
