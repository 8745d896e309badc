"""What the page of a data set shows, gathered from a config and its data."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

from mmengine.config import Config

from custom_datasets.checks.check import check_config
from custom_datasets.checks.reading import read_sources, read_xml_files
from custom_datasets.data.cache import ResultCache
from custom_datasets.data.config_sources import Source, find_sources, read_declaration
from custom_datasets.data.problems import Finding
from custom_datasets.data.scan import Progress, scan_images
from custom_datasets.errors import AnnotationError, UserError
from custom_datasets.pages.data_numbers import (
    Part,
    Repeats,
    Shown,
    Sizes,
    choose_examples,
    class_names,
    find_repeats,
    merge_splits,
)
from custom_datasets.pages.data_pipeline import Augmented, run_pipeline
from custom_datasets.pages.kit import class_styles
from custom_datasets.predicting.colours import Colour, class_colours
from custom_datasets.settings import load_config

_EXAMPLES, _EXAMPLES_OF_CLASSES = 18, 48  # Of a detection and a classification set.


@dataclass(frozen=True)
class Report:
    """What the page of a data set shows.

    Classes are in the order that numbers them. ``sizes`` are width and height in pixels
    by image path, for images that decode. ``no_pipeline`` says why nothing is in
    ``augmented``; empty where something is.
    """

    config: str
    dataset: str
    is_detection: bool
    root: str
    parts: Sequence[Part]
    classes: tuple[str, ...]
    colours: Sequence[Colour]
    sizes: Sizes
    findings: Sequence[Finding]
    examples: Sequence[Shown] = ()
    repeats: Sequence[Repeats] = ()
    augmented: Sequence[Augmented] = ()
    no_pipeline: str = ''

    @cached_property
    def styles(self) -> dict[str, str]:
        """The class of the style sheet for each class name."""
        return class_styles(self.classes)


def gather(
    config: str,
    options: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
) -> Report:
    """Check a config, and read what its data sets name.

    ``progress`` gets the number of files read, and of all of them. Raises a ConfigError
    where the config can't be read.
    """
    findings = check_config(config, options, progress=progress).findings
    cfg = load_config(config, options)
    sources, _ = find_sources(cfg)
    with ResultCache() as cache:
        splits, _ = read_sources(sources, partial(read_xml_files, cache=cache))
        parts = merge_splits(splits)
        paths = [image.image for part in parts for image in part.images if image.image]
        facts = scan_images(paths, progress, cache)
    classes = class_names(parts)
    augmented: Sequence[Augmented] = ()
    refusal = ''
    try:
        augmented = run_pipeline(cfg, class_styles(classes))
    except AnnotationError as error:
        refusal = f'{error.where} cannot be loaded; the findings say why'
    except UserError as error:
        refusal = str(error).splitlines()[0]
    first = sources[0] if sources else None
    is_detection = not first or first.kind not in ('class-list', 'stock-classes')
    count = _EXAMPLES if is_detection else _EXAMPLES_OF_CLASSES
    sizes = {path: fact.size for path, fact in facts.items() if fact.size}
    return Report(
        config=config,
        dataset=first.type if first else '',
        is_detection=is_detection,
        root=first.root if first else '',
        parts=parts,
        classes=classes,
        colours=class_colours(len(classes), _palette(cfg, first)),
        sizes=sizes,
        findings=findings,
        examples=choose_examples(parts, sizes, count),
        repeats=find_repeats(parts, facts),
        augmented=augmented,
        no_pipeline=refusal,
    )


def _palette(cfg: Config, source: Source | None) -> Any:
    if source is None:
        return None
    metainfo = source.settings.get('metainfo') or {}
    if 'palette' in metainfo:
        return metainfo['palette']
    modules = (cfg.get('custom_imports') or {}).get('imports') or ()
    scope = cfg.get('default_scope') or 'mmdet'
    return read_declaration(source.type, modules, scope).metainfo.get('palette')
