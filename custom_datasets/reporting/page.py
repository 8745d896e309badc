"""The whole page, and writing it."""

import os
from collections import Counter
from collections.abc import Mapping
from statistics import median
from typing import Any

from custom_datasets.checking.finding import SEVERITIES
from custom_datasets.checking.report import summary
from custom_datasets.reporting.boxes import boxes_section
from custom_datasets.reporting.faults import findings_section, short_path
from custom_datasets.reporting.frame import (
    Section,
    encode_page,
    frame_page,
    write_files,
)
from custom_datasets.reporting.gallery import (
    examples_section,
    pipeline_section,
    repeats_section,
)
from custom_datasets.reporting.gather import MOST_COLOURS, Progress, Report, gather
from custom_datasets.reporting.layout import facts
from custom_datasets.reporting.markup import Html, clipped, element
from custom_datasets.reporting.overview import classes_section, images_section

MOST_BYTES = 5_000_000
"""Nothing in the page grows with the data beyond this: pictures are limited in
number and in size, lists and names in length."""


def write_report(
    config: str,
    options: Mapping[str, Any] | None = None,
    out: str | None = None,
    progress: Progress | None = None,
) -> str:
    """Look at a config's data, and write the page.

    Args:
        config: The leaf.
        options: What ``--cfg-options`` sets, by dotted name.
        out: The file; by default ``work_dirs/<config>/dataset_report.html``.
        progress: Called with the number of files read, and of all of them.

    Returns:
        A line on what was written.

    Raises:
        ConfigError: The config can't be read.
        UserError: The page can't be written.
    """
    report = gather(config, options, progress)
    stem = os.path.splitext(os.path.basename(config))[0]
    path = out or os.path.join('work_dirs', stem, 'dataset_report.html')
    size = write_page(path, render(report))
    images = sum(len(part.images) for part in report.parts)
    return f'{path}: {size / 1e6:.1f} MB; {summary(report.findings)}; {images} images'


def render(report: Report) -> str:
    """Return the page: one file that needs no other and runs nothing."""
    titled = (
        ('findings', 'Findings', findings_section(report)),
        ('classes', 'Classes', classes_section(report)),
        ('images', 'Images', images_section(report)),
        ('boxes', 'Boxes', boxes_section(report)),
        ('examples', 'Examples', examples_section(report)),
        ('pipeline', 'Training pipeline', pipeline_section(report)),
        ('repeats', 'Duplicates', repeats_section(report)),
    )
    return frame_page(
        clipped(report.dataset or 'Data set'),
        'data set report',
        [element('p', _origin(report), class_='source'), _facts(report)],
        [Section(name, title, body) for name, title, body in titled if body],
        report.colours[:MOST_COLOURS],
        _frame(report),
    )


def write_page(path: str, text: str) -> int:
    """Write a page, whole or not at all, and the folders that lead to it.

    Returns:
        Its size in bytes.

    Raises:
        UserError: It can't be written.
    """
    data = encode_page(text, MOST_BYTES)
    folder, name = os.path.split(os.path.abspath(path))
    write_files(folder, {name: data})
    return len(data)


def _origin(report: Report) -> str:
    root = short_path(report.root) if report.root else 'no data'
    return f'{clipped(short_path(report.config), 200)} · {clipped(root, 200)}'


def _frame(report: Report) -> float:
    """Return the width over the height of most images, for the frames of pictures."""
    sizes = list(report.sizes.values())
    ratio = median(width / height for width, height in sizes) if sizes else 1.0
    return min(max(ratio, 1.0), 1.8)


def _facts(report: Report) -> Html:
    severities = Counter(finding.severity for finding in report.findings)
    images = [image for part in report.parts for image in part.images]
    numbers = [('images', f'{len(images):,}', '')]
    if report.is_detection:
        count = sum(len(image.boxes) for image in images)
        numbers.append(('objects', f'{count:,}', ''))
    numbers.append(('classes', f'{len(report.classes):,}', ''))
    for severity in SEVERITIES:
        count = severities[severity]
        numbers.append((f'{severity}s', f'{count:,}', severity if count else ''))
    return facts(numbers)
