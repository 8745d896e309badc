"""The whole check of a config: reading everything, then every check on it."""

import hashlib
import json
import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any, NamedTuple

from mmengine.config import Config

from custom_datasets.checks.anchors import check_anchors
from custom_datasets.checks.annotations import (
    check_annotations,
    check_origins,
    check_unlisted,
)
from custom_datasets.checks.balance import check_balance, check_small_boxes
from custom_datasets.checks.codes import find
from custom_datasets.checks.config import (
    check_advice,
    check_batch_norm,
    check_classes_agree,
    check_evaluators,
    check_heads,
    check_load_from,
    check_overrides,
    check_paths,
    check_settings,
)
from custom_datasets.checks.environment import check_environment
from custom_datasets.checks.images import check_ends, check_images
from custom_datasets.checks.leaks import check_leaks
from custom_datasets.checks.parameters import (
    check_parameters,
    check_values,
)
from custom_datasets.checks.reading import read_sources, read_xml_files
from custom_datasets.checks.scale import full_pipeline, scale_boxes
from custom_datasets.checks.schedule import check_schedule, measure_run
from custom_datasets.data.cache import SETTLED_NS, ResultCache, stamp_file
from custom_datasets.data.config_sources import Source, find_sources
from custom_datasets.data.problems import Finding
from custom_datasets.data.records import SplitRecords
from custom_datasets.data.scan import Progress, scan_images
from custom_datasets.data.tree import is_folder
from custom_datasets.data.voc import size_of
from custom_datasets.errors import UserError
from custom_datasets.settings import load_config

MOST_FILES = 200_000
"""Under a root with more, looking at them all would take longer than it saves."""


@dataclass(frozen=True)
class Checked:
    """Findings, in the order of the checks, and how many images the data sets list."""

    findings: list[Finding]
    images: int


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

    ``ranks`` is the number of processes that will train. Decoding images takes long;
    the check without it takes seconds. ``cached`` keeps results, and reuses those of
    unchanged files. ``progress`` is called with the number of files read, and of all.
    Raises a ConfigError, see :func:`~custom_datasets.settings.load_config`.
    """
    cfg = load_config(path, options)
    sources, problems = find_sources(cfg)
    findings = [find(code, text, split=split) for split, code, text in problems]
    findings += _check_setup(path, options or {}, cfg, sources)
    if images:
        findings += check_environment(cfg, work_dir)
    with ResultCache() if cached else nullcontext() as cache:
        kind = 'findings' if images else 'findings without images'
        memo = Memo(cache, path, kind, cfg.to_dict(), sources)
        data = memo.recall()
        if data is None:
            data, splits = _check_data(cfg, sources, images, cache, progress)
            memo.keep(data, splits)
    findings += data.findings
    measurable = all(finding.code != 'wrong-value' for finding in findings)
    run = measure_run(cfg, data.trained, ranks) if measurable else None
    if run:
        findings += check_schedule(cfg, run)
    return Checked(findings, data.images)


class DataFindings(NamedTuple):
    """What the checks of the data say.

    Attributes:
        findings: In the order of the checks.
        images: How many images the data sets list.
        trained: How many an epoch draws.
    """

    findings: list[Finding]
    images: int
    trained: int


class Memo:
    """The findings of one config's data, kept until any of its files changes.

    Names, sizes and times of all files under the data sets' roots are compared, and the
    code of the checks. One memo of each ``kind`` is kept for a config; the ``repr`` of
    ``settings`` is whatever else findings depend on.
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
        if time.time_ns() - newest > SETTLED_NS:
            self._state = digest.hexdigest()

    def recall(self) -> DataFindings | None:
        """Return what was kept, or None."""
        if not self._cache or not self._state:
            return None
        text = self._cache.get(self._kind, self._state, self._stamp)
        if text is None:
            return None
        findings, images, trained = json.loads(text)
        return DataFindings([Finding(**each) for each in findings], images, trained)

    def keep(self, data: DataFindings, splits: Iterable[SplitRecords]) -> None:
        """Keep findings, unless some of the files are outside of the roots."""
        if not self._cache or not self._state or not self._holds(splits):
            return
        findings = [finding.as_dict() for finding in data.findings]
        text = json.dumps([findings, data.images, data.trained])
        self._cache.put(self._kind, self._state, self._stamp, text)

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
                if is_folder(entry):
                    if entry.name != '__pycache__':
                        folders.append(entry.path)
                elif not entry.is_symlink() or os.path.exists(entry.path):
                    status = entry.stat()
                    yield entry.path, status.st_size, status.st_mtime_ns


def _check_setup(
    path: str,
    options: Mapping[str, Any],
    cfg: Config,
    sources: Sequence[Source],
) -> list[Finding]:
    classes = next((source.classes for source in sources), ())
    return [
        *check_overrides(path, options, cfg),
        *check_settings(cfg),
        *check_parameters(cfg),
        *check_values(cfg),
        *check_paths(sources),
        *check_load_from(cfg, classes),
        *check_heads(cfg, sources),
        *check_classes_agree(sources),
        *check_advice(cfg, sources),
        *check_batch_norm(cfg),
        *check_evaluators(cfg, sources),
    ]


def _check_data(
    cfg: Mapping[str, Any],
    sources: Sequence[Source],
    images: bool,
    cache: ResultCache | None,
    progress: Progress | None,
) -> tuple[DataFindings, list[SplitRecords]]:
    splits, findings = read_sources(sources, partial(read_xml_files, cache=cache))
    sizes = _claimed_sizes(splits)
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
    count = len({image.image for split in splits for image in split.images})
    return DataFindings(findings, count, _training_images(cfg, splits)), splits


def check_shape(
    cfg: Mapping[str, Any],
    splits: Sequence[SplitRecords],
    sizes: Mapping[str, tuple[int, int]],
) -> list[Finding]:
    """Run the checks of class balance, and of boxes at the scale of training."""
    findings = check_balance(splits)
    dataset = (cfg.get('train_dataloader') or {}).get('dataset') or {}
    steps = full_pipeline(dataset)
    for split in splits:
        if split.split == 'train':
            scaled = scale_boxes(split, sizes, steps)
            if scaled.not_followed:
                text = f'{", ".join(scaled.not_followed)}: the effect is not known here'
                findings.append(find('pipeline-not-followed', text, split='train'))
            findings += check_small_boxes(split, scaled)
            findings += check_anchors(cfg.get('model') or {}, scaled)
    return findings


def _claimed_sizes(splits: Sequence[SplitRecords]) -> dict[str, tuple[int, int]]:
    """Return sizes by image path: the annotation's, or else the image header's."""
    sizes = {}
    for split in splits:
        for image in split.images:
            if image.image is None or not image.boxes:
                continue
            try:
                sizes[image.image] = size_of(image)
            except UserError:
                continue
    return sizes


def _training_images(cfg: Mapping[str, Any], splits: Sequence[SplitRecords]) -> int:
    """Count what an epoch draws from: images times their repetitions."""
    count = sum(len(split.images) for split in splits if split.split == 'train')
    dataset = (cfg.get('train_dataloader') or {}).get('dataset') or {}
    while isinstance(dataset, dict) and isinstance(dataset.get('dataset'), dict):
        count *= dataset.get('times', 1)
        dataset = dataset['dataset']
    return count
