"""A network as one function of tensors, which a tracer can follow.

Stock ``predict`` is traced. Where it decides by the data, a trace would keep what held
for the one image it saw; there :func:`trace` takes the general branch instead, and
an operator of torchvision that every exporter knows instead of mmcv's.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any
from unittest.mock import patch

import torch
import torchvision
from torch import Tensor, nn


class Detecting(nn.Module):
    """A detector of a fixed number of images, with everything up to its NMS.

    Inputs are the images (n, 3, height, width), normalised and padded, and (n, 2), the
    height and the width of each without its padding. Outputs are, for each image in
    turn: boxes (k, 4), ``xyxy`` in pixels of the input; scores (k,), labels (k,).

    Attributes:
        bonus: Is added to each score where a score is compared with a threshold: large
            in a trace, since what has no boxes is traced as nothing, and then 0.
    """

    bonus: Tensor

    def __init__(self, model: nn.Module) -> None:
        """Keep mmdet's model."""
        super().__init__()
        self.model = model
        self.register_buffer('bonus', torch.zeros(()))

    def forward(self, images: Tensor, shapes: Tensor) -> tuple[Tensor, ...]:
        """Extract the features of all images at once, then predict one by one."""
        features = self.model.extract_feat(images)  # type: ignore[operator]
        outputs: list[Tensor] = []
        for row in range(images.shape[0]):
            own = tuple(level[row : row + 1] for level in features)
            outputs += self._predict(images[row : row + 1], own, shapes[row])
        return tuple(outputs)

    def _predict(
        self, image: Tensor, features: Sequence[Tensor], shape: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        from mmdet.structures import DetDataSample

        size = tuple(int(side) for side in image.shape[-2:])
        sample = DetDataSample()
        facts = {
            'img_shape': (shape[0], shape[1]),
            'batch_input_shape': size,
            'pad_shape': size,
            'ori_shape': size,
            'scale_factor': (1.0, 1.0),
        }
        for name, value in facts.items():
            # set_metainfo copies, and a copy is a constant to the tracer.
            sample.set_field(value, name, field_type='metainfo')
        with patch.object(self.model, 'extract_feat', lambda _: features):
            (answer,) = self.model.predict(  # type: ignore[operator]
                image, [sample], rescale=False
            )
        boxes = answer.pred_instances
        return boxes.bboxes.reshape(-1, 4), boxes.scores, boxes.labels


class Classifying(nn.Module):
    """A classifier: images (n, 3, height, width) in, probabilities (n, classes) out."""

    def __init__(self, model: nn.Module) -> None:
        """Keep mmpretrain's model."""
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> Tensor:
        """Predict as ``head.predict`` does, without data samples."""
        features = self.model.extract_feat(images)  # type: ignore[operator]
        return torch.softmax(self.model.head(features), dim=1)  # type: ignore[operator]


def trace(model: Detecting | Classifying, example: tuple[Tensor, ...]) -> Any:
    """Return a model as TorchScript, which holds for images of any content."""
    if isinstance(model, Classifying):
        return torch.jit.trace(model, example, check_trace=False)  # type: ignore[no-untyped-call]
    model.bonus.fill_(2)
    with _general_branches(model.bonus):
        traced = torch.jit.trace(model, example, check_trace=False)  # type: ignore[no-untyped-call]
    # The trace refers to it, and has no copy.
    model.bonus.fill_(0)
    return traced


@contextmanager
def means_in_two_steps() -> Iterator[None]:
    """Take means over whole maps row by row: ONNX Runtime adds value after value.

    Of the thousands in a large map that leaves four digits: where a map is constant,
    as it is in padding, all roundings go one way.
    """
    pool = torch.nn.functional.adaptive_avg_pool2d

    def mean(maps: Tensor, output_size: Any) -> Tensor:
        if output_size in (1, (1, 1), [1, 1]):
            return maps.mean(dim=-1, keepdim=True).mean(dim=-2, keepdim=True)
        return pool(maps, output_size)

    with patch.object(torch.nn.functional, 'adaptive_avg_pool2d', mean):
        yield


@contextmanager
def _general_branches(bonus: Tensor) -> Iterator[None]:
    """Replace mmdet's decisions by the data; every NMS becomes the plain one."""
    from mmcv.ops import RoIAlign, batched_nms
    from mmdet.models.layers import multiclass_nms
    from mmdet.models.roi_heads.roi_extractors import SingleRoIExtractor
    from mmdet.models.task_modules.coders import DeltaXYWHBBoxCoder
    from mmdet.models.utils import filter_scores_and_topk

    split = Tensor.split

    def split_several(tensor: Tensor, sizes: Any, dim: int = 0) -> Any:
        """Leave whole what is one part: its size would become a constant."""
        if isinstance(sizes, (list, tuple)) and len(sizes) == 1:
            return (tensor,)
        return split(tensor, sizes, dim)  # type: ignore[no-untyped-call]

    decode = DeltaXYWHBBoxCoder.decode

    def decode_one_more(
        coder: Any, boxes: Tensor, deltas: Tensor, **settings: Any
    ) -> Tensor:
        """Decode one box more, since none cannot be put into another shape."""
        boxes = torch.cat((boxes, boxes.new_ones(1, boxes.shape[1])))
        deltas = torch.cat((deltas, deltas.new_zeros(1, deltas.shape[1])))
        decoded: Tensor = decode(coder, boxes, deltas, **settings)[:-1]
        return decoded

    numel = Tensor.numel
    with ExitStack() as stack:
        for target, name, stand_in in (
            (Tensor, 'split', split_several),
            # "Are there any?", before mmdet goes on with those that there are.
            (Tensor, 'numel', lambda tensor: max(numel(tensor), 1)),
            # "Are all sound?", before it takes those that are.
            (Tensor, 'all', lambda tensor: torch.zeros((), dtype=torch.bool)),
            (DeltaXYWHBBoxCoder, 'decode', decode_one_more),
            (RoIAlign, 'forward', _roi_align),
            (SingleRoIExtractor, 'forward', _extract),
        ):
            stack.enter_context(patch.object(target, name, stand_in))
        for function, replaced in (
            (batched_nms, _batched_nms),
            (multiclass_nms, partial(_multiclass_nms, bonus)),
            (filter_scores_and_topk, partial(_filter_scores_and_topk, bonus)),
        ):
            for module in list(sys.modules.values()):
                name = function.__name__
                if getattr(module, '__dict__', {}).get(name) is function:
                    stack.enter_context(patch.object(module, name, replaced))
        yield


def _batched_nms(
    boxes: Tensor,
    scores: Tensor,
    idxs: Tensor,
    nms_cfg: Mapping[str, Any],
    class_agnostic: bool = False,
) -> tuple[Tensor, Tensor]:
    """Do as mmcv's, and also without any box, and whatever their number."""
    settings = dict(nms_cfg)
    shifted = boxes
    if not settings.get('class_agnostic', class_agnostic):
        largest = torch.cat((boxes.reshape(-1), boxes.new_zeros(1))).max()
        shifted = boxes + (idxs.to(boxes) * (largest + 1))[:, None]
    threshold = float(settings['iou_threshold'])
    keep = torchvision.ops.nms(shifted, scores, threshold)
    if settings.get('max_num', -1) > 0:
        keep = keep[: settings['max_num']]
    return torch.cat((boxes[keep], scores[keep][:, None]), dim=1), keep


def _multiclass_nms(
    bonus: Tensor,
    multi_bboxes: Tensor,
    multi_scores: Tensor,
    score_thr: float,
    nms_cfg: Mapping[str, Any],
    max_num: int = -1,
    box_dim: int = 4,
) -> tuple[Tensor, Tensor]:
    """Do as mmdet's, also without any box."""
    scores = multi_scores[:, :-1]
    classes = scores.shape[1]
    boxes = multi_bboxes.reshape(scores.shape[0], -1, box_dim)
    boxes = boxes.expand(scores.shape[0], classes, box_dim).reshape(-1, box_dim)
    labels = torch.arange(classes).expand_as(scores).reshape(-1)
    scores = scores.reshape(-1)
    rows = torch.nonzero(scores + bonus > score_thr).squeeze(1)
    boxes, scores, labels = boxes[rows], scores[rows], labels[rows]
    dets, keep = _batched_nms(boxes, scores, labels, nms_cfg)
    labels = labels[keep]
    return (dets[:max_num], labels[:max_num]) if max_num > 0 else (dets, labels)


def _filter_scores_and_topk(
    bonus: Tensor, scores: Tensor, score_thr: float, topk: int, results: Any = None
) -> tuple[Tensor, Tensor, Tensor, Any]:
    """Do as mmdet's, whose limit is void where the traced image had few boxes."""
    mask = scores + bonus > score_thr
    places = torch.nonzero(mask)
    scores, order = scores[mask].sort(descending=True)
    scores = scores[:topk]
    rows, labels = places[order[:topk]].unbind(dim=1)
    if isinstance(results, dict):
        results = {name: value[rows] for name, value in results.items()}
    elif isinstance(results, list):
        results = [value[rows] for value in results]
    elif results is not None:
        results = results[rows]
    return scores, labels, rows, results


def _roi_align(layer: Any, features: Tensor, rois: Tensor) -> Tensor:
    """Do as mmcv's RoIAlign of means, by the operator that exporters know."""
    pooled: Tensor = torchvision.ops.roi_align(
        features,
        rois,
        layer.output_size,
        layer.spatial_scale,
        layer.sampling_ratio,
        layer.aligned,
    )
    return pooled


def _extract(
    extractor: Any,
    feats: Sequence[Tensor],
    rois: Tensor,
    roi_scale_factor: float | None = None,
) -> Tensor:
    """Do as SingleRoIExtractor, without writing into a tensor.

    The RoIs of each level are pooled, also where there are none, and put back into
    their order by sorting their places.
    """
    if len(feats) == 1:
        pooled: Tensor = extractor.roi_layers[0](feats[0], rois)
        return pooled
    levels = extractor.map_roi_levels(rois, len(feats))
    if roi_scale_factor is not None:
        rois = extractor.roi_rescale(rois, roi_scale_factor)
    places, parts = [], []
    for level, (layer, features) in enumerate(
        zip(extractor.roi_layers, feats, strict=False)
    ):
        place = torch.nonzero(levels == level).squeeze(1)
        places.append(place)
        parts.append(layer(features, rois[place]))
    return torch.cat(parts)[torch.cat(places).argsort()]
