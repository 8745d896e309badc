"""How a fault is planted: its place, what to expect, and the registries."""

import io
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
from PIL import Image

SIDES = ('xmin', 'ymin', 'xmax', 'ymax')


@dataclass(frozen=True)
class Expected:
    """What a check must find.

    Attributes:
        code: Suggested code of the finding.
        split: Where it is; None where it may be any list, or none.
        file: Path under the root of the data set, with ``/``.
        object: Index in the file; None for all of it.
        other: Second file of a pair; a finding may name either of the two.
        also: Codes of other findings that the fault brings with it.
    """

    code: str
    split: str | None
    file: str
    object: int | None = None
    other: str | None = None
    also: frozenset[str] = frozenset()


FAULTS: dict[str, Callable[[Path], Expected]] = {}
"""All that can be planted together, in the order to do it."""

ALONE: dict[str, Callable[[Path], Expected]] = {}
"""Those that change every image."""

HARMLESS: dict[str, Callable[[Path], str]] = {}
"""What looks odd and is right: each returns the name of an image about which a
check may have notes but neither a warning nor an error."""


def fault(name):
    """Register a function of a training image that no other fault takes."""

    def register(function):
        index = len(FAULTS)
        FAULTS[name] = lambda root: function(Place(root, 'train', index))
        return function

    return register


def harmless(name):
    """Register as :func:`fault` does, on images behind those of the faults."""

    def register(function):
        index = len(HARMLESS)

        def plant(root):
            place = Place(root, 'train', len(FAULTS) + index)
            function(place)
            return place.name

        HARMLESS[name] = plant
        return function

    return register


class Place:
    """One image of the set, its XML and the list that names it."""

    def __init__(self, root, split, index):
        self.root = Path(root)
        self.split = split
        self.name = f'{split}_{index:04d}'
        self.image = self.root / f'JPEGImages/{self.name}.png'
        self.xml = self.root / f'Annotations/{self.name}.xml'
        self.list = self.root / f'ImageSets/Main/{split}.txt'

    def expect(self, code, path=None, number=None, other=None, also=()):
        """Return an ``Expected`` at a path; the XML where none is given."""
        other = other and other.relative_to(self.root).as_posix()
        file = (path or self.xml).relative_to(self.root).as_posix()
        return Expected(code, self.split, file, number, other, frozenset(also))

    def pixels(self):
        return cv2.imread(str(self.image), cv2.IMREAD_UNCHANGED)

    def jpeg(self, **options):
        """Return the image as JPEG bytes."""
        buffer = io.BytesIO()
        image = Image.open(self.image).convert('RGB')
        image.save(buffer, 'JPEG', quality=95, **options)
        return buffer.getvalue()

    def write(self, pixels):
        """Replace the image by a PNG of other pixels; returns its path."""
        return self.write_bytes(cv2.imencode('.png', pixels)[1].tobytes())

    def write_bytes(self, data, suffix='.png'):
        """Replace the image's file; <filename> follows. Returns its path."""
        self.image.unlink()
        self.image = self.image.with_suffix(suffix)
        self.image.write_bytes(data)
        self.set_text('filename', self.image.name)
        return self.image

    def tree(self):
        return ET.parse(self.xml)

    def set_text(self, path, text):
        tree = self.tree()
        tree.find(path).text = str(text)
        tree.write(self.xml)

    def set_size(self, width, height):
        self.set_text('size/width', width)
        self.set_text('size/height', height)

    def find(self, name):
        """Return the index and the box of the first object of a class."""
        objects = self.tree().findall('object')
        number = [element.findtext('name') for element in objects].index(name)
        return number, self.box(number)

    def box(self, number):
        """Return ``xmin, ymin, xmax, ymax`` of an object."""
        bndbox = self.tree().findall('object')[number].find('bndbox')
        return [int(bndbox.findtext(side)) for side in SIDES]

    def set_box(self, number, box):
        for side, value in zip(SIDES, box, strict=True):
            self.set_text(f'object[{number + 1}]/bndbox/{side}', value)

    def add(self, name, box):
        """Append an object; returns its index."""
        tree = self.tree()
        number = len(tree.findall('object'))
        sides = zip(SIDES, box, strict=True)
        text = ''.join(f'<{side}>{value}</{side}>' for side, value in sides)
        tree.getroot().append(
            ET.fromstring(
                f'<object><name>{name}</name><difficult>0</difficult>'
                f'<bndbox>{text}</bndbox></object>'
            )
        )
        tree.write(self.xml)
        return number

    def remove(self, is_removed):
        """Remove the objects for which a function of the element says so."""
        tree = self.tree()
        for element in tree.findall('object'):
            if is_removed(element):
                tree.getroot().remove(element)
        tree.write(self.xml)

    def copy_to(self, name):
        """Add a copy to the list, under another name; returns its place."""
        other = Place(self.root, self.split, 0)
        other.name = name
        other.image = self.image.with_stem(name)
        other.xml = self.xml.with_stem(name)
        other.image.write_bytes(self.image.read_bytes())
        other.xml.write_bytes(self.xml.read_bytes())
        other.set_text('filename', other.image.name)
        with open(self.list, 'a') as file:
            file.write(f'{name}\n')
        return other

    def rename(self, name):
        """Call image, XML and line of the list otherwise."""
        names = self.list.read_text().split()
        names[names.index(self.name)] = name
        self.list.write_text('\n'.join(names) + '\n')
        self.name = name
        self.image = self.image.rename(self.image.with_stem(name))
        self.xml = self.xml.rename(self.xml.with_stem(name))
        self.set_text('filename', self.image.name)
