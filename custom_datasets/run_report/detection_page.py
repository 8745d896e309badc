"""A detector's page: how good it is, of each class, and at which threshold."""

from collections.abc import Mapping
from typing import Any

from custom_datasets.reporting.frame import Section
from custom_datasets.reporting.gather import class_styles
from custom_datasets.reporting.layout import class_name, number, plural, section, table
from custom_datasets.reporting.markup import Content, Html, element
from custom_datasets.run_report.cells import (
    MOST_CLASSES,
    decimal,
    estimate_cell,
    interval,
    not_shown,
    worst_fact,
)
from custom_datasets.run_report.detection_curves import curves_section
from custom_datasets.run_report.detection_errors import (
    confusion_section,
    errors_section,
    sizes_section,
)
from custom_datasets.run_report.detection_images import doubts_section, images_section
from custom_datasets.run_report.detection_summary import worst_class
from custom_datasets.run_report.detection_threshold import threshold_section

_IN_CHARTS = 12

Report = Mapping[str, Any]


def detection_sections(report: Report) -> list[Section]:
    """Write a detector's page.

    Args:
        report: The content of ``report.json``. Nothing else is shown, but the
            images that it names.
    """
    styles = class_styles(report['classes'])
    shown = _most_objects(report)
    return [
        Section('classes', 'Classes', _classes(report, styles)),
        Section('threshold', 'Threshold', threshold_section(report, styles)),
        Section('curves', 'Curves', curves_section(report, styles, shown)),
        Section('errors', 'Errors', errors_section(report, styles, shown)),
        Section('confusion', 'Confusion', confusion_section(report, styles)),
        Section('sizes', 'Sizes', sizes_section(report, styles)),
        *images_section(report, styles),
        Section('doubts', 'Labels to look at', doubts_section(report, styles)),
    ]


def detection_facts(report: Report) -> list[tuple[str, str, str]]:
    """Return the page's main numbers, for :func:`layout.facts`."""
    overall, worst = report['overall'], worst_class(report)
    named = [] if worst is None else [worst_fact(report['per_class'][worst]['name'])]
    return [
        ('area-AP50', decimal(overall['area_ap50']['value']), ''),
        ('COCO AP', decimal(overall['coco']['AP']['value']), ''),
        ('threshold', decimal(report['thresholds']['overall']['threshold']), ''),
        *named,
        ('images', f'{report["images"]:,}', ''),
        ('objects', f'{report["objects"]:,}', ''),
    ]


def _most_objects(report: Report) -> list[int]:
    """Return the classes that charts have: those with most objects, in order."""
    rows = report['per_class']
    order = sorted(range(len(rows)), key=lambda index: -rows[index]['objects'])
    return sorted(order[:_IN_CHARTS])


def _classes(report: Report, styles: Mapping[str, str]) -> Html:
    rows: list[list[Content]] = [
        [
            class_name(row['name'], styles[row['name']], _objects(row['objects'])),
            estimate_cell(row['area_ap50'], styles[row['name']]),
            estimate_cell(row['coco_ap'], styles[row['name']]),
        ]
        for row in report['per_class'][:MOST_CLASSES]
    ]
    overall, sizes = report['overall'], report['sizes']['ranges']
    known = report['interval']
    percent = f'{known["level"]:.0%}'
    return section(
        'classes',
        'Classes',
        element(
            'p',
            'area-AP50 is the area under the precision-recall curve where a box '
            'counts as right from IoU 0.5 on (Pascal VOC since 2010); COCO AP is the '
            'mean over IoU 0.5 to 0.95, so it asks for tight boxes too.',
        ),
        table(
            f'Bars, 0 to 1: where {percent} of {known["resamples"]:,} resamples of the '
            f'{report["images"]:,} images lie. Classes whose bars overlap widely '
            'cannot be told apart.',
            ['Class', 'area-AP50', 'COCO AP'],
            rows,
            [
                ['All', _objects(report['objects'])],
                estimate_cell(overall['area_ap50']),
                estimate_cell(overall['coco']['AP']),
            ],
        ),
        not_shown(len(report['per_class'])),
        table(
            'All classes, as COCO reports them.',
            ['', 'value', f'{percent} interval'],
            [
                [
                    f'AP, {name} objects' if name in sizes else name,
                    number(decimal(one['value'])),
                    number(interval(one)),
                ]
                for name, one in overall['coco'].items()
            ],
        ),
    )


def _objects(count: int) -> Html:
    return element('small', plural(count, 'object'), class_='below')
