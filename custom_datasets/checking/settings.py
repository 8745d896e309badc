"""The parts of a config that settings are looked up in."""

from collections.abc import Iterator, Mapping
from typing import Any

from custom_datasets.checking.finding import Finding
from custom_datasets.errors import ConfigError
from custom_datasets.overrides import LOADERS

_SECTIONS = (
    *('model', *LOADERS, 'train_cfg', 'val_cfg', 'test_cfg', 'default_hooks'),
    *('optim_wrapper', 'auto_scale_lr', 'custom_imports', 'data_preprocessor'),
)
_INNER = {
    'train_dataloader': ('dataset',),
    'optim_wrapper': ('optimizer',),
    'default_hooks': ('logger', 'checkpoint'),
}


def require_sections(cfg: Mapping[str, Any]) -> None:
    """Raise where something else stands for a dictionary that checks look into.

    Raises:
        ConfigError: With the first such entry.
    """
    for name in _SECTIONS:
        part = cfg.get(name)
        _require_dict(name, part)
        for inner in _INNER.get(name, ()):
            _require_dict(f'{name}.{inner}', (part or {}).get(inner))
    schedulers = cfg.get('param_scheduler')
    if schedulers is not None and not isinstance(schedulers, (Mapping, list, tuple)):
        raise ConfigError(f'param_scheduler={schedulers!r}: needs a list of dicts')


def iter_loaders(cfg: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the loaders that there are, by name."""
    return ((name, cfg[name]) for name in LOADERS if cfg.get(name))


def iter_schedulers(cfg: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the schedulers, by their place."""
    given = cfg.get('param_scheduler') or ()
    if isinstance(given, Mapping):
        given = [given]
    for index, scheduler in enumerate(given):
        if isinstance(scheduler, Mapping):
            yield f'param_scheduler.{index}', scheduler


def setting_error(code: str, path: str, message: str, hint: str = '') -> Finding:
    """Return an error on a setting.

    Args:
        code: Its kind.
        path: The dictionary that it is in; of a loader the part is named.
        message: See :class:`Finding`.
        hint: See :class:`Finding`.
    """
    # A part of a name of its own, as train.py is not stopped by the test set's.
    split = path.removesuffix('_dataloader') if path in LOADERS else None
    return Finding(code=code, severity='error', message=message, hint=hint, split=split)


def _require_dict(name: str, part: Any) -> None:
    if part is not None and not isinstance(part, Mapping):
        raise ConfigError(f'{name}={part!r}: needs a dict, {name}=dict(...)')
