"""The whole check of a config: reading everything, then every check on it."""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any

from mmengine.config import Config

from custom_datasets.checking.anchors import check_anchors
from custom_datasets.checking.balance import check_balance, check_small_boxes
from custom_datasets.checking.cache import ResultCache
from custom_datasets.checking.config_files import (
    check_load_from,
    check_overrides,
    check_paths,
)
from custom_datasets.checking.environment import check_environment
from custom_datasets.checking.file_ends import check_ends
from custom_datasets.checking.finding import Finding
from custom_datasets.checking.folders import check_file_claims, check_unlisted
from custom_datasets.checking.image_checks import check_images
from custom_datasets.checking.leaks import check_leaks
from custom_datasets.checking.memo import Memo
from custom_datasets.checking.model_checks import (
    check_batch_norm,
    check_classes_agree,
    check_evaluators,
    check_heads,
)
from custom_datasets.checking.objects import check_area, check_extent, check_repeats
from custom_datasets.checking.origins import check_origins
from custom_datasets.checking.pipeline_scale import full_pipeline, scale_boxes
from custom_datasets.checking.reading import read_sources
from custom_datasets.checking.scan import scan_images
from custom_datasets.checking.schedule import check_schedule, measure_run
from custom_datasets.checking.setting_names import check_parameters
from custom_datasets.checking.setting_values import check_values
from custom_datasets.checking.settings import require_sections
from custom_datasets.checking.sources import Source, find_sources
from custom_datasets.checking.vocabulary import (
    check_file_names,
    check_names,
    check_presence,
)
from custom_datasets.checking.xml_files import read_xml_files
from custom_datasets.errors import INSTALL, ConfigError, UserError
from custom_datasets.images import image_size
from custom_datasets.overrides import apply_data_overrides
from custom_datasets.records import SplitRecords

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
