"""What is trained, and how, in the words of the config."""

import argparse
import hashlib
import json
import os
import platform
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from mmengine.dataset import pseudo_collate
from mmengine.model import is_model_wrapper
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from custom_datasets import __version__
from custom_datasets.cli import add_cfg_options
from custom_datasets.versions import installed_version

Facts = dict[str, Any]


def training_facts(runner: Any) -> Facts:
    """Describe a training that is about to begin.

    Args:
        runner: mmengine's runner, with the loops and the optimizer built.

    Returns:
        ``seed``, ``batch``, ``optimizer``, ``losses``, ``schedule``,
        ``augmentations`` and ``model`` of a record.
    """
    cfg = runner.cfg
    model = bare_model(runner)
    wrapper = cfg.get('optim_wrapper') or {}
    each = batch_size(runner.train_dataloader)
    accumulated = wrapper.get('accumulative_counts', 1)
    total = each and each * runner.world_size * accumulated
    loader = cfg.get('train_dataloader') or {}
    return {
        'seed': runner.seed,
        'batch': {
            'images': each,
            'ranks': runner.world_size,
            'accumulated': accumulated,
            'total': total,
            'sampler': written(loader.get('sampler')),
        },
        'optimizer': _optimizer(runner.optim_wrapper, wrapper),
        'losses': losses(model, cfg.get('model') or {}),
        'schedule': {
            'epochs': None if counts_iterations(runner) else runner.max_epochs,
            'iterations': runner.max_iters,
            'schedulers': _schedulers(cfg.get('param_scheduler')),
        },
        'augmentations': augmentations(cfg),
        'model': {'type': type(model).__name__, **parameters(model)},
    }


def bare_model(runner: Any) -> nn.Module:
    """Return the model without the wrapper of a distributed run."""
    wrapped = is_model_wrapper(runner.model)
    model: nn.Module = runner.model.module if wrapped else runner.model
    return model


def counts_iterations(runner: Any) -> bool:
    """Tell whether a training loop counts iterations instead of epochs."""
    return 'Iter' in type(runner.train_loop).__name__


def batch_size(loader: Any) -> int | None:
    """Return how many images a loader puts together; None where it varies."""
    size = getattr(loader, 'batch_size', None)
    if size is None:
        size = getattr(getattr(loader, 'batch_sampler', None), 'batch_size', None)
    return size if isinstance(size, int) else None


def parameters(model: nn.Module) -> dict[str, int]:
    """Count all parameters, and those that are trained."""
    counts = [(each.numel(), each.requires_grad) for each in model.parameters()]
    return {
        'parameters': sum(count for count, _ in counts),
        'trainable': sum(count for count, trained in counts if trained),
    }


def losses(model: nn.Module, cfg: Mapping[str, Any]) -> dict[str, str]:
    """Name each loss module, with the settings that the config gives it."""
    found: dict[str, str] = {}
    for name, module in model.named_modules():
        kind = type(module).__name__
        inside = any(name.startswith(f'{outer}.') for outer in found)
        if 'Loss' in kind and not inside:
            settings = _at(cfg, name)
            known = isinstance(settings, Mapping) and settings.get('type') == kind
            found[name] = written(settings) if known else kind
    return found


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
    """Write a setting as a config would; what has a type, as a call."""
    if isinstance(value, Mapping):
        kind = value.get('type', 'dict')
        name = kind if isinstance(kind, str) else getattr(kind, '__name__', str(kind))
        given = [f'{k}={written(v)}' for k, v in value.items() if k != 'type']
        return f'{name}({", ".join(given)})' if given or name == 'dict' else name
    if isinstance(value, list):
        return f'[{", ".join(map(written, value))}]'
    if isinstance(value, tuple):
        inside = ', '.join(map(written, value))
        return f'({inside},)' if len(value) == 1 else f'({inside})'
    return value.__name__ if isinstance(value, type) else repr(value)


def _optimizer(wrapper: Any, cfg: Mapping[str, Any]) -> dict[str, Any]:
    """Describe the optimizer; of several, the first."""
    several = getattr(wrapper, 'optim_wrappers', None)
    optimizer = (next(iter(several.values())) if several else wrapper).optimizer
    given = {key: value for key, value in cfg.items() if key != 'optimizer'}
    return {
        'type': type(optimizer).__name__,
        'lr': _of_most(optimizer.param_groups, ('initial_lr', 'lr')),
        'weight_decay': _of_most(optimizer.param_groups, ('weight_decay',)),
        'wrapper': written({'type': 'OptimWrapper', **given}),
    }


def _of_most(groups: list[dict[str, Any]], keys: tuple[str, ...]) -> float | None:
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
    if isinstance(cfg, Mapping):
        return [written(cfg)]
    return [written(each) for each in cfg or ()]


def _pipeline(dataset: Any) -> Iterator[Any]:
    """Yield the steps of the (first) data set inside, then those of wrappers."""
    if not isinstance(dataset, Mapping):
        return
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


_MOST_CHANGED = 20
_PACKAGES = ('torchvision', 'mmengine', 'mmcv', 'mmdet', 'mmpretrain', 'numpy')


def git_state(folder: str) -> dict[str, Any]:
    """Return the commit that a folder is at, and what differs from it.

    Returns:
        ``commit``; ``dirty``; ``changes``, how many files differ (untracked ones
        too); ``changed``, the first of them; ``why``, which says what is wrong
        where the others are None.
    """
    try:
        commit = _git(folder, 'rev-parse', 'HEAD').strip()
        status = _git(folder, 'status', '--porcelain')
    except FileNotFoundError:
        why = 'git is not installed'
    except subprocess.TimeoutExpired:
        why = 'git took more than 10 seconds'
    except subprocess.CalledProcessError as error:
        why = (error.stderr.strip().splitlines() or ['git failed'])[0]
    else:
        changed = [line[3:] for line in status.splitlines()]
        return {
            'commit': commit,
            'dirty': bool(changed),
            'changes': len(changed),
            'changed': changed[:_MOST_CHANGED],
            'why': None,
        }
    unknown = dict.fromkeys(('commit', 'dirty', 'changes', 'changed'))
    return {**unknown, 'why': why}


def versions() -> dict[str, str | None]:
    """Return the versions of what decides how a run goes."""
    import cv2

    packages = {name: installed_version(name) for name in _PACKAGES}
    return {
        'python': platform.python_version(),
        'torch': torch.__version__,
        **packages,
        'opencv': cv2.__version__,
        'mm-custom-datasets': __version__,
    }


def hardware() -> dict[str, Any]:
    """Return the processor, the cores that may be used, memory in GB and GPUs."""
    gpus = []
    for index in range(torch.cuda.device_count()):
        facts = torch.cuda.get_device_properties(index)
        gpus.append(f'{facts.name}, {facts.total_memory / 1e9:.0f} GB')
    return {
        'cpu': _cpu_name(),
        'cores': _usable_cores(),
        'ram_gb': _memory_gb(),
        'gpus': gpus,
    }


def command(argv: Sequence[str]) -> list[str]:
    """Return a command line as it was typed, from that of the stock script.

    Args:
        argv: ``sys.argv``; :func:`custom_datasets.training.stock.run_stock` puts the
            path of the stock script first.
    """
    script = argv[0].replace(os.sep, '/')
    if '/.mim/tools/' in script:
        script = 'tools/' + script.rpartition('/')[2]
    return [script, *argv[1:]]


def overrides(argv: Sequence[str]) -> dict[str, Any]:
    """Return what ``--cfg-options`` says in a command line."""
    parser = argparse.ArgumentParser(add_help=False)
    add_cfg_options(parser)
    given: dict[str, Any] = parser.parse_known_args(list(argv[1:]))[0].cfg_options
    return given


def short_path(path: str) -> str:
    """Write a path as seen from the current folder, where it lies below that."""
    short = os.path.relpath(path)
    return path if short.startswith(os.pardir) else short


def peak_memory(workers: Iterable[int] = ()) -> dict[str, Any]:
    """Return the most memory that this process had until now.

    On a GPU what its tensors took; else what this process and the given ones
    (of loader workers) had resident, each at its own peak. Pages that they
    share count in each.

    Args:
        workers: Process ids.
    """
    if torch.cuda.is_available():
        used = torch.cuda.max_memory_allocated()
        return {'peak_memory_mb': round(used / 1e6, 1), 'memory_of': 'GPU'}
    peaks = [_peak_of(pid) for pid in (os.getpid(), *workers)]
    if peaks[0] is None:
        return {'peak_memory_mb': None, 'memory_of': 'this system does not tell'}
    total = sum(peak for peak in peaks if peak is not None) / 1e6
    return {
        'peak_memory_mb': round(total, 1),
        'memory_of': 'process and loader workers' if len(peaks) > 1 else 'process',
    }


def _git(folder: str, *arguments: str) -> str:
    done = subprocess.run(
        ['git', '-C', folder, *arguments],
        # A run must not hold the lock that a commit beside it wants.
        env={**os.environ, 'GIT_OPTIONAL_LOCKS': '0'},
        capture_output=True,
        text=True,
        errors='replace',
        timeout=10,
        check=True,
    )
    return done.stdout


def _cpu_name() -> str:
    if os.path.isfile('/proc/cpuinfo'):
        with open('/proc/cpuinfo', encoding='utf-8', errors='replace') as file:
            for line in file:
                if line.startswith('model name'):
                    return line.partition(':')[2].strip()
    return platform.processor() or platform.machine()


def _usable_cores() -> int:
    if sys.platform == 'linux':
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _memory_gb() -> float | None:
    if 'SC_PHYS_PAGES' not in getattr(os, 'sysconf_names', ()):
        return None
    total = os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE')
    return round(total / 1e9, 1)


def _peak_of(pid: int) -> int | None:
    """Return a process's peak of resident memory in bytes, where Linux tells."""
    try:
        with open(f'/proc/{pid}/status', encoding='utf-8') as file:
            for line in file:
                if line.startswith('VmHWM:'):
                    return int(line.split()[1]) * 1024
    except (FileNotFoundError, ProcessLookupError):
        pass
    return None


Fingerprint = dict[str, Any]


def fingerprint(dataset: Any) -> Fingerprint:
    """Describe the images and annotations of a data set.

    The hash covers the class names, and each image's path below the folder
    that all images share, its size where that is known, its labels and boxes
    (to 1/1000 of a pixel), whether they are to be ignored, and masks. So it
    is the same wherever the data lie, in whatever order they are listed, and
    however often a wrapper repeats them; pixels are not read.

    Args:
        dataset: A data set of mmengine's kind, or a wrapper of some.

    Returns:
        ``dataset`` (its type), ``classes``, ``list`` (its annotation file below
        the data root), ``images``, ``samples`` (what an epoch draws from),
        ``objects`` (of each class; images of each in classification),
        ``sha256`` and ``why``, which says what stands in the way where these
        are None.
    """
    metainfo = getattr(dataset, 'metainfo', None) or {}
    classes = metainfo.get('classes')
    found: Fingerprint = {
        'dataset': type_names(dataset),
        'classes': list(classes) if classes is not None else None,
        'list': _list_name(innermost(dataset)),
        'images': None,
        'samples': len(dataset),
        'objects': None,
        'sha256': None,
        'why': None,
    }
    if not callable(getattr(dataset, 'get_data_info', None)):
        kind = type(dataset).__name__
        return {**found, 'why': f'{kind} lists no images (it has no get_data_info)'}
    infos: dict[str, Mapping[str, Any]] = {}
    for index in range(len(dataset)):
        info = dataset.get_data_info(index)
        path = info.get('img_path')
        if not isinstance(path, str):
            return {**found, 'why': f'sample {index} has no img_path'}
        infos.setdefault(os.path.abspath(path), info)
    found['images'] = len(infos)
    found['objects'] = count_objects(infos.values(), classes)
    found['sha256'] = _digest(infos, classes)
    return found


def innermost(dataset: Any) -> Any:
    """Return the (first) data set inside of wrappers."""
    while True:
        inner = getattr(dataset, 'dataset', None)
        if inner is None:
            several = getattr(dataset, 'datasets', None)
            inner = several[0] if several else None
        if inner is None:
            return dataset
        dataset = inner


def type_names(dataset: Any) -> str:
    """Name a data set's type, with those of the wrappers around it."""
    inner = innermost(dataset)
    if inner is dataset:
        return type(dataset).__name__
    return f'{type(dataset).__name__} of {type(inner).__name__}'


def count_objects(infos: Any, classes: Sequence[str] | None) -> dict[str, int]:
    """Count the objects of each class, or the images in classification."""
    counts: Counter[int] = Counter()
    for info in infos:
        counts.update(_labels(info))
    names = dict(enumerate(classes or ()))
    known = {name: counts.pop(label, 0) for label, name in names.items()}
    return {**known, **{str(label): count for label, count in sorted(counts.items())}}


def _labels(info: Mapping[str, Any]) -> list[int]:
    if 'gt_label' in info:
        return [int(label) for label in np.ravel(info['gt_label'])]
    instances = info.get('instances') or ()
    return [int(one['bbox_label']) for one in instances if 'bbox_label' in one]


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
    """Return an image's annotations in an order of their own."""
    if 'gt_label' in info:
        return [sorted(_labels(info))]
    objects = [
        [
            one.get('bbox_label'),
            [round(float(edge), 3) for edge in one.get('bbox', ())],
            int(one.get('ignore_flag') or 0),
            str(one.get('mask', '')),
        ]
        for one in info.get('instances') or ()
    ]
    return sorted(objects, key=str)


def _list_name(dataset: Any) -> str | None:
    path, root = (getattr(dataset, key, None) for key in ('ann_file', 'data_root'))
    if not path:
        return None
    return str(os.path.relpath(path, root) if root else os.path.basename(path))


def count_macs(model: nn.Module, sample: Mapping[str, Any]) -> dict[str, Any]:
    """Count the multiply-adds of convolutions and matrix products.

    They are what tables of detectors call FLOPs. PyTorch counts what runs, for
    one image, up to the raw outputs (no non-maximum suppression).

    Args:
        model: Of mmengine's kind, without the wrapper of a distributed run.
        sample: What the data set returns for an image.

    Returns:
        ``macs``; ``input_shape``: channels, height and width of what the model
        gets, padding included; ``why``, which says what is wrong where these
        are None.
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
    # The counter takes a multiplication and an addition for two.
    return {'macs': counter.get_total_flops() // 2, 'input_shape': shape, 'why': None}


def count_images(batch: Any) -> int:
    """Count the images of a batch as a loader yields it, 0 if it tells none."""
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
