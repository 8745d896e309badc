"""Running a checkpoint on the validation and the test set, with the stock loop."""

import os
import tempfile
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.registry import METRICS, RUNNERS

from custom_datasets.evaluation.results import Samples, read_samples
from custom_datasets.predicting.config import (
    SPLITS,
    DataSet,
    describe_dataset,
    is_detection,
    quiet,
    same_data,
)
from custom_datasets.predicting.model import (
    CheckpointFacts,
    require_checkpoint,
    require_fit,
)

Progress = Callable[[int, int], None]
"""Is called with the number of images done, and of all."""


class Predicted(NamedTuple):
    """A model's predictions on a data set, as ``tools/test.py --out`` has them."""

    data: DataSet
    samples: Samples
    metrics: dict[str, Any]


def predict(
    cfg: Config,
    checkpoint: str,
    splits: Sequence[str],
    progress: Progress | None = None,
) -> tuple[dict[str, Predicted], CheckpointFacts]:
    """Run the stock test loop on parts of the data; the model is built once.

    What the runner logs and dumps goes to a folder that is removed, so nothing of a
    training run is replaced. Two parts that are the same data set are run once.
    """
    require_checkpoint(checkpoint)
    needed = list(splits)
    if len(needed) > 1 and same_data(cfg):
        needed = needed[:1]
    with tempfile.TemporaryDirectory(prefix='report-') as folder, quiet():
        runner = RUNNERS.build(_settings(cfg, needed[0], folder))
        loops = [runner.test_loop]
        loops += [runner.build_test_loop(_loop(cfg, split)) for split in needed[1:]]
        data = [describe_dataset(loop.dataloader.dataset) for loop in loops]
        runner.register_hook(_ProgressHook(sum(len(d.keys) for d in data), progress))
        runner.call_hook('before_run')
        # By the runner, whose hooks may keep weights of their own (an average).
        loaded = runner.load_checkpoint(checkpoint)
        facts = require_fit(checkpoint, loaded, runner.model, data[0].classes)
        predicted = {}
        for split, loop, dataset in zip(needed, loops, data, strict=True):
            path = os.path.join(folder, f'{split}.pkl')
            kind = 'mmdet.DumpDetResults' if is_detection(cfg) else 'DumpResults'
            dump = METRICS.build({'type': kind, 'out_file_path': path})
            loop.evaluator.metrics.append(dump)
            # Hooks ask the runner which data they are on: the run's record does.
            runner._test_loop = loop
            metrics = loop.run()
            predicted[split] = Predicted(dataset, read_samples(path), dict(metrics))
        runner.call_hook('after_run')
    return {
        split: predicted.get(split, predicted[needed[0]]) for split in splits
    }, facts


class _ProgressHook(Hook):  # type: ignore[misc]
    def __init__(self, total: int, progress: Progress | None) -> None:
        self.done, self.total, self.progress = 0, total, progress

    def after_test_iter(
        self,
        runner: Any,
        batch_idx: int,
        data_batch: Any = None,
        outputs: Sequence[Any] | None = None,
    ) -> None:
        """Count a batch."""
        self.done += len(outputs or ())
        if self.progress:
            self.progress(self.done, self.total)


def _settings(cfg: Config, split: str, folder: str) -> Config:
    ready = Config(cfg.to_dict(), filename=cfg.filename)
    name = SPLITS[split]
    ready.merge_from_dict(
        {'work_dir': folder, 'log_level': 'ERROR', 'launcher': 'none'}
    )
    ready.test_dataloader = ready[f'{name}_dataloader']
    ready.test_evaluator = ready[f'{name}_evaluator']
    ready.test_cfg = ready.get('test_cfg') or {}
    ready.load_from, ready.resume = None, False
    # Another run must not appear where this one was tracked.
    ready.track = None
    if ready.get('visualizer'):
        ready.visualizer.vis_backends = [{'type': 'LocalVisBackend'}]
    ready.setdefault('runner_type', 'PluginRunner')
    return ready


def _loop(cfg: Config, split: str) -> dict[str, Any]:
    name = SPLITS[split]
    return {
        'type': 'TestLoop',
        **(cfg.get('test_cfg') or {}),
        'dataloader': cfg[f'{name}_dataloader'],
        'evaluator': cfg[f'{name}_evaluator'],
    }
