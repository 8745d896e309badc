"""How good, how large and how fast a network is, in PyTorch and exported."""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypedDict

import numpy as np
import torch

from custom_datasets.evaluation.intervals import Interval
from custom_datasets.evaluation.measures import Measured
from custom_datasets.export.labelled import Labelled
from custom_datasets.export.parity import EAGER, STOCK, Parity, eager_run
from custom_datasets.predicting.config import quiet
from custom_datasets.predicting.exported import ExportedNetwork, letterbox
from custom_datasets.predicting.model import Network
from custom_datasets.predicting.outputs import RawAnswer

_TIMED = 30
"""On how many images each is timed."""


class Row(TypedDict):
    """What was measured of one model.

    ``metric`` is its COCO AP or top-1, ``difference`` what it has more than PyTorch, on
    the same draws of images; both are None where there is no truth. ``milliseconds``
    is the median of an image, without reading and resizing it.
    """

    model: str
    precision: str
    megabytes: float
    metric: Interval | None
    difference: Interval | None
    milliseconds: float


class Measurements(TypedDict):
    """The table of an export, and on what it was measured."""

    images: str
    metric: str | None
    timed: int
    threads: int
    rows: list[Row]


def measure_exports(
    network: Network,
    parity: Parity,
    exported: Mapping[str, tuple[ExportedNetwork, str]],
) -> Measurements:
    """Measure what was compared, and what was made of it.

    Args:
        network: In PyTorch.
        parity: How float32 compares.
        exported: By a name, each model and its folder; those of other precisions than
            float32 are run on the same images.
    """
    answers = {EAGER: parity.answers[STOCK]}
    for name, (model, _) in exported.items():
        if model.about['precision'] == 'float32':
            answers[name] = parity.answers[model.runtime]
        elif parity.labelled:
            answers[name] = [
                model.answers([model.pipeline(read(), 'image')])[0]
                for read in parity.reads
            ]
    measured = _measured(parity.labelled, answers)
    times = _times(network, parity, {name: row[0] for name, row in exported.items()})
    weights = network.model.state_dict().values()
    size = sum(tensor.numel() * tensor.element_size() for tensor in weights)
    rows = [_row(EAGER, 'float32', size, measured, times)]
    for name, (model, folder) in exported.items():
        files = model.about['files'][model.runtime]
        size = sum(os.path.getsize(os.path.join(folder, file)) for file in files)
        rows.append(_row(name, model.about['precision'], size, measured, times))
    return {
        'images': f'{parity.images}, {parity.kind}',
        'metric': parity.labelled.metric if parity.labelled else None,
        'timed': min(_TIMED, len(parity.reads)),
        'threads': torch.get_num_threads(),
        'rows': rows,
    }


def _row(
    name: str,
    precision: str,
    size: int,
    measured: Mapping[str, Measured],
    times: Mapping[str, float],
) -> Row:
    own = measured.get(name)
    return {
        'model': name,
        'precision': precision,
        'megabytes': round(size / 1e6, 1),
        'metric': own.estimates()[0].as_json() if own else None,
        'difference': own.minus(measured[EAGER])[0].as_json() if own else None,
        'milliseconds': round(times[name], 2),
    }


def _measured(
    labelled: Labelled | None, answers: Mapping[str, Sequence[RawAnswer]]
) -> dict[str, Measured]:
    if labelled is None:
        return {}
    return {name: labelled.measure(rows) for name, rows in answers.items()}


def _times(
    network: Network, parity: Parity, exported: Mapping[str, ExportedNetwork]
) -> dict[str, float]:
    """Return the median milliseconds of each, which take turns image by image."""
    about = next(iter(exported.values())).about
    count = about['batch'] or 1
    times: dict[str, list[float]] = {name: [] for name in (EAGER, *exported)}
    with quiet(), network.scope(), torch.no_grad():
        for row, read in enumerate([parity.reads[0], *parity.reads[:_TIMED]]):
            inputs, shape, scale = letterbox(read(), about['input'])
            batch = [{'inputs': inputs, 'shape': shape, 'scale': scale}] * count
            tensor = torch.from_numpy(np.stack([inputs] * count))
            runs: dict[str, Callable[[], Any]] = {
                EAGER: eager_run(network, tensor, shape, scale),
                **{
                    name: partial(model.answers, batch)
                    for name, model in exported.items()
                },
            }
            for name, run in runs.items():
                start = time.perf_counter()
                run()
                if row:  # The first is a warm-up.
                    times[name].append(time.perf_counter() - start)
    return {name: 1000 * float(np.median(own)) / count for name, own in times.items()}
