"""The whole check of a config: reading everything, then every check on it."""

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any

from mmengine.config import Config

from custom_datasets.checks.anchors import check_anchors
from custom_datasets.checks.annotations import (
    check_area,
    check_extent,
    check_file_claims,
    check_file_names,
    check_names,
    check_origins,
    check_presence,
    check_repeats,
    check_unlisted,
)
from custom_datasets.checks.balance import check_balance, check_small_boxes
from custom_datasets.checks.config import (
    check_batch_norm,
    check_classes_agree,
    check_evaluators,
    check_heads,
    check_load_from,
    check_overrides,
    check_paths,
)
from custom_datasets.checks.environment import check_environment
from custom_datasets.checks.images import check_ends, check_images
from custom_datasets.checks.leaks import check_leaks
from custom_datasets.checks.parameters import (
    check_parameters,
    check_values,
    require_sections,
)
from custom_datasets.checks.reading import read_sources, read_xml_files
from custom_datasets.checks.scale import full_pipeline, scale_boxes
from custom_datasets.checks.schedule import check_schedule, measure_run
from custom_datasets.data.config_sources import Source, find_sources
from custom_datasets.data.images import image_size
from custom_datasets.data.problems import Finding
from custom_datasets.data.records import SplitRecords
from custom_datasets.data.scan import ResultCache, scan_images, stamp_file
from custom_datasets.errors import ConfigError, UserError
from custom_datasets.settings import apply_data_overrides
from custom_datasets.versions import INSTALL

MOST_FILES = 200_000
"""Under a root with more, looking at them all would take longer than it saves."""

_SETTLED_NS = 50_000_000


class Memo:
    """The findings of one config's data, kept until any of its files changes.

    Names, sizes and times of all files under the data sets' roots are compared,
    and the code of the checks.

    Args:
        cache: Where it is kept; None keeps nothing.
        config: Path of the config.
        kind: One memo of each kind is kept for a config.
        settings: Whatever else the findings depend on; its ``repr`` counts.
        sources: The data sets.
    """

    def __init__(
        self,
        cache: ResultCache | None,
        config: str,
        kind: str,
        settings: Any,
        sources: Sequence[Source],
    ) -> None:
        """Look at the files."""
        self._cache = cache
        self._kind = kind
        self._roots = {os.path.abspath(source.root) for source in sources}
        self._state = ''
        if cache is None or any(source.root == '.' for source in sources):
            return
        self._stamp = stamp_file(config)
        digest = hashlib.sha256(repr((settings, sources)).encode(errors='replace'))
        newest = 0
        package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
        for folder in sorted([package, *self._roots]):
            files = list(islice(_files(folder), MOST_FILES + 1))
            if len(files) > MOST_FILES:
                return
            for path, size, changed in sorted(files):
                text = f'{path}\0{size}\0{changed}\n'
                digest.update(text.encode(errors='surrogateescape'))
                newest = max(newest, changed)
        if time.time_ns() - newest > _SETTLED_NS:
            self._state = digest.hexdigest()

    def recall(self) -> tuple[list[Finding], int, int] | None:
        """Return findings and the two numbers that were kept, or None."""
        if not self._cache or not self._state:
            return None
        text = self._cache.get(self._kind, self._state, self._stamp)
        if text is None:
            return None
        findings, *counts = json.loads(text)
        return [Finding(**finding) for finding in findings], counts[0], counts[1]

    def keep(
        self,
        findings: Iterable[Finding],
        images: int,
        trained: int,
        splits: Iterable[SplitRecords],
    ) -> None:
        """Keep findings, unless some of the files are outside of the roots.

        Args:
            findings: On the data.
            images: How many there are.
            trained: How many an epoch draws.
            splits: Whose files were read.
        """
        if not self._cache or not self._state or not self._holds(splits):
            return
        kept = [[finding.as_dict() for finding in findings], images, trained]
        self._cache.put(self._kind, self._state, self._stamp, json.dumps(kept))

    def _holds(self, splits: Iterable[SplitRecords]) -> bool:
        roots = tuple(os.path.join(root, '') for root in self._roots)
        paths = {
            os.path.dirname(path)
            for split in splits
            for image in split.images
            for path in (split.source, image.image, image.annotation)
            if path
        }
        return all(f'{os.path.abspath(path)}/'.startswith(roots) for path in paths)


def _files(folder: str) -> Iterator[tuple[str, int, int]]:
    """Yield path, size and time of change of all files below, behind links too."""
    seen = set()
    folders = [folder]
    while folders:
        here = folders.pop()
        real = os.path.realpath(here)
        if real in seen or not os.path.isdir(here):
            continue
        seen.add(real)
        with os.scandir(here) as entries:
            for entry in entries:
                if entry.is_dir():
                    if entry.name != '__pycache__':
                        folders.append(entry.path)
                elif entry.is_file():
                    status = entry.stat()
                    yield entry.path, status.st_size, status.st_mtime_ns


Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Checked:
    """What was looked at, and what came out.

    Attributes:
        findings: In the order of the checks.
        images: How many images the data sets list.
        seconds: How long it took.
    """

    findings: list[Finding]
    images: int
    seconds: float


def load_config(path: str, options: Mapping[str, Any] | None = None) -> Config:
    """Read a config, without importing what it imports, and apply overrides.

    Args:
        path: The leaf.
        options: What ``--cfg-options`` sets, by dotted name.

    Raises:
        ConfigError: It is missing, can't be read, has something else where a
            dictionary belongs, or an override can't be carried out.
    """
    if not os.path.isfile(path):
        raise ConfigError(f'{path}: no such config')
    try:
        cfg = Config.fromfile(path, import_custom_modules=False)
        if options:
            cfg.merge_from_dict(dict(options))
    except ImportError as error:
        raise ConfigError(f'{path}: {error}; {INSTALL}') from error
    except (OSError, SyntaxError, KeyError, TypeError) as error:
        raise ConfigError(f'{path}: cannot be read ({error})') from error
    require_sections(cfg)
    apply_data_overrides(cfg)
    return cfg


def check_config(
    path: str,
    options: Mapping[str, Any] | None = None,
    *,
    ranks: int = 1,
    images: bool = True,
    cached: bool = True,
    work_dir: str = 'work_dirs',
    progress: Progress | None = None,
) -> Checked:
    """Check a config, its data and the machine.

    Args:
        path: The leaf.
        options: What ``--cfg-options`` sets, by dotted name.
        ranks: Processes that will train at once.
        images: Whether to decode images; without, it is a matter of seconds.
        cached: Whether to keep results, and to take those of unchanged files.
        work_dir: Where the run will write.
        progress: Called with the number of files read, and of all of them.

    Raises:
        ConfigError: See :func:`load_config`.
    """
    start = time.perf_counter()
    cfg = load_config(path, options)
    sources, findings = find_sources(cfg)
    findings += check_setup(path, options or {}, cfg, sources)
    if images:
        findings += check_environment(cfg, work_dir)
    with ResultCache() if cached else nullcontext() as cache:
        kind = 'findings' if images else 'findings without images'
        memo = Memo(cache, path, kind, cfg.to_dict(), sources)
        known = memo.recall()
        if known is None:
            on_data, splits = _check_data(cfg, sources, images, cache, progress)
            known = on_data, _count(splits), _training_images(cfg, splits)
            memo.keep(*known, splits)
    on_data, count, trained = known
    findings += on_data
    measurable = all(finding.code != 'wrong-value' for finding in findings)
    run = measure_run(cfg, trained, ranks) if measurable else None
    if run:
        findings += check_schedule(cfg, run)
    return Checked(findings, count, time.perf_counter() - start)


def check_setup(
    path: str,
    options: Mapping[str, Any],
    cfg: Mapping[str, Any],
    sources: Sequence[Source],
) -> list[Finding]:
    """Run the checks that need the config only."""
    classes = next((source.classes for source in sources), ())
    return [
        *check_overrides(path, options, cfg),
        *check_parameters(cfg),
        *check_values(cfg),
        *check_paths(sources),
        *check_load_from(cfg, classes),
        *check_heads(cfg, sources),
        *check_classes_agree(sources),
        *check_batch_norm(cfg),
        *check_evaluators(cfg, sources),
    ]


def check_annotations(
    splits: Sequence[SplitRecords], sizes: Mapping[str, tuple[int, int]]
) -> list[Finding]:
    """Run the checks that need annotations, and sizes of images, only."""
    findings = []
    for split in splits:
        findings += check_names(split)
        findings += check_presence(split)
        findings += check_extent(split, sizes)
        findings += check_area(split)
        findings += check_repeats(split)
        findings += check_file_claims(split)
    return [*findings, *check_file_names(splits)]


def check_shape(
    cfg: Mapping[str, Any],
    splits: Sequence[SplitRecords],
    sizes: Mapping[str, tuple[int, int]],
) -> list[Finding]:
    """Run the checks of the balance of classes, and of boxes at training scale."""
    findings = check_balance(splits)
    dataset = (cfg.get('train_dataloader') or {}).get('dataset') or {}
    steps = full_pipeline(dataset)
    for split in splits:
        if split.split == 'train':
            scaled = scale_boxes(split, sizes, steps)
            findings += check_small_boxes(split, scaled)
            findings += check_anchors(cfg.get('model') or {}, scaled)
    return findings


def claimed_sizes(splits: Sequence[SplitRecords]) -> dict[str, tuple[int, int]]:
    """Return sizes by image path: the annotation's, or else the image header's."""
    sizes = {}
    for split in splits:
        for image in split.images:
            if image.image is None or not image.boxes:
                continue
            try:
                sizes[image.image] = image.size or image_size(image.image)
            except UserError:
                continue
    return sizes


def _check_data(
    cfg: Mapping[str, Any],
    sources: Sequence[Source],
    images: bool,
    cache: ResultCache | None,
    progress: Progress | None,
) -> tuple[list[Finding], list[SplitRecords]]:
    """Read the data sets and run the checks on them."""
    splits, findings = read_sources(sources, partial(read_xml_files, cache=cache))
    sizes = claimed_sizes(splits)
    if images:
        paths = [i.image for split in splits for i in split.images if i.image]
        facts = scan_images(paths, progress, cache)
        sizes |= {name: fact.size for name, fact in facts.items() if fact.size}
        findings += check_images(splits, facts)
        findings += check_leaks(splits, facts)
    else:
        findings += check_ends(splits)
    findings += check_unlisted(sources, splits)
    findings += check_origins(sources, splits)
    findings += check_annotations(splits, sizes)
    findings += check_shape(cfg, splits, sizes)
    return findings, splits


def _count(splits: Sequence[SplitRecords]) -> int:
    return len({image.image for split in splits for image in split.images})


def _training_images(cfg: Mapping[str, Any], splits: Sequence[SplitRecords]) -> int:
    """Count what an epoch draws from: images times their repetitions."""
    count = sum(len(split.images) for split in splits if split.split == 'train')
    dataset = (cfg.get('train_dataloader') or {}).get('dataset') or {}
    while isinstance(dataset, dict) and isinstance(dataset.get('dataset'), dict):
        count *= dataset.get('times', 1)
        dataset = dataset['dataset']
    return count
