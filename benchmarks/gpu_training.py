"""What ``gpu.py`` trains: a leaf's model, optimizer and batches, step by step."""

import inspect
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import torch
from mmengine.config import Config
from mmengine.optim import OptimWrapper, build_optim_wrapper
from mmengine.registry import DATASETS, MODELS, init_default_scope
from mmengine.utils import import_modules_from_strings
from torch import Tensor, nn

from benchmarks.gpu_data import Setup, data_of, is_classifier
from custom_datasets.settings import apply_settings, load_config
from custom_datasets.training.runner import PluginRunner

SIDE = 96
"""Of the images of a rehearsal."""

Batch = dict[str, Any]


@dataclass(frozen=True)
class Way:
    """A way to train; ``on_device``: the data stay on the GPU and are flipped there."""

    name: str
    precision: str = 'float32'
    channels_last: bool = False
    fused: bool = False
    on_device: bool = False
    graph: bool = False
    compiled: bool = False

    @property
    def needs_gpu(self) -> bool:
        """Whether there is nothing like it on a CPU."""
        return self.graph or self.precision == 'float16'


def ways_in_turn(detects: bool) -> list[Way]:
    """Return the stock way, then what is added one after the other."""
    ways = [Way('stock'), Way('float16', 'float16'), Way('bfloat16', 'bfloat16')]
    ways.append(replace(ways[-1], name='+ channels last', channels_last=True))
    if 'fused' in inspect.signature(torch.optim.SGD).parameters:
        ways.append(replace(ways[-1], name='+ fused optimizer', fused=True))
    if detects:
        ways.append(replace(ways[-1], name='+ data on the device', on_device=True))
    return [*ways, replace(ways[-1], name='+ CUDA graph', graph=True)]


def ways_compiled(detects: bool) -> list[Way]:
    """Return the last way without a graph, and the same compiled."""
    best = ways_in_turn(detects)[-2]
    return [best, replace(best, name='+ torch.compile', compiled=True)]


def read_leaf(leaf: Path, setup: Setup, options: Mapping[str, Any]) -> Config:
    """Read a leaf from scratch on the benchmark's data, small in a rehearsal."""
    data = data_of(leaf, setup)
    own: dict[str, Any] = {'data_root': data.root, 'from_scratch': True}
    if data.classes:
        own['classes'] = list(data.classes)
    if is_classifier(leaf):
        own['train_dataloader.drop_last'] = True
    if setup.tiny:
        own['train_dataloader.batch_size'] = 2
        own['train_dataloader.num_workers'] = 0
        own['train_dataloader.persistent_workers'] = False
        if not leaf.stem.startswith('ssd300'):
            own['image_scale'] = SIDE
        if leaf.stem.startswith('dino'):
            # It chooses its queries among the positions, which small images lack.
            own['model.num_queries'] = 100
    cfg = load_config(str(leaf), {**own, **options})
    init_default_scope(cfg.default_scope)
    import_modules_from_strings(**cfg.custom_imports)
    apply_settings(cfg)
    return cfg


class Timed(NamedTuple):
    """Seconds of a step, images in one, share of waiting for a batch, last loss."""

    seconds: float
    images: float
    waiting: float
    loss: float


class Trainee:
    """A model in training on a device."""

    def __init__(self, leaf: Path, setup: Setup, way: Way) -> None:
        """Build it with random weights."""
        options: dict[str, Any] = {}
        if way.precision == 'float16':
            options['optim_wrapper.type'] = 'AmpOptimWrapper'
            options['optim_wrapper.loss_scale'] = 'dynamic'
        if way.precision == 'bfloat16':
            options['optim_wrapper.type'] = 'BFloat16OptimWrapper'
        if way.fused:
            options['optim_wrapper.optimizer.fused'] = True
        cfg = read_leaf(leaf, setup, options)
        if cfg.get('data_preprocessor'):
            cfg.model.setdefault('data_preprocessor', cfg.data_preprocessor)
        torch.manual_seed(0)
        model: nn.Module = MODELS.build(cfg.model)
        model.init_weights()  # type: ignore[operator]
        model.to(setup.device)
        if way.channels_last:
            layout = torch.channels_last
            model.to(memory_format=layout)  # type: ignore[call-overload]
        self._model: Any = model.train()
        self._optimizer: OptimWrapper = build_optim_wrapper(model, cfg.optim_wrapper)
        self._device = setup.device
        if way.on_device:
            self._batches: Iterator[Batch] = iter(DataOnDevice(cfg, setup.device))
        else:
            loader = PluginRunner.build_dataloader(cfg.train_dataloader, seed=0)
            self._batches = _forever(loader)
        if way.graph or way.compiled:
            self._trace(way, 'aot_eager' if setup.tiny else 'inductor')

    def keep_batches(self, count: int) -> None:
        """Go on with the next batches over and over, so that none is waited for."""
        kept = [next(self._batches) for _ in range(count)]
        self._batches = _forever(kept)

    def run(self, steps: int) -> Timed:
        """Make some steps."""
        wait_for(self._device)
        start = time.perf_counter()
        waited, images = 0.0, 0
        for _ in range(steps):
            asked = time.perf_counter()
            batch = next(self._batches)
            waited += time.perf_counter() - asked
            images += len(batch['inputs'])
            losses = self._model.train_step(batch, self._optimizer)
        wait_for(self._device)
        seconds = time.perf_counter() - start
        loss = float(losses['loss'])
        return Timed(seconds / steps, images / steps, waited / seconds, loss)

    def _trace(self, way: Way, backend: str) -> None:
        """Replace all before the loss by one graph of kernels, or by compiled ones."""
        model = self._model
        head = getattr(model, 'bbox_head', None)
        network: Any = _BeforeLoss(model, head)
        if way.graph:
            batch = model.data_preprocessor(next(self._batches), True)
            images = batch['inputs'].clone()
            network = torch.cuda.make_graphed_callables(
                network, (images,), allow_unused_input=True
            )
        else:
            network = torch.compile(network, dynamic=False, backend=backend)
        if head is None:
            # As a function, since a module would have its weights counted twice.
            model.extract_feat = lambda images: network(images)
        else:
            model.loss = _DetectorLoss(network, head)


def wait_for(device: str) -> None:
    """Wait until a device has done all that was asked."""
    if device == 'cuda':
        torch.cuda.synchronize()


def _forever(batches: Any) -> Iterator[Batch]:
    while True:
        yield from batches


class _BeforeLoss(nn.Module):
    """Backbone, neck, and a dense head's convolutions; bfloat16 inside of it.

    From images (n, 3, height, width) to a flat tuple: classes of each level, then
    boxes of each; or what the neck gives, where there is no such head. Weights are
    cast in each call, since a captured graph must not read another call's copies.
    """

    def __init__(self, model: nn.Module, head: nn.Module | None) -> None:
        super().__init__()
        self.backbone, self.neck, self.head = model.backbone, model.neck, head

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        kind = images.device.type
        with torch.autocast(kind, torch.bfloat16, cache_enabled=False):
            features = self.neck(self.backbone(images))
            if self.head is None:
                return tuple(features)
            return tuple(chain(*self.head(features)))


class _DetectorLoss:
    """The loss of a one-stage detector whose network was replaced."""

    def __init__(self, network: Any, head: Any) -> None:
        self._network, self._head = network, head

    def __call__(self, images: Tensor, samples: list[Any]) -> dict[str, Any]:
        from mmdet.models.utils import unpack_gt_instances

        outputs = self._network(images)
        half = len(outputs) // 2
        truth, ignored, metas = unpack_gt_instances(samples)
        losses: dict[str, Any] = self._head.loss_by_feat(
            list(outputs[:half]), list(outputs[half:]), truth, metas, ignored
        )
        return losses


class DataOnDevice:
    """A detector's images on the device as they come out of the pipeline, uint8.

    What the pipeline does at random must be flips, which are drawn here, for each
    image anew, as the leaf has them: none or one of three, each a quarter.
    """

    flips = (None, 'horizontal', 'vertical', 'diagonal')
    axes = {'horizontal': (2,), 'vertical': (1,), 'diagonal': (1, 2)}

    def __init__(self, cfg: Config, device: str) -> None:
        """Load all images."""
        dataset = cfg.train_dataloader.dataset
        steps = [step for step in dataset.pipeline if step.type != 'RandomFlip']
        rows = DATASETS.build({**dataset, 'pipeline': steps})
        rows = [rows[index] for index in range(len(rows))]
        self._images = torch.stack([row['inputs'] for row in rows]).to(device)
        self._samples = [row['data_samples'].to(device) for row in rows]
        self._size = cfg.train_dataloader.batch_size

    def __iter__(self) -> Iterator[Batch]:
        """Yield whole batches without an end, in a new order each time."""
        draw = torch.Generator().manual_seed(0)
        while True:
            order = torch.randperm(len(self._samples), generator=draw)
            for chosen in order.split(self._size):
                if len(chosen) == self._size:
                    kinds = torch.randint(4, (self._size,), generator=draw)
                    yield self.batch(chosen.tolist(), kinds.tolist())

    def batch(self, chosen: list[int], kinds: list[int]) -> Batch:
        """Return some images, each with one of the flips."""
        inputs, samples = [], []
        for index, kind in zip(chosen, kinds, strict=True):
            image, sample = self._images[index], self._samples[index].clone()
            flip = self.flips[kind]
            if flip:
                image = image.flip(self.axes[flip])
                # What clone() copies are references.
                sample.gt_instances = sample.gt_instances.clone()
                boxes = sample.gt_instances.bboxes.clone()
                boxes.flip_(sample.img_shape, flip)
                sample.gt_instances.bboxes = boxes
            inputs.append(image)
            samples.append(sample)
        return {'inputs': inputs, 'data_samples': samples}
