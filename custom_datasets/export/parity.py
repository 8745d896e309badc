"""Whether an exported model says what the network in PyTorch says."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from custom_datasets.errors import ImageError, UserError
from custom_datasets.evaluation.results import Samples
from custom_datasets.export.labelled import Labelled
from custom_datasets.predicting.config import SPLITS, has_split, quiet, read_truth
from custom_datasets.predicting.exported import (
    RUNTIMES,
    ExportedNetwork,
    InputSpec,
    letterbox,
)
from custom_datasets.predicting.images import Pixels, read_pixels
from custom_datasets.predicting.model import Network
from custom_datasets.predicting.outputs import BoxArrays, RawAnswer
from custom_datasets.predicting.run_folder import Decision

BOX_LIMIT, SCORE_LIMIT, METRIC_LIMIT = 0.01, 1e-4, 5e-4
"""Pixels, score, and COCO AP or top-1 by which an exported model may differ."""

EAGER, STOCK = 'PyTorch', 'test pipeline'

_DRAWN = 8
_SAME_BOX = 1.0
"""Pixels within which a box is said to be another place for the same one."""

Progress = Callable[[int, int | None], None]


@dataclass(frozen=True)
class Images:
    """What is compared on: functions that read the pixels, and what they are.

    ``labelled`` is their truth, where there is any.
    """

    kind: str
    names: tuple[str, ...]
    reads: tuple[Callable[[], Pixels], ...]
    labelled: Labelled | None = None


class Lone(NamedTuple):
    """A box that only one of two models has."""

    image: str
    label: int
    score: float
    is_eager: bool


@dataclass
class Difference:
    """By how much two models differ at most, over all images.

    Attributes:
        answers: Boxes of the first, or classes of an image, that were compared.
        box: In pixels of the image; stays 0 of classifiers.
        score: Of a box, or a probability.
        unpaired: Boxes that only one of the two has.
        first: The first of these.
    """

    answers: int = 0
    box: float = 0.0
    score: float = 0.0
    unpaired: int = 0
    first: Lone | None = None

    @property
    def is_small(self) -> bool:
        """Whether the two say the same."""
        return not self.unpaired and self.box <= BOX_LIMIT and self.score <= SCORE_LIMIT

    def __str__(self) -> str:
        """Say what was measured, as the end of a sentence."""
        lone = f', and {self.unpaired} boxes that only one of them has'
        box = f'{self.box:.2g} pixels and ' if self.box else ''
        return f'{box}{self.score:.2g} of score at most{lone * bool(self.unpaired)}'

    def to_dict(self) -> dict[str, Any]:
        """Return it as ``model.json`` has it, where no box is alone."""
        return {name: value for name, value in vars(self).items() if name != 'first'}

    def add(
        self,
        eager: RawAnswer,
        exported: RawAnswer,
        decision: Decision,
        image: str,
        most: int | None = None,
    ) -> None:
        """Compare two answers on one image, which have ``most`` boxes at most."""
        if not isinstance(eager, BoxArrays) or not isinstance(exported, BoxArrays):
            self.answers += len(eager)
            gap = np.abs(np.asarray(eager) - np.asarray(exported)).max()
            self.score = max(self.score, float(gap))
            return
        sure = [_sure(answer, decision, most) for answer in (eager, exported)]
        self.answers += int(sure[0].sum())
        for is_eager, mask in zip((True, False), sure, strict=True):
            one, other = (eager, exported) if is_eager else (exported, eager)
            for row in map(int, np.flatnonzero(mask)):
                if not self._pair(one, other, row):
                    self.unpaired += 1
                    label, score = int(one.labels[row]), float(one.scores[row])
                    self.first = self.first or Lone(image, label, score, is_eager)

    def _pair(self, one: BoxArrays, other: BoxArrays, row: int) -> bool:
        """Compare a box with the nearest of its class and, among equals, its score."""
        rows = np.flatnonzero(other.labels == one.labels[row])
        gaps = np.abs(other.boxes[rows] - one.boxes[row]).max(axis=1, initial=0)
        scores = np.abs(other.scores[rows] - one.scores[row])
        least = gaps.min(initial=np.inf)
        if least > _SAME_BOX:
            return False
        near = gaps <= max(least, BOX_LIMIT)
        best = np.argmin(np.where(near, scores, np.inf))
        self.box = max(self.box, float(gaps[best]))
        self.score = max(self.score, float(scores[best]))
        return True


@dataclass
class Parity:
    """What a comparison found.

    Attributes:
        kind: Of the images.
        images: Their number.
        same_input: Of how many of them the input was that of the test pipeline, number
            by number; the others have another shape, or more padding.
        by_runtime: The difference of each exported model from PyTorch.
        reads: What reads the images.
        labelled: Their truth, where there is any.
        answers: Those of PyTorch, of PyTorch behind the test pipeline, and of each
            exported model, on all images.
    """

    kind: str
    images: int = 0
    same_input: int = 0
    by_runtime: dict[str, Difference] = field(default_factory=dict)
    reads: list[Callable[[], Pixels]] = field(default_factory=list)
    labelled: Labelled | None = None
    answers: dict[str, list[RawAnswer]] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return it as ``model.json`` has it."""
        return {
            'images': self.images,
            'kind': self.kind,
            'same_input_as_test_pipeline': self.same_input,
            'limits': {
                'box_pixels': BOX_LIMIT,
                'score': SCORE_LIMIT,
                'metric': METRIC_LIMIT,
            },
            **{name: row.to_dict() for name, row in self.by_runtime.items()},
        }


def choose_images(network: Network, spec: InputSpec, most: int | None = None) -> Images:
    """Take the images of the test set, else of the validation set, else drawn ones."""
    reasons = []
    for split in SPLITS:
        try:
            return images_of(network, split, most)
        except UserError as error:  # The data may be elsewhere than the model.
            reasons.append(str(error))
    count = _DRAWN if most is None else min(most, _DRAWN)
    return Images(
        f'drawn, since there is no test or validation set here ({reasons[0]})',
        tuple(f'drawn image {seed + 1}' for seed in range(count)),
        tuple(_drawer(seed, spec) for seed in range(count)),
    )


def images_of(network: Network, split: str, most: int | None = None) -> Images:
    """Take the images of a part of the data; a UserError where it cannot be read."""
    if not has_split(network.cfg, split):
        raise UserError(f'the config has no {split} set')
    try:
        data, truth = read_truth(network.cfg, split)
    except (UserError, OSError) as error:
        raise UserError(' '.join(str(error).split())) from error
    paths, truth = data.paths[:most], truth[:most]
    missing = [path for path in paths if not os.path.isfile(path)]
    if missing:
        raise UserError(f'{missing[0]}: no such image')
    if not paths:
        raise UserError(f'the {split} set has no images')
    labelled = Labelled(data.classes, truth) if _is_known(truth) else None
    return Images(f'{split} set', tuple(paths), tuple(map(_reader, paths)), labelled)


def compare(
    network: Network,
    exported: Sequence[ExportedNetwork],
    decision: Decision,
    images: Images,
    progress: Progress,
) -> Parity:
    """Run a network and what it was exported to on images.

    Raises:
        UserError: They differ by more than the limits, or no image can be read.
    """
    parity = Parity(images.kind)
    parity.by_runtime = {model.runtime: Difference() for model in exported}
    parity.answers = {name: [] for name in (EAGER, STOCK, *parity.by_runtime)}
    spec, most = exported[0].about['input'], _most_boxes(network)
    readable = []
    for row, read in enumerate(images.reads):
        try:
            pixels = read()
            piped = network.pipeline(pixels, 'image')
        except ImageError:  # tools/check.py finds those.
            continue
        readable.append(row)
        parity.images += 1
        inputs, shape, scale = letterbox(pixels, spec)
        tensor = torch.from_numpy(inputs)[None]
        stock = _stock_input(network, piped)
        same = stock.shape == tensor.shape and torch.equal(stock, tensor)
        parity.same_input += int(same)
        eager = eager_answer(network, tensor, shape, scale)
        parity.answers[EAGER].append(eager)
        parity.answers[STOCK].append(eager if same else network.answers([piped])[0])
        for model in exported:
            try:
                (answer,) = model.answers([model.pipeline(pixels, 'image')])
            except Exception as error:  # Run-times raise what they like.
                lines = str(error).strip().splitlines() or ['']
                raise UserError(
                    f'the model for {model.runtime} fails on image {row + 1} of the '
                    f'{images.kind} ({lines[-1]}), so nothing is written'
                ) from error
            parity.answers[model.runtime].append(answer)
            difference = parity.by_runtime[model.runtime]
            difference.add(eager, answer, decision, images.names[row], most)
        progress(row + 1, len(images.reads))
    parity.reads = [images.reads[row] for row in readable]
    if images.labelled and readable:
        parity.labelled = images.labelled.take(readable)
    if not parity.images:
        raise UserError('none of the images can be read; see tools/check.py')
    for name, difference in parity.by_runtime.items():
        if not difference.is_small:
            first = _say_first(name, difference.first, network.classes)
            raise UserError(
                f'the model for {name} differs from PyTorch on {parity.images} images '
                f'({images.kind}): {difference}{first}; allowed are {BOX_LIMIT} pixels '
                f'and {SCORE_LIMIT:g} of score, so nothing is written; a network that '
                f'has hardly been trained enlarges roundings: train it longer'
                f'{_elsewhere(parity.by_runtime)}'
            )
    if parity.labelled:
        scores = {
            name: parity.labelled.score(parity.answers[name])
            for name in (EAGER, *parity.by_runtime)
        }
        for name, score in scores.items():
            if abs(score - scores[EAGER]) > METRIC_LIMIT:
                raise UserError(
                    f'the model for {name} has {parity.labelled.metric} {score:.4f} on '
                    f'the {images.kind}, PyTorch {scores[EAGER]:.4f}; allowed is a '
                    f'difference of {METRIC_LIMIT:g}, so nothing is written'
                )
    return parity


def eager_answer(
    network: Network,
    tensor: torch.Tensor,
    shape: tuple[int, int],
    scale: tuple[float, float],
) -> RawAnswer:
    """Return what stock ``predict`` says of an input, (1, 3, height, width).

    ``shape`` and ``scale`` are what :func:`letterbox` returned with it.
    """
    with quiet(), network.scope(), torch.no_grad():
        sample = eager_run(network, tensor, shape, scale)()
    if network.task == 'classification':
        probabilities: RawAnswer = sample.pred_score.numpy().astype(np.float64)
        return probabilities
    instances = sample.pred_instances
    return BoxArrays(
        instances.bboxes.numpy().astype(np.float64).reshape(-1, 4),
        instances.scores.numpy().astype(np.float64),
        instances.labels.numpy().astype(np.intp),
    )


def eager_run(
    network: Network,
    tensor: torch.Tensor,
    shape: tuple[int, int],
    scale: tuple[float, float],
) -> Callable[[], Any]:
    """Return stock ``predict`` of an input, which is to be called in its scope."""
    model: Any = network.model
    if network.task == 'classification':
        from mmpretrain.structures import DataSample

        samples: list[Any] = [DataSample() for _ in tensor]
    else:
        from mmdet.structures import DetDataSample

        padded = tuple(tensor.shape[-2:])
        facts = {
            'img_shape': shape,
            'scale_factor': scale,
            'batch_input_shape': padded,
            'pad_shape': padded,
            'ori_shape': shape,
        }
        samples = [DetDataSample(metainfo=facts) for _ in tensor]
    return lambda: model.predict(tensor, samples)[0]


def _say_first(name: str, lone: Lone | None, classes: Sequence[str]) -> str:
    if lone is None:
        return ''
    only = 'PyTorch' if lone.is_eager else name
    return (
        f' ({lone.image}: {classes[lone.label]} with score {lone.score:.4f}, only in '
        f'{only})'
    )


def _elsewhere(by_runtime: Mapping[str, Difference]) -> str:
    """Say which of the run-times may do, given at least one that does not."""
    for name in RUNTIMES:
        if name not in by_runtime:
            return f', or try --to {name}'
        if by_runtime[name].is_small:
            return f', or take --to {name}, which agrees'
    return ''


def _is_known(truth: Samples) -> bool:
    """Tell whether there is any truth: a test set without labels has no boxes."""
    boxes = [sample.get('instances') for sample in truth]
    return any(boxes) if None not in boxes else all('gt_label' in s for s in truth)


def _sure(answer: BoxArrays, decision: Decision, most: int | None) -> NDArray[np.bool_]:
    """Mark the boxes that count by more than the models may differ in score.

    Where no more fit into the answer, the last may have come in by a rounding.
    """
    thresholds = np.array([decision.threshold_of(label) for label in answer.labels])
    least = answer.scores.min(initial=1.0) if len(answer.scores) == most else 0.0
    return np.asarray(answer.scores > np.maximum(thresholds, least) + SCORE_LIMIT)


def _most_boxes(network: Network) -> int | None:
    settings = network.cfg.model.get('test_cfg') or {}
    most: int | None = (settings.get('rcnn') or settings).get('max_per_img')
    return most


def _stock_input(network: Network, piped: Any) -> torch.Tensor:
    """Return what the data preprocessor makes of what the test pipeline returned."""
    from mmengine.dataset import pseudo_collate

    model: Any = network.model
    with network.scope():
        batch = pseudo_collate([piped])
        tensor: torch.Tensor = model.data_preprocessor(batch, False)['inputs']
    return tensor


def _reader(path: str) -> Callable[[], Pixels]:
    return lambda: read_pixels(path)


def _drawer(seed: int, spec: InputSpec) -> Callable[[], Pixels]:
    def draw() -> Pixels:
        """Draw clouds of colour, which have edges at every scale."""
        rng = np.random.default_rng(seed)
        size = spec['width'], spec['height']
        image = np.full((size[1], size[0], 3), 128.0)
        for cell in (64, 16, 4):
            small = rng.normal(0, 40, (size[1] // cell + 1, size[0] // cell + 1, 3))
            image = np.add(image, cv2.resize(small, size))
        return np.clip(image, 0, 255).astype(np.uint8)

    return draw
