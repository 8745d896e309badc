"""Reading many VOC XML files, with what a check asks of them beside boxes."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from custom_datasets.checking.cache import ResultCache
from custom_datasets.checking.scan import Reader, packed, scan_files
from custom_datasets.checking.workers import Answer
from custom_datasets.errors import UserError
from custom_datasets.voc_xml import VOCAnnotation, inspect_voc_xml


class XMLFile(NamedTuple):
    """What one VOC XML file holds.

    Attributes:
        annotation: None where the file can't be read.
        stray: Text where none belongs.
        problem: Why it can't be read; None where it can.
    """

    annotation: VOCAnnotation | None
    stray: tuple[str, ...] = ()
    problem: str | None = None


ReadXML = Callable[[Iterable[str]], Mapping[str, XMLFile]]


def read_xml(path: str) -> XMLFile:
    """Read one file."""
    try:
        annotation, stray = inspect_voc_xml(path)
    except UserError as error:
        return XMLFile(None, problem=str(error))
    return XMLFile(annotation, stray)


def read_xml_files(
    paths: Iterable[str], cache: ResultCache | None = None
) -> dict[str, XMLFile]:
    """Read many files, and only what the cache does not know."""
    found = scan_files(XML_FILES, paths, cache=cache)
    return {
        path: XMLFile(None, problem=str(xml)) if isinstance(xml, UserError) else xml
        for path, xml in found.items()
    }


def answer_xml(path: str) -> Answer:
    """Read one file, to be packed."""
    return packed(path, read_xml, tuple)


def _unpack(values: Any) -> XMLFile:
    annotation, stray, problem = values
    if annotation is None:
        return XMLFile(None, problem=problem)
    filename, size, objects = annotation
    boxes = tuple((name, tuple(box), bool(hard)) for name, box, hard in objects)
    parsed = VOCAnnotation(filename, size and tuple(size), boxes)
    return XMLFile(parsed, tuple(stray), problem)


XML_FILES = Reader('voc-xml', '1', answer_xml, _unpack, worth_processes=2000)
