"""COCO JSON: ``images``, ``annotations`` and ``categories`` in one file per part.

Format: https://cocodataset.org/#format-data; ``bbox`` is ``[x, y, width,
height]`` in pixels, zero-based. Data set, check, split, conversion,
cross-validation and submission all read it here.
"""

import json
import math
import posixpath
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from custom_datasets.data.images import claimed_size
from custom_datasets.data.marks import (
    ORIGIN,
    ORIGIN_DIGEST,
    boxes_digest,
    is_predicted,
)
from custom_datasets.data.names import EmptyListError, class_problems, json_name
from custom_datasets.data.numbers import add, finite_numbers
from custom_datasets.data.opening import load_json
from custom_datasets.data.problems import Problem, raise_refused
from custom_datasets.data.records import Box, BoxRecord, ImageRecord
from custom_datasets.data.tree import FindImage, tidy
from custom_datasets.errors import UserError
from custom_datasets.text import counted, is_utf8, printable, shown

Id = int | float | str

_LISTS = ('images', 'annotations', 'categories')


@dataclass(frozen=True, slots=True)
class CocoFile:
    """What a COCO JSON says.

    Attributes:
        content: All of it, unchanged.
        images: In the file's order, each with what can be read of its objects. A name
            is a tidied ``file_name``, an object's index its place in ``annotations``,
            and boxes may have no area.
        ids: The id of each image by its name, as written in the file.
        categories: The id and the name of each category, in the file's order.
        broken: Names of the images that some refused problem is about.
    """

    path: str
    content: Mapping[str, Any]
    images: tuple[ImageRecord, ...]
    ids: dict[str, Id]
    categories: tuple[tuple[Id, str], ...]
    broken: frozenset[str]


def read_coco_file(
    path: str, find_image: FindImage | None = None, *, needs_truth: bool = True
) -> tuple[CocoFile, list[Problem]]:
    """Read a COCO JSON, and what is wrong with its entries.

    A polygon without a ``bbox`` becomes the box around it, ``iscrowd`` is difficult,
    and ids that are text match the same number. Without ``find_image`` no image file is
    looked for. Unless ``needs_truth``, annotations may be missing, as in a
    competition's test set, and then categories may be, too. Raises a UserError where
    the file can't be read, is not COCO, or has an empty list.
    """
    return parse_coco(path, load_json(path), find_image, needs_truth=needs_truth)


def read_sound_coco(
    path: str, find_image: FindImage | None = None, *, needs_truth: bool = True
) -> CocoFile:
    """Read a COCO JSON; an AnnotationError has every problem that is refused."""
    file, problems = read_coco_file(path, find_image, needs_truth=needs_truth)
    raise_refused(path, problems)
    return file


def looks_like_coco(content: Any) -> bool:
    """Say whether a JSON's content has two of COCO's lists, or file names of images."""
    if not isinstance(content, dict):
        return False
    images = content.get('images')
    entries = images if isinstance(images, list) else ()
    named = any(isinstance(entry, dict) and 'file_name' in entry for entry in entries)
    return named or sum(key in content for key in _LISTS) > 1


def parse_coco(
    path: str,
    content: Any,
    find_image: FindImage | None = None,
    *,
    needs_truth: bool = True,
) -> tuple[CocoFile, list[Problem]]:
    """Do as :func:`read_coco_file` does with content that is already loaded."""
    parser = _Parser(path)
    lists = _require_lists(path, content, needs_truth)
    parser.read_images(lists['images'], find_image)
    parser.read_categories(lists['categories'])
    parser.read_annotations(lists['annotations'])
    images = parser.images.values()
    file = CocoFile(
        path=path,
        content=content,
        images=tuple(image.record(path) for image in images),
        ids={image.name: image.id for image in images},
        categories=tuple(parser.categories),
        broken=frozenset(image.name for image in images if image.is_broken),
    )
    return file, parser.problems


def _require_lists(
    path: str, content: Any, needs_truth: bool
) -> dict[str, Sequence[Any]]:
    """Return the three lists; those of the truth are empty where they may be absent.

    Raises an EmptyListError where there is none of something that is needed.
    """
    lists = dict(content) if isinstance(content, dict) else {}
    needed: tuple[str, ...] = _LISTS
    if not needs_truth and not lists.get('annotations'):
        needed = ('images',)
        lists = {
            **lists,
            'annotations': [],
            'categories': lists.get('categories') or [],
        }
    absent = [key for key in _LISTS if not isinstance(lists.get(key), list)]
    if absent:
        raise UserError(f'{path}: not COCO, it has no list of {", ".join(absent)}')
    for key in needed:
        if not lists[key]:
            raise EmptyListError(f'{path}: its list of {key} is empty')
    return lists


@dataclass(slots=True)
class _Image:
    """An entry of ``images``; ``id`` may be missing, ``written`` is its file_name.

    ``mark`` has who predicted its boxes, and their digest as they were written.
    """

    name: str
    written: str
    id: Any
    path: str | None
    size: tuple[int, int] | None
    mark: tuple[str, str] = ('', '')
    boxes: list[BoxRecord] = field(default_factory=list)
    is_broken: bool = False

    def record(self, file: str) -> ImageRecord:
        origin, written = self.mark
        if not is_predicted(origin) or (
            written and written != boxes_digest(self.boxes)
        ):
            origin = ''
        return ImageRecord(
            name=self.name,
            image=self.path,
            annotation=file,
            boxes=tuple(self.boxes),
            size=self.size,
            origin=origin,
        )


class _Parser:
    def __init__(self, path: str) -> None:
        self.path = path
        self.problems: list[Problem] = []
        self.images: dict[str, _Image] = {}
        self.categories: list[tuple[Id, str]] = []
        # None stands for an entry with a problem of its own.
        self._by_id: dict[Id, _Image | None] = {}
        self._names: dict[Id, tuple[Any, str | None]] = {}

    def _report(self, code: str, message: str, index: int | None = None) -> None:
        self.problems.append(Problem(code, message, self.path, index))

    def read_images(self, entries: Sequence[Any], find_image: FindImage | None) -> None:
        elsewhere = []
        for index, entry in enumerate(entries):
            image = self._image(index, entry)
            if image is None:
                continue
            if find_image:
                try:
                    image.path = find_image(image.name)
                except UserError as error:
                    self._report('missing-image', str(error))
                    image.is_broken = True
            is_there = image.path and image.path.endswith(image.name)
            if image.path and ('\\' in image.written or not is_there):
                elsewhere.append(f'{image.written} is {image.path}')
            self._add_image(image)
        if elsewhere:
            text = counted(
                len(elsewhere),
                'images are not where their file_name says, but found by its end',
                'image is not where its file_name says, but found by its end',
            )
            self._report('loose-coco', f'{text}: {shown(elsewhere, 1)}')

    def _image(self, index: int, entry: Any) -> _Image | None:
        if not isinstance(entry, dict):
            text = f'images, entry {index}: {_brief(entry)} is not an object'
            self._report('broken-annotation', text)
            return None
        name, number = entry.get('file_name'), entry.get('id')
        if not isinstance(name, str) or not name:
            text = f'images, entry {index}: its file_name is {_brief(name)}'
            self._report('broken-annotation', text)
            self._by_id.setdefault(_key(number), None)
            return None
        if not is_utf8(name):
            text = f'images, entry {index}: its file_name is {_brief(name)}'
            self._report('broken-annotation', f'{text}, not in UTF-8')
            self._by_id.setdefault(_key(number), None)
            return None
        mark = str(entry.get(ORIGIN, '')), str(entry.get(ORIGIN_DIGEST, ''))
        return _Image(tidy(name), name, number, None, claimed_size(entry), mark)

    def _add_image(self, image: _Image) -> None:
        key = _key(image.id)
        place = posixpath.normpath(image.path or image.name)
        if place in self.images:
            first = self.images[place]
            alias = '' if first.written == image.written else f', as {first.written}'
            self._report('listed-twice', f'{image.written} is listed again{alias}')
            self._by_id.setdefault(key, None)
            first.is_broken = True
            return
        self.images[place] = image
        if key == _NO_ID:
            text = f'{image.name}: its id is {_brief(image.id)}'
            self._report('broken-annotation', text)
            image.is_broken = True
        elif key in self._by_id:
            owner = self._by_id[key]
            text = f'that of {owner.name} too' if owner else 'taken'
            self._report('listed-twice', f'{image.name}: the id {image.id!r} is {text}')
            image.is_broken = True
            if owner:
                owner.is_broken = True
        else:
            self._by_id[key] = image

    def read_categories(self, entries: Sequence[Any]) -> None:
        for index, entry in enumerate(entries):
            if not isinstance(entry, dict):
                text = f'categories, entry {index}: {_brief(entry)} is not an object'
                self._report('broken-annotation', text)
                continue
            number, written = entry.get('id'), entry.get('name')
            key, name = _key(number), json_name(written)
            names = dict.fromkeys(other for _, other in self.categories)
            names[name] = None
            if name and (problems := class_problems(list(names))):
                self._report(
                    'broken-annotation', f'categories, entry {index}: {problems[0]}'
                )
                self._names.setdefault(key, (number, None))
                continue
            if not name or key == _NO_ID:
                what = (
                    f'id is {_brief(number)}' if name else f'name is {_brief(written)}'
                )
                text = f'categories, entry {index}: its {what}'
                self._report('broken-annotation', text)
                self._names.setdefault(key, (number, None))
            elif key in self._names:
                if self._names[key][1] != name:
                    text = f'the id {number!r} is that of {self._names[key][1]} too'
                    self._report('broken-annotation', f'category {name}: {text}')
            else:
                self._add_category(key, number, name, written)

    def _add_category(self, key: Id, number: Any, name: str, written: Any) -> None:
        if name != written:
            text = f'the category {written!r} is read as {name!r}'
            self._report('loose-coco', text)
        if any(name == other for _, other in self.categories):
            self._report('loose-coco', f'the category {name} has several ids')
        self._names[key] = number, name
        self.categories.append((number, name))

    def read_annotations(self, entries: Sequence[Any]) -> None:
        polygons = texts = 0
        for index, entry in enumerate(entries):
            if not isinstance(entry, dict):
                text = f'{_brief(entry)} is not an object'
                self._report('broken-annotation', text, index)
                continue
            number = entry.get('image_id')
            key = _key(number)
            if key == _NO_ID or key not in self._by_id:
                self._report('no-image', f'no image has the id {_brief(number)}', index)
                continue
            image = self._by_id[key]
            if image is None:
                continue
            try:
                category, name = self._category(entry)
                box, is_polygon = _box(entry)
                is_crowd = _is_crowd(entry)
            except UserError as error:
                self._report('broken-annotation', str(error), index)
                image.is_broken = True
                continue
            if name is None:
                image.is_broken = True
                continue
            polygons += is_polygon
            texts += number != image.id or entry['category_id'] != category
            image.boxes.append(BoxRecord(index, name, box, is_crowd))
        if polygons:
            text = counted(
                polygons,
                'boxes are those around polygons, for lack of a "bbox"',
                'box is that around polygons, for lack of a "bbox"',
            )
            self._report('loose-coco', text)
        if texts:
            text = counted(
                texts,
                'objects have an id as text that is a number elsewhere',
                'object has an id as text that is a number elsewhere',
            )
            self._report('loose-coco', text)

    def _category(self, entry: Mapping[str, Any]) -> tuple[Id, str | None]:
        number = entry.get('category_id')
        key = _key(number)
        if key == _NO_ID or key not in self._names:
            raise UserError(f'no category has the id {_brief(number)}')
        return self._names[key]


_NO_ID = ''


def _key(value: Any) -> Id:
    """Return an id by which text matches the same number; ``''`` if it is not an id."""
    if type(value) is int:
        return value
    if isinstance(value, str):
        is_number = value.isascii() and value.isdecimal() and len(value) < 19
        return int(value) if is_number and str(int(value)) == value else value
    return value if isinstance(value, float) and math.isfinite(value) else _NO_ID


def _brief(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return printable(text if len(text) <= 60 else f'{text[:57]}...')


_CROWDS = {None: False, 0: False, 1: True, '0': False, '1': True}


def _is_crowd(entry: Mapping[str, Any]) -> bool:
    try:
        return _CROWDS[entry.get('iscrowd')]
    except (KeyError, TypeError) as error:
        text = f'its iscrowd is {_brief(entry["iscrowd"])}, and not 0 or 1'
        raise UserError(text) from error


def _box(entry: Mapping[str, Any]) -> tuple[Box, bool]:
    """Return the box of an annotation, and whether it is one around a polygon."""
    bbox = entry.get('bbox')
    if bbox:
        sides = finite_numbers(bbox)
        if len(sides) != 4:
            raise UserError('no "bbox" of four finite numbers below 1e12')
        x, y, width, height = sides
        return (x, y, add(x, width), add(y, height)), False
    polygons = entry.get('segmentation')
    points = [
        finite_numbers(polygon)
        for polygon in (polygons if isinstance(polygons, list) else ())
    ]
    if not points or not all(len(sides) > 1 for sides in points):
        raise UserError(
            'no "bbox" of four finite numbers below 1e12, and no polygon either'
        )
    xs = [x for sides in points for x in sides[::2]]
    ys = [y for sides in points for y in sides[1::2]]
    return (min(xs), min(ys), max(xs), max(ys)), True
