"""The page of a run: writing it, its numbers and its predictions."""

import json
import os
import pickle
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, cast

from markupsafe import Markup

from custom_datasets.errors import UserError
from custom_datasets.evaluation.classification_report import ClassificationReport
from custom_datasets.evaluation.detection import DetectionReport
from custom_datasets.files import text_bytes, write_files
from custom_datasets.pages.charts import Dot, Line, fitted_axis, lines, peak_limit
from custom_datasets.pages.class_maps import Explanations
from custom_datasets.pages.classification import classification_view
from custom_datasets.pages.detection import detection_view
from custom_datasets.pages.kit import (
    MOST_COLOURS,
    clipped,
    decimal,
    render,
    with_interval,
)
from custom_datasets.pages.run_report import RunReport, gather
from custom_datasets.pages.summaries import (
    METRICS,
    attributes_sentence,
    classification_summary,
    detection_summary,
    has_anchors,
    threshold_setting,
)
from custom_datasets.predicting.colours import class_colours
from custom_datasets.predicting.config import SPLITS
from custom_datasets.predicting.predict import Progress
from custom_datasets.training.record import PAGE_NAME, read_run
from custom_datasets.training.run_md import neighbours, run_page

_PAGE = 'report.html'
_MOST_ROWS = 40

_ATTRIBUTE_ITEMS = {
    'accuracy': 'right',
    'within_one': 'off by at most 1',
    'mean_absolute_error': 'mean absolute error',
    'expected_error': 'error of the expected value',
}


def write_run_report(
    config: str,
    checkpoint: str | None = None,
    predictions: Mapping[str, str] | None = None,
    out: str | None = None,
    options: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
    device: str | None = None,
) -> str:
    """Evaluate a run, write its page, numbers and predictions, and return a few lines.

    ``report.html``, ``report.json``, ``test_predictions.pkl`` and
    ``val_predictions.pkl`` are written together or not at all. Predictions that
    were given are copied only where ``out`` names the folder, so that nothing of
    another run is replaced. By default the folder is that of the checkpoint, else the
    config's ``work_dir``.

    ``predictions`` are files of ``tools/test.py --out`` by ``test`` and ``validation``;
    missing ones are made with ``checkpoint``. ``progress`` gets the number of images
    predicted, and of all. ``device`` is ``cpu``, ``cuda``, ``cuda:1`` or ``mps``.

    Raises:
        UserError: Something can't be read, does not belong together, or the files
            can't be written.
    """
    report = gather(config, checkpoint, predictions or {}, options, progress, device)
    content = report.content
    iterations = content['run']['iteration']
    explained = None
    if content['task'] == 'detection':
        content['threshold_setting'] = threshold_setting(report.cfg.model)
        content['anchors'] = has_anchors(report.cfg.model)
        detected = cast(DetectionReport, content)
        content['summary'] = detection_summary(detected, iterations)
    else:
        content['summary'] = [
            *classification_summary(cast(ClassificationReport, content), iterations),
            *map(attributes_sentence, content['attributes']),
        ]
        if checkpoint is not None:
            # It imports mmpretrain, which a detector's user may not have.
            from custom_datasets.pages.class_maps import draw_class_maps

            explained = draw_class_maps(
                report.cfg,
                checkpoint,
                cast(ClassificationReport, content),
                device or 'cpu',
            )
            content['class_maps'] = explained.facts()
    folder = out or _default_folder(report, config)
    text = json.dumps(content, indent=1, allow_nan=False, default=float)
    # The page shows what the JSON says, not what it was rounded from.
    page = render_run(json.loads(text), report.palette, explained, folder)
    files = {
        _PAGE: page,
        'report.json': text.encode(),
        **{_file_name(split): pickle.dumps(s) for split, s in report.samples.items()},
    }
    if out:
        files |= _copies(predictions or {}, out)
    write_files(folder, files)
    _link_from_record(folder)
    path = os.path.join(folder, _PAGE)
    size = f'{path}: {len(page) / 1e6:.1f} MB'
    return '\n'.join([*content['notes'], *content['summary'], size])


def render_run(
    content: Mapping[str, Any],
    palette: Any = None,
    explained: Explanations | None = None,
    folder: str | None = None,
) -> bytes:
    """Return the page for the content of ``report.json``.

    ``folder`` is where the page will be, to link what lies beside it.
    """
    run: Mapping[str, Any] = content['run']
    if content['task'] == 'detection':
        anchors = content.get('anchors', True)
        view = detection_view(cast(DetectionReport, content), run, anchors)
    else:
        view = classification_view(cast(ClassificationReport, content), run, explained)
    sets = content.get('sets') or {'metric': 'top1', 'rows': []}
    return render(
        f'{content["task"]}.html',
        heading=f'{run["dataset"] or "Run"}: what the model has learnt',
        kind='run report',
        colours=class_colours(len(content['classes']), palette)[:MOST_COLOURS],
        frame=view.pop('frame', 1.33),
        report=content,
        origin=_origin(run),
        files=neighbours(folder, _PAGE) if folder else [],
        set_metric=METRICS[sets['metric']],
        set_rows=sets['rows'][:_MOST_ROWS] if len(sets['rows']) > 1 else [],
        attributes=[
            (clipped(f'{row["name"]}: {text}'), with_interval(row[item]))
            for row in content.get('attributes') or ()
            for item, text in _ATTRIBUTE_ITEMS.items()
            if item in row
        ],
        training=_training(content.get('training')),
        about=_about(run),
        stock=_stock(content['stock_metrics']),
        **view,
    )


def _training(curves: Mapping[str, Any] | None) -> list[tuple[str, str, Markup]]:
    if not curves:
        return []
    metric, best = curves['metric'], curves['best']
    limit = peak_limit(value for _, value in curves['loss'])
    loss = 'Mean of each epoch, on the training set.'
    if limit:
        loss += f' What lies above {limit:.3g} is not drawn.'
    charts = [
        ('loss', loss, curves['loss']),
        ('learning rate', 'At the end of each epoch.', curves['rate']),
    ]
    if metric in curves['metrics']:
        text = 'On the validation set'
        if best:
            text += (
                f'; the dot is the best, {best[1]:.3f} at {curves["step"]} {best[0]:g}'
            )
        charts.append((metric, f'{text}.', curves['metrics'][metric]))
    drawn = []
    for name, text, points in charts:
        if points:
            steps, values = zip(*points, strict=True)
            up = fitted_axis(
                name, values, name != metric, limit if name == 'loss' else None
            )
            dots = [Dot(f'{best[1]:.3f}', '', *best)] if name == metric and best else []
            chart = lines(
                [Line(name, '', points)],
                fitted_axis(curves['step'], steps),
                up,
                f'{name} by {curves["step"]}',
                dots,
            )
            drawn.append((name, text, chart))
    return drawn


def _about(run: Mapping[str, Any]) -> list[tuple[str, str]]:
    rows = {
        'config': run['config'],
        '--cfg-options': ' '.join(f'{k}={v}' for k, v in run['options'].items()),
        'checkpoint': run['checkpoint'],
        'epoch': run['epoch'],
        **{f'predictions, {split}': path for split, path in run['predictions'].items()},
        'date': run['date'],
        'versions': ', '.join(f'{k} {v}' for k, v in run['versions'].items()),
    }
    return [
        (name, clipped(str(value), 300))
        for name, value in rows.items()
        if value not in (None, '')
    ]


def _stock(metrics: Mapping[str, Mapping[str, Any]]) -> list[list[str]]:
    if not metrics:
        return []
    splits = list(metrics)
    names = [
        name
        for name, value in metrics[splits[0]].items()
        if isinstance(value, (int, float))
    ]
    return [
        ['', *splits],
        *(
            [clipped(name), *(decimal(metrics[s].get(name)) for s in splits)]
            for name in names[:_MOST_ROWS]
        ),
    ]


def _default_folder(report: RunReport, config: str) -> str:
    if report.checkpoint and '://' not in report.checkpoint:
        return os.path.dirname(report.checkpoint) or '.'
    stem = os.path.splitext(os.path.basename(config))[0]
    return report.cfg.get('work_dir') or os.path.join('work_dirs', stem)


def _link_from_record(folder: str) -> None:
    """Write ``run.md`` again where there is one: it links what lies beside it."""
    with suppress(UserError):  # A note says what is wrong with a record.
        record = read_run(folder, whole=True)
        files = neighbours(folder, PAGE_NAME)
        page = run_page(record.name, record.content, files)
        write_files(folder, {PAGE_NAME: text_bytes(page)})


def _copies(predictions: Mapping[str, str], folder: str) -> dict[str, bytes]:
    """Read predictions that are elsewhere, so that the folder is a complete run."""
    files = {}
    for split, path in predictions.items():
        name = _file_name(split)
        target = os.path.join(folder, name)
        if not (os.path.exists(target) and os.path.samefile(path, target)):
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
