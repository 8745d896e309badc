"""Which images belong together: by their content, and by their names."""

import os
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from custom_datasets.data.image_facts import COLOUR_SIDE, THUMBNAIL_SIDE, ImageFacts
from custom_datasets.data.origins import merge_groups
from custom_datasets.data.records import BoxRecord, ImageRecord, iou

MOST_ALIKE = 20
"""Larger groups of pictures that are alike are so by nature: a fixed camera, one
product at one place. These are reported, but not kept together."""

_COARSE_LIKENESS = 0.95
_FINE_LIKENESS = 0.85
_COLOUR_DISTANCE = 24  # Of Cr or Cb in a cell of the colour grid, of 255.
_PAIRS_PER_IMAGE = 20
_ROBOFLOW = re.compile(r'(?P<source>.+)\.rf\.[0-9A-Za-z]{16,}')
_PIECE = re.compile(
    r'(?P<source>.*\d)[-_. ]'
    r'(?:(?:aug|bbox|box|copy|crop|det|obj|object|patch|roi|slice|tile)[-_]?)?'
    r'\d{1,2}',
    re.IGNORECASE,
)
_COARSE_SIDE = 8
_LEAST_FINE = 0.6  # In gray levels; rounding to bytes alone makes 0.29.
_BLOCK = 256

Vectors = NDArray[np.float32]


class AlikeGroup(NamedTuple):
    """Pictures that show the same: one file each, and whether some are mirrored."""

    paths: tuple[str, ...]
    mirrored: bool


def identical_groups(facts: Mapping[str, ImageFacts]) -> list[tuple[str, ...]]:
    """Group files whose decoded pixels are equal; each is in at most one group."""
    groups: dict[str, list[str]] = defaultdict(list)
    for path, fact in facts.items():
        if fact.pixels:
            groups[fact.pixels].append(path)
    return [tuple(paths) for paths in groups.values() if len(paths) > 1]


def alike_groups(facts: Mapping[str, ImageFacts]) -> list[AlikeGroup]:
    """Group pictures that show the same: recompressed, resized, shot twice.

    Files with equal pixels count as one picture, the first of them. A group may be a
    chain, whose ends are less alike than neighbours.
    """
    firsts: dict[str, str] = {}
    for path, fact in facts.items():
        if fact.pixels and fact.decodes == 'whole':
            firsts.setdefault(fact.pixels, path)
    paths = list(firsts.values())
    pairs = _find_alike([facts[path] for path in paths])
    mirrored = set()
    links: list[dict[str, int]] = []
    for first, second, is_mirrored in islice(pairs, _PAIRS_PER_IMAGE * len(paths)):
        links.append(dict.fromkeys((paths[first], paths[second]), len(links)))
        if is_mirrored:
            mirrored |= set(links[-1])
    joined = merge_groups(*links)
    members: dict[str, list[str]] = defaultdict(list)
    for path in paths:
        if path in joined:
            members[joined[path]].append(path)
    return [
        AlikeGroup(tuple(group), not mirrored.isdisjoint(group))
        for group in members.values()
    ]


def content_groups(facts: Mapping[str, ImageFacts]) -> dict[str, str]:
    """Group files that a split must keep together, because of their content.

    Returns for each path the first path, in alphabetical order, of its group: of files
    with identical pixels, and of pictures that show the same where these are no more
    than :data:`MOST_ALIKE`. A file that is like no other is its own group.
    """
    ordered = {path: facts[path] for path in sorted(facts)}
    alike = {
        path: group.paths[0]
        for group in alike_groups(ordered)
        if len(group.paths) <= MOST_ALIKE
        for path in group.paths
    }
    pixels = {path: fact.pixels or path for path, fact in ordered.items()}
    return merge_groups(pixels, alike)


def source_groups(images: Iterable[ImageRecord]) -> list[tuple[str, list[str]]]:
    """Group files that come from one picture, as far as their names say so.

    Known are Roboflow's exports, ``<picture>.rf.<hash>``, and pieces numbered after the
    name of a picture, which ends in a digit: ``<picture>_<n>``, as
    :mod:`custom_datasets.data.defect_crops` writes them, and ``<picture>_crop<n>``. A
    picture with more than :data:`MOST_ALIKE` pieces is taken for a series of its own.
    Returns names of pictures, and the paths of two or more images each.
    """
    groups: dict[tuple[str, str], list[str]] = defaultdict(list)
    pieces: dict[str, list[str]] = defaultdict(list)
    for path, label in {image.image: image.label for image in images}.items():
        stem = os.path.splitext(os.path.basename(path or ''))[0]
        if match := _ROBOFLOW.fullmatch(stem):
            # Each class folder may number its files from the start.
            groups[match['source'], label or ''].append(path or '')
        elif match := _PIECE.fullmatch(stem):
            pieces[match['source']].append(path or '')
    for source, paths in pieces.items():
        if len(paths) <= MOST_ALIKE:
            groups[source, ''] += paths
    return [(source, paths) for (source, _), paths in groups.items() if len(paths) > 1]


def differences(
    image: ImageRecord,
    other: ImageRecord,
    facts: Mapping[str, ImageFacts],
    same_box: float,
) -> str:
    """Say how the annotations of two images of one picture differ, if they do.

    The images may have different sizes; boxes of a class with at least an IoU of
    ``same_box`` are the same. Only the first difference each way is named.
    """
    if image.label != other.label:
        return f'its class is {image.label} here, {other.label} there'
    parts = []
    for a, b, where in ((image, other, 'here'), (other, image, 'there')):
        if boxes := _unmatched(a, b, facts, same_box):
            sides = ', '.join(f'{side:g}' for side in boxes[0].box)
            more = f' and {len(boxes) - 1} more' if len(boxes) > 1 else ''
            parts.append(f'{boxes[0].name} [{sides}]{more} only {where}')
    return f'boxes differ: {", ".join(parts)}' if parts else ''


def _find_alike(facts: Sequence[ImageFacts]) -> Iterator[tuple[int, int, bool]]:
    """Yield all pairs that show the same, and whether one is mirrored.

    Pictures without a thumbnail, or with too little in it, match nothing.
    """
    places = [i for i, fact in enumerate(facts) if fact.thumbnail and fact.compared]
    waves = _transform([facts[i].thumbnail for i in places])
    coarse = waves[:, :_COARSE_SIDE, :_COARSE_SIDE].copy()
    coarse[:, 0, 0] = 0
    waves[:, :_COARSE_SIDE, :_COARSE_SIDE] = 0
    energy = np.linalg.norm(waves, axis=(1, 2)) / THUMBNAIL_SIDE
    usable = np.flatnonzero(energy > _LEAST_FINE)
    for a, b, mirrored in _pairs(_unit(coarse[usable]), _unit(waves[usable])):
        first, second = places[usable[a]], places[usable[b]]
        if _has_same_colours(facts[first], facts[second], mirrored):
            yield first, second, mirrored


def _pairs(coarse: Vectors, fine: Vectors) -> Iterator[tuple[int, int, bool]]:
    for mirrored in (False, True):
        coarse_signs, fine_signs = _signs(_COARSE_SIDE), _signs(THUMBNAIL_SIDE)
        if not mirrored:
            coarse_signs, fine_signs = coarse_signs**2, fine_signs**2
        for start in range(0, len(coarse), _BLOCK):
            rows = coarse[start : start + _BLOCK] * coarse_signs
            like = np.triu(rows @ coarse[start:].T > _COARSE_LIKENESS, 1)
            lefts, rights = np.flatnonzero(like.any(1)), np.flatnonzero(like.any(0))
            close = (fine[lefts + start] * fine_signs) @ fine[rights + start].T
            for a, b in np.argwhere(
                (close > _FINE_LIKENESS) & like[np.ix_(lefts, rights)]
            ):
                yield int(lefts[a]) + start, int(rights[b]) + start, mirrored


def _has_same_colours(one: ImageFacts, other: ImageFacts, mirrored: bool) -> bool:
    """Compare colours; a copy in gray, which has none, is not another picture."""
    if one.gray != other.gray:
        return True
    grids = [
        np.frombuffer(facts.colour, np.uint8).reshape(COLOUR_SIDE, COLOUR_SIDE, 2)
        for facts in (one, other)
    ]
    distance = grids[0].astype(int) - (grids[1][:, ::-1] if mirrored else grids[1])
    return bool(np.abs(distance).max() <= _COLOUR_DISTANCE)


def _transform(thumbnails: Sequence[bytes]) -> Vectors:
    """Return the orthonormal DCT-II of thumbnails, shape (n, 32, 32)."""
    side = THUMBNAIL_SIDE
    steps = np.arange(side)
    wave = np.cos(np.pi * (steps + 0.5) * steps[:, None] / side) * (2 / side) ** 0.5
    wave[0] /= 2**0.5
    basis = wave.astype(np.float32)
    waves = np.empty((len(thumbnails), side, side), np.float32)
    for start in range(0, len(thumbnails), _BLOCK):
        block = thumbnails[start : start + _BLOCK]
        values = np.frombuffer(b''.join(block), np.uint8).reshape(-1, side, side)
        waves[start : start + _BLOCK] = basis @ values.astype(np.float32) @ basis.T
    return waves


def _signs(side: int) -> Vectors:
    """Return what mirroring does to waves: it negates those that are odd in x."""
    signs = np.ones((side, side), np.float32)
    signs[:, 1::2] = -1
    return signs.ravel()


def _unit(waves: Vectors) -> Vectors:
    flat = waves.reshape(len(waves), waves.shape[1] * waves.shape[2])
    flat /= np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-6)
    return flat


def _unmatched(
    image: ImageRecord,
    other: ImageRecord,
    facts: Mapping[str, ImageFacts],
    same_box: float,
) -> list[BoxRecord]:
    boxes, others = _scaled(image, facts), _scaled(other, facts)
    # Equal boxes are the same even where they have no area.
    equal = (boxes[:, None] == others).all(-1)
    overlaps = np.where(equal, 1.0, iou(boxes[:, None], others))
    names = np.array([box.name for box in other.boxes])
    unmatched = []
    for row, box in zip(overlaps, image.boxes, strict=True):
        row[names != box.name] = 0
        best = row.max(initial=0)
        if best >= same_box:
            overlaps[:, row.argmax()] = 0
        else:
            unmatched.append((best, box))
    return [box for _, box in sorted(unmatched, key=lambda pair: pair[0])]


def _scaled(image: ImageRecord, facts: Mapping[str, ImageFacts]) -> NDArray[np.float64]:
    """Return boxes, shape (n, 4), as shares of the image's width and height."""
    width, height = image.size or facts[image.image or ''].size or (1, 1)
    boxes = np.array([box.box for box in image.boxes], float).reshape(-1, 4)
    scaled: NDArray[np.float64] = boxes / (width, height, width, height)
    return scaled
