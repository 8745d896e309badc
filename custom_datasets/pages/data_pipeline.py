"""What the training pipeline makes of an image: the only part that needs torch."""

import random
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
from mmengine.config import Config

from custom_datasets.errors import UserError
from custom_datasets.pages.pictures import (
    Outline,
    Picture,
    load_picture,
    make_picture,
    packed_pixels,
)
from custom_datasets.predicting.config import quiet


class Augmented(NamedTuple):
    """One training image before and after the pipeline.

    In detection, ``label`` is empty. ``after`` has a picture for each draw, none where
    nothing is left.
    """

    name: str
    label: str
    before: Picture
    after: tuple[Picture, ...]


def run_pipeline(
    cfg: Config, styles: Mapping[str, str], images: int = 4, draws: int = 2
) -> list[Augmented]:
    """Run the training pipeline ``draws`` times on a few images, always the same ones.

    Raises:
        UserError: The data set can't be built, does not tell where a sample comes
            from, or its pipeline packs nothing that can be shown.
    """
    settings = (cfg.get('train_dataloader') or {}).get('dataset')
    if not settings:
        raise UserError('the config has no training data')
    with quiet():
        try:
            return list(_samples(_build(cfg, settings), styles, images, draws))
        except UserError:
            raise
        except Exception as error:  # Whatever a config names runs in there.
            name = type(error).__name__
            raise UserError(f'the pipeline cannot be run ({name}: {error})') from error


def _build(cfg: Config, settings: Mapping[str, Any]) -> Any:
    from mmengine.registry import DATASETS, DefaultScope
    from mmengine.utils import import_modules_from_strings

    if cfg.get('custom_imports'):
        import_modules_from_strings(**cfg.custom_imports)
    with DefaultScope.overwrite_default_scope(cfg.get('default_scope')):
        return DATASETS.build(settings)


def _samples(
    dataset: Any, styles: Mapping[str, str], images: int, draws: int
) -> Iterator[Augmented]:
    if not hasattr(dataset, 'get_data_info'):
        raise UserError(
            f'{type(dataset).__name__} has no get_data_info, so it does not say which '
            'image a sample comes from'
        )
    classes = tuple(dataset.metainfo.get('classes') or ())
    order = random.Random(0).sample(range(len(dataset)), len(dataset))
    annotated = (i for i in order if dataset.get_data_info(i).get('instances'))
    for index in list(islice(annotated, images)) or order[:images]:
        info = dataset.get_data_info(index)
        path, label = info['img_path'], info.get('gt_label')
        boxes = [(i['bbox'], i['bbox_label']) for i in info.get('instances') or ()]
        before = load_picture(path, _outlines(boxes, classes, styles))
        if before is None:
            continue
        after = []
        for draw in range(draws):
            _seed(draw)
            packed = dataset[index]
            # Where a crop leaves nothing, the data set takes another image.
            if _source(packed) in (path, None):
                after.append(_output(packed, classes, styles))
        name = _name(classes, label) if isinstance(label, int) else ''
        yield Augmented(path, name, before, tuple(after))


def _source(packed: Any) -> str | None:
    samples = packed.get('data_samples') if isinstance(packed, dict) else None
    path: str | None = getattr(samples, 'metainfo', {}).get('img_path')
    return path


def _output(packed: Any, classes: Sequence[str], styles: Mapping[str, str]) -> Picture:
    inputs = packed.get('inputs') if isinstance(packed, dict) else None
    if getattr(inputs, 'ndim', 0) != 3:
        raise UserError('the pipeline does not end in PackDetInputs or PackInputs')
    boxes: list[tuple[Sequence[float], int]] = []
    for kind in ('gt_instances', 'ignored_instances'):
        instances = getattr(packed.get('data_samples'), kind, None)
        if instances is not None and 'bboxes' in instances:
            corners = getattr(instances.bboxes, 'tensor', instances.bboxes)
            labels = instances.labels.tolist()
            boxes += zip(corners.reshape(-1, 4).tolist(), labels, strict=True)
    return make_picture(packed_pixels(inputs), _outlines(boxes, classes, styles))


def _outlines(
    boxes: Sequence[tuple[Sequence[float], int]],
    classes: Sequence[str],
    styles: Mapping[str, str],
) -> list[Outline]:
    outlines = []
    for (x1, y1, x2, y2), label in boxes:
        name = _name(classes, label)
        outlines.append(Outline((x1, y1, x2, y2), name, styles.get(name, '')))
    return outlines


def _name(classes: Sequence[str], label: int) -> str:
    return str(classes[label]) if 0 <= label < len(classes) else str(label)


def _seed(seed: int) -> None:
    import torch

    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
