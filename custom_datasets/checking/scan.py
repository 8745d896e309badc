"""Reading many files fast: each once, in several processes, with a cache."""

import json
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from custom_datasets.checking.cache import ResultCache, Stamp, stamp_file
from custom_datasets.checking.image_facts import (
    VERSION,
    ImageFacts,
    pack_facts,
    read_image_facts,
    unpack_facts,
)
from custom_datasets.checking.workers import Answer, answer_all
from custom_datasets.errors import UserError

T = TypeVar('T')
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Reader(Generic[T]):
    """A function of one file whose results can be kept.

    Attributes:
        kind: Names the results in the cache.
        version: Whatever else results depend on; another one makes kept
            results void.
        answer: Takes a path and returns a result as JSON can hold it, in
            ``{'value': ...}``, or ``{'problem': sentence}``. A function at the
            top of a module.
        unpack: Makes the result from that value; raises ValueError, TypeError,
            KeyError or IndexError where it can't.
        worth_processes: So many files are worth the start of processes.
    """

    kind: str
    version: str
    answer: Callable[[str], Answer]
    unpack: Callable[[Any], T]
    worth_processes: int = 1


def answer_image(path: str) -> Answer:
    """Read facts of an image, to be packed."""
    return packed(path, read_image_facts, pack_facts)


IMAGES = Reader('image', VERSION, answer_image, unpack_facts)


def packed(path: str, read: Callable[[str], T], pack: Callable[[T], Any]) -> Answer:
    """Read a file and pack the result as an answer; whatever fails is one, too."""
    try:
        return {'value': pack(read(path))}
    except UserError as error:
        return {'problem': str(error)}
    except Exception as error:  # No file may end the check of all others.
        return {'problem': f'cannot be read ({type(error).__name__}: {error})'}


def scan_images(
    paths: Iterable[str],
    progress: Progress | None = None,
    cache: ResultCache | None = None,
    processes: int | None = None,
) -> dict[str, ImageFacts]:
    """Read facts of images; see :func:`scan_files`.

    Returns:
        Facts by path; a file that can't be read has that as its problem.
    """
    found = scan_files(IMAGES, paths, progress, cache, processes)
    return {
        path: ImageFacts(problem=str(facts)) if isinstance(facts, UserError) else facts
        for path, facts in found.items()
    }


def scan_files(
    reader: Reader[T],
    paths: Iterable[str],
    progress: Progress | None = None,
    cache: ResultCache | None = None,
    processes: int | None = None,
) -> dict[str, T | UserError]:
    """Read files, each once, and only what the cache does not know.

    Args:
        reader: What to do with a file.
        paths: The files; one that is named twice is read once.
        progress: Called with the number of files done, and of all of them.
        cache: Where results are kept; None keeps none.
        processes: How many to use; by default as many as there are cores.

    Returns:
        Results by path, in the order of the paths; an error where there is
        none. Errors are not kept.
    """
    paths = list(dict.fromkeys(paths))
    stamps, problems = _stamp(paths)
    known = _recall(reader, stamps, cache) if cache else {}
    results: dict[str, T | UserError] = {**problems, **known}
    if progress and results:
        progress(len(results), len(paths))
    missing = {path: stamp for path, stamp in stamps.items() if path not in known}
    found = _read(reader, missing, cache, processes)
    with closing(found):  # An interruption ends the processes at once.
        for path, result in found:
            results[path] = result
            if progress:
                progress(len(results), len(paths))
    return {path: results[path] for path in paths}


def _stamp(paths: Iterable[str]) -> tuple[dict[str, Stamp], dict[str, UserError]]:
    stamps, problems = {}, {}
    for path in paths:
        try:
            stamps[path] = stamp_file(path)
        except (OSError, ValueError) as error:
            what = getattr(error, 'strerror', None) or str(error)
            problems[path] = UserError(f'cannot be read ({what})')
    return stamps, problems


def _recall(
    reader: Reader[T], stamps: Mapping[str, Stamp], cache: ResultCache
) -> dict[str, T]:
    results = {}
    for path, stamp in stamps.items():
        value = cache.get(reader.kind, reader.version, stamp)
        # A result that can't be unpacked is as good as none.
        with suppress(ValueError, TypeError, KeyError, IndexError):
            if value is not None:
                results[path] = reader.unpack(json.loads(value))
    return results


def _read(
    reader: Reader[T],
    stamps: Mapping[str, Stamp],
    cache: ResultCache | None,
    processes: int | None,
) -> Generator[tuple[str, T | UserError], None, None]:
    if len(stamps) >= reader.worth_processes:
        answers = answer_all(reader.answer, list(stamps), processes)
    else:
        answers = ((path, reader.answer(path)) for path in stamps)
    try:
        with closing(answers):
            for path, answer in answers:
                if 'problem' in answer:
                    yield path, UserError(answer['problem'])
                    continue
                if cache:
                    value = json.dumps(answer['value'])
                    cache.put(reader.kind, reader.version, stamps[path], value)
                yield path, reader.unpack(answer['value'])
    finally:
        if cache:
            cache.flush()
