"""Running a checkpoint on validation and test set, as the stock ``test.py`` does."""

import os
import tempfile
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from mmengine.config import Config
from mmengine.evaluator import Evaluator
from mmengine.registry import METRICS
from mmengine.runner import Runner
from torch.utils.data import DataLoader

from custom_datasets.checkpoints import CheckpointFacts, require_classes
from custom_datasets.evaluation.results import Samples, read_samples
from custom_datasets.predicting.config import (
    SPLITS,
    DataSet,
    describe_dataset,
    is_detection,
    quiet,
    same_data,
)
from custom_datasets.predicting.model import Network, load_network

Progress = Callable[[int, int], None]
"""Is called with the number of images done, and of all."""


class Predicted(NamedTuple):
    """A model's predictions on a data set, as ``tools/test.py --out`` has them.

    ``model`` and ``dataset`` are what mmdet or mmpretrain built.
    """

    data: DataSet
    samples: Samples
    metrics: dict[str, Any]
    seconds: float
    model: Any
    dataset: Any


def predict(
    cfg: Config,
    checkpoint: str,
    splits: Sequence[str],
    progress: Progress | None = None,
    device: str | None = None,
) -> tuple[dict[str, Predicted], CheckpointFacts]:
    """Predict on parts of the data and measure the config's metrics; see ``SPLITS``.

    The model is built once, and two parts that are the same data set are run once.
    Nothing is written.

    Raises:
        UserError: The checkpoint is missing, damaged, or of another model or other
            classes; data can't be read; or there is no such device.
    """
    network = load_network(cfg, checkpoint, device=device)
    needed = list(splits)
    if len(needed) > 1 and same_data(cfg):
        needed = needed[:1]
    with quiet(), network.scope():
        loaders = [_loader(network.cfg, split) for split in needed]
        data = [describe_dataset(loader.dataset) for loader in loaders]
        require_classes(checkpoint, network.facts.classes, data[0].classes)
        count = _Count(sum(len(part.keys) for part in data), progress)
        predicted = {
            split: _run(network, split, loader, part, count)
            for split, loader, part in zip(needed, loaders, data, strict=True)
        }
    return {
        split: predicted.get(split, predicted[needed[0]]) for split in splits
    }, network.facts


def _loader(cfg: Config, split: str) -> DataLoader[Any]:
    settings = cfg[f'{SPLITS[split]}_dataloader']
    if not torch.cuda.is_available():
        settings.pin_memory = False
    loader: DataLoader[Any] = Runner.build_dataloader(settings)
    return loader


def _run(
    network: Network,
    split: str,
    loader: DataLoader[Any],
    data: DataSet,
    count: '_Count',
) -> Predicted:
    begun = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix='report-') as folder:
        path = os.path.join(folder, 'predictions.pkl')
        kind = 'mmdet.DumpDetResults' if is_detection(network.cfg) else 'DumpResults'
        evaluator = Evaluator(network.cfg[f'{SPLITS[split]}_evaluator'])
        evaluator.metrics.append(METRICS.build({'type': kind, 'out_file_path': path}))
        evaluator.dataset_meta = loader.dataset.metainfo  # type: ignore[attr-defined]
        for batch in loader:
            samples = network.forward(batch)
            evaluator.process(data_samples=samples, data_batch=batch)
            count.add(len(samples))
        metrics = dict(evaluator.evaluate(len(data.keys)))
        samples = read_samples(path)
    seconds = time.perf_counter() - begun
    return Predicted(data, samples, metrics, seconds, network.model, loader.dataset)


class _Count:
    def __init__(self, total: int, progress: Progress | None) -> None:
        self.done, self.total, self.progress = 0, total, progress

    def add(self, images: int) -> None:
        self.done += images
        if self.progress:
            self.progress(self.done, self.total)
