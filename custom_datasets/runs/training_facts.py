"""What is trained, and how, in the words of the config."""

from collections.abc import Iterator, Mapping
from typing import Any

from mmengine.model import is_model_wrapper
from torch import nn

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
