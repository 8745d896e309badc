"""Painting what a test predicts: what ``--show-dir`` leaves."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

import mmcv
import numpy as np
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from numpy.typing import NDArray

from custom_datasets.files import write_image
from custom_datasets.predicting.painting import (
    Pixels,
    class_palette,
    paint_boxes,
    paint_class,
    side_by_side,
)
from custom_datasets.predicting.run_folder import Decision, decide

_WRITTEN_AS_READ = '.jpg', '.jpeg', '.png', '.bmp', '.webp'


def apply_painting(cfg: Config) -> None:
    """Put :class:`PaintHook` where ``--show-dir`` has asked for a stock hook.

    mmpretrain's paints into the current folder, files of one name over each other,
    what the network sees: cropped, shrunk, and with red for blue. ``--show`` keeps the
    stock hook, which opens the windows.
    """
    hooks = cfg.get('default_hooks') or {}
    stock = hooks.get('visualization') or {}
    folder = stock.get('test_out_dir') or stock.get('out_dir')
    if folder and not stock.get('show'):
        hooks['visualization'] = {
            'type': 'PaintHook',
            'folder': folder,
            'threshold': stock.get('score_thr'),
            'interval': stock['interval'] if 'out_dir' in stock else 1,
        }


@HOOKS.register_module()
class PaintHook(Hook):  # type: ignore[misc]
    """Paint each image of a test, with its annotations where it has some.

    Boxes are those that reach the threshold of the report beside the checkpoint, else
    0.3, and stand beside the annotated ones.
    """

    def __init__(
        self, folder: str, threshold: float | None = None, interval: int = 1
    ) -> None:
        """Remember where to paint.

        Args:
            folder: Inside the work directory, in the folder of this test, unless it is
                absolute.
            threshold: Lowest score of a box; None asks the report.
            interval: Every how many images one is painted.
        """
        self.folder, self.threshold, self.interval = folder, threshold, interval
        self._seen = 0
        self._files: Mapping[str, str] = {}
        self._decision: Decision | None = None

    def before_test_epoch(self, runner: Any) -> None:
        """Choose file names, colours and the threshold."""
        self.folder = os.path.join(runner.work_dir, runner.timestamp, self.folder)
        dataset = runner.test_dataloader.dataset
        paths = [dataset.get_data_info(i)['img_path'] for i in range(len(dataset))]
        self._files = painted_names(paths)
        self._classes = tuple(dataset.metainfo['classes'])
        self._palette = class_palette(self._classes, dataset.metainfo.get('palette'))

    def after_test_iter(
        self,
        runner: Any,
        batch_idx: int,
        data_batch: Any = None,
        outputs: Sequence[Any] | None = None,
    ) -> None:
        """Paint the images of a batch."""
        for sample in outputs or ():
            if self._seen % self.interval == 0:
                image = mmcv.imread(sample.img_path)
                if 'pred_instances' in sample:
                    painted = self._paint_boxes(runner, image, sample)
                else:
                    painted = self._paint_class(image, sample)
                name = self._files[sample.img_path]
                write_image(os.path.join(self.folder, name), painted)
            self._seen += 1

    def after_test_epoch(
        self, runner: Any, metrics: dict[str, float] | None = None
    ) -> None:
        """Say where they are."""
        runner.logger.info(f'painted predictions: {self.folder}')

    def _paint_boxes(self, runner: Any, image: Pixels, sample: Any) -> Pixels:
        if self._decision is None:
            self._decision = decide(
                os.path.dirname(runner.loaded_checkpoint),
                runner.loaded_checkpoint,
                runner.loaded_facts,
                self._classes,
                'detection',
                self.threshold,
            )
            runner.logger.info(f'painting: {self._decision}')
        predicted = sample.pred_instances
        scores, labels = _array(predicted.scores), _array(predicted.labels)
        kept = scores >= [self._decision.threshold_of(label) for label in labels]
        painted = paint_boxes(
            image,
            _array(predicted.bboxes)[kept],
            self._names(labels[kept]),
            scores[kept],
            palette=self._palette,
            threshold_text=f'predicted, {self._decision.caption}',
        )
        annotated = sample.get('gt_instances')
        if annotated is None or not len(annotated):
            return painted
        truth = paint_boxes(
            image,
            _array(annotated.bboxes),
            self._names(_array(annotated.labels)),
            palette=self._palette,
            threshold_text='annotated',
        )
        return side_by_side(truth, painted)

    def _paint_class(self, image: Pixels, sample: Any) -> Pixels:
        probabilities = _array(sample.pred_score)
        order = np.argsort(-probabilities, kind='stable')[:2]
        truth = self._names(_array(sample.gt_label)) if 'gt_label' in sample else []
        return paint_class(
            image,
            self._names(order),
            probabilities[order],
            palette=self._palette,
            threshold_text=f'annotated: {", ".join(truth)}' if truth else None,
        )

    def _names(self, labels: NDArray[Any]) -> list[str]:
        return [self._classes[label] for label in labels]


def painted_names(paths: Sequence[str]) -> dict[str, str]:
    """Name the painted file of each image: as the image, in sub-folders if need be."""
    names = {path: os.path.basename(path) for path in paths}
    if len(set(names.values())) < len(names):
        shared = os.path.commonpath([os.path.abspath(path) for path in names])
        names = {path: os.path.relpath(path, shared) for path in names}
    return {
        path: name if name.lower().endswith(_WRITTEN_AS_READ) else f'{name}.png'
        for path, name in names.items()
    }


def _array(values: Any) -> NDArray[Any]:
    """Return a tensor, or upstream's boxes around one, as an array."""
    array: NDArray[Any] = getattr(values, 'tensor', values).cpu().numpy()
    return array
