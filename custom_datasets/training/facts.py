"""Facts of a run: what is trained and how, and on which data."""

import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypedDict

import numpy as np
import torch
from mmengine.dataset import pseudo_collate
from mmengine.hooks import CheckpointHook
from mmengine.model import is_model_wrapper
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from custom_datasets.training.precision import precision_of

Facts = dict[str, Any]


class Fingerprint(TypedDict):
    """The images and annotations of a data set; None where ``why`` says so.

    ``list`` is the annotation file relative to the data root, ``samples`` the length
    of an epoch; in classification, ``objects`` counts the images of each class.
    """

    dataset: str
    classes: list[str] | None
    list: str | None
    images: int | None
    samples: int
    objects: dict[str, int] | None
    sha256: str | None
    why: str | None


class Macs(TypedDict):
    """Multiply-adds of one image; None where ``why`` says what went wrong.

    ``input_shape`` is (channels, height, width), after padding.
    """

    macs: int | None
    input_shape: list[int] | None
    why: str | None


def training_facts(runner: Any) -> Facts:
    """Describe a training that is about to begin, with loops and optimizer built."""
    cfg = runner.cfg
    model = bare_model(runner)
    wrapper = cfg.get('optim_wrapper') or {}
    images = batch_size(runner.train_dataloader)
    accumulated = wrapper.get('accumulative_counts', 1)
    loader = cfg.get('train_dataloader') or {}
    counts = [(each.numel(), each.requires_grad) for each in model.parameters()]
    return {
        'seed': runner.seed,
        'batch': {
            'images': images,
            'ranks': runner.world_size,
            'accumulated': accumulated,
            'total': images and images * runner.world_size * accumulated,
            'sampler': written(loader.get('sampler')),
        },
        'optimizer': _optimizer(runner.optim_wrapper, wrapper),
        'precision': precision_of(runner.optim_wrapper),
        'losses': losses(model, cfg.get('model') or {}),
        'schedule': {
            'epochs': None if counts_iterations(runner) else runner.max_epochs,
            'iterations': runner.max_iters,
            'schedulers': _schedulers(cfg.get('param_scheduler')),
        },
        'augmentations': augmentations(cfg),
        'model': {
            'type': type(model).__name__,
            'parameters': sum(count for count, _ in counts),
            'trainable': sum(count for count, trained in counts if trained),
        },
    }


def bare_model(runner: Any) -> nn.Module:
    """Return the model without the wrapper of a distributed run."""
    wrapped = is_model_wrapper(runner.model)
    model: nn.Module = runner.model.module if wrapped else runner.model
    return model


def counts_iterations(runner: Any) -> bool:
    """Tell whether the training loop counts iterations instead of epochs."""
    return 'Iter' in type(runner.train_loop).__name__


def checkpoint_hook(runner: Any) -> CheckpointHook | None:
    """Return the hook that saves checkpoints."""
    hooks = (hook for hook in runner.hooks if isinstance(hook, CheckpointHook))
    return next(hooks, None)


def main_metric(runner: Any, metrics: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return the metric of ``save_best``, or the first, and ``greater`` or ``less``."""
    hook = checkpoint_hook(runner)
    if hook is not None and hook.save_best:
        return str(hook.key_indicators[0]), str(hook.rules[0])
    for key, value in metrics.items():
        if isinstance(value, (int, float)):
            less = any(word in key.lower() for word in ('loss', 'error'))
            return key, 'less' if less else 'greater'
    return None


def batch_size(loader: Any) -> int | None:
    """Return how many images a loader batches; None where the number varies."""
    size = getattr(loader, 'batch_size', None)
    if size is None:
        size = getattr(getattr(loader, 'batch_sampler', None), 'batch_size', None)
    return size if isinstance(size, int) else None


def count_images(batch: Any) -> int:
    """Count the images of a batch as a loader yields it; 0 if it is unknown."""
    inputs = batch.get('inputs') if isinstance(batch, Mapping) else None
    if isinstance(inputs, Mapping):
        return sum(len(each) for each in inputs.values())
    return 0 if inputs is None else len(inputs)


def iter_samples(batch: Any) -> Iterator[Any]:
    """Yield the data samples of a batch: whatever has an ``img_path``."""
    if isinstance(getattr(batch, 'img_path', None), str):
        yield batch
    elif isinstance(batch, Mapping):
        for each in batch.values():
            yield from iter_samples(each)
    elif isinstance(batch, (list, tuple)):
        for each in batch:
            yield from iter_samples(each)


def losses(model: nn.Module, cfg: Mapping[str, Any]) -> dict[str, str]:
    """Return the settings of each loss module by its name in the model."""
    texts: dict[str, str] = {}
    for name, module in model.named_modules():
        kind = type(module).__name__
        inside = any(name.startswith(f'{outer}.') for outer in texts)
        if 'Loss' in kind and not inside:
            settings = _at(cfg, name)
            same = isinstance(settings, Mapping) and settings.get('type') == kind
            texts[name] = written(settings) if same else kind
    return texts


def augmentations(cfg: Mapping[str, Any]) -> list[str]:
    """List the steps of the training pipeline, then what mixes batches."""
    loader = cfg.get('train_dataloader') or {}
    steps = [written(step) for step in _pipeline(loader.get('dataset'))]
    model = cfg.get('model') or {}
    mixed = [
        (model.get('train_cfg') or {}).get('augments'),
        (model.get('data_preprocessor') or {}).get('batch_augments'),
        (cfg.get('data_preprocessor') or {}).get('batch_augments'),
    ]
    return steps + [f'batch: {written(each)}' for each in mixed if each]


def written(value: Any) -> str:
    """Write a setting as a config would, and what has a type as a call."""
    if isinstance(value, Mapping):
        kind = value.get('type', 'dict')
        name = kind if isinstance(kind, str) else getattr(kind, '__name__', str(kind))
        settings = [f'{k}={written(v)}' for k, v in value.items() if k != 'type']
        return f'{name}({", ".join(settings)})' if settings or name == 'dict' else name
    if isinstance(value, list):
        return f'[{", ".join(map(written, value))}]'
    if isinstance(value, tuple):
        inside = ', '.join(map(written, value))
        return f'({inside},)' if len(value) == 1 else f'({inside})'
    return value.__name__ if isinstance(value, type) else repr(value)


def count_macs(model: nn.Module, sample: Mapping[str, Any]) -> Macs:
    """Count the multiply-adds of one image, which tables of detectors call FLOPs.

    PyTorch counts convolutions and matrix products up to the raw outputs, before
    non-maximum suppression.
    """
    training = model.training
    model.eval()
    try:
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            batch = pseudo_collate([sample])
            data = model.data_preprocessor(batch, False)  # type: ignore[operator]
            model(**data, mode='tensor')
    except Exception as error:  # A model of the user's may fail in any way.
        why = f'{type(error).__name__}: {error}'.splitlines()[0]
        return {'macs': None, 'input_shape': None, 'why': why}
    finally:
        model.train(training)
    shape = [int(side) for side in data['inputs'].shape[1:]]
    # The counter counts a multiply-add as two.
    return {'macs': counter.get_total_flops() // 2, 'input_shape': shape, 'why': None}


def fingerprint(dataset: Any) -> Fingerprint:
    """Describe the images and annotations of a data set, or of a wrapper.

    The hash covers the class names and, for each image, its path below the folder
    that all share, its size if known, labels, boxes (to 1/1000 of a pixel), ignore
    flags and masks; not pixels, order, repetitions or where the data are.
    """
    metainfo = getattr(dataset, 'metainfo', None) or {}
    classes = metainfo.get('classes')
    result: Fingerprint = {
        'dataset': _type_names(dataset),
        'classes': list(classes) if classes is not None else None,
        'list': _list_name(_innermost(dataset)),
        'images': None,
        'samples': len(dataset),
        'objects': None,
        'sha256': None,
        'why': None,
    }
    if not callable(getattr(dataset, 'get_data_info', None)):
        kind = type(dataset).__name__
        return {**result, 'why': f'{kind} lists no images (it has no get_data_info)'}
    infos: dict[str, Mapping[str, Any]] = {}
    for index in range(len(dataset)):
        info = dataset.get_data_info(index)
        path = info.get('img_path')
        if not isinstance(path, str):
            return {**result, 'why': f'sample {index} has no img_path'}
        infos.setdefault(os.path.abspath(path), info)
    result['images'] = len(infos)
    result['objects'] = _count_objects(infos.values(), classes)
    result['sha256'] = _digest(infos, classes)
    return result


def _optimizer(wrapper: Any, cfg: Mapping[str, Any]) -> Facts:
    several = getattr(wrapper, 'optim_wrappers', None)
    optimizer = (next(iter(several.values())) if several else wrapper).optimizer
    settings = {key: value for key, value in cfg.items() if key != 'optimizer'}
    return {
        'type': type(optimizer).__name__,
        'lr': _of_most(optimizer.param_groups, ('initial_lr', 'lr')),
        'weight_decay': _of_most(optimizer.param_groups, ('weight_decay',)),
        'wrapper': written({'type': 'OptimWrapper', **settings}),
    }


def _of_most(groups: list[Facts], keys: tuple[str, ...]) -> float | None:
    """Return the value under which most of the parameters are trained."""
    sizes: dict[float, int] = {}
    for group in groups:
        value = next((group[key] for key in keys if key in group), None)
        if value is not None:
            size = sum(each.numel() for each in group['params'])
            sizes[float(value)] = sizes.get(float(value), 0) + size
    return max(sizes, key=lambda value: sizes[value]) if sizes else None


def _schedulers(cfg: Any) -> list[str]:
    if isinstance(cfg, Mapping) and 'type' not in cfg:
        return [text for each in cfg.values() for text in _schedulers(each)]
    return [
        written(each) for each in ([cfg] if isinstance(cfg, Mapping) else cfg or ())
    ]


def _pipeline(dataset: Any) -> Iterator[Any]:
    if isinstance(dataset, Mapping):
        inner = dataset.get('dataset') or (dataset.get('datasets') or [None])[0]
        yield from _pipeline(inner)
        yield from dataset.get('pipeline') or ()


def _at(tree: Any, name: str) -> Any:
    for part in name.split('.'):
        if isinstance(tree, Mapping):
            tree = tree.get(part)
        elif isinstance(tree, (list, tuple)) and part.isdigit():
            tree = tree[int(part)] if int(part) < len(tree) else None
        else:
            return None
    return tree


def _innermost(dataset: Any) -> Any:
    while True:
        inner = getattr(dataset, 'dataset', None)
        if inner is None:
            several = getattr(dataset, 'datasets', None)
            inner = several[0] if several else None
        if inner is None:
            return dataset
        dataset = inner


def _type_names(dataset: Any) -> str:
    inner = _innermost(dataset)
    if inner is dataset:
        return type(dataset).__name__
    return f'{type(dataset).__name__} of {type(inner).__name__}'


def _list_name(dataset: Any) -> str | None:
    path, root = (getattr(dataset, key, None) for key in ('ann_file', 'data_root'))
    if not path:
        return None
    return str(os.path.relpath(path, root) if root else os.path.basename(path))


def _count_objects(infos: Any, classes: Sequence[str] | None) -> dict[str, int]:
    counts: Counter[int] = Counter()
    for info in infos:
        counts.update(_labels(info))
    named = {name: counts.pop(label, 0) for label, name in enumerate(classes or ())}
    return {**named, **{str(label): count for label, count in sorted(counts.items())}}


def _labels(info: Mapping[str, Any]) -> list[int]:
    if 'gt_label' in info:
        return [int(label) for label in np.ravel(info['gt_label'])]
    instances = info.get('instances') or ()
    return [int(item['bbox_label']) for item in instances if 'bbox_label' in item]


def _digest(
    infos: Mapping[str, Mapping[str, Any]], classes: Sequence[str] | None
) -> str:
    digest = hashlib.sha256(json.dumps(list(classes or ())).encode())
    shared = os.path.commonpath([os.path.dirname(path) for path in infos] or ['/'])
    for path, info in sorted(
        (os.path.relpath(path, shared).replace(os.sep, '/'), info)
        for path, info in infos.items()
    ):
        size = [info.get('height'), info.get('width')]
        digest.update(json.dumps([path, *size, *_content(info)]).encode())
    return digest.hexdigest()


def _content(info: Mapping[str, Any]) -> list[Any]:
    if 'gt_label' in info:
        return [sorted(_labels(info))]
    objects = [
        [
            item.get('bbox_label'),
            [round(float(edge), 3) for edge in item.get('bbox', ())],
            int(item.get('ignore_flag') or 0),
            str(item.get('mask', '')),
        ]
        for item in info.get('instances') or ()
    ]
    return sorted(objects, key=str)
