"""The whole page of a run, and writing it and its files."""

import json
import os
import pickle
from collections.abc import Mapping, Sequence
from typing import Any

from custom_datasets.files import write_files
from custom_datasets.pages.class_maps import Explanations
from custom_datasets.pages.classification import (
    PAGE_STYLE,
    classification_facts,
    classification_sections,
)
from custom_datasets.pages.detection import detection_facts, detection_sections
from custom_datasets.pages.kit import (
    MOST_COLOURS,
    Content,
    Html,
    Section,
    class_colours,
    clipped,
    decimal,
    element,
    encode_page,
    facts,
    frame_page,
    number,
    section,
    table,
)
from custom_datasets.pages.run_report import RunReport, gather
from custom_datasets.pages.summaries import (
    attributes_sentence,
    classification_summary,
    detection_summary,
    sets_sections,
    threshold_setting,
)
from custom_datasets.predicting.config import SPLITS
from custom_datasets.predicting.predict import Progress

_STOCK_ROWS = 40


def about_section(content: Mapping[str, Any]) -> Html:
    """Write where the numbers are from, and those of the config's evaluators."""
    run = content['run']
    rows: list[list[Content]] = []

    def add(name: str, value: Any) -> None:
        if value not in (None, ''):
            rows.append([name, element('td', clipped(str(value), 300), class_='words')])

    add('config', run['config'])
    add('--cfg-options', ' '.join(f'{k}={v}' for k, v in run['options'].items()))
    add('checkpoint', run['checkpoint'])
    add('epoch', run['epoch'])
    for split, path in run['predictions'].items():
        add(f'predictions, {split}', path)
    add('date', run['date'])
    add('versions', ', '.join(f'{k} {v}' for k, v in run['versions'].items()))
    return section(
        'about',
        'About this run',
        table('How the numbers came about.', ['', ''], rows),
        _stock_table(content['stock_metrics']),
    )


def _stock_table(metrics: Mapping[str, Mapping[str, Any]]) -> Html | None:
    if not metrics:
        return None
    splits = list(metrics)
    names = [
        name
        for name, value in metrics[splits[0]].items()
        if isinstance(value, (int, float))
    ]
    rows: list[list[Content]] = [
        [
            clipped(name, 80),
            *(number(decimal(metrics[split].get(name))) for split in splits),
        ]
        for name in names[:_STOCK_ROWS]
    ]
    heads: Sequence[str] = ['', *splits]
    return table("What the config's own evaluators say.", heads, rows)


MOST_BYTES = 8_000_000
"""The page is smaller whatever the data: pictures are limited in number and in
size, tables in rows, names in length."""


def write_run_report(
    config: str,
    checkpoint: str | None = None,
    predictions: Mapping[str, str] | None = None,
    out: str | None = None,
    options: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
) -> str:
    """Evaluate a run, and write its page, its numbers and its predictions.

    ``report.html``, ``report.json``, ``test_predictions.pkl`` and
    ``val_predictions.pkl`` are written together or not at all. Predictions that
    were given are copied only where ``out`` names the folder, so that nothing
    of another run is replaced.

    Args:
        config: The leaf.
        checkpoint: The weights; None where predictions are given.
        predictions: Files of ``tools/test.py --out`` by ``test`` and
            ``validation``; what is missing is predicted.
        out: The folder to write into; by default that of the checkpoint, else
            the config's ``work_dir``.
        options: What ``--cfg-options`` sets, by dotted name.
        progress: Called with the number of images predicted, and of all.

    Returns:
        A few lines on the result.

    Raises:
        UserError: Something can't be read, does not belong together, or the
            files can't be written.
    """
    report = gather(config, checkpoint, predictions or {}, options, progress)
    content = report.content
    explained = None
    if content['task'] == 'detection':
        content['threshold_setting'] = threshold_setting(report.cfg.model)
        content['summary'] = detection_summary(content)
    else:
        content['summary'] = [
            *classification_summary(content),
            *map(attributes_sentence, content['attributes']),
        ]
        if checkpoint is not None:
            # It imports mmpretrain, which a detector's user may not have.
            from custom_datasets.pages.class_maps import draw_class_maps

            explained = draw_class_maps(report.cfg, checkpoint, content)
            content['class_maps'] = explained.facts()
    text = json.dumps(content, indent=1, allow_nan=False, default=float)
    # The page shows what the JSON says, not what it was rounded from.
    page = render(json.loads(text), report.palette, explained)
    files = {
        'report.html': encode_page(page, MOST_BYTES),
        'report.json': text.encode(),
        **{_file_name(split): pickle.dumps(s) for split, s in report.samples.items()},
    }
    folder = out or _default_folder(report, config)
    if out:
        files |= _copies(predictions or {}, out)
    write_files(folder, files)
    path = os.path.join(folder, 'report.html')
    size = len(files['report.html']) / 1e6
    lines = [*content['notes'], *content['summary'], f'{path}: {size:.1f} MB']
    return '\n'.join(lines)


def render(
    content: Mapping[str, Any],
    palette: Any = None,
    explained: Explanations | None = None,
) -> str:
    """Return the page.

    Args:
        content: What ``report.json`` holds.
        palette: The data set's colours.
        explained: Where a classifier looks; None where there is none to ask.
    """
    run = content['run']
    if content['task'] == 'detection':
        sections = detection_sections(content)
        numbers = detection_facts(content)
    else:
        sections = classification_sections(content, explained)
        numbers = classification_facts(content)
    colours = class_colours(len(content['classes']), palette)[:MOST_COLOURS]
    name = run['dataset'] or 'Run'
    return frame_page(
        clipped(f'{name}: what the model has learnt'),
        'run report',
        [
            element('p', clipped(_origin(run), 400), class_='source'),
            [element('p', note, class_='refusal') for note in content['notes']],
            facts(numbers),
            element(
                'ul',
                [element('li', clipped(text, 400)) for text in content['summary']],
                class_='summary',
            ),
        ],
        [
            *sections,
            *sets_sections(content),
            Section('about', 'About this run', about_section(content)),
        ],
        colours,
        1.33,
        PAGE_STYLE,
    )


def _default_folder(report: RunReport, config: str) -> str:
    if report.checkpoint and '://' not in report.checkpoint:
        return os.path.dirname(report.checkpoint) or '.'
    stem = os.path.splitext(os.path.basename(config))[0]
    return report.cfg.get('work_dir') or os.path.join('work_dirs', stem)


def _copies(given: Mapping[str, str], folder: str) -> dict[str, bytes]:
    """Read predictions that are elsewhere, so that the folder is a whole run."""
    files = {}
    for split, path in given.items():
        name = _file_name(split)
        there = os.path.join(folder, name)
        if not (os.path.exists(there) and os.path.samefile(path, there)):
            with open(path, 'rb') as file:
                files[name] = file.read()
    return files


def _file_name(split: str) -> str:
    return f'{SPLITS[split]}_predictions.pkl'


def _origin(run: Mapping[str, Any]) -> str:
    parts = [run['config']]
    if run['checkpoint']:
        epoch = f', epoch {run["epoch"]}' if run['epoch'] is not None else ''
        parts.append(f'{run["checkpoint"]}{epoch}')
    return ' · '.join([*parts, *run['predictions'].values()])
